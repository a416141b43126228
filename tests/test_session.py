"""The session as its callers see it: the properties that must hold, the whole algorithm against the oracle, bad
input.
"""

import subprocess
import sys

import numpy as np
import oracle
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule
from pools import Pool, all_options, pools, seeds

from labelbench_direct import DirectSession, GalaxySession, Options
from labelbench_direct.core.annotations import Annotations
from labelbench_direct.core.class_line import ClassLine
from labelbench_direct.core.order import class_order
from labelbench_direct.core.vreduce import vreduce

SCHEDULES = st.sampled_from(["sequential", "interleaved"])


def start(pool, budget, parallel=3, seed=0, options=None, labels=None, schedule="sequential"):
    labels = pool.labels if labels is None else labels
    return DirectSession(
        pool.probabilities,
        pool.labeled,
        labels[pool.labeled],
        budget=budget,
        parallel=parallel,
        rng=np.random.default_rng(seed),
        options=options,
        schedule=schedule,
    )


def run(session, labels):
    """Answer everything at once; the batches in order."""
    batches = []
    while not session.done:
        batches.append(session.ask())
        session.tell(batches[-1], labels[batches[-1]])
    return batches


@given(pools(), st.integers(0, 12), st.integers(1, 6), seeds, all_options, SCHEDULES)
def test_whole_algorithm_equals_oracle(pool, budget, parallel, seed, options, schedule):
    budget = min(budget, pool.num_unlabeled)
    batches = run(start(pool, budget, parallel, seed, options, schedule=schedule), pool.labels)
    known = {index: pool.labels[index] for index in pool.labeled.tolist()}
    rng = np.random.default_rng(seed)
    expected = oracle.direct(
        pool.probabilities, known, pool.labels.__getitem__, budget, parallel, rng, options, schedule
    )
    assert [index for batch in batches for index in batch.tolist()] == expected


@given(pools(), st.integers(0, 12), st.integers(1, 6), seeds, all_options)
def test_exactly_the_budget_distinct_and_unlabeled(pool, budget, parallel, seed, options):
    budget = min(budget, pool.num_unlabeled)
    session = start(pool, budget, parallel, seed, options)
    batches = run(session, pool.labels)
    asked = [index for batch in batches for index in batch.tolist()]
    assert len(asked) == len(set(asked)) == budget
    assert not set(asked) & set(pool.labeled.tolist())
    assert set(asked) <= set(range(len(pool.labels)))
    assert all(1 <= len(batch) <= parallel for batch in batches)
    assert session.remaining == 0
    assert list(session.told) == asked


@given(pools(), st.integers(0, 12), seeds, all_options)
def test_labels_not_asked_for_change_nothing(pool, budget, seed, options):
    """Property 1: after each label that was never asked for is replaced, the queries are the same."""
    budget = min(budget, pool.num_unlabeled)
    asked = np.concatenate([*run(start(pool, budget, 3, seed, options), pool.labels), [-1]])
    seen = np.union1d(asked, pool.labeled)
    poisoned = np.full_like(pool.labels, 10**9)
    poisoned[seen[seen >= 0]] = pool.labels[seen[seen >= 0]]
    again = np.concatenate([*run(start(pool, budget, 3, seed, options, poisoned), poisoned), [-1]])
    assert again.tolist() == asked.tolist()


@given(pools(), st.integers(0, 12), seeds, all_options)
def test_same_seed_same_queries_and_global_state_untouched(pool, budget, seed, options):
    budget = min(budget, pool.num_unlabeled)
    probabilities = pool.probabilities.copy()
    before = np.random.get_state()[1].copy()
    first, second = (run(start(pool, budget, 3, seed, options), pool.labels) for _ in range(2))
    assert [batch.tolist() for batch in first] == [batch.tolist() for batch in second]
    assert np.random.get_state()[1].tolist() == before.tolist()
    assert np.array_equal(pool.probabilities, probabilities)


