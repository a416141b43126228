"""Algorithm 2, DIRECT: one round of annotation, from the trained network's scores to B_train labels."""

from __future__ import annotations

from collections.abc import Generator
from dataclasses import dataclass, field

import numpy as np

from labelbench_direct.core.annotations import Annotations
from labelbench_direct.core.buckets import PoolOrders
from labelbench_direct.core.evidence import evidence_of
from labelbench_direct.core.one_vs_rest import Tie
from labelbench_direct.core.options import Options, ThresholdTie
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

    for k, order in orders.each(rng.permutation(num_classes).tolist()):
        spaces = found.version_spaces.setdefault(k, [])
        yield from vreduce(known, order, k, search_budget, parallel, rng, options, spaces)

    rest = budget - (len(known) - known_before)
    for i, (k, order) in enumerate(orders.each(rng.permutation(num_classes).tolist())):
        share = rest * (i + 1) // num_classes - rest * i // num_classes
        tie = _tie(options.threshold_tie, known, k)
        found.thresholds[k], indices = evidence_of(order, known, k).nearest(share, tie, options.nearest)
        for start in range(0, share, parallel):
            batch = indices[start : start + parallel]
            labels = yield batch
            known.add(batch, labels)


def _tie(tie: ThresholdTie, known: Annotations, k: int) -> Tie:
    """Which end of equally good thresholds; section 4.1's rule depends on whether the class is the minority."""
    if tie != "minority":
        return tie
    return "highest" if 2 * np.count_nonzero(known.labels == k) < len(known) else "lowest"
