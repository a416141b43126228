"""Fisher information of the last layer, and how swaps change trace(I(selected)^-1 I(pool)).

One example's information is S (x) x x', with x its embedding and S = diag(p) - p p' for its scores p. S vanishes on
the vector of ones, so it is taken in an orthonormal basis of the other K - 1 directions; which one is all the same.
Selecting an example is an update of rank K - 1, X S X' with X = 1 (x) x, and all that its value needs are the K - 1 by
K - 1 matrices X' A X. X being a Kronecker product, they cost one contraction of A with x on each side.
"""

from __future__ import annotations

import numpy as np

from labelbench_direct.core.scores import row_blocks
from labelbench_direct.core.types import Floats, Indices


class Fisher:
    """The information in a pool of scores (N, K) and embeddings (N, D')."""

    def __init__(self, probabilities: Floats, embeddings: Floats) -> None:
        num_classes = probabilities.shape[1]
        self._probabilities, self._embeddings = probabilities, embeddings
        self._basis = np.linalg.qr(np.column_stack([np.ones(num_classes), np.eye(num_classes)[:, 1:]]))[0][:, 1:]
        self._pool = self.information(np.arange(len(probabilities)))
        self._pool[np.diag_indices_from(self._pool)] += 1e-7 * np.diag(self._pool).mean() if self._pool.size else 0

    @property
    def is_informative(self) -> bool:
        """Whether there is any information in the pool at all."""
        return bool(self._pool.any())

    def scores(self, indices: Indices) -> Floats:
        """(n, K) in double precision, each row summing to 1."""
        scores = self._probabilities[indices].astype(np.float64)
        scores /= scores.sum(axis=1, keepdims=True)
        return scores

    def curvatures(self, indices: Indices) -> Floats:
        """(n, K-1, K-1): S of each example."""
        scores = self.scores(indices)
        means = scores @ self._basis
        curvatures: Floats = (self._basis.T * scores[:, None, :]) @ self._basis
        curvatures -= means[:, :, None] * means[:, None, :]
        return curvatures

    def embeddings(self, indices: Indices) -> Floats:
        """(n, D')"""
        return self._embeddings[indices]

    def information(self, indices: Indices) -> Floats:
        """(F, F) with F = (K-1) D': the sum over some examples."""
        num_directions, dimensions = self._basis.shape[1], self._embeddings.shape[1]
        squares = np.zeros((len(self._basis), dimensions * dimensions))  # of diag(p): by class, the sum of p_k x x'
        outer = np.zeros((num_directions * dimensions, num_directions * dimensions))
        for _, some in row_blocks(indices):
            scores, rows = self.scores(some), self._embeddings[some]
            squares += scores.T @ (rows[:, :, None] * rows[:, None, :]).reshape(len(rows), -1)
            gradients = ((scores @ self._basis)[:, :, None] * rows[:, None, :]).reshape(len(rows), -1)
            outer -= gradients.T @ gradients
        pairs = (self._basis[:, :, None] * self._basis[:, None, :]).reshape(len(self._basis), -1)
        spread = (pairs.T @ squares).reshape(num_directions, num_directions, dimensions, dimensions)
        outer += spread.transpose(0, 2, 1, 3).reshape(outer.shape)
        return outer

    def objective(self, selected: Indices, ridge: float) -> Objective:
        """The trace for what is selected, plus ``ridge`` times the pool."""
        return Objective(self, self.information(selected) + ridge * self._pool, self._pool)


