"""A job as its callers see it: equal to a session in memory whatever happens to the process, several people's answers,
leases, and every kind of bad input.
"""

import json
import shutil
import sqlite3
import subprocess
import sys
import tempfile
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule
from pools import pools, seeds

from labelbench_direct import DirectSession
from labelbench_direct.annotate.files import Answer
from labelbench_direct.annotate.job import Job
from labelbench_direct.annotate.ledger import CANNOT_TELL
from labelbench_direct.annotate.rounds import FirstBatch
from labelbench_direct.annotate.scores import Reference
from labelbench_direct.annotate.settings import Settings
from labelbench_direct.annotate.status import status, suspicious
from labelbench_direct.annotate.words import in_words

PEOPLE = ["ann", "bob", "cy"]
LEASE_MINUTES = 10
MINUTE = 60.0


class Clock:
    """A clock that only a test moves."""

    def __init__(self):
        self.now = 1_000_000.0

    def __call__(self):
        return self.now


_OPENED = []


def opened(path, *arguments, **options):
    """A job that is closed when its test ends."""
    job = Job(path, *arguments, **options)
    _OPENED.append(job)
    return job


@pytest.fixture(autouse=True)
def _close():
    yield
    while _OPENED:
        _OPENED.pop().close()


def sql(path, statement):
    with closing(sqlite3.connect(path)) as connection:
        connection.execute(statement)


def reference(path):
    return vars(Reference.to(path, path.parent))


def start(folder, clock=None, size=12, name="job.db", **changes):
    """A job with numbered items and the classes a, b, c, without scores."""
    plain = {"classes": ["a", "b", "c"], "num_items": size, "budget": 6, "parallel": 3, "lease_minutes": LEASE_MINUTES}
    Job.start(folder / name, Settings(**plain | changes), clock or Clock()).close()
    return opened(folder / name, clock or Clock())


def answers(annotator, items, *labels):
    return [Answer(annotator, item, label) for item, label in zip(items, labels, strict=True)]


