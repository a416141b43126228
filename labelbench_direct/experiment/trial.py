"""One trial: a folder that holds all that happened, from which an interrupted one goes on.
 ``trial.json`` is what was asked for and the versions that answer; ``pool.json`` describes the data; ``rounds.jsonl``,
one line a round, is the result; ``times.jsonl`` holds what differs from run to run, the seconds.
"""

from __future__ import annotations

import contextlib
import importlib.metadata
import io
import json
import math
import platform
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np

import labelbench_direct
from labelbench_direct.experiment.hosts import Bench, data_stamp, make_bench
from labelbench_direct.experiment.leases import Lease
from labelbench_direct.experiment.pools import POOL, ROUNDS, difference, read_pool
from labelbench_direct.experiment.schema import Trial
from labelbench_direct.experiment.sinks import Sinks
from labelbench_direct.experiment.storage import append_line, cut_half_line, naming, read_lines, write_whole
from labelbench_direct.hosts.embedded.data.parts import absent_note
from labelbench_direct.hosts.labelbench.checkout import commit_of
from labelbench_direct.hosts.loop import PastRound, Round, run_rounds
from labelbench_direct.labelbench import ALInput

HEADER, TIMES = "trial.json", "times.jsonl"
_PACKAGES = ("numpy", "torch", "scikit-learn")


@dataclass(frozen=True)
class Settings:
    """How to run trials, none of which changes a result."""

    sinks: tuple[str, ...] = ()
    keep_models: bool = False
    labelbench_home: str | None = None
    data_folder: str | None = None
    selections: bool = True
    """Whether each round's line says what DIRECT found, for the report's pictures of it."""
    data_checksum: str | None = None
    """Of the data that the command began with."""


@dataclass(frozen=True)
class Outcome:
    """What became of an attempt at a trial. ``busy``: another runner has it. ``notes``: what a user should hear."""

    identifier: str
    status: Literal["finished", "busy"]
    notes: tuple[str, ...] = ()


def run_trial(trial: Trial, folder: Path, settings: Settings) -> Outcome:
    """Run a trial, or what is left of it, in its own folder within ``folder``, unless another runner is at it.

    Raises OSError where the disk refuses, and ValueError where what is there is not this trial's.
    """
    path = folder.absolute() / trial.identifier  # LabelBench changes the working directory when it downloads some data
    path.mkdir(parents=True, exist_ok=True)
    if is_finished(path):
        check_header(trial, path, settings)
        return Outcome(trial.identifier, "finished")
    lease = Lease.acquire(path)
    if lease is None:
        return Outcome(trial.identifier, "busy")
    with lease:
        notes = _repair(path)
        if not is_finished(path):  # the runner that had the lease before may have ended it
            check_header(trial, path, settings)
            with _output_of(trial, path):
                notes += _play(trial, path, lease, settings)
        lease.discard()
    return Outcome(trial.identifier, "finished", tuple(notes))


def is_finished(path: Path) -> bool:
    """Whether the trial of a folder has its last round."""
    rounds = read_lines(path / ROUNDS)
    return bool(rounds) and bool(rounds[-1]["last"])


def check_header(trial: Trial, path: Path, settings: Settings) -> None:
    """Write ``trial.json``, or where it is there raise ValueError unless it is this trial's and of these versions.

    Another version may end differently what this one began, so an unfinished trial is not continued by it.
    """
    now = versions(settings.labelbench_home if trial.needs_labelbench else None)
    header = {**asdict(trial), "versions": now}
    file = path / HEADER
    if not file.exists():
        if (path / ROUNDS).exists():
            raise ValueError(f"{path} has results but no {HEADER}: restore it, or move the folder away")
        write_whole(file, header)
        return
    try:
        found = json.loads(file.read_text(encoding="utf-8"))
        found_versions = dict(found.pop("versions"))
    except (ValueError, KeyError, AttributeError, TypeError) as error:
        raise ValueError(f"{file} is damaged ({error!r}): restore it, or move its folder away") from error
    if found != asdict(trial):
        changed = [key for key in {**asdict(trial), **found} if found.get(key) != asdict(trial).get(key)]
        raise ValueError(
            f"{file} was edited: its folder's name stands for another configuration ({', '.join(changed)} differs). "
            "Restore it, or move the folder away; a changed experiment makes folders of its own"
        )
    if found_versions != now and not is_finished(path):
        names = [name for name in {**found_versions, **now} if found_versions.get(name) != now.get(name)]
        text = ", ".join(f"{name} {found_versions.get(name)}, now {now.get(name)}" for name in names)
        raise ValueError(
            f"{path} was begun with other versions ({text}): finish it with those, or move the folder away"
        )


