"""The passes over the whole pool, in numpy. ``compiled`` has the same by the same names, several times faster, for
where numba is installed (the extra "fast"); ``fastest`` is the one to use.
"""

from __future__ import annotations

import importlib
import math
import sys
import warnings
from collections.abc import Iterator
from functools import cache
from types import ModuleType

import numpy as np

from labelbench_direct.core.scores import row_blocks
from labelbench_direct.core.types import Codes, Floats, Indices

ROW_SUM_TOLERANCE = 4 * float(np.finfo(np.float16).eps)
"""How far a row of scores may be from summing to 1: softmax in half precision stays within it."""

SHIFT = 23 - 6
"""What is cut off a float32's bits: 64 levels are left to every power of two."""
LEAST = (127 - 53) << 6
"""The level of 2**-53, which everything smaller shares."""
HALF = (126 << 6) - LEAST
"""The level of 1/2."""
NUM_LEVELS = 2 * (2 * HALF + 1)


WORTH_COMPILING = 2**20
"""With fewer scores numpy is done before compiled code is loaded."""


def fastest(shape: tuple[int, ...]) -> ModuleType:
    """``compiled`` where numba is installed and there are many scores, of shape (N, K); this module elsewhere."""
    return sys.modules[__name__] if math.prod(shape) < WORTH_COMPILING else _compiled_if_possible()


@cache
def _compiled_if_possible() -> ModuleType:
    try:
        importlib.import_module("labelbench_direct.core.compiled_evidence")
        return importlib.import_module("labelbench_direct.core.compiled")
    except (ImportError, RuntimeError) as error:  # numba raises either where it cannot work
        if not (isinstance(error, ModuleNotFoundError) and error.name == "numba"):
            warnings.warn(f"numba cannot compile here, so numpy does it, slower: {error}", stacklevel=2)
        return sys.modules[__name__]


def blocks(array: Floats, part: range, implementation: ModuleType) -> Iterator[tuple[slice, Floats]]:
    """The rows of a part as the passes read them, with their place: in blocks, but whole for what is compiled, where
    memory holds them as they are read.
    """
    is_plain = isinstance(array, np.ndarray) and array.flags.c_contiguous and array.dtype != np.float16
    if is_plain and implementation is not sys.modules[__name__]:
        yield slice(part.start, part.stop), array[part.start : part.stop]
    else:
        for place, rows in row_blocks(array, part):
            yield place, plain(rows)


def plain(rows: Floats) -> Floats:
    """Rows as the passes read them: their scores side by side in memory, in single or double precision."""
    return np.ascontiguousarray(rows, dtype=np.promote_types(rows.dtype, np.float32))


def check_rows(rows: Floats, highest: Floats) -> int:
    """The number of the first row that does not hold softmax scores, or -1.

    Fills ``highest`` (n,) in float64 with each row's highest score, until there.
    """
    np.max(np.ascontiguousarray(rows.T), axis=0, out=highest)  # several times faster than max(axis=1)
    off = np.abs(rows.sum(axis=1, dtype=np.float64) - 1)
    if rows.min() >= 0 and off.max() <= ROW_SUM_TOLERANCE:  # false for not-a-number, too
        return -1
    return int(np.argmin((rows.min(axis=1) >= 0) & (off <= ROW_SUM_TOLERANCE)))


def top_two_margin(rows: Floats, margins: Floats) -> None:
    """Fill ``margins`` (n,) with each row's highest score minus its second highest."""
    top = np.partition(rows, -2, axis=1)
    np.subtract(top[:, -1], top[:, -2], out=margins)


def highest_of_others(rows: Floats, left_out: int, highest: Floats) -> None:
    """Fill ``highest`` (n,) with each row's highest score but for one column."""
    by_class = np.array(rows.T, order="C")
    by_class[left_out] = -1
    np.max(by_class, axis=0, out=highest)


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

    First what is predicted, by ascending gap of its score to 1, then the rest by ascending gap to the highest score.
    Levels are logarithmic, of a gap below 1/2 and of what is left to 1 above: a trained network's scores are close to
    0 or to 1.
    """
    score = score.astype(np.float64)
    gap = highest - score
    predicted = gap <= 0
    gap = np.where(predicted, 1.0 - score, gap)
    level = np.maximum((np.minimum(gap, 1 - gap).astype(np.float32).view(np.int32) >> SHIFT) - LEAST, 0)
    levels: Indices = np.where(gap < 0.5, level, 2 * HALF - level) + np.where(predicted, 0, 2 * HALF + 1)
    return levels


def buckets_of_levels(rows: Floats, highest: Floats, classes: Indices, num_buckets: int) -> Codes:
    """(G, NUM_LEVELS): the bucket of each level in the orders of ``classes`` (G,).

    As far as levels can, the first i of B buckets hold the share (i / B)^2 of the examples with scores ``rows``:
    buckets are small at the front, where the thresholds of rare classes are, and twice the mean at the end.
    """
    buckets = np.empty((len(classes), NUM_LEVELS), dtype=np.uint8)
    for bucket, k in zip(buckets, classes, strict=True):
        counts = np.bincount(levels(rows[:, k], highest), minlength=NUM_LEVELS)
        below = np.cumsum(counts) - counts
        bucket[:] = np.minimum(np.sqrt(below / len(rows)) * num_buckets, num_buckets - 1)
    return buckets


def members(codes: Codes, first: int, stop: int) -> Indices:
    """The examples, ascending, in the buckets ``first`` to ``stop - 1``."""
    return np.flatnonzero((codes >= first) & (codes < stop))
