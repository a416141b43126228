"""Eq. 2: the order in which one class sees the pool.

Examples most like the class come first: descending margin score, equal margins by descending score of the class,
still equal by ascending pool index. Margins are taken in float64, so that scores of one value give one order in every
dtype. Ties are common (half-precision scores repeat), so the tie rule is part of the order.
"""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from functools import cached_property, partial

import numpy as np

from labelbench_direct.core.scores import BLOCK, on_all_cores
from labelbench_direct.core.types import Floats, Indices, Mask


def margin_score(probabilities: Floats, k: int) -> Floats:
    """``p_k(x) - max_c p_c(x)`` for every example, shape (N,): 0 where class k is predicted, negative elsewhere."""
    margins: Floats = probabilities[:, k].astype(np.float64) - probabilities.max(axis=1)
    return margins


def class_order(probabilities: Floats, k: int) -> Indices:
    """Eq. 2, readable: the pool indices, shape (N,), examples most like class k first.

    With two classes the margin is a strictly increasing function of ``p_k`` up to rounding, and the paper sorts by
    ``p_k`` itself (section 4.1): so does this.
    """
    score = probabilities[:, k]
    if probabilities.shape[1] == 2:
        return np.argsort(-score, kind="stable")
    return np.lexsort((-score, -margin_score(probabilities, k)))  # stable: equal keys stay in pool order


class ClassOrder:
    """One class's order of the pool, fast: Eq. 2 as one integer per example, sorted only where that is asked for.

    The integer holds the margin in its high bits and the pool index in its low ones, so that a vectorized sort of the
    integers sorts the indices along. What the high bits cannot tell apart is put right after the sort.
    """

    def __init__(self, score: Floats, highest: Floats, num_classes: int, saturates: bool) -> None:
        """``score`` (N,) of the class; ``highest`` (N,) of all K classes, in float64, ``saturates`` where none of them
        is nearly 1 without being 1.
        """
        self._score = score
        self._highest = highest
        self._by_margin = num_classes > 2
        self.index_bits = np.int64((1 << max(1, (len(score) - 1).bit_length())) - 1)
        self.keys = np.empty(len(score), dtype=np.int64)
        for start in range(0, len(score), _CHUNK):
            chunk = slice(start, start + _CHUNK)
            keys = _keys(score[chunk].astype(np.float64), highest[chunk] if self._by_margin else None, saturates)
            keys &= ~self.index_bits
            np.bitwise_or(keys, np.arange(start, start + len(keys)), out=self.keys[chunk])

    def __len__(self) -> int:
        return len(self.keys)

    @cached_property
    def everything(self) -> Stretch:
        """The whole order, sorted."""
        return self.sorted(self.keys, start=0)

    def sorted(self, keys: Indices, start: int) -> Stretch:
        """The examples with these keys, in order; the first is given the position ``start``."""
        return Stretch(self, np.sort(keys), start)

    def margins_and_scores(self, indices: Indices) -> tuple[Floats, Floats]:
        """What Eq. 2 compares, of some examples, in float64."""
        scores = self._score[indices].astype(np.float64)
        return (scores - self._highest[indices] if self._by_margin else scores), scores


class Stretch:
    """Some examples in one class's order, at the positions from ``start`` on."""

    def __init__(self, order: ClassOrder, ordered: Indices, start: int) -> None:
        self._keys = order.keys  # and not the order, which holds its whole stretch: a cycle would outlive its use
        self._index_bits = order.index_bits
        self._ordered = ordered  # keys, ascending
        self._start = start
        self._wrong = self._wrong_places(order)
        if len(self._wrong):
            indices = self._indices(self._wrong)
            margins, scores = order.margins_and_scores(indices)
            above = ordered[self._wrong] & ~order.index_bits
            rank = np.lexsort((indices, -scores, -margins, above))
            self._right = indices[rank]  # the examples that belong in the wrong places
            self._landing = self._wrong[np.argsort(rank)]  # where the examples there belong

    def __len__(self) -> int:
        return len(self._ordered)

    @property
    def indices(self) -> Indices:
        """The pool indices of all its examples, in order."""
        indices: Indices = self._ordered & self._index_bits
        if len(self._wrong):
            indices[self._wrong] = self._right
        return indices

    def indices_at(self, positions: Indices) -> Indices:
        """The pool indices of the examples at these positions."""
        places = positions - self._start
        indices = self._indices(places)
        if len(self._wrong):
            which, is_wrong = self._find_wrong(places)
            indices[is_wrong] = self._right[which[is_wrong]]
        return indices

    def locate(self, indices: Indices) -> tuple[Indices, Indices]:
        """The positions of these examples in ascending order, and the argsort of ``indices`` that puts them in it."""
        keys = self._keys[indices]
        ascending = np.argsort(keys)
        places = np.searchsorted(self._ordered, keys[ascending])
        if len(self._wrong):
            which, is_wrong = self._find_wrong(places)
            places[is_wrong] = self._landing[which[is_wrong]]
            again = np.argsort(places, kind="stable")
            places, ascending = places[again], ascending[again]
        return self._start + places, ascending

    def _indices(self, places: Indices) -> Indices:
        indices: Indices = self._ordered[places] & self._index_bits
        return indices

    def _find_wrong(self, places: Indices) -> tuple[Indices, Mask]:
        """Which of the wrong places each place is, and whether it is one."""
        which = np.minimum(np.searchsorted(self._wrong, places), len(self._wrong) - 1)
        return which, self._wrong[which] == places

    def _wrong_places(self, order: ClassOrder) -> Indices:
        """The places, ascending, of runs that agree above the index although Eq. 2 tells some of their examples
        apart.
        """
        agree = np.flatnonzero((self._ordered[1:] ^ self._ordered[:-1]) <= self._index_bits)
        if len(agree) == 0:
            return agree
        first = order.margins_and_scores(self._indices(agree))
        second = order.margins_and_scores(self._indices(agree + 1))
        unequal = (first[0] != second[0]) | (first[1] != second[1])
        run = np.cumsum(np.diff(agree, prepend=-2) > 1)  # consecutive places that agree are one run
        wrong = agree[np.isin(run, run[unequal])]
        return np.union1d(wrong, wrong + 1)