class JobMachine(RuleBasedStateMachine):
    """A job of which each item is asked once, against a session in memory that hears the same, and plain books."""

    with_scores = False

    @initialize(pool=pools(), budget=st.integers(1, 12), parallel=st.integers(1, 4), seed=seeds,
                schedule=st.sampled_from(["sequential", "interleaved"]))  # fmt: skip
    def begin(self, pool, budget, parallel, seed, schedule):
        self.folder = Path(tempfile.mkdtemp())
        self.clock = Clock()
        budget = min(budget, pool.num_unlabeled)
        if budget == 0:
            pool, budget = replace(pool, labeled=pool.labeled[:0]), 1
        self.pool, labels = pool, pool.labels[pool.labeled]
        np.save(self.folder / "scores.npy", pool.probabilities)
        rng = np.random.default_rng([seed, 1])
        if self.with_scores:
            self.session = DirectSession(
                pool.probabilities, pool.labeled, labels, budget=budget, parallel=parallel, rng=rng, schedule=schedule
            )
        else:
            self.session = FirstBatch(np.setdiff1d(np.arange(len(pool.labels)), pool.labeled), budget, rng)
        self.path = self.folder / "job.db"
        settings = Settings(
            classes=[f"class {k}" for k in range(pool.num_classes)],
            num_items=len(pool.labels),
            budget=budget,
            parallel=parallel,
            scores=reference(self.folder / "scores.npy") if self.with_scores else None,
            labeled=pool.labeled.tolist(),
            labels=labels.tolist(),
            seed=seed,
            schedule=schedule,
            lease_minutes=LEASE_MINUTES,
        )
        self.jobs = [Job.start(self.path, settings, self.clock), Job(self.path, self.clock)]
        self.open = {}  # item: who holds it, until when
        self.known = {}  # item: class, or CANNOT_TELL
        self.said = {}  # item: who answered what

    def teardown(self):
        for job in getattr(self, "jobs", []):
            job.close()
        if hasattr(self, "folder"):
            shutil.rmtree(self.folder)

    def name(self, label):
        return None if label == CANNOT_TELL else f"class {label}"

    @rule(job=st.integers(0, 1), who=st.sampled_from(PEOPLE), count=st.integers(1, 5))
    def ask(self, job, who, count):
        now = self.clock.now
        mine = [item for item, (holder, until) in self.open.items() if holder == who and until > now]
        free = [item for item, (_, until) in self.open.items() if until <= now]
        expected = [*mine, *free][:count]
        while len(expected) < count and len(new := self.session.ask(count - len(expected))):
            expected += new.tolist()
        assert self.jobs[job].ask(who, count) == [str(item) for item in expected]
        for item in expected:
            _, until = self.open.get(item, (who, 0))
            lease = LEASE_MINUTES * MINUTE
            self.open[item] = (who, now + lease if until < now + lease / 2 else until)

    @precondition(lambda self: self.open)
    @rule(data=st.data(), job=st.integers(0, 1), who=st.sampled_from(PEOPLE))
    def tell(self, data, job, who):
        """Anybody may answer what is open, whoever holds it."""
        items = data.draw(st.lists(st.sampled_from(sorted(self.open)), min_size=1, unique=True))
        labels = data.draw(
            st.lists(st.integers(CANNOT_TELL, self.pool.num_classes - 1), min_size=len(items), max_size=len(items))
        )
        receipt = self.jobs[job].tell(answers(who, map(str, items), *map(self.name, labels)))
        assert (receipt.new, receipt.repeated, receipt.spare) == (len(items), 0, 0)
        for item, label in zip(items, labels, strict=True):
            self._session_hears(item, label)
            self.said[item] = (who, label)
            del self.open[item]

    def _session_hears(self, item, label):
        if label == CANNOT_TELL:
            self.session.cannot_tell([item])
        else:
            self.session.tell([item], [label])
        self.known[item] = label

    @precondition(lambda self: self.said)
    @rule(data=st.data(), job=st.integers(0, 1))
    def tell_again(self, data, job):
        """The same again is harmless; something else is refused; somebody else's is kept and has no say."""
        item = data.draw(st.sampled_from(sorted(self.said)))
        who, label = self.said[item]
        assert self.jobs[job].tell([Answer(who, str(item), self.name(label))]).new == 0
        with pytest.raises(ValueError, match="before, and now"):
            self.jobs[job].tell([Answer(who, str(item), self.name((label + 1) % self.pool.num_classes))])
        receipt = self.jobs[job].tell([Answer("late", str(item), self.name(0))])
        assert receipt.spare == receipt.new

    @rule(job=st.integers(0, 1), who=st.sampled_from(PEOPLE))
    def release(self, job, who):
        held = [item for item, (holder, until) in self.open.items() if holder == who and until > self.clock.now]
        assert self.jobs[job].release(who) == len(held)
        for item in held:
            self.session.release([item])
            del self.open[item]

    @precondition(lambda self: any(label != CANNOT_TELL for label in self.known.values()))
    @rule(data=st.data(), job=st.integers(0, 1))
    def correct(self, data, job):
        item = data.draw(st.sampled_from(sorted(i for i, label in self.known.items() if label != CANNOT_TELL)))
        label = data.draw(st.integers(0, self.pool.num_classes - 1))
        self.jobs[job].correct("boss", str(item), self.name(label))
        if label != self.known[item]:
            self.session.correct([item], [label])
        self.known[item] = label

    @rule(minutes=st.integers(1, 12))
    def wait(self, minutes):
        self.clock.now += minutes * MINUTE

    @rule(job=st.integers(0, 1))
    def kill_and_reopen(self, job):
        """What a process had in memory is gone, and nothing else."""
        abandoned, self.jobs[job] = self.jobs[job], Job(self.path, self.clock)
        abandoned.close()

    @rule(data=st.data())
    def refused(self, data):
        """What makes no sense changes nothing, here as in the file."""
        with pytest.raises(ValueError, match="no item"):
            self.jobs[0].tell([Answer("ann", "no such item", "class 0")])
        with pytest.raises(ValueError, match="annotator's name"):
            self.jobs[0].ask("=1+1")

    @invariant()
    def same(self):
        if not hasattr(self, "jobs"):
            return
        for job in self.jobs:
            with job.reading() as state:
                labels = {i: label for i, label in state.ledger.labels().items() if i not in state.ledger.known}
                assert labels == {i: label for i, label in self.known.items() if label != CANNOT_TELL}
                assert list(state.ledger.open) == list(self.open)
        with self.jobs[1].reading() as state:
            session = state.round.session()
            assert session.done == self.session.done
            if self.with_scores:
                assert session.told == self.session.told
                assert session.pending.tolist() == self.session.pending.tolist()
                assert session.remaining == self.session.remaining
                assert session.thresholds == self.session.thresholds
                assert session.version_spaces == self.session.version_spaces


