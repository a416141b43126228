"""Entropy sampling (Settles 2009, section 3.1; Kremer, Steenstrup Pedersen, Igel 2014)."""

from __future__ import annotations

import numpy as np

from labelbench_direct.core.passes import plain
from labelbench_direct.core.scores import on_all_cores, row_blocks
from labelbench_direct.core.types import Floats, Indices
from labelbench_direct.strategies.base import PoolState, PoolStrategy, least

FLOOR = 1e-10
"""Scores below it count as this much inside the logarithm, as in LabelBench; an entropy moves by less than K * 1e-8."""


def negative_entropy(probabilities: Floats) -> Floats:
    """(N,): ``sum_c p_c log2 p_c``, with 0 log 0 = 0. O(N K) time, O(N) memory. Half precision becomes single."""
    entropies: Floats = np.empty(len(probabilities), dtype=np.promote_types(probabilities.dtype, np.float32))

    def fill(part: slice) -> None:
        for place, rows in row_blocks(probabilities, part):
            scores = plain(rows)
            np.einsum("nk,nk->n", scores, np.log2(np.maximum(scores, FLOOR)), out=entropies[place])

    on_all_cores(fill, probabilities)
    return entropies


class EntropyStrategy(PoolStrategy):
    """The unlabeled examples with the highest entropy of their scores; ties by pool index."""

    strategy_name = "entropy"

    def choose(self, pool: PoolState, budget: int, rng: np.random.Generator) -> Indices:
        return least(negative_entropy(pool.probabilities)[pool.unlabeled], pool.unlabeled, budget)
