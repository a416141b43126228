"""A data set and its parts, and how others are made from it: split, merged, thinned."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from labelbench_direct.core.types import Floats, Indices

_VALIDATION, _TEST = 0.1, 0.2  # shares of every class

Rounding = Callable[[Floats], Floats]


@dataclass(frozen=True)
class Part:
    """Examples, (n, D) floats or (n, H, W, 3) uint8 images, and their true labels (n,)."""

    inputs: NDArray[Any]
    labels: Indices
    given: Indices | None = None
    """(n, A): the labels that annotators really gave, -1 where one gave none; None where nobody knows."""

    def of(self, indices: Indices) -> Part:
        """Some of the examples."""
        given = None if self.given is None else self.given[indices]
        return Part(self.inputs[indices], self.labels[indices], given)

    def merged(self, num_classes: int) -> Part:
        """The same with the labels from ``num_classes - 1`` on as one."""
        last = num_classes - 1
        given = None if self.given is None else np.minimum(self.given, last)
        return Part(self.inputs, np.minimum(self.labels, last), given)


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
    notes: tuple[str, ...] = ()
    """What a user should hear about them."""
    digest: str = ""
    """Of the contents of a file that a user may change; empty for data whose files are checked."""

    @property
    def num_classes(self) -> int:
        return len(self.classnames)

    @property
    def imbalance_ratio(self) -> float:
        """The pool's rarest class over its most common one (section 3.1)."""
        counts = np.bincount(self.train.labels, minlength=self.num_classes)
        return float(counts.min() / counts.max())


def split(name: str, whole: Part, classnames: tuple[str, ...], digest: str = "") -> Data:
    """70% pool, 10% validation, 20% test of every class, always the same."""
    rng = np.random.default_rng(0)
    parts: list[list[Indices]] = [[], [], []]
    for k in range(len(classnames)):
        members = rng.permutation(np.flatnonzero(whole.labels == k))
        cuts = (len(members) * np.array([_VALIDATION, _VALIDATION + _TEST])).astype(int)
        for part, indices in zip(parts, np.split(members, cuts), strict=True):
            part.append(indices)
    val, test, train = (whole.of(rng.permutation(np.concatenate(part))) for part in parts)
    return Data(name, train, val, test, classnames, digest=digest)


def merge(data: Data, num_classes: int) -> Data:
    """The first K - 1 classes, and the rest as the last one."""
    if not 2 <= num_classes <= data.num_classes:
        raise ValueError(f"{data.name!r}: K in _imb_K must be in 2..{data.num_classes}, got {num_classes}")
    train, val, test = (part.merged(num_classes) for part in (data.train, data.val, data.test))
    return replace(data, train=train, val=val, test=test, classnames=(*data.classnames[: num_classes - 1], "others"))


def long_tail(largest: int, num_classes: int, ratio: float, rounding: Rounding) -> Indices:
    """(K,) class sizes that fall exponentially from ``largest`` to its share ``ratio`` (Cao et al. 2019)."""
    sizes = rounding(largest * ratio ** (np.arange(num_classes) / (num_classes - 1)))
    return np.maximum(1, sizes).astype(np.int64)


def thin(part: Part, ratio: float, rounding: Rounding) -> Part:
    """The first examples of every class, as many as ``long_tail`` says."""
    counts = np.bincount(part.labels)
    return part.of(_first(part, long_tail(counts.max(), len(counts), ratio, rounding)))


def rebalance(part: Part, ratio: float) -> Part:
    """The first examples of every class, so many that each is ``ratio`` of the last one: fewer of it where a class is
    rarer than that, else fewer of the others.
    """
    counts = np.bincount(part.labels)
    last = min(counts[-1], round(counts[:-1].min() / ratio))
    kept = [*np.minimum(counts[:-1], max(1, round(last * ratio))), last]
    return part.of(_first(part, kept))


def _first(part: Part, kept: Sequence[int] | Indices) -> Indices:
    """The indices, ascending, of the first so many examples of each class."""
    return np.sort(np.concatenate([np.flatnonzero(part.labels == k)[:count] for k, count in enumerate(kept)]))


def check_parts(data: Data) -> None:
    """Every class has examples in the pool and in the test part, and no part is empty."""
    if len(data.val.labels) == 0:
        raise ValueError(f"{data.name!r}: the validation part is empty")
    for title, part in (("the pool", data.train), ("the test part", data.test)):
        absent = [data.classnames[k] for k in set(range(data.num_classes)) - set(part.labels.tolist())]
        if absent:
            raise ValueError(
                f"{data.name!r}: {len(absent)} of {data.num_classes} classes have no example in {title}: "
                f"{', '.join(sorted(absent)[:10])}"
            )
