"""Most likely positive (Warmuth et al. 2001, 2003; Jiang et al. 2018)."""

from __future__ import annotations

import numpy as np

from labelbench_direct.core.engine import engine_for
from labelbench_direct.core.passes import plain
from labelbench_direct.core.scores import on_all_cores, row_blocks
from labelbench_direct.core.types import Floats, Indices
from labelbench_direct.strategies.base import PoolState, PoolStrategy, least


def rare_class_score(probabilities: Floats, labels: Indices) -> Floats:
    """(N,): the highest score over the classes that are not the majority, as in GALAXY's experiments (Zhang 2022).
    O(N K) time, O(N) memory.

    The majority is the class with the most of ``labels`` (of equals the lowest; with no label the highest mean score).
    """
    num_classes = probabilities.shape[1]
    counts = np.bincount(labels, minlength=num_classes) if len(labels) else _totals(probabilities)
    majority = int(np.argmax(counts))
    scores: Floats = np.empty(len(probabilities), dtype=np.promote_types(probabilities.dtype, np.float32))
    engine = engine_for(probabilities.shape)

    def fill(part: slice) -> None:
        for place, rows in row_blocks(probabilities, part):
            engine.passes.highest_of_others(plain(rows), majority, scores[place])

    on_all_cores(fill, probabilities)
    return scores


def _totals(probabilities: Floats) -> Floats:
    totals = np.zeros(probabilities.shape[1])
    for _, rows in row_blocks(probabilities):
        totals += rows.sum(axis=0, dtype=np.float64)
    return totals


class MostLikelyPositiveStrategy(PoolStrategy):
    """The unlabeled examples most likely to belong to a rare class; ties by pool index."""

    strategy_name = "most_likely_positive"

    def choose(self, pool: PoolState, budget: int, rng: np.random.Generator) -> Indices:
        return least(-rare_class_score(pool.probabilities, pool.labels)[pool.unlabeled], pool.unlabeled, budget)
