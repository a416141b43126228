"""Entropy sampling (Settles 2009, section 3.1; Kremer, Steenstrup Pedersen, Igel 2014)."""

from __future__ import annotations

import numpy as np

from labelbench_direct.core.types import Floats, Indices
from labelbench_direct.strategies.base import PoolState, PoolStrategy, least


def negative_entropy(probabilities: Floats) -> Floats:
    """(N,): ``sum_c p_c log2 p_c``, with 0 log 0 = 0."""
    logarithms = np.log2(probabilities, where=probabilities > 0, out=np.zeros_like(probabilities))
    entropies: Floats = np.einsum("nk,nk->n", probabilities, logarithms)
    return entropies


class EntropyStrategy(PoolStrategy):
    """The unlabeled examples with the highest entropy of their scores; ties by pool index."""

    strategy_name = "entropy"

    def choose(self, pool: PoolState, budget: int, rng: np.random.Generator) -> Indices:
        return least(negative_entropy(pool.probabilities)[pool.unlabeled], pool.unlabeled, budget)
