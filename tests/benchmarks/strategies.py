"""Time one ``select`` of every strategy at FMoW's size, in seconds and in reads of the score matrix, with 512-d
embeddings. With LABELBENCH_HOME set, LabelBench's own are timed in the same run: on fewer queries, from which the time
for all is extrapolated, since each of theirs costs the same time per query. Run with ``make bench-strategies``.
"""

from __future__ import annotations

import argparse
import importlib
import os
import platform
import subprocess
import sys
import time
import tracemalloc
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import scipy
from pools import SIZES, simulate
from selection import timed

sys.path.insert(0, str(Path(__file__).parents[1]))
from standins import Dataset, FullDataset, FullTrainer, Trainer

SIZE = SIZES["fmow"]
DIMENSIONS = 512
CONFIGS: dict[str, dict[str, Any]] = {"bait": {"pca_dimension": 30}, "coreset": {"working_memory_GB": 1}}
MODULES = {"margin": "margin_sampling", "confidence": "confidence_sampling", "entropy": "entropy_sampling"}
MODULES |= {"coreset": "coreset_sampling", "badge": "badge", "bait": "bait", "galaxy": "galaxy"}
QUERIES = {"coreset": 300, "badge": 300, "bait": 20, "galaxy": 300}
"""How many of LabelBench's queries are timed, less a tenth of them; those not named here are timed whole."""

MEMORY_QUERIES = {"galaxy": 300}
"""How many queries memory is measured with, where a hundredth of the budget does not show it: a graph a class here."""


def make_pool() -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    scores, labels, labeled = simulate(SIZE)
    rng = np.random.default_rng(1)
    embeddings = rng.standard_normal((SIZE.num_examples, DIMENSIONS))
    embeddings += rng.standard_normal((SIZE.num_classes, DIMENSIONS))[scores.argmax(axis=1)]
    return scores, embeddings, labels, labeled


def seconds(run: Callable[[], object]) -> float:
    started = time.perf_counter()
    run()
    return time.perf_counter() - started


def time_labelbench(name: str) -> float:
    """The seconds that LabelBench's strategy takes for SIZE.budget queries, partly extrapolated. In its own process."""
    importlib.import_module(f"LabelBench.strategy.strategy_impl.{MODULES[name]}")
    registry = importlib.import_module("LabelBench.skeleton.active_learning_skeleton").strategies
    scores, embeddings, labels, labeled = make_pool()
    config = {"strategy_name": name, **CONFIGS.get(name, {})}

    def select(budget: int, some: slice = slice(None)) -> float:
        known = labeled[labeled < len(labels[some])]
        trainer = FullTrainer(scores[some], embeddings[some], labels[some])
        strategy = registry[name](config, FullDataset(labels[some], known, SIZE.num_classes))
        np.random.seed(0)
        return seconds(lambda: strategy.select(trainer, budget))

    if name not in QUERIES:
        return select(SIZE.budget)
    few, many = QUERIES[name] // 10, QUERIES[name]
    # bait's start costs the same time for each example of the pool; with all of them it takes an hour.
    parts = (slice(0, 300), slice(0, 600)) if name == "bait" else (slice(None),)
    starts = [select(few, part) for part in parts]
    per_query = (select(many, parts[0]) - starts[0]) / (many - few)
    per_example = (starts[-1] - starts[0]) / 300
    return starts[0] + per_query * (SIZE.budget - few) + per_example * (SIZE.num_examples - 300)


def labelbenchs(name: str, home: str | None) -> float | None:
    if not home or name not in MODULES:
        return None
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join([home, *filter(None, [os.environ.get("PYTHONPATH")])])}
    command = [sys.executable, __file__, "--labelbench", name]
    run = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)
    return float(run.stdout.splitlines()[-1])


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("names", nargs="*", metavar="STRATEGY")
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--labelbench", choices=MODULES, help=argparse.SUPPRESS)
    parsed = parser.parse_args()
    if parsed.labelbench:
        print(time_labelbench(parsed.labelbench))
        return 0

    from labelbench_direct.strategies import STRATEGIES

    scores, embeddings, labels, labeled = make_pool()
    _, read, _ = timed(scores.sum, 9)
    print(f"{platform.processor() or platform.machine()}, {os.cpu_count()} cores, BLAS threads ", end="")
    print(f"{os.environ.get('OPENBLAS_NUM_THREADS', 'by default')}; Python {platform.python_version()}, ", end="")
    print(f"numpy {np.__version__}, scipy {scipy.__version__}; medians of {parsed.repeats} runs")
    print(
        f"{SIZE.num_examples:,} x {SIZE.num_classes}, {DIMENSIONS}-d embeddings, {SIZE.num_labeled:,} labeled, ", end=""
    )
    print(f"budget {SIZE.budget:,}; one read of the scores: {read:.4f} s\n")
    print("| strategy | select, s (least to most) | reads | extra memory / input | LabelBench, s | times faster |")
    print("|---|---|---|---|---|---|")
    for name in parsed.names or STRATEGIES:
        config = CONFIGS.get(name, {})

        def select(budget: int, name: str = name, config: dict[str, Any] = config) -> None:
            dataset = Dataset(labels, labeled, SIZE.num_classes)
            strategy = STRATEGIES[name](config, dataset, np.random.default_rng(0))
            strategy.select(Trainer(scores, embeddings), budget)

        tracemalloc.start()
        select(MEMORY_QUERIES.get(name, SIZE.budget // 100))
        memory = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        used = scores.nbytes + (embeddings.nbytes if STRATEGIES[name].uses_embeddings else 0)
        runs = sorted(seconds(lambda: select(SIZE.budget)) for _ in range(1 if name == "bait" else parsed.repeats))
        median = float(np.median(runs))
        theirs = labelbenchs(name, os.environ.get("LABELBENCH_HOME"))
        compared = f"{theirs:.3g} | {theirs / median:.3g}" if theirs else " | "
        print(f"| {name} | {median:.4f} ({runs[0]:.4f} to {runs[-1]:.4f}) | {median / read:.1f} ", end="")
        print(f"| {memory / used:.2f} | {compared} |", flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
