"""BAIT (Ash, Goel, Krishnamurthy, Kakade 2021, "Gone Fishing: Neural Active Learning with Fisher Embeddings").

The objective is the paper's; the search is LabelBench's, by swaps. The paper's adds twice the budget greedily and takes
the half that is missed least out again, looking at every example of the pool for each.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from labelbench_direct.core.checks import check_count
from labelbench_direct.core.scores import row_blocks
from labelbench_direct.core.types import Floats, Indices
from labelbench_direct.labelbench import Dataset
from labelbench_direct.strategies.base import PoolState, PoolStrategy, column_means, unit_scale
from labelbench_direct.strategies.fisher import Fisher, Objective

RIDGE = 1e-7
"""How much of the pool's information counts as selected, so that a few examples already have an inverse."""


def bait(
    fisher: Fisher,
    labeled: Indices,
    unlabeled: Indices,
    budget: int,
    proposals: int,
    rounds: int,
    rng: np.random.Generator,
) -> Indices:
    """Choose ``budget`` examples A to minimize trace(I(labeled + A)^-1 I(pool)), I being Fisher information.

    Starts from a random A. Then, in each of ``rounds`` passes over A: takes out its oldest example and, of that example
    and ``proposals`` random ones from outside, puts in the one with the lowest trace (of equals the old one, then the
    first proposed), as the youngest.

    Let F = (K - 1) D'. A swap that is looked at costs O(``proposals`` F^2) time and one that is made O(K F^2), the
    start O(N F^2 + F^3). Memory: N D' numbers and five matrices F x F in double precision. The rule itself is about two
    of these, the pool's information and the inverse of what is selected, so D' decides whether it can be used at all:
    see ``docs/strategies.md``.
    """
    batch = rng.permutation(unlabeled)
    batch, outside = batch[:budget].tolist(), batch[budget:]
    if budget == 0 or len(outside) == 0 or not fisher.is_informative:
        return np.array(batch, dtype=np.int64)
    for _ in range(rounds):
        _pass(fisher.objective(np.concatenate([labeled, batch]), RIDGE), batch, outside, proposals, rng)
    return np.array(batch, dtype=np.int64)


def _pass(objective: Objective, batch: list[int], outside: Indices, proposals: int, rng: np.random.Generator) -> None:
    """Look at each of ``batch`` once, the oldest first, and swap it with one of ``outside`` where that helps."""
    for _ in range(len(batch)):
        oldest = batch.pop(0)
        places = rng.choice(len(outside), size=min(proposals, len(outside)), replace=False)
        swap = objective.best_swap(oldest, outside[places])
        if swap is None:
            batch.append(oldest)
        else:
            batch.append(int(outside[places[swap]]))
            outside[places[swap]] = oldest


def principal_components(embeddings: Floats, dimensions: int | None) -> Floats:
    """(N, D'): the embeddings, centered, along the ``dimensions`` directions of most variance; None: all that vary. In
    the unit of ``unit_scale``, in which Fisher information neither overflows nor vanishes.
    """
    scale = unit_scale(embeddings)
    mean = column_means(embeddings)
    covariance = np.zeros((embeddings.shape[1], embeddings.shape[1]))
    for _, rows in row_blocks(embeddings):
        centered = (rows - mean) * scale
        covariance += centered.T @ centered
    variances, directions = np.linalg.eigh(covariance)
    varies = variances > 1e-12 * variances[-1]
    directions = directions[:, varies][:, ::-1][:, :dimensions]
    projected = np.empty((len(embeddings), directions.shape[1]))
    for place, rows in row_blocks(embeddings):
        projected[place] = (rows - mean) * scale @ directions
    return projected


class BaitStrategy(PoolStrategy):
    """Swap examples in and out of a random batch while that lowers the expected loss by Fisher information.

    Configuration, as in LabelBench: ``pca_dimension`` (all by default), ``num_proposed_additions`` (10) and
    ``num_complete_swaps`` (1).
    """

    strategy_name = "bait"
    config_keys = frozenset({"pca_dimension", "num_proposed_additions", "num_complete_swaps"})
    uses_embeddings = True

    def __init__(
        self, strategy_config: dict[str, Any], dataset: Dataset, rng: np.random.Generator | None = None
    ) -> None:
        super().__init__(strategy_config, dataset, rng)
        dimensions = strategy_config.get("pca_dimension")
        self._dimensions = None if dimensions is None else check_count(dimensions, "pca_dimension", least=1)
        proposals = strategy_config.get("num_proposed_additions", 10)
        self._proposals = check_count(proposals, "num_proposed_additions", least=0)
        self._rounds = check_count(strategy_config.get("num_complete_swaps", 1), "num_complete_swaps", least=0)

    def choose(self, pool: PoolState, budget: int, rng: np.random.Generator) -> Indices:
        fisher = Fisher(pool.probabilities, principal_components(pool.embeddings, self._dimensions))
        return bait(fisher, pool.labeled, pool.unlabeled, budget, self._proposals, self._rounds, rng)
