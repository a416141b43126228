"""Least-confidence sampling (Settles 2009, *Active Learning Literature Survey*, section 3.1)."""

from __future__ import annotations

import numpy as np

from labelbench_direct.core.types import Indices
from labelbench_direct.strategies.base import PoolState, PoolStrategy, least


class ConfidenceStrategy(PoolStrategy):
    """The unlabeled examples whose predicted class has the lowest scores; ties by pool index.

    O(N K) time, O(N) memory: the highest scores are found while the scores are checked.
    """

    strategy_name = "confidence"

    def choose(self, pool: PoolState, budget: int, rng: np.random.Generator) -> Indices:
        return least(pool.scores.highest[pool.unlabeled], pool.unlabeled, budget)
