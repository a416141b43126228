"""Eq. 2: the order in which one class sees the pool.

Examples most like the class come first: descending margin score, equal margins by descending score of the class,
still equal by ascending pool index. Margins are taken in float64, so that scores of one value give one order in every
dtype. Ties are common (half-precision scores repeat), so the tie rule is part of the order.

``class_order`` is the definition. ``permutation`` is the same, fast; ``buckets`` sorts only what is asked for.
"""

from __future__ import annotations

import numpy as np

from labelbench_direct.core.types import Floats, Indices


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


def order_of(score: Floats, gap: Floats) -> Indices:
    """(n,): the argsort by ascending gap, equal gaps by descending score, still equal ones as they are.

    ``gap`` in float64: minus the margin score.
    """
    order: Indices = np.argsort(gap)
    ascending = gap[order]
    if (ascending[1:] == ascending[:-1]).any():
        return np.lexsort((-score, gap))
    return order


def permutation(score: Floats, gap: Floats) -> Indices:
    """``order_of`` for whole pools, several times faster: one vectorized sort of integers.

    An integer holds the gap in its high bits (where it is 0, the score) and the index in its low ones. Runs that the
    high bits cannot tell apart are put right after the sort.
    """
    index_bits = np.int64((1 << max(1, (len(gap) - 1).bit_length())) - 1)
    keys = gap.view(np.int64) & ~index_bits  # bits of numbers from 0 on are in the numbers' order
    predicted = np.flatnonzero(gap <= 0)
    keys[predicted] = -np.abs(score[predicted].astype(np.float64)).view(np.int64) & ~index_bits
    keys |= np.arange(len(keys))
    keys.sort()
    order: Indices = keys & index_bits
    alike = np.flatnonzero((keys[1:] ^ keys[:-1]) <= index_bits)
    alike = alike[(gap[order[alike]] != gap[order[alike + 1]]) | (score[order[alike]] != score[order[alike + 1]])]
    if len(alike) > 0:
        run = np.cumsum(np.append(True, (keys[1:] ^ keys[:-1]) > index_bits))
        wrong = np.flatnonzero(np.isin(run, run[alike]))
        some = order[wrong]
        order[wrong] = some[np.lexsort((some, -score[some], gap[some], run[wrong]))]
    return order