@given(pools(), st.integers(0, 12), seeds, all_options)
def test_row_order_is_irrelevant_up_to_ties(pool, budget, seed, options):
    """Property 3. Ties go by pool index, so scores without ties are made from the drawn ones."""
    budget = min(budget, pool.num_unlabeled)
    rng = np.random.default_rng(seed)
    scores = rng.dirichlet(np.ones(pool.num_classes), len(pool.labels))
    shuffle = rng.permutation(len(pool.labels))  # row i of the shuffled pool is row shuffle[i] of the other
    place = np.argsort(shuffle)

    def queries(probabilities, labels, labeled):
        session = DirectSession(
            probabilities,
            labeled,
            labels[labeled],
            budget=budget,
            parallel=2,
            rng=np.random.default_rng(seed),
            options=options,
        )
        return [index for batch in run(session, labels) for index in batch.tolist()]

    plain = queries(scores, pool.labels, pool.labeled)
    shuffled = queries(scores[shuffle], pool.labels[shuffle], place[pool.labeled])
    assert shuffle[shuffled].tolist() == plain


@given(pools(max_classes=2), st.integers(0, 12), seeds, all_options)
def test_increasing_transforms_of_the_order_change_nothing(pool, budget, seed, options):
    """Property 5, with two classes, where any increasing map of one score is an increasing map of both orders."""
    budget = min(budget, pool.num_unlabeled)
    score = pool.probabilities[:, 0].astype(np.float64)
    _, rank = np.unique(score, return_inverse=True)
    grid = (rank + 1) / (len(score) + 2)

    def queries(score):
        session = DirectSession(
            np.stack([score, 1 - score], axis=1),
            pool.labeled,
            pool.labels[pool.labeled],
            budget=budget,
            parallel=2,
            rng=np.random.default_rng(seed),
            options=options,
        )
        return [batch.tolist() for batch in run(session, pool.labels)]

    assert queries(grid) == queries(grid**3)


@given(st.integers(4, 40), st.data())
def test_noiseless_separable_search_brackets_the_truth(size, data):
    """Property 6: two classes separated at ``truth`` in the order of class 0; nothing is known at the start."""
    truth = data.draw(st.integers(0, size))
    seed = data.draw(seeds)
    budget = data.draw(st.integers(0, size))
    score = np.linspace(0.99, 0.01, size)
    labels = (np.arange(size) >= truth).astype(int)
    session = DirectSession(
        np.stack([score, 1 - score], axis=1),
        [],
        [],
        budget=budget,
        parallel=data.draw(st.integers(1, 5)),
        rng=np.random.default_rng(seed),
    )
    run(session, labels)
    assert all(space.low <= truth <= space.high for space in session.version_spaces[0])
    assert all(space.low <= size - truth <= space.high for space in session.version_spaces[1])
    for k in (0, 1):  # as near to the truth as the labels of the search allow
        last = session.version_spaces[k][-1]
        assert last.low <= session.thresholds[k] <= last.high


def test_resolution_grows_with_the_rounds():
    """Property 6: B labels cut the gap that holds the truth to 2 / (B + 1) of it on average, in each of m rounds."""
    size, parallel, rounds, trials = 2000, 4, 3, 1000
    score = np.linspace(0.99, 0.01, size)
    order = class_order(np.stack([score, 1 - score], axis=1), 0)
    rng = np.random.default_rng(0)
    errors, spans = [], []
    for _ in range(trials):
        truth = int(rng.integers(0, size + 1))
        known = Annotations(np.zeros(0, dtype=np.int64), np.zeros(0, dtype=np.int64), parallel * rounds, size)
        spaces: list = []
        line = ClassLine(order, known, 0)
        for indices in vreduce(line, parallel * rounds, parallel, rng, True, spaces):
            known.add(indices, (indices >= truth).astype(int))
        errors.append(abs(line.best_threshold("half") - truth))
        spans.append(spaces[-1].high - spaces[-1].low)
        assert len(spaces) == rounds
        assert errors[-1] <= spans[-1]
    assert np.mean(spans) <= size * (2 / (parallel + 1)) ** (rounds - 1)  # what the last batch is drawn from
    assert np.mean(errors) <= size * (2 / (parallel + 1)) ** rounds


@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64])
@pytest.mark.parametrize("order", ["C", "F"])
def test_dtypes_and_layouts(dtype, order):
    scores = np.array(
        [[0.5, 0.25, 0.25], [0.25, 0.5, 0.25], [0.25, 0.25, 0.5], [1.0, 0.0, 0.0]], dtype=dtype, order=order
    )
    session = DirectSession(scores, [0], [0], budget=3, parallel=2, rng=np.random.default_rng(0))
    assert sorted(np.concatenate(run(session, np.zeros(4, dtype=int))).tolist()) == [1, 2, 3]


