"""Time one selection at the sizes of the paper's data sets, in seconds and in reads of the score matrix.

Beside DIRECT: the same without numba, its readable reference (on orders that are sorted as a whole), this package's
GALAXY and BADGE, and with LABELBENCH_HOME set LabelBench's own ``direct``, once. Run with ``make bench``; ``imagenet``
among the sizes writes a file of 5 GB into --folder, and --growth draws how the cost grows.
"""

from __future__ import annotations

import argparse
import contextlib
import importlib
import os
import platform
import resource
import subprocess
import sys
import threading
import time
import tracemalloc
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any
from unittest import mock

import numpy as np
from pools import SIZES, Size, simulate

sys.path.insert(0, str(Path(__file__).parents[1]))
from standins import Dataset, FullDataset, FullTrainer, Trainer

PARALLEL = 20
Pool = tuple[np.ndarray, np.ndarray, np.ndarray]


def direct(pool: Pool, budget: int, parallel: int = PARALLEL) -> list[int]:
    from labelbench_direct import DirectSession

    scores, labels, labeled = pool
    rng = np.random.default_rng(0)
    session = DirectSession(scores, labeled, labels[labeled], budget=budget, parallel=parallel, rng=rng)
    while not session.done:
        indices = session.ask()
        session.tell(indices, labels[indices])
    return list(session.told)


def readable(pool: Pool, budget: int) -> list[int]:
    """DIRECT in numpy, on orders that are sorted as a whole: with one bucket."""
    from labelbench_direct.core import buckets, passes

    with mock.patch.object(passes, "fastest", return_value=passes), mock.patch.object(buckets, "NUM_BUCKETS", 1):
        return direct(pool, budget)


def without_numba(pool: Pool, budget: int) -> list[int]:
    from labelbench_direct.core import passes

    with mock.patch.object(passes, "fastest", return_value=passes):
        return direct(pool, budget)


def rival(name: str, pool: Pool, budget: int) -> list[int]:
    from labelbench_direct.strategies import STRATEGIES

    scores, labels, labeled = pool
    uses_embeddings = STRATEGIES[name].uses_embeddings
    embeddings = np.random.default_rng(1).standard_normal((len(scores) if uses_embeddings else 0, 512))
    strategy = STRATEGIES[name]({}, Dataset(labels, labeled, scores.shape[1]), np.random.default_rng(0))
    return strategy.select(Trainer(scores, embeddings), budget).tolist()


def labelbenchs(size: Size) -> None:
    """LabelBench's ``direct``, whose prints go nowhere; prints its seconds. In its own process, once."""
    importlib.import_module("LabelBench.strategy.strategy_impl.direct")
    strategies = importlib.import_module("LabelBench.skeleton.active_learning_skeleton").strategies
    scores, labels, labeled = simulate(size)
    config = {"strategy_name": "direct", "B1": PARALLEL, "min_budget_per_class": 60}
    strategy = strategies["direct"](config, FullDataset(labels, labeled, size.num_classes))
    trainer = FullTrainer(scores, None, labels)
    with Path(os.devnull).open("w") as nowhere, contextlib.redirect_stdout(nowhere):
        started = time.perf_counter()
        strategy.select(trainer, size.budget)
        seconds = time.perf_counter() - started
    print(seconds)


def timed(run: Callable[[], object], repeats: int) -> tuple[float, float, float]:
    """Seconds: least, median, most; after one run that does not count."""
    seconds = []
    for _ in range(repeats + 1):
        started = time.perf_counter()
        run()
        seconds.append(time.perf_counter() - started)
    return min(seconds[1:]), float(np.median(seconds[1:])), max(seconds[1:])


def extra_memory(run: Callable[[], object]) -> float:
    """The most bytes held during a run beyond those before it: the larger of what Python and numpy allocated, and of
    what the process held in memory (Linux), mapped files aside.
    """
    tracemalloc.start()
    run()
    allocated = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    most, done = [_held()], threading.Event()

    def watch() -> None:
        while not done.wait(0.0005):
            most.append(_held())

    watcher = threading.Thread(target=watch)
    watcher.start()
    run()
    done.set()
    watcher.join()
    return max(allocated, max(most) - most[0])


