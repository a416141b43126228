"""SIMILAR (Kothawade, Beck, Killamsetty, Iyer 2021, "SIMILAR: Submodular Information Measures Based Active Learning In
Realistic Scenarios"), for rare classes: the mutual information FLQMI.
"""

from __future__ import annotations

import numpy as np

from labelbench_direct.core.scores import row_blocks
from labelbench_direct.core.types import Floats, Indices
from labelbench_direct.strategies.base import PoolState, PoolStrategy, unit_scale
from labelbench_direct.strategies.gradients import residuals

CANDIDATES = 256
"""How many of the most promising examples are kept up to date at a time."""


def rare_examples(labeled: Indices, labels: Indices, num_classes: int) -> Indices:
    """The labeled examples of rare classes: those with fewer labels than the mean over all classes.

    Where all have equally many, no class is rare, and all labeled examples are returned.
    """
    counts = np.bincount(labels, minlength=num_classes)
    rare = counts[labels] * num_classes < len(labels)
    return labeled[rare] if rare.any() else labeled


class Similarities:
    """s(q, j) = (1 + cosine(q, j)) / 2 of the last layer's gradients, in 0..1, for a fixed set of queries q.

    The query's gradient is by its label, that of an unlabeled example j by the predicted one, as in the authors' code.
    The cosine is the product of the residuals' and the embeddings' (see ``gradients``); 0 where one of them vanishes.
    """

    def __init__(self, probabilities: Floats, embeddings: Floats, queries: Indices, labels: Indices) -> None:
        self._probabilities, self._embeddings = probabilities, embeddings
        self._scale = unit_scale(embeddings)
        self._queries = np.empty((len(queries), probabilities.shape[1])), np.empty((len(queries), embeddings.shape[1]))
        for place, some in row_blocks(queries):
            self._queries[0][place], self._queries[1][place] = self._normalized(some, labels[place])

    def to(self, indices: Indices) -> Floats:
        """(indices, queries)"""
        residual, embedding = self._normalized(indices, self._probabilities[indices].argmax(axis=1))
        similarities: Floats = residual @ self._queries[0].T
        similarities *= embedding @ self._queries[1].T
        similarities += 1
        similarities /= 2
        return similarities

    def _normalized(self, indices: Indices, labels: Indices) -> tuple[Floats, Floats]:
        vectors = residuals(self._probabilities[indices], labels), self._embeddings[indices].astype(np.float64)
        np.multiply(vectors[1], self._scale, out=vectors[1])
        for vector in vectors:
            norms = np.linalg.norm(vector, axis=1, keepdims=True)
            vector /= np.where(norms > 0, norms, 1)
        return vectors


def flqmi_greedy(similarities: Similarities, unlabeled: Indices, budget: int) -> Indices:
    """The ``budget`` examples A that greedy maximization of FLQMI chooses, in order; Q are the queries:

        I(A; Q) = sum over q in Q of max over j in A of s(q, j) + sum over j in A of max over q in Q of s(q, j)

    Lazy and exact up to rounding: gains only fall, so an old gain bounds the true one. Only the candidates with the
    highest bounds are brought up to date, and are chosen from while the best of them gains at least as much as anybody
    else's bound; of equal gains among them the first. O(N Q (K + D)) time for the first gains and in practice a
    few times that; O(N + Q (K + D)) memory.
    """
    covered = np.zeros(len(similarities.to(unlabeled[:0]).T))  # by query: its highest similarity to the chosen
    bounds = np.empty(len(unlabeled))
    for start in range(0, len(unlabeled), CANDIDATES):
        block = similarities.to(unlabeled[start : start + CANDIDATES])
        bounds[start : start + CANDIDATES] = _gains(block, covered)
    chosen: list[int] = []
    while len(chosen) < budget:
        count = min(CANDIDATES, len(unlabeled) - len(chosen))
        least = np.partition(bounds, -count)[-count]  # nobody outside gains more
        above = np.flatnonzero(bounds > least)
        rows = np.union1d(above, np.flatnonzero(bounds == least)[: count - len(above)])
        block = similarities.to(unlabeled[rows])
        bounds[rows] = _gains(block, covered)
        while len(chosen) < budget:
            best = int(np.argmax(bounds[rows]))
            if bounds[rows[best]] < least:
                break
            chosen.append(int(rows[best]))
            np.maximum(covered, block[best], out=covered)
            bounds[rows] = np.where(np.isinf(bounds[rows]), -np.inf, _gains(block, covered))
            bounds[rows[best]] = -np.inf
    return unlabeled[chosen]


def _gains(similarities: Floats, covered: Floats) -> Floats:
    """(n,): what each of n examples adds to the mutual information. ``similarities`` (n, Q), ``covered`` (Q,)."""
    gains: Floats = np.maximum(similarities - covered, 0).sum(axis=1) + similarities.max(axis=1)
    return gains


class SimilarStrategy(PoolStrategy):
    """The unlabeled examples that share the most information with the labeled examples of rare classes.

    Where nothing is labeled there is nothing to be similar to, and the choice is random.
    """

    strategy_name = "similar"
    uses_embeddings = True

    def choose(self, pool: PoolState, budget: int, rng: np.random.Generator) -> Indices:
        if len(pool.labeled) == 0:
            return rng.choice(pool.unlabeled, size=budget, replace=False)
        queries = rare_examples(pool.labeled, pool.labels, pool.probabilities.shape[1])
        label_of = np.zeros(len(pool.probabilities), dtype=np.int64)
        label_of[pool.labeled] = pool.labels
        similarities = Similarities(pool.probabilities, pool.embeddings, queries, label_of[queries])
        return flqmi_greedy(similarities, pool.unlabeled, budget)
