"""Eq. 2: the order in which one class sees the pool.

Examples most like the class come first: descending margin score, equal margins by descending score of the class,
still equal by ascending pool index. Margins are taken in the dtype of the scores. Ties are common (every example
predicted as the class has margin 0; half-precision scores repeat), so the tie rule is part of the order.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from labelbench_direct.core.types import Floats, Indices, Mask


def margin_score(probabilities: Floats, k: int) -> Floats:
    """``p_k(x) - max_c p_c(x)`` for every example, shape (N,): 0 where class k is predicted, negative elsewhere."""
    margins: Floats = probabilities[:, k] - probabilities.max(axis=1)
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


@dataclass(frozen=True)
class ClassOrder:
    """One class's order of the pool, as a permutation and its inverse.

    ``indices[position]`` is the pool index at a position; ``positions[index]`` is the position of a pool index.
    """

    indices: Indices

    def __len__(self) -> int:
        return len(self.indices)

    @cached_property
    def positions(self) -> Indices:
        positions = np.empty_like(self.indices)
        positions[self.indices] = np.arange(len(self.indices))
        return positions


class PoolOrders:
    """The orders of all K classes over one pool, each sorted when it is asked for and kept by nobody.

    Equal to ``class_order``, without its stable sort: an unstable vectorized sort of one number per example, then
    the examples whose numbers are equal (few) are put right. Extra memory: O(N).
    """

    def __init__(self, probabilities: Floats) -> None:
        self._probabilities = probabilities
        self.num_examples, self.num_classes = probabilities.shape
        # Class by class, in blocks of rows that stay in the cache: several times faster than max(axis=1).
        self._highest = np.empty(self.num_examples, dtype=probabilities.dtype)
        for start in range(0, self.num_examples, _ROWS):
            rows = probabilities[start : start + _ROWS]
            np.max(np.ascontiguousarray(rows.T), axis=0, out=self._highest[start : start + _ROWS])

    def __getitem__(self, k: int) -> ClassOrder:
        score = self._probabilities[:, k]
        key = score if self.num_classes == 2 else score - self._highest
        indices = np.argsort(-key)
        _sort_within_ties(indices, key, score)
        return ClassOrder(indices)


_ROWS = 1024


def _sort_within_ties(indices: Indices, key: Floats, score: Floats) -> None:
    """Order examples of equal key, adjacent in ``indices``, by descending score, then by ascending index. In place."""
    ordered = key[indices]
    tied: Mask = np.zeros(len(ordered), dtype=bool)
    equal_next = ordered[1:] == ordered[:-1]
    tied[1:] = equal_next
    tied[:-1] |= equal_next
    members = indices[tied]
    indices[tied] = members[np.lexsort((members, -score[members], -ordered[tied]))]
