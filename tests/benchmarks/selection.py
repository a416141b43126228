"""Time one ``select`` of DIRECT at the sizes of the paper's data sets, in reads of the score matrix. Run with ``make
bench``.
"""

from __future__ import annotations

import argparse
import os
import platform
import sys
import time
import tracemalloc
from collections.abc import Callable

import numpy as np
from pools import SIZES, simulate

from labelbench_direct import DirectSession

PARALLEL = 20


def select(scores: np.ndarray, labels: np.ndarray, labeled: np.ndarray, budget: int, parallel: int = PARALLEL) -> None:
    session = DirectSession(
        scores, labeled, labels[labeled], budget=budget, parallel=parallel, rng=np.random.default_rng(0)
    )
    while not session.done:
        indices = session.ask()
        session.tell(indices, labels[indices])


def timed(run: Callable[[], object], repeats: int) -> tuple[float, float, float]:
    """Seconds: least, median, most."""
    seconds = []
    for _ in range(repeats + 1):
        started = time.perf_counter()
        run()
        seconds.append(time.perf_counter() - started)
    return min(seconds[1:]), float(np.median(seconds[1:])), max(seconds[1:])


def extra_memory(run: Callable[[], object]) -> int:
    """The most bytes that Python and numpy held during a run, beyond those before it."""
    tracemalloc.start()
    run()
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    return peak


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("sizes", nargs="*", default=["fmow", "iwildcam"], choices=[[], *SIZES], metavar="SIZE")
    parser.add_argument("--repeats", type=int, default=5)
    parsed = parser.parse_args()
    print(f"{platform.processor() or platform.machine()}, {os.cpu_count()} cores, ", end="")
    print(f"Python {platform.python_version()}, numpy {np.__version__}; medians of {parsed.repeats} runs\n")
    print("| pool | N x K | labeled, B_train | read, s | select, s (least to most) | reads | extra memory / input |")
    print("|---|---|---|---|---|---|---|")
    for size in (SIZES[name] for name in parsed.sizes):
        scores, labels, labeled = simulate(size)
        _, read, _ = timed(lambda scores=scores: scores.sum(), parsed.repeats)

        def run(arguments=(scores, labels, labeled, size.budget)):
            select(*arguments)

        least, median, most = timed(run, parsed.repeats)
        memory = extra_memory(run) / scores.nbytes
        print(f"| {size.name} | {size.num_examples:,} x {size.num_classes:,} ", end="")
        print(f"| {size.num_labeled:,}, {size.budget:,} | {read:.4f} ", end="")
        print(f"| {median:.3f} ({least:.3f} to {most:.3f}) | {median / read:.0f} | {memory:.2f} |")
    return 0


if __name__ == "__main__":
    sys.exit(main())
