"""What is fast against what is readable: the same answers, bit for bit, for the same seed.

Readable is the algorithm on orders that are sorted as a whole (one bucket, in numpy); fast are many buckets, in numpy
and compiled. Both answer like the oracle; here pools are larger, and every turn of the search is compared.
"""

import subprocess
import sys
from dataclasses import astuple
from unittest import mock

import numpy as np
import oracle
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pools import Pool, all_options, pools, score_matrices, seeds

from labelbench_direct import Options
from labelbench_direct.core import buckets, evidence, passes
from labelbench_direct.core.annotations import Annotations
from labelbench_direct.core.buckets import PoolOrders
from labelbench_direct.core.checks import check_probabilities
from labelbench_direct.core.direct import Findings, direct
from labelbench_direct.core.order import class_order
from labelbench_direct.core.version_space import VersionSpace, initial_version_space

compiled = pytest.importorskip("labelbench_direct.core.compiled", reason="numba is not installed (the extra 'fast')")
IMPLEMENTATIONS = pytest.mark.parametrize("implementation", [passes, compiled], ids=["numpy", "compiled"])


def using(implementation):
    return mock.patch.object(passes, "fastest", return_value=implementation)


def search(pool, budget, parallel, seed, options, num_buckets=buckets.NUM_BUCKETS):
    """The queries of one selection, in order, and all that it found on its way."""
    known = Annotations(pool.labeled, pool.labels[pool.labeled], budget, len(pool.labels))
    orders = PoolOrders(check_probabilities(pool.probabilities), num_buckets)
    found = Findings()
    asking = direct(orders, known, budget, parallel, np.random.default_rng(seed), options, found)
    labels, queries = None, []
    while True:
        try:
            batch = asking.send(labels)
        except StopIteration:
            spaces = {k: list(map(astuple, spaces)) for k, spaces in found.version_spaces.items()}
            return queries, spaces, found.thresholds
        queries += batch.tolist()
        labels = pool.labels[batch]


@IMPLEMENTATIONS
@given(
    pool=pools(max_examples=60),
    budget=st.integers(0, 30),
    parallel=st.integers(1, 6),
    seed=seeds,
    options=all_options,
    num_buckets=st.sampled_from([2, 5, 256]),
    small_pool=st.sampled_from([0, 8192]),
)
def test_buckets_equal_sorted_orders(implementation, pool, budget, parallel, seed, options, num_buckets, small_pool):
    budget = min(budget, pool.num_unlabeled)
    with mock.patch.object(evidence, "SMALL_POOL", small_pool):
        with using(passes):
            expected = search(pool, budget, parallel, seed, options, num_buckets=1)
        with using(implementation):
            assert search(pool, budget, parallel, seed, options, num_buckets) == expected


@IMPLEMENTATIONS
@settings(max_examples=300)
@given(pool=pools(), budget=st.integers(0, 12), parallel=st.integers(1, 6), seed=seeds, options=all_options)
def test_trying_candidates_equals_oracle(implementation, pool, budget, parallel, seed, options):
    """In a large pool; here every pool counts as large."""
    budget = min(budget, pool.num_unlabeled)
    known = {index: pool.labels[index] for index in pool.labeled.tolist()}
    rng = np.random.default_rng(seed)
    expected = oracle.direct(
        pool.probabilities, known, pool.labels.__getitem__, budget, parallel, rng, options, small_pool=0
    )
    with mock.patch.object(evidence, "SMALL_POOL", 0), using(implementation):
        assert search(pool, budget, parallel, seed, options)[0] == expected


def large_pool(kind, num_examples=12_000, num_classes=6, dtype=np.float64):
    """Larger than the sample that the buckets are made from, and than a small pool."""
    rng = np.random.default_rng(0)
    labels = rng.choice(num_classes, num_examples, p=(weights := 1 / np.arange(1, num_classes + 1)) / weights.sum())
    logits = rng.normal(size=(num_examples, num_classes))
    logits[np.arange(num_examples), labels] += 3
    if kind == "saturated":
        logits *= 6
    if kind == "tied":
        logits = np.round(logits)
    scores = np.exp(logits - logits.max(axis=1, keepdims=True))
    scores = (scores / scores.sum(axis=1, keepdims=True)).astype(dtype)
    noisy = np.where(rng.random(num_examples) < 0.1, rng.integers(num_classes, size=num_examples), labels)
    return Pool(scores, noisy, rng.permutation(num_examples)[:300])


