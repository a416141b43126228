"""GALAXY (Zhang, Katz-Samuels, Nowak 2022, "GALAXY: Graph-based Active Learning at the Extreme").

Each class sees the pool as a linear graph: its order (Eq. 2), neighbors joined. A *cut* lies between neighbors of which
one is annotated as the class and the other as not. Every query looks at one class, drawn at random:

1. bisection: of the paths between annotated examples of opposite labels with nobody annotated between, take the
   shortest (of equals the one nearest to the front), and annotate its middle (of two the one nearer to the front);
2. no such path, so every cut is known: annotate the unlabeled example nearest to a cut, counted in positions from the
   cut's end on that side (of equals one before its cut, then the one at the cut farthest from the front);
3. no cut either: an unlabeled example, uniformly.

Two classes have orders that mirror each other, thus one graph: class 0's.
"""

from __future__ import annotations

from collections.abc import Generator
from typing import Literal

import numpy as np

from labelbench_direct.core.annotations import Annotations
from labelbench_direct.core.buckets import PoolOrders
from labelbench_direct.core.one_vs_rest import OneVsRest
from labelbench_direct.core.types import Indices, Mask

Cuts = Literal["all", "reversed"]
"""Which cuts are annotated around: all of them, as in the paper, or only those at which the class follows the rest
(from the front of the order, which has the examples most like the class), as in LabelBench's code.
"""


def galaxy(
    orders: PoolOrders, known: Annotations, budget: int, rng: np.random.Generator, cuts: Cuts = "all"
) -> Generator[Indices, Indices, None]:
    """Yield one pool index to annotate at a time, and be sent its label; ``known`` grows by it.

    Asks for exactly ``budget`` distinct unlabeled examples; there must be as many. O(K N log N) once, at most, and
    O(annotated) for each query; never O(N). Memory: two permutations of the pool for each class, in the smallest
    integers that hold N.
    """
    graphs: dict[int, LinearGraph] = {}
    for _ in range(budget):
        k = int(rng.integers(orders.num_classes)) if orders.num_classes > 2 else 0
        if k not in graphs:
            graphs[k] = LinearGraph(orders.permutation(k), k)
        graph = graphs[k]
        graph.update(known)
        position = next_position(graph.line, cuts)
        if position is None:
            rank = rng.integers(graph.line.unlabeled_before(graph.line.size))
            position = int(graph.line.unlabeled_positions(np.array([rank]))[0])
        index = graph.indices[[position]].astype(np.int64)
        label = yield index
        known.add(index, label)


class LinearGraph:
    """One class's graph, and what the annotated examples say along it."""

    def __init__(self, order: Indices, k: int) -> None:
        narrow = np.min_scalar_type(len(order))
        self.indices = order.astype(narrow)
        self.positions = np.empty_like(self.indices)
        self.positions[order] = np.arange(len(order), dtype=narrow)
        self.line = OneVsRest(np.zeros(0, dtype=np.int64), np.zeros(0, dtype=bool), len(order))
        self._k = k
        self._seen = 0

    def update(self, known: Annotations) -> None:
        """Take in the labels that came since the last time."""
        indices, labels = known.since(self._seen)
        self.line = self.line.annotate(self.positions[indices].astype(np.int64), labels == self._k)
        self._seen = len(known)


def next_position(line: OneVsRest, cuts: Cuts) -> int | None:
    """The position to annotate next, by rules 1 and 2; None where neither applies."""
    opposite = line.is_class[1:] != line.is_class[:-1]
    unlabeled_between = np.diff(line.positions) - 1
    paths = np.flatnonzero(opposite & (unlabeled_between > 0))
    if len(paths):
        shortest = paths[np.argmin(unlabeled_between[paths])]
        return int(line.positions[shortest] + line.positions[shortest + 1]) // 2
    at_cut = np.flatnonzero(opposite)
    if cuts == "reversed":
        at_cut = at_cut[~line.is_class[at_cut]]
    return _nearest_to_a_cut(line, at_cut, unlabeled_between > 0)


def _nearest_to_a_cut(line: OneVsRest, at_cut: Indices, breaks: Mask) -> int | None:
    """Rule 2. ``at_cut``: the annotated examples just before a cut. ``breaks``: which annotated examples have
    unlabeled ones before the next: they end a run of neighbors that are all annotated.
    """
    ends = np.append(np.flatnonzero(breaks), len(breaks))
    run = np.searchsorted(ends, at_cut)
    before = line.positions[np.append(0, ends[:-1] + 1)[run]] - 1
    after = line.positions[ends[run]] + 1
    nowhere = line.size + 1
    distance_before = np.where(before >= 0, line.positions[at_cut] - before, nowhere)[::-1]
    distance_after = np.where(after < line.size, after - line.positions[at_cut] - 1, nowhere)[::-1]
    if min(distance_before.min(initial=nowhere), distance_after.min(initial=nowhere)) == nowhere:
        return None
    if distance_before.min() <= distance_after.min():
        return int(before[::-1][np.argmin(distance_before)])
    return int(after[::-1][np.argmin(distance_after)])
