"""JSON lines of a LabelBench run, in the form of this package's trials, beside what LabelBench itself logs."""

from __future__ import annotations

import functools
import hashlib
import importlib.metadata
import json
import os
import platform
from pathlib import Path
from typing import Any

import numpy as np

from labelbench_direct.core.types import Indices
from labelbench_direct.hosts.labelbench.checkout import commit_of
from labelbench_direct.hosts.labelbench.messages import say
from labelbench_direct.hosts.labelbench.pools import describe_pool
from labelbench_direct.hosts.labelbench.program import Run
from labelbench_direct.labelbench import labeled_indices, labeled_labels

LOG_VARIABLE = "LABELBENCH_DIRECT_LOG"
"""The folder for the JSON lines; without it ``labelbench_runs`` in the working directory."""

_PACKAGES = ("labelbench-direct", "numpy", "torch", "torchvision", "timm", "open_clip_torch", "wilds", "wandb")


def log_folder() -> Path:
    """Where the JSON lines go."""
    return Path(os.environ.get(LOG_VARIABLE, "labelbench_runs")).resolve()


class Sink:
    """The file of one run: a line of the run itself, then one a round, as soon as its metrics are logged.

    The file has its final name only when the run has finished.
    """

    def __init__(self, run: Run, folder: Path, checkout: Path) -> None:
        self._header = _header(run, checkout)
        digest = hashlib.sha256(json.dumps(self._header, sort_keys=True).encode()).hexdigest()
        strategy = Path(run.names.get("strategy") or run.selected_by["strategy_config"]).stem
        name = f"evaluation-{strategy}" if run.selected_by else strategy
        self.path = folder / run.dataset / f"{name}-seed{run.seed}-{digest[:10]}.jsonl"
        self.path.parent.mkdir(parents=True, exist_ok=True)
        self._part = self.path.with_suffix(".jsonl.part")
        self._file = self._part.open("w", encoding="utf-8")
        self._indices: list[int] = []
        self._labels: list[int] = []
        self.dataset: Any = None
        self.data: dict[str, Any] | None = None
        """What the data are, until a round has said it."""

    def begin(self, logged_as: dict[str, Any]) -> None:
        """The run begins; ``logged_as`` is what LabelBench tells wandb of it: project, name, config."""
        self._write({**self._header, "versions": _versions(), "wandb": logged_as})

    def labeled(self, indices: Indices, labels: Indices) -> None:
        """Examples were labeled, with these labels."""
        self._indices += indices.tolist()
        self._labels += labels.tolist()

    def logged(self, metrics: dict[str, Any]) -> None:
        """LabelBench logs the metrics of a round (or, at the end, one labeled index, which is known already)."""
        if "Epoch" not in metrics:
            return
        own = {name: float(value) for name, value in metrics.items() if name != "Epoch"}
        record = {"kind": "round", "round": int(metrics["Epoch"]), "indices": self._indices, "labels": self._labels}
        if self.data is not None:  # which were not known when the run began
            record["data"], self.data = self.data, None
        self._write({**record, "metrics": own})
        self._indices, self._labels = [], []

    def finish(self) -> None:
        """The run is over."""
        self._file.close()
        if self._part.exists():
            self._part.replace(self.path)
            say(f"JSON lines: {self.path}")

    def _write(self, record: dict[str, Any]) -> None:
        self._file.write(json.dumps(record) + "\n")
        self._file.flush()


def _header(run: Run, checkout: Path) -> dict[str, Any]:
    return {
        "kind": "trial",
        "host": "labelbench",
        "commit": commit_of(checkout),
        "dataset": run.dataset,
        "seed": run.seed,
        "batch_size": run.batch_size,
        "rounds": run.rounds,
        "files": run.names,
        **run.configurations,
        **({"selected_by": run.selected_by} if run.selected_by else {}),
    }


def _versions() -> dict[str, str]:
    versions = {"python": platform.python_version()}
    for name in _PACKAGES:
        try:
            versions[name] = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            continue
    return versions


def attach(run: Run, checkout: Path) -> Sink:
    """Write the JSON lines of the run that this process is about to make, beside what LabelBench logs."""
    import wandb
    from LabelBench.skeleton.dataset_skeleton import ALDataset

    sink = Sink(run, log_folder(), checkout)
    init, finish = wandb.init, wandb.finish
    set_corrupter, update = ALDataset.set_corrupter, ALDataset.update_labeled_idxs

    @functools.wraps(init)
    def init_too(*arguments: Any, **options: Any) -> Any:
        wandb_run = init(*arguments, **options)
        sink.begin({name: options.get(name) for name in ("project", "name", "config")})
        log = wandb.log  # init has just put the run's own there

        def log_too(data: dict[str, Any], *log_arguments: Any, **log_options: Any) -> Any:
            sink.logged(data)
            return log(data, *log_arguments, **log_options)

        wandb.log = log_too
        return wandb_run

    @functools.wraps(finish)
    def finish_too(*arguments: Any, **options: Any) -> Any:
        sink.finish()
        return finish(*arguments, **options)

    @functools.wraps(set_corrupter)
    def set_corrupter_too(self: Any, corrupter: Any) -> None:
        set_corrupter(self, corrupter)
        sink.dataset, sink.data = self, describe_pool(self)

    @functools.wraps(update)
    def update_too(self: Any, new_idxs: Any) -> None:
        update(self, new_idxs)
        if self is sink.dataset:  # not one of the copies that strategies make
            count = len(np.asarray(new_idxs))
            sink.labeled(labeled_indices(self)[-count:], labeled_labels(self)[-count:])

    wandb.init, wandb.finish = init_too, finish_too
    ALDataset.set_corrupter, ALDataset.update_labeled_idxs = set_corrupter_too, update_too
    return sink
