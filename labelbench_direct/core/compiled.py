"""``passes`` in loops that numba compiles when they are first called, and keeps compiled on disk: the same answers, bit
for bit.

What is kept is known by this file's date: nothing that is compiled here comes from another one.
"""

from __future__ import annotations

import numpy as np
from numba import njit

# As in ``passes``.
ROW_SUM_TOLERANCE = 4 * 2.0**-10
SHIFT = 17
LEAST = 74 << 6
HALF = 52 << 6
NUM_LEVELS = 2 * (2 * HALF + 1)

_BLOCK = 256  # rows whose levels stay in the cache
_STRIP = 4096  # scores that one loop goes over


@njit(cache=True, nogil=True, fastmath={"reassoc", "nsz"})  # sums in any order, so that they are vectorized
def check_rows(rows, highest):
    """See ``passes``."""
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
def top_two_margin(rows, margins):
    """See ``passes``."""
    for i in range(len(rows)):
        most = second = rows[i, 0] * 0 - 1
        for score in rows[i]:
            second = max(second, min(score, most))
            most = max(score, most)
        margins[i] = most - second


@njit(cache=True, nogil=True, fastmath={"reassoc", "nsz"})
def highest_of_others(rows, left_out, highest):
    """See ``passes``."""
    for i in range(len(rows)):
        most = rows[i, 0] * 0 - 1
        for score in rows[i, :left_out]:
            most = score if score > most else most
        for score in rows[i, left_out + 1 :]:
            most = score if score > most else most
        highest[i] = most


@njit(cache=True, nogil=True)
def encode(rows, highest, classes, buckets, codes, counts):
    """See ``passes``."""
    levels = np.empty((_BLOCK, len(classes)), np.uint16)
    for start in range(0, len(rows), _BLOCK):
        stop = min(start + _BLOCK, len(rows))
        _fill_levels(rows[start:stop], highest[start:stop], classes, levels)
        for j in range(len(classes)):
            level, bucket, code, count = levels[:, j], buckets[j], codes[j, start:stop], counts[j]
            for i in range(stop - start):
                here = bucket[level[i]]
                code[i] = here
                count[here] += 1


@njit(cache=True, nogil=True)
def _fill_levels(rows, highest, classes, levels):
    """The levels of some classes, ascending. As many rows are done together as make a loop
    that is worth vectorizing.
    """
    size = len(classes)
    together = max(1, _STRIP // size)
    score, most, distance = (
        np.empty(together * size, rows.dtype),
        np.empty(together * size),
        np.empty(together * size, np.float32),
    )
    for start in range(0, len(rows), together):
        stop = min(start + together, len(rows))
        for i in range(start, stop):
            most[(i - start) * size : (i + 1 - start) * size] = highest[i]
        level = levels[start:stop].ravel()
        if size == rows.shape[1]:
            _fill_levels_of(rows[start:stop].ravel(), most, distance, level)
        else:
            for i in range(start, stop):
                for j in range(size):
                    score[(i - start) * size + j] = rows[i, classes[j]]
            _fill_levels_of(score[: len(level)], most, distance, level)


@njit(cache=True, nogil=True)
def _fill_levels_of(score, most, distance, level):
    bits = distance.view(np.int32)
    for i in range(len(level)):
        gap = 1.0 - score[i] if score[i] >= most[i] else most[i] - score[i]
        distance[i] = min(gap, 1 - gap)
    for i in range(len(level)):
        gap = 1.0 - score[i] if score[i] >= most[i] else most[i] - score[i]
        here = max((bits[i] >> SHIFT) - LEAST, 0)
        level[i] = (here if gap < 0.5 else 2 * HALF - here) + (0 if score[i] >= most[i] else 2 * HALF + 1)


@njit(cache=True, nogil=True)
def buckets_of_levels(rows, highest, classes, num_buckets):
    """See ``passes``."""
    levels = np.empty((len(rows), len(classes)), np.uint16)
    _fill_levels(rows, highest, classes, levels)
    bucket_behind = np.empty(len(rows) + 1, np.uint8)  # so many of the rows
    for i in range(len(rows) + 1):
        bucket_behind[i] = min(int(np.sqrt(i / len(rows)) * num_buckets), num_buckets - 1)
    buckets, counts = np.empty((len(classes), NUM_LEVELS), np.uint8), np.empty(NUM_LEVELS, np.int32)
    for j in range(len(classes)):
        counts[:] = 0
        for level in levels[:, j]:
            counts[level] += 1
        below = np.uint64(0)
        for level in range(NUM_LEVELS):
            buckets[j, level] = bucket_behind[below]
            below += np.uint64(counts[level])
    return buckets
