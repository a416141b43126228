"""The engine for one machine: worker processes, nothing but Python."""

from __future__ import annotations

import concurrent.futures
import multiprocessing
import multiprocessing.connection
import os
import signal
import sys
from concurrent.futures.process import BrokenProcessPool, ProcessPoolExecutor
from pathlib import Path

from labelbench_direct.core.checks import check_count
from labelbench_direct.core.cores import usable_cores
from labelbench_direct.experiment.schema import Trial
from labelbench_direct.experiment.sweep import Result, WorkerLostError
from labelbench_direct.experiment.trial import Outcome, Settings, run_trial
from labelbench_direct.hosts.parents import end_with_parent

Future = concurrent.futures.Future[Outcome]

_MOST_ON_WINDOWS = 61
"""Processes that one of Windows' waits can watch, as ``ProcessPoolExecutor`` has it."""


class LocalEngine:
    """Runs trials in ``workers`` processes, by default as many as cores may be used.

    Raises ValueError or TypeError for a number of workers that there cannot be.
    """

    def __init__(self, folder: Path, settings: Settings, workers: int | None = None) -> None:
        self.capacity = _number_of_workers(workers)
        self._folder, self._settings = folder.absolute(), settings
        self._context = multiprocessing.get_context("spawn")
        self._watched, self._life_line = self._context.Pipe(duplex=False)
        self._executor = self._make_executor()
        self._running: dict[Future, Trial] = {}

    def submit(self, trial: Trial) -> None:
        """Run a trial as soon as a worker is free."""
        self._running[self._executor.submit(run_trial, trial, self._folder, self._settings)] = trial

    def wait(self, seconds: float) -> list[Result]:
        """The trials that have ended, after at most so many seconds."""
        done, _ = concurrent.futures.wait(self._running, seconds, concurrent.futures.FIRST_COMPLETED)
        results = [Result(self._running.pop(future), _outcome(future)) for future in done]
        if any(isinstance(result.outcome, WorkerLostError) for result in results):
            # A pool that lost one process is broken: all that was running in it has to be submitted again.
            results += [Result(trial, WorkerLostError()) for trial in self._running.values()]
            self._running.clear()
            self._executor.shutdown(wait=False)
            self._executor = self._make_executor()
        return results

    def close(self) -> None:
        """End the workers, in the middle of a trial if need be."""
        self._life_line.close()
        self._executor.shutdown(wait=True, cancel_futures=True)
        self._watched.close()

    def _make_executor(self) -> ProcessPoolExecutor:
        return ProcessPoolExecutor(
            self.capacity, mp_context=self._context, initializer=_start_worker, initargs=(os.getpid(), self._watched)
        )


def _number_of_workers(stated: int | None) -> int:
    most = _MOST_ON_WINDOWS if sys.platform == "win32" else None
    if stated is None:
        return min(usable_cores(), most or sys.maxsize)
    if most and check_count(stated, "workers", least=1) > most:
        raise ValueError(f"workers must be at most {most} on Windows, got {stated}")
    return check_count(stated, "workers", least=1)


def _outcome(future: Future) -> Outcome | BaseException:
    error = future.exception()
    if isinstance(error, BrokenProcessPool):
        return WorkerLostError()
    return error or future.result()


def _start_worker(runner: int, life_line: multiprocessing.connection.Connection) -> None:
    """End with the runner, however it ends: a worker that outlived it would keep its trial from the next runner.

    The runner's end of the life line may have been inherited by a process that outlives it, so its id is watched, too.
    """
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the runner's to handle
    end_with_parent(runner, life_line)
