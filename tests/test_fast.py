"""What numba compiles against numpy: the same answers, bit for bit, for the same seed; and pools larger than the
oracle's.
"""

import os
import shutil
import subprocess
import sys
from dataclasses import astuple
from pathlib import Path
from unittest import mock

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pools import Pool, all_options, lines, pools, score_matrices, seeds

import labelbench_direct
from labelbench_direct import DirectSession
from labelbench_direct.core import engine, passes
from labelbench_direct.core.annotations import OPEN, OUT, UNLABELED, Annotations
from labelbench_direct.core.checks import check_probabilities
from labelbench_direct.core.class_line import ClassLine
from labelbench_direct.core.order import class_order
from labelbench_direct.core.pool_orders import PoolOrders
from labelbench_direct.core.version_space import VersionSpace

compiled = pytest.importorskip("labelbench_direct.core.compiled.passes", reason="numba is not installed (extra 'fast')")
from labelbench_direct.core.compiled.class_line import CompiledLine  # noqa: E402  # needs numba

COMPILED = engine.Engine(compiled, CompiledLine)
ENGINES = pytest.mark.parametrize("which", [engine.NUMPY, COMPILED], ids=["numpy", "compiled"])


def using(which):
    return mock.patch.multiple(engine, WORTH_COMPILING=0, _compiled_if_possible=mock.Mock(return_value=which))


def search(pool, budget, parallel, seed, options=None, schedule="sequential"):
    """The queries of one selection, in order, and all that it found on its way."""
    session = DirectSession(
        pool.probabilities,
        pool.labeled,
        pool.labels[pool.labeled],
        budget=budget,
        parallel=parallel,
        rng=np.random.default_rng(seed),
        options=options,
        schedule=schedule,
    )
    while not session.done:
        batch = session.ask()
        session.tell(batch, pool.labels[batch])
    spaces = {k: list(map(astuple, spaces)) for k, spaces in session.version_spaces.items()}
    return list(session.told), spaces, session.thresholds


@given(
    pools(max_examples=60),
    st.integers(0, 30),
    st.integers(1, 6),
    seeds,
    all_options,
    st.sampled_from(["sequential", "interleaved"]),
)
def test_compiled_equals_numpy(pool, budget, parallel, seed, options, schedule):
    arguments = (pool, min(budget, pool.num_unlabeled), parallel, seed, options, schedule)
    with using(engine.NUMPY):
        expected = search(*arguments)
    with using(COMPILED):
        assert search(*arguments) == expected


def large_pool(kind, num_examples=12_000, num_classes=6, dtype=np.float64):
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
def test_compiled_equals_numpy_on_a_large_pool(kind, dtype, parallel):
    pool = large_pool(kind, dtype=dtype)
    with using(engine.NUMPY):
        expected = search(pool, 300, parallel, 0)
    with using(COMPILED):
        assert search(pool, 300, parallel, 0) == expected


@ENGINES
def test_groups_of_orders_change_nothing(which, monkeypatch):
    """Where memory holds two orders, the others are sorted again."""
    pool = large_pool("graded")
    with using(which):
        expected = search(pool, 300, 5, 0)
        monkeypatch.setattr("labelbench_direct.core.pool_orders._MOST_BYTES", 2 * 4 * 12_000)
        assert PoolOrders(check_probabilities(pool.probabilities)).together == 2
        assert search(pool, 300, 5, 0) == expected


@ENGINES
@settings(max_examples=300)
@given(pool=pools(max_examples=40), seed=seeds)
def test_a_line_is_up_to_date(which, pool, seed):
    """Whatever has happened since it was looked at, a line says what is known now."""
    rng = np.random.default_rng(seed)
    known = Annotations(pool.labeled, pool.labels[pool.labeled], len(pool.labels), len(pool.labels))
    order, k = class_order(pool.probabilities, 0), 0
    line = which.line(order, known, k)
    for _ in range(8):
        drawn = line.draw(VersionSpace(0, len(order)), 3, rng)
        free = np.flatnonzero(known.label_of == UNLABELED)
        some = [drawn, drawn[:1], free[rng.random(len(free)) < 0.2]][rng.integers(3)]
        event = rng.integers(4)
        if event == 0:
            known.mark(some, [OPEN, OUT][rng.integers(2)])
        elif event == 1:
            held = known.without_label[:2]
            known.add(held, pool.labels[held])
        elif event == 2:
            known.correct(known.indices[:2], rng.integers(0, 2, len(known.indices[:2])))
        else:
            known.add(some, pool.labels[some])
        now, labels = line.one_vs_rest, known.label_of[order]
        assert now.positions.tolist() == np.flatnonzero(labels != UNLABELED).tolist()
        votes = {k: 1, OPEN: 0, OUT: 0}
        assert now.votes.tolist() == [votes.get(label, -1) for label in labels[labels != UNLABELED].tolist()]
    known.mark(known.without_label, UNLABELED)
    assert line.one_vs_rest.positions.tolist() == np.flatnonzero(known.label_of[order] >= 0).tolist()


