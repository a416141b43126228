"""Time one selection at the sizes of the paper's data sets, in seconds and in reads of the score matrix.

DIRECT in numpy and with numba; beside it, each once, this package's BADGE and GALAXY, and with LABELBENCH_HOME set
LabelBench's own strategies (see ``labelbenchs``). Run with
``make bench``; ``imagenet`` among the sizes writes a file of 5 GB into --folder, and --growth draws how the cost grows.
"""

from __future__ import annotations

import argparse
import contextlib
import ctypes
import os
import platform
import resource
import sys
import threading
import time
import tracemalloc
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any, TypeVar
from unittest import mock

import labelbenchs
import numpy as np
from pools import PARALLEL, SIZES, embed, simulate

sys.path.insert(0, str(Path(__file__).parents[1]))
from standins import Dataset, Trainer

Answer = TypeVar("Answer")
Search = Callable[..., list[int]]
THEIRS = ("direct", "galaxy", "badge", "coreset", "entropy", "confidence", "margin")
"""LabelBench's strategies. Its bait takes longer at these sizes than anybody waits."""
_AT_IMAGENETS = 3  # runs: each takes nearly a minute
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


def without_numba(pool: Pool, budget: int, parallel: int = PARALLEL) -> list[int]:
    from labelbench_direct.core import engine

    with mock.patch.object(engine, "_compiled_if_possible", return_value=engine.NUMPY):
        return direct(pool, budget, parallel)


