"""Margin sampling (Tong & Koller 2001; Balcan, Beygelzimer, Langford 2006)."""

from __future__ import annotations

import numpy as np

from labelbench_direct.core.types import Floats, Indices
from labelbench_direct.strategies.base import PoolState, PoolStrategy, least


def top_two_margin(probabilities: Floats) -> Floats:
    """(N,): the highest score minus the second highest."""
    top = np.partition(probabilities, -2, axis=1)
    margins: Floats = top[:, -1] - top[:, -2]
    return margins


class MarginStrategy(PoolStrategy):
    """The unlabeled examples whose two highest scores are closest; ties by pool index."""

    strategy_name = "margin"

    def choose(self, pool: PoolState, budget: int, rng: np.random.Generator) -> Indices:
        return least(top_two_margin(pool.probabilities)[pool.unlabeled], pool.unlabeled, budget)
