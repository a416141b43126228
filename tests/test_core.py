"""The core against the oracle in plain loops (algorithm: Eq. 1, Eq. 2, Algorithms 1 and 2)."""

import itertools

import numpy as np
import oracle
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pools import lines, one_vs_rest, score_matrices, seeds

from labelbench_direct.core.checks import check_probabilities
from labelbench_direct.core.one_vs_rest import OneVsRest
from labelbench_direct.core.order import class_order, margin_score
from labelbench_direct.core.pool_orders import PoolOrders
from labelbench_direct.core.version_space import VersionSpace, initial_version_space, shrink


@given(score_matrices())
def test_class_order_equals_oracle(probabilities):
    for k in range(probabilities.shape[1]):
        assert class_order(probabilities, k).tolist() == oracle.class_order(probabilities, k)


def permutation(probabilities, k):
    return PoolOrders(check_probabilities(probabilities)).order(k).tolist()


@given(score_matrices(max_examples=40))
def test_fast_order_equals_reference(probabilities):
    for k in range(probabilities.shape[1]):
        assert permutation(probabilities, k) == class_order(probabilities, k).tolist()


@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64])
@pytest.mark.parametrize("num_classes", [2, 5])
def test_fast_order_equals_reference_on_large_pool(dtype, num_classes):
    logits = np.random.default_rng(0).normal(scale=8, size=(5000, num_classes)).astype(np.float16).astype(np.float64)
    probabilities = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    probabilities = np.asfortranarray(probabilities.astype(dtype))
    for k in range(num_classes):
        assert permutation(probabilities, k) == class_order(probabilities, k).tolist()


@given(score_matrices(max_classes=2), seeds)
def test_two_classes_are_ordered_by_their_score(probabilities, seed):
    """Also where rows miss 1 by a rounding error, so that margins and scores disagree."""
    jitter = np.random.default_rng(seed).normal(1, 1e-3, probabilities.shape).clip(0.997, 1.003)
    probabilities = (probabilities * jitter).astype(probabilities.dtype)
    for k in (0, 1):
        for order in (class_order(probabilities, k), permutation(probabilities, k)):
            score = probabilities[order, k]
            assert (score[1:] <= score[:-1]).all()


@given(score_matrices())
def test_margin_is_zero_where_predicted_and_negative_elsewhere(probabilities):
    for k in range(probabilities.shape[1]):
        predicted = probabilities[:, k] == probabilities.max(axis=1)
        margin = margin_score(probabilities, k)
        assert (margin[predicted] == 0).all()
        assert (margin[~predicted] < 0).all()


@pytest.mark.parametrize("num_classes", [2, 3])
def test_scores_too_close_for_the_fast_key_are_put_right(num_classes):
    """Differences in a float64's last bits, which the index displaces from the key: among equal ones, and reversed."""
    rng = np.random.default_rng(0)
    probabilities = np.full((3000, num_classes), 1 / num_classes)
    close = rng.integers(0, 40, 3000)
    probabilities[:, 0] = 0.3 - close * 2.0**-54 + rng.integers(0, 5, 3000) / 100
    probabilities[:, -1] = 1 - probabilities[:, :-1].sum(axis=1)
    for k in range(num_classes):
        assert permutation(probabilities, k) == class_order(probabilities, k).tolist()


def test_saturated_scores_are_told_apart():
    """Next to nothing for the class: the margin is -1 in float64, and the score decides."""
    rng = np.random.default_rng(0)
    probabilities = np.zeros((2000, 3))
    probabilities[:, 0] = np.where(rng.random(2000) < 0.1, 0, 10.0 ** rng.uniform(-300, -13, 2000))
    probabilities[:, 1] = np.where(rng.random(2000) < 0.1, -0.0, 10.0 ** rng.uniform(-300, -13, 2000))
    probabilities[:, 2] = 1
    for k in range(3):
        assert permutation(probabilities, k) == class_order(probabilities, k).tolist()


@pytest.mark.parametrize("highest", [1 - 1e-13, 1 + 1e-13])
def test_saturated_scores_beside_nearly_saturated_ones(highest):
    """A highest score of nearly 1 puts an example between others of 1, by its margin."""
    probabilities = np.array([[0.0, 1, 0], [5e-13, 1, 0], [0, highest, 0], [1e-13, highest, 0], [2e-14, 1, 0]])
    for k in range(3):
        assert permutation(probabilities, k) == class_order(probabilities, k).tolist()


@given(lines())
def test_loss_equals_oracle(drawn):
    line, core = drawn
    thresholds = np.arange(len(line) + 1)
    assert core.loss(thresholds).tolist() == [oracle.loss(line, t) for t in thresholds]


@given(lines())
def test_least_loss_is_highest_agreement(drawn):
    """Lemma A.1."""
    line, core = drawn
    losses = core.loss(np.arange(len(line) + 1))
    agreements = [oracle.agreement(line, t) for t in range(len(line) + 1)]
    assert set(np.flatnonzero(losses == losses.min())) == set(np.flatnonzero(agreements == np.max(agreements)))


@given(lines(), st.sampled_from(["half", "lowest", "highest"]))
def test_best_threshold_equals_oracle(drawn, tie):
    line, core = drawn
    assert core.best_threshold(tie) == oracle.best_threshold(line, tie)


