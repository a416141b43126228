"""The engine for many machines: Ray schedules, retries and places; the folder, which all of them share, remembers."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from labelbench_direct.experiment.schema import Trial
from labelbench_direct.experiment.sweep import Result, WorkerLostError
from labelbench_direct.experiment.trial import Outcome, Settings, run_trial
from labelbench_direct.hosts.labelbench.bridges import DEVICE_VARIABLE

LOOPBACK_ONLY = ("RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER", "0")
"""Ray's own switch by which a cluster of one machine listens on 127.0.0.1, as it always does on those two systems."""
_RETRIES = 20  # of a trial whose node dies each time


class RayEngine:
    """Runs each trial as a Ray task with one core and a share of a GPU.

    ``address``: of a running cluster, as ``ray.init`` takes it; without one Ray starts on this machine alone, on the
    loopback interface. Raises ModuleNotFoundError where Ray is not installed.
    """

    capacity = None

    def __init__(self, folder: Path, settings: Settings, address: str | None = None, gpus: float = 0) -> None:
        if address is None:
            os.environ.setdefault(*LOOPBACK_ONLY)
        try:
            import ray
        except ModuleNotFoundError as error:
            raise ModuleNotFoundError(
                "the engine 'ray' needs Ray, which is not installed: pip install 'labelbench-direct[ray]'"
            ) from error
        self._ray = ray
        self._owns = not ray.is_initialized()
        if self._owns:
            where = {"address": address} if address else {"include_dashboard": False}
            ray.init(log_to_driver=False, **where)
        needed = ("PYTHONPATH", DEVICE_VARIABLE) if settings.labelbench_home else ()  # before a worker's first import
        variables = {name: os.environ[name] for name in needed if name in os.environ}
        self._task = ray.remote(
            num_cpus=1, num_gpus=gpus, max_retries=_RETRIES, runtime_env={"env_vars": variables} if variables else None
        )(_run_from)
        self._from, self._folder, self._settings = Path.cwd(), folder.absolute(), settings
        self._running: dict[Any, Trial] = {}

    def submit(self, trial: Trial) -> None:
        """Queue a trial."""
        task = self._task.options(name=trial.identifier)
        self._running[task.remote(self._from, trial, self._folder, self._settings)] = trial

    def wait(self, seconds: float) -> list[Result]:
        """The trials that have ended, after at most so many seconds."""
        done, _ = self._ray.wait(list(self._running), num_returns=len(self._running), timeout=seconds)
        return [Result(self._running.pop(handle), self._outcome(handle)) for handle in done]

    def close(self) -> None:
        """Cancel what is running and leave the cluster."""
        for handle in self._running:
            self._ray.cancel(handle, force=True)
        if self._owns:
            self._ray.shutdown()

    def _outcome(self, handle: Any) -> Outcome | BaseException:
        exceptions = self._ray.exceptions
        try:
            outcome: Outcome = self._ray.get(handle)
        except exceptions.RayTaskError as error:  # the trial's own
            cause: BaseException = error.cause
            return cause
        except exceptions.RayError:  # the process or its node
            return WorkerLostError()
        return outcome


def _run_from(start: Path, trial: Trial, folder: Path, settings: Settings) -> Outcome:
    """Run a trial from the folder in which the command was given: Ray's own workers start in one of theirs.

    On a node that lacks it from the results folder, where a relative name of a trial's is not found, and nothing else
    is found under it.
    """
    os.chdir(start if start.is_dir() else folder)
    return run_trial(trial, folder, settings)