def _held() -> int:
    resident, shared = (int(pages) for pages in Path("/proc/self/statm").read_text(encoding="ascii").split()[1:3])
    return (resident - shared) * resource.getpagesize()


def table(name: str, folder: Path, repeats: int, rivals: bool) -> None:
    size = SIZES[name]
    pool = simulate(size, file=folder / f"{name}.npy" if name == "imagenet" else None)
    scores = pool[0]
    _, read, _ = timed(scores.sum, repeats)
    print(f"\n{size.name}: {size.num_examples:,} x {size.num_classes:,} {scores.dtype}, {size.num_labeled:,} labeled")
    print(f"B_train {size.budget:,}, B_parallel {PARALLEL}; one read {read:.4f} s\n")
    print("| | s (least to most) | reads | extra memory / input |\n|---|---|---|---|")
    runs: dict[str, tuple[Callable[[], object], int]] = {"DIRECT": (lambda: direct(pool, size.budget), repeats)}
    if rivals:
        fast = direct(pool, size.budget)
        if fast != without_numba(pool, size.budget) or fast != readable(pool, size.budget):
            raise AssertionError("the fast and the readable search select different examples")
        print("DIRECT selects the same without numba, and readable\n", file=sys.stderr)
    if rivals and name != "imagenet":
        runs["DIRECT without numba"] = (lambda: without_numba(pool, size.budget), 1)
        runs["DIRECT, readable: orders sorted as a whole"] = (lambda: readable(pool, size.budget), 1)
        runs["GALAXY, one label at a time"] = (lambda: rival("galaxy", pool, size.budget), 1)
        runs["BADGE, 512-d embeddings"] = (lambda: rival("badge", pool, size.budget), 1)
    for what, (run, times) in runs.items():
        least, median, most = timed(run, times)
        memory = extra_memory(run) / scores.nbytes
        print(f"| {what} | {median:.3f} ({least:.3f} to {most:.3f}) | {median / read:.0f} | {memory:.2f} |", flush=True)
    home = os.environ.get("LABELBENCH_HOME")
    if home and rivals and name != "imagenet":
        command = [sys.executable, __file__, "--labelbench", name]
        environment = {**os.environ, "PYTHONPATH": home}
        run = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)
        theirs = float(run.stdout.splitlines()[-1])
        print(f"| LabelBench's direct | {theirs:.1f} | {theirs / read:.0f} | |", flush=True)


def profile(name: str) -> None:
    """Print what the time of one selection is spent on, in milliseconds and calls, after one that does not count."""
    from labelbench_direct import session
    from labelbench_direct.core import buckets
    from labelbench_direct.core.compiled_evidence import CompiledEvidence

    size = SIZES[name]
    pool = simulate(size)
    direct(pool, size.budget)
    spent: dict[str, list[float]] = {}
    parts = [
        (session, "check_probabilities", "check the scores: the first read"),
        (buckets.PoolOrders, "_code", "cut the orders into buckets: the second read"),
        (buckets.PoolOrders, "permutation", "number the examples (once, within the first draw)"),
        (CompiledEvidence, "update", "count labels by bucket"),
        (CompiledEvidence, "initial_version_space", "first version spaces"),
        (CompiledEvidence, "draw", "draw candidates"),
        (CompiledEvidence, "shrink", "shrink version spaces"),
        (CompiledEvidence, "nearest", "best thresholds, and examples nearest to them"),
        (session, "check_indices", "check indices that are told"),
        (session, "check_labels", "check labels that are told"),
    ]
    with contextlib.ExitStack() as stack:
        for owner, attribute, what in parts:
            stack.enter_context(
                mock.patch.object(owner, attribute, _clocked(getattr(owner, attribute), spent.setdefault(what, [])))
            )
        started = time.perf_counter()
        direct(pool, size.budget)
        total = time.perf_counter() - started
    print(f"\n{size.name}: {1000 * total:.1f} ms\n\n| | ms | calls |\n|---|---|---|")
    for what, seconds in spent.items():
        print(f"| {what} | {1000 * sum(seconds):.1f} | {len(seconds)} |")