@given(lines())
def test_initial_version_space_equals_oracle(drawn):
    line, core = drawn
    space = initial_version_space(core)
    assert (space.low, space.high) == oracle.initial_version_space(line)


@given(lines(), st.data())
def test_unlabeled_examples_equal_oracle(drawn, data):
    """Along the whole line, and in a part of it."""
    line, core = drawn
    low = data.draw(st.integers(0, len(line)))
    high = data.draw(st.integers(low, len(line)))
    unlabeled = [i for i in range(low, high) if line[i] is None]
    part = core.part(low, high)
    before = [core.part(0, threshold).num_unlabeled for threshold in (low, high)]
    assert before[1] - before[0] == part.num_unlabeled == len(unlabeled)
    assert (low + part.unlabeled_positions(np.arange(len(unlabeled)))).tolist() == unlabeled


@given(lines(), st.integers(1, 16), st.booleans(), st.sampled_from(["initial", "everything"]))
def test_shrink_takes_the_middle_of_the_oracles_windows(drawn, size, keep_best, start):
    line, core = drawn
    space = initial_version_space(core) if start == "initial" else VersionSpace(0, len(line))
    windows = oracle.sub_intervals(line, (space.low, space.high), size, keep_best)
    got = shrink(space, core, size, keep_best)
    assert (got.low, got.high) == windows[(len(windows) - 1) // 2]


@given(lines(), st.data())
def test_nearest_unlabeled_equals_oracle(drawn, data):
    line, core = drawn
    t = data.draw(st.integers(0, len(line)))
    count = data.draw(st.integers(0, line.count(None)))
    assert core.nearest_unlabeled(t, count).tolist() == oracle.nearest_unlabeled(line, t, count)


@given(lines(), st.data())
def test_taken_without_a_label_is_evidence_of_nothing(drawn, data):
    """Some of the annotated examples as if nobody had answered yet: every answer is that of the labels alone, but what
    is taken is not asked for.
    """
    line, core = drawn
    keep = np.array(
        data.draw(st.lists(st.booleans(), min_size=len(core.positions), max_size=len(core.positions))), bool
    )
    held = OneVsRest(core.positions, np.where(keep, core.votes, 0), core.size)
    known = OneVsRest(core.positions[keep], core.votes[keep], core.size)
    space = initial_version_space(known)
    assert initial_version_space(held) == space
    for tie in ("half", "lowest", "highest"):
        assert held.best_threshold(tie) == known.best_threshold(tie)
    for size in range(1, core.size + 2):
        for keep_best in (True, False):
            assert shrink(space, held, size, keep_best) == shrink(space, known, size, keep_best)
    assert held.nearest_unlabeled(0, core.size).tolist() == [i for i in range(core.size) if line[i] is None]


def annotate(line, positions, is_class):
    """The same with more annotated examples."""
    all_positions = np.concatenate([line.positions, positions])
    ascending = np.argsort(all_positions)
    return OneVsRest(all_positions[ascending], np.append(line.votes, 2 * is_class - 1)[ascending], line.size)


@given(st.integers(1, 30), st.data())
def test_separable_labels_never_lose_the_true_threshold(size, data):
    """Whatever is annotated, in whatever rounds: the truth stays in the version space, and so does the estimate."""
    truth = data.draw(st.integers(0, size))
    rng = np.random.default_rng(data.draw(seeds))
    line = one_vs_rest([None] * size)
    space = initial_version_space(line)
    while candidates := line.part(space.low, space.high).num_unlabeled:
        count = min(data.draw(st.integers(1, 4)), candidates)
        ranks = line.part(0, space.low).num_unlabeled + rng.choice(candidates, size=count, replace=False)
        positions = line.unlabeled_positions(ranks)
        line = annotate(line, positions, positions < truth)
        target = data.draw(st.integers(1, size))
        narrower = shrink(space, line, target, keep_best=True)
        assert space.low <= narrower.low <= narrower.high <= space.high
        space = narrower
        assert space.low <= truth <= space.high
        assert line.loss(truth) == 0
        assert space.low <= line.best_threshold() <= space.high
    assert line.best_threshold() == truth  # nothing is left to ask: the search has found it exactly


def test_as_printed_a_tie_can_lose_the_true_threshold():
    """Why ``keep_best`` exists: one label, all thresholds after it fit it, and the printed rule drops some of them."""
    line = OneVsRest(np.array([0]), np.array([1]), 10)
    spaces = [shrink(VersionSpace(0, 10), line, 3, keep) for keep in (False, True)]
    assert spaces == [VersionSpace(4, 6), VersionSpace(1, 10)]
    for truth in range(1, 11):
        assert oracle.loss([True] + [None] * 9, truth) == 0


def test_version_space_of_contradicting_labels_holds_all_contradictions():
    for line in itertools.product([None, True, False], repeat=6):
        positions = [i for i, label in enumerate(line) if label is not None]
        space = initial_version_space(one_vs_rest(line))
        for i, j in itertools.combinations(positions, 2):
            if line[i] is False and line[j] is True:
                assert space.low <= i
                assert j < space.high
