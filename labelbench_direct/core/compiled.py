"""``passes`` and ``evidence`` in loops that numba compiles when they are first called, and keeps compiled on disk.

The same answers, bit for bit. Everything is in this file, so that a change of it is a change of what is kept.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numba import njit
from numpy.typing import NDArray

from labelbench_direct.core.passes import HALF, LEAST, ONE, ROW_SUM_TOLERANCE, SHIFT


@njit(cache=True, nogil=True, fastmath={"reassoc", "nsz"})  # sums in any order, so that they are vectorized
def check_rows(rows, highest):
    for i in range(len(rows)):
        most, least, total = -1.0, 2.0, 0.0
        for score in rows[i]:
            most = score if score > most else most
            least = score if score < least else least
            total += score
        highest[i] = most
        if not (least >= 0 and abs(total - 1) <= ROW_SUM_TOLERANCE):
            return False
    return True


@njit(cache=True, nogil=True)
def encode(rows, highest, classes, buckets, codes, counts):
    num_classes = rows.shape[1]
    distance = np.empty(num_classes, np.float32)
    bits = distance.view(np.int32)
    levels = np.empty((len(rows), num_classes), np.int16)
    for i in range(len(rows)):
        row, most = rows[i], highest[i]
        for k in range(num_classes):
            gap = most - row[k]
            distance[k] = row[k] if gap <= 0 else min(gap, 1 - gap)
        for k in range(num_classes):
            gap = most - row[k]
            level = max((bits[k] >> SHIFT) - LEAST, 0)
            by_gap = ONE + 1 + level if gap < 0.5 else ONE + 1 + 2 * HALF - level
            levels[i, k] = max(ONE - level, 0) if gap <= 0 else by_gap
    for j in range(len(classes)):
        k, bucket, code, count = classes[j], buckets[j], codes[j], counts[j]
        for i in range(len(rows)):
            code[i] = bucket[levels[i, k]]
            count[code[i]] += 1


class View(NamedTuple):
    """One class's order and the labels along it: what ``ClassOrder`` and ``Evidence`` hold."""

    codes: NDArray[np.uint8]
    starts: NDArray[np.int64]
    score: NDArray[np.float64]
    highest: NDArray[np.float64]
    indices: NDArray[np.int64]
    is_sorted: NDArray[np.bool_]
    label_of: NDArray[np.int32]
    unlabeled: NDArray[np.uint8]
    k: int
    counts: NDArray[np.int64]


@njit(cache=True)
def tally(view, indices, labels):
    """Evidence.update"""
    for i in range(len(indices)):
        view.counts[1 if labels[i] == view.k else 0, view.codes[indices[i]]] += 1


@njit(cache=True)
def sort(view, first, stop):
    """ClassOrder._sort"""
    while first < stop and view.is_sorted[first]:
        first += 1
    while first < stop and view.is_sorted[stop - 1]:
        stop -= 1
    if first == stop:
        return
    _collect(view.codes, first, stop, view.starts, view.indices)
    for bucket in range(first, stop):
        members = view.indices[view.starts[bucket] : view.starts[bucket + 1]]
        score, gap = np.empty(len(members)), np.empty(len(members))
        for i in range(len(members)):
            score[i] = view.score[members[i]]
            gap[i] = view.highest[members[i]] - score[i]
        _merge_sort(members, gap, score)
        view.is_sorted[bucket] = True


_ONES = np.uint64(0x0101010101010101)
_HIGH_BITS = np.uint64(0x8080808080808080)
_LOW_BITS = np.uint64(0x7F7F7F7F7F7F7F7F)
_WORDS = 8  # at a time


@njit(cache=True, inline="always")
def _bytes_from(word, least, is_small):
    """The high bit of each of a word's eight bytes: whether the byte is at least ``least & 127``, or with its own high bit
    as much as ``least``. ``least`` holds 128 - (least & 127) in every byte, ``is_small`` all bits where least < 128.
    """
    low = (word & _LOW_BITS) + least
    return (word & low) | ((word | low) & is_small)


@njit(cache=True)
def _bound(least):
    """What ``_bytes_from`` takes for a bound in 0..255."""
    return np.uint64(128 - (least & 127)) * _ONES, np.uint64(0xFFFFFFFFFFFFFFFF) if least < 128 else np.uint64(0)


