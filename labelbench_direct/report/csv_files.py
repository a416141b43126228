"""The numbers of a report as CSV."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from labelbench_direct.csv_text import csv_text
from labelbench_direct.experiment.storage import naming
from labelbench_direct.report.groups import Group
from labelbench_direct.report.statistics import Interval, lead, saved

_KEYS = ("dataset", "data", "noise", "confusion", "batch_size", "model", "trainer")
_NONE = Interval(np.nan, np.nan, np.nan)


def write_tables(groups: Sequence[Group], folder: Path, metric: str) -> None:
    """``curves.csv``: every number that is drawn. ``saved.csv``: every pair of strategies."""
    curves = [
        (*_cells(one), name, seed, int(label), measured, value)
        for one in groups
        for name, own in one.curves.items()
        for measured, values in own.metrics.items()
        for seed, row in zip(own.seeds, values.tolist(), strict=True)
        for label, value in zip(own.labels, row, strict=True)
    ]
    _write(folder / "curves.csv", (*_KEYS, "strategy", "seed", "labels", "metric", "value"), curves)
    pairs = [
        (*_cells(one), name, other, *(saved(own, theirs, metric) or _NONE), *(lead(own, theirs, metric) or _NONE))
        for one in groups
        for name, own in one.curves.items()
        for other, theirs in one.curves.items()
        if other != name
    ]
    columns = ("saved", "saved_low", "saved_high", "lead", "lead_low", "lead_high")
    _write(folder / "saved.csv", (*_KEYS, "strategy", "other", *columns), pairs)


def _cells(one: Group) -> tuple[Any, ...]:
    return tuple(getattr(one.setting, key) for key in _KEYS)


def _write(path: Path, head: Sequence[str], rows: Sequence[Sequence[Any]]) -> None:
    with naming(path):
        path.write_text(csv_text(head, rows), encoding="utf-8", errors="backslashreplace", newline="")
