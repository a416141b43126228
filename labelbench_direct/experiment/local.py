"""The engine for one machine: worker processes, nothing but Python."""

from __future__ import annotations

import atexit
import contextlib
import multiprocessing
import multiprocessing.connection
import os
import pickle
import signal
import sys
from dataclasses import dataclass
from multiprocessing.context import SpawnProcess
from pathlib import Path
from typing import Any

from labelbench_direct.core.checks import check_count
from labelbench_direct.core.cores import usable_cores
from labelbench_direct.experiment.schema import Trial
from labelbench_direct.experiment.sweep import Result, WorkerLostError
from labelbench_direct.experiment.trial import Outcome, Settings, run_trial
from labelbench_direct.hosts.parents import end_with_parent

_MOST_ON_WINDOWS = 61
"""Processes that one of Windows' waits can watch, and two to spare."""


@dataclass
class _Worker:
    """A process, this end of the pipe to it, and the trial that it runs."""

    process: SpawnProcess
    connection: Any
    trial: Trial | None = None


class LocalEngine:
    """Runs trials in ``workers`` processes, by default as many as cores may be used. A process that is lost costs its
    own trial an attempt, and no other.

    Raises ValueError or TypeError for a number of workers that there cannot be.
    """

    def __init__(self, folder: Path, settings: Settings, workers: int | None = None) -> None:
        self.capacity = _number_of_workers(workers)
        self._folder, self._settings = folder.absolute(), settings
        self._context = multiprocessing.get_context("spawn")
        self._workers: list[_Worker] = []
        atexit.register(self.close)  # before Python waits for the workers, which wait for trials

    def submit(self, trial: Trial) -> None:
        """Run a trial in a worker that is free, or else in a new one."""
        self._workers = [worker for worker in self._workers if worker.trial or worker.process.is_alive()]
        free = next((worker for worker in self._workers if worker.trial is None), None) or self._start()
        free.trial = trial
        with contextlib.suppress(OSError):  # it has just been lost, which ``wait`` will find out
            free.connection.send(trial)

    def wait(self, seconds: float) -> list[Result]:
        """The trials that have ended, after at most so many seconds."""
        busy = [worker for worker in self._workers if worker.trial]
        multiprocessing.connection.wait([worker.connection for worker in busy], seconds)
        ended = [worker for worker in busy if worker.connection.poll() or not worker.process.is_alive()]
        return [self._result(worker) for worker in ended]

    def close(self) -> None:
        """End the workers, in the middle of a trial if need be."""
        for worker in self._workers:
            worker.process.kill()
            worker.process.join()
            worker.connection.close()
        self._workers.clear()
        atexit.unregister(self.close)

    def _start(self) -> _Worker:
        here, there = self._context.Pipe()
        arguments = (os.getpid(), there, self._folder, self._settings)
        worker = _Worker(self._context.Process(target=_work, args=arguments), here)
        worker.process.start()
        there.close()
        self._workers.append(worker)
        return worker

    def _result(self, worker: _Worker) -> Result:
        trial, worker.trial = worker.trial, None
        assert trial is not None  # only workers that have one are asked
        with contextlib.suppress(EOFError, OSError):
            if worker.connection.poll():  # else what the lost process started may still hold the pipe
                return Result(trial, worker.connection.recv())
        worker.process.kill()  # its pipe may be closed while it still counts as alive
        worker.process.join()
        self._workers.remove(worker)
        return Result(trial, WorkerLostError())


def _number_of_workers(stated: int | None) -> int:
    most = _MOST_ON_WINDOWS if sys.platform == "win32" else None
    if stated is None:
        return min(usable_cores(), most or sys.maxsize)
    if most and check_count(stated, "workers", least=1) > most:
        raise ValueError(f"workers must be at most {most} on Windows, got {stated}")
    return check_count(stated, "workers", least=1)


def _work(runner: int, connection: Any, folder: Path, settings: Settings) -> None:
    """Run the trials that come, one after the other, until the runner ends, however it ends: a worker that outlived it
    would keep its trial from the next runner.
    """
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the runner's to handle
    end_with_parent(runner)
    with contextlib.suppress(EOFError, BrokenPipeError):
        while True:
            connection.send(_attempt(connection.recv(), folder, settings))


def _attempt(trial: Trial, folder: Path, settings: Settings) -> Outcome | BaseException:
    try:
        return run_trial(trial, folder, settings)
    except BaseException as error:
        try:
            pickle.loads(pickle.dumps(error))  # noqa: S301  # its own
        except Exception:
            return RuntimeError(f"{type(error).__name__}: {error}")
        return error
