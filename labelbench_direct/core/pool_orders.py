"""The orders of all classes over one pool, sorted together by several threads and held where memory allows."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np

from labelbench_direct.core.annotations import Annotations
from labelbench_direct.core.class_line import ClassLine
from labelbench_direct.core.engine import engine_for
from labelbench_direct.core.order import sort_orders
from labelbench_direct.core.scores import Scores, on_all_cores
from labelbench_direct.core.types import Order

_MOST_BYTES = 3 * 2**29
"""Of orders that are held."""
_WORTH_A_CORE = 2**17
"""So many scores to sort."""


class PoolOrders:
    """Extra memory: 4 bytes for each example and class, half of the scores' in double precision and at most 1.5 GiB;
    what is sorted at the same time, for each example and thread 24 bytes to 136, half a byte for each class, and for
    scores in half precision or on a device at most as much again; and a few numbers per example.

    Where not all orders can be held they are sorted group by group, and again when they are wanted again.
    """

    def __init__(self, scores: Scores) -> None:
        self._scores = scores.array
        self.num_examples, self.num_classes = self._scores.shape
        # With two classes the order is by score alone: by the gap to 1.
        self._highest = scores.highest if self.num_classes > 2 else np.ones(self.num_examples)
        self._engine = engine_for(self._scores.shape)
        self._index = np.dtype(np.int32 if self.num_examples < 2**31 else np.int64)
        self.together = min(self.num_classes, max(1, _MOST_BYTES // (self.num_examples * self._index.itemsize)))
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
        return self._sort([k])[k]

    def _sort(self, classes: Sequence[int]) -> dict[int, Order]:
        ascending = np.sort(np.array(classes))
        orders: Order = np.empty((len(classes), self.num_examples), self._index)

        def sort(part: slice) -> None:
            sort_orders(self._scores, self._highest, ascending[part], self._engine.passes, orders[part])

        on_all_cores(sort, orders, _WORTH_A_CORE)
        return dict(zip(ascending.tolist(), orders, strict=True))
