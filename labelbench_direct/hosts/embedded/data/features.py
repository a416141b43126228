"""Features of one's own as data: an .npz file of rows of numbers, their labels, and what annotators said."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from labelbench_direct.core.types import Indices
from labelbench_direct.hosts.embedded.config import at_home
from labelbench_direct.hosts.embedded.data.classnames import clean, doubts, is_visible
from labelbench_direct.hosts.embedded.data.files import halved
from labelbench_direct.hosts.embedded.data.npz import read_npz
from labelbench_direct.hosts.embedded.data.parts import Data, Part, split

_ONE, _TWO = ("x", "y"), ("x_train", "y_train", "x_test", "y_test")
_ANNOTATORS = ("given", "given_train", "votes", "votes_train")
_KNOWN = (*_ONE, *_TWO, "names", *_ANNOTATORS)
_MOST_VOTES = 1000
_ROWS = 8192  # checked at a time

Arrays = dict[str, NDArray[Any]]


def features(name: str, data_dir: Path, path: str = "") -> Data:
    """The arrays of ``data_dir / path``: ``x`` (n, D) in float16, float32 or float64 and ``y`` (n,), of which 70, 10
    and 20% of every class become pool, validation and test; or ``x_train``, ``y_train``, ``x_test``, ``y_test``, whose
    test part is halved into validation and test.

    Labels are integers 0..K-1, or strings; ``names`` (K,) names the classes, in their order. ``given`` or
    ``given_train`` (n, A): the labels of A annotators, negative (or an empty string) where one gave none. ``votes`` or
    ``votes_train`` (n, K): how many annotators said each class.

    Raises FileNotFoundError, saying what the file holds; ValueError or TypeError naming the array, and the row.
    """
    file = data_dir / at_home(path)
    if not path:
        raise ValueError(f"data set {name!r}: name the file, as in features:path=FILE.npz")
    try:
        arrays, digest = read_npz(file, _KNOWN)
    except FileNotFoundError as error:
        raise FileNotFoundError(
            f"data set {name!r}: {error}; it is an .npz file with arrays x and y (docs/features.md shows how)"
        ) from error
    try:
        data = _data(name, _cleaned(arrays), digest)
    except (ValueError, TypeError) as error:
        raise type(error)(f"data set {name!r}: {file}: {error}") from error
    return replace(data, notes=tuple(doubts(data.classnames)))


def _cleaned(arrays: Arrays) -> Arrays:
    """The same with the class names in them cleaned, none of which is blank but where an annotator gave none."""
    cleaned = dict(arrays)
    for key, array in arrays.items():
        if array.dtype.kind != "U" or not array.size:
            continue
        found, places = np.unique(array, return_inverse=True)
        stated = np.array([clean(name) for name in found.tolist()])
        blank = ~np.array([is_visible(name) for name in stated.tolist()])[places].reshape(array.shape)
        if blank.any() and key not in _ANNOTATORS:
            raise ValueError(f"{key} has a blank name in row {np.flatnonzero(blank)[0]}: name it, or leave it out")
        cleaned[key] = np.where(blank, "", stated[places].reshape(array.shape))
    return cleaned


def _data(name: str, arrays: Arrays, digest: str) -> Data:
    is_split = any(key in arrays for key in _TWO)
    needed, others = (_TWO, _ONE) if is_split else (_ONE, _TWO)
    may_have = "a file has x and y, or x_train, y_train, x_test and y_test"
    if extra := [key for key in others if key in arrays]:
        raise ValueError(f"there is {extra[0]!r} beside {next(key for key in needed if key in arrays)!r}: {may_have}")
    if missing := [key for key in needed if key not in arrays]:
        raise ValueError(f"there is no array {missing[0]!r}: {may_have}")
    classnames = _classnames(arrays, needed[1::2])
    suffix = "_train" if is_split else ""
    labels = [_labels(arrays[key], key, classnames) for key in needed[1::2]]
    inputs = [arrays[key] for key in needed[::2]]
    for x, y, key in zip(inputs, labels, needed[::2], strict=True):
        _check_inputs(x, key)
        if len(x) != len(y):
            raise ValueError(f"{key} has {len(x)} rows, but there are {len(y)} labels")
    given = _given(arrays, suffix, classnames, len(labels[0]))
    whole = Part(inputs[0], labels[0], given)
    if not is_split:
        return split(name, whole, classnames, digest)
    if inputs[1].shape[1] != inputs[0].shape[1]:
        raise ValueError(f"x_train has {inputs[0].shape[1]} columns, x_test has {inputs[1].shape[1]}")
    return halved(name, whole, Part(inputs[1], labels[1]), classnames, digest)


def _classnames(arrays: Arrays, keys: tuple[str, ...]) -> tuple[str, ...]:
    """As stated, or else the strings among the labels, sorted, or the numbers up to the highest."""
    if "names" in arrays:
        names = arrays["names"]
        if names.ndim != 1 or names.dtype.kind != "U" or len(set(names.tolist())) < len(names):
            raise ValueError(f"names must be distinct strings, (K,), got {names.dtype} of shape {names.shape}")
        classnames = tuple(names.tolist())
    elif arrays[keys[0]].dtype.kind == "U":
        classnames = tuple(sorted({label for key in keys for label in arrays[key].ravel().tolist()}))
    else:
        classnames = tuple(map(str, range(_highest(arrays, keys) + 1)))
    if len(classnames) < 2:
        raise ValueError(f"there must be two classes or more, got {len(classnames)}: {', '.join(classnames)}")
    return classnames


def _highest(arrays: Arrays, keys: tuple[str, ...]) -> int:
    """The highest label, which cannot be meant as one where there are fewer examples."""
    for key in keys:
        if arrays[key].dtype.kind not in "iu":
            raise TypeError(f"{key} must be integers or strings, got {arrays[key].dtype}")
    highest = max(int(arrays[key].max(initial=0)) for key in keys)
    if highest > max(arrays[key].size for key in keys):
        raise ValueError(f"labels must be 0..K-1, got {highest} among {arrays[keys[0]].size} examples")
    return highest


def _labels(labels: NDArray[Any], key: str, classnames: tuple[str, ...], ndim: int = 1) -> Indices:
    """As integers 0..K-1; -1 where there is none, which only a matrix of annotators may have."""
    if labels.ndim != ndim:
        raise ValueError(f"{key} must have {ndim} dimension{'s' * (ndim > 1)}, got shape {labels.shape}")
    may_lack = ndim > 1
    if labels.dtype.kind == "U":
        found, places = np.unique(labels, return_inverse=True)
        index = {name: k for k, name in enumerate(classnames)} | ({"": -1} if may_lack else {})
        if unknown := [name for name in found.tolist() if name not in index]:
            raise ValueError(f"{key} has the label {unknown[0]!r}, which is not one of {', '.join(classnames[:10])}")
        return np.array([index[name] for name in found.tolist()], dtype=np.int64)[places].reshape(labels.shape)
    if labels.dtype.kind not in "iu":
        raise TypeError(f"{key} must be integers or strings, got {labels.dtype}")
    bad = (labels >= len(classnames)) | (labels < 0 if not may_lack else False)
    if bad.any():
        row = np.argwhere(bad)[0]
        raise ValueError(f"{key} must be in 0..{len(classnames) - 1}, got {labels[tuple(row)]} in row {row[0]}")
    return np.maximum(labels.astype(np.int64), -1)


def _check_inputs(x: NDArray[Any], key: str) -> None:
    if x.ndim != 2 or not x.shape[1]:
        raise ValueError(f"{key} must have shape (n, D), got {x.shape}")
    if x.dtype.name not in ("float16", "float32", "float64"):
        raise TypeError(f"{key} must be float16, float32 or float64, got {x.dtype}")
    for start in range(0, len(x), _ROWS):
        with np.errstate(over="ignore"):
            rows = x[start : start + _ROWS].astype(np.float32)  # in which models compute
        if not np.isfinite(rows).all():
            row, column = np.argwhere(~np.isfinite(rows))[0]
            raise ValueError(
                f"{key} must be finite in single precision, got {x[start + row, column]} in row {start + row}, "
                f"column {column}"
            )


def _given(arrays: Arrays, suffix: str, classnames: tuple[str, ...], num_examples: int) -> Indices | None:
    """(n, A): what annotators said, -1 for nothing; None where the file doesn't tell."""
    stated = [key for key in _ANNOTATORS if key in arrays]
    if not stated:
        return None
    keys = (f"given{suffix}", f"votes{suffix}")
    if len(stated) > 1 or stated[0] not in keys:
        raise ValueError(f"one array says what annotators gave, {' or '.join(keys)}; got {' and '.join(stated)}")
    key = stated[0]
    array = arrays[key]
    if array.ndim != 2 or len(array) != num_examples:
        raise ValueError(
            f"{key} must have a row for each of the {num_examples} examples and a column for each annotator, or class "
            f"of votes, got shape {array.shape}"
        )
    given = _labels(array, key, classnames, ndim=2) if key.startswith("given") else _ballots(array, key, classnames)
    silent = (given < 0).all(axis=1)
    if silent.any():
        raise ValueError(f"{key}: nobody labeled the example in row {silent.argmax()}: leave it out, or label it")
    return given


def _ballots(votes: NDArray[Any], key: str, classnames: tuple[str, ...]) -> Indices:
    """Votes (n, K) as the labels of as many annotators as the most that voted on one example."""
    if votes.shape[1] != len(classnames):
        raise ValueError(f"{key} must have a column for each of the {len(classnames)} classes, got {votes.shape[1]}")
    if votes.dtype.kind not in "iu":
        raise TypeError(f"{key} must be integers, how many annotators said each class, got {votes.dtype}")
    counts = votes.astype(np.int64)
    if (counts < 0).any():
        raise ValueError(f"{key} must be 0 or more, got {counts.min()} in row {(counts < 0).any(axis=1).argmax()}")
    if counts.sum(axis=1).max() > _MOST_VOTES:
        raise ValueError(f"{key} must be at most {_MOST_VOTES} in all, got {counts.sum(axis=1).max()}")
    given = np.full((len(counts), int(counts.sum(axis=1).max())), -1, dtype=np.int64)
    rows, classes = np.nonzero(counts)
    times = counts[rows, classes]
    rows, classes = np.repeat(rows, times), np.repeat(classes, times)
    first = np.searchsorted(rows, np.arange(len(counts)))
    given[rows, np.arange(len(rows)) - first[rows]] = classes
    return given
