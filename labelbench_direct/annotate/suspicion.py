"""Labels worth asking for again: those that contradict a confident threshold, on its far side."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from labelbench_direct.core.order import class_order
from labelbench_direct.core.types import Floats, Indices
from labelbench_direct.session import DirectSession

CONFIDENT = 0.1
"""A threshold is confident once its version space is down to this share of the pool."""


@dataclass(frozen=True)
class Suspicion:
    """A labeled example that class ``k``'s threshold contradicts, and by how much: its distance from the version space
    as a share of that side of the order.
    """

    index: int
    label: int
    k: int
    strength: float


def suspicious(scores: Floats, labels: Mapping[int, int], session: DirectSession) -> list[Suspicion]:
    """The labels that a confident threshold contradicts, the strongest contradiction first; each example once.

    A class's threshold is confident when its search has ended with a version space of at most a tenth of the pool. It
    contradicts a label of another class before the version space, and a label of the class behind it.
    """
    indices = np.fromiter(labels, dtype=np.int64, count=len(labels))
    given = np.fromiter(labels.values(), dtype=np.int64, count=len(labels))
    size = len(scores)
    found: dict[int, Suspicion] = {}
    for k in session.thresholds:
        space = session.version_spaces[k][-1]
        if space.high - space.low > CONFIDENT * size:
            continue
        strengths = _contradictions(_positions(scores, k)[indices], given == k, space.low, space.high, size)
        for place in np.flatnonzero(strengths > 0).tolist():
            index = int(indices[place])
            if index not in found or found[index].strength < strengths[place]:
                found[index] = Suspicion(index, int(given[place]), k, float(strengths[place]))
    return sorted(found.values(), key=lambda one: (-one.strength, one.index))


def _positions(scores: Floats, k: int) -> Indices:
    positions = np.empty(len(scores), dtype=np.int64)
    positions[class_order(scores, k)] = np.arange(len(scores))
    return positions


def _contradictions(positions: Indices, is_class: Indices, low: int, high: int, size: int) -> Floats:
    before = np.where(is_class, 0.0, (low - positions) / max(low, 1))
    behind = np.where(is_class, (positions + 1 - high) / max(size - high, 1), 0.0)
    return np.maximum(before, behind)
