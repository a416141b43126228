"""``passes`` and ``evidence`` in loops that numba compiles when they are first called, and keeps compiled on disk.

The same answers, bit for bit. Everything is in this file, so that a change of it is a change of what is kept.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numba import njit
from numpy.typing import NDArray

from labelbench_direct.core.passes import HALF, LEAST, NUM_LEVELS, ROW_SUM_TOLERANCE, SHIFT


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
    levels = np.empty(rows.shape, np.int16)
    _fill_levels(rows, highest, levels)
    for j in range(len(classes)):
        k, bucket, code, count = classes[j], buckets[j], codes[j], counts[j]
        for i in range(len(rows)):
            code[i] = bucket[levels[i, k]]
            count[code[i]] += 1


@njit(cache=True, nogil=True)
def _fill_levels(rows, highest, levels):
    num_classes = rows.shape[1]
    distance = np.empty(num_classes, np.float32)
    bits = distance.view(np.int32)
    for i in range(len(rows)):
        row, most = rows[i], highest[i]
        for k in range(num_classes):
            gap = 1.0 - row[k] if row[k] >= most else most - row[k]
            distance[k] = min(gap, 1 - gap)
        for k in range(num_classes):
            gap = 1.0 - row[k] if row[k] >= most else most - row[k]
            level = max((bits[k] >> SHIFT) - LEAST, 0)
            levels[i, k] = (level if gap < 0.5 else 2 * HALF - level) + (0 if row[k] >= most else 2 * HALF + 1)


@njit(cache=True, nogil=True)
def buckets_of_levels(rows, highest, classes, num_buckets):
    levels = np.empty(rows.shape, np.int16)
    _fill_levels(rows, highest, levels)
    buckets, counts = np.empty((len(classes), NUM_LEVELS), np.uint8), np.empty(NUM_LEVELS, np.int64)
    for j in range(len(classes)):
        counts[:] = 0
        for i in range(len(rows)):
            counts[levels[i, classes[j]]] += 1
        below = 0
        for level in range(NUM_LEVELS):
            buckets[j, level] = min(below * num_buckets // len(rows), num_buckets - 1)
            below += counts[level]
    return buckets


class View(NamedTuple):
    """One class's order and the labels along it: what ``ClassOrder`` and ``Evidence`` hold."""

    codes: NDArray[np.uint8]
    starts: NDArray[np.int64]
    score: NDArray[np.float64]
    highest: NDArray[np.float64]
    indices: NDArray[np.int64]
    is_sorted: NDArray[np.bool_]
    label_of: NDArray[np.int32]
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
        _sort_members(members, gap, score)
        view.is_sorted[bucket] = True


_ONES = np.uint64(0x0101010101010101)
_HIGH_BITS = np.uint64(0x8080808080808080)
_LOW_BITS = np.uint64(0x7F7F7F7F7F7F7F7F)
_BYTE_OF_BIT = np.uint64(0x0001020304050607)  # times 256**j: j in the highest byte
_WORDS = 8  # at a time


@njit(cache=True)
def _bound(least):
    """What ``_from`` takes for a bound in 0..256: 128 less its low bits in every byte; whether it is below 128; and
    whether a byte can reach it.
    """
    return (
        np.uint64(128 - (least & 127)) * _ONES,
        _HIGH_BITS if least < 128 else np.uint64(0),
        _HIGH_BITS if least < 256 else np.uint64(0),
    )


@njit(cache=True, inline="always")
def _from(word, bound):
    """The high bits of those of a word's eight bytes that are at least the bound."""
    least, is_small, is_reached = bound
    low = (word & _LOW_BITS) + least
    return ((word & low) | ((word | low) & is_small)) & is_reached


@njit(cache=True)
def _collect(codes, first, stop, starts, indices):
    """The examples of some buckets, ascending in each.

    Codes are compared eight at a time, as the bytes of a word, and what is found is listed without branching: a branch
    that cannot be predicted costs as much as reading a hundred codes.
    """
    cursor = starts[first:stop].copy()
    low, high = _bound(first), _bound(stop)
    num_words = len(codes) // 8
    words = codes[: 8 * num_words].view(np.uint64)
    num_blocks = num_words // _WORDS
    blocks, num_found = np.empty(num_blocks + 1, np.int32), 0
    for block in range(num_blocks):
        found = np.uint64(0)
        for i in range(_WORDS * block, _WORDS * block + _WORDS):
            found |= _from(words[i], low) & ~_from(words[i], high)
        blocks[num_found] = block
        num_found += found != 0
    hits, num_hits = np.empty(_WORDS * (num_found + 1), np.int32), 0
    for block in blocks[:num_found]:
        for i in range(_WORDS * block, _WORDS * block + _WORDS):
            hits[num_hits] = i
            num_hits += (_from(words[i], low) & ~_from(words[i], high)) != 0
    for i in hits[:num_hits]:
        found = _from(words[i], low) & ~_from(words[i], high)
        while found != 0:
            lowest = found & (~found + np.uint64(1))
            example = 8 * i + np.int64(((lowest >> np.uint64(7)) * _BYTE_OF_BIT) >> np.uint64(56))
            bucket = codes[example] - first
            indices[cursor[bucket]] = example
            cursor[bucket] += 1
            found ^= lowest
    for example in range(8 * _WORDS * num_blocks, len(codes)):
        if first <= codes[example] < stop:
            indices[cursor[codes[example] - first]] = example
            cursor[codes[example] - first] += 1


