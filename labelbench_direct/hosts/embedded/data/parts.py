"""A data set and its parts, and how others are made from it: split, merged, thinned."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
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
    content: str = ""
    """Of inputs that were read from files of one's own: stands for these files' bytes."""

    @property
    def num_classes(self) -> int:
        return len(self.classnames)

    @cached_property
    def checksum(self) -> str:
        """32 hexadecimal digits that stand for inputs, labels, parts and class names: what trials' data are known by.

        Inputs that were read from files count by the files, since what is decoded may differ between versions.
        """
        digest = hashlib.blake2b(json.dumps([self.classnames, self.image_shape, self.content]).encode(), digest_size=16)
        for part in (self.train, self.val, self.test):
            for array in (part.labels,) if self.content else (part.labels, part.inputs):
                digest.update(f"{array.dtype.str} {array.shape}".encode())
                digest.update(np.ascontiguousarray(array).data)
        return digest.hexdigest()

    @property
    def imbalance_ratio(self) -> float:
        """The pool's rarest class over its most common one (section 3.1)."""
        counts = np.bincount(self.train.labels, minlength=self.num_classes)
        return float(counts.min() / counts.max())


def split(name: str, whole: Part, classnames: tuple[str, ...], content: str = "") -> Data:
    """70% pool, 10% validation, 20% test of every class, always the same."""
    rng = np.random.default_rng(0)
    parts: list[list[Indices]] = [[], [], []]
    for k in range(len(classnames)):
        members = rng.permutation(np.flatnonzero(whole.labels == k))
        cuts = (len(members) * np.array([_VALIDATION, _VALIDATION + _TEST])).astype(int)
        for part, indices in zip(parts, np.split(members, cuts), strict=True):
            part.append(indices)
    val, test, train = (whole.of(rng.permutation(np.concatenate(part))) for part in parts)
    return Data(name, train, val, test, classnames, content=content)


def merge(data: Data, num_classes: int) -> Data:
    """The first K - 1 classes, and the rest as the last one."""
    if not 2 <= num_classes <= data.num_classes:
        raise ValueError(f"{data.name!r}: K in _imb_K must be in 2..{data.num_classes}, got {num_classes}")
    train, val, test = (part.merged(num_classes) for part in (data.train, data.val, data.test))
    kept, rest = data.classnames[: num_classes - 1], "others"
    while rest in kept:
        rest = f"all {rest}"
    return replace(data, train=train, val=val, test=test, classnames=(*kept, rest))


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


def check_parts(data: Data) -> Data:
    """The data, every class of which has examples in the pool and in the test part, with a note on classes that the
    validation part lacks. Raises ValueError for an empty part, or an absent class.
    """
    if len(data.val.labels) == 0:
        raise ValueError(
            f"{data.name!r}: the validation part is empty: add examples (a class gives it a tenth of its own, rounded "
            "down, where the data do not state their parts)"
        )
    for title, part in (("the pool", data.train), ("the test part", data.test)):
        if absent := _absent(data, part):
            raise ValueError(
                f"{data.name!r}: {len(absent)} of {data.num_classes} classes have no example in {title}: "
                f"{', '.join(sorted(absent)[:10])}; add some, or leave these classes out"
            )
    if absent := _absent(data, data.val):
        return replace(data, notes=(*data.notes, absent_note("validation", absent, data.num_classes)))
    return data


def _absent(data: Data, part: Part) -> list[str]:
    return [data.classnames[k] for k in sorted(set(range(data.num_classes)) - set(part.labels.tolist()))]


def absent_note(part: str, absent: Sequence[str], num_classes: int) -> str:
    """What classes without examples in the ``validation`` or ``test`` part do to a metric of LabelBench's."""
    named = ", ".join(absent[:10]) + (", ..." if len(absent) > 10 else "")
    most = 1 - len(absent) / num_classes
    return (
        f"{len(absent)} of {num_classes} classes have no example in the {part} part: {named}. As in LabelBench each of "
        f"them counts as accuracy 0, so that Balanced {part.capitalize()} Accuracy is {most:.3f} at most"
    )
