"""What it costs and gains to keep annotators busy: schedules and ways of asking, with simulated annotators.

An answer takes a lognormal time, of mean 1 and with a long tail. ``wait``: the next batch is asked for when the last
answer of this one is there; ``free``: whoever is free is asked at once, by what is known then. Regret is how many more
examples the thresholds found get wrong than the best ones, per example of the class, on true labels, mean of the
classes; rare is the share of the labels that belong to the rarer half of the classes. Run this file; --trials seeds.
"""

from __future__ import annotations

import argparse
import heapq
from itertools import count

import numpy as np
from pools import Size, simulate

from labelbench_direct import DirectSession
from labelbench_direct.core.order import class_order

SIZE = Size("annotators", 20_000, 20, 500, 1_000)
PARALLEL = 10
SPREAD = 1.0
"""Sigma of the logarithm of an answer's time."""


def work(
    session: DirectSession, labels: np.ndarray, annotators: int, way: str, rng: np.random.Generator
) -> tuple[float, float]:
    """The makespan of one session, and the time that answers took."""
    now, spent, free, serial = 0.0, 0.0, annotators, count()
    waiting: list[int] = []  # asked for, and nobody is at it
    busy: list[tuple[float, int, int]] = []  # when who will answer what
    while not session.done:
        if way == "wait":
            waiting += session.ask().tolist()
        while way == "free" and len(waiting) < free and len(some := session.ask(free - len(waiting))):
            waiting += some.tolist()
        for index in waiting[:free]:
            seconds = rng.lognormal(-(SPREAD**2) / 2, SPREAD)
            spent += seconds
            heapq.heappush(busy, (now + seconds, next(serial), index))
        started = min(free, len(waiting))
        waiting, free = waiting[started:], free - started
        now, _, index = heapq.heappop(busy)
        session.tell([index], [labels[index]])
        free += 1
    return now, spent


def regret(scores: np.ndarray, truth: np.ndarray, session: DirectSession) -> float:
    excess = []
    for k, threshold in session.thresholds.items():
        is_class = truth[class_order(scores, k)] == k
        wrong = np.concatenate([[0], np.cumsum(np.where(is_class, -1, 1))]) + is_class.sum()
        excess.append((wrong[threshold] - wrong.min()) / max(1, is_class.sum()))
    return float(np.mean(excess))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--trials", type=int, default=10)
    trials = parser.parse_args().trials
    print(f"{SIZE.num_examples:,} x {SIZE.num_classes}, {SIZE.num_labeled} labeled, B_train {SIZE.budget:,}, ", end="")
    print(
        f"B_parallel {PARALLEL}, {trials} trials\n\n| annotators | schedule | asked | makespan | idle | regret | rare |"
    )
    print("|---|---|---|---|---|---|---|")
    for annotators in (PARALLEL, PARALLEL * SIZE.num_classes):
        for schedule in ("sequential", "interleaved"):
            for way in ("wait", "free"):
                rows = [trial(annotators, schedule, way, seed) for seed in range(trials)]
                means, errors = np.mean(rows, axis=0), np.std(rows, axis=0) / np.sqrt(trials)
                cells = " | ".join(f"{m:.3g} ({e:.1g})" for m, e in zip(means, errors, strict=True))
                print(f"| {annotators} | {schedule} | {way} | {cells} |", flush=True)


def trial(annotators: int, schedule: str, way: str, seed: int) -> tuple[float, float, float, float]:
    scores, labels, labeled = simulate(SIZE, seed=seed)
    _, truth, _ = simulate(SIZE, seed=seed, noise=0.0)
    rng = np.random.default_rng(seed)
    session = DirectSession(
        scores, labeled, labels[labeled], budget=SIZE.budget, parallel=PARALLEL, rng=rng, schedule=schedule
    )
    makespan, spent = work(session, labels, annotators, way, np.random.default_rng(1000 + seed))
    idle = 1 - spent / (annotators * makespan)
    rare = np.argsort(np.bincount(truth, minlength=SIZE.num_classes))[: SIZE.num_classes // 2]
    found = np.isin(np.fromiter(session.told.values(), dtype=np.int64), rare).mean()
    return makespan, idle, regret(scores, truth, session), float(found)


if __name__ == "__main__":
    main()
