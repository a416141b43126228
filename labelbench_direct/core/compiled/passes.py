"""The passes over the rows of all scores, each in one loop."""

from __future__ import annotations

import numpy as np

from labelbench_direct.core.compiled.cache import compile_and_keep

ROW_SUM_TOLERANCE = 4 * 2.0**-10  # as in ``core.passes``


@compile_and_keep(nogil=True, fastmath={"reassoc", "nsz"})  # sums in any order, so that they are vectorized
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


@compile_and_keep(nogil=True)
def fill_keys(rows, highest, columns, keys):
    """core.passes.fill_keys, to 31 bits, in the upper half: the gap, or minus the score, in steps of ``1 / _STEPS``."""
    for start in range(0, len(rows), _ROWS):
        stop = min(start + _ROWS, len(rows))
        for j in range(len(columns)):
            for i in range(start, stop):
                gap = highest[i] - rows[i, columns[j]]
                value = gap if gap > 0 else -float(rows[i, columns[j]])
                keys[j, i] = (_MIDDLE + int(value * _STEPS)) << 32


_MIDDLE, _STEPS = 2**30, 10**9  # scores may be a little more than 1
_ROWS = 2**12


@compile_and_keep(nogil=True)
def sort_keys(keys, spare, order):
    """core.passes.sort_keys, by counting: three passes, each by 11 bits of the upper half; indices in the lower."""
    others, starts = spare, np.zeros((3, _VALUES), np.int64)
    for i in range(len(keys)):
        keys[i] |= i
        for digit in range(3):
            starts[digit, (keys[i] >> (32 + 11 * digit)) & (_VALUES - 1)] += 1
    for digit in range(3):
        start = 0
        for value in range(_VALUES):
            starts[digit, value], start = start, start + starts[digit, value]
        for i in range(len(keys)):
            value = (keys[i] >> (32 + 11 * digit)) & (_VALUES - 1)
            others[starts[digit, value]] = keys[i]
            starts[digit, value] += 1
        keys, others = others, keys
    count = 0
    for i in range(len(keys)):
        order[i] = keys[i] & (2**32 - 1)
        if i > 0 and keys[i] >> 32 == keys[i - 1] >> 32:
            others[count] = i - 1
            count += 1
    return others[:count].copy()


_VALUES = 2**11


@compile_and_keep(nogil=True)
def top_two_margin(rows, margins):
    """core.passes.top_two_margin"""
    for i in range(len(rows)):
        most = second = rows[i, 0] * 0 - 1
        for score in rows[i]:
            second = max(second, min(score, most))
            most = max(score, most)
        margins[i] = most - second


@compile_and_keep(nogil=True, fastmath={"reassoc", "nsz"})
def highest_of_others(rows, left_out, highest):
    """core.passes.highest_of_others"""
    for i in range(len(rows)):
        most = rows[i, 0] * 0 - 1
        for score in rows[i, :left_out]:
            most = score if score > most else most
        for score in rows[i, left_out + 1 :]:
            most = score if score > most else most
        highest[i] = most
