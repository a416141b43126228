"""What the labels say of one class along its order, counted by buckets.

``OneVsRest`` is made of those parts of the order on which an answer depends, and only these are sorted.
"""

from __future__ import annotations

import numpy as np

from labelbench_direct.core import passes
from labelbench_direct.core.annotations import Annotations
from labelbench_direct.core.buckets import ClassOrder
from labelbench_direct.core.one_vs_rest import Nearest, OneVsRest, Tie
from labelbench_direct.core.options import Options
from labelbench_direct.core.types import Indices, Mask
from labelbench_direct.core.version_space import SizeUnit, VersionSpace, initial_version_space, shrink

SMALL_POOL = 8192
"""Pools up to this size are sorted as a whole rather than tried."""
RARE = 64
"""Candidates are rare where they are at most one in so many examples."""


class Evidence:
    """The annotated examples of one class's order, by bucket: how many are of the class, and how many are not.

    What it is asked for it answers by the labels that are there at that time.
    """

    def __init__(self, order: ClassOrder, known: Annotations, k: int) -> None:
        self._order, self._known, self._k = order, known, k
        self._counts = np.zeros((2, order.num_buckets), dtype=np.int64)
        self._seen = 0

    def _unseen(self) -> tuple[Indices, Indices]:
        """The labels that came since the last time, which are to be counted now."""
        unseen = self._known.since(self._seen)
        self._seen = len(self._known)
        return unseen

    def _update(self) -> None:
        """Count the labels that came since the last time, if any did."""
        if self._seen < len(self._known):
            self._count(*self._unseen())

    def _count(self, indices: Indices, labels: Indices) -> None:
        cells = self._order.codes[indices] + self._order.num_buckets * (labels == self._k)
        self._counts += np.bincount(cells, minlength=self._counts.size).reshape(2, -1)

    @property
    def everything(self) -> OneVsRest:
        """All of it, along the whole order: the readable reference of what else is here."""
        return self.line(0, self._order.num_buckets)

    def line(self, first: int, stop: int) -> OneVsRest:
        """The annotated examples in the buckets ``first`` to ``stop - 1``.

        Positions are those of the whole order, losses are less by a constant.
        """
        start = int(self._order.starts[first])
        labels = self._known.label_of[self._order.indices(start, int(self._order.starts[stop]))]
        annotated = np.flatnonzero(labels >= 0)
        return OneVsRest(start + annotated, labels[annotated] == self._k, len(self._order))

    def initial_version_space(self) -> VersionSpace:
        """``version_space.initial_version_space``: each end depends on two buckets."""
        self._update()
        annotated = np.flatnonzero(self._counts.any(axis=0))
        if len(annotated) == 0:
            return VersionSpace(0, len(self._order))
        others, members = (np.flatnonzero(counts) for counts in self._counts)
        first_other = np.searchsorted(annotated, others[0]) if len(others) else len(annotated) - 1
        last_member = np.searchsorted(annotated, members[-1]) if len(members) else 0
        below, above = annotated[max(0, first_other - 1)], annotated[min(last_member + 1, len(annotated) - 1)]
        low = initial_version_space(self.line(below, annotated[first_other] + 1)).low
        high = initial_version_space(self.line(annotated[last_member], above + 1)).high
        return VersionSpace(low, high)

    def size(self, space: VersionSpace, unit: SizeUnit) -> int:
        """The number of thresholds, or with ``candidates`` of those that some unlabeled example tells apart."""
        return 1 + (space.high - space.low if unit == "positions" else self._count_candidates(space))

    def draw(self, space: VersionSpace, count: int, rng: np.random.Generator) -> Indices:
        """``count`` of the unlabeled examples on which the thresholds disagree, or all of them when they are fewer:
        uniformly, without replacement.

        The order of the pool's rows is irrelevant: few candidates are listed along the order, and many found by trying
        examples at random, numbered along the order of class 0.
        """
        order, pool_size = self._order, len(self._order)
        self._update()
        total = self._count_candidates(space)
        count = min(count, total)
        if count == 0:
            return np.zeros(0, dtype=np.int64)
        if pool_size <= SMALL_POOL or total * RARE <= pool_size:
            listed = self._listed(space)
            return rng.choice(listed, size=count, replace=False)
        drawn: dict[int, None] = {}
        while len(drawn) < count:
            tried = order.pool.numbering[rng.integers(pool_size, size=8 + 2 * count * pool_size // total)]
            drawn.update(dict.fromkeys(tried[self._are_candidates(space, tried)].tolist()))
        return np.fromiter(drawn, dtype=np.int64, count=count)

    def nearest(self, count: int, tie: Tie, nearest: Nearest) -> tuple[int, Indices]:
        """The best threshold, and the ``count`` unlabeled examples nearest to it, nearest first."""
        self._update()
        line, _ = self.near_best(VersionSpace(0, len(self._order)), count, "candidates")
        threshold = line.best_threshold(tie)
        return threshold, self._order.indices_at(line.nearest_unlabeled(threshold, count, nearest))

    def _listed(self, space: VersionSpace) -> Indices:
        """The candidates along the order."""
        inside = self._order.indices(space.low, space.high)
        return inside[self._known.label_of[inside] < 0]

    def _count_candidates(self, space: VersionSpace) -> int:
        first, last = self._order.buckets_between(space.low, space.high)
        whole = slice(first + 1, last)
        unlabeled = np.diff(self._order.starts)[whole].sum() - self._counts[:, whole].sum()
        return int(unlabeled) + len(self._in_part(space, first, last))

    def _in_part(self, space: VersionSpace, first: int, last: int) -> Indices:
        """The candidates in the version space's first and last bucket, which need not be in it as a whole."""
        order = self._order
        if last <= first + 1:
            return self._listed(space)
        ends = (space.low, int(order.starts[first + 1])), (int(order.starts[last]), space.high)
        return np.concatenate([self._listed(VersionSpace(*end)) for end in ends])

    def _are_candidates(self, space: VersionSpace, indices: Indices) -> Mask:
        first, last = self._order.buckets_between(space.low, space.high)
        codes = self._order.codes[indices]
        is_inside: Mask = (first < codes) & (codes < last) & (self._known.label_of[indices] < 0)
        return is_inside | np.isin(indices, self._in_part(space, first, last))

    def shrink(self, space: VersionSpace, size: int, rng: np.random.Generator, options: Options) -> VersionSpace:
        """``version_space.shrink``: with ``keep_best`` it depends on what is near the thresholds of least loss."""
        self._update()
        if options.keep_best:
            line, part = self.near_best(space, size, options.size_unit)
        else:
            line, part = self.everything, space
        return shrink(
            part, line, size, rng, unit=options.size_unit, tie=options.window_tie, keep_best=options.keep_best
        )

    def near_best(self, space: VersionSpace, reach: int, unit: SizeUnit) -> tuple[OneVsRest, VersionSpace]:
        """The annotated examples in the part of the version space that holds all its thresholds of least loss, and
        ``reach`` positions (or candidates) before the lowest and after the highest of them; and that part.
        """
        starts = self._order.starts
        lowest, highest = self._order.buckets_between(space.low, space.high)
        first, last = self._best_buckets(space)
        annotated_before = np.append(0, np.cumsum(self._counts.sum(axis=0)))
        before = starts if unit == "positions" else starts - annotated_before
        before_first = int(np.searchsorted(before, before[first] - reach, side="right")) - 1
        beyond_last = int(np.searchsorted(before, before[last + 1] + reach, side="left"))
        first, stop = max(lowest, min(first, before_first)), min(highest, max(last, beyond_last - 1)) + 1
        part = VersionSpace(max(space.low, int(starts[first])), min(space.high, int(starts[stop])))
        return self.line(first, stop), part

    def _best_buckets(self, space: VersionSpace) -> tuple[int, int]:
        """The first and the last bucket that may hold a threshold of least loss in the version space.

        The loss is known where a bucket starts; inside it falls by one, at most, for each of its examples of the class.
        """
        others, members = self._counts
        losses = np.append(0, np.cumsum(others - members))
        starts = self._order.starts
        known = losses[(space.low <= starts) & (starts <= space.high)]
        least = known.min() if len(known) else np.inf
        lowest, highest = self._order.buckets_between(space.low, space.high)
        best = np.flatnonzero((losses[:-1] - members)[lowest : highest + 1] <= least)
        return lowest + int(best[0]), lowest + int(best[-1])


def evidence_of(order: ClassOrder, known: Annotations, k: int) -> Evidence:
    """Compiled where the pool's passes are."""
    if order.pool.fastest is passes:
        return Evidence(order, known, k)
    from labelbench_direct.core.compiled_evidence import CompiledEvidence

    return CompiledEvidence(order, known, k)
