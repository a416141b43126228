"""What ``Evidence`` finds out, compiled by numba when it is first asked, and kept compiled on disk: the same answers,
bit for bit.

What is kept is known by this file's date: nothing that is compiled here comes from another one.
"""

from __future__ import annotations

from functools import cached_property
from typing import NamedTuple

import numpy as np
from numba import njit
from numpy.typing import NDArray

from labelbench_direct.core.evidence import Evidence
from labelbench_direct.core.one_vs_rest import Nearest, Tie
from labelbench_direct.core.options import Options
from labelbench_direct.core.types import Codes, Floats, Indices, Mask
from labelbench_direct.core.version_space import VersionSpace


class View(NamedTuple):
    """One class's order and the labels along it: what ``ClassOrder`` and ``Evidence`` hold."""

    codes: Codes
    starts: Indices
    score: Floats
    highest: Floats
    indices: Indices
    is_sorted: Mask
    label_of: NDArray[np.int32]
    k: int
    counts: Indices


class CompiledEvidence(Evidence):
    """Compiled for the default options. For others, and for what is seldom asked, ``Evidence`` serves on the same
    state.
    """

    @cached_property
    def _view(self) -> View:
        order = self._order
        score = order.score if order.score.dtype != np.float16 else order.score.astype(np.float32)
        return View(
            order.codes,
            order.starts,
            score,
            order.highest,
            order.sorted_indices,
            order.is_sorted,
            self._known.label_of,
            self._k,
            self._counts,
        )

    def _count(self, indices: Indices, labels: Indices) -> None:
        tally(self._view, indices, labels)

    def initial_version_space(self) -> VersionSpace:
        return VersionSpace(*initial_version_space(self._view, *self._unseen()))

    def _listed(self, space: VersionSpace) -> Indices:
        listed: Indices = candidates(self._view, space.low, space.high)
        return listed

    def _count_candidates(self, space: VersionSpace) -> int:
        count: int = count_candidates(self._view, space.low, space.high)
        return count

    def _are_candidates(self, space: VersionSpace, indices: Indices) -> Mask:
        are: Mask = are_candidates(self._view, space.low, space.high, indices)
        return are

    def shrink(self, space: VersionSpace, size: int, rng: np.random.Generator, options: Options) -> VersionSpace:
        if not options.keep_best or options.size_unit != "positions" or options.window_tie != "middle":
            return super().shrink(space, size, rng, options)
        return VersionSpace(*shrink(self._view, *self._unseen(), space.low, space.high, size))

    def nearest(self, count: int, tie: Tie, nearest: Nearest) -> tuple[int, Indices]:
        if nearest != "position":
            return super().nearest(count, tie, nearest)
        found: tuple[int, Indices] = nearest_unlabeled(self._view, *self._unseen(), _TIES[tie], count)
        return found