@pytest.mark.parametrize("kind", ["graded", "saturated", "tied"])
@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64])
@pytest.mark.parametrize("parallel", [1, 20])
def test_buckets_equal_sorted_orders_on_a_large_pool(kind, dtype, parallel):
    pool = large_pool(kind, dtype=dtype)
    with using(passes):
        expected = search(pool, 300, parallel, 0, Options(), num_buckets=1)
        assert search(pool, 300, parallel, 0, Options()) == expected
    with using(compiled):
        assert search(pool, 300, parallel, 0, Options()) == expected


@IMPLEMENTATIONS
def test_row_order_is_irrelevant_in_a_large_pool(implementation):
    """Property 3, where candidates are tried by their numbers."""
    pool = large_pool("graded")
    shuffle = np.random.default_rng(1).permutation(len(pool.labels))  # row i of the shuffled pool is row shuffle[i]
    place = np.argsort(shuffle)
    shuffled = Pool(pool.probabilities[shuffle], pool.labels[shuffle], place[pool.labeled])
    with using(implementation):
        plain = search(pool, 300, 5, 0, Options())[0]
        assert shuffle[search(shuffled, 300, 5, 0, Options())[0]].tolist() == plain


@IMPLEMENTATIONS
def test_trying_draws_uniformly(implementation):
    """Every candidate equally often, in any place of the draw: within five standard deviations."""
    pool = large_pool("graded", num_examples=60)
    rng, size, draws = np.random.default_rng(0), 4, 6000
    known = Annotations(pool.labeled[:9], pool.labels[pool.labeled[:9]], 0, 60)
    with mock.patch.object(evidence, "SMALL_POOL", 0), using(implementation):
        ((_, order),) = PoolOrders(check_probabilities(pool.probabilities)).each([2])
        held = evidence.evidence_of(order, known, 2)
        space = VersionSpace(7, 44)
        drawn = np.array([held.draw(space, size, rng) for _ in range(draws)])
        candidates = held.draw(space, 60, rng)
    assert sorted(candidates) == sorted(set(order.indices(7, 44).tolist()) - set(known.indices.tolist()))
    for column in drawn.T:
        counts = np.array([np.count_nonzero(column == candidate) for candidate in candidates])
        assert counts.sum() == draws
        expected = draws / len(candidates)
        assert np.abs(counts - expected).max() < 5 * np.sqrt(expected)
    assert all(len(set(row)) == size for row in drawn.tolist())


@IMPLEMENTATIONS
@given(score_matrices(max_examples=40), st.sampled_from([1, 3, 256]))
def test_buckets_cut_the_order(implementation, probabilities, num_buckets):
    num_examples, num_classes = probabilities.shape
    with using(implementation):
        for k, order in PoolOrders(check_probabilities(probabilities), num_buckets).each(range(num_classes)):
            expected = class_order(probabilities, k)
            assert np.diff(order.codes[expected].astype(int)).min(initial=0) >= 0
            counts = np.bincount(order.codes, minlength=num_buckets)
            assert order.starts.tolist() == [0, *np.cumsum(counts).tolist()]
            assert order.indices(0, num_examples).tolist() == expected.tolist()


def test_no_bucket_is_large():
    """What the search is fast by, also for saturated scores, most of which are within 1e-6 of 0 or 1."""
    for kind in ("graded", "saturated"):
        pool = large_pool(kind)
        for _, order in PoolOrders(check_probabilities(pool.probabilities)).each(range(6)):
            assert np.diff(order.starts).max() < len(pool.labels) / 12