JobMachine.TestCase.settings = settings(max_examples=40, stateful_step_count=25, deadline=None)
TestFirstBatchIsTheSession = JobMachine.TestCase


class DirectJobMachine(JobMachine):
    with_scores = True


DirectJobMachine.TestCase.settings = settings(max_examples=100, stateful_step_count=30, deadline=None)
TestDirectIsTheSession = DirectJobMachine.TestCase


def test_a_lease_that_ran_out_goes_to_the_next_and_its_late_answer_is_kept(tmp_path):
    clock = Clock()
    job = start(tmp_path, clock)
    (item,) = job.ask("ann")
    clock.now += LEASE_MINUTES * MINUTE - 1
    assert job.ask("bob") != [item]
    assert job.ask("ann") == [item]  # and holds it for longer
    clock.now += 2 * MINUTE
    assert item not in job.ask("bob", 5)
    clock.now += LEASE_MINUTES * MINUTE + 1
    assert job.ask("cy") == [item]
    assert job.tell(answers("ann", [item], "b")).spare == 0  # first come, first served
    assert job.tell(answers("cy", [item], "c")).spare == 1
    with job.reading() as state:
        assert state.ledger.labels() == {int(item): 1}
        assert [(who, label) for _, who, _, label, _ in state.answers] == [("ann", 1), ("cy", 2)]


def test_late_answers_to_items_given_back_count_when_the_session_comes_to_them(tmp_path):
    job = start(tmp_path, size=3, budget=3)
    items = job.ask("ann", 2)
    job.release("ann")
    assert job.tell(answers("ann", items, "a", None)).new == 2
    asked = job.ask("bob", 3)
    assert len(asked) == 1  # one is labeled, one is out: nobody is asked again
    assert set(asked).isdisjoint(items)
    job.tell(answers("bob", asked, "c"))
    assert job.ask("bob") == []
    with job.reading() as state:
        assert state.ledger.label(int(items[0])) == 0
        assert state.round.session().done


def test_of_several_wanted_a_late_answer_decides_alone_where_nobody_is_asked_any_more(tmp_path):
    job = start(tmp_path, redundancy=2)
    (item,) = job.ask("ann")
    job.release("ann")
    job.tell(answers("ann", [item], "b"))
    with job.reading() as state:
        assert state.ledger.labels() == {int(item): 1}


@pytest.mark.parametrize(
    ("decide", "said", "label"),
    [
        ("majority", ["a", "b", "b"], "b"),
        ("first", ["a", "b", "b"], "a"),
        ("majority", ["a", None, "b"], "b"),  # a tie, and b has fewer labels
        ("majority", ["a", "b", "c"], "c"),  # c has none
        ("first", [None, "b", "a"], "b"),
        ("majority", [None, None, None], None),
    ],
)
def test_several_answers(tmp_path, decide, said, label):
    job = start(tmp_path, redundancy=3, decide=decide, labeled=[0, 1, 2], labels=[0, 0, 1], parallel=1)
    (item,) = job.ask("ann")
    assert job.ask("bob") == job.ask("cy") == [item]
    assert job.ask("dan") != [item]  # three are at work on it
    for who, name in zip(PEOPLE, said, strict=True):
        with job.reading() as state:
            assert int(item) in state.ledger.open
        job.tell([Answer(who, item, name)])
    with job.reading() as state:
        assert state.ledger.label(int(item)) == state.class_of(label)
        assert int(item) not in state.ledger.open


def tied(folder, **changes):
    """A job with an item that one annotator took for a and another for b, which had fewer labels then, but not now; and
    the item.
    """
    job = start(folder, redundancy=2, budget=9, labeled=[0, 1, 2], labels=[0, 0, 1], parallel=9, **changes)
    (item,) = job.ask("ann")
    job.tell([Answer("ann", item, "a"), Answer("bob", item, "b")])
    others = job.ask("ann", 3)
    job.tell([*answers("ann", others, *"bbb"), *answers("bob", others, *"bbb")])
    return job, item


