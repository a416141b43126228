"""The version space of Algorithm 1: the thresholds that may still be the best one, how it starts and how it shrinks.

The paper writes it [I, J], two positions between which the threshold lies. Here it is the thresholds themselves, from
``low`` = I + 1 (the cut right after position I) to ``high`` = J (the cut right before position J). Its size, J - I, is
their number. They disagree on the positions low..high-1 and nowhere else: only there is a label worth asking for.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from labelbench_direct.core.one_vs_rest import OneVsRest


@dataclass(frozen=True)
class VersionSpace:
    """The thresholds ``low`` to ``high``, both included, 0 <= low <= high <= N."""

    low: int
    high: int

    @property
    def size(self) -> int:
        """The number of thresholds."""
        return 1 + self.high - self.low


def initial_version_space(line: OneVsRest) -> VersionSpace:
    """The shortest interval with only the class annotated up to I and only others from J on (Alg. 1, Initialize).

    Separable labels give the gap between the last of the class and the first of the others; contradicting ones the
    stretch that holds all contradictions; no label of the class everything before the first label.
    """
    members = np.concatenate(([-1], line.positions[line.votes > 0]))
    others = np.concatenate((line.positions[line.votes < 0], [line.size]))
    i, j = members[members < others[0]][-1], others[others > members[-1]][0]
    return VersionSpace(int(i) + 1, int(j))


def shrink(space: VersionSpace, line: OneVsRest, size: int, keep_best: bool) -> VersionSpace:
    """The sub-interval of ``size`` thresholds that minimises max(L(low), L(high)) (Alg. 1, Update version space).

    Of equally good ones it is the middle one. With ``keep_best`` the sub-interval holds every threshold of least loss,
    and is larger than ``size`` where it must be: no threshold that fits the labels best is ever given up. Without, it
    is as printed, and a tie can give up the true threshold although no label is wrong.
    """
    inside = line.part(space.low, space.high)  # its thresholds count from 0
    width, lowest_start, highest_start = min(size - 1, inside.size), 0, inside.size
    if keep_best:
        lowest, highest = inside.best_steps
        lowest_best, highest_best = int(lowest[0]), int(highest[-1])
        width = max(width, highest_best - lowest_best)
        lowest_start, highest_start = max(0, highest_best - width), lowest_best
    start = _middle_of_best(inside, width, lowest_start, min(highest_start, inside.size - width))
    return VersionSpace(space.low + start, space.low + start + width)


def _middle_of_best(line: OneVsRest, width: int, lowest: int, highest: int) -> int:
    """Of the intervals of ``width`` that start from ``lowest`` to ``highest``, and have the least loss at their worse
    end, where the middle one starts.
    """
    if lowest == highest:
        return lowest
    # The worse end's loss changes only where one of the two ends enters another step.
    turns = np.concatenate([line.positions + 1, line.positions + 1 - width])
    turns = np.sort(turns[(turns > lowest) & (turns <= highest)])
    turns = np.concatenate([[lowest], turns])
    worse_end = np.maximum(line.loss(turns), line.loss(turns + width))
    least = worse_end == worse_end.min()
    lengths = np.diff(np.append(turns, highest + 1))[least]
    rank, ends = (int(lengths.sum()) - 1) // 2, np.cumsum(lengths)
    run = np.searchsorted(ends, rank, side="right")
    return int(turns[least][run] + rank - (ends[run] - lengths[run]))