class SessionMachine(RuleBasedStateMachine):
    """Answers in any order, in parts, repeated, with wrong ones in between: nothing but the labels counts."""

    @initialize(pool=pools(), seed=seeds, parallel=st.integers(1, 5), options=all_options, data=st.data())
    def begin(self, pool, seed, parallel, options, data):
        budget = data.draw(st.integers(0, pool.num_unlabeled))
        self.pool, self.parallel, self.budget = pool, parallel, budget
        self.session = start(pool, budget, parallel, seed, options)
        self.expected = [i for batch in run(start(pool, budget, parallel, seed, options), pool.labels) for i in batch]
        self.asked = []

    @rule()
    def ask(self):
        self.asked += self.session.ask().tolist()

    @precondition(lambda self: len(self.session.pending))
    @rule(data=st.data())
    def tell_some(self, data):
        some = data.draw(st.lists(st.sampled_from(self.session.pending.tolist()), unique=True))
        self.session.tell(some, self.pool.labels[some] if some else [])

    @precondition(lambda self: self.session.told)
    @rule(data=st.data())
    def tell_again(self, data):
        index = data.draw(st.sampled_from(list(self.session.told)))
        self.session.tell([index], [self.pool.labels[index]])
        with pytest.raises(ValueError, match="before"):
            self.session.tell([index], [(self.pool.labels[index] + 1) % self.pool.num_classes])

    @precondition(lambda self: self.session.pending.size)
    @rule()
    def wrong_tells_change_nothing(self):
        index = int(self.session.pending[0])
        told, pending = dict(self.session.told), self.session.pending.tolist()
        never = set(range(len(self.pool.labels))) - set(self.asked)
        for other in list(never)[:1]:
            with pytest.raises(ValueError, match="not asked for"):
                self.session.tell([index, other], [0, 0])
        with pytest.raises(ValueError, match="labels must be in"):
            self.session.tell([index], [self.pool.num_classes])
        with pytest.raises(ValueError, match="distinct"):
            self.session.tell([index, index], [0, 0])
        assert self.session.told == told
        assert self.session.pending.tolist() == pending

    @invariant()
    def never_more_pending_than_annotators(self):
        if hasattr(self, "session"):
            assert len(self.session.pending) <= self.parallel
            assert self.asked == self.expected[: len(self.asked)]
            assert self.session.remaining == self.budget - len(self.session.told)

    def teardown(self):
        if hasattr(self, "session"):
            while not self.session.done:
                self.asked += self.session.ask().tolist()
                pending = self.session.pending[::-1]
                self.session.tell(pending, self.pool.labels[pending])
            assert self.asked == self.expected


TestSessionMachine = SessionMachine.TestCase
TestSessionMachine.settings = settings(max_examples=300, stateful_step_count=20, deadline=None)


def galaxy(pool, budget, seed=0):
    rng = np.random.default_rng(seed)
    return GalaxySession(pool.probabilities, pool.labeled, pool.labels[pool.labeled], budget=budget, rng=rng)


def any_session(pool, budget, parallel, seed, kind):
    if kind == "galaxy":
        return galaxy(pool, budget, seed)
    return start(pool, budget, parallel, seed, schedule=kind)


KINDS = st.sampled_from(["sequential", "interleaved", "galaxy"])


@given(pools(max_examples=20), st.integers(0, 20), st.integers(1, 6), seeds, KINDS, st.data())
def test_asking_for_some_at_a_time_changes_nothing(pool, budget, parallel, seed, kind, data):
    """As long as all answers are there before the next asking, in any order and in parts."""
    budget = min(budget, pool.num_unlabeled)
    waiting = any_session(pool, budget, parallel, seed, kind)
    run(waiting, pool.labels)
    session = any_session(pool, budget, parallel, seed, kind)
    asked = []
    rng = np.random.default_rng(data.draw(seeds))
    while not session.done:
        some = session.ask(int(rng.integers(1, 9))) if rng.random() < 0.8 else session.ask()
        asked += some.tolist()
        for part in np.array_split(rng.permutation(some), 2):
            session.tell(part, pool.labels[part])
    assert asked == list(waiting.told)
    assert session.told == waiting.told


