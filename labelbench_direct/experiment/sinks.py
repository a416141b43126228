"""Optional copies of a trial's JSON lines where people look: TensorBoard, Weights & Biases.

They are fed from the lines in a thread of their own. Whatever goes wrong there is noted and the trial goes on.
"""

from __future__ import annotations

import os
import queue
import threading
from collections.abc import Callable, Sequence
from dataclasses import asdict
from pathlib import Path
from types import TracebackType
from typing import Any

from labelbench_direct.experiment.names import project_name
from labelbench_direct.experiment.schema import Trial

_PATIENCE = 30.0  # seconds that a trial waits for its sinks at its end

Line = dict[str, Any]
Feed = Callable[["Line | None"], None]
"""Takes one line after the other, and None at the end."""


def _tensorboard(trial: Trial, path: Path) -> Feed:
    from torch.utils.tensorboard import SummaryWriter

    # Whatever an interrupted run had written from the first round on is superseded.
    writer = SummaryWriter(str(path.parent / "tensorboard" / path.name), purge_step=0)

    def feed(line: Line | None) -> None:
        if line is None:
            writer.close()
            return
        for name, value in _scalars(line).items():
            writer.add_scalar(name, value, line["metrics"]["Num Labeled"])
        writer.flush()

    return feed


def _wandb(trial: Trial, path: Path) -> Feed:
    import wandb

    run = wandb.init(
        project=project_name(f"labelbench-direct {trial.dataset}"),
        name=trial.identifier,
        id=trial.identifier,
        config=asdict(trial),
        dir=str(path.parent),
        mode=os.environ.get("WANDB_MODE") or "offline",
        resume="allow",
        settings=wandb.Settings(silent=True, console="off"),
    )
    if run.disabled:
        raise NotLoggingError("it is disabled, by WANDB_MODE or its own settings")

    def feed(line: Line | None) -> None:
        if line is None:
            run.finish()
        else:
            run.log(_scalars(line), step=line["round"])

    return feed


SINKS: dict[str, Callable[[Trial, Path], Feed]] = {"tensorboard": _tensorboard, "wandb": _wandb}


def _scalars(line: Line) -> dict[str, float]:
    seconds = {f"seconds/{name}": value for name, value in line.get("seconds", {}).items()}
    return {name: value for name, value in {**line["metrics"], **seconds}.items() if value is not None}


class NotLoggingError(RuntimeError):
    """A sink takes lines and keeps none."""


class Sinks:
    """The sinks of one trial. ``past``: the lines of rounds that were finished before, which they are fed first."""

    def __init__(self, names: Sequence[str], trial: Trial, path: Path, past: Sequence[Line]) -> None:
        self._notes: dict[str, str] = {}
        self._queues: dict[str, queue.SimpleQueue[Line | None]] = {name: queue.SimpleQueue() for name in names}
        self._threads = {
            name: threading.Thread(target=self._feed, args=(name, trial, path), daemon=True) for name in names
        }
        for line in past:
            self.write(line)

    @property
    def notes(self) -> list[str]:
        """What went wrong."""
        return list(self._notes.values())

    def write(self, line: Line) -> None:
        """Hand a line to every sink, without waiting for any."""
        for waiting in self._queues.values():
            waiting.put(line)

    def __enter__(self) -> Sinks:
        for thread in self._threads.values():
            thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        for name, thread in self._threads.items():
            self._queues[name].put(None)
            thread.join(_PATIENCE)
            if thread.is_alive():
                self._notes[name] = f"{name} did not finish within {_PATIENCE:.0f} s; the results are whole without it"

    def _feed(self, name: str, trial: Trial, path: Path) -> None:
        try:
            feed = SINKS[name](trial, path)
            while True:
                line = self._queues[name].get()
                feed(line)
                if line is None:
                    return
        except ImportError as error:
            self._notes[name] = f"no {name}: {error} (pip install 'labelbench-direct[logging]'); results are whole"
        except NotLoggingError as error:
            self._notes[name] = f"nothing is logged to {name}: {error}; the results are whole without it"
        except BaseException as error:  # a sink must never be able to stop a trial
            self._notes[name] = f"{name} stopped: {error!r}; the results are whole without it"
