"""Levels of label noise as people state them: a share of wrong labels, a confusion matrix, inline or in a file, or what
annotators really gave.
"""

from __future__ import annotations

import csv
import hashlib
import json
from decimal import Decimal
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np

from labelbench_direct.hosts.corrupters import make_corrupter
from labelbench_direct.hosts.embedded.data.table import read_text

Matrix: TypeAlias = tuple[tuple[float, ...], ...]
GIVEN = "given"
Noise: TypeAlias = float | Matrix | str
"""A share of the labels that are wrong, uniformly; or a confusion matrix, (K, K): row k says how often examples of
class k are given each label, as shares or counts, classes in the data set's order. ``given``: each example has one of
the labels that the data's own annotators gave it."""

_EXPECTED = (
    "noise must be numbers between 0 and 1, or confusion matrices: lists of rows, or the names of .json or .csv files; "
    'or "given" for the labels of the data\'s own annotators'
)


def read_noise(stated: Any, folder: Path) -> Noise:
    """The level that is stated: what ``check_noise`` takes, or the name of a matrix's file, from ``folder`` on.

    Raises ValueError or TypeError, and FileNotFoundError where the file is not there.
    """
    return _read_matrix(folder / stated) if isinstance(stated, str) and stated != GIVEN else check_noise(stated)


def check_noise(stated: Any) -> Noise:
    """A number or ``given`` as it is, or the rows of a confusion matrix as tuples of floats.

    Raises TypeError, or ValueError for numbers outside 0..1 and for what cannot be a confusion matrix.
    """
    if isinstance(stated, np.ndarray):
        stated = stated.tolist()
    if isinstance(stated, str) and stated == GIVEN:
        return stated
    is_number = isinstance(stated, (int, float)) and not isinstance(stated, bool)
    if not is_number:
        stated = _matrix(stated)
    make_corrupter(stated, 0 if is_number else len(stated), np.random.default_rng(0))  # which checks it
    noise: Noise = stated
    return noise


def _matrix(stated: Any) -> Matrix:
    if not isinstance(stated, (list, tuple)) or not stated:
        raise TypeError(f"{_EXPECTED}; got {stated!r}")
    for row in stated:
        if not isinstance(row, (list, tuple)):
            raise TypeError(
                f"a confusion matrix is a list of rows, and noise a list of levels, so that one matrix is written "
                f"[[[0.9, 0.1], [0.2, 0.8]]]; got {stated!r}"
            )
        for entry in row:
            if isinstance(entry, bool) or not isinstance(entry, (int, float)):
                raise TypeError(f"a confusion matrix must have numbers, got {entry!r}")
        if len(row) != len(stated):
            raise ValueError(
                f"a confusion matrix must have as many columns as rows, got {len(stated)} rows, one of them of "
                f"{len(row)} entries"
            )
    return tuple(tuple(map(float, row)) for row in stated)


def _read_matrix(path: Path) -> Noise:
    if path.suffix.lower() not in (".json", ".csv"):
        raise ValueError(f"{_EXPECTED}; got {path.name!r}")
    if not path.is_file():
        raise FileNotFoundError(f"there is no confusion matrix at {path}")
    try:
        rows = json.loads(path.read_bytes()) if path.suffix.lower() == ".json" else _csv_rows(read_text(path))
        return check_noise(rows if isinstance(rows, list) else [rows])  # a number alone is no matrix
    except (ValueError, TypeError, RecursionError) as error:
        raise ValueError(str(error) if str(path) in str(error) else f"{path}: {error}") from error


def _csv_rows(text: str) -> list[list[float]]:
    rows = []
    for number, line in enumerate(text.splitlines(), 1):
        try:
            if line.strip():
                (entries,) = csv.reader([line], strict=True)  # by itself, so that no quote swallows the lines below
                rows.append([float(entry) for entry in entries])
        except (ValueError, csv.Error) as error:
            raise ValueError(f"line {number}: {error}; a row is numbers with commas between, no names") from error
    return rows


def check_fits(noise: Noise, dataset: str, classnames: tuple[str, ...], has_given: bool) -> None:
    """Raise ValueError for a matrix of another number of classes than the data set's, or annotators that it lacks."""
    if noise == GIVEN and not has_given:
        raise ValueError(
            f"noise {GIVEN!r} needs what annotators gave, and {dataset} doesn't have it: a features file with an array "
            "given or votes does (docs/features.md)"
        )
    if isinstance(noise, tuple) and len(noise) != len(classnames):
        raise ValueError(
            f"noise: the confusion matrix has {len(noise)} rows, but {dataset} has {len(classnames)} classes, in this "
            f"order: {', '.join(classnames[:10])}{', ...' if len(classnames) > 10 else ''}"
        )


def describe_noise(noise: Any) -> str:
    """For people, and for the names of results: ``10%``, ``annotators'``, ``confusion matrix 1a2b3c`` (its digest)."""
    if noise == GIVEN:
        return "annotators'"
    return percent(noise) if isinstance(noise, (int, float)) else f"confusion matrix {matrix_name(noise)}"


def percent(share: float) -> str:
    """A share with all its digits, so that no two look the same: ``12.4%``."""
    return f"{(Decimal(str(float(share))) * 100).normalize():f}%"


def level_name(noise: Noise) -> str:
    """For the names of folders: ``0.1``, ``given``, or a matrix's digest."""
    if isinstance(noise, str):
        return noise
    return f"{Decimal(str(float(noise))).normalize():f}" if isinstance(noise, (int, float)) else matrix_name(noise)


def matrix_name(matrix: Any) -> str:
    """Six hexadecimal digits that stand for a matrix, rows as lists or tuples."""
    return hashlib.sha256(json.dumps(matrix).encode()).hexdigest()[:6]