def versions(home: str | None) -> dict[str, str]:
    """The versions that results depend on, among them the commit of a LabelBench checkout that is used."""
    return {
        **({"LabelBench": commit_of(Path(home)) or "unknown"} if home else {}),
        "labelbench_direct": labelbench_direct.__version__,
        "python": ".".join(platform.python_version_tuple()[:2]),
        **{name: importlib.metadata.version(name) for name in _PACKAGES},
    }


def _repair(path: Path) -> list[str]:
    """Cut half-written last lines; what was done, for the user."""
    return [
        f"{path / name}: the last line was half-written and is cut off ({count} bytes); its round is run again"
        for name in (ROUNDS, TIMES)
        if (count := cut_half_line(path / name))
    ]


@contextlib.contextmanager
def _output_of(trial: Trial, path: Path) -> Iterator[None]:
    """What LabelBench prints goes to a file of the trial's: it prints a lot."""
    if trial.host == "embedded":
        yield
        return
    log = path / "labelbench.log"
    with log.open("a", encoding="utf-8") as file, contextlib.redirect_stdout(file), contextlib.redirect_stderr(file):
        yield


def _play(trial: Trial, path: Path, lease: Lease, settings: Settings) -> list[str]:
    """Run the rounds that are missing; notes for the user."""
    past = read_lines(path / ROUNDS)
    stamp = data_stamp(trial, settings.data_folder)
    bench = make_bench(trial, settings.labelbench_home, settings.data_folder)
    if settings.data_checksum and bench.data["checksum"] != settings.data_checksum:
        raise ValueError(f"the data of {trial.dataset} have changed since the command began: bring them back")
    noted = read_pool(path) if past else None
    if noted and (text := difference(noted, bench.data)):
        raise ValueError(
            f"the data are not those of {path / POOL}, with which the trial began: {text}. Bring them back, or move "
            "its folder away"
        )
    notes: list[str] = []
    with Sinks(settings.sinks, trial, path, past) as sinks:
        for done in _rounds(trial, bench, past, settings):
            if data_stamp(trial, settings.data_folder) != stamp:
                raise ValueError(
                    f"the file of {trial.dataset} was written to while the trial ran, so that round {done.number} is "
                    "not kept: bring its data back, and start the same command again"
                )
            if done.number == len(past) + 1 and not noted:
                notes = _absent_classes(bench)
                write_whole(path / POOL, {**bench.data, "notes": list(dict.fromkeys([*bench.data["notes"], *notes]))})
            if settings.keep_models:
                _keep_model(done, path)
            lease.check()
            seconds = {"select": round(done.select_seconds, 4), "train": round(done.train_seconds, 4)}
            append_line(path / TIMES, {"round": done.number, **seconds}, wait=False)
            record = _record(done)
            append_line(path / ROUNDS, record)  # from here on the round is done
            sinks.write({**record, "seconds": seconds})
    return [*notes, *sinks.notes]


def _rounds(trial: Trial, bench: Bench, past: list[dict[str, Any]], settings: Settings) -> Iterator[Round]:
    return run_rounds(
        bench.pool,
        bench.trainer,
        bench.strategy,
        bench.first,
        trial.batch_size,
        trial.rounds,
        past=[PastRound(np.array(line["indices"], dtype=np.int64), line["random_state"]) for line in past],
        random_state=bench.random_state,
        describe=settings.selections,
    )


def _record(done: Round) -> dict[str, Any]:
    """The JSON line of a round."""
    return {
        "round": done.number,
        "last": done.is_last,
        "indices": done.indices.tolist(),
        "labels": done.labels.tolist(),
        "metrics": {name: _number(value) for name, value in done.metrics.items()},
        "class_accuracies": done.class_accuracies,
        "selection": done.selection,
        "random_state": done.random_state,
    }


def _number(value: Any) -> float | None:
    """A number that JSON can hold: None for what is not a number or infinite."""
    number = float(value)
    if not math.isfinite(number):
        return None
    return int(number) if number.is_integer() and isinstance(value, (int, np.integer)) else number


def _absent_classes(bench: Bench) -> list[str]:
    """A note on each part of the data, but the pool, that lacks classes; once it was evaluated."""
    notes = []
    labels = bench.trainer.retrieve_inputs([ALInput.VAL_LABEL, ALInput.TEST_LABEL])
    for part, truth in zip(("validation", "test"), labels, strict=True):
        classes = bench.data["classes"]
        if absent := [name for name, count in zip(classes, truth.sum(axis=0), strict=True) if count == 0]:
            notes.append(absent_note(part, absent, len(classes)))
    return notes


def _keep_model(done: Round, path: Path) -> None:
    import torch

    (path / "models").mkdir(exist_ok=True)
    part, content = path / "models" / "part", io.BytesIO()
    torch.save({name: value.cpu() for name, value in done.model.state_dict().items()}, content)
    with naming(part):  # of a full disk torch itself says nothing that one can understand
        part.write_bytes(content.getvalue())
    part.replace(path / "models" / f"round-{done.number:03d}.pt")