def test_an_answer_without_a_say_breaks_no_tie_anew(tmp_path):
    job, item = tied(tmp_path)
    assert job.tell([Answer("late", item, "a")]).spare == 1
    with job.reading() as state:
        assert state.ledger.label(int(item)) == 1


def test_a_second_opinion_that_never_comes_breaks_no_tie_anew(tmp_path):
    score = np.linspace(0.99, 0.01, 12)
    np.save(tmp_path / "s.npy", np.stack([score, (1 - score) / 2, (1 - score) / 2], axis=1))
    job, item = tied(tmp_path, scores=reference(tmp_path / "s.npy"))
    with job._writing():
        job._write("recheck", "", items=[int(item)])
    job.retrain(tmp_path / "s.npy")
    with job.reading() as state:
        assert state.ledger.label(int(item)) == 1
    assert job.tell([Answer("late", item, "a")]).spare == 1


@pytest.mark.parametrize(
    ("name", "noted"),
    [("Jose\u0301", "Jos\xe9"), (" ann\n", "ann"), ("\u0939\u093f\u0928\u094d\u0926\u0940", None), ("李雷", None)],
)
def test_names_in_any_script_and_one_for_those_that_look_the_same(tmp_path, name, noted):
    job, noted = start(tmp_path), noted or name
    items = job.ask(name, 2)
    assert job.ask(noted, 2) == items
    assert job.tell(answers(name, items[:1], "a")).new == 1
    assert job.tell(answers(noted, items[:1], "a")).repeated == 1
    assert job.release(name) == 1
    with job.reading() as state:
        assert [who for _, who, *_ in state.answers] == [noted]


@pytest.mark.parametrize("name", ["", "=1", "-x", "a\nb", "a" * 101, "a" + "\u0301" * 101, "\u202eann", "\ud800"])
def test_names_that_are_none(tmp_path, name):
    with pytest.raises(ValueError, match="an annotator's name has"):
        start(tmp_path).ask(name)


@pytest.mark.parametrize("count", [np.int64(7), 10**40])
def test_any_count_is_a_count(tmp_path, count):
    assert len(start(tmp_path).ask("ann", count)) == 6


def test_leases_run_out_although_the_clock_was_ahead(tmp_path):
    clock = Clock()
    job = start(tmp_path, clock)
    clock.now += 1e9
    job.ask("ann")
    clock.now -= 1e9
    (item,) = job.ask("bob")
    clock.now += LEASE_MINUTES * MINUTE
    assert job.ask("cy") == [item]


def test_an_annotator_is_not_asked_twice_for_one_item(tmp_path):
    job = start(tmp_path, redundancy=2, size=3, budget=2)
    first = job.ask("ann", 2)
    job.tell(answers("ann", first, "a", "a"))
    assert job.ask("ann", 2) == []
    assert job.ask("bob", 2) == first


def test_agreement_by_annotator_and_class(tmp_path):
    job = start(tmp_path, redundancy=3, budget=2)
    items = job.ask("ann", 2)
    for who in PEOPLE[1:]:
        job.ask(who, 2)
    job.tell([*answers("ann", items, "a", "b"), *answers("bob", items, "a", "c"), *answers("cy", items, "c", "b")])
    with job.reading() as state:
        found = status(state)
    assert [(one["name"], one["agreeing"], one["compared"]) for one in found["annotators"]] == [
        ("ann", 2, 2),
        ("bob", 1, 2),
        ("cy", 1, 2),
    ]
    assert [(one["agreeing"], one["compared"]) for one in found["classes"]] == [(2, 3), (2, 3), (0, 0)]


def test_a_changed_answer_decides_anew_and_a_correction_outranks_all(tmp_path):
    job = start(tmp_path)
    (item,) = job.ask("ann")
    job.tell(answers("ann", [item], "a"))
    job.tell(answers("ann", [item], "b"), change=True)
    with job.reading() as state:
        assert state.ledger.labels() == {int(item): 1}
        assert state.ledger.counts == {0: 0, 1: 1}
    job.correct("boss", item, "c")
    job.tell(answers("ann", [item], "a"), change=True)
    with job.reading() as state:
        assert state.ledger.labels() == {int(item): 2}
    job.correct("boss", item, None)
    with job.reading() as state:
        assert state.ledger.labels() == {}


