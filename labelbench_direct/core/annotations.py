"""The labels that annotators have given so far."""

from __future__ import annotations

import numpy as np

from labelbench_direct.core.one_vs_rest import OneVsRest
from labelbench_direct.core.order import ClassOrder
from labelbench_direct.core.types import Indices


class Annotations:
    """Pool indices and their labels, in the order in which they came, with room for ``budget`` more (the paper's
    L_t).
    """

    def __init__(self, indices: Indices, labels: Indices, budget: int) -> None:
        self._count = len(indices)
        self._indices = np.concatenate([indices, np.empty(budget, dtype=np.int64)])
        self._labels = np.concatenate([labels, np.empty(budget, dtype=np.int64)])

    def __len__(self) -> int:
        return self._count

    def add(self, indices: Indices, labels: Indices) -> None:
        stop = self._count + len(indices)
        self._indices[self._count : stop] = indices
        self._labels[self._count : stop] = labels
        self._count = stop

    def since(self, count: int) -> tuple[Indices, Indices]:
        """The indices and labels that came after the first ``count``."""
        return self._indices[count : self._count], self._labels[count : self._count]

    def along(self, order: ClassOrder, k: int) -> OneVsRest:
        """What they say of class k against the rest."""
        return OneVsRest.along(order, self._indices[: self._count], self._labels[: self._count] == k)
