"""The embedded counterpart of LabelBench's ``ALDataset``: a pool, its parts, and labels that a corrupter made noisy."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import ArrayLike

from labelbench_direct.core.checks import check_indices
from labelbench_direct.core.types import Floats, Indices
from labelbench_direct.hosts.embedded.data import Data

Corrupter = Callable[[Floats], Floats]
"""One-hot labels (N, K) to one-hot labels (N, K), as in LabelBench; must not write into its argument."""


class Pool:
    """Which examples are labeled, and with what. Labels are one-hot (n, K) float64, as in LabelBench."""

    label_type = "MULTI_CLASS"

    def __init__(self, data: Data) -> None:
        self.data = data
        self.num_classes = data.num_classes
        self._labeled: Indices = np.zeros(0, dtype=np.int64)
        self._true_labels = np.eye(self.num_classes)[data.train.labels]
        self._noisy_labels: Floats = self._true_labels
        self._use_true = False

    def __len__(self) -> int:
        return len(self._true_labels)

    def set_corrupter(self, corrupter: Corrupter) -> None:
        """Corrupt the pool's labels, once: the same example has the same label ever after."""
        self._noisy_labels = corrupter(self._true_labels)
        self.train()

    def train(self) -> None:
        """Hand out labels as annotators gave them."""
        self._use_true = False

    def eval(self) -> None:
        """Hand out true labels, for measuring."""
        self._use_true = True

    def labeled_idxs(self) -> Indices:
        """The labeled pool indices in the order of labeling."""
        return self._labeled.copy()

    def unlabeled_idxs(self) -> Indices:
        """The other pool indices, ascending."""
        return np.setdiff1d(np.arange(len(self)), self._labeled)

    def num_labeled(self) -> int:
        """How many examples are labeled."""
        return len(self._labeled)

    def update_labeled_idxs(self, new_idxs: ArrayLike) -> None:
        """Mark more examples as labeled."""
        self._labeled = np.concatenate([self._labeled, check_indices(new_idxs, len(self), "new_idxs")])

    def get_train_labels(self) -> Floats:
        """(labeled, K): the labels of ``labeled_idxs()``."""
        labels = self._true_labels if self._use_true else self._noisy_labels
        return labels[self._labeled]

    def get_classnames(self) -> tuple[str, ...]:
        """The K classes' names."""
        return self.data.classnames


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