def test_one_wrong_answer_of_many_keeps_none(tmp_path):
    job = start(tmp_path)
    first, second = job.ask("ann", 2)
    for wrong, match in [
        (
            [Answer("ann", first, "a"), Answer("ann", second, "x")],
            f"item '{second}': there is no class 'x'; the classes are a, b, c",
        ),
        ([Answer("ann", first, "a"), Answer("ann", "99", "a")], "no item '99'"),
        ([Answer("ann", first, "a"), Answer("ann", first, "b")], "said a of item .* before, and now b"),
        ([Answer("ann", first, "a"), Answer("=cmd|' /C calc'!A0", second, "a")], "annotator's name"),
    ]:
        with pytest.raises(ValueError, match=match):
            job.tell(wrong)
    never = next(str(i) for i in range(12) if str(i) not in (first, second))
    with pytest.raises(ValueError, match="was not asked for"):
        job.tell(answers("ann", [never], "a"))
    with job.reading() as state:
        assert state.answers == []


def test_stratified_first_batch(tmp_path):
    table = tmp_path / "items.csv"
    table.write_text("id,site\n" + "".join(f"i{n},{'rare' if n < 3 else 'usual'}\n" for n in range(40)))
    job = start(tmp_path, size=40, items=reference(table), stratify="site")
    items = job.ask("ann", 6)
    assert len({item for item in items if int(item[1:]) < 3}) == 3


def test_rule_of_three_and_shares(tmp_path):
    job = start(tmp_path, size=1000, budget=60)
    items = job.ask("ann", 60)
    job.tell(answers("ann", items, *["a"] * 45, *["b"] * 15))
    with job.reading() as state:
        found = status(state)
    assert found["classes"][2]["share_at_most"] == 3 / 60
    assert [one["expected_left"] for one in found["classes"]] == [[705, 705], [235, 235], [0, 0]]
    assert found["done"]
    assert "with 95 % confidence at most 5.0% are c: 47 of those left." in in_words(found)
    assert "b: 15 labels. Expected among what is left: 235.\n" in in_words(found)


def test_a_budget_beyond_the_pool_is_what_there_is(tmp_path):
    job = start(tmp_path, budget=99, labeled=[0], labels=[0])
    job.tell(answers("ann", items := job.ask("ann", 99), *["a"] * len(items)))
    with job.reading() as state:
        assert in_words(status(state)).startswith("Round 1: 11 of 11 labels; 12 in all, 0 waiting for answers")


def test_without_random_labels_nothing_bounds_a_class(tmp_path):
    table = tmp_path / "items.csv"
    table.write_text("id,site\n" + "".join(f"i{n},{n % 2}\n" for n in range(40)))
    job = start(tmp_path, size=40, items=reference(table), stratify="site")
    job.tell(answers("ann", job.ask("ann", 2), "a", "a"))
    with job.reading() as state:
        found = status(state)
    assert found["classes"][1]["share_at_most"] is None
    assert "b: 0 labels. No label is of an item picked at random" in in_words(found)


def test_words_follow_the_cuts(tmp_path):
    job, truth = with_scores(tmp_path, labeled=[0, 299], labels=[0, 1])
    with job.reading() as state:
        found = status(state)
    assert (found["classes"][0]["cut"]["low"], found["classes"][0]["cut"]["high"]) == (1, 299)
    assert "Still wide: the doubt about a, b." in in_words(found)
    finish(job, truth)
    with job.reading() as state:
        found = status(state)
    cut = found["classes"][0]["cut"]
    assert cut["low"] <= truth.count("a") <= cut["high"]
    assert f"{cut['high'] - cut['low']:,} in doubt, 298 when this round began." in in_words(found)
    assert "Every cut is narrow" in in_words(found)
    low, high = found["classes"][0]["expected_left"]
    assert low <= sum(truth[i] == "a" for i in range(300) if i not in state.ledger.labels()) <= high + 1


def test_words_say_where_the_scores_know_nothing(tmp_path):
    job, _ = with_scores(tmp_path, labeled=[*range(0, 300, 10)], labels=[0, 1, 1] * 10)
    with job.reading() as state:
        assert "These scores hardly know a: new scores" in in_words(status(state))


