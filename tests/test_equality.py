"""The same choices as LabelBench's own strategies, given the same draws. Needs a LabelBench checkout."""

import json
import os
import subprocess
import sys
from unittest import mock

import numpy as np
import pytest
import standins

from labelbench_direct import GalaxySession
from labelbench_direct.core.order import class_order
from labelbench_direct.strategies import STRATEGIES, fisher

HOME = os.environ.get("LABELBENCH_HOME")
pytestmark = pytest.mark.labelbench

# Runs in a process of its own, so that LabelBench is importable there only. What LabelBench draws from numpy's global
# state is read from a list, by function.
SELECT = """
import importlib, json, sys
import numpy as np
sys.path[:0] = sys.argv[1:3]
module, name, config, draws, budget, arrays, result = json.loads(sys.argv[3])
import standins
arrays = np.load(arrays)
class Dataset(standins.Dataset):
    def unlabeled_idxs(self):
        return np.setdiff1d(np.arange(len(self)), self.labeled_idxs())
class Trainer(standins.Trainer):
    def retrieve_inputs(self, input_types):
        self.inputs[3] = np.eye(arrays["scores"].shape[1])[arrays["labels"]]
        return super().retrieve_inputs(input_types)
def scripted(name):
    return lambda *args, **kwargs: np.array(draws[name].pop(0)) if draws[name] else 1 / 0
for function in draws:
    setattr(np.random, function, scripted(function))
importlib.import_module("LabelBench.strategy.strategy_impl." + module)
from LabelBench.skeleton.active_learning_skeleton import strategies
dataset = Dataset(arrays["labels"], arrays["labeled"], arrays["scores"].shape[1])
chosen = strategies[name](config, dataset).select(Trainer(arrays["scores"], arrays["embeddings"]), budget)
assert not any(draws.values()), "draws left over"
np.save(result, np.array(chosen))
"""


@pytest.fixture
def labelbench(tmp_path):
    """A function that selects with one of LabelBench's strategies."""

    def select(pool, module, config, budget, draws=None):
        np.savez(tmp_path / "arrays.npz", **pool)
        result = tmp_path / "result.npy"
        order = module, config["strategy_name"], config, draws or {}, budget, str(tmp_path / "arrays.npz"), str(result)
        command = [sys.executable, "-c", SELECT, HOME, os.path.dirname(__file__), json.dumps(order)]  # noqa: PTH120
        run = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
        assert run.returncode == 0, run.stderr
        return np.load(result).tolist()

    return select


def make_pool(num_classes, num_examples=600, dimensions=6, num_labeled=40):
    """Without ties: graded scores, and embeddings that follow the classes."""
    rng = np.random.default_rng(num_classes)
    labels = rng.choice(num_classes, num_examples, p=np.arange(1, num_classes + 1) / sum(range(num_classes + 1)))
    logits = rng.normal(size=(num_examples, num_classes))
    logits[np.arange(num_examples), labels] += 1.5
    return {
        "scores": np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True),
        "labels": labels,
        "labeled": rng.permutation(num_examples)[:num_labeled],
        "embeddings": rng.normal(size=(num_examples, dimensions)) + rng.normal(size=(num_classes, dimensions))[labels],
    }


def ours(pool, config, budget, rng=None):
    dataset = standins.Dataset(pool["labels"], pool["labeled"], pool["scores"].shape[1])
    strategy = STRATEGIES[config["strategy_name"]](config, dataset, rng or np.random.default_rng(0))
    return strategy.select(standins.Trainer(pool["scores"], pool["embeddings"]), budget).tolist()


@pytest.mark.parametrize("num_classes", [2, 5])
@pytest.mark.parametrize("name", ["margin", "confidence", "entropy"])
def test_scores(labelbench, name, num_classes):
    pool, config = make_pool(num_classes), {"strategy_name": name}
    assert labelbench(pool, f"{name}_sampling", config, 200) == ours(pool, config, 200)


@pytest.mark.parametrize("num_labeled", [0, 40])
def test_coreset(labelbench, num_labeled):
    pool = make_pool(4, num_examples=3000, num_labeled=num_labeled)
    config = {"strategy_name": "coreset", "working_memory_GB": 1}
    if num_labeled:
        assert labelbench(pool, "coreset_sampling", config, 500) == ours(pool, config, 500)
    else:  # LabelBench cannot select before the first batch; its rule then starts from the first example
        assert ours(pool, config, 1) == [0]


class Recording(np.random.Generator):
    """Remembers the integers that it drew."""

    def __init__(self, seed):
        super().__init__(np.random.PCG64(seed))
        self.drawn = []

    def integers(self, *args, **kwargs):
        self.drawn.append(int(super().integers(*args, **kwargs)))
        return self.drawn[-1]


@pytest.mark.parametrize("num_classes", [2, 5])
@pytest.mark.parametrize("num_labeled", [1, 40])
def test_galaxy(labelbench, num_classes, num_labeled):
    """With ``cuts="reversed"``, to the last of the pool, one by one: bisection, cuts, and random examples."""
    pool = make_pool(num_classes, num_examples=200, num_labeled=num_labeled)
    scores, labels, labeled = pool["scores"], pool["labels"], pool["labeled"]
    rng, budget = Recording(0), 200 - num_labeled
    orders = [class_order(scores, k) for k in range(num_classes)]
    session = GalaxySession(scores, labeled, labels[labeled], budget=budget, rng=rng, cuts="reversed")
    draws: dict = {"randint": [], "permutation": []}
    for _ in range(budget):
        (index,) = session.ask()
        k = rng.drawn.pop(0) if num_classes > 2 else 0
        if num_classes > 2:
            draws["randint"].append(k)
        if rng.drawn:
            rng.drawn.clear()
            draws["permutation"].append([int(np.flatnonzero(orders[k] == index)[0])])
        session.tell([index], [labels[index]])
    assert draws["permutation"] or num_labeled > 1, "the third rule was not tried"
    assert labelbench(pool, "galaxy", {"strategy_name": "galaxy"}, budget, draws) == list(session.told)


@pytest.mark.parametrize("dimensions", [None, 3])
def test_bait(labelbench, dimensions):
    pool = make_pool(4, num_examples=300)
    config = {"strategy_name": "bait", "num_proposed_additions": 7, "num_complete_swaps": 2}
    config |= {"pca_dimension": dimensions} if dimensions else {}
    proposals: list = []
    best_swap = fisher.Objective.best_swap

    def recording(objective, removed, proposed):
        proposals.append(proposed.tolist())
        return best_swap(objective, removed, proposed)

    rng = np.random.default_rng(0)
    unlabeled = np.setdiff1d(np.arange(300), pool["labeled"])
    start = np.random.default_rng(0).permutation(unlabeled)[:50].tolist()
    with mock.patch.object(fisher.Objective, "best_swap", recording):
        chosen = ours(pool, config, 50, rng)
    assert chosen != start
    assert labelbench(pool, "bait", config, 50, {"choice": [start, *proposals]}) == chosen
