"""What a search does for each label, in O(annotated) loops; and the one pass over an order."""

from __future__ import annotations

import numpy as np

from labelbench_direct.core.class_line import ClassLine
from labelbench_direct.core.compiled.cache import compile_and_keep
from labelbench_direct.core.one_vs_rest import OneVsRest
from labelbench_direct.core.types import Indices
from labelbench_direct.core.version_space import VersionSpace


class CompiledLine(ClassLine):
    """``ClassLine``, compiled where a search spends its time."""

    def _take(self) -> OneVsRest:
        most = len(self._known) + len(self._known.without_label)
        positions, votes = taken(self._known.label_of, self._order, self.k, most)
        return OneVsRest(positions, votes, len(self._order))

    def _inserted(self, positions: Indices, votes: Indices) -> OneVsRest:
        line = self._line
        positions, votes = inserted(line.positions, line.votes, positions, votes)
        return OneVsRest(positions, votes, line.size)

    def shrink(self, space: VersionSpace, size: int, keep_best: bool) -> VersionSpace:
        line = self.one_vs_rest
        return VersionSpace(*shrink(line.positions, line.votes, space.low, space.high, size, keep_best))


@compile_and_keep()
def taken(label_of, order, k, most):
    """ClassLine._take"""
    positions, votes, count = np.empty(most + 1, np.int64), np.empty(most, np.int64), 0
    for position in range(len(order)):
        positions[count] = position  # written over where nobody is taken: faster than to ask before
        count += label_of[order[position]] != -1
    for i in range(most):
        label = label_of[order[positions[i]]]
        votes[i] = 2 * (label == k) - (label >= 0)
    return positions[:most], votes


@compile_and_keep()
def inserted(positions, votes, new_positions, new_votes):
    """ClassLine._inserted"""
    size = len(positions) + len(new_positions)
    both_positions, both_votes = np.empty(size, np.int64), np.empty(size, np.int64)
    both_positions[: len(positions)], both_votes[: len(positions)] = positions, votes
    for i in range(len(new_positions)):
        place = len(positions) + i
        while place > 0 and both_positions[place - 1] > new_positions[i]:
            both_positions[place], both_votes[place] = both_positions[place - 1], both_votes[place - 1]
            place -= 1
        both_positions[place], both_votes[place] = new_positions[i], new_votes[i]
    return both_positions, both_votes


@compile_and_keep()
def shrink(positions, votes, low, high, size, keep_best):
    """version_space.shrink: thresholds count from ``low``; ``losses`` by the number of taken examples before them."""
    inside = positions[np.searchsorted(positions, low) : np.searchsorted(positions, high)] - low
    first_vote, last = np.searchsorted(positions, low), high - low
    losses = np.zeros(len(inside) + 1, np.int64)
    for j in range(len(inside)):
        losses[j + 1] = losses[j] - votes[first_vote + j]
    width, lowest, highest = min(size - 1, last), 0, last
    if keep_best:
        lowest_best, highest_best = _best(inside, losses, last)
        width = max(width, highest_best - lowest_best)
        lowest, highest = max(0, highest_best - width), lowest_best
    highest = min(highest, last - width)
    start = lowest
    if lowest < highest:
        least, count, _ = _intervals(inside, losses, lowest, highest, width, 2**62, -1)
        _, _, start = _intervals(inside, losses, lowest, highest, width, least, (count - 1) // 2)
    return low + start, low + start + width


@compile_and_keep()
def _best(inside, losses, last):
    """The lowest and the highest threshold of least loss."""
    least, first_step, last_step = losses.min(), 0, len(inside)
    while losses[first_step] != least:
        first_step += 1
    while losses[last_step] != least:
        last_step -= 1
    return (
        inside[first_step - 1] + 1 if first_step > 0 else 0,
        inside[last_step] if last_step < len(inside) else last,
    )


@compile_and_keep()
def _intervals(inside, losses, lowest, highest, width, least, rank):
    """Of the intervals of ``width`` that start from ``lowest`` to ``highest``: the least loss of a worse end, if it is
    less than ``least``; how many have it; and where the one of them with this rank starts.
    """
    i, j, start = np.searchsorted(inside, lowest), np.searchsorted(inside, lowest + width), lowest
    count, ranked = 0, -1
    while start <= highest:
        end = highest + 1  # until one of the two ends enters another step
        if i < len(inside):
            end = min(end, inside[i] + 1)
        if j < len(inside):
            end = min(end, inside[j] + 1 - width)
        worse = max(losses[i], losses[j])
        if worse < least:
            least, count = worse, 0
        if worse == least:
            if count <= rank < count + end - start:
                ranked = start + rank - count
            count += end - start
        start = end
        while i < len(inside) and inside[i] < start:
            i += 1
        while j < len(inside) and inside[j] < start + width:
            j += 1
    return least, count, ranked