def test_what_is_written_is_all_or_nothing_when_the_disk_is_full(tmp_path):
    job = start(tmp_path, size=3000, budget=3000)
    connection = job._store._connection
    pages = connection.execute("PRAGMA page_count").fetchone()[0]
    connection.execute(f"PRAGMA max_page_count = {pages + 2}")
    with pytest.raises(OSError, match="make room"):
        job.ask("ann", 3000)
    with job.reading() as state:
        assert (state.seq, state.ledger.open) == (1, {})
    connection.execute("PRAGMA max_page_count = 100000")
    assert len(job.ask("ann", 3000)) == 3000


def test_a_commit_that_fails_leaves_nothing_in_memory_either(tmp_path, monkeypatch):
    job = start(tmp_path)
    execute = job._store._execute

    def failing(statement, values=()):
        if statement == "COMMIT":
            raise OSError("no room")
        return execute(statement, values)

    with monkeypatch.context() as patch:
        patch.setattr(job._store, "_execute", failing)
        with pytest.raises(OSError, match="no room"):
            job.ask("ann")
    with job.reading() as state:
        assert (state.seq, state.ledger.open) == (1, {})
    assert job.ask("ann") == opened(tmp_path / "job.db", Clock()).ask("ann")


def test_a_history_that_does_not_replay_says_so_every_time(tmp_path):
    job = start(tmp_path)
    job.ask("ann", 2)
    with closing(sqlite3.connect(tmp_path / "job.db")) as connection:  # what another version would have asked
        seq, body = connection.execute("SELECT seq, body FROM events WHERE kind = 'draw'").fetchone()
        connection.execute("DROP TRIGGER events_are_never_changed")
        items = json.loads(body)["items"]
        changed = json.dumps({"count": 2, "items": items[::-1]})
        connection.execute("UPDATE events SET body = ? WHERE seq = ?", (changed, seq))
        connection.commit()
    again = opened(tmp_path / "job.db", Clock())
    for _ in range(2):
        with pytest.raises(RuntimeError, match="does not replay"):
            again.ask("bob", 3)
        with pytest.raises(RuntimeError, match="does not replay"), again.reading() as state:
            status(state)
    assert again.tell(answers("ann", [str(items[0])], "a")).new == 1  # answers are taken all the same


