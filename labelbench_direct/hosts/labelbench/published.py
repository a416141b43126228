"""How many examples and classes the data sets have as published, asserted whenever one is loaded."""

from __future__ import annotations

import json
import math
from dataclasses import dataclass, fields
from pathlib import Path

import numpy as np

from labelbench_direct.core.types import Indices
from labelbench_direct.hosts.labelbench.messages import say

OVERRIDE = "expected_counts.json"
"""A file of this name in the data folder replaces entries of ``PUBLISHED``: for subsets, and for tests."""


@dataclass(frozen=True)
class Counts:
    """K classes, N examples to label, and the rarest class's share of the most common one's."""

    classes: int
    pool: int
    imbalance: float


PUBLISHED = {
    "fmow": Counts(62, 76_863, 0.0049),  # Table 1
    "iwildcam": Counts(14, 129_809, 4.57e-5),  # Table 1
    "imagenet_lt": Counts(1_000, 115_846, 5 / 1_280),  # Liu et al. 2019
    "inaturalist": Counts(8_142, 437_513, 2 / 1_000),  # Van Horn et al. 2018, the challenge of 2018
    "inaturalist_2017": Counts(5_089, 579_184, 9 / 3_919),  # the challenge of 2017
}

_TOLERANCE = 0.0103  # Table 1 prints two significant digits


def check_counts(name: str, labels: Indices, num_classes: int, data_dir: str) -> None:
    """Compare the pool's labels (N,) with what is published for the data set, or with the data folder's own counts.

    Raises ValueError with both where they differ.
    """
    expected = _expected(name, data_dir)
    counts = np.bincount(labels, minlength=num_classes)
    found = Counts(num_classes, len(labels), float(counts.min() / max(1, counts.max())))
    same_size = (found.classes, found.pool) == (expected.classes, expected.pool)
    if not (same_size and math.isclose(found.imbalance, expected.imbalance, rel_tol=_TOLERANCE)):
        raise ValueError(
            f"data set {name!r} in {data_dir!r} has {_words(found)}; expected: {_words(expected)}. Files are missing "
            f"or of another version; for a subset on purpose, put its counts into {Path(data_dir) / OVERRIDE}: "
            f'{{"{name}": {{"classes": {found.classes}, "pool": {found.pool}, "imbalance": {found.imbalance:.4g}}}}}'
        )


def _words(counts: Counts) -> str:
    return f"K = {counts.classes}, N = {counts.pool}, imbalance ratio {counts.imbalance:.3g}"


def _expected(name: str, data_dir: str) -> Counts:
    override = Path(data_dir) / OVERRIDE
    if override.is_file():
        entry = json.loads(override.read_text(encoding="utf-8")).get(name)
        if entry is not None:
            keys = {field.name for field in fields(Counts)}
            if set(entry) != keys:
                raise ValueError(f"{override}: {name!r} needs {', '.join(sorted(keys))}, got {sorted(entry)}")
            say(f"counts of {name} as in {override}, not as published")
            return Counts(**entry)
    return PUBLISHED[name]


def expected_classes(name: str, data_dir: str) -> int:
    """K as published, or as the data folder's own counts say."""
    return _expected(name, data_dir).classes
