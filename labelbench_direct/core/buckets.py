"""Eq. 2 at the price of one pass: every class's order cut into buckets, and sorted only where that is asked for.

The examples of a bucket are neighbors in the order; a byte tells an example's bucket, and the buckets' sizes tell the
position at which each of them starts. What VReduce asks of an order (how many examples are between two thresholds, who
is at a position) is answered by sorting the one or two buckets that it depends on.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import cached_property

import numpy as np

from labelbench_direct.core import passes
from labelbench_direct.core.order import index_type, order_of, permutation
from labelbench_direct.core.scores import Scores, on_all_cores
from labelbench_direct.core.types import Codes, Floats, Indices

NUM_BUCKETS = 256
_SAMPLE = 2048  # examples from which the buckets are made


class PoolOrders:
    """The orders of all K classes over one pool.

    Extra memory: an eighth of the scores' for the buckets (one byte for each score in float64), a few numbers per
    example, 13 KB for each class, and a sample of at most 4,095 rows. Where an eighth doesn't hold the bytes of all
    classes, the scores are read once for every group of classes for which it does.
    """

    def __init__(self, scores: Scores, num_buckets: int | None = None) -> None:
        """``num_buckets``: at most 256, by default so many; with one, orders are sorted as a whole."""
        self._scores = scores.array
        self.num_examples, self.num_classes = self._scores.shape
        # With two classes the order is by score alone: by the gap to 1.
        self.highest = scores.highest if self.num_classes > 2 else np.ones(self.num_examples)
        self.fastest = passes.fastest(self._scores.shape)
        self._num_buckets = num_buckets or NUM_BUCKETS
        self._together = max(1, self.num_classes * self._scores.dtype.itemsize // 8)
        self._codes: Codes | None = None  # of the classes at work, one group after the other
        self._coded: dict[int, tuple[Codes, Indices]] = {}  # by class: codes, and where the buckets start
        self._room = np.empty(self.num_examples, dtype=index_type(self.num_examples))

    def each(self, classes: Sequence[int]) -> Iterator[tuple[int, ClassOrder]]:
        """The orders of these classes, one after the other: each good until the next one is taken."""
        for start in range(0, len(classes), self._together):
            group = classes[start : start + self._together]
            if not self._coded.keys() >= set(group):
                self._coded = self._code(range(self.num_classes) if self._together >= self.num_classes else group)
            for k in group:
                yield k, ClassOrder(self, *self._coded[k], self._scores[:, k], self._room)

    @cached_property
    def numbering(self) -> Indices:
        """(N,) the pool in an order that does not depend on how its rows are ordered: class 0's."""
        return self.permutation(0)

    def permutation(self, k: int) -> Indices:
        """(N,) the whole order of one class: ``class_order``, fast."""
        return permutation(self._scores[:, k], self.highest)

    def _code(self, classes: Sequence[int]) -> dict[int, tuple[Codes, Indices]]:
        """Every example's bucket in the orders of these classes, in one pass on all cores."""
        ascending = np.sort(np.array(classes))
        sample = slice(None, None, max(1, self.num_examples // _SAMPLE))
        buckets = self.fastest.buckets_of_levels(
            passes.plain(self._scores[sample]), self.highest[sample], ascending, self._num_buckets
        )
        if self._codes is None:
            self._codes = np.empty((self._together, self.num_examples), dtype=np.uint8)
        codes = self._codes[: len(ascending)]

        def code(part: range) -> Indices:
            counts = np.zeros((len(ascending), self._num_buckets), dtype=np.int64)
            for place, rows in passes.blocks(self._scores, part, self.fastest):
                self.fastest.encode(rows, self.highest[place], ascending, buckets, codes[:, place], counts)
            return counts

        counts = sum(on_all_cores(code, self._scores))
        starts = np.zeros((len(ascending), self._num_buckets + 1), dtype=np.int64)
        np.cumsum(counts, axis=1, out=starts[:, 1:])
        return {k: (codes[j], starts[j]) for j, k in enumerate(ascending.tolist())}


class ClassOrder:
    """One class's order of the pool.

    ``codes`` (N,) the bucket of each example; ``starts`` (B+1,) the position at which each bucket starts, and N.
    """

    def __init__(self, pool: PoolOrders, codes: Codes, starts: Indices, score: Floats, room: Indices) -> None:
        """``score`` (N,) of the class, in any dtype; ``room`` (N,) is written to."""
        self.pool = pool
        self.codes, self.starts = codes, starts
        self.score, self.highest = score, pool.highest
        self.sorted_indices = room  # by position, in the buckets that are sorted
        self.is_sorted = np.zeros(len(starts) - 1, dtype=bool)

    def __len__(self) -> int:
        return len(self.codes)

    @property
    def num_buckets(self) -> int:
        return len(self.is_sorted)

    def buckets_between(self, low: int, high: int) -> tuple[int, int]:
        """The first and the last bucket of the thresholds ``low`` to ``high``: those at both ends may be in two."""
        first = int(np.searchsorted(self.starts, low, side="right")) - 1
        last = int(np.searchsorted(self.starts, high, side="left")) - 1
        first = min(first, self.num_buckets - 1)
        return first, max(first, last)

    def indices(self, low: int, high: int) -> Indices:
        """The pool indices at the positions ``low`` to ``high - 1``."""
        if low < high:
            first, last = self.buckets_between(low, high)
            self._sort(first, last + 1)
        return self.sorted_indices[low:high].astype(np.int64)

    def indices_at(self, positions: Indices) -> Indices:
        """The pool indices at these positions."""
        if len(positions) == 0:
            return positions
        lowest = int(positions.min())
        return self.indices(lowest, int(positions.max()) + 1)[positions - lowest]

    def _sort(self, first: int, stop: int) -> None:
        """Sort the buckets ``first`` to ``stop - 1``, as far as they are not sorted yet."""
        missing = np.flatnonzero(~self.is_sorted[first:stop])
        if len(missing) == 0:
            return
        first, stop = first + int(missing[0]), first + int(missing[-1]) + 1
        members = passes.members(self.codes, first, stop)
        score = self.score[members].astype(np.float64)
        self.sorted_indices[self.starts[first] : self.starts[stop]] = members[
            order_of(score, self.highest[members] - score)
        ]
        self.is_sorted[first:stop] = True