def _clocked(function: Callable[..., Any], seconds: list[float]) -> Callable[..., Any]:
    def clocked(*args: Any, **kwargs: Any) -> Any:
        started = time.perf_counter()
        result = function(*args, **kwargs)
        seconds.append(time.perf_counter() - started)
        return result

    return clocked


def growth(picture: Path, repeats: int) -> None:
    """Draw how the time grows with the pool, the classes, the labels and the rounds, each from FMoW's size."""
    from matplotlib.figure import Figure

    fmow = SIZES["fmow"]
    panels = {
        "pool size N": [(n, replace(fmow, num_examples=n), PARALLEL) for n in (20_000, 80_000, 320_000)],
        "classes K": [(k, replace(fmow, num_classes=k), PARALLEL) for k in (15, 31, 62, 124, 248)],
        "labeled L": [(n, replace(fmow, num_labeled=n), PARALLEL) for n in (1_500, 3_000, 6_000, 12_000, 24_000)],
        "rounds of VReduce per class": [(-(-24 // b), fmow, b) for b in (24, 12, 6, 3, 1)],
    }
    figure = Figure(figsize=(14, 3.8), layout="constrained")
    for axis, (label, points) in zip(figure.subplots(1, 4, sharey=True), panels.items(), strict=True):
        seconds = []
        for x, size, parallel in points:
            pool = simulate(size)
            seconds.append(timed(lambda pool=pool, parallel=parallel: direct(pool, fmow.budget, parallel), repeats)[1])
            print(f"{label} {x:,}: {seconds[-1]:.3f} s", flush=True)
        xs = np.array([x for x, *_ in points], dtype=float)
        axis.loglog(xs, seconds, "o-", color="black", label="measured")
        axis.loglog(xs, seconds[-1] * xs / xs[-1], "--", color="grey", label="linear")
        axis.set_xlabel(label)
        axis.minorticks_off()
        axis.set_xticks(xs, [f"{x:,.0f}" for x in xs])
        axis.grid(alpha=0.3)
    ticks = (0.003, 0.01, 0.03, 0.1)
    figure.axes[0].set_yticks(ticks, [str(tick) for tick in ticks])
    figure.axes[0].set_ylabel("seconds for one selection")
    figure.axes[0].legend(frameon=False)
    figure.savefig(picture, dpi=110)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("sizes", nargs="*", default=["fmow", "iwildcam"], metavar="SIZE", help=f"of {', '.join(SIZES)}")
    parser.add_argument("--repeats", type=int, default=9)
    parser.add_argument("--profile", action="store_true", help="what the time of one selection is spent on")
    parser.add_argument("--alone", action="store_true", help="DIRECT and nothing beside it")
    parser.add_argument("--growth", type=Path, metavar="PICTURE", help="draw how the cost grows")
    parser.add_argument("--folder", type=Path, default=Path(), help="where imagenet's file is")
    parser.add_argument("--labelbench", choices=SIZES, help=argparse.SUPPRESS)
    parsed = parser.parse_args()
    if parsed.labelbench:
        labelbenchs(SIZES[parsed.labelbench])
        return 0
    print(f"{platform.processor() or platform.machine()}, {os.cpu_count()} cores, ", end="")
    print(f"Python {platform.python_version()}, numpy {np.__version__}; ", end="")
    print(f"medians of {parsed.repeats} runs, what is beside DIRECT of 1")
    for name in parsed.sizes:
        if parsed.profile:
            profile(name)
            continue
        table(name, parsed.folder, parsed.repeats, rivals=not parsed.alone)
    if parsed.growth:
        growth(parsed.growth, parsed.repeats)
    return 0


if __name__ == "__main__":
    sys.exit(main())
