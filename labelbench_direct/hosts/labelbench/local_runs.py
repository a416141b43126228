"""``wandb.Api`` without an account: what it is asked for is answered from this package's JSON lines.

LabelBench asks it for the labels that a cheaper model selected (``point_evaluation.py``) and for everything that its
plots show (``results/fetch_wandb_*.py``).
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from labelbench_direct.hosts.labelbench.sink import log_folder

_LONGEST_HEADER = 1 << 20


@dataclass(frozen=True)
class LocalRun:
    """A finished run, as far as LabelBench looks at wandb's: how it was logged, and the rows that were."""

    path: Path
    project: str
    name: str
    config: dict[str, Any]

    def scan_history(self, keys: Sequence[str] | None = None) -> Iterator[dict[str, Any]]:
        """What LabelBench logged, in its order: a row a round, then a row a label if it selected any.

        Only rows that have all of ``keys``.
        """
        header, *rounds = map(json.loads, self.path.read_text(encoding="utf-8").splitlines())
        rows = [{"Epoch": line["round"], **line["metrics"]} for line in rounds]
        if "strategy" in header:
            indices = [index for line in rounds for index in line["indices"]]
            rows += [{"i": i, "Label index": index} for i, index in enumerate(indices)]
        for step, row in enumerate(rows):
            if set(keys or ()) <= row.keys():
                yield {"_step": step, **row}


class LocalApi:
    """Stands in for ``wandb.Api``."""

    def __init__(self, *_: Any, **__: Any) -> None:
        """Whatever wandb would be told of a server is not needed."""

    def runs(self, path: str) -> list[LocalRun]:
        """The finished runs of a project, ``ENTITY/PROJECT``, whoever the entity is.

        Raises ValueError where there is none, with the projects that there are.
        """
        project = path.split("/", 1)[-1]
        runs = list(_runs_in(log_folder()))
        found = [run for run in runs if run.project == project]
        if not found:
            there = ", ".join(sorted({repr(run.project) for run in runs})) or "none"
            raise ValueError(
                f"no finished run of {project!r} among the JSON lines in {log_folder()} (--log names another folder), "
                f"where runs without a wandb account are looked for; there are {there}"
            )
        return found


def _runs_in(folder: Path) -> Iterator[LocalRun]:
    for path in sorted(folder.rglob("*.jsonl")):
        try:
            with path.open("rb") as file:
                header = json.loads(file.readline(_LONGEST_HEADER))
        except (ValueError, RecursionError, IsADirectoryError):  # another program's
            continue
        if isinstance(header, dict) and header.get("kind") == "trial" and "wandb" in header:
            yield LocalRun(path, **header["wandb"])


def serve() -> None:
    """Put it in the place of ``wandb.Api``."""
    import wandb

    wandb.Api = LocalApi