@njit(cache=True)
def _collect(codes, first, stop, starts, indices):
    """The examples of some buckets, ascending in each. Codes are compared eight at a time, as the bytes of a word."""
    cursor = starts[first:stop].copy()
    from_here, from_is_small = _bound(first)
    to_here, to_is_small = _bound(min(stop, 255))
    unbounded = np.uint64(0xFFFFFFFFFFFFFFFF) if stop == 256 else np.uint64(0)
    num_words = len(codes) // 8
    words = codes[: 8 * num_words].view(np.uint64)
    for block in range(0, num_words, _WORDS):
        end = min(block + _WORDS, num_words)
        found = np.uint64(0)
        for i in range(block, end):
            beyond = _bytes_from(words[i], to_here, to_is_small) & ~unbounded
            found |= _bytes_from(words[i], from_here, from_is_small) & ~beyond
        if found & _HIGH_BITS != 0:
            for i in range(block, end):
                beyond = _bytes_from(words[i], to_here, to_is_small) & ~unbounded
                if _bytes_from(words[i], from_here, from_is_small) & ~beyond & _HIGH_BITS != 0:
                    for j in range(8 * i, 8 * i + 8):
                        if first <= codes[j] < stop:
                            indices[cursor[codes[j] - first]] = j
                            cursor[codes[j] - first] += 1
    for j in range(8 * num_words, len(codes)):
        if first <= codes[j] < stop:
            indices[cursor[codes[j] - first]] = j
            cursor[codes[j] - first] += 1


@njit(cache=True)
def _merge_sort(members, gap, score):
    """Put all three into the order of Eq. 2; stable."""
    n, run = len(members), 8
    for start in range(0, n, run):
        for i in range(start + 1, min(start + run, n)):
            member, its_gap, its_score, j = members[i], gap[i], score[i], i - 1
            while j >= start and (gap[j] > its_gap or (gap[j] == its_gap and score[j] < its_score)):
                members[j + 1], gap[j + 1], score[j + 1] = members[j], gap[j], score[j]
                j -= 1
            members[j + 1], gap[j + 1], score[j + 1] = member, its_gap, its_score
    new_members, new_gap, new_score = np.empty_like(members), np.empty_like(gap), np.empty_like(score)
    while run < n:
        for start in range(0, n, 2 * run):
            middle, end = min(start + run, n), min(start + 2 * run, n)
            i, j = start, middle
            for to in range(start, end):
                if j >= end or (i < middle and (gap[i] < gap[j] or (gap[i] == gap[j] and score[i] >= score[j]))):
                    new_members[to], new_gap[to], new_score[to] = members[i], gap[i], score[i]
                    i += 1
                else:
                    new_members[to], new_gap[to], new_score[to] = members[j], gap[j], score[j]
                    j += 1
        members[:], gap[:], score[:] = new_members, new_gap, new_score
        run *= 2


@njit(cache=True)
def _buckets_between(starts, low, high):
    """ClassOrder.buckets_between"""
    first = min(np.searchsorted(starts, low, side="right") - 1, len(starts) - 2)
    return first, max(first, np.searchsorted(starts, high) - 1)


@njit(cache=True)
def initial_version_space(view):
    """Evidence.initial_version_space"""
    others, members = view.counts[0], view.counts[1]
    num_buckets, low, high = len(others), 0, len(view.codes)
    first_other = 0
    while first_other < num_buckets and others[first_other] == 0:
        first_other += 1
    for bucket in range(min(first_other, num_buckets - 1), -1, -1):  # from there to the last of the class before
        if members[bucket] > 0:
            sort(view, bucket, bucket + 1)
            for position in range(view.starts[bucket], view.starts[bucket + 1]):
                label = view.label_of[view.indices[position]]
                if label == view.k:
                    low = position + 1
                elif label >= 0:
                    break
            if low > 0:
                break
    last_member = num_buckets - 1
    while last_member >= 0 and members[last_member] == 0:
        last_member -= 1
    for bucket in range(max(last_member, 0), num_buckets):  # from there to the first of the others beyond
        if others[bucket] > 0:
            sort(view, bucket, bucket + 1)
            for position in range(view.starts[bucket + 1] - 1, view.starts[bucket] - 1, -1):
                label = view.label_of[view.indices[position]]
                if label == view.k:
                    break
                if label >= 0:
                    high = position
            if high < len(view.codes):
                break
    return low, high


