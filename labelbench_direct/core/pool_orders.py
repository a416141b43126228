"""The orders of all classes over one pool, sorted together by several threads and held where memory allows."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor

import numpy as np

from labelbench_direct.core.annotations import Annotations
from labelbench_direct.core.class_line import ClassLine
from labelbench_direct.core.cores import usable_cores
from labelbench_direct.core.engine import engine_for
from labelbench_direct.core.order import orders_of
from labelbench_direct.core.scores import WORTH_A_CORE, Scores
from labelbench_direct.core.types import Indices, Order, index_type

_COLUMNS = 4
"""Classes whose scores are read together: more would be read a little faster and sorted in more memory."""
_MOST_BYTES = 3 * 2**29
"""Of orders that are held."""


class PoolOrders:
    """Extra memory: 4 bytes for each example and class, half of the scores' in double precision and at most 1.5 GiB;
    what is sorted at the same time, 40 bytes for each example and thread; and a few numbers per example.

    Where not all orders can be held they are sorted group by group, and again when they are wanted again.
    """

    def __init__(self, scores: Scores) -> None:
        self._scores = scores.array
        self.num_examples, self.num_classes = self._scores.shape
        # With two classes the order is by score alone: by the gap to 1.
        self._highest = scores.highest if self.num_classes > 2 else np.ones(self.num_examples)
        self._engine = engine_for(self._scores.shape)
        bytes_each = self.num_examples * np.dtype(index_type(self.num_examples)).itemsize
        self.together = min(self.num_classes, max(1, _MOST_BYTES // bytes_each))
        """How many orders are held."""
        self._held: dict[int, Order] = {}

    def lines(self, classes: Sequence[int], known: Annotations) -> Iterator[ClassLine]:
        """These classes' lines, one after the other."""
        for start in range(0, len(classes), self.together):
            group = classes[start : start + self.together]
            if not self._held.keys() >= set(group):
                self._held.clear()
                self._held = self._sort(group)
            for k in group:
                yield self._engine.line(self._held[k], known, k)

    def order(self, k: int) -> Order:
        """(N,) one class's order, which is not held."""
        return orders_of(self._scores, self._highest, np.array([k]), self._engine.passes)[k]

    def _sort(self, classes: Sequence[int]) -> dict[int, Order]:
        ascending = np.sort(np.array(classes))
        parts = [ascending[start : start + _COLUMNS] for start in range(0, len(ascending), _COLUMNS)]

        def sort(part: Indices) -> dict[int, Order]:
            return orders_of(self._scores, self._highest, part, self._engine.passes)

        cores = min(usable_cores(), len(parts), len(ascending) * self.num_examples // WORTH_A_CORE)
        if cores < 2:
            return {k: order for part in parts for k, order in sort(part).items()}
        with ThreadPoolExecutor(cores) as executor:
            return {k: order for orders in executor.map(sort, parts) for k, order in orders.items()}
