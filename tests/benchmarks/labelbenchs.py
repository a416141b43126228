"""Time one ``select`` of a strategy of LabelBench's own, in a process of its own: LabelBench must be importable.

    python tests/benchmarks/labelbenchs.py galaxy fmow

prints the seconds. Some cost the same time for each query, and are timed on fewer, from which the time for all is
extrapolated; what they print goes nowhere.
"""

from __future__ import annotations

import contextlib
import importlib
import os
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
from pools import PARALLEL, SIZES, Size, embed, simulate

sys.path.insert(0, str(Path(__file__).parents[1]))
from standins import FullDataset, FullTrainer

MODULES = {"margin": "margin_sampling", "confidence": "confidence_sampling", "entropy": "entropy_sampling"}
MODULES |= {"coreset": "coreset_sampling", "badge": "badge", "bait": "bait", "galaxy": "galaxy", "direct": "direct"}
CONFIGS: dict[str, dict[str, Any]] = {
    "bait": {"pca_dimension": 30},
    "coreset": {"working_memory_GB": 1},
    "direct": {"B1": PARALLEL, "min_budget_per_class": 60},
}
QUERIES = {"coreset": 300, "badge": 300, "bait": 20, "galaxy": 300}
"""How many queries are timed, less a tenth of them; strategies that are not named here are timed whole. But for
``direct``'s, the first select, of a tenth, does not count."""
USES_EMBEDDINGS = ("coreset", "badge", "bait")


def seconds(name: str, size: Size) -> float:
    """What ``size.budget`` queries take, partly extrapolated."""
    importlib.import_module(f"LabelBench.strategy.strategy_impl.{MODULES[name]}")
    strategies = importlib.import_module("LabelBench.skeleton.active_learning_skeleton").strategies
    config = {"strategy_name": name, **CONFIGS.get(name, {})}
    scores, labels, labeled = simulate(size)
    embeddings = embed(scores) if name in USES_EMBEDDINGS else np.zeros((len(scores), 0))

    def select(budget: int, some: slice = slice(None)) -> float:
        known = labeled[labeled < len(labels[some])]
        trainer = FullTrainer(scores[some], embeddings[some], labels[some])
        strategy = strategies[name](config, FullDataset(labels[some], known, size.num_classes))
        np.random.seed(0)
        started = time.perf_counter()
        strategy.select(trainer, budget)
        return time.perf_counter() - started

    if name == "direct":
        return select(size.budget)
    few, many = QUERIES.get(name, size.budget) // 10, QUERIES.get(name, size.budget)
    # bait's start costs the same time for each example of the pool; with all of them it takes an hour.
    parts = (slice(0, 300), slice(0, 600)) if name == "bait" else (slice(None),)
    select(few, parts[0])  # what only the first one costs
    if name not in QUERIES:
        return select(size.budget)
    starts = [select(few, part) for part in parts]
    per_query = (select(many, parts[0]) - starts[0]) / (many - few)
    per_example = (starts[-1] - starts[0]) / 300
    return starts[0] + per_query * (size.budget - few) + per_example * (size.num_examples - 300)


def measured(name: str, size: str, home: str) -> float:
    """``seconds`` in a process of its own, with the checkout ``home``. Raises RuntimeError with its last words."""
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join([home, *filter(None, [os.environ.get("PYTHONPATH")])])}
    run = subprocess.run([sys.executable, __file__, name, size], env=environment, capture_output=True, text=True)
    if run.returncode < 0:
        raise RuntimeError(f"ended by signal {-run.returncode}")
    if run.returncode > 0:
        raise RuntimeError(run.stderr.strip().splitlines()[-1])
    return float(run.stdout)


if __name__ == "__main__":
    with Path(os.devnull).open("w") as nowhere, contextlib.redirect_stdout(nowhere):
        took = seconds(sys.argv[1], SIZES[sys.argv[2]])
    print(took)
