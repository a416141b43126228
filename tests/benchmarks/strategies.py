"""Time one ``select`` of every strategy at FMoW's size, in seconds and in reads of the score matrix, with 512-d
embeddings. With LABELBENCH_HOME set, LabelBench's own are timed in the same run (see ``labelbenchs``). Run with
``make bench-strategies``.
"""

from __future__ import annotations

import argparse
import os
import platform
import sys
import time
import tracemalloc
from collections.abc import Callable
from pathlib import Path
from typing import Any

import labelbenchs
import numpy as np
import scipy
from pools import SIZES, embed, simulate
from selection import timed

sys.path.insert(0, str(Path(__file__).parents[1]))
from standins import Dataset, Trainer

SIZE = SIZES["fmow"]
MEMORY_QUERIES = {"galaxy": 300}
"""How many queries memory is measured with, where a hundredth of the budget does not show it: a graph a class here."""


def seconds(run: Callable[[], object]) -> float:
    started = time.perf_counter()
    run()
    return time.perf_counter() - started


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("names", nargs="*", metavar="STRATEGY")
    parser.add_argument("--repeats", type=int, default=3)
    parsed = parser.parse_args()

    from labelbench_direct.strategies import STRATEGIES

    scores, labels, labeled = simulate(SIZE)
    embeddings = embed(scores)
    home = os.environ.get("LABELBENCH_HOME")
    _, read, _ = timed(scores.sum, 9)
    print(f"{platform.processor() or platform.machine()}, {os.cpu_count()} cores, BLAS threads ", end="")
    print(f"{os.environ.get('OPENBLAS_NUM_THREADS', 'by default')}; Python {platform.python_version()}, ", end="")
    print(f"numpy {np.__version__}, scipy {scipy.__version__}; ", end="")
    print(f"medians of {parsed.repeats} runs, of 1 of bait and of LabelBench's")
    print(f"{SIZE.num_examples:,} x {SIZE.num_classes}, {embeddings.shape[1]}-d embeddings, ", end="")
    print(f"{SIZE.num_labeled:,} labeled, budget {SIZE.budget:,}; one read of the scores: {read:.4f} s\n")
    print("| strategy | select, s (least to most) | reads | extra memory / input | LabelBench, s | times faster |")
    print("|---|---|---|---|---|---|")
    for name in parsed.names or STRATEGIES:
        config = labelbenchs.CONFIGS.get(name, {})

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
        theirs = labelbenchs.measured(name, "fmow", home) if home and name in labelbenchs.MODULES else None
        compared = f"{theirs:.3g} | {theirs / median:.3g}" if theirs else " | "
        print(f"| {name} | {median:.4f} ({runs[0]:.4f} to {runs[-1]:.4f}) | {median / read:.1f} ", end="")
        print(f"| {memory / used:.2f} | {compared} |", flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
