"""The contract that every strategy keeps, whatever its rule."""

import re
from pathlib import Path
from unittest import mock

import numpy as np
import pytest
import standins
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from pools import Pool, embeddings_of, pools, seeds

from labelbench_direct.strategies import STRATEGIES, cluster_margin

every_strategy = pytest.mark.parametrize("name", STRATEGIES)
uses_embeddings = pytest.mark.parametrize("name", [name for name, one in STRATEGIES.items() if one.uses_embeddings])
CONFIGS = {"bait": {"pca_dimension": 2, "num_proposed_additions": 3}}


def select(name, pool, embeddings, budget, seed=0, **config):
    dataset = standins.Dataset(pool.labels, pool.labeled, pool.num_classes)
    rng = np.random.default_rng(seed)
    strategy = STRATEGIES[name]({"strategy_name": name, **CONFIGS.get(name, {}), **config}, dataset, rng)
    chosen = strategy.select(standins.Trainer(pool.probabilities, embeddings), budget)
    assert dataset.labeled_idxs().tolist() == pool.labeled.tolist()
    return chosen


def check(chosen, pool, budget):
    assert isinstance(chosen, np.ndarray)
    assert chosen.dtype == np.int64
    assert len(chosen) == len(set(chosen.tolist())) == budget
    assert set(chosen.tolist()) <= set(range(len(pool.labels))) - set(pool.labeled.tolist())


def drawn_pool(seed=0, num_examples=30, num_classes=3, num_labeled=8, labels=None):
    rng = np.random.default_rng(seed)
    scores = rng.dirichlet(np.ones(num_classes), num_examples)
    labels = rng.integers(0, num_classes, num_examples) if labels is None else labels
    return Pool(scores, labels, rng.permutation(num_examples)[:num_labeled]), rng.normal(size=(num_examples, 4))


@every_strategy
@settings(max_examples=150)
@given(pools(), st.data(), seeds)
def test_exactly_the_budget_distinct_and_unlabeled(name, pool, data, seed):
    embeddings = data.draw(embeddings_of(len(pool.labels)))
    budget = data.draw(st.integers(0, pool.num_unlabeled))
    check(select(name, pool, embeddings, budget, seed), pool, budget)


@every_strategy
@pytest.mark.parametrize("num_labeled", [0, 8])
def test_every_budget(name, num_labeled):
    pool, embeddings = drawn_pool(num_labeled=num_labeled)
    for budget in range(pool.num_unlabeled + 1):
        check(select(name, pool, embeddings, budget), pool, budget)


@every_strategy
def test_one_class_unlabeled(name):
    pool, embeddings = drawn_pool(labels=np.arange(30) % 2)
    check(select(name, pool, embeddings, 7), pool, 7)


@every_strategy
@pytest.mark.parametrize("value", [0.0, 2.5])
def test_constant_scores_and_embeddings(name, value):
    pool, _ = drawn_pool()
    pool = Pool(np.full_like(pool.probabilities, 1 / 3), pool.labels, pool.labeled)
    for budget in (1, 10, pool.num_unlabeled):
        check(select(name, pool, np.full((30, 4), value), budget), pool, budget)


@every_strategy
@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64])
@pytest.mark.parametrize("order", ["C", "F"])
def test_dtypes_and_layouts(name, dtype, order):
    pool, embeddings = drawn_pool()
    pool = Pool(np.asarray(pool.probabilities, dtype=dtype, order=order), pool.labels, pool.labeled)
    check(select(name, pool, np.asarray(embeddings, dtype=dtype, order=order), 10), pool, 10)


@uses_embeddings
def test_tensors_on_another_device(name):
    pool, embeddings = drawn_pool()
    scores, vectors = (standins.Elsewhere(torch.from_numpy(array)) for array in (pool.probabilities, embeddings))
    dataset = standins.Dataset(pool.labels, pool.labeled, pool.num_classes)
    strategy = STRATEGIES[name](CONFIGS.get(name, {}), dataset, np.random.default_rng(0))
    chosen = strategy.select(standins.Trainer(scores, vectors), 10).tolist()
    assert chosen == select(name, pool, embeddings, 10).tolist()


@every_strategy
def test_pool_exhausted(name):
    pool, embeddings = drawn_pool()
    with pytest.warns(UserWarning, match="the budget is 23 but only 22 examples are unlabeled"):
        chosen = select(name, pool, embeddings, 23)
    check(chosen, pool, 22)


@every_strategy
def test_nothing_left(name):
    pool, embeddings = drawn_pool(num_labeled=30)
    check(select(name, pool, embeddings, 0), pool, 0)


@every_strategy
@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_input_that_is_not_finite(name, bad):
    pool, embeddings = drawn_pool()
    scores = pool.probabilities.copy()
    scores[3, 1] = bad
    with pytest.raises(ValueError, match="probabilities must be finite, row 3 has"):
        select(name, Pool(scores, pool.labels, pool.labeled), embeddings, 5)
    if STRATEGIES[name].uses_embeddings:
        embeddings[4, 1] = bad
        with pytest.raises(ValueError, match="embeddings must be finite, row 4 has"):
            select(name, pool, embeddings, 5)


