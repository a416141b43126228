"""Label noise as LabelBench's corrupters state it: a function of one-hot labels, drawn once for a pool."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import ArrayLike

from labelbench_direct.core.types import Floats, Indices

Corrupter = Callable[[Floats], Floats]
"""One-hot labels (N, K) to one-hot labels (N, K), as in LabelBench; must not write into its argument."""


def make_corrupter(noise: float | ArrayLike, num_classes: int, rng: np.random.Generator) -> Corrupter:
    """``uniform_noise`` for a number, ``confusion_noise`` for a matrix."""
    if isinstance(noise, (int, float)):
        return uniform_noise(noise, rng)
    return confusion_noise(noise, num_classes, rng)


def uniform_noise(rate: float, rng: np.random.Generator) -> Corrupter:
    """A corrupter that replaces the labels of a share of the examples, chosen at random, by another class, uniformly.

    Raises ValueError for a rate outside 0..1.
    """
    if not 0 <= rate <= 1:
        raise ValueError(f"noise must be a share between 0 and 1, got {rate}")

    def corrupt(labels: Floats) -> Floats:
        num_examples, num_classes = labels.shape
        wrong = rng.choice(num_examples, size=int(rate * num_examples), replace=False)
        shift = rng.integers(1, num_classes, size=len(wrong))
        noisy = labels.argmax(axis=1)
        noisy[wrong] = (noisy[wrong] + shift) % num_classes
        corrupted: Floats = np.eye(num_classes)[noisy]
        return corrupted

    return corrupt


def given_noise(given: Indices, rng: np.random.Generator) -> Corrupter:
    """A corrupter that replaces each example's label by one that an annotator gave it, drawn uniformly.

    ``given``: (N, A), each annotator's label of each example, negative where there is none; one at least in each row.
    """

    def corrupt(labels: Floats) -> Floats:
        is_given = given >= 0
        counts = is_given.sum(axis=1)
        rank = np.floor(rng.random(len(given)) * counts)  # which of those that are given
        annotator = (is_given.cumsum(axis=1) > rank[:, None]).argmax(axis=1)
        corrupted: Floats = np.eye(labels.shape[1])[given[np.arange(len(given)), annotator]]
        return corrupted

    return corrupt


def confusion_noise(matrix: ArrayLike, num_classes: int, rng: np.random.Generator) -> Corrupter:
    """A corrupter that replaces each label by one drawn from its class's row of a confusion matrix.

    ``matrix``: (K, K), true classes by given ones: probabilities, or counts of how annotators labeled each class.
    Raises ValueError for another shape, for negative or infinite entries, and for a row without any.
    """
    shares = np.array(matrix, dtype=np.float64)
    if shares.shape != (num_classes, num_classes):
        raise ValueError(f"a confusion matrix must have shape {(num_classes, num_classes)}, got {shares.shape}")
    usable = np.isfinite(shares) & (shares >= 0)
    if not usable.all():
        raise ValueError(f"a confusion matrix must have finite entries of at least 0, got {shares[~usable][0]}")
    bounds = shares.cumsum(axis=1)
    if not bounds[:, -1].all():
        raise ValueError(f"row {int(bounds[:, -1].argmin())} of the confusion matrix has no entry above 0")
    bounds /= bounds[:, -1:]

    def corrupt(labels: Floats) -> Floats:
        draws = rng.random((len(labels), 1))
        noisy = (draws >= bounds[labels.argmax(axis=1)]).sum(axis=1)
        corrupted: Floats = np.eye(num_classes)[noisy]
        return corrupted

    return corrupt