@IMPLEMENTATIONS
def test_few_buckets_are_sorted_in_a_large_pool(implementation):
    pool = large_pool("graded")
    known = Annotations(pool.labeled, pool.labels[pool.labeled], 0, len(pool.labels))
    with using(implementation):
        for k, order in PoolOrders(check_probabilities(pool.probabilities)).each(range(6)):
            held = evidence.evidence_of(order, known, k)
            space = held.initial_version_space()
            held.shrink(space, 60, np.random.default_rng(0), Options())
            held.nearest(20, "half", "position")
            assert order.is_sorted.sum() < 40


def test_wide_windows_are_tried_in_few_buckets():
    """The shrink of a slow search, of which numpy looks at everything."""
    pool = large_pool("graded")
    known = Annotations(pool.labeled, pool.labels[pool.labeled], 0, len(pool.labels))
    with using(compiled):
        for k, order in PoolOrders(check_probabilities(pool.probabilities)).each(range(6)):
            held = evidence.evidence_of(order, known, k)
            held.shrink(held.initial_version_space(), 4000, np.random.default_rng(0), Options())
            assert order.is_sorted.sum() < 80


def test_scores_closer_than_numbers_can_tell():
    """Next to nothing for one class, in numbers so small that a bucket's spread of them has no reciprocal."""
    rng = np.random.default_rng(0)
    logits = rng.normal(size=(9000, 4))
    logits[:, 0] += 40
    logits[:, 3] = logits[:, 0] - rng.uniform(712, 744, 9000)
    scores = np.exp(logits - logits.max(axis=1, keepdims=True))
    scores /= scores.sum(axis=1, keepdims=True)
    pool = Pool(scores, rng.integers(0, 4, 9000), rng.permutation(9000)[:100])
    assert np.count_nonzero((scores[:, 3] > 0) & (scores[:, 3] < 1e-308)) > 1000
    with using(passes):
        expected = search(pool, 80, 5, 0, Options(), num_buckets=1)
    with using(compiled):
        assert search(pool, 80, 5, 0, Options()) == expected
        for k, order in PoolOrders(check_probabilities(scores)).each([3]):
            held = evidence.evidence_of(order, Annotations(pool.labeled, pool.labels[pool.labeled], 0, 9000), k)
            held.draw(VersionSpace(0, 9000), 1, rng)
            assert order.indices(0, 9000).tolist() == class_order(scores, 3).tolist()


def test_what_is_left_is_all_that_is_near():
    pool = large_pool("graded", num_examples=50)
    known = Annotations(pool.labeled[:45], pool.labels[pool.labeled[:45]], 0, 50)
    for implementation in (passes, compiled):
        with using(implementation):
            for k, order in PoolOrders(check_probabilities(pool.probabilities)).each([1]):
                assert len(evidence.evidence_of(order, known, k).nearest(20, "half", "position")[1]) == 5


@pytest.mark.parametrize("error", [ImportError("Numba needs NumPy 2.3 or less"), RuntimeError("cannot cache function")])
def test_a_numba_that_cannot_work_is_left_aside(error):
    passes._compiled_if_possible.cache_clear()
    try:
        with (
            mock.patch.object(passes.importlib, "import_module", side_effect=error),
            pytest.warns(UserWarning, match=f"numba cannot compile here, so numpy does it, slower: {error}"),
        ):
            assert passes.fastest((10_000, 1000)) is passes
    finally:
        passes._compiled_if_possible.cache_clear()


@IMPLEMENTATIONS
@given(score_matrices(max_examples=40), seeds)
def test_levels_never_decrease_along_the_order(implementation, probabilities, seed):
    """Levels themselves are read off buckets of one level each, as far as 256 buckets tell them apart."""
    scores = check_probabilities(probabilities)
    num_examples, num_classes = probabilities.shape
    highest = scores.highest if num_classes > 2 else np.ones(num_examples)
    every = np.arange(num_classes)
    table = np.sort(np.random.default_rng(seed).integers(0, 256, (num_classes, passes.NUM_LEVELS)), axis=1)
    table = table.astype(np.uint8)
    codes = np.empty((num_classes, num_examples), dtype=np.uint8)
    counts = np.zeros((num_classes, 256), dtype=np.int64)
    implementation.encode(passes.plain(probabilities), highest, every, table, codes, counts)
    for k in range(num_classes):
        levels = passes.levels(probabilities[:, k], highest)
        assert levels.min() >= 0
        assert levels.max() < passes.NUM_LEVELS
        assert np.diff(levels[class_order(probabilities, k)]).min(initial=0) >= 0
        assert codes[k].tolist() == table[k][levels].tolist()
        assert counts[k].tolist() == np.bincount(codes[k], minlength=256).tolist()