@uses_embeddings
@pytest.mark.parametrize("num_examples", [30, 90])
@pytest.mark.parametrize("exponent", [-1000, -600, 600, 1000])
def test_the_unit_of_embeddings_is_irrelevant(name, num_examples, exponent):
    """Squares of such numbers vanish, or are beyond double precision."""
    pool, embeddings = drawn_pool(num_examples=num_examples)
    with mock.patch.object(cluster_margin, "TREE_SIZE", 50):
        expected = select(name, pool, embeddings, 10).tolist()
        assert select(name, pool, embeddings * 2.0**exponent, 10).tolist() == expected


@uses_embeddings
@pytest.mark.parametrize(
    ("embeddings", "error", "message"),
    [
        (np.zeros(30), ValueError, r"embeddings must have shape \(examples, dimensions\), got shape \(30,\)"),
        (np.zeros((30, 0)), ValueError, r"embeddings must have shape \(examples, dimensions\), got shape \(30, 0\)"),
        (np.zeros((29, 4)), ValueError, "embeddings must have one row for each of 30 examples, got 29 rows"),
        (np.zeros((30, 4), dtype=int), TypeError, "embeddings must be float16, float32 or float64, got int64"),
    ],
)
def test_embeddings_of_another_form(name, embeddings, error, message):
    with pytest.raises(error, match=message):
        select(name, drawn_pool()[0], embeddings, 5)


@every_strategy
def test_scores_of_another_pool(name):
    pool, embeddings = drawn_pool()
    with pytest.raises(ValueError, match="the pool has 30 examples, but the trainer scored 29"):
        select(name, Pool(pool.probabilities[:29], pool.labels, pool.labeled), embeddings[:29], 5)


@every_strategy
def test_unknown_key(name):
    pool, embeddings = drawn_pool()
    with pytest.raises(ValueError, match=f"unknown key 'batch' in the configuration of strategy '{name}'; known are "):
        select(name, pool, embeddings, 5, batch=3)


@every_strategy
def test_multi_label_data_set(name):
    dataset = standins.Dataset([0, 1], [], 2)
    dataset.label_type = "MULTI_LABEL"
    with pytest.raises(ValueError, match=f"strategy '{name}' needs one class for each example"):
        STRATEGIES[name]({}, dataset)


@every_strategy
@pytest.mark.parametrize("budget", [-1, 2.0, True])
def test_budget_that_is_none(name, budget):
    pool, embeddings = drawn_pool()
    with pytest.raises((ValueError, TypeError), match="budget must be"):
        select(name, pool, embeddings, budget)


@every_strategy
@settings(max_examples=50)
@given(pools(), st.data(), seeds)
def test_same_seed_same_answer_and_nothing_else_touched(name, pool, data, seed):
    embeddings = data.draw(embeddings_of(len(pool.labels)))
    budget = pool.num_unlabeled // 2
    copies = pool.probabilities.copy(), embeddings.copy(), pool.labeled.copy()
    before = np.random.get_state()[1].copy()
    first, second = (select(name, pool, embeddings, budget, seed).tolist() for _ in range(2))
    assert first == second
    assert np.random.get_state()[1].tolist() == before.tolist()
    for array, copy in zip((pool.probabilities, embeddings, pool.labeled), copies, strict=True):
        assert np.array_equal(array, copy)


@every_strategy
def test_without_a_generator_the_global_seed_decides(name):
    """As in LabelBench, which seeds numpy's global state and hands strategies nothing to draw from."""
    pool, embeddings = drawn_pool()

    def chosen():
        np.random.seed(3)
        dataset = standins.Dataset(pool.labels, pool.labeled, pool.num_classes)
        strategy = STRATEGIES[name](CONFIGS.get(name, {}), dataset)
        return strategy.select(standins.Trainer(pool.probabilities, embeddings), 5).tolist()

    assert chosen() == chosen()


def test_the_strategy_that_contributing_shows_keeps_the_contract(monkeypatch):
    page = (Path(__file__).parent.parent / "CONTRIBUTING.md").read_text(encoding="utf-8")
    (code,) = re.findall(r"```python\n(.*?)```", page, re.DOTALL)
    shown = {}
    exec(code, shown)  # our own page
    monkeypatch.setitem(STRATEGIES, "densest", shown["DensestStrategy"])
    pool, embeddings = drawn_pool()
    for budget in range(pool.num_unlabeled + 1):
        check(select("densest", pool, embeddings, budget), pool, budget)
    distances = np.linalg.norm(embeddings - embeddings.mean(axis=0), axis=1)
    nearest = min(set(range(30)) - set(pool.labeled.tolist()), key=distances.__getitem__)
    assert select("densest", pool, embeddings, 1).tolist() == [nearest]
