"""Cluster-Margin (Citovsky, DeSalvo, Gentile, Karydas, Rajagopalan, Rostamizadeh, Kumar 2021, "Batch Active Learning
at Scale").
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from labelbench_direct.core.scores import row_blocks
from labelbench_direct.core.types import Floats, Indices
from labelbench_direct.labelbench import Dataset
from labelbench_direct.strategies.base import PoolState, PoolStrategy, least, unit_scale
from labelbench_direct.strategies.margin import top_two_margin

TREE_SIZE = 4000
"""The most examples that one tree is built of: its distances take 64 MB, and as much again while it is built."""
CLUSTER_SIZE = 10
"""How many of the tree's examples a cluster has on average."""
MARGIN_SHARE = 1.25
"""How many of the smallest margins are looked at, as a multiple of the budget (k_m / k)."""


def average_linkage(embeddings: Floats, rng: np.random.Generator) -> Indices:
    """(N,): the cluster, 0, 1, ..., of each example. Euclidean distances.

    A tree of all N would take N x N distances. Like the authors of GALAXY in their comparison, this builds it of a
    random part of a larger pool, and everybody joins the cluster whose mean is nearest. With n = ``TREE_SIZE`` and C
    clusters: O(n^2 D + N C D) time, O(n^2 + N) memory.
    """
    from scipy.cluster.hierarchy import fcluster, linkage  # takes as long to load as all the rest

    num_examples = len(embeddings)
    if num_examples <= CLUSTER_SIZE:
        return np.zeros(num_examples, dtype=np.int64)
    some = np.sort(rng.choice(num_examples, TREE_SIZE, replace=False)) if num_examples > TREE_SIZE else slice(None)
    scale = unit_scale(embeddings)
    leaves = embeddings[some].astype(np.float64)
    leaves *= scale
    tree = linkage(leaves, method="average")
    clusters: Indices = fcluster(tree, len(leaves) // CLUSTER_SIZE, criterion="maxclust").astype(np.int64) - 1
    if len(leaves) == num_examples:
        return clusters
    means = np.zeros((clusters.max() + 1, embeddings.shape[1]))
    np.add.at(means, clusters, leaves)
    means /= np.bincount(clusters)[:, None]
    nearest = np.empty(num_examples, dtype=np.int64)
    half_norms, directions = np.einsum("ij,ij->i", means, means) / 2, scale * means.T
    for place, rows in row_blocks(embeddings):
        nearest[place] = np.argmin(half_norms - rows @ directions, axis=1)
    return nearest


def round_robin(clusters: Indices, budget: int) -> Indices:
    """``budget`` places of ``clusters``, (n,) with the smallest margin first: one from each cluster in turn, from the
    smallest cluster to the largest (of equals the lower number), the smallest margin of a cluster first. O(n log n).
    """
    sizes = np.bincount(clusters)
    grouped = np.argsort(clusters, kind="stable")
    turn = np.empty(len(clusters), dtype=np.int64)
    turn[grouped] = np.arange(len(clusters)) - (np.cumsum(sizes) - sizes)[clusters[grouped]]
    order: Indices = np.lexsort((clusters, sizes[clusters], turn))
    return order[:budget]


class ClusterMarginStrategy(PoolStrategy):
    """Of the unlabeled examples with the smallest margins, some from each cluster, small clusters first.

    The pool is clustered once, by the embeddings of the first ``select``.
    """

    strategy_name = "cluster_margin"
    uses_embeddings = True

    def __init__(
        self, strategy_config: dict[str, Any], dataset: Dataset, rng: np.random.Generator | None = None
    ) -> None:
        super().__init__(strategy_config, dataset, rng)
        self._clusters: Indices | None = None

    def choose(self, pool: PoolState, budget: int, rng: np.random.Generator) -> Indices:
        if self._clusters is None:
            self._clusters = average_linkage(pool.embeddings, rng)
        margins = top_two_margin(pool.probabilities)[pool.unlabeled]
        count = min(math.ceil(MARGIN_SHARE * budget), len(margins))
        candidates = least(margins, pool.unlabeled, count)
        return candidates[round_robin(self._clusters[candidates], budget)]
