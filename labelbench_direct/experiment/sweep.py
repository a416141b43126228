"""A sweep: all trials of an experiment, on an engine, whatever happens to single ones."""

from __future__ import annotations

import os
import time
from collections import Counter, deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from labelbench_direct.experiment.leases import is_leased
from labelbench_direct.experiment.pools import ROUNDS
from labelbench_direct.experiment.schema import Trial
from labelbench_direct.experiment.storage import read_lines
from labelbench_direct.experiment.trial import Outcome

_POLL = 0.5  # seconds between two looks at what is running
_BUSY_PAUSE = 2.0  # seconds before another look at a trial that another runner has
_ATTEMPTS = 3  # at a trial whose worker process is lost each time


class WorkerLostError(RuntimeError):
    """The process that ran a trial is gone."""

    def __init__(self) -> None:
        super().__init__(f"its process was lost {_ATTEMPTS} times: killed, out of memory, or its machine is gone")


@dataclass(frozen=True)
class Result:
    """How an attempt at a trial ended."""

    trial: Trial
    outcome: Outcome | BaseException


class Engine(Protocol):
    """Runs trials somewhere. ``capacity``: how many may be submitted at once, None for any number."""

    @property
    def capacity(self) -> int | None: ...
    def submit(self, trial: Trial) -> None: ...
    def wait(self, seconds: float) -> list[Result]: ...
    def close(self) -> None: ...


@dataclass(frozen=True)
class Progress:
    """How far a sweep is, other runners' work on it included; ``notes`` are new since the last."""

    trials: int
    done: int
    running: int
    rounds: int
    all_rounds: int
    notes: tuple[str, ...] = ()


def run_sweep(trials: Sequence[Trial], folder: Path, engine: Engine) -> Iterator[Progress]:
    """Run all trials into an existing folder, and say now and then how far it is, at least at start and end.

    A trial that fails is noted and the others go on. Raises OSError (the disk, a missing file: nothing else would
    fare better), and RuntimeError at the end when trials have failed.
    """
    sweep = _Sweep(trials, engine)
    counter = _RoundCounter(trials, folder)
    yield counter.progress(())
    try:
        while sweep.is_unfinished():
            yield counter.progress(tuple(sweep.step()))
    finally:
        engine.close()
    if sweep.failed:
        raise RuntimeError(
            f"{len(sweep.failed)} of {len(trials)} trials failed, each for the reason given above; the others are "
            "finished. Mend it and start the same command again: it runs only what is missing"
        )


class _Sweep:
    """What is to be run, what is running, what has failed."""

    def __init__(self, trials: Sequence[Trial], engine: Engine) -> None:
        self._engine = engine
        self._waiting, self._paused = deque(trials), deque[tuple[float, Trial]]()
        self._running = 0
        self._lost: Counter[str] = Counter()
        self.failed: list[str] = []

    def is_unfinished(self) -> bool:
        return bool(self._waiting or self._paused or self._running)

    def step(self) -> list[str]:
        """Submit what can be, wait a little, and take what has ended; notes for the user."""
        while self._paused and self._paused[0][0] <= time.monotonic():
            self._waiting.append(self._paused.popleft()[1])
        capacity = self._engine.capacity
        while self._waiting and (capacity is None or self._running < capacity):
            self._engine.submit(self._waiting.popleft())
            self._running += 1
        if not self._running:
            time.sleep(_POLL)
            return []
        results = self._engine.wait(_POLL)
        self._running -= len(results)
        return [note for result in results for note in self._take(result.trial, result.outcome)]

    def _take(self, trial: Trial, outcome: Outcome | BaseException) -> Sequence[str]:
        name = trial.identifier
        if isinstance(outcome, Outcome):
            if outcome.status == "busy":
                self._paused.append((time.monotonic() + _BUSY_PAUSE, trial))
            return outcome.notes
        if isinstance(outcome, WorkerLostError) and self._lost[name] + 1 < _ATTEMPTS:
            self._lost[name] += 1
            self._waiting.append(trial)
            return [f"{name}: its process was lost; it goes on from its last finished round"]
        if isinstance(outcome, OSError) or not isinstance(outcome, Exception):
            raise outcome
        self.failed.append(name)
        return [f"{name} failed: {type(outcome).__name__}: {outcome}"]


class _RoundCounter:
    """Counts rounds on disk, reading only files that have grown."""

    def __init__(self, trials: Sequence[Trial], folder: Path) -> None:
        self._rounds = sum(trial.rounds for trial in trials)
        self._unfinished = {trial.identifier: (folder / trial.identifier, trial.rounds) for trial in trials}
        self._trials, self._folder = len(trials), folder
        self._sizes: dict[str, int] = {}
        self._counts = dict.fromkeys(self._unfinished, 0)

    def progress(self, notes: tuple[str, ...]) -> Progress:
        running = 0
        there = self._unfinished.keys() & {entry.name for entry in os.scandir(self._folder)}  # of thousands, a few
        for name in there:
            path, rounds = self._unfinished[name]
            running += is_leased(path)
            file = path / ROUNDS
            size = file.stat().st_size if file.exists() else 0
            if size == self._sizes.get(name, 0):
                continue
            self._sizes[name] = size
            lines = read_lines(file)
            self._counts[name] = len(lines)
            if lines and lines[-1]["last"]:
                self._counts[name] = rounds  # a pool that was exhausted earlier has no further rounds
                del self._unfinished[name]
        done = self._trials - len(self._unfinished)
        return Progress(self._trials, done, running, sum(self._counts.values()), self._rounds, notes)
