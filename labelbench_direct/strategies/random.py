"""Random sampling: the baseline of every comparison."""

from __future__ import annotations

import numpy as np

from labelbench_direct.core.types import Indices
from labelbench_direct.strategies.base import PoolState, PoolStrategy


class RandomStrategy(PoolStrategy):
    """Uniformly from the unlabeled examples, without replacement."""

    strategy_name = "random"

    def choose(self, pool: PoolState, budget: int, rng: np.random.Generator) -> Indices:
        return rng.choice(pool.unlabeled, size=budget, replace=False)
