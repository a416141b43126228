"""What labels say of each class's threshold, here called its cut: where it may be, and which labels contradict it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import numpy as np

from labelbench_direct.core.one_vs_rest import OneVsRest
from labelbench_direct.core.order import class_order
from labelbench_direct.core.types import Floats, Indices, Mask

NARROW = 0.1
"""A cut is narrow where its range is at most this share of the pool."""
_LEAST_LABELS = 5
_MOST_ERRORS = 1 / 3
_FAR = 0.25


@dataclass(frozen=True)
class Cut:
    """The thresholds of least loss (Eq. 1) go from ``low`` to ``high``: so many examples, from the front of the class's
    order, are called the class. ``errors``: their loss, of ``members`` labels of the class, in a pool of ``size``.
    """

    low: int
    high: int
    errors: int
    members: int
    size: int

    @property
    def is_narrow(self) -> bool:
        """Whether labels have settled where it is."""
        return self.high - self.low <= NARROW * self.size

    @property
    def is_confident(self) -> bool:
        """Whether a label on the far side is more doubtful than the cut: it is narrow, the class has five labels or
        more, and at most a third as many labels contradict it.
        """
        return self.is_narrow and self.members >= _LEAST_LABELS and self.errors <= _MOST_ERRORS * self.members


@dataclass(frozen=True)
class Suspicion:
    """A label that class ``k``'s cut contradicts. ``strength``: how far from the cut, as a share of that side."""

    index: int
    label: int
    k: int
    strength: float


def positions(scores: Floats, indices: Indices) -> Iterator[Indices]:
    """For each class, where in its order these pool indices are."""
    place = np.empty(len(scores), dtype=np.int64)
    for k in range(scores.shape[1]):
        place[class_order(scores, k)] = np.arange(len(scores))
        yield place[indices]


def cut_of(positions: Indices, is_class: Mask, size: int) -> Cut:
    """The cut by labels at these positions of a class's order."""
    along = np.argsort(positions)
    line = OneVsRest(positions[along], np.where(is_class[along], 1, -1), size)
    lowest, highest = line.best_steps
    return Cut(int(lowest[0]), int(highest[-1]), int(line.losses.min()), int(np.count_nonzero(is_class)), size)


def suspicions(scores: Floats, labels: Mapping[int, int]) -> list[Suspicion]:
    """The labels on the far side of a confident cut, the farthest first, each example once: of another class in the
    front three quarters of what is before it, or of the class in the last three quarters of what is behind it.
    """
    indices = np.fromiter(labels, dtype=np.int64, count=len(labels))
    given = np.fromiter(labels.values(), dtype=np.int64, count=len(labels))
    found: dict[int, Suspicion] = {}
    for k, places in enumerate(positions(scores, indices)):
        cut = cut_of(places, given == k, len(scores))
        if not cut.is_confident:
            continue
        before = (cut.low - places) / max(cut.low, 1)
        behind = (places + 1 - cut.high) / max(cut.size - cut.high, 1)
        strengths = np.where(given == k, behind, before)
        for i in np.flatnonzero(strengths >= _FAR).tolist():
            index, strength = int(indices[i]), float(strengths[i])
            if index not in found or found[index].strength < strength:
                found[index] = Suspicion(index, int(given[i]), k, strength)
    return sorted(found.values(), key=lambda one: (-one.strength, one.index))
