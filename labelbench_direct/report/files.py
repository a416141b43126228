"""Which files in a folder of results are results: other programs put theirs beside them."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from labelbench_direct.experiment.pools import ROUNDS
from labelbench_direct.experiment.trial import TIMES

PART = ".part"
"""The ending of a LabelBench run's lines until it has finished."""
_RUN = re.compile(r".+-seed\d+-[0-9a-f]{10}\.jsonl")
_LONGEST_HEADER = 1 << 20


def files_under(path: Path) -> Iterator[Path]:
    """The file itself, or the files in a folder at any depth, without hidden files and folders: those are caches,
    copies and leftovers of file managers and editors (``._rounds.jsonl``, ``.ipynb_checkpoints``).
    """
    if path.is_file():
        yield path
        return
    for file in sorted(path.rglob("*")):
        if not any(part.startswith(".") for part in file.relative_to(path).parts) and file.is_file():
            yield file


def is_trial(file: Path) -> bool:
    """Whether a ``trial.json`` is this package's: by what is in it, or by the rounds beside it where it is damaged."""
    header = _object(file.read_bytes())
    return {"dataset", "strategy", "seed", "batch_size"} <= header.keys() or (file.parent / ROUNDS).is_file()


def is_labelbench_run(file: Path) -> bool:
    """Whether a file holds lines that this package wrote beside a run of LabelBench's own programs: by its first line,
    or by its name where that is damaged.
    """
    name = file.name.removesuffix(PART)
    if not name.endswith(".jsonl") or name in (ROUNDS, TIMES):
        return False
    with file.open("rb") as lines:
        header = _object(lines.readline(_LONGEST_HEADER))
    return (header.get("kind") == "trial" and header.get("host") == "labelbench") or bool(_RUN.fullmatch(name))


def _object(text: bytes) -> dict[str, Any]:
    """The JSON object that a text is, empty for any other."""
    try:
        content = json.loads(text)
    except (ValueError, RecursionError):
        return {}
    return content if isinstance(content, dict) else {}