@njit(cache=True)
def candidates(view, low, high):
    """How many there are, and those among them in buckets that are not whole in the version space, ascending."""
    first, last = _buckets_between(view.starts, low, high)
    whole = 0
    for bucket in range(first + 1, last):
        whole += view.starts[bucket + 1] - view.starts[bucket] - view.counts[0, bucket] - view.counts[1, bucket]
    sort(view, first, first + 1)
    sort(view, last, last + 1)
    begin, end = min(view.starts[first + 1], high), max(view.starts[last], low)
    ends = np.empty(begin - low + (high - end if last > first else 0), np.int64)
    count = 0
    for position in range(low, begin):
        ends[count] = view.indices[position]
        count += view.label_of[ends[count]] < 0
    if last > first:
        for position in range(end, high):
            ends[count] = view.indices[position]
            count += view.label_of[ends[count]] < 0
    return whole + count, np.sort(ends[:count])


@njit(cache=True)
def pick(view, low, high, ends, ranks):
    """The candidates with these ranks, by ascending pool index."""
    first, last = _buckets_between(view.starts, low, high)
    if last <= first + 1:
        return ends[ranks]
    from_here, from_is_small = _bound(first + 1)
    to_here, to_is_small = _bound(last)
    num_words = len(view.codes) // 8
    words, unlabeled = view.codes[: 8 * num_words].view(np.uint64), view.unlabeled[: 8 * num_words].view(np.uint64)
    picked, ascending = np.empty(len(ranks), np.int64), np.argsort(ranks)
    before, end, wanted = 0, 0, 0  # candidates before the block, ends before it, the next of the ranks
    for block in range(0, num_words + 1, _WORDS):
        counts = np.uint64(0)  # in each byte
        for i in range(block, min(block + _WORDS, num_words)):
            inside = _bytes_from(words[i], from_here, from_is_small) & ~_bytes_from(words[i], to_here, to_is_small)
            counts += ((inside & unlabeled[i]) >> np.uint64(7)) & _ONES
        stop = 8 * (block + _WORDS) if block + _WORDS < num_words else len(view.codes)
        next_end = end
        while next_end < len(ends) and ends[next_end] < stop:
            next_end += 1
        inside_block = np.int64((counts * _ONES) >> np.uint64(56)) + next_end - end
        if stop == len(view.codes) or ranks[ascending[wanted]] < before + inside_block:
            rank = before
            for i in range(8 * block, stop):
                if end < next_end and ends[end] == i:
                    end += 1
                elif not (first < view.codes[i] < last and view.label_of[i] < 0):
                    continue
                if rank == ranks[ascending[wanted]]:
                    picked[ascending[wanted]] = i
                    wanted += 1
                    if wanted == len(ranks):
                        return picked
                rank += 1
        before, end = before + inside_block, next_end
    return picked


@njit(cache=True)
def _best_steps(view, low, high):
    """The steps of least loss in the version space: the first and the last threshold of each.

    The loss is known where a bucket starts; inside it falls by one, at most, for each of its examples of the class. Only
    buckets in which it may be the least are sorted.
    """
    others, members = view.counts[0], view.counts[1]
    num_buckets, least = len(others), np.int64(2**62)
    losses = np.zeros(num_buckets + 1, np.int64)
    for bucket in range(num_buckets + 1):
        if low <= view.starts[bucket] <= high:
            least = min(least, losses[bucket])
        if bucket < num_buckets:
            losses[bucket + 1] = losses[bucket] + others[bucket] - members[bucket]
    lowest, highest = np.empty(members.sum() + num_buckets, np.int64), np.empty(members.sum() + num_buckets, np.int64)
    count = 0
    first, last = _buckets_between(view.starts, low, high)
    for bucket in range(first, last + 1):
        loss = losses[bucket]
        if loss - members[bucket] > least:
            continue
        sort(view, bucket, bucket + 1)
        start, end = view.starts[bucket], min(high, view.starts[bucket + 1])
        for position in range(start, end + 1):
            label = view.label_of[view.indices[position]] if position < end else np.int32(0)
            if label < 0:
                continue
            if position >= low:  # the thresholds from start to position have one loss
                start = max(start, low)
                if loss < least:
                    least, count = loss, 0
                if loss == least and count > 0 and highest[count - 1] == start:  # goes on from the bucket before
                    highest[count - 1] = position
                elif loss == least:
                    lowest[count], highest[count] = start, position
                    count += 1
            loss += -1 if label == view.k else 1
            start = position + 1
    return lowest[:count], highest[:count]


