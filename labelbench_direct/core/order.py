"""Eq. 2: the order in which one class sees the pool.

Examples most like the class come first: descending margin score, equal margins by descending score of the class,
still equal by ascending pool index. Margins are taken in float64, so that scores of one value give one order in every
dtype. Ties are common (half-precision scores repeat), so the tie rule is part of the order.

``class_order`` is the definition. ``orders_of`` is the same, fast.
"""

from __future__ import annotations

from types import ModuleType

import numpy as np

from labelbench_direct.core.passes import plain
from labelbench_direct.core.types import Floats, Indices, Order


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


def sort_orders(scores: Floats, highest: Floats, classes: Indices, passes: ModuleType, orders: Order) -> None:
    """Fill ``orders`` (C, N) with the orders of some classes (C,), a few of which are read together.

    ``highest`` (N,) in float64; 1 everywhere orders by score alone. ``passes``: whose ``fill_keys`` and ``sort_keys``,
    which approximate the gap to the highest score; what they cannot tell apart is put right after them.
    """
    columns = min(len(classes), 16, max(2, scores.shape[1] // 16))  # more would hardly be faster, in more memory
    keys = np.empty((columns + 1, len(scores)), dtype=np.int64)
    is_plain = isinstance(scores, np.ndarray) and scores.dtype != np.float16  # as ``passes`` read them
    for start in range(0, len(classes), columns):
        together = classes[start : start + columns]
        rows = scores if is_plain else plain(scores[:, together])
        places = together if is_plain else np.arange(len(together))
        passes.fill_keys(rows, highest, places, keys[: len(together)])
        for k, key, order in zip(places.tolist(), keys, orders[start:], strict=False):
            score, spare = rows[:, k], keys[-1]
            alike = passes.sort_keys(key, spare, order)
            if len(alike) > len(order) // _MANY:
                alike = _sort_by_score_first(key, spare, order, score, highest, passes)
            if len(alike):
                _put_right(order, alike, score, highest)


_MANY = 16
"""With more than this part of the pool alike, as a saturated network's scores are, it is sorted by score before it is
sorted by gap.
"""


def _sort_by_score_first(
    key: Indices, spare: Indices, order: Order, score: Floats, highest: Floats, passes: ModuleType
) -> Indices:
    """``sort_keys`` of the gaps after one of the scores."""
    column = plain(score[:, np.newaxis])
    bits = np.abs(column[:, 0].astype(np.float32)).view(np.int32)  # grow with the score
    passes.sort_keys((2**31 - 1 - bits.astype(np.int64)) << 32, spare, order)
    passes.fill_keys(column, highest, np.array([0]), key[np.newaxis])
    by_score, by_gap = order.copy(), np.empty_like(order)
    alike: Indices = passes.sort_keys(key[by_score], spare, by_gap)
    by_score.take(by_gap, out=order)
    return alike


def _put_right(order: Order, alike: Indices, score: Floats, highest: Floats) -> None:
    """Sort the runs of those places, ``alike``, whose examples' keys cannot be told from the next ones'."""
    these, following = order[alike], order[alike + 1]
    gap, next_gap = highest[these] - score[these], highest[following] - score[following]
    wrong = (gap > next_gap) | ((gap == next_gap) & (score[these] < score[following]))
    if not wrong.any():
        return
    run = np.cumsum(np.diff(alike, prepend=-2) > 1)  # consecutive places that are alike are one run
    is_wrong = np.zeros(run[-1] + 1, dtype=bool)
    is_wrong[run[wrong]] = True
    places = alike[is_wrong[run]]
    places = np.unique(np.concatenate((places, places + 1)))
    some = order[places]
    order[places] = some[np.lexsort((some, -score[some], highest[some] - score[some]))]
