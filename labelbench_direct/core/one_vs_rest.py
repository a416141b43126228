"""The reduction to one dimension (section 4.1): what the annotated examples of one class's order say of thresholds.

A threshold t in 0..N cuts the order: the first t positions are called the class, the others are not. Its loss counts
the annotated examples that it gets wrong, so it is a staircase with one step per annotated example: everything here
costs O(annotated), never O(N).
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Literal

import numpy as np

from labelbench_direct.core.types import Indices

Tie = Literal["half", "lowest", "highest"]


@dataclass(frozen=True, eq=False)
class OneVsRest:
    """The taken examples along one class's order, or along a part of it, whose positions count from 0.

    ``positions`` (A,) ascending; ``votes`` (A,): +1 where the label is the class, -1 where it is another, 0 where there
    is none although the example is taken; ``size`` the number N of positions.
    """

    positions: Indices
    votes: Indices
    size: int

    @cached_property
    def losses(self) -> Indices:
        """(A+1,): the loss of the thresholds with j taken examples before them, j = 0..A."""
        losses: Indices = np.count_nonzero(self.votes > 0) - np.cumsum(np.concatenate(([0], self.votes)))
        return losses

    @property
    def best_steps(self) -> tuple[Indices, Indices]:
        """The lowest threshold of each step of least loss, and the highest: the next taken position."""
        best = self.losses == self.losses.min()
        return np.concatenate(([0], self.positions + 1))[best], np.concatenate((self.positions, [self.size]))[best]

    def loss(self, thresholds: Indices | int) -> Indices:
        """L(t) = #{annotated i < t, not the class} + #{annotated i >= t, the class} (section 4.1)."""
        losses: Indices = self.losses[np.searchsorted(self.positions, thresholds)]
        return losses

    def part(self, low: int, high: int) -> OneVsRest:
        """The positions ``low`` to ``high - 1`` as a line of their own: losses are less by a constant."""
        first, stop = self.positions.searchsorted((low, high))
        return OneVsRest(self.positions[first:stop] - low, self.votes[first:stop], high - low)

    @property
    def num_unlabeled(self) -> int:
        """The number of positions that are not taken."""
        return self.size - len(self.positions)

    def unlabeled_positions(self, ranks: Indices) -> Indices:
        """The positions of the unlabeled examples with these ranks (0 = the first unlabeled one along the order)."""
        unlabeled_before_taken = self.positions - np.arange(len(self.positions))
        return ranks + unlabeled_before_taken.searchsorted(ranks, side="right")

    def best_threshold(self, tie: Tie = "half") -> int:
        """The optimal separation threshold over what is annotated (Eq. 1, by Lemma A.1): the argmin of the loss.

        Ties are the rule, the loss being a staircase: ``half`` takes the one nearest to N/2, of two equally near ones
        the lower (Algorithm 2).
        """
        lowest, highest = self.best_steps
        if tie == "half":
            nearest = np.clip(self.size // 2, lowest, highest)
            return int(nearest[np.argmin(np.abs(2 * nearest - self.size))])
        return int(lowest[0] if tie == "lowest" else highest[-1])

    def nearest_unlabeled(self, threshold: int, count: int) -> Indices:
        """The positions of the ``count`` unlabeled examples nearest to a threshold, nearest first (Alg. 2, last step).

        The positions t - 1 and t are equally near to the threshold t; of equally near ones the lower comes first.
        """
        here = self.part(0, threshold).num_unlabeled
        near = self.unlabeled_positions(np.arange(max(here - count, 0), min(here + count, self.num_unlabeled)))
        return near[np.argsort(np.abs(near + 0.5 - threshold), kind="stable")[:count]]