@njit(cache=True)
def _sort_members(members, gap, score):
    """Put all three into the order of Eq. 2; stable.

    They are dealt to as many places as there are members, where equally spread ones would be, and sorted there.
    """
    n = len(members)
    if n < 2:
        return
    keys = gap if gap.min() < gap.max() else -score
    lowest, scale = keys.min(), 0.0
    if lowest < keys.max():
        scale = (n - 1) / (keys.max() - lowest)
    places, starts = np.empty(n, np.int64), np.zeros(n + 2, np.int64)
    for i in range(n):
        places[i] = np.int64((keys[i] - lowest) * scale)
        starts[places[i] + 2] += 1
    for place in range(n):
        starts[place + 2] += starts[place + 1]
    old_members, old_gap, old_score = members.copy(), gap.copy(), score.copy()
    for i in range(n):
        to = starts[places[i] + 1]
        starts[places[i] + 1] += 1
        members[to], gap[to], score[to] = old_members[i], old_gap[i], old_score[i]
    if np.diff(starts).max() <= _FEW:
        _insertion_sort(members, gap, score, 0, n)
        return
    for place in range(n):
        _merge_sort(members, gap, score, starts[place], starts[place + 1])


_FEW = 8


@njit(cache=True)
def _insertion_sort(members, gap, score, start, stop):
    for i in range(start + 1, stop):
        member, its_gap, its_score, j = members[i], gap[i], score[i], i - 1
        while j >= start and (gap[j] > its_gap or (gap[j] == its_gap and score[j] < its_score)):
            members[j + 1], gap[j + 1], score[j + 1] = members[j], gap[j], score[j]
            j -= 1
        members[j + 1], gap[j + 1], score[j + 1] = member, its_gap, its_score


@njit(cache=True)
def _merge_sort(members, gap, score, start, stop):
    run = _FEW
    for first in range(start, stop, run):
        _insertion_sort(members, gap, score, first, min(first + run, stop))
    if stop - start <= run:
        return
    new_members, new_gap, new_score = np.empty_like(members), np.empty_like(gap), np.empty_like(score)
    while run < stop - start:
        for first in range(start, stop, 2 * run):
            middle, end = min(first + run, stop), min(first + 2 * run, stop)
            i, j = first, middle
            for to in range(first, end):
                if j >= end or (i < middle and (gap[i] < gap[j] or (gap[i] == gap[j] and score[i] >= score[j]))):
                    new_members[to], new_gap[to], new_score[to] = members[i], gap[i], score[i]
                    i += 1
                else:
                    new_members[to], new_gap[to], new_score[to] = members[j], gap[j], score[j]
                    j += 1
        members[start:stop] = new_members[start:stop]
        gap[start:stop], score[start:stop] = new_gap[start:stop], new_score[start:stop]
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
def count_candidates(view, low, high):
    """Evidence._count_candidates"""
    first, last = _buckets_between(view.starts, low, high)
    count = 0
    for bucket in range(first + 1, last):
        count += view.starts[bucket + 1] - view.starts[bucket] - view.counts[0, bucket] - view.counts[1, bucket]
    sort(view, first, first + 1)
    sort(view, last, last + 1)
    for position in range(low, min(view.starts[first + 1], high)):
        count += view.label_of[view.indices[position]] < 0
    if last > first:
        for position in range(view.starts[last], high):
            count += view.label_of[view.indices[position]] < 0
    return count


@njit(cache=True)
def are_candidates(view, low, high, indices):
    """Evidence._are_candidates"""
    first, last = _buckets_between(view.starts, low, high)
    are = np.zeros(len(indices), np.bool_)
    for i in range(len(indices)):
        code = view.codes[indices[i]]
        if view.label_of[indices[i]] < 0 and first <= code <= last:
            are[i] = True
            if code == first or code == last:
                position = view.starts[code]
                while view.indices[position] != indices[i]:
                    position += 1
                are[i] = low <= position < high
    return are


