"""Algorithm 2, DIRECT: one round of annotation, from the trained network's scores to B_train labels."""

from __future__ import annotations

from collections.abc import Generator
from dataclasses import dataclass, field

import numpy as np

from labelbench_direct.core.annotations import Annotations
from labelbench_direct.core.one_vs_rest import OneVsRest, Tie
from labelbench_direct.core.options import Nearest, Options, ThresholdTie
from labelbench_direct.core.order import PoolOrders
from labelbench_direct.core.types import Indices
from labelbench_direct.core.version_space import VersionSpace
from labelbench_direct.core.vreduce import vreduce


@dataclass
class Findings:
    """What DIRECT found, by class: every version space in the order of time, and the estimated threshold."""

    version_spaces: dict[int, list[VersionSpace]] = field(default_factory=dict)
    thresholds: dict[int, int] = field(default_factory=dict)


def direct(
    orders: PoolOrders,
    known: Annotations,
    budget: int,
    parallel: int,
    rng: np.random.Generator,
    options: Options,
    found: Findings,
) -> Generator[Indices, Indices, None]:
    """Yield pool indices to annotate, at most ``parallel`` at a time, and be sent their labels.

    Asks for exactly ``budget`` (B_train) distinct unlabeled examples; there must be as many. ``known`` grows by their
    labels, ``found`` by what they show. Half of the budget searches thresholds, the rest annotates around them.
    """
    num_classes = orders.num_classes
    search_budget = budget // (2 * num_classes)  # b
    if options.min_budget_per_class is not None:
        search_budget = min(search_budget, options.min_budget_per_class)
    known_before = len(known)

    for k, order in orders.each(rng.permutation(num_classes).tolist(), whole=True):
        spaces = found.version_spaces.setdefault(k, [])
        yield from vreduce(known, order, k, search_budget, parallel, rng, options, spaces)

    rest = budget - (len(known) - known_before)
    for i, (k, order) in enumerate(orders.each(rng.permutation(num_classes).tolist(), whole=False)):
        share = rest * (i + 1) // num_classes - rest * i // num_classes
        line, stretch = known.near_best(order, k, share)
        threshold = found.thresholds[k] = line.best_threshold(_tie(options.threshold_tie, known, k))
        indices = stretch.indices_at(nearest_unlabeled(line, threshold, share, options.nearest))
        for start in range(0, share, parallel):
            batch = indices[start : start + parallel]
            labels = yield batch
            known.add(batch, labels)


def _tie(tie: ThresholdTie, known: Annotations, k: int) -> Tie:
    """Which end of equally good thresholds; section 4.1's rule depends on whether the class is the minority."""
    if tie != "minority":
        return tie
    return "highest" if 2 * np.count_nonzero(known.labels == k) < len(known) else "lowest"


def nearest_unlabeled(line: OneVsRest, threshold: int, count: int, nearest: Nearest = "position") -> Indices:
    """The positions of the ``count`` unlabeled examples nearest to a threshold, nearest first (Alg. 2, last step).

    The positions t - 1 and t are equally near to the threshold t; of equally near ones the lower comes first. With
    ``balanced`` the sides take turns, whatever the distance, until one is exhausted.
    """
    here, end = line.unlabeled_before(threshold), line.unlabeled_before(line.size)
    below = line.unlabeled_positions(np.arange(here - 1, max(here - count, 0) - 1, -1))
    above = line.unlabeled_positions(np.arange(here, min(here + count, end)))
    if nearest == "balanced":
        distances = np.concatenate([np.arange(len(below)), np.arange(len(above))])
    else:
        distances = np.concatenate([threshold - 1 - below, above - threshold])
    return np.concatenate([below, above])[np.argsort(distances, kind="stable")[:count]]