@given(lines(max_size=30), st.integers(1, 32), st.booleans(), seeds)
def test_shrink_is_the_same_compiled(drawn, size, keep_best, seed):
    """Also where some are taken without a label, and in any space."""
    _, core = drawn
    rng = np.random.default_rng(seed)
    space = VersionSpace(*sorted(rng.integers(0, core.size + 1, 2).tolist()))
    known = Annotations(core.positions, np.where(core.votes > 0, 0, 1), 0, core.size)
    known.label_of[core.positions[rng.random(len(core.positions)) < 0.2]] = OPEN
    expected, got = (
        line(np.arange(core.size), known, 0).shrink(space, size, keep_best) for line in (ClassLine, CompiledLine)
    )
    assert got == expected


@ENGINES
def test_row_order_is_irrelevant_in_a_large_pool(which):
    pool = large_pool("graded")
    shuffle = np.random.default_rng(1).permutation(len(pool.labels))  # row i of the shuffled pool is row shuffle[i]
    place = np.argsort(shuffle)
    shuffled = Pool(pool.probabilities[shuffle], pool.labels[shuffle], place[pool.labeled])
    with using(which):
        plain = search(pool, 300, 5, 0)[0]
        assert shuffle[search(shuffled, 300, 5, 0)[0]].tolist() == plain


@pytest.mark.parametrize("size", [1, 4])
def test_draws_are_uniform(size):
    """Every candidate equally often, in any place of the draw: within five standard deviations."""
    pool = large_pool("graded", num_examples=60)
    rng, draws = np.random.default_rng(0), 6000
    known = Annotations(pool.labeled[:9], pool.labels[pool.labeled[:9]], 0, 60)
    order = class_order(pool.probabilities, 2)
    line, space = ClassLine(order, known, 2), VersionSpace(7, 44)
    drawn = np.array([line.draw(space, size, rng) for _ in range(draws)])
    candidates = line.draw(space, 60, rng)
    assert sorted(candidates) == sorted(set(order[7:44].tolist()) - set(known.indices.tolist()))
    for column in drawn.T:
        counts = np.array([np.count_nonzero(column == candidate) for candidate in candidates])
        assert counts.sum() == draws
        expected = draws / len(candidates)
        assert np.abs(counts - expected).max() < 5 * np.sqrt(expected)
    assert all(len(set(row)) == size for row in drawn.tolist())


@ENGINES
def test_scores_closer_than_numbers_can_tell(which):
    """Next to nothing for one class, in numbers so small that their differences are nothing."""
    rng = np.random.default_rng(0)
    logits = rng.normal(size=(9000, 4))
    logits[:, 0] += 40
    logits[:, 3] = logits[:, 0] - rng.uniform(712, 744, 9000)
    scores = np.exp(logits - logits.max(axis=1, keepdims=True))
    scores /= scores.sum(axis=1, keepdims=True)
    assert np.count_nonzero((scores[:, 3] > 0) & (scores[:, 3] < 1e-308)) > 1000
    with using(which):
        assert PoolOrders(check_probabilities(scores)).order(3).tolist() == class_order(scores, 3).tolist()


@ENGINES
def test_what_is_left_is_all_that_is_near(which):
    pool = large_pool("graded", num_examples=50)
    known = Annotations(pool.labeled[:45], pool.labels[pool.labeled[:45]], 0, 50)
    assert len(which.line(class_order(pool.probabilities, 1), known, 1).nearest(7, 20)) == 5


@ENGINES
@given(probabilities=score_matrices(max_examples=40), seed=seeds)
def test_orders_equal_reference(which, probabilities, seed):
    """All classes together, or some."""
    num_classes = probabilities.shape[1]
    some = np.random.default_rng(seed).permutation(num_classes)[: 1 + seed % num_classes].tolist()
    known = Annotations(np.zeros(0, dtype=np.int64), np.zeros(0, dtype=np.int64), 0, len(probabilities))
    with using(which):
        for line in PoolOrders(check_probabilities(probabilities)).lines(some, known):
            assert line._order.tolist() == class_order(probabilities, line.k).tolist()


