"""Eq. 2: the order in which one class sees the pool.

Examples most like the class come first: descending margin score, equal margins by descending score of the class,
still equal by ascending pool index. Margins are taken in float64, so that scores of one value give one order in every
dtype. Ties are common (half-precision scores repeat), so the tie rule is part of the order.

``class_order`` is the definition. ``permutation`` is the same, fast; ``buckets`` sorts only what is asked for.
"""

from __future__ import annotations

from typing import Any

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


def permutation(score: Floats, highest: Floats) -> Indices:
    """The order of the whole pool by ``order_of`` of ``highest - score``, several times faster and in little memory.

    One vectorized sort of integers, which hold the gap in their high bits (where it is 0, the score) and the index in
    their low ones. Runs that the high bits cannot tell apart are put right after the sort; where these are much of the
    pool, as with half-precision scores, it is ``order_of`` that sorts. The smaller of two integers that holds an index.
    """
    index_bits = np.int64((1 << max(1, (len(score) - 1).bit_length())) - 1)
    gap = highest - score
    keys = gap.view(np.int64)  # bits of numbers from 0 on are in the numbers' order
    predicted = np.flatnonzero(gap <= 0)
    keys[predicted] = -np.abs(score[predicted].astype(np.float64)).view(np.int64)
    keys &= ~index_bits
    keys |= np.arange(len(keys), dtype=index_type(len(keys)))
    keys.sort()
    steps = range(0, len(keys) - 1, _STEP)
    alike = [start + _alike_with_next(keys[start : start + _STEP + 1], index_bits) for start in steps]
    if sum(map(len, alike)) > len(keys) // 8:
        return order_of(score.astype(np.float64), highest - score).astype(index_type(len(keys)))
    keys &= index_bits
    order: Indices = keys.astype(index_type(len(keys)))
    if alike:
        _put_right(order, np.concatenate(alike), score, highest)
    return order


def _alike_with_next(keys: Indices, index_bits: np.int64) -> Indices:
    return np.flatnonzero((keys[1:] ^ keys[:-1]) <= index_bits)


def _put_right(order: Indices, alike: Indices, score: Floats, highest: Floats) -> None:
    """Sort the runs of those places, ``alike``, whose examples' keys cannot be told from the next ones'."""
    these, following = order[alike], order[alike + 1]
    wrong = (score[these] != score[following]) | (
        highest[these] - score[these] != highest[following] - score[following]
    )
    run = np.cumsum(np.diff(alike, prepend=-2) > 1)  # consecutive places that are alike are one run
    places = alike[np.isin(run, run[wrong])]
    places = np.union1d(places, places + 1)
    some = order[places]
    order[places] = some[np.lexsort((some, -score[some], highest[some] - score[some]))]


def index_type(num_examples: int) -> type[np.signedinteger[Any]]:
    """The smaller of two integers that holds a pool index."""
    return np.int32 if num_examples < 2**31 else np.int64


_STEP = 2**16  # places looked at together