class Objective:
    """trace(V P) with V the inverse of the information selected and P that of the pool; kept up to date by swaps."""

    def __init__(self, fisher: Fisher, selected: Floats, pool: Floats) -> None:
        self._fisher = fisher
        self._inverse = np.linalg.inv(selected)  # V
        self._product = self._inverse @ pool @ self._inverse  # B = V P V

    def best_swap(self, removed: int, proposed: Indices) -> int | None:
        """Make the swap of ``removed`` for the proposed example that lowers the trace most, and return its place;
        None, and no swap, where none does.
        """
        indices = np.append(removed, proposed)
        curvatures, vectors = self._fisher.curvatures(indices), self._fisher.embeddings(indices)
        v, b = _contract(self._inverse, vectors), _contract(self._product, vectors)  # V X and B X of each
        v_cross, b_cross = _cross(vectors, v[0]), _cross(vectors, b[0])  # X' V X_r and X' B X_r
        identity = np.eye(curvatures.shape[1])
        # Without r, by Woodbury's identity: V + V X_r K X_r' V with K = S_r (1 - X_r' V X_r S_r)^-1.
        k_removed = curvatures[0] @ np.linalg.inv(identity - v_cross[0] @ curvatures[0])
        half = k_removed @ b_cross[0] @ k_removed
        c, d = v_cross[1:], b_cross[1:]
        ct, dt = c.transpose(0, 2, 1), d.transpose(0, 2, 1)
        v_own = _own(vectors[1:], v[1:]) + c @ k_removed @ ct
        mixed = c @ k_removed @ dt
        b_own = _own(vectors[1:], b[1:]) + mixed + mixed.transpose(0, 2, 1) + c @ half @ ct
        # With j instead: less V X_j K X_j' V with K = S_j (1 + X_j' V X_j S_j)^-1.
        k_added = curvatures[1:] @ np.linalg.inv(identity + v_own @ curvatures[1:])
        change = np.vdot(k_removed, b_cross[0]) - np.einsum("nij,nij->n", k_added, b_own)
        best = int(np.argmin(change)) if len(change) else 0
        if not len(change) or not change[best] < 0:
            return None
        v_added = v[1 + best] + v[0] @ (k_removed @ ct[best])
        b_added = b[1 + best] + v[0] @ (k_removed @ dt[best] + half @ ct[best]) + b[0] @ (k_removed @ ct[best])
        p_removed = b[0] @ k_removed + v[0] @ half / 2
        p_added = v_added @ (k_added[best] @ b_own[best] @ k_added[best]) / 2 - b_added @ k_added[best]
        self._inverse += np.hstack([v[0] @ k_removed, -v_added @ k_added[best]]) @ np.hstack([v[0], v_added]).T
        left, right = np.hstack([v[0], v_added]), np.hstack([p_removed, p_added])
        self._product += np.hstack([left, right]) @ np.hstack([right, left]).T
        return best


def _contract(matrix: Floats, vectors: Floats) -> Floats:
    """(n, F, K-1): A X for each X = 1 (x) x, of a matrix A (F, F) and vectors x (n, D')."""
    size, dimensions = len(matrix), vectors.shape[1]
    contracted = matrix.reshape(-1, dimensions) @ vectors.T
    return np.ascontiguousarray(contracted.reshape(size, size // dimensions, len(vectors)).transpose(2, 0, 1))


def _cross(vectors: Floats, contracted: Floats) -> Floats:
    """(n, K-1, K-1): X' (A Y) for each X = 1 (x) x, of vectors x (n, D') and one A Y (F, K-1)."""
    num_directions = contracted.shape[1]
    by_dimension = contracted.reshape(num_directions, vectors.shape[1], num_directions).transpose(1, 0, 2)
    crossed: Floats = vectors @ by_dimension.reshape(vectors.shape[1], -1)
    return crossed.reshape(len(vectors), num_directions, num_directions)


def _own(vectors: Floats, contracted: Floats) -> Floats:
    """(n, K-1, K-1): X' (A X) for each X = 1 (x) x, of vectors x (n, D') and A X (n, F, K-1)."""
    num_directions = contracted.shape[2]
    own: Floats = np.einsum(
        "nd,nadb->nab", vectors, contracted.reshape(*vectors.shape[:1], num_directions, -1, num_directions)
    )
    return own