@njit(cache=True)
def shrink(view, low, high, size):
    """Evidence.shrink, where the best is kept and the middle of equally good sub-intervals taken."""
    lowest, highest = _best_steps(view, low, high)
    width = max(min(size - 1, high - low), highest[-1] - lowest[0])
    from_here, to_here = max(low, highest[-1] - width), min(lowest[0], high - width)
    starts, losses = _steps(view, from_here, to_here + width)
    least, total = np.int64(2**62), 0
    for is_second_time in (False, True):  # find the least worse end; then the middle of the sub-intervals that have it
        rank = (total - 1) // 2
        start, i, j = from_here, 0, np.searchsorted(starts, from_here + width, side="right") - 1
        while start <= to_here:
            turn = to_here + 1
            if i + 1 < len(starts):
                turn = min(turn, starts[i + 1])
            if j + 1 < len(starts):
                turn = min(turn, starts[j + 1] - width)
            worse = max(losses[i], losses[j])
            if is_second_time and worse == least:
                if rank < turn - start:
                    return start + rank, start + rank + width
                rank -= turn - start
            elif worse < least:
                least, total = worse, turn - start
            elif worse == least:
                total += turn - start
            start = turn
            i += i + 1 < len(starts) and starts[i + 1] == start
            j += j + 1 < len(starts) and starts[j + 1] == start + width
    return low, high


@njit(cache=True)
def _steps(view, low, high):
    """The loss of the thresholds ``low`` to ``high``, less a constant: where its steps start, and their values."""
    if low < high:
        first, last = _buckets_between(view.starts, low, high)
        sort(view, first, last + 1)
    starts, losses = np.empty(high - low + 1, np.int64), np.empty(high - low + 1, np.int64)
    starts[0], losses[0] = low, 0
    count = 0
    for position in range(low, high):
        label = view.label_of[view.indices[position]]
        if label >= 0:
            count += 1
            starts[count], losses[count] = position + 1, losses[count - 1] + (-1 if label == view.k else 1)
    return starts[: count + 1], losses[: count + 1]


HALF_TIE, LOWEST_TIE, HIGHEST_TIE = 0, 1, 2


@njit(cache=True)
def nearest(view, count, tie):
    """Evidence.nearest, by position."""
    size = len(view.codes)
    lowest, highest = _best_steps(view, 0, size)
    threshold = lowest[0] if tie == LOWEST_TIE else highest[-1]
    if tie == HALF_TIE:
        threshold = min(max(size // 2, lowest[0]), highest[0])
        for i in range(1, len(lowest)):
            here = min(max(size // 2, lowest[i]), highest[i])
            if abs(2 * here - size) < abs(2 * threshold - size):
                threshold = here
    chosen = np.empty(count, np.int64)
    below, above = threshold - 1, threshold
    first, last = _buckets_between(view.starts, threshold, threshold)  # those sorted by now
    last = first - 1 if view.starts[first] == threshold else first
    for i in range(count):
        while below >= 0:
            if below < view.starts[first]:
                first -= 1
                continue
            sort(view, first, first + 1)
            if view.label_of[view.indices[below]] < 0:
                break
            below -= 1
        while above < size:
            if above >= view.starts[last + 1]:
                last += 1
                continue
            sort(view, last, last + 1)
            if view.label_of[view.indices[above]] < 0:
                break
            above += 1
        if below >= 0 and (above >= size or threshold - 1 - below <= above - threshold):
            chosen[i] = view.indices[below]
            below -= 1
        else:
            chosen[i] = view.indices[above]
            above += 1
    return threshold, chosen
