"""What annotators have said so far, and what they have been asked."""

from __future__ import annotations

import numpy as np

from labelbench_direct.core.types import Indices

UNLABELED = -1
"""Nobody has been asked, or nobody will answer who was."""
OPEN = -2
"""Somebody has been asked and has not answered."""
OUT = -3
"""Nobody can tell."""


class Annotations:
    """The paper's L_t: pool indices and labels, with room for ``budget`` more; and the examples that are *taken*
    without a label, open or out, which are neither to be asked for nor evidence of anything.

    First come the labels known from the start, by ascending index, so that what is looked up for them is read along
    memory; then the others, in the order in which they came.
    """

    def __init__(self, indices: Indices, labels: Indices, budget: int, num_examples: int) -> None:
        self._count = len(indices)
        self._indices = np.concatenate([np.sort(indices), np.empty(budget, dtype=np.int64)])
        self._without_label: set[int] = set()
        self.label_of = np.full(num_examples, UNLABELED, dtype=np.int32)
        """(N,) the label of each example, or ``UNLABELED``, ``OPEN`` or ``OUT``."""
        self.label_of[indices] = labels
        self.revision = 0
        """How often anything has changed that is not a label of an unlabeled example."""

    def __len__(self) -> int:
        return self._count

    @property
    def indices(self) -> Indices:
        """The labeled examples."""
        return self._indices[: self._count]

    @property
    def without_label(self) -> Indices:
        """The examples that are open or out."""
        return np.array(list(self._without_label), dtype=np.int64)

    @property
    def num_unlabeled(self) -> int:
        return len(self.label_of) - self._count - len(self._without_label)

    @property
    def room(self) -> int:
        """How many more labels are to be asked for: what is left of the budget, or of the pool."""
        num_open = int(np.count_nonzero(self.label_of[self.without_label] == OPEN))
        return max(0, min(len(self._indices) - self._count - num_open, self.num_unlabeled))

    def add(self, indices: Indices, labels: Indices) -> None:
        """Labels of examples that had none."""
        if self._without_label:
            self.mark(indices, UNLABELED)
        stop = self._count + len(indices)
        self._indices[self._count : stop] = indices
        self.label_of[indices] = labels
        self._count = stop

    def since(self, count: int) -> Indices:
        """The indices of the labels that came after the first ``count``."""
        return self._indices[count : self._count]

    def mark(self, indices: Indices, state: int) -> None:
        """Make examples that have no label ``OPEN``, ``OUT`` or ``UNLABELED``."""
        self.label_of[indices] = state
        change = self._without_label.difference_update if state == UNLABELED else self._without_label.update
        change(indices.tolist())
        self.revision += 1

    def correct(self, indices: Indices, labels: Indices) -> None:
        """Other labels for examples that have one."""
        self.label_of[indices] = labels
        self.revision += 1
