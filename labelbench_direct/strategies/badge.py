"""BADGE (Ash, Zhang, Krishnamurthy, Langford, Agarwal 2019): k-means++ on hallucinated gradients."""

from __future__ import annotations

import numpy as np

from labelbench_direct.core.types import Floats, Indices
from labelbench_direct.strategies.base import PoolState, PoolStrategy
from labelbench_direct.strategies.gradients import Gradients

PROPOSALS = 256
"""Candidates drawn at a time."""


def badge(gradients: Gradients, budget: int, rng: np.random.Generator) -> Indices:
    """The rows, ``budget`` of them in order, that k-means++ seeding chooses.

    The first is the gradient with the largest norm, as in the authors' code (of equals the first); each of the others
    is drawn with probability in proportion to its squared distance to the nearest chosen one. Where every gradient
    left equals a chosen one, the rest is drawn uniformly.

    The draws are exact although most distances are out of date: distances only shrink, so an old one bounds the true
    one, and a candidate drawn by the old ones and accepted with probability true / old is a draw by the true ones.
    The bounds come from matrix products in single precision, widened by the rounding these can suffer; true distances
    are taken in double precision, of candidates only.

    With B = ``budget``: O(B N (K + D)) time, in matrix products, and O(N + K + D) memory beside the gradients.
    """
    if budget == 0:
        return np.zeros(0, dtype=np.int64)
    chosen = [int(np.argmax(gradients.square_norms))]
    bounds = np.full(len(gradients), np.inf)
    num_known = 0  # how many of the chosen the bounds know of
    rejected = PROPOSALS
    while len(chosen) < budget:
        if 2 * rejected >= PROPOSALS and num_known < len(chosen):
            gradients.shrink(bounds, np.array(chosen[num_known:]))
            num_known = len(chosen)
        bounds[chosen] = 0
        mass = np.cumsum(bounds)
        if mass[-1] == 0:
            left = np.delete(np.arange(len(gradients)), chosen)
            return np.concatenate([chosen, rng.choice(left, budget - len(chosen), replace=False)])
        drawn = np.searchsorted(mass, rng.random(PROPOSALS) * mass[-1], side="right")
        candidates = np.minimum(drawn, np.flatnonzero(bounds)[-1])  # the product may round up to all of the mass
        distances = gradients.nearest(candidates, np.array(chosen))
        accepted = _accept(candidates, distances, rng.random(PROPOSALS) * bounds[candidates], gradients)
        rejected = PROPOSALS - len(accepted)
        bounds[candidates] = distances
        chosen += accepted[: budget - len(chosen)]
    return np.array(chosen, dtype=np.int64)


def _accept(candidates: Indices, distances: Floats, thresholds: Floats, gradients: Gradients) -> list[int]:
    """The candidates, one after the other, whose true distance exceeds their threshold.

    ``distances``: to the nearest one chosen before. Each that is accepted becomes a center for those after it.
    """
    between = gradients.distances(candidates, candidates)
    distances = distances.copy()
    accepted = []
    for i in range(len(candidates)):
        if thresholds[i] < distances[i]:
            accepted.append(int(candidates[i]))
            np.minimum(distances, between[i], out=distances)
    return accepted


class BadgeStrategy(PoolStrategy):
    """k-means++ seeding on the gradients of the last layer, each example labeled as predicted."""

    strategy_name = "badge"
    uses_embeddings = True

    def choose(self, pool: PoolState, budget: int, rng: np.random.Generator) -> Indices:
        unlabeled = pool.unlabeled
        return unlabeled[badge(Gradients(pool.probabilities, pool.embeddings, unlabeled), budget, rng)]
