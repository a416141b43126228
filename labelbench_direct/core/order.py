"""Eq. 2: the order in which one class sees the pool.

Examples most like the class come first: descending margin score, equal margins by descending score of the class,
still equal by ascending pool index. Margins are taken in float64, so that scores of one value give one order in every
dtype. Ties are common (half-precision scores repeat), so the tie rule is part of the order.
"""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor

import numpy as np

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
    """One class's order of the pool: Eq. 2 by one vectorized sort of one integer per example. Extra memory: O(N).

    The integer holds the margin in its high bits and the pool index in its low ones, so that sorting it sorts the
    indices along. The few places where the high bits cannot tell neighbours apart are put right afterwards.
    """

    def __init__(self, score: Floats, highest: Floats, num_classes: int) -> None:
        """``score`` (N,) of the class, ``highest`` (N,) of all K classes, both float64."""
        self._index_bits = np.int64((1 << max(1, (len(score) - 1).bit_length())) - 1)
        self._keys = _keys(score, highest, num_classes)
        self._keys &= ~self._index_bits
        self._keys |= np.arange(len(score))
        self._ordered = np.sort(self._keys)
        self._wrong = self._wrong_places(score, highest if num_classes > 2 else score)
        if len(self._wrong):
            indices = self._ordered[self._wrong] & self._index_bits
            above = self._ordered[self._wrong] & ~self._index_bits
            margin = score[indices] - highest[indices] if num_classes > 2 else np.zeros(len(indices))
            rank = np.lexsort((indices, -score[indices], -margin, above))
            self._right = indices[rank]  # the examples that belong in the wrong places
            self._landing = self._wrong[np.argsort(rank)]  # where the examples there belong

    def __len__(self) -> int:
        return len(self._ordered)

    def indices_at(self, positions: Indices) -> Indices:
        """The pool indices of the examples at these positions."""
        indices: Indices = self._ordered[positions] & self._index_bits
        if len(self._wrong):
            place, is_wrong = self._find_wrong(positions)
            indices[is_wrong] = self._right[place[is_wrong]]
        return indices

    def locate(self, indices: Indices) -> tuple[Indices, Indices]:
        """The positions of these examples in ascending order, and the argsort of ``indices`` that puts them in it."""
        keys = self._keys[indices]
        ascending = np.argsort(keys)
        positions = np.searchsorted(self._ordered, keys[ascending])
        if len(self._wrong):
            place, is_wrong = self._find_wrong(positions)
            if is_wrong.any():
                positions[is_wrong] = self._landing[place[is_wrong]]
                again = np.argsort(positions)
                return positions[again], ascending[again]
        return positions, ascending

    def _find_wrong(self, positions: Indices) -> tuple[Indices, Mask]:
        """Where in the wrong places each position is, if it is one of them."""
        place = np.minimum(np.searchsorted(self._wrong, positions), len(self._wrong) - 1)
        return place, self._wrong[place] == positions

    def _wrong_places(self, score: Floats, highest: Floats) -> Indices:
        """The places, ascending, of examples that agree above the index but not in Eq. 2, and of all between them."""
        agree = np.flatnonzero((self._ordered[1:] ^ self._ordered[:-1]) <= self._index_bits)
        first, second = self._ordered[agree] & self._index_bits, self._ordered[agree + 1] & self._index_bits
        gap_first, gap_second = highest[first] - score[first], highest[second] - score[second]
        unequal = (gap_first != gap_second) | (score[first] != score[second])
        if not unequal.any():
            return agree[:0]
        run = np.cumsum(np.diff(agree, prepend=-2) > 1)  # consecutive places that agree are one run
        wrong = agree[np.isin(run, run[unequal])]
        return np.union1d(wrong, wrong + 1)


_UNIT = 2.0**62
_LAST = np.int64(2**63 - 1)
_NEARLY_ONE = 1 - 2.0**-40


def _keys(score: Floats, highest: Floats, num_classes: int) -> Indices:
    """Integers that ascend along the order of Eq. 2, up to ties."""
    if num_classes == 2:
        return (score * -_UNIT).astype(np.int64)
    gap = highest - score  # minus the margin
    keys: Indices = (gap * _UNIT).astype(np.int64)
    predicted = np.flatnonzero(gap == 0)
    keys[predicted] = score[predicted] * -_UNIT  # all margins are 0: by score
    # Next to nothing for the class, everything for another: a saturated network has many of these, with almost one
    # margin. Where the highest score is 1, the score's own bits tell them apart.
    saturated = np.flatnonzero(gap > _NEARLY_ONE)
    if (highest[saturated] == 1).all():
        keys[saturated] = _LAST - np.abs(score[saturated]).view(np.int64)
    return keys


class PoolOrders:
    """The orders of all K classes over one pool."""

    def __init__(self, probabilities: Floats) -> None:
        self._probabilities = probabilities
        self.num_examples, self.num_classes = probabilities.shape
        self._highest = np.empty(self.num_examples)
        for start in range(0, self.num_examples, _ROWS):
            rows = probabilities[start : start + _ROWS]
            # Class by class on transposed rows that fit the cache: faster than max(axis=1) for all but long rows.
            rows = rows if self.num_classes > _LONG_ROW else np.ascontiguousarray(rows.T).T
            self._highest[start : start + _ROWS] = rows.max(axis=1)

    def __getitem__(self, k: int) -> ClassOrder:
        score = self._probabilities[:, k].astype(np.float64)
        return ClassOrder(score, self._highest, self.num_classes)

    def each(self, classes: Iterable[int]) -> Iterator[tuple[int, ClassOrder]]:
        """The orders of these classes, one after the other; the next ones are sorted while the caller works."""
        ahead = min(os.cpu_count() or 1, _MOST_AHEAD, max(1, self.num_classes // 8))
        waiting: deque[tuple[int, Future[ClassOrder]]] = deque()
        with ThreadPoolExecutor(ahead) as executor:
            for k in classes:
                waiting.append((k, executor.submit(self.__getitem__, k)))
                if len(waiting) > ahead:
                    done, order = waiting.popleft()
                    yield done, order.result()
            while waiting:
                done, order = waiting.popleft()
                yield done, order.result()


_ROWS = 1024
_LONG_ROW = 128
_MOST_AHEAD = 4
