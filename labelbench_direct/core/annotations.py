"""The labels that annotators have given so far."""

from __future__ import annotations

import numpy as np

from labelbench_direct.core.types import Indices

UNLABELED = -1


class Annotations:
    """The paper's L_t: pool indices and labels, with room for ``budget`` more.

    First come those known from the start, by ascending index, so that what is looked up for them is read along memory;
    then the others, in the order in which they came.
    """

    def __init__(self, indices: Indices, labels: Indices, budget: int, num_examples: int) -> None:
        self._count = len(indices)
        ascending = np.argsort(indices)
        self._indices = np.concatenate([indices[ascending], np.empty(budget, dtype=np.int64)])
        self._labels = np.concatenate([labels[ascending], np.empty(budget, dtype=np.int64)])
        self.label_of = np.full(num_examples, UNLABELED, dtype=np.int32)
        """(N,) the label of each example, or ``UNLABELED``."""
        self.label_of[indices] = labels

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
        self.label_of[indices] = labels
        self._count = stop

    def since(self, count: int) -> tuple[Indices, Indices]:
        """The indices and labels that came after the first ``count``."""
        return self._indices[count : self._count], self._labels[count : self._count]