_CHUNK = 16384  # examples whose keys are made at a time, in the cache
_UNIT = 2.0**62
_LAST = np.int64(2**63 - 2**50)
_NEARLY_ONE = 1 - 2.0**-40


def _keys(score: Floats, highest: Floats | None, saturates: bool) -> Indices:
    """Integers that ascend along the order of Eq. 2, up to ties; by the score alone where ``highest`` is None."""
    if highest is None:
        return (score * -_UNIT).astype(np.int64)
    gap = highest - score  # minus the margin
    keys: Indices = (gap * _UNIT).astype(np.int64)
    predicted = np.flatnonzero(gap == 0)
    keys[predicted] = score[predicted] * -_UNIT  # all margins are 0: by score
    if saturates:
        # Next to nothing for the class, everything for another: a saturated network has many of these, with almost one
        # margin. Their highest score is 1, so that the score's own bits tell them apart.
        saturated = np.flatnonzero(gap > _NEARLY_ONE)
        keys[saturated] = _LAST - np.abs(score[saturated]).view(np.int64)
    return keys


class PoolOrders:
    """The orders of all K classes over one pool. Reads the scores once, and then a few classes at a time.

    Extra memory: O(N) for each of the few classes at work, about a sixth of the scores in all; at least six numbers
    per example.
    """

    def __init__(self, probabilities: Floats) -> None:
        self._probabilities = probabilities
        self.num_examples, self.num_classes = probabilities.shape
        self._highest = np.empty(self.num_examples)
        on_all_cores(self._find_highest, probabilities)
        self._saturates = bool((self._highest[self._highest > _NEARLY_ONE] == 1).all())

    def _find_highest(self, place: slice, rows: Floats) -> None:
        # Class by class on transposed rows that fit the cache: faster than max(axis=1) for all but long rows.
        rows = rows if self.num_classes > _LONG_ROW else np.ascontiguousarray(rows.T).T
        self._highest[place] = rows.max(axis=1)

    def __getitem__(self, k: int) -> ClassOrder:
        return self._prepare(self._columns([k])[0], whole=False)

    def each(self, classes: Sequence[int], whole: bool) -> Iterator[tuple[int, ClassOrder]]:
        """The orders of these classes, one after the other, sorted if ``whole``; prepared ahead, while the caller
        works.
        """
        workers = max(1, min(os.cpu_count() or 1, _MOST_WORKERS, self.num_classes // _CLASSES_PER_WORKER))
        waiting: deque[tuple[int, Future[ClassOrder]]] = deque()
        with ThreadPoolExecutor(workers) as executor:
            for k, score in self._scores(classes, executor):
                waiting.append((k, executor.submit(self._prepare, score, whole)))
                if len(waiting) > workers:
                    first, order = waiting.popleft()
                    yield first, order.result()
            while waiting:
                first, order = waiting.popleft()
                yield first, order.result()

    def _prepare(self, score: Floats, whole: bool) -> ClassOrder:
        order = ClassOrder(score, self._highest, self.num_classes, self._saturates)
        if whole:
            order.everything  # noqa: B018  # sorts
        return order

    def _scores(self, classes: Sequence[int], executor: ThreadPoolExecutor) -> Iterator[tuple[int, Floats]]:
        """The columns of these classes, read several at a time: a row of many classes is fetched from memory in
        lines.
        """
        together = max(1, self.num_classes // _CLASSES_PER_WORKER // 2)
        for start in range(0, len(classes), together):
            some = classes[start : start + together]
            yield from zip(some, self._columns(some, executor), strict=True)

    def _columns(self, classes: Sequence[int], executor: ThreadPoolExecutor | None = None) -> Floats:
        """(len(classes), N): the scores of some classes, in their own dtype."""
        columns = np.empty((len(classes), self.num_examples), dtype=self._probabilities.dtype)
        rows_at_once = BLOCK if self.num_classes > _LONG_ROW else self.num_examples
        read = partial(self._read_rows, classes, columns, rows_at_once)
        list((executor.map if executor else map)(read, range(0, self.num_examples, rows_at_once)))
        return columns

    def _read_rows(self, classes: Sequence[int], columns: Floats, count: int, start: int) -> None:
        rows = self._probabilities[start : start + count]
        for column, k in zip(columns, classes, strict=True):
            column[start : start + count] = rows[:, k]


_LONG_ROW = 128
_CLASSES_PER_WORKER = 12
_MOST_WORKERS = 8
