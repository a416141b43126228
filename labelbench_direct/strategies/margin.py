"""Margin sampling (Tong & Koller 2001; Balcan, Beygelzimer, Langford 2006)."""

from __future__ import annotations

import numpy as np

from labelbench_direct.core.engine import engine_for
from labelbench_direct.core.passes import plain
from labelbench_direct.core.scores import on_all_cores, row_blocks
from labelbench_direct.core.types import Floats, Indices
from labelbench_direct.strategies.base import PoolState, PoolStrategy, least


def top_two_margin(probabilities: Floats) -> Floats:
    """(N,): the highest score minus the second highest. O(N K) time, O(N) memory. Half precision becomes single."""
    margins: Floats = np.empty(len(probabilities), dtype=np.promote_types(probabilities.dtype, np.float32))
    engine = engine_for(probabilities.shape)

    def fill(part: slice) -> None:
        for place, rows in row_blocks(probabilities, part):
            engine.passes.top_two_margin(plain(rows), margins[place])

    on_all_cores(fill, probabilities)
    return margins


class MarginStrategy(PoolStrategy):
    """The unlabeled examples whose two highest scores are closest; ties by pool index."""

    strategy_name = "margin"

    def choose(self, pool: PoolState, budget: int, rng: np.random.Generator) -> Indices:
        return least(top_two_margin(pool.probabilities)[pool.unlabeled], pool.unlabeled, budget)
