"""Most likely positive (Warmuth et al. 2001, 2003; Jiang et al. 2018)."""

from __future__ import annotations

import numpy as np

from labelbench_direct.core.scores import on_all_cores
from labelbench_direct.core.types import Floats, Indices
from labelbench_direct.strategies.base import PoolState, PoolStrategy, least


def rare_class_score(probabilities: Floats, labels: Indices) -> Floats:
    """(N,): the highest score over the classes that are not the majority, as in GALAXY's experiments (Zhang 2022).
    O(N K) time, O(N) memory.

    The majority is the class with the most of ``labels`` (of equals the lowest; with no label the highest mean score).
    """
    num_classes = probabilities.shape[1]
    counts = np.bincount(labels, minlength=num_classes) if len(labels) else probabilities.mean(axis=0)
    majority = np.argmax(counts)
    scores: Floats = np.empty(len(probabilities), dtype=probabilities.dtype)

    def fill(place: slice, rows: Floats) -> None:
        by_class = np.array(rows.T, order="C")
        by_class[majority] = -1
        np.max(by_class, axis=0, out=scores[place])

    on_all_cores(fill, probabilities)
    return scores


class MostLikelyPositiveStrategy(PoolStrategy):
    """The unlabeled examples most likely to belong to a rare class; ties by pool index."""

    strategy_name = "most_likely_positive"

    def choose(self, pool: PoolState, budget: int, rng: np.random.Generator) -> Indices:
        return least(-rare_class_score(pool.probabilities, pool.labels)[pool.unlabeled], pool.unlabeled, budget)