def test_locked_by_another_process(tmp_path):
    start(tmp_path)
    job = opened(tmp_path / "job.db", Clock(), busy_seconds=0.05)
    with closing(sqlite3.connect(tmp_path / "job.db", isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        with pytest.raises(TimeoutError, match="locked by another process: nothing was written"):
            job.ask("ann")
        other.execute("ROLLBACK")
    assert job.ask("ann")


def test_a_file_that_cannot_be_opened(tmp_path, monkeypatch):
    start(tmp_path)

    def refuse(*_, **__):
        raise sqlite3.OperationalError("unable to open database file")

    monkeypatch.setattr(sqlite3, "connect", refuse)
    with pytest.raises(OSError, match=r"job\.db: unable to open database file; nothing was written"):
        Job(tmp_path / "job.db")


def test_events_are_never_changed(tmp_path):
    start(tmp_path)
    for statement in ("UPDATE events SET body = '{}'", "DELETE FROM events"):
        with pytest.raises(sqlite3.IntegrityError, match="events are kept"):
            sql(tmp_path / "job.db", statement)


def test_files_that_are_no_jobs(tmp_path):
    path = tmp_path / "job.db"
    with pytest.raises(FileNotFoundError, match="annotate start"):
        Job(path)
    path.write_text("item,label\n" * 200)
    with pytest.raises(ValueError, match="no annotation job"):
        Job(path)
    with pytest.raises(FileExistsError, match="choose another name"):
        start(tmp_path)
    path.write_bytes(b"")
    with pytest.raises(ValueError, match="start was interrupted"):
        Job(path)
    path.unlink()
    start(tmp_path)
    sql(path, "PRAGMA user_version = 2")
    with pytest.raises(ValueError, match="jobs of version 2; this one reads version 1"):
        Job(path)


@pytest.mark.parametrize(
    ("changes", "match"),
    [
        ({"budget": 0}, "budget must be at least 1"),
        ({"redundancy": 0}, "redundancy must be at least 1"),
        ({"recheck": 1.0}, "share of the budget"),
        ({"recheck": 0.1, "decide": "first"}, "needs decide=majority"),
        ({"lease_minutes": float("nan")}, "lease_minutes must be above 0"),
        ({"stratify": "site"}, "no column 'site'; they have item"),
        ({"labeled": range(12), "labels": [0] * 12}, "every item is labeled"),
    ],
)
def test_settings_that_make_no_sense_leave_no_file(tmp_path, changes, match):
    with pytest.raises(ValueError, match=match):
        start(tmp_path, **changes)
    assert not list(tmp_path.iterdir())


def with_scores(folder, clock=None, size=300, noisy=(), share=0.5, **changes):
    """A job of two classes, the first of which is a ``share`` of the pool, with some wrong labels at the start; and the
    true classes.
    """
    score = np.linspace(0.99, 0.01, size)
    np.save(folder / "scores.npy", np.stack([score, 1 - score], axis=1))
    truth = ["a" if p > 1 - share else "b" for p in score]
    plain = {"classes": ["a", "b"], "scores": reference(folder / "scores.npy"), "budget": 60, "parallel": 5}
    labeled = [*range(0, size, 20), *noisy]
    labels = ["ab".index(truth[i]) for i in labeled[: len(labeled) - len(noisy)]]
    labels += [1 - "ab".index(truth[i]) for i in noisy]
    return start(folder, clock, size, **plain | {"labeled": labeled, "labels": labels} | changes), truth


def finish(job, truth, who="ann"):
    """Answer truly until there is nothing to ask; how many were answered."""
    count = 0
    while items := job.ask(who, 5):
        count += job.tell([Answer(who, item, truth[int(item)]) for item in items]).new
    return count


def test_two_rounds(tmp_path):
    job, truth = with_scores(tmp_path)
    late, gone = job.ask("late", 2)
    assert finish(job, truth) == 58  # the two that are out are not asked again
    with job.reading() as state:
        assert not status(state)["done"]
    np.save(tmp_path / "new.npy", np.load(tmp_path / "scores.npy")[:, ::-1].copy())
    job.retrain(tmp_path / "new.npy", budget=20)
    assert job.tell(answers("late", [late], truth[int(late)])).spare == 0
    assert finish(job, truth) == 20
    with job.reading() as state:
        found = status(state)
        assert (found["round"], found["labeled"], found["done"]) == (2, 15 + 58 + 1 + 20, True)
        assert all(state.settings.classes[label] == truth[i] for i, label in state.ledger.labels().items())
    assert gone


def test_the_same_history_gives_the_same_job(tmp_path):
    job, truth = with_scores(tmp_path, redundancy=2, recheck=0.2)
    for who in ("ann", "bob", "ann", "bob"):
        finish(job, truth, who)
    np.save(tmp_path / "new.npy", np.load(tmp_path / "scores.npy"))
    job.retrain(tmp_path / "new.npy", budget=20)
    job.ask("ann", 3)
    with job.reading() as one, opened(tmp_path / "job.db", Clock()).reading() as other:
        assert vars(one.ledger) == vars(other.ledger)
        assert one.answers == other.answers
        assert status(one) == status(other)
        assert one.round.session().told == other.round.session().told


def test_processes_take_turns(tmp_path):
    """Each hears what the other asked and was told, and both are where a third begins."""
    one, truth = with_scores(tmp_path)
    other = opened(tmp_path / "job.db", Clock())
    for _ in range(5):
        for asking, telling, who in ((one, other, "ann"), (other, one, "bob")):
            items = asking.ask(who, 2)
            telling.tell([Answer(who, item, truth[int(item)]) for item in items])
    one.ask("ann", 2)
    sessions = []
    for job in (one, other, opened(tmp_path / "job.db", Clock())):
        with job.reading() as state:
            session = state.round.session()
            sessions.append((session.told, session.pending.tolist(), session.version_spaces))
    assert sessions[0] == sessions[1] == sessions[2]
    assert len(sessions[0][0]) == 20


@pytest.mark.parametrize("command", ["ask", "status"])
def test_scores_that_changed_since_the_start(tmp_path, command):
    job, truth = with_scores(tmp_path)
    (item,) = job.ask("ann")
    np.save(tmp_path / "scores.npy", np.full((300, 2), 0.5))
    again = opened(tmp_path / "job.db", Clock())
    again.tell(answers("ann", [item], truth[int(item)]))  # answers need no scores, and are never lost
    with pytest.raises(ValueError, match="has changed since this job took it in"), again.reading() as state:
        again.ask("ann") if command == "ask" else status(state)
    score = np.linspace(0.99, 0.01, 300)
    np.save(tmp_path / "scores.npy", np.stack([score, 1 - score], axis=1))
    assert again.ask("ann")


def test_scores_that_change_under_an_open_job(tmp_path):
    job, truth = with_scores(tmp_path)
    job.tell(answers("ann", items := job.ask("ann", 5), *(truth[int(item)] for item in items)))
    np.save(tmp_path / "scores.npy", np.full((300, 2), 0.5))
    with pytest.raises(ValueError, match="has changed since this job took it in"):
        job.ask("ann")


@pytest.mark.parametrize(
    ("scores", "match"),
    [
        (np.full((299, 2), 0.5), r"shape \(299, 2\), expected \(300, 2\)"),
        (np.full((300, 3), 1 / 3), r"shape \(300, 3\), expected \(300, 2\)"),
        (np.full((300, 2), 5.0), "pass softmax scores, not logits"),
        (np.eye(2)[np.arange(300) % 2], "one-hot"),
    ],
)
def test_bad_scores_begin_no_round(tmp_path, scores, match):
    job, _ = with_scores(tmp_path)
    np.save(tmp_path / "new.npy", scores)
    with pytest.raises(ValueError, match=match):
        job.retrain(tmp_path / "new.npy")
    with job.reading() as state:
        assert state.seq == 1


def test_suspicious_labels_are_the_wrong_ones(tmp_path):
    job, truth = with_scores(tmp_path, noisy=(10, 289))
    finish(job, truth)
    with job.reading() as state:
        found = suspicious(state)
        assert {one["item"] for one in found[:2]} == {"10", "289"}
        assert found[0]["reason"].startswith("far b")
        assert not any(truth[int(one["item"])] == one["label"] for one in found)


def test_a_share_of_the_budget_asks_again(tmp_path):
    job, truth = with_scores(tmp_path, noisy=(10, 289), recheck=0.1, share=0.3)
    for _ in range(54):
        job.tell([Answer("ann", item, truth[int(item)]) for item in job.ask("ann")])
    with job.reading() as state:
        assert not status(state)["done"]
    assert finish(job, truth) == 2  # of six that are kept back, two find something to ask
    with job.reading() as state:
        labels = state.ledger.labels()
        assert {i: state.ledger.items[i].answers for i in (10, 289)} == {
            10: {"(start)": 1, "ann": 0},
            289: {"(start)": 0, "ann": 1},
        }
        assert labels[10] == labels[289] == 0  # one against one: a, the class with fewer labels
        assert status(state)["done"]


def test_a_killed_process_loses_nothing_that_it_acknowledged(tmp_path):
    """By kill -9 while another process answers as fast as it can, three times; what it had noted as kept is there."""
    job, _ = with_scores(tmp_path, size=2000, budget=1500)
    code = (
        "import sys; from pathlib import Path\n"
        "from labelbench_direct.annotate.job import Job\n"
        "from labelbench_direct.annotate.files import Answer\n"
        "job = Job(Path(sys.argv[1]))\n"
        "while True:\n"
        "    for item in job.ask('ann', 3):\n"
        "        job.tell([Answer('ann', item, 'a')])\n"
        "        print(item, flush=True)\n"
    )
    acknowledged = []
    for _ in range(3):
        with subprocess.Popen(
            [sys.executable, "-c", code, str(tmp_path / "job.db")], stdout=subprocess.PIPE, text=True
        ) as process:
            acknowledged += [process.stdout.readline().strip() for _ in range(20)]
            process.kill()
            acknowledged += process.stdout.read().split()
    with job.reading() as state:
        kept = [state.items.ids[index] for _, _, index, _, _ in state.answers]
    assert len(kept) == len(set(kept))
    assert set(acknowledged) <= set(kept)
    assert len(kept) - len(acknowledged) <= 3  # kept, and killed before it could say so
    assert job.ask("bob", 5)