def rival(name: str, pool: Pool, embeddings: np.ndarray, budget: int) -> list[int]:
    from labelbench_direct.strategies import STRATEGIES

    scores, labels, labeled = pool
    strategy = STRATEGIES[name]({}, Dataset(labels, labeled, scores.shape[1]), np.random.default_rng(0))
    return strategy.select(Trainer(scores, embeddings), budget).tolist()


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
    what the process held in memory.
    """
    tracemalloc.start()
    run()
    allocated = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    return max(allocated, watched(run, every=0.0005)[2])


def watched(run: Callable[[], Answer], every: float = 0.01) -> tuple[Answer, float, float]:
    """What a run answers, its seconds, and the most bytes that the process held in memory (Linux) beyond those before
    it, mapped files aside.
    """
    ctypes.CDLL(None).malloc_trim(0)  # gives back what earlier runs left free
    most, done = [_held()], threading.Event()

    def watch() -> None:
        while not done.wait(every):
            most.append(_held())

    watcher = threading.Thread(target=watch)
    watcher.start()
    started = time.perf_counter()
    try:
        answer = run()
    finally:
        seconds = time.perf_counter() - started
        done.set()
        watcher.join()
    return answer, seconds, max(most) - most[0]


def _held() -> int:
    resident, shared = (int(pages) for pages in Path("/proc/self/statm").read_text(encoding="ascii").split()[1:3])
    return (resident - shared) * resource.getpagesize()


def table(name: str, folder: Path, repeats: int, alone: bool) -> None:
    size = SIZES[name]
    pool = simulate(size, file=folder / f"{name}.npy" if name == "imagenet" else None)
    scores = pool[0]
    _, read, _ = timed(scores.sum, repeats)
    print(f"\n{size.name}: {size.num_examples:,} x {size.num_classes:,} {scores.dtype}, {size.num_labeled:,} labeled")
    print(f"B_train {size.budget:,}, B_parallel {PARALLEL}; one read {read:.4f} s\n")
    print("| | s (least to most) | reads | extra memory / scores |\n|---|---|---|---|")

    def row(what: str, seconds: float, spread: str = "", memory: float | None = None) -> None:
        held = "" if memory is None else f"{memory / scores.nbytes:.2f}"
        print(f"| {what} | {seconds:.3f}{spread} | {seconds / read:.0f} | {held} |", flush=True)

    answers: list[list[int]] = []
    for what, search in (("DIRECT", without_numba), ("DIRECT with numba", direct)):
        for parallel in (PARALLEL, 1)[: 1 if name == "imagenet" else 2]:

            def run(search: Search = search, parallel: int = parallel) -> list[int]:
                return search(pool, size.budget, parallel)

            least, median, most = timed(run, repeats)
            memory = extra_memory(run) if parallel == PARALLEL else None
            row(f"{what}, B_parallel {parallel}", median, f" ({least:.3f} to {most:.3f})", memory)
            answers.append(run())
    if answers[: len(answers) // 2] != answers[len(answers) // 2 :]:
        raise AssertionError("with numba DIRECT selects other examples")
    if alone:
        return
    for ours in ("badge", "galaxy"):
        embeddings = embed(scores) if ours == "badge" else np.zeros((len(scores), 0))
        _, seconds, memory = watched(lambda ours=ours, given=embeddings: rival(ours, pool, given, size.budget))
        row(ours.upper(), seconds, memory=memory)
    home = os.environ.get("LABELBENCH_HOME")
    for theirs in THEIRS if home and name != "imagenet" else ():
        try:
            runs = sorted(labelbenchs.measured(theirs, name, home) for _ in range(3 if name == "fmow" else 1))
            spread = f" ({runs[0]:.3g} to {runs[-1]:.3g})" if len(runs) > 1 else ""
            row(f"LabelBench's {theirs}", float(np.median(runs)), spread)
        except RuntimeError as error:
            print(f"| LabelBench's {theirs} | it cannot: {error} | | |", flush=True)


def profile(name: str, parallel: int) -> None:
    """Print what the time of one selection is spent on, in milliseconds and calls, after one that does not count."""
    from labelbench_direct import session
    from labelbench_direct.core import pool_orders
    from labelbench_direct.core.engine import engine_for

    size = SIZES[name]
    pool = simulate(size)
    direct(pool, size.budget, parallel)
    spent: dict[str, list[float]] = {}
    line = engine_for(pool[0].shape).line
    parts = [
        (session, "check_probabilities", "check the scores"),
        (pool_orders.PoolOrders, "_sort", "sort the orders"),
        (line, "_take", "find in an order what is labeled"),
        (line, "_inserted", "take in labels"),
        (line, "initial_version_space", "first version spaces"),
        (line, "draw", "draw candidates"),
        (line, "shrink", "shrink version spaces"),
        (line, "best_threshold", "best thresholds"),
        (line, "nearest", "examples nearest to them"),
    ]
    with contextlib.ExitStack() as stack:
        for owner, attribute, what in parts:
            stack.enter_context(
                mock.patch.object(owner, attribute, _clocked(getattr(owner, attribute), spent.setdefault(what, [])))
            )
        started = time.perf_counter()
        direct(pool, size.budget, parallel)
        total = time.perf_counter() - started
    print(f"\n{size.name}, B_parallel {parallel}: {1000 * total:.1f} ms\n\n| | ms | calls |\n|---|---|---|")
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
    parser.add_argument("--folder", type=Path, default=Path("data"), help="where imagenet's file is: data by default")
    parsed = parser.parse_args()
    print(f"{platform.processor() or platform.machine()}, {os.cpu_count()} cores, ", end="")
    print(f"Python {platform.python_version()}, numpy {np.__version__}; ", end="")
    print(
        f"medians of {parsed.repeats} runs of DIRECT (at ImageNet's size at most {_AT_IMAGENETS}), of 3 of "
        "LabelBench's strategies at FMoW's size, 1 run of the rest"
    )
    if parsed.growth:
        growth(parsed.growth, parsed.repeats)
    for name in parsed.sizes:
        if parsed.profile:
            for parallel in (PARALLEL, 1)[: 1 if name == "imagenet" else 2]:
                profile(name, parallel)
            continue
        repeats = min(parsed.repeats, _AT_IMAGENETS) if name == "imagenet" else parsed.repeats
        table(name, parsed.folder, repeats, parsed.alone)
    return 0


if __name__ == "__main__":
    sys.exit(main())
