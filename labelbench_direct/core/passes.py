"""The passes over the whole pool, in numpy. ``compiled`` has the same by the same names, several times faster, for
where numba is installed (the extra "fast"); ``fastest`` is the one to use.
"""

from __future__ import annotations

import importlib
import sys
from functools import cache
from types import ModuleType

import numpy as np

from labelbench_direct.core.types import Codes, Floats, Indices

ROW_SUM_TOLERANCE = 4 * float(np.finfo(np.float16).eps)
"""How far a row of scores may be from summing to 1: softmax in half precision stays within it."""

SHIFT = 23 - 6
"""What is cut off a float32's bits: 64 levels are left to every power of two."""
LEAST = (127 - 30) << 6
"""The level of 2**-30, which everything smaller shares."""
ONE = (127 << 6) - LEAST
HALF = (126 << 6) - LEAST
NUM_LEVELS = ONE + 2 + 2 * HALF


@cache
def fastest() -> ModuleType:
    """``compiled`` where numba is installed, this module elsewhere."""
    try:
        return importlib.import_module("labelbench_direct.core.compiled")
    except ModuleNotFoundError as error:
        if error.name != "numba":
            raise
        return sys.modules[__name__]


def plain(rows: Floats) -> Floats:
    """Rows as the passes read them: their scores side by side in memory, in single or double precision."""
    return np.ascontiguousarray(rows, dtype=np.promote_types(rows.dtype, np.float32))


def check_rows(rows: Floats, highest: Floats) -> bool:
    """Whether all rows hold softmax scores. Fills ``highest`` (n,) in float64 with each row's highest score."""
    np.max(np.ascontiguousarray(rows.T), axis=0, out=highest)  # several times faster than max(axis=1)
    off = np.abs(rows.sum(axis=1, dtype=np.float64) - 1)
    return bool(rows.min() >= 0 and off.max() <= ROW_SUM_TOLERANCE)  # false for not-a-number, too


def encode(rows: Floats, highest: Floats, classes: Indices, buckets: Codes, codes: Codes, counts: Indices) -> None:
    """Fill ``codes`` (G, n) with the buckets of n examples in the orders of ``classes`` (G,), and add how many
    came into each to ``counts`` (G, B).

    ``rows`` (n, K) their scores, ``highest`` (n,), ``buckets`` (G, NUM_LEVELS) the bucket of each level.
    """
    for k, table, code, count in zip(classes, buckets, codes, counts, strict=True):
        code[:] = table[levels(rows[:, k], highest)]
        count += np.bincount(code, minlength=len(count))


def levels(score: Floats, highest: Floats) -> Indices:
    """Integers in 0..NUM_LEVELS-1 that never decrease along the order of Eq. 2.

    First what is predicted, by descending score, then the rest by ascending gap to the highest score. Levels are
    logarithmic, of the gap below 1/2 and of 1 - gap above, for a trained network's scores are close to 0 or to 1.
    """
    gap = highest - score.astype(np.float64)
    predicted = gap <= 0
    distance = np.where(predicted, score, np.minimum(gap, 1 - gap)).astype(np.float32)
    level = np.maximum((distance.view(np.int32) >> SHIFT) - LEAST, 0)
    by_gap = np.where(gap < 0.5, ONE + 1 + level, ONE + 1 + 2 * HALF - level)
    return np.where(predicted, np.maximum(ONE - level, 0), by_gap)


def members(codes: Codes, first: int, stop: int) -> Indices:
    """The examples, ascending, in the buckets ``first`` to ``stop - 1``."""
    return np.flatnonzero((codes >= first) & (codes < stop))
