"""Checks of what callers hand in: each raises ValueError or TypeError, naming the argument."""

from __future__ import annotations

import warnings
from collections.abc import Collection
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from labelbench_direct.core.engine import engine_for
from labelbench_direct.core.passes import plain
from labelbench_direct.core.scores import Scores, as_array, on_all_cores, row_blocks
from labelbench_direct.core.types import Floats, Indices


def check_probabilities(probabilities: Any) -> Scores:
    """Softmax scores (N, K): finite, not negative, every row summing to 1, N >= 1, K >= 2. Reads them once."""
    if isinstance(probabilities, Scores):
        return probabilities
    array = as_array(probabilities, "probabilities")
    if array.ndim != 2:
        raise ValueError(f"probabilities must have shape (examples, classes), got shape {array.shape}")
    if array.dtype not in (np.float16, np.float32, np.float64):
        raise TypeError(f"probabilities must be float16, float32 or float64, got {array.dtype}")
    if len(array) == 0:
        raise ValueError(f"the pool is empty: probabilities have shape {array.shape}")
    if array.shape[1] < 2:
        raise ValueError(f"probabilities need at least 2 classes (columns), got shape {array.shape}")
    highest, engine = np.empty(len(array)), engine_for(array.shape)

    def check(part: slice) -> None:
        for place, block in row_blocks(array, part):
            rows = plain(block)
            bad = engine.passes.check_rows(rows, highest[place])
            if bad >= 0:
                _refuse_row(place.start + bad, rows[bad])

    on_all_cores(check, array)
    return Scores(array, highest)


def _refuse_row(number: int, row: Floats) -> None:
    if not np.isfinite(row).all():
        raise ValueError(f"probabilities must be finite, row {number} has {row[~np.isfinite(row)][0]}")
    if row.min() < 0:
        raise ValueError(f"probabilities must not be negative, row {number} has {row.min()}")
    raise ValueError(
        f"each row of probabilities must sum to 1, row {number} sums to {row.sum(dtype=np.float64):.6g}: "
        "pass softmax scores, not logits"
    )


def check_not_one_hot(scores: Scores) -> None:
    """Thresholds need graded scores: a pool of several examples must not be all zeros and ones."""
    if len(scores.array) == 1 or (scores.highest < 1).any():
        return
    if not any(((rows > 0) & (rows < 1)).any() for _, rows in row_blocks(scores.array)):
        raise ValueError(
            "probabilities are one-hot: every margin is 0 or -1, so no threshold separates anything; "
            "pass the classifier's softmax scores"
        )


def check_integers(values: ArrayLike, name: str) -> NDArray[np.int64]:
    """A one-dimensional array of integers, as a new int64 array."""
    array = np.asarray(values)
    if array.ndim != 1:
        raise ValueError(f"{name} must be one-dimensional, got shape {array.shape}")
    if array.size and array.dtype.kind not in "iu":
        raise TypeError(f"{name} must be integers, got {array.dtype}")
    return array.astype(np.int64)


def check_indices(indices: ArrayLike, num_examples: int, name: str = "indices") -> Indices:
    """Distinct pool indices in 0..N-1."""
    array = check_integers(indices, name)
    outside = array.view(np.uint64) >= num_examples  # as unsigned numbers, the negative ones are above 2^63
    if np.count_nonzero(outside):
        raise ValueError(f"{name} must be in 0..{num_examples - 1} (the pool), got {array[outside][0]}")
    ascending = np.sort(array)
    again = ascending[1:][ascending[1:] == ascending[:-1]]
    if len(again):
        raise ValueError(f"{name} must be distinct, {again[0]} is there {np.count_nonzero(array == again[0])} times")
    return array


def check_labels(labels: ArrayLike, indices: Indices, num_classes: int) -> Indices:
    """One label in 0..K-1 for each index."""
    array = check_integers(labels, "labels")
    if len(array) != len(indices):
        raise ValueError(f"indices and labels must be of one length, got {len(indices)} and {len(array)}")
    outside = array.view(np.uint64) >= num_classes
    if np.count_nonzero(outside):
        example = indices[outside][0]
        raise ValueError(f"labels must be in 0..{num_classes - 1}, got {array[outside][0]} for example {example}")
    return array


def check_count(value: Any, name: str, least: int) -> int:
    """An integer of at least ``least``."""
    if isinstance(value, bool) or not isinstance(value, (int, np.integer)):
        raise TypeError(f"{name} must be an integer, got {value!r}")
    if value < least:
        raise ValueError(f"{name} must be at least {least}, got {value}")
    return int(value)


def check_choice(value: Any, name: str, choices: Collection[str]) -> None:
    """One of a few strings."""
    if value not in choices:
        raise ValueError(f"{name} must be one of {', '.join(map(repr, choices))}, got {value!r}")


def check_budget(budget: int, num_unlabeled: int) -> int:
    """A budget of at most what is left; a larger one becomes that, with a warning."""
    budget = check_count(budget, "budget", least=0)
    if budget > num_unlabeled:
        warnings.warn(
            f"the budget is {budget} but only {num_unlabeled} examples are unlabeled: all of them are selected",
            stacklevel=3,
        )
        return num_unlabeled
    return budget
