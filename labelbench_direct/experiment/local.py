"""The engine for one machine: worker processes, nothing but Python."""

from __future__ import annotations

import concurrent.futures
import multiprocessing
import multiprocessing.connection
import os
import signal
import threading
from concurrent.futures.process import BrokenProcessPool, ProcessPoolExecutor
from pathlib import Path

from labelbench_direct.core.checks import check_count
from labelbench_direct.experiment.schema import Trial
from labelbench_direct.experiment.sweep import Result, WorkerLostError
from labelbench_direct.experiment.trial import Outcome, Settings, run_trial

Future = concurrent.futures.Future[Outcome]


class LocalEngine:
    """Runs trials in ``workers`` processes, by default as many as there are cores."""

    def __init__(self, folder: Path, settings: Settings, workers: int | None = None) -> None:
        self.capacity = os.cpu_count() or 1 if workers is None else check_count(workers, "workers", least=1)
        self._folder, self._settings = folder, settings
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
            self.capacity, mp_context=self._context, initializer=_start_worker, initargs=(self._watched,)
        )


def _outcome(future: Future) -> Outcome | BaseException:
    error = future.exception()
    if isinstance(error, BrokenProcessPool):
        return WorkerLostError()
    return error or future.result()


def _start_worker(watched: multiprocessing.connection.Connection) -> None:
    """End with the runner, however it ends: a worker that outlived it would keep its trial from the next runner."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the runner's to handle

    def watch() -> None:
        multiprocessing.connection.wait([watched])  # readable once the runner's end is closed, or the runner is gone
        os._exit(1)

    threading.Thread(target=watch, daemon=True).start()
