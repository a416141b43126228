"""Margin sampling (Tong & Koller 2001; Balcan, Beygelzimer, Langford 2006)."""

from __future__ import annotations

import numpy as np

from labelbench_direct.core.scores import on_all_cores
from labelbench_direct.core.types import Floats, Indices
from labelbench_direct.strategies.base import PoolState, PoolStrategy, least


def top_two_margin(probabilities: Floats) -> Floats:
    """(N,): the highest score minus the second highest. O(N K) time, O(N) memory."""
    margins: Floats = np.empty(len(probabilities), dtype=probabilities.dtype)

    def fill(place: slice, rows: Floats) -> None:
        top = np.partition(rows, -2, axis=1)
        np.subtract(top[:, -1], top[:, -2], out=margins[place])

    on_all_cores(fill, probabilities)
    return margins


class MarginStrategy(PoolStrategy):
    """The unlabeled examples whose two highest scores are closest; ties by pool index."""

    strategy_name = "margin"

    def choose(self, pool: PoolState, budget: int, rng: np.random.Generator) -> Indices:
        return least(top_two_margin(pool.probabilities)[pool.unlabeled], pool.unlabeled, budget)
