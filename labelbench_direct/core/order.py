"""Eq. 2: the order in which one class sees the pool.

Examples most like the class come first: descending margin score, equal margins by descending score of the class,
still equal by ascending pool index. Margins are taken in float64, so that scores of one value give one order in every
dtype. Ties are common (half-precision scores repeat), so the tie rule is part of the order.

``class_order`` is the definition. ``orders_of`` is the same, fast.
"""

from __future__ import annotations

from types import ModuleType
from typing import Any

import numpy as np

from labelbench_direct.core.passes import plain
from labelbench_direct.core.scores import row_blocks
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


def orders_of(scores: Floats, highest: Floats, classes: Indices, passes: ModuleType) -> dict[int, Order]:
    """By class, the orders of a few classes: what lies side by side in memory is read together, in blocks of rows.

    ``highest`` (N,) in float64; 1 everywhere orders by score alone. ``passes``: whose ``fill_keys``.
    """
    keys = np.empty((len(classes), len(scores)), dtype=np.int64)
    if isinstance(scores, np.ndarray) and scores.dtype != np.float16:
        passes.fill_keys(scores, highest, classes, keys)
    else:
        for place, most in row_blocks(highest):
            passes.fill_keys(plain(scores[place, classes]), most, np.arange(len(classes)), keys[:, place])
    numbers = np.arange(len(scores))
    return {k: _sorted(key, numbers, scores[:, k], highest) for k, key in zip(classes.tolist(), keys, strict=True)}


def _sorted(keys: Indices, numbers: Indices, score: Floats, highest: Floats) -> Order:
    """(N,): the pool indices, ``numbers``, by ascending key, which is not kept, as Eq. 2 says.

    One vectorized sort of integers, which hold the key in their high bits and the index in their low ones. Runs that
    the high bits cannot tell apart are put right after it.
    """
    index_bits = np.int64((1 << max(1, (len(keys) - 1).bit_length())) - 1)
    keys &= ~index_bits
    keys |= numbers
    keys.sort()
    alike = np.flatnonzero((keys[1:] ^ keys[:-1]) <= index_bits)
    keys &= index_bits
    order: Order = keys.astype(index_type(len(keys)))
    if len(alike):
        _put_right(order, alike, score, highest)
    return order


def _put_right(order: Order, alike: Indices, score: Floats, highest: Floats) -> None:
    """Sort the runs of those places, ``alike``, whose examples' keys cannot be told from the next ones'."""
    these, following = order[alike], order[alike + 1]
    wrong = (score[these] != score[following]) | (
        highest[these] - score[these] != highest[following] - score[following]
    )
    if not wrong.any():
        return
    run = np.cumsum(np.diff(alike, prepend=-2) > 1)  # consecutive places that are alike are one run
    is_wrong = np.zeros(run[-1] + 1, dtype=bool)
    is_wrong[run[wrong]] = True
    places = alike[is_wrong[run]]
    places = np.unique(np.concatenate((places, places + 1)))
    some = order[places]
    order[places] = some[np.lexsort((some, -score[some], highest[some] - score[some]))]


def index_type(num_examples: int) -> type[np.signedinteger[Any]]:
    """The smaller of two integers that holds a pool index."""
    return np.int32 if num_examples < 2**31 else np.int64