class AsynchronousMachine(RuleBasedStateMachine):
    """Annotators who answer when they like, or never, or cannot, or change their minds: nothing is asked twice at a
    time, the budget is kept, and the same calls give the same session again.
    """

    @initialize(pool=pools(max_examples=16), seed=seeds, parallel=st.integers(1, 4), kind=KINDS, data=st.data())
    def begin(self, pool, seed, parallel, kind, data):
        self.pool = pool
        self.budget = data.draw(st.integers(0, pool.num_unlabeled))
        self.again = lambda: any_session(pool, self.budget, parallel, seed, kind)
        self.session, self.calls = self.again(), []
        self.released, self.out, self.asked = set(), set(), set()

    def call(self, name, *arguments):
        self.calls.append((name, arguments, getattr(self.session, name)(*arguments)))
        return self.calls[-1][-1]

    def some(self, data, indices):
        return data.draw(st.lists(st.sampled_from(sorted(indices)), unique=True)) if len(indices) else []

    @rule(n=st.none() | st.integers(0, 7))
    def ask(self, n):
        before = set(self.session.pending.tolist())
        room = self.budget - len(self.session.told) - len(before)
        asked = self.call("ask", n).tolist()
        assert len(asked) == len(set(asked))
        assert not set(asked) & (before | set(self.session.told) | set(self.pool.labeled.tolist()) | self.out)
        assert self.session.pending.tolist()[len(before) :] == asked
        assert len(asked) <= (room if n is None else min(n, room))
        free = len(self.pool.labels) - len(self.pool.labeled) - len(set(self.session.told) | before | self.out)
        if n and room > 0 and free > 0:
            assert asked, "somebody could work"
        self.released -= set(asked)
        self.asked |= set(asked)

    @rule(data=st.data())
    def tell(self, data):
        some = self.some(data, self.session.pending)
        self.call("tell", some, [self.pool.labels[index] for index in some])

    @rule(data=st.data())
    def cannot_tell(self, data):
        some = self.some(data, self.session.pending)
        self.call("cannot_tell", some)
        self.out |= set(some)

    @rule(data=st.data())
    def release(self, data):
        some = self.some(data, self.session.pending)
        self.call("release", some)
        self.released |= set(some)

    @rule(data=st.data())
    def answer_late(self, data):
        """Counts while its place in the budget is free."""
        some = self.some(data, self.released | self.out)[:1]
        labels = [self.pool.labels[index] for index in some]
        if some and len(self.session.told) + len(self.session.pending) == self.budget:
            with pytest.raises(ValueError, match="too late"):
                self.session.tell(some, labels)
            return
        self.call("tell", some, labels)
        self.released -= set(some)
        self.out -= set(some)

    @rule(data=st.data())
    def correct(self, data):
        some = self.some(data, list(self.session.told))
        self.call("correct", some, [data.draw(st.integers(0, self.pool.num_classes - 1)) for _ in some])

    @invariant()
    def budget_is_kept(self):
        if hasattr(self, "session"):
            assert len(self.session.told) + len(self.session.pending) <= self.budget
            assert not set(self.session.told) & set(self.session.pending.tolist())
            assert self.session.remaining == self.budget - len(self.session.told)

    def teardown(self):
        if not hasattr(self, "session"):
            return
        while not self.session.done:
            self.ask(3)
            pending = self.session.pending[::-1]
            self.call("tell", pending, self.pool.labels[pending])
        assert len(self.session.told) == min(self.budget, self.pool.num_unlabeled - len(self.out))
        assert set(self.session.told) <= self.asked
        assert self.session.ask(5).tolist() == []
        replayed = self.again()
        for name, arguments, result in self.calls:
            assert np.array_equal(getattr(replayed, name)(*arguments), result)
        assert replayed.told == self.session.told
        assert getattr(replayed, "thresholds", None) == getattr(self.session, "thresholds", None)


TestAsynchronousMachine = AsynchronousMachine.TestCase
TestAsynchronousMachine.settings = settings(max_examples=500, stateful_step_count=25, deadline=None)


@pytest.mark.parametrize("kind", ["sequential", "interleaved", "galaxy"])
def test_annotators_who_can_tell_nothing(kind):
    """Every example is asked for once, and the session ends."""
    pool = Pool(np.random.default_rng(0).dirichlet(np.ones(3), 30), np.zeros(30, dtype=int), np.arange(4))
    session, asked = any_session(pool, 12, 5, 0, kind), []
    while not session.done:
        asked += session.ask().tolist()
        session.cannot_tell(session.pending)
    assert sorted(asked) == list(range(4, 30))
    assert session.told == {}
    assert session.remaining == 12


