"""BASE (Emam, Chu, Chiang, Czaja, Leapman, Goldblum, Goldstein 2021, "Active Learning at the ImageNet Scale")."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from labelbench_direct.core.scores import row_blocks
from labelbench_direct.core.types import Floats, Indices
from labelbench_direct.strategies.base import PoolState, PoolStrategy, column_means, least, unit_scale


class Boundaries:
    """How far, in the space of embeddings, some examples of the pool are from each class's decision boundary.

    To change the prediction from a to c, an embedding has to move by (logit_a - logit_c) / |w_a - w_c|. For the
    predicted class it is the distance to the nearest boundary with another. Infinite where two classes have the same
    weights. The logits are the logarithms of the scores, up to a constant for each example that cancels. The unit of
    the distances is that of ``unit_scale``.

    The weights w of the last layer are not handed to strategies; least squares of the logits on the embeddings gives
    them back, as far as the pool spans the space. O(N D (D + K)) time; memory: O(N), and O(D (D + K)) for the weights.
    """

    def __init__(self, probabilities: Floats, embeddings: Floats, indices: Indices) -> None:
        self.num_classes = probabilities.shape[1]
        self._probabilities, self._indices = probabilities, indices
        self._floor = float(np.finfo(probabilities.dtype).tiny)  # a score that vanished in rounding
        self._gaps = _weight_gaps(probabilities, embeddings, self._floor)
        self._predicted = np.empty(len(indices), dtype=np.int64)
        self._highest, self._nearest = np.empty(len(indices)), np.empty(len(indices))
        for place, some in row_blocks(indices):
            logits = _logits(probabilities[some], self._floor)
            self._predicted[place] = predicted = logits.argmax(axis=1)
            self._highest[place] = highest = logits.max(axis=1)
            self._nearest[place] = _apart(highest[:, None] - logits, self._gaps[predicted]).min(axis=1)

    def distances(self, k: int) -> Floats:
        """(indices,): to the boundary of class ``k``."""
        logits = _logits(self._probabilities[self._indices, k], self._floor)
        distances = _apart(self._highest - logits, self._gaps[self._predicted, k])
        return np.where(self._predicted == k, self._nearest, distances)


def _logits(scores: Floats, floor: float) -> Floats:
    logits: Floats = np.log(np.maximum(scores.astype(np.float64), floor))
    return logits


def _apart(differences: Floats, gaps: Floats) -> Floats:
    """The quotients; infinite where the gap is 0, as a class's is to itself."""
    quotients = np.full(differences.shape, np.inf)
    np.divide(differences, gaps, out=quotients, where=gaps > 0)
    return quotients


def _weight_gaps(probabilities: Floats, embeddings: Floats, floor: float) -> Floats:
    """(K, K): the distance between the weights of each two classes."""
    scale = unit_scale(embeddings)
    mean = column_means(embeddings)
    square = np.zeros((embeddings.shape[1], embeddings.shape[1]))
    product = np.zeros((embeddings.shape[1], probabilities.shape[1]))
    for place, rows in row_blocks(embeddings):
        centered = (rows - mean) * scale
        logits = _logits(probabilities[place], floor)
        square += centered.T @ centered
        product += centered.T @ (logits - logits.mean(axis=1, keepdims=True))
    weights = np.linalg.pinv(square, rcond=1e-10, hermitian=True) @ product
    inner = weights.T @ weights
    squares = np.diag(inner)[:, None] + np.diag(inner) - 2 * inner
    gaps: Floats = np.sqrt(np.where(squares > 1e-12 * np.diag(inner).max(), squares, 0))
    return gaps


def balanced_nearest(distances: Callable[[int], Floats], num_classes: int, candidates: Indices, budget: int) -> Indices:
    """For each class in turn, of those not chosen yet, the candidates with the least distance to its boundary.

    ``distances(k)``: (candidates,) for class k. Each class gets an equal share of the budget, the first ones one more
    where it does not divide; of equally near ones the one with the lowest index. O(K N) time, O(N) memory.
    """
    left = np.arange(len(candidates))
    chosen = [left[:0]]
    for k in range(min(num_classes, budget)):
        share = budget // num_classes + (k < budget % num_classes)
        chosen.append(least(distances(k)[left], left, share))
        left = np.setdiff1d(left, chosen[-1], assume_unique=True)
    return candidates[np.concatenate(chosen)]


class BaseStrategy(PoolStrategy):
    """Equally many for each class: the unlabeled examples nearest to its decision boundary."""

    strategy_name = "base"
    uses_embeddings = True

    def choose(self, pool: PoolState, budget: int, rng: np.random.Generator) -> Indices:
        boundaries = Boundaries(pool.probabilities, pool.embeddings, pool.unlabeled)
        return balanced_nearest(boundaries.distances, boundaries.num_classes, pool.unlabeled, budget)
