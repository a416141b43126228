"""The passes over the rows of all scores, each in one loop."""

from __future__ import annotations

import numpy as np
from numba import njit

ROW_SUM_TOLERANCE = 4 * 2.0**-10  # as in ``core.passes``


@njit(cache=True, nogil=True, fastmath={"reassoc", "nsz"})  # sums in any order, so that they are vectorized
def check_rows(rows, highest):
    """core.passes.check_rows"""
    bad = -1
    for i in range(len(rows)):
        most, least, total = -1.0, 2.0, 0.0
        for score in rows[i]:
            most = score if score > most else most
            least = score if score < least else least
            total += score
        highest[i] = most
        if bad < 0 and not (least >= 0 and abs(total - 1) <= ROW_SUM_TOLERANCE):
            bad = i
    return bad


@njit(cache=True, nogil=True)
def fill_keys(rows, highest, columns, keys):
    """core.passes.fill_keys"""
    for start in range(0, len(rows), _ROWS):
        stop = min(start + _ROWS, len(rows))
        for j in range(len(columns)):
            _fill_keys(rows[start:stop, columns[j]], highest[start:stop], keys[j, start:stop])


_ROWS = 2**12


@njit(cache=True, nogil=True)
def _fill_keys(score, highest, keys):
    numbers = keys.view(np.float64)
    for i in range(len(keys)):
        gap = highest[i] - score[i]
        numbers[i] = gap if gap > 0 else abs(score[i])
    for i in range(len(keys)):
        keys[i] = keys[i] if highest[i] - score[i] > 0 else -keys[i]


@njit(cache=True, nogil=True)
def top_two_margin(rows, margins):
    """core.passes.top_two_margin"""
    for i in range(len(rows)):
        most = second = rows[i, 0] * 0 - 1
        for score in rows[i]:
            second = max(second, min(score, most))
            most = max(score, most)
        margins[i] = most - second


@njit(cache=True, nogil=True, fastmath={"reassoc", "nsz"})
def highest_of_others(rows, left_out, highest):
    """core.passes.highest_of_others"""
    for i in range(len(rows)):
        most = rows[i, 0] * 0 - 1
        for score in rows[i, :left_out]:
            most = score if score > most else most
        for score in rows[i, left_out + 1 :]:
            most = score if score > most else most
        highest[i] = most