def test_many_annotators_at_once_when_interleaved():
    """Every class has its batch out at a time: K x B_parallel queries, all of them different."""
    rng = np.random.default_rng(0)
    pool = Pool(rng.dirichlet(np.ones(4), 500), rng.integers(0, 4, 500), np.arange(40))
    assert len(start(pool, 200, parallel=5).ask()) == 5
    assert len(set(start(pool, 200, parallel=5, schedule="interleaved").ask().tolist())) == 20


def test_asking_on_while_nobody_answers():
    """The whole budget can be out at a time, and what is open is not evidence."""
    rng = np.random.default_rng(0)
    pool = Pool(rng.dirichlet(np.ones(3), 200), rng.integers(0, 3, 200), np.arange(20))
    for kind in ("sequential", "interleaved", "galaxy"):
        session = any_session(pool, 60, 4, 0, kind)
        while len(batch := session.ask(7)):
            assert len(batch) <= 7
        assert len(set(session.pending.tolist())) == 60
        assert session.ask().tolist() == session.ask(1).tolist() == []
        session.tell(session.pending, pool.labels[session.pending])
        assert session.done


def test_a_released_query_may_be_asked_again_and_a_late_answer_counts():
    pool = Pool(np.array([[0.6, 0.4], [0.3, 0.7]]), np.array([0, 1]), np.zeros(0, dtype=int))
    session = start(pool, 1, parallel=1)
    (first,) = session.ask()
    session.release([first])
    assert not session.done
    session.tell([first], [0])  # although nobody waits for it
    assert session.told == {first: 0}
    assert session.done


def test_corrections_replace_what_was_told():
    pool = Pool(np.array([[0.6, 0.4], [0.3, 0.7]]), np.array([0, 1]), np.zeros(0, dtype=int))
    session = start(pool, 1, parallel=1)
    (asked,) = session.ask()
    session.tell([asked], [0])
    session.correct([asked], [1])
    assert session.done
    assert session.told == {asked: 1}
    assert session._known.label_of[asked] == 1


@pytest.mark.parametrize(
    ("call", "arguments", "message"),
    [
        ("ask", [-1], "n must be at least 0, got -1"),
        ("cannot_tell", [[1]], "nobody can tell: example 1, which was not asked for"),
        ("cannot_tell", [[0]], "nobody can tell: example 0, which was told"),
        ("release", [[1]], "released: example 1, which was not asked for"),
        ("release", [[3]], "released example 3, which is not open any more"),
        ("release", [[9]], r"indices must be in 0..3 \(the pool\), got 9"),
        ("correct", [[2], [0]], "corrected the label of example 2, which was not told"),
        ("correct", [[0], [2]], "labels must be in 0..1, got 2 for example 0"),
    ],
)
def test_bad_calls_change_nothing(call, arguments, message):
    """Example 0 is told, 1 not asked for, 2 open, 3 released."""
    session = start(Pool(np.full((4, 2), 0.5), np.zeros(4, dtype=int), np.zeros(0, dtype=int)), 3, parallel=4)
    session._queue = np.array([0, 2, 3])
    session.ask()
    session.tell([0], [1])
    session.release([3])
    with pytest.raises(ValueError, match=message):
        getattr(session, call)(*arguments)
    assert session.pending.tolist() == [2]
    assert session.told == {0: 1}


GOOD = np.array([[0.6, 0.4], [0.3, 0.7], [0.2, 0.8]])


