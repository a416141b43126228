"""One class's graph in GALAXY, kept up to date label by label and never looked at whole.

Its queries need the shortest path between opposite labels and the unlabeled example nearest to a cut. Both are kept in
heaps, and what became of an entry is found out when it comes to the top: a path in which somebody was annotated is
gone, its parts having entries of their own; an example that was annotated gives way to the next, farther from its cut.
"""

from __future__ import annotations

from heapq import heappop, heappush, heapreplace

import numpy as np

from labelbench_direct.core.annotations import UNLABELED, Annotations
from labelbench_direct.core.types import Order


class LinearGraph:
    """What is annotated along one class's order, the paths between opposite labels, and the cuts.

    A label changes paths or cuts only if it is the class, or if one of the annotated examples nearest to it on its two
    sides is; an unlabeled example of which that holds is called *live*. With many classes few are. So each new label is
    marked, all at once, and only those that matter are looked at: O(log) each, and a search of bytes from the label to
    the annotated examples nearest to it.

    Memory: for each example its position, in the smallest integer that holds N, and three bytes (four from N = 2^17).
    """

    def __init__(self, order: Order, k: int, known: Annotations, both_kinds: bool) -> None:
        """``order`` (N,): the pool indices in the order of class ``k``; what is open or out by now is left out.
        ``both_kinds`` of cuts, or only those at which the class follows the rest.
        """
        num_examples = len(order)
        if len(known.without_label):
            order = order[known.label_of[order] >= UNLABELED]
        size = len(order)
        self._known, self._seen = known, 0
        self._k, self._both_kinds = k, both_kinds
        self._positions = np.full(num_examples, size, dtype=np.min_scalar_type(size))  # by pool index
        self._positions[order] = np.arange(size, dtype=self._positions.dtype)
        self._shift = (num_examples.bit_length() + 1) // 2
        self._blocks = (order >> self._shift).astype(np.min_scalar_type(num_examples >> self._shift))  # by position
        self._annotated, self._live = bytearray(size), bytearray(size)  # by position: quick to search
        self._is_annotated = np.frombuffer(self._annotated, dtype=bool)  # the same bytes: quick to index
        self._is_live = np.frombuffer(self._live, dtype=bool)
        self._members: set[int] = set()  # positions annotated as the class
        self._paths: list[int] = []  # heap: N times its unlabeled examples, plus its first end
        self._cuts: list[tuple[int, bool, int, int]] = []  # heap: distance, whether after, minus the cut, position
        self.update()

    def update(self) -> None:
        """Take in the labels that came since the last time."""
        indices = self._known.since(self._seen)
        self._seen += len(indices)
        positions = self._positions[indices].astype(np.int64)
        is_class = self._known.label_of[indices] == self._k
        self._is_annotated[positions] = True
        self._members.update(positions[is_class].tolist())
        annotated, size = self._annotated, len(self._annotated)
        for position in positions[is_class | self._is_live[positions]].tolist():
            after = annotated.find(1, position + 1)
            self._look_between(annotated.rfind(1, 0, position), position)
            self._look_between(position, after if after >= 0 else size)

    def _look_between(self, first: int, second: int) -> None:
        """Note what is between two neighboring annotated positions, of which -1 and N stand for the order's ends."""
        is_class, then_is_class = first in self._members, second in self._members
        live, length = is_class or then_is_class, second - first - 1
        if length and self._live[first + 1] != live:
            self._live[first + 1 : second] = (b"\1" if live else b"\0") * length
        if is_class != then_is_class and first >= 0 and second < len(self._live):
            if length:
                heappush(self._paths, length * len(self._live) + first)
            elif self._both_kinds or then_is_class:
                heappush(self._cuts, (0, False, -first, first))
                heappush(self._cuts, (0, True, -first, second))

    def middle_of_shortest_path(self) -> int | None:
        """The position to annotate by bisection (rule 1), if there is a path between opposite labels."""
        while self._paths:
            length, first = divmod(self._paths[0], len(self._live))
            if self._annotated.find(1, first + 1, first + 1 + length) < 0:
                return first + (length + 1) // 2
            heappop(self._paths)
        return None

    def nearest_to_a_cut(self) -> int | None:
        """The unlabeled position nearest to a cut (rule 2), if there is a cut and an unlabeled position."""
        while self._cuts:
            _, is_after, minus_first, position = self._cuts[0]
            if not self._annotated[position]:
                return position
            position = self._annotated.find(0, position) if is_after else self._annotated.rfind(0, 0, position)
            if position >= 0:
                distance = position + minus_first - 1 if is_after else -minus_first - position
                heapreplace(self._cuts, (distance, is_after, minus_first, position))
            else:
                heappop(self._cuts)
        return None

    def unlabeled_position(self, rank: int) -> int:
        """The position of the unlabeled example with this rank along the order (rule 3)."""
        positions = np.sort(self._positions[self._known.indices].astype(np.int64))
        return rank + int(np.searchsorted(positions - np.arange(len(positions)), rank, side="right"))

    def index_at(self, position: int) -> int:
        """The pool index of the example at a position. Only its block is known, about sqrt(N) examples: look there."""
        start = int(self._blocks[position]) << self._shift
        block = self._positions[start : start + (1 << self._shift)]
        return start + int((block == position).argmax())
