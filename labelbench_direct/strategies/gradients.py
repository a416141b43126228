"""Gradients of the last layer's loss, in the product space: never as N x (K D) numbers.

The gradient of the cross entropy by the last layer's weights is the outer product of (scores - one-hot label) and
embedding. The inner product of two such gradients is the product of two inner products, so all that is needed of them
follows from the (N, K) scores and the (N, D) embeddings.
"""

from __future__ import annotations

import numpy as np

from labelbench_direct.core.scores import row_blocks
from labelbench_direct.core.types import Floats, Indices
from labelbench_direct.strategies.base import unit_scale

_UNDERFLOW = float(np.finfo(np.float32).tiny)  # more than all that can get lost below it


def residuals(probabilities: Floats, labels: Indices) -> Floats:
    """(n, K) float64: the scores less the one-hot labels."""
    differences = probabilities.astype(np.float64)
    differences[np.arange(len(labels)), labels] -= 1
    return differences


class Gradients:
    """Of ``indices`` in the pool, each labeled as predicted (Ash 2019 call these hallucinated).

    ``square_norms`` (n,) float64. Distances are squared, and all in one unit: the largest norm counts as about 1, so
    that nothing overflows. Memory: single-precision copies of the n rows.
    """

    def __init__(self, probabilities: Floats, embeddings: Floats, indices: Indices) -> None:
        self._probabilities, self._embeddings, self._indices = probabilities, embeddings, indices
        self._scale = unit_scale(embeddings)
        num_classes, dimensions = probabilities.shape[1], embeddings.shape[1]
        self._residuals = np.empty((len(indices), num_classes), dtype=np.float32)
        self._scaled = np.empty((len(indices), dimensions), dtype=np.float32)
        self.square_norms = np.empty(len(indices))
        for place, _ in row_blocks(indices):
            left, right = self._double(place)
            self._residuals[place], self._scaled[place] = left, right
            self.square_norms[place] = np.einsum("ij,ij->i", left, left) * np.einsum("ij,ij->i", right, right)
        # Rounding of a single-precision inner product of length n: at most n units in the last place of the product of
        # norms. Twice that of both factors, as a share of the sum of the two square norms; 16 for all the rest.
        self._slack = 1 + (num_classes + dimensions + 16) * 2.0**-24

    def __len__(self) -> int:
        return len(self._indices)

    def shrink(self, bounds: Floats, centers: Indices) -> None:
        """Lower ``bounds`` (n,) in place to at most the squared distances to ``centers``, and never below them."""
        for _, some in row_blocks(centers):
            center_residuals, center_embeddings = -2 * self._residuals[some], self._scaled[some]
            center_norms = (self._slack * self.square_norms[some]).astype(np.float32)
            for place, rows in row_blocks(self._scaled):
                products = rows @ center_embeddings.T
                products *= self._residuals[place] @ center_residuals.T
                products += center_norms
                distances = products.min(axis=1) + self._slack * self.square_norms[place]
                np.minimum(bounds[place], np.maximum(distances, 0) + _UNDERFLOW, out=bounds[place])

    def nearest(self, rows: Indices, centers: Indices) -> Floats:
        """(rows,): the least of their ``distances`` to ``centers``."""
        nearest = np.full(len(rows), np.inf)
        for _, some in row_blocks(centers):
            np.minimum(nearest, self.distances(rows, some).min(axis=1), out=nearest)
        return nearest

    def distances(self, rows: Indices, centers: Indices) -> Floats:
        """(rows, centers): squared distances in double precision; those of equal gradients are 0."""
        left, right = self._double(rows), self._double(centers)
        norms = self.square_norms[rows, None] + self.square_norms[centers]
        squares: Floats = norms - 2 * (left[0] @ right[0].T) * (left[1] @ right[1].T)
        squares[squares <= 1e-12 * norms] = 0  # what rounding leaves of a difference of equals
        return squares

    def _double(self, rows: Indices | slice) -> tuple[Floats, Floats]:
        """The two factors of some rows, in double precision and scaled."""
        indices = self._indices[rows]
        scores = self._probabilities[indices]
        return residuals(scores, scores.argmax(axis=1)), self._embeddings[indices].astype(np.float64) * self._scale
