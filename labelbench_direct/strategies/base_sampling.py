"""BASE (Emam, Chu, Chiang, Czaja, Leapman, Goldblum, Goldstein 2021, "Active Learning at the ImageNet Scale")."""

from __future__ import annotations

import numpy as np

from labelbench_direct.core.scores import row_blocks
from labelbench_direct.core.types import Floats, Indices
from labelbench_direct.strategies.base import PoolState, PoolStrategy, least


def class_distances(probabilities: Floats, embeddings: Floats) -> Floats:
    """(K, N): the distance, in the space of embeddings, between each example and each class's boundary.

    To change the prediction from a to c, an embedding has to move by (logit_a - logit_c) / |w_a - w_c|. For the
    predicted class it is the distance to the nearest boundary with another. Infinite where two classes have the same
    weights. The logits are the logarithms of the scores, up to a constant for each example that cancels.

    The weights w of the last layer are not handed to strategies; least squares of the logits on the embeddings gives
    them back, as far as the pool spans the space. O(N D (D + K)) time; memory: the result, and O(D (D + K)).
    """
    floor = np.finfo(probabilities.dtype).tiny  # a score that vanished in rounding
    distances = np.empty((probabilities.shape[1], len(probabilities)))
    norms = _weight_gaps(probabilities, embeddings, float(floor))
    for place, rows in row_blocks(probabilities):
        logits = np.log(np.maximum(rows.T.astype(np.float64), floor))
        predicted = logits.argmax(axis=0)
        columns = np.arange(len(predicted))
        with np.errstate(divide="ignore", invalid="ignore"):
            block = (logits[predicted, columns] - logits) / norms[:, predicted]
        block[norms[:, predicted] == 0] = np.inf
        block[predicted, columns] = block.min(axis=0)  # the norm of a class's gap to itself is 0
        distances[:, place] = block
    return distances


def _weight_gaps(probabilities: Floats, embeddings: Floats, floor: float) -> Floats:
    """(K, K): the distance between the weights of each two classes."""
    mean = embeddings.mean(axis=0, dtype=np.float64)
    square = np.zeros((embeddings.shape[1], embeddings.shape[1]))
    product = np.zeros((embeddings.shape[1], probabilities.shape[1]))
    for place, rows in row_blocks(embeddings):
        centered = rows - mean
        logits = np.log(np.maximum(probabilities[place].astype(np.float64), floor))
        square += centered.T @ centered
        product += centered.T @ (logits - logits.mean(axis=1, keepdims=True))
    weights = np.linalg.pinv(square, rcond=1e-10, hermitian=True) @ product
    inner = weights.T @ weights
    squares = np.diag(inner)[:, None] + np.diag(inner) - 2 * inner
    gaps: Floats = np.sqrt(np.where(squares > 1e-12 * np.diag(inner).max(), squares, 0))
    return gaps


def balanced_nearest(distances: Floats, candidates: Indices, budget: int) -> Indices:
    """For each class in turn, of those not chosen yet, the candidates with the least distance to its boundary.

    ``distances``: (K, candidates). Each class gets an equal share of the budget, the first ones one more where it does
    not divide; of equally near ones the one with the lowest index. O(K N) time.
    """
    num_classes = len(distances)
    left = np.arange(len(candidates))
    chosen = []
    for k in range(num_classes):
        share = budget // num_classes + (k < budget % num_classes)
        chosen.append(least(distances[k, left], left, share))
        left = np.setdiff1d(left, chosen[-1], assume_unique=True)
    return candidates[np.concatenate(chosen)]


class BaseStrategy(PoolStrategy):
    """Equally many for each class: the unlabeled examples nearest to its decision boundary."""

    strategy_name = "base"
    uses_embeddings = True

    def choose(self, pool: PoolState, budget: int, rng: np.random.Generator) -> Indices:
        distances = class_distances(pool.probabilities, pool.embeddings)[:, pool.unlabeled]
        return balanced_nearest(distances, pool.unlabeled, budget)