@ENGINES
@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64])
@pytest.mark.parametrize("num_classes", [2, 5])
@pytest.mark.parametrize("scale", [1, 8, 40])
def test_orders_of_a_large_pool_equal_reference(which, dtype, num_classes, scale):
    """Of graded scores, and of a network's that is more and more sure of itself: nearly all gaps are alike."""
    logits = np.random.default_rng(0).normal(scale=scale, size=(5000, num_classes)).astype(np.float32)
    logits[::7] = logits[0]
    scores = np.exp(logits - logits.max(axis=1, keepdims=True), dtype=np.float64)
    scores = (scores / scores.sum(axis=1, keepdims=True)).astype(dtype)
    with using(which):
        pool = PoolOrders(check_probabilities(scores))
        assert all(pool.order(k).tolist() == class_order(scores, k).tolist() for k in range(num_classes))


@given(score_matrices(max_examples=40), seeds)
def test_values_of_rows_are_the_same_compiled(probabilities, seed):
    rows, left_out = passes.plain(probabilities), seed % probabilities.shape[1]
    expected, got = np.empty((2, 2, len(rows)), dtype=rows.dtype)
    for implementation, values in zip((passes, compiled), (expected, got), strict=True):
        implementation.top_two_margin(rows, values[0])
        implementation.highest_of_others(rows, left_out, values[1])
    assert got.tolist() == expected.tolist()


def test_constants_are_the_same_compiled():
    assert compiled.ROW_SUM_TOLERANCE == passes.ROW_SUM_TOLERANCE


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


@pytest.mark.parametrize("error", [ImportError("Numba needs NumPy 2.3 or less"), RuntimeError("cannot cache function")])
def test_a_numba_that_cannot_work_is_left_aside(error):
    engine._compiled_if_possible.cache_clear()
    try:
        with (
            mock.patch.object(engine.importlib, "import_module", side_effect=error),
            pytest.warns(UserWarning, match=f"numba cannot compile here, so numpy does it, slower: {error}"),
        ):
            assert engine.engine_for((10_000, 1000)) is engine.NUMPY
    finally:
        engine._compiled_if_possible.cache_clear()


QUERIES = """
import sys
if sys.argv[1] == "without numba":
    sys.modules["numba"] = None
import numpy as np
import labelbench_direct
from labelbench_direct import DirectSession
rng = np.random.default_rng(0)
scores = rng.dirichlet(np.full(110, 0.3), 10_000)
session = DirectSession(scores, [3, 5], [1, 2], budget=200, parallel=5, rng=rng)
while not session.done:
    indices = session.ask()
    session.tell(indices, scores[indices].argmax(axis=1))
assert ("labelbench_direct.core.compiled.passes" in sys.modules) == (sys.argv[1] == "with")
print(list(session.told))
"""


def test_the_same_without_numba():
    """The extra is optional: a process that cannot import numba selects the same examples."""
    with_numba, without = (
        subprocess.run([sys.executable, "-c", QUERIES, which], check=True, capture_output=True, text=True).stdout
        for which in ("with", "without numba")
    )
    assert with_numba == without


def test_the_core_is_complete_without_what_is_compiled(tmp_path):
    """A copy of the package without ``core/compiled`` passes the core's tests, and says nothing of it."""
    package = Path(labelbench_direct.__file__).parent
    shutil.copytree(package, tmp_path / package.name, ignore=shutil.ignore_patterns("compiled", "__pycache__"))
    environment = {**os.environ, "PYTHONPATH": str(tmp_path), "PYTHONDONTWRITEBYTECODE": "1"}
    tests = Path(__file__).parent
    command = [
        sys.executable,
        "-W",
        "error",
        "-c",
        f"import numba\n{QUERIES}print(labelbench_direct.__file__)",
        "without",
    ]
    ran = subprocess.run(command, check=True, cwd=tmp_path, env=environment, capture_output=True, text=True)
    assert str(tmp_path) in ran.stdout
    command = [sys.executable, "-m", "pytest", "-q", "-x", "-p", "no:cacheprovider", str(tests / "test_core.py")]
    command += [f"{tests / 'test_session.py'}::test_whole_algorithm_equals_oracle"]
    result = subprocess.run(command, cwd=tests, env=environment, capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stdout