def session_of(probabilities=GOOD, labeled=(), labels=(), budget=1, parallel=1, rng=None, options=None):
    rng = np.random.default_rng(0) if rng is None else rng
    return DirectSession(probabilities, labeled, labels, budget=budget, parallel=parallel, rng=rng, options=options)


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        ({"probabilities": np.full((3, 2), np.nan)}, ValueError, r"must be finite, row 0 has nan"),
        ({"probabilities": np.array([[0.5, 0.5], [np.inf, 0]])}, ValueError, r"must be finite, row 1 has inf"),
        ({"probabilities": np.array([[0.5, 0.5], [1.5, -0.5]])}, ValueError, r"not be negative, row 1 has -0.5"),
        ({"probabilities": np.array([[0.5, 0.5], [0.5, 0.51]])}, ValueError, r"row 1 sums to 1.01: pass softmax"),
        ({"probabilities": np.array([0.5, 0.5])}, ValueError, r"shape \(examples, classes\), got shape \(2,\)"),
        ({"probabilities": np.ones((3, 1))}, ValueError, "at least 2 classes"),
        ({"probabilities": np.ones((0, 2))}, ValueError, "pool is empty"),
        ({"probabilities": np.eye(3)}, ValueError, "one-hot"),
        ({"probabilities": np.eye(3, dtype=int)}, TypeError, "float16, float32 or float64, got int64"),
        ({"labeled": [3], "labels": [0]}, ValueError, r"labeled must be in 0..2 \(the pool\), got 3"),
        ({"labeled": [-1], "labels": [0]}, ValueError, "labeled must be in 0..2"),
        ({"labeled": [1, 1], "labels": [0, 0]}, ValueError, "labeled must be distinct, 1 is there 2 times"),
        ({"labeled": [1], "labels": [2]}, ValueError, "labels must be in 0..1, got 2 for example 1"),
        ({"labeled": [1], "labels": [-1]}, ValueError, "labels must be in 0..1, got -1"),
        ({"labeled": [1], "labels": []}, ValueError, "one length, got 1 and 0"),
        ({"labeled": [1], "labels": [0.5]}, TypeError, "labels must be integers, got float64"),
        ({"labeled": [[1]], "labels": [0]}, ValueError, "labeled must be one-dimensional"),
        ({"budget": -1}, ValueError, "budget must be at least 0, got -1"),
        ({"budget": 1.0}, TypeError, "budget must be an integer, got 1.0"),
        ({"parallel": 0}, ValueError, "parallel must be at least 1, got 0"),
        ({"parallel": True}, TypeError, "parallel must be an integer, got True"),
        ({"rng": 0}, TypeError, r"rng must be a np.random.Generator, such as np.random.default_rng\(0\), got 0"),
    ],
)
def test_bad_arguments(arguments, error, message):
    with pytest.raises(error, match=message):
        session_of(**arguments)


@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        ({"threshold_tie": "middle"}, ValueError, "threshold_tie must be one of 'half', 'lowest', 'minority'"),
        ({"keep_best": 1}, TypeError, "keep_best must be true or false, got 1"),
        ({"min_budget_per_class": -1}, ValueError, "min_budget_per_class must be at least 0"),
        ({"min_budget_per_class": "60"}, TypeError, "min_budget_per_class must be an integer, got '60'"),
    ],
)
def test_bad_options(options, error, message):
    with pytest.raises(error, match=message):
        Options(**options)


def test_budget_larger_than_what_is_left_gives_all_of_it():
    with pytest.warns(UserWarning, match="the budget is 5 but only 2 examples are unlabeled"):
        session = session_of(labeled=[1], labels=[0], budget=5, parallel=2)
    assert sorted(np.concatenate(run(session, np.zeros(3, dtype=int))).tolist()) == [0, 2]


def test_pool_of_one():
    session = session_of(probabilities=np.array([[1.0, 0.0]]))
    assert session.ask().tolist() == [0]
    session.tell([0], [1])
    assert session.done
    assert session.ask().tolist() == []


def test_half_precision_softmax_is_accepted():
    logits = np.random.default_rng(0).normal(scale=5, size=(500, 1000)).astype(np.float16)
    powers = np.exp(logits - logits.max(axis=1, keepdims=True))
    session_of(probabilities=powers / powers.sum(axis=1, keepdims=True, dtype=np.float16))


def test_asking_again_waits_for_the_answers():
    session = session_of(budget=2, parallel=1)
    asked = session.ask()
    assert session.ask().tolist() == []
    assert session.pending.tolist() == asked.tolist()
    session.tell(asked, [0])
    assert session.pending.tolist() == []
    assert len(session.ask()) == 1


def test_handed_out_arrays_are_copies():
    session = session_of(budget=1)
    asked = session.ask()
    expected = asked.copy()
    asked[:] = 99
    assert session.pending.tolist() == expected.tolist()


def test_core_imports_numpy_only():
    code = (
        "import sys, labelbench_direct.core.direct, labelbench_direct.core.checks\n"
        "heavy = {'torch', 'sklearn', 'matplotlib', 'LabelBench', 'tqdm'} & set(sys.modules)\n"
        "assert not heavy, heavy"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
