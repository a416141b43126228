"""Least-confidence sampling (Settles 2009, *Active Learning Literature Survey*, section 3.1)."""

from __future__ import annotations

import numpy as np

from labelbench_direct.core.scores import on_all_cores
from labelbench_direct.core.types import Floats, Indices
from labelbench_direct.strategies.base import PoolState, PoolStrategy, least


def confidence(probabilities: Floats) -> Floats:
    """(N,): the score of the predicted class. O(N K) time, O(N) memory."""
    highest: Floats = np.empty(len(probabilities), dtype=probabilities.dtype)

    def fill(place: slice, rows: Floats) -> None:  # class by class: several times faster than max(axis=1)
        np.max(np.ascontiguousarray(rows.T), axis=0, out=highest[place])

    on_all_cores(fill, probabilities)
    return highest


class ConfidenceStrategy(PoolStrategy):
    """The unlabeled examples whose predicted class has the lowest scores; ties by pool index."""

    strategy_name = "confidence"

    def choose(self, pool: PoolState, budget: int, rng: np.random.Generator) -> Indices:
        return least(confidence(pool.probabilities)[pool.unlabeled], pool.unlabeled, budget)
