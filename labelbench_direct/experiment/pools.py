"""What data a trial ran on, as its ``pool.json`` says, and whether others are the same: by content, not by name."""

from __future__ import annotations

import contextlib
import hashlib
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np

from labelbench_direct.experiment.storage import read_lines
from labelbench_direct.hosts.embedded.data.parts import Data

POOL, ROUNDS = "pool.json", "rounds.jsonl"
DataNote: TypeAlias = dict[str, Any]
"""``examples``, ``classes`` (names), ``class_counts`` (true ones), ``checksum``, and ``notes`` for the user. Earlier
versions wrote neither of the last two: such data are known by the first three alone."""

_KNOWN_BY = ("examples", "classes", "class_counts", "checksum")
_NAMED = 10


def describe_data(data: Data) -> DataNote:
    """The embedded host's data. Their checksum covers inputs, labels, parts and class names."""
    counts = np.bincount(data.train.labels, minlength=data.num_classes).tolist()
    return {
        "examples": len(data.train.labels),
        "classes": list(data.classnames),
        "class_counts": counts,
        "checksum": data.checksum,
        "notes": list(data.notes),
    }


def read_pool(path: Path) -> DataNote | None:
    """What a trial's folder says of its data, None where it says nothing. Raises ValueError for a damaged file."""
    file = path / POOL
    if not file.exists():
        return None
    with contextlib.suppress(ValueError, RecursionError):
        return check_pool(json.loads(file.read_bytes()))
    raise ValueError(f"{file} is damaged: restore it, or move its folder away")


def check_pool(stated: Any) -> DataNote:
    """What is said of some data, if it is that; raises ValueError for anything else."""
    pool = stated if isinstance(stated, dict) else {}
    is_whole = isinstance(pool.get("examples"), int) and isinstance(pool.get("checksum", ""), str)
    lists = (str, pool.get("classes")), (int, pool.get("class_counts")), (str, pool.get("notes", []))
    if not is_whole or not all(_are(kind, values) for kind, values in lists):
        raise ValueError("it does not say what the data are")
    if len(pool["classes"]) != len(pool["class_counts"]):
        raise ValueError(f"it names {len(pool['classes'])} classes, and counts {len(pool['class_counts'])}")
    return pool


def _are(kind: type, values: Any) -> bool:
    return isinstance(values, list) and all(isinstance(value, kind) for value in values)


def difference(noted: DataNote, now: DataNote) -> str:
    """What is other now than it was, in words; empty for the same data."""
    changed = [key for key in _KNOWN_BY if key in noted and noted[key] != now[key]]
    if changed == ["checksum"]:
        return (
            "as many examples of each class, but other inputs, labels or parts "
            f"(checksum {noted['checksum'][:8]}, now {now['checksum'][:8]})"
        )
    return f"{describe(noted)}, now {describe(now)}" if changed else ""


def describe(pool: DataNote) -> str:
    """The pool in words: its size, and the examples of each class."""
    counts = [f"{name} {count}" for name, count in zip(pool["classes"], pool["class_counts"], strict=True)]
    classes = ", ".join(counts[:_NAMED]) + (", ..." if len(counts) > _NAMED else "")
    return f"{pool['examples']:,} examples of {len(counts)} classes ({classes})"


def check_same_data(folders: Sequence[Path], now: DataNote, dataset: str) -> None:
    """Raise ValueError where trials in some of the folders have rounds on other data than there are now."""
    others: dict[str, list[Path]] = {}
    for path in folders:
        noted = read_pool(path)
        text = difference(noted, now) if noted else ""
        if text and read_lines(path / ROUNDS):
            others.setdefault(text, []).append(path)
    if others:
        said = "; ".join(f"{text} ({names([path.name for path in paths])})" for text, paths in others.items())
        count = sum(map(len, others.values()))
        raise ValueError(
            f"{count} of {len(folders)} trials in {folders[0].parent} ran on other data than {dataset} now is: {said}. "
            "Nothing was changed. Bring their data back (--data-dir says where they are), or keep the results on these "
            "data apart with another --output"
        )


def names(trials: Sequence[str]) -> str:
    """The first few trials' names."""
    more = f" and {len(trials) - 3} more" if len(trials) > 3 else ""
    return f"{len(trials)} trial{'s' if len(trials) > 1 else ''}: {', '.join(trials[:3])}{more}"


def tell_apart(pools: Sequence[DataNote]) -> list[str]:
    """For each of some pools the checksum of its data. One without, of an earlier version, counts as the only data that
    are like it in size, classes and counts, and where there are none or several stands for itself.
    """
    by_shape: dict[str, set[str]] = {}
    shapes = [json.dumps([pool[key] for key in _KNOWN_BY[:3]]) for pool in pools]
    for shape, pool in zip(shapes, pools, strict=True):
        by_shape.setdefault(shape, set()).update([pool["checksum"]] if "checksum" in pool else [])

    def key(shape: str, pool: DataNote) -> str:
        alike = by_shape[shape]
        return str(
            pool["checksum"]
            if "checksum" in pool
            else next(iter(alike))
            if len(alike) == 1
            else hashlib.blake2b(shape.encode(), digest_size=16).hexdigest()
        )

    return [key(shape, pool) for shape, pool in zip(shapes, pools, strict=True)]
