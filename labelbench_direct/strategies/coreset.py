"""Coreset (Sener & Savarese 2017, "Active Learning for Convolutional Neural Networks: A Core-Set Approach")."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from labelbench_direct.core.scores import row_blocks
from labelbench_direct.core.types import Floats, Indices, Mask
from labelbench_direct.strategies.base import PoolState, PoolStrategy, column_means, unit_scale

CANDIDATES = 1024
"""How many of the farthest examples are kept up to date at a time."""


def k_center_greedy(embeddings: Floats, labeled: Indices, unlabeled: Indices, budget: int) -> Indices:
    """The ``budget`` examples that greedy k-center chooses, in order: each is the one farthest from its nearest
    center, the centers being the labeled examples and those chosen before. Euclidean distances; of equally far ones
    the first of ``unlabeled``, which is also the first choice where nothing is labeled.

    Lazy and exact: distances only shrink, so an old one bounds the true one. Only the candidates with the highest
    bounds are brought up to date, in double precision, and are chosen from while the farthest of them is at least as
    far as anybody else's bound. The first bounds come from matrix products in single precision, widened by the
    rounding these can suffer.

    O(N L D) time for the first bounds, then O(D) for each candidate and new center; O(N B D) at worst for B =
    ``budget``. Memory: O(N + D), and the labeled embeddings in single precision.
    """
    search = _Farthest(embeddings, labeled, unlabeled)
    while len(search.chosen) < budget:
        search.choose(budget - len(search.chosen))
    return unlabeled[search.chosen]


class _Farthest:
    """The state of the search. ``chosen``: rows of ``unlabeled``. Distances are squared and in the scale's unit."""

    def __init__(self, embeddings: Floats, labeled: Indices, unlabeled: Indices) -> None:
        self._embeddings, self._unlabeled = embeddings, unlabeled
        self._scale = unit_scale(embeddings)
        self._centers = labeled
        self._bounds = _upper_bounds(embeddings, labeled, unlabeled, self._scale)  # -1 once chosen
        self._num_seen = np.zeros(len(unlabeled), dtype=np.int64)  # the first so many centers are in, exactly
        self.chosen: list[int] = []

    def choose(self, most: int) -> None:
        """Choose up to ``most`` of the candidates with the highest bounds; at least, lower their bounds."""
        count = min(CANDIDATES, len(self._bounds) - len(self.chosen))
        least = np.partition(self._bounds, -count)[-count]  # nobody outside exceeds it
        above, equal = np.flatnonzero(self._bounds > least), np.flatnonzero(self._bounds == least)
        inside, outside = np.split(equal, [count - len(above)])
        first_outside = outside[0] if len(outside) else len(self._bounds)
        rows = np.union1d(above, inside)
        points = _Points.of(self._embeddings, self._unlabeled[rows], self._scale)
        distances = self._up_to_date(rows, points)
        before = len(self.chosen)
        while len(self.chosen) - before < most:
            farthest = int(np.argmax(distances))
            if distances[farthest] < max(least, 0) or (distances[farthest] == least and rows[farthest] > first_outside):
                break
            self.chosen.append(int(rows[farthest]))
            if distances[farthest] > 0:
                np.minimum(distances, points.squared_distances_to(farthest), out=distances)
            distances[farthest] = -1
        self._centers = np.concatenate([self._centers, self._unlabeled[self.chosen[before:]]])
        self._bounds[rows] = distances
        self._num_seen[rows] = len(self._centers)

    def _up_to_date(self, rows: Indices, points: _Points) -> Floats:
        """The true squared distances of some rows to their nearest centers."""
        num_seen = self._num_seen[rows]
        distances = np.where(num_seen > 0, self._bounds[rows], np.inf)
        for group in (num_seen == 0, num_seen > 0):
            if group.any():
                some = points[group]
                for start in range(num_seen[group].min(), len(self._centers), CANDIDATES):
                    centers = _Points.of(self._embeddings, self._centers[start : start + CANDIDATES], self._scale)
                    distances[group] = np.minimum(distances[group], some.squared_distances(centers).min(axis=1))
        return distances


@dataclass(frozen=True)
class _Points:
    """Some embeddings (n, D) in double precision, and their squared norms (n,)."""

    vectors: Floats
    norms: Floats

    @classmethod
    def of(cls, embeddings: Floats, indices: Indices, scale: float) -> _Points:
        vectors = embeddings[indices].astype(np.float64)
        vectors *= scale
        return cls(vectors, np.einsum("ij,ij->i", vectors, vectors))

    def __getitem__(self, rows: Indices | Mask) -> _Points:
        return _Points(self.vectors[rows], self.norms[rows])

    def squared_distances(self, others: _Points) -> Floats:
        """(these, others)"""
        return _squares(self.norms[:, None] + others.norms, self.vectors @ others.vectors.T)

    def squared_distances_to(self, row: int) -> Floats:
        """(these,): to one of them."""
        return _squares(self.norms + self.norms[row], self.vectors @ self.vectors[row])


def _squares(norms: Floats, products: Floats) -> Floats:
    squares: Floats = norms - 2 * products
    squares[squares <= 1e-14 * norms] = 0  # what rounding leaves of a difference of equals
    return squares


def _upper_bounds(embeddings: Floats, labeled: Indices, unlabeled: Indices, scale: float) -> Floats:
    """(unlabeled,): at least the squared distance to the nearest labeled example, and hardly more."""
    bounds: Floats = np.full(len(unlabeled), np.inf)
    if len(labeled) == 0:
        return bounds
    mean = column_means(embeddings)  # distances stay, and the norms that rounding grows with shrink
    slack = 1 + (embeddings.shape[1] + 16) * 2.0**-24
    centers, center_norms = (
        np.empty((len(labeled), embeddings.shape[1]), np.float32),
        np.empty(len(labeled), np.float32),
    )
    for place, indices in row_blocks(labeled):
        rows = (embeddings[indices] - mean) * scale
        center_norms[place] = slack * np.einsum("ij,ij->i", rows, rows)
        centers[place] = -2 * rows
    for place, indices in row_blocks(unlabeled):
        rows = (embeddings[indices] - mean) * scale
        norms = slack * np.einsum("ij,ij->i", rows, rows)
        for start in range(0, len(labeled), CANDIDATES):
            products = rows.astype(np.float32) @ centers[start : start + CANDIDATES].T
            products += center_norms[start : start + CANDIDATES]
            np.minimum(bounds[place], norms + products.min(axis=1), out=bounds[place])
    return np.maximum(bounds, 0, out=bounds)


class CoresetStrategy(PoolStrategy):
    """Greedy k-center on the embeddings, starting from the labeled examples.

    LabelBench's key ``working_memory_GB`` is accepted and changes nothing: the memory needed is bounded anyway.
    """

    strategy_name = "coreset"
    config_keys = frozenset({"working_memory_GB"})
    uses_embeddings = True

    def choose(self, pool: PoolState, budget: int, rng: np.random.Generator) -> Indices:
        return k_center_greedy(pool.embeddings, pool.labeled, pool.unlabeled, budget)