@njit(cache=True)
def _losses(view):
    """The loss of the thresholds at which buckets start, less a constant."""
    losses = np.zeros(len(view.starts), np.int64)
    for bucket in range(len(view.starts) - 1):
        losses[bucket + 1] = losses[bucket] + view.counts[0, bucket] - view.counts[1, bucket]
    return losses


@njit(cache=True)
def _best_steps(view, losses, low, high):
    """The steps of least loss in the version space: the first and the last threshold of each.

    Inside a bucket the loss falls by one, at most, for each of its examples of the class. Only buckets in which it may be
    the least are sorted.
    """
    members, least = view.counts[1], np.int64(2**62)
    for bucket in range(len(view.starts)):
        if low <= view.starts[bucket] <= high:
            least = min(least, losses[bucket])
    most = members.sum() + len(view.starts)
    lowest, highest = np.empty(most, np.int64), np.empty(most, np.int64)
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
    """Evidence.shrink, where the best is kept and the middle of equally good sub-intervals taken.

    The first thresholds of sub-intervals are tried bucket by bucket, and only where the worse end may be as good as the
    best found.
    """
    losses = _losses(view)
    lowest, highest = _best_steps(view, losses, low, high)
    width = max(min(size - 1, high - low), highest[-1] - lowest[0])
    from_here, to_here = max(low, highest[-1] - width), min(lowest[0], high - width)
    starts = view.starts
    most = 2 * len(starts)
    turns, floors = np.empty(most, np.int64), np.empty(most, np.int64)
    first, _ = _buckets_between(starts, from_here, from_here)
    last, _ = _buckets_between(starts, from_here + width, from_here + width)
    count, turn = 0, from_here
    while turn <= to_here:  # from each turn to the next one both ends stay in one bucket
        turns[count] = turn
        floors[count] = max(losses[first] - view.counts[1, first], losses[last] - view.counts[1, last])
        count += 1
        turn = min(starts[first + 1], starts[last + 1] - width, to_here + 1)
        while turn <= to_here and first + 2 < len(starts) and starts[first + 1] <= turn:
            first += 1
        while turn <= to_here and last + 2 < len(starts) and starts[last + 1] - width <= turn:
            last += 1
        if turn == turns[count - 1]:
            break  # both ends are at the end of the order
    turns[count] = to_here + 1
    least = np.int64(2**62)
    begin = np.argmin(floors[:count])
    for i in range(count):
        part = begin if i == 0 else (i - 1 if i <= begin else i)
        if floors[part] <= least:
            least = min(least, _worse_ends(view, losses, turns[part], turns[part + 1], width, 0, -1)[0])
    total = 0
    for part in range(count):
        if floors[part] <= least:
            total += _worse_ends(view, losses, turns[part], turns[part + 1], width, least, -1)[1]
    rank = (total - 1) // 2
    for part in range(count):
        if floors[part] <= least:
            _, here, start = _worse_ends(view, losses, turns[part], turns[part + 1], width, least, rank)
            if rank < here:
                return start, start + width
            rank -= here
    return low, high


@njit(cache=True)
def _worse_ends(view, losses, start, stop, width, least, rank):
    """Of the sub-intervals that start from ``start`` to ``stop - 1``: the least loss of a worse end; how many have the
    loss ``least`` there, and where the one of them with this rank starts.
    """
    size = len(view.codes)
    at_low, at_high = _loss_at(view, losses, start), _loss_at(view, losses, start + width)
    smallest, count, ranked = np.int64(2**62), 0, -1
    for low in range(start, stop):
        worse = max(at_low, at_high)
        smallest = min(smallest, worse)
        if worse == least:
            if count == rank:
                ranked = low
            count += 1
        if low + 1 < stop:
            at_low += _step_at(view, low)
            at_high += _step_at(view, low + width) if low + width < size else 0
    return smallest, count, ranked


@njit(cache=True)
def _loss_at(view, losses, threshold):
    """The loss of any threshold, less the same constant."""
    bucket, _ = _buckets_between(view.starts, threshold, threshold)
    sort(view, bucket, bucket + 1)
    loss = losses[bucket]
    for position in range(view.starts[bucket], threshold):
        loss += _step_at(view, position)
    return loss


@njit(cache=True)
def _step_at(view, position):
    """What the loss rises by behind a position."""
    label = view.label_of[view.indices[position]]
    return 0 if label < 0 else (-1 if label == view.k else 1)


HALF_TIE, LOWEST_TIE, HIGHEST_TIE = 0, 1, 2


@njit(cache=True)
def nearest(view, count, tie):
    """Evidence.nearest, by position."""
    size = len(view.codes)
    lowest, highest = _best_steps(view, _losses(view), 0, size)
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