@njit(cache=True)
def tally(view, indices, labels):
    """Evidence._count"""
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
_WORDS = 8  # in a block
_BLOCK = 8 * _WORDS


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

    First the blocks of codes that have any are found, then the words of eight codes in these blocks, then the codes.
    What is found is listed without branching: a branch that cannot be predicted costs as much as reading a hundred
    codes.
    """
    cursor = starts[first:stop].copy()
    blocks, num_blocks = _blocks_with_any(codes, np.uint8(first), np.uint8(stop - 1))
    low, high = _bound(first), _bound(stop)
    words = codes[: len(codes) // 8 * 8].view(np.uint64)
    hits, num_hits = np.empty(_WORDS * num_blocks + 1, np.int32), 0
    for block in blocks[:num_blocks]:
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
    for example in range(len(codes) // _BLOCK * _BLOCK, len(codes)):
        if first <= codes[example] < stop:
            indices[cursor[codes[example] - first]] = example
            cursor[codes[example] - first] += 1


@njit(cache=True)
def _blocks_with_any(codes, least, most):
    """The numbers of those whole blocks that have a code from ``least`` to ``most``, and how many they are."""
    flags = np.empty(len(codes) // _BLOCK, np.uint8)
    for block in range(len(flags)):
        has_any = np.uint8(0)
        for i in range(_BLOCK):
            code = codes[_BLOCK * block + i]
            has_any |= np.uint8((code >= least) & (code <= most))
        flags[block] = has_any
    blocks, count = np.empty(len(flags) + 1, np.int32), 0
    for block in range(len(flags)):
        blocks[count] = block
        count += flags[block]
    return blocks, count


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
    if scale == np.inf:  # closer than numbers can tell: all into one place
        scale = 0.0
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
def _sort_between(view, low, high):
    first, last = _buckets_between(view.starts, low, high)
    sort(view, first, last + 1)


@njit(cache=True)
def initial_version_space(view, indices, labels):
    """Evidence.initial_version_space"""
    tally(view, indices, labels)
    return _lowest_threshold(view), _highest_threshold(view)


@njit(cache=True)
def _lowest_threshold(view):
    """Its lower end: behind the last of the class before the first of the others."""
    others, members = view.counts[0], view.counts[1]
    bucket = 0
    while bucket < len(others) - 1 and others[bucket] == 0:
        bucket += 1
    for here in range(bucket, -1, -1):
        if members[here] == 0:
            continue
        sort(view, here, here + 1)
        low = 0
        for position in range(view.starts[here], view.starts[here + 1]):
            label = view.label_of[view.indices[position]]
            if label == view.k:
                low = position + 1
            elif label >= 0:
                break
        if low > 0:
            return low
    return 0


@njit(cache=True)
def _highest_threshold(view):
    """Its higher end: before the first of the others behind the last of the class."""
    others, members = view.counts[0], view.counts[1]
    bucket = len(others) - 1
    while bucket > 0 and members[bucket] == 0:
        bucket -= 1
    for here in range(bucket, len(others)):
        if others[here] == 0:
            continue
        sort(view, here, here + 1)
        high = len(view.codes)
        for position in range(view.starts[here + 1] - 1, view.starts[here] - 1, -1):
            label = view.label_of[view.indices[position]]
            if label == view.k:
                break
            if label >= 0:
                high = position
        if high < len(view.codes):
            return high
    return len(view.codes)


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
def candidates(view, low, high):
    """Evidence._listed"""
    _sort_between(view, low, high)
    listed, count = np.empty(high - low, np.int64), 0
    for position in range(low, high):
        listed[count] = view.indices[position]
        count += view.label_of[view.indices[position]] < 0
    return listed[:count]


@njit(cache=True)
def are_candidates(view, low, high, indices):
    """Evidence._are_candidates, of a space that holds some."""
    first, last = _buckets_between(view.starts, low, high)
    sort(view, first, first + 1)
    sort(view, last, last + 1)
    are = np.empty(len(indices), np.bool_)
    for i in range(len(indices)):
        example, code = indices[i], view.codes[indices[i]]
        are[i] = first <= code <= last and view.label_of[example] < 0
        if are[i] and code == first:
            are[i] = not _is_before(view, example, view.indices[low])
        if are[i] and code == last and high < view.starts[last + 1]:
            are[i] = _is_before(view, example, view.indices[high])
    return are


@njit(cache=True)
def _is_before(view, one, other):
    """Whether one example comes before another in the order of Eq. 2."""
    score, other_score = np.float64(view.score[one]), np.float64(view.score[other])
    gap, other_gap = view.highest[one] - score, view.highest[other] - other_score
    if gap != other_gap:
        return gap < other_gap
    return score > other_score or (score == other_score and one < other)


@njit(cache=True)
def _losses(view):
    """The loss of the thresholds at which buckets start, less a constant."""
    losses = np.zeros(len(view.starts), np.int64)
    for bucket in range(len(view.starts) - 1):
        losses[bucket + 1] = losses[bucket] + view.counts[0, bucket] - view.counts[1, bucket]
    return losses


@njit(cache=True)
def _least_between(view, losses, low, high):
    """The least of the losses that are known: of those thresholds of a version space at which buckets start."""
    least = np.int64(2**62)
    for bucket in range(len(view.starts)):
        if low <= view.starts[bucket] <= high:
            least = min(least, losses[bucket])
    return least


@njit(cache=True)
def _best_steps(view, losses, low, high):
    """The steps of least loss in the version space: the first and the last threshold of each.

    Inside a bucket the loss falls by one, at most, for each of its examples of the class. Only buckets in which it may
    be the least, and changes, are sorted: neighbors together.
    """
    others, members, least = view.counts[0], view.counts[1], _least_between(view, losses, low, high)
    most = members.sum() + len(view.starts)  # a bucket has no more steps of one loss than members, and one
    lowest, highest, count = np.empty(most, np.int64), np.empty(most, np.int64), 0
    first, last = _buckets_between(view.starts, low, high)
    for bucket in range(first, last + 1):
        loss = losses[bucket]
        if loss - members[bucket] > least:
            continue
        start, end = view.starts[bucket], min(high, view.starts[bucket + 1])
        is_flat = others[bucket] + members[bucket] == 0
        if not (is_flat or view.is_sorted[bucket]):
            stop = bucket + 1
            while stop <= last and losses[stop] - members[stop] <= least and others[stop] + members[stop] > 0:
                stop += 1
            sort(view, bucket, stop)
        for position in range(end if is_flat else start, end + 1):
            step = _step_at(view, position) if position < end else 1
            if step == 0:
                continue
            if position >= low and loss <= least:  # the thresholds from start to position have one loss
                count = count if loss == least else 0
                least, start = loss, max(start, low)
                if count > 0 and highest[count - 1] == start:  # goes on from the bucket before
                    count -= 1
                else:
                    lowest[count] = start
                highest[count] = position
                count += 1
            loss += step
            start = position + 1
    return lowest[:count], highest[:count]


@njit(cache=True)
def shrink(view, indices, labels, low, high, size):
    """Evidence.shrink, where the best is kept and the middle of equally good sub-intervals taken.

    The thresholds at which sub-intervals start are tried part by part, and only those parts in which the loss of the
    worse end may be the least.
    """
    tally(view, indices, labels)
    losses = _losses(view)
    lowest, highest = _best_steps(view, losses, low, high)
    width = max(min(size - 1, high - low), highest[-1] - lowest[0])
    first, last = max(low, highest[-1] - width), min(lowest[0], high - width)
    if first == last:
        return first, first + width
    parts, floors = _parts(view, losses, first, last, width)
    begin = np.argmin(floors)
    least, _, _ = _worse_ends(view, losses, parts[begin], parts[begin + 1], width, 0, -1)
    for part in range(len(floors)):
        if floors[part] <= least:
            least = min(least, _worse_ends(view, losses, parts[part], parts[part + 1], width, 0, -1)[0])
    total = 0
    for part in range(len(floors)):
        if floors[part] <= least:
            total += _worse_ends(view, losses, parts[part], parts[part + 1], width, least, -1)[1]
    rank = (total - 1) // 2
    for part in range(len(floors)):
        if floors[part] <= least:
            _, count, start = _worse_ends(view, losses, parts[part], parts[part + 1], width, least, rank)
            if rank < count:
                return start, start + width
            rank -= count
    return low, high


@njit(cache=True)
def _parts(view, losses, start, stop, width):
    """Where sub-intervals that start from ``start`` to ``stop`` have both ends in the same two buckets: the starts of
    these parts, and the end of the last; and what the loss of the worse end is at least in each.
    """
    starts, members, last_bucket = view.starts, view.counts[1], len(view.starts) - 2
    parts, floors, count = np.empty(2 * len(starts) + 1, np.int64), np.empty(2 * len(starts), np.int64), 0
    first, _ = _buckets_between(starts, start, start)
    last, _ = _buckets_between(starts, start + width, start + width)
    while True:
        parts[count] = start
        floors[count] = max(losses[first] - members[first], losses[last] - members[last])
        count += 1
        start = stop + 1
        if first < last_bucket:
            start = min(start, starts[first + 1])
        if last < last_bucket:
            start = min(start, starts[last + 1] - width)
        if start > stop:
            parts[count] = stop + 1
            return parts[: count + 1], floors[:count]
        while first < last_bucket and starts[first + 1] <= start:
            first += 1
        while last < last_bucket and starts[last + 1] - width <= start:
            last += 1


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


_HALF, _LOWEST, _HIGHEST = 0, 1, 2
_TIES: dict[Tie, int] = {"half": _HALF, "lowest": _LOWEST, "highest": _HIGHEST}


@njit(cache=True)
def nearest_unlabeled(view, indices, labels, tie, count):
    """Evidence.nearest, by position"""
    tally(view, indices, labels)
    threshold = _best_threshold(view, tie)
    return threshold, _unlabeled_around(view, threshold, count)


@njit(cache=True)
def _best_threshold(view, tie):
    """OneVsRest.best_threshold, along the whole order."""
    size = len(view.codes)
    lowest, highest = _best_steps(view, _losses(view), 0, size)
    if tie != _HALF:
        return lowest[0] if tie == _LOWEST else highest[-1]
    threshold = min(max(size // 2, lowest[0]), highest[0])
    for i in range(1, len(lowest)):
        here = min(max(size // 2, lowest[i]), highest[i])
        if abs(2 * here - size) < abs(2 * threshold - size):
            threshold = here
    return threshold


@njit(cache=True)
def _unlabeled_around(view, threshold, count):
    """The unlabeled examples nearest to a threshold: sorts the buckets around it as far as they are needed."""
    chosen = np.empty(count, np.int64)
    below, above = threshold - 1, threshold
    _sort_between(view, max(0, threshold - count), min(threshold + count, len(view.codes)))
    first, _ = _buckets_between(view.starts, threshold, threshold)
    last = first
    for i in range(count):
        below, first = _next_unlabeled(view, below, first, -1)
        above, last = _next_unlabeled(view, above, last, 1)
        if below < 0 and above == len(view.codes):
            return chosen[:i]
        if below >= 0 and (above == len(view.codes) or threshold - 1 - below <= above - threshold):
            chosen[i] = view.indices[below]
            below -= 1
        else:
            chosen[i] = view.indices[above]
            above += 1
    return chosen


@njit(cache=True)
def _next_unlabeled(view, position, bucket, direction):
    """The next position without a label, from this one on, and its bucket; -1 or N where there is none."""
    while 0 <= position < len(view.codes):
        while position < view.starts[bucket]:
            bucket -= 1
        while position >= view.starts[bucket + 1]:
            bucket += 1
        sort(view, bucket, bucket + 1)
        if _step_at(view, position) == 0:
            break
        position += direction
    return position, bucket
