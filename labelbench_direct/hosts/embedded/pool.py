"""The embedded counterpart of LabelBench's ``ALDataset``: a pool, its parts, and labels that a corrupter made noisy."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from labelbench_direct.core.checks import check_indices
from labelbench_direct.core.types import Floats, Indices
from labelbench_direct.hosts.corrupters import Corrupter
from labelbench_direct.hosts.embedded.data.parts import Data


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
        return labels[self.labeled_idxs()]

    def label_quality(self) -> dict[str, float]:
        """The shares of the pool's labels that are wrong: of all, of the rarest class's examples (of equally rare ones
        the first), and of the labels that say the rarest class, 0 where none does.
        """
        truth, labels = self.data.train.labels, self._noisy_labels.argmax(axis=1)
        is_wrong = truth != labels
        rarest = np.bincount(truth, minlength=self.num_classes).argmin()
        said = labels == rarest
        return {
            "wrong": float(is_wrong.mean()),
            "wrong_in_rarest": float(is_wrong[truth == rarest].mean()),
            "wrong_saying_rarest": float(is_wrong[said].mean()) if said.any() else 0.0,
        }

    def get_classnames(self) -> tuple[str, ...]:
        """The K classes' names."""
        return self.data.classnames