@given(score_matrices(max_examples=40), seeds)
def test_values_of_rows_are_the_same_compiled(probabilities, seed):
    rows, left_out = passes.plain(probabilities), seed % probabilities.shape[1]
    expected, got = np.empty((2, 2, len(rows)), dtype=rows.dtype)
    for implementation, values in ((passes, expected), (compiled, got)):
        implementation.top_two_margin(rows, values[0])
        implementation.highest_of_others(rows, left_out, values[1])
    assert got.tolist() == expected.tolist()


def test_levels_are_taken_in_double_precision():
    score = np.array([[np.float32(0.375 - 2**-25)] * 2], dtype=np.float32)
    table = (np.arange(passes.NUM_LEVELS) % 251).astype(np.uint8)[None]
    codes, counts = np.zeros((2, 1, 1), dtype=np.uint8), np.zeros((1, 256), dtype=np.int64)
    for implementation, code in zip((passes, compiled), codes, strict=True):
        implementation.encode(score, score[:, 0].astype(np.float64), np.array([1]), table, code, counts)
    assert codes[0] == codes[1]


def test_constants_are_the_same_compiled():
    for name in ("ROW_SUM_TOLERANCE", "SHIFT", "LEAST", "HALF", "NUM_LEVELS"):
        assert getattr(compiled, name) == getattr(passes, name)


@given(score_matrices(max_examples=40), st.integers(2, 256))
def test_buckets_of_levels_are_the_same_compiled(probabilities, num_buckets):
    scores = check_probabilities(probabilities)
    rows, every = passes.plain(probabilities), np.arange(probabilities.shape[1])
    arguments = rows, scores.highest, every, num_buckets
    assert compiled.buckets_of_levels(*arguments).tolist() == passes.buckets_of_levels(*arguments).tolist()


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf, -1e-9, 0.6, None])
@pytest.mark.parametrize("row", [0, 1023, 1024, 2499])
def test_rows_are_refused_alike(bad, row):
    scores = np.full((2500, 7), 1 / 7)
    if bad is not None:
        scores[row, 3] = bad
    for implementation in (passes, compiled):
        highest = np.empty(2500)
        assert implementation.check_rows(scores, highest) == (-1 if bad is None else row)
        if bad is None:
            assert highest.tolist() == scores.max(axis=1).tolist()


@given(pools(max_examples=60), st.integers(0, 6))
def test_version_space_of_two_buckets_is_that_of_the_whole_order(pool, num_buckets):
    known = Annotations(pool.labeled, pool.labels[pool.labeled], 0, len(pool.labels))
    for implementation in (passes, compiled):
        with using(implementation):
            orders = PoolOrders(check_probabilities(pool.probabilities), 1 + num_buckets)
            for k, order in orders.each(range(pool.num_classes)):
                held = evidence.evidence_of(order, known, k)
                assert held.initial_version_space() == initial_version_space(held.everything)


def test_the_same_without_numba():
    """The extra is optional: a process that cannot import numba selects the same examples."""
    code = """
import sys
if sys.argv[1] == "without":
    sys.modules["numba"] = None
import numpy as np
from labelbench_direct import DirectSession
rng = np.random.default_rng(0)
scores = rng.dirichlet(np.full(110, 0.3), 10_000)
session = DirectSession(scores, [3, 5], [1, 2], budget=200, parallel=5, rng=rng)
while not session.done:
    indices = session.ask()
    session.tell(indices, scores[indices].argmax(axis=1))
assert ("labelbench_direct.core.compiled" in sys.modules) == (sys.argv[1] == "with")
print(list(session.told))
"""
    with_numba, without = (
        subprocess.run([sys.executable, "-c", code, which], check=True, capture_output=True, text=True).stdout
        for which in ("with", "without")
    )
    assert with_numba == without
