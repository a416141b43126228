"""The version space of Algorithm 1: the thresholds that may still be the best one, how it starts and how it shrinks.

The paper writes it [I, J], two positions between which the threshold lies. Here it is the thresholds themselves, from
``low`` = I + 1 (the cut right after position I) to ``high`` = J (the cut right before position J). Its size, J - I, is
their number. They disagree on the positions low..high-1 and nowhere else: only there is a label worth asking for.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np

from labelbench_direct.core.one_vs_rest import OneVsRest
from labelbench_direct.core.types import Indices

WindowTie = Literal["middle", "random"]
SizeUnit = Literal["positions", "candidates"]


@dataclass(frozen=True)
class VersionSpace:
    """The thresholds ``low`` to ``high``, both included, 0 <= low <= high <= N."""

    low: int
    high: int

    def candidates(self, line: OneVsRest) -> int:
        """The number of unlabeled examples on which the thresholds disagree."""
        return line.unlabeled_before(self.high) - line.unlabeled_before(self.low)

    def size(self, line: OneVsRest, unit: SizeUnit) -> int:
        """The number of thresholds, or with ``candidates`` of those that some unlabeled example tells apart."""
        return 1 + (self.high - self.low if unit == "positions" else self.candidates(line))


def initial_version_space(line: OneVsRest) -> VersionSpace:
    """The shortest interval with only the class annotated up to I and only others from J on (Alg. 1, Initialize).

    Separable labels give the gap between the last of the class and the first of the others; contradicting ones the
    stretch that holds all contradictions; no label of the class everything before the first label.
    """
    members, others = np.flatnonzero(line.is_class), np.flatnonzero(~line.is_class)
    before_first_other = others[0] if len(others) else len(line.positions)
    up_to_last_member = members[-1] + 1 if len(members) else 0
    return VersionSpace(
        int(line.lowest_thresholds[before_first_other]), int(line.highest_thresholds[up_to_last_member])
    )


def shrink(
    space: VersionSpace,
    line: OneVsRest,
    size: int,
    rng: np.random.Generator,
    *,
    unit: SizeUnit = "positions",
    tie: WindowTie = "middle",
    keep_best: bool = True,
) -> VersionSpace:
    """The sub-interval of ``size`` thresholds that minimises max(L(low), L(high)) (Alg. 1, Update version space).

    Of equally good ones ``middle`` takes the median, ``random`` any, uniformly. With ``keep_best`` the sub-interval
    holds every threshold of least loss, and is larger than ``size`` where it must be: no threshold that fits the
    labels best is ever given up. Without, it is as printed, and a tie can give up the true threshold although no
    label is wrong.
    """
    starts, losses = _loss_steps(space, line, unit)  # the space's thresholds, counted from 0 in the unit of size
    last = space.size(line, unit) - 1
    width, lowest_start, highest_start = min(size - 1, last), 0, last
    if keep_best:
        best = np.flatnonzero(losses == losses.min())
        lowest_best, highest_best = int(starts[best[0]]), int(np.append(starts, last + 1)[best[-1] + 1]) - 1
        width = max(width, highest_best - lowest_best)
        lowest_start, highest_start = max(0, highest_best - width), lowest_best
    highest_start = min(highest_start, last - width)

    # The worse end's loss changes only where one of the two ends enters another step.
    turns = np.concatenate([starts, starts - width])
    turns = turns[(turns > lowest_start) & (turns <= highest_start)]
    turns = np.concatenate([[lowest_start], np.sort(turns)])
    worse_end = np.maximum(_at(turns, starts, losses), _at(turns + width, starts, losses))
    least = worse_end == worse_end.min()
    lengths = np.diff(np.append(turns, highest_start + 1))[least]
    total = int(lengths.sum())
    chosen = int(rng.integers(total)) if tie == "random" else (total - 1) // 2
    start = _nth(turns[least], lengths, chosen)
    return _sub_interval(space, line, unit, start, start + width)


def _loss_steps(space: VersionSpace, line: OneVsRest, unit: SizeUnit) -> tuple[Indices, Indices]:
    """The loss inside the version space as steps: where each starts (the first at 0) and its value.

    In candidates, thresholds that no unlabeled example tells apart count as one, with the least of their losses.
    """
    first, stop = np.searchsorted(line.positions, [space.low, space.high])
    inside = line.positions[first:stop] - space.low
    losses = line.losses[first : stop + 1]
    if unit == "positions":
        return np.concatenate([[0], inside + 1]), losses
    candidates_before = inside - np.arange(len(inside))
    starts = np.unique(np.concatenate([[0], candidates_before, candidates_before + 1]))
    starts = starts[starts <= space.candidates(line)]
    lowest = np.searchsorted(candidates_before, starts, side="left")
    highest = np.searchsorted(candidates_before, starts, side="right")
    return starts, np.array([losses[i : j + 1].min() for i, j in zip(lowest, highest, strict=True)])


def _at(where: Indices, starts: Indices, losses: Indices) -> Indices:
    values: Indices = losses[np.searchsorted(starts, where, side="right") - 1]
    return values


def _nth(starts: Indices, lengths: Indices, n: int) -> int:
    """The n-th number, from 0, of consecutive runs of integers given by their starts and lengths."""
    ends = np.cumsum(lengths)
    run = np.searchsorted(ends, n, side="right")
    return int(starts[run] + n - (ends[run] - lengths[run]))


def _sub_interval(space: VersionSpace, line: OneVsRest, unit: SizeUnit, first: int, last: int) -> VersionSpace:
    """The thresholds numbered ``first`` to ``last`` in the unit."""
    if unit == "positions":
        return VersionSpace(space.low + first, space.low + last)
    before = line.unlabeled_before(space.low)
    low, high = space.low, space.high
    if first > 0:
        low = int(line.unlabeled_positions(np.array([before + first - 1]))[0]) + 1
    if last < space.candidates(line):
        high = int(line.unlabeled_positions(np.array([before + last]))[0])
    return VersionSpace(low, high)
