"""Algorithm 2, DIRECT: one round of annotation, from the trained network's scores to B_train labels."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from itertools import islice, zip_longest
from typing import Literal

import numpy as np

from labelbench_direct.core.annotations import OPEN, UNLABELED, Annotations
from labelbench_direct.core.class_line import ClassLine
from labelbench_direct.core.one_vs_rest import Tie
from labelbench_direct.core.options import Options, ThresholdTie
from labelbench_direct.core.pool_orders import PoolOrders
from labelbench_direct.core.types import Indices
from labelbench_direct.core.version_space import VersionSpace
from labelbench_direct.core.vreduce import vreduce

Schedule = Literal["sequential", "interleaved"]
"""One class after the other, as in the paper, or all classes side by side."""


@dataclass
class Findings:
    """What DIRECT found, by class: every version space in the order of time, and the estimated threshold."""

    version_spaces: dict[int, list[VersionSpace]] = field(default_factory=dict)
    thresholds: dict[int, int] = field(default_factory=dict)


def direct(
    orders: PoolOrders,
    known: Annotations,
    parallel: int,
    rng: np.random.Generator,
    options: Options,
    found: Findings,
    schedule: Schedule = "sequential",
) -> Iterator[Indices]:
    """Yield pool indices to annotate, at most ``parallel`` at a time for each class at work; go on with what ``known``
    holds by then. What is still unanswered by then has to be marked as open.

    Asks until the ``room`` of ``known`` (B_train) is filled; an empty array says that what is open will decide. Half of
    the budget searches thresholds, the rest annotates around them, and so does what a search could not spend or nobody
    could answer. ``found`` grows by what the labels show.
    """
    num_classes = orders.num_classes
    search_budget = known.room // (2 * num_classes)  # b
    if options.min_budget_per_class is not None:
        search_budget = min(search_budget, options.min_budget_per_class)

    def search(line: ClassLine) -> Iterator[Indices]:
        spaces = found.version_spaces.setdefault(line.k, [])
        return vreduce(line, search_budget, parallel, rng, options.keep_best, spaces)

    def annotate_around_threshold(line: ClassLine) -> Iterator[Indices]:
        found.thresholds[line.k] = line.best_threshold(_tie(options.threshold_tie, known, line.k))  # t*
        indices = line.nearest(found.thresholds[line.k], shares[line.k])
        for start in range(0, len(indices), parallel):
            batch = indices[start : start + parallel]
            batch = batch[known.label_of[batch] == UNLABELED]  # still
            if len(batch):
                yield batch

    def each_class(work: Callable[[ClassLine], Iterator[Indices]], classes: list[int]) -> Iterator[Indices]:
        lines = orders.lines(classes, known)
        together = 1 if schedule == "sequential" else orders.together
        while group := [work(line) for line in islice(lines, together)]:
            yield from group[0] if together == 1 else _side_by_side(group, known)

    yield from each_class(search, rng.permutation(num_classes).tolist())
    while True:
        classes = rng.permutation(num_classes).tolist()
        parts = np.diff(known.room * np.arange(num_classes + 1) // num_classes).tolist()
        shares = dict(zip(classes, parts, strict=True))
        yield from each_class(annotate_around_threshold, classes)
        while known.room == 0:
            yield np.zeros(0, dtype=np.int64)


def _side_by_side(searches: list[Iterator[Indices]], known: Annotations) -> Iterator[Indices]:
    """One batch of each, all at once, until the last is done."""

    def marked(search: Iterator[Indices]) -> Iterator[Indices]:
        for batch in search:
            known.mark(batch, OPEN)  # so that the next one doesn't ask for the same
            yield batch

    for batches in zip_longest(*map(marked, searches), fillvalue=np.zeros(0, dtype=np.int64)):
        yield np.concatenate(batches)


def _tie(tie: ThresholdTie, known: Annotations, k: int) -> Tie:
    """Which end of equally good thresholds; section 4.1's rule depends on whether the class is the minority."""
    if tie != "minority":
        return tie
    return "highest" if 2 * np.count_nonzero(known.label_of[known.indices] == k) < len(known) else "lowest"
