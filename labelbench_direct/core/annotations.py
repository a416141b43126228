"""The labels that annotators have given so far, and what they say of one class against the rest."""

from __future__ import annotations

import numpy as np

from labelbench_direct.core.one_vs_rest import OneVsRest
from labelbench_direct.core.order import ClassOrder, Stretch
from labelbench_direct.core.types import Indices


class Annotations:
    """The paper's L_t: pool indices and labels in the order in which they came, with room for ``budget`` more."""

    def __init__(self, indices: Indices, labels: Indices, budget: int) -> None:
        self._count = len(indices)
        self._indices = np.concatenate([indices, np.empty(budget, dtype=np.int64)])
        self._labels = np.concatenate([labels, np.empty(budget, dtype=np.int64)])

    def __len__(self) -> int:
        return self._count

    @property
    def indices(self) -> Indices:
        return self._indices[: self._count]

    @property
    def labels(self) -> Indices:
        return self._labels[: self._count]

    def add(self, indices: Indices, labels: Indices) -> None:
        stop = self._count + len(indices)
        self._indices[self._count : stop] = indices
        self._labels[self._count : stop] = labels
        self._count = stop

    def since(self, count: int) -> tuple[Indices, Indices]:
        """The indices and labels that came after the first ``count``."""
        return self._indices[count : self._count], self._labels[count : self._count]

    def along(self, order: ClassOrder, k: int) -> OneVsRest:
        """What they say of class k, along its whole order."""
        return OneVsRest.along(order.everything, self.indices, self.labels == k, len(order))

    def near_best(self, order: ClassOrder, k: int, count: int) -> tuple[OneVsRest, Stretch]:
        """What they say of class k on a stretch of its order around the best thresholds, without sorting the rest.

        The stretch holds every threshold of least loss and, before the lowest and after the highest of them,
        ``count`` unlabeled examples, or all that there are: the best threshold and the unlabeled examples nearest to
        it are those of the whole order. Positions are those of the whole order; losses are less by a constant.
        """
        annotated = order.sorted(order.keys[self.indices], start=0)
        ascending = annotated.locate(self.indices)[1]
        indices, is_class = self.indices[ascending], self.labels[ascending] == k
        keys = order.keys[indices] & ~order.index_bits  # so that examples of one key are in or out together
        losses = OneVsRest(np.arange(len(keys)), is_class, len(keys)).losses
        first_best, last_best = np.flatnonzero(losses == losses.min())[[0, -1]].tolist()
        more = 2 + count * len(keys) // max(1, len(order) - len(keys))  # annotated examples to go beyond the best
        while True:
            more *= 2
            at_front, at_end = first_best - 1 - more < 0, last_best + more >= len(keys)
            low = _BEFORE_ALL if at_front else keys[first_best - 1 - more]
            high = _AFTER_ALL if at_end else keys[last_best + more]
            first, stop = np.searchsorted(keys, [low, high]).tolist()
            if stop <= last_best and not at_end:
                continue  # one key all the way from the best to the end of the stretch
            start = int(np.count_nonzero(order.keys < low))
            stretch = order.sorted(order.keys[(order.keys >= low) & (order.keys < high)], start)
            line = OneVsRest.along(stretch, indices[first:stop], is_class[first:stop], len(order))
            before = line.unlabeled_before(line.lowest_thresholds[first_best - first]) - start
            beyond = line.unlabeled_before(line.highest_thresholds[last_best - first])
            after = start + len(stretch) - len(line.positions) - beyond
            if (at_front or before >= count) and (at_end or after >= count):
                return line, stretch


_BEFORE_ALL = np.int64(-(2**63))
_AFTER_ALL = np.int64(2**63 - 1)
