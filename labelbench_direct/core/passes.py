"""The passes over the rows of all scores, in numpy. ``engine`` says who else has the same by the same names."""

from __future__ import annotations

import numpy as np

from labelbench_direct.core.types import Floats, Indices, Order

ROW_SUM_TOLERANCE = 4 * float(np.finfo(np.float16).eps)
"""How far a row of scores may be from summing to 1: softmax in half precision stays within it."""

_ROWS = 2**13  # of which neighboring columns are read while they are in the cache


def plain(rows: Floats) -> Floats:
    """Rows as the passes read them: their scores side by side in memory, in single or double precision."""
    return np.ascontiguousarray(rows, dtype=np.promote_types(rows.dtype, np.float32))


def check_rows(rows: Floats, highest: Floats) -> int:
    """The number of the first row that does not hold softmax scores, or -1.

    Fills ``highest`` (n,) in float64 with each row's highest score, until there.
    """
    highest[:] = rows.max(axis=1)
    off = np.abs(rows.sum(axis=1, dtype=np.float64) - 1)
    if rows.min() >= 0 and off.max() <= ROW_SUM_TOLERANCE:  # false for not-a-number, too
        return -1
    return int(np.argmin((rows.min(axis=1) >= 0) & (off <= ROW_SUM_TOLERANCE)))


def fill_keys(rows: Floats, highest: Floats, columns: Indices, keys: Indices) -> None:
    """Fill ``keys`` (C, n) for ``sort_keys``: integers that never descend along the orders of ``columns`` (C,).

    They are the bits of the gap to ``highest`` (n,), which for numbers from 0 on are in the numbers' order; where it is
    0, minus those of the score.
    """
    for start in range(0, len(rows), _ROWS):
        block = slice(start, start + _ROWS)
        np.subtract(highest[block], rows[block].T[columns], out=keys[:, block].view(np.float64))
    for k, key in zip(columns.tolist(), keys, strict=True):
        predicted = np.flatnonzero(key <= 0)
        key[predicted] = -np.abs(rows[predicted, k].astype(np.float64)).view(np.int64)


def sort_keys(keys: Indices, spare: Indices, order: Order) -> Indices:
    """Fill ``order`` (n,) with the indices of ``keys`` (n,) by ascending key, as far as keys can be told apart, then by
    index. Returns the places where the next key cannot be told from this one. Writes over ``keys`` and ``spare`` (n,).

    One vectorized sort of integers that hold the key in their high bits and the index in their low ones.
    """
    low_bits = np.int64((1 << max(1, (len(keys) - 1).bit_length())) - 1)
    keys &= ~low_bits
    keys |= np.arange(len(keys))
    keys.sort()
    np.bitwise_and(keys, low_bits, out=order, casting="unsafe")
    np.bitwise_xor(keys[1:], keys[:-1], out=spare[1:])
    return np.flatnonzero(spare[1:] <= low_bits)


def top_two_margin(rows: Floats, margins: Floats) -> None:
    """Fill ``margins`` (n,) with each row's highest score minus its second highest."""
    top = np.partition(rows, -2, axis=1)
    np.subtract(top[:, -1], top[:, -2], out=margins)


def highest_of_others(rows: Floats, left_out: int, highest: Floats) -> None:
    """Fill ``highest`` (n,) with each row's highest score but for one column."""
    by_class = np.array(rows.T, order="C")
    by_class[left_out] = -1
    np.max(by_class, axis=0, out=highest)
