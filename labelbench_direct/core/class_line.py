"""One class's order and what annotators said along it, kept up to date: all that Algorithms 1 and 2 ask.

Once its order is sorted and the labels so far are found in it, a line is never looked at whole again, as long as the
labels that come are those of its own draws.
"""

from __future__ import annotations

import numpy as np

from labelbench_direct.core.annotations import UNLABELED, Annotations
from labelbench_direct.core.one_vs_rest import OneVsRest, Tie
from labelbench_direct.core.types import Indices, Order
from labelbench_direct.core.version_space import VersionSpace, initial_version_space, shrink


class ClassLine:
    """Answers by what is known at the time of asking."""

    def __init__(self, order: Order, known: Annotations, k: int) -> None:
        """``order`` (N,): the pool indices in the order of class ``k``."""
        self.k = k
        self._order, self._known = order, known
        self._drawn: dict[int, int] = {}  # positions of what was drawn, by index
        self._line, self._seen, self._revision = self._take(), len(known), known.revision

    @property
    def one_vs_rest(self) -> OneVsRest:
        """What is taken along the order, and the votes."""
        known = self._known
        new = known.since(self._seen)
        positions = [self._drawn.get(index, -1) for index in new.tolist()]
        if self._revision != known.revision or -1 in positions:  # not only labels of what was drawn here
            self._line = self._take()
        elif positions:
            self._line = self._inserted(np.array(positions), self._votes(known.label_of[new]))
        self._seen, self._revision = len(known), known.revision
        return self._line

    def _take(self) -> OneVsRest:
        """What is taken along the whole order."""
        labels = self._known.label_of.take(self._order)
        positions = np.flatnonzero(labels != UNLABELED)
        return OneVsRest(positions, self._votes(labels[positions]), len(labels))

    def _inserted(self, positions: Indices, votes: Indices) -> OneVsRest:
        """The line with some more."""
        ascending = positions.argsort()
        positions, votes, line = positions[ascending], votes[ascending], self._line
        places = line.positions.searchsorted(positions)
        return OneVsRest(_inserted(line.positions, places, positions), _inserted(line.votes, places, votes), line.size)

    def _votes(self, labels: Order) -> Indices:
        votes: Indices = 2 * (labels == self.k) - (labels >= 0).astype(np.int64)
        return votes

    def initial_version_space(self) -> VersionSpace:
        return initial_version_space(self.one_vs_rest)

    def shrink(self, space: VersionSpace, size: int, keep_best: bool) -> VersionSpace:
        return shrink(space, self.one_vs_rest, size, keep_best)

    def draw(self, space: VersionSpace, count: int, rng: np.random.Generator) -> Indices:
        """``count`` of the unlabeled examples on which the thresholds disagree, or all of them when they are fewer:
        uniformly, without replacement, as ranks along the order.
        """
        inside = self.one_vs_rest.part(space.low, space.high)
        count = min(count, inside.num_unlabeled)
        if count == 1:  # several times faster
            ranks = np.array([rng.integers(inside.num_unlabeled)])
        else:
            ranks = rng.choice(inside.num_unlabeled, size=count, replace=False)
        positions = space.low + inside.unlabeled_positions(ranks)
        indices = self._order[positions].astype(np.int64)
        self._drawn.update(zip(indices.tolist(), positions.tolist(), strict=True))
        return indices

    def best_threshold(self, tie: Tie) -> int:
        return self.one_vs_rest.best_threshold(tie)

    def nearest(self, threshold: int, count: int) -> Indices:
        """The ``count`` unlabeled examples nearest to a threshold, nearest first, or all when they are fewer."""
        return self._order[self.one_vs_rest.nearest_unlabeled(threshold, count)].astype(np.int64)


def _inserted(values: Indices, places: Indices, new: Indices) -> Indices:
    """``np.insert``, which takes its time where there is one."""
    if len(new) > 1:
        return np.insert(values, places, new)
    return np.concatenate((values[: places[0]], new, values[places[0] :]))
