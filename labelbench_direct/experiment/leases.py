"""Leases: of all runners that share a folder, on one machine or many, one at a time works on a trial.

A lease is a file ``lease.N`` that names its owner; the highest N counts. Whoever finds no owner alive makes the next
number, exclusively, so exactly one succeeds; numbers only grow until the trial is finished, so nobody who looked
earlier can take an older one. An owner on this machine is dead when its process is; any owner is when its heartbeat,
the file's time, has been still for ``EXPIRES`` seconds by the clock of the file system.
"""

from __future__ import annotations

import contextlib
import json
import os
import socket
import threading
from pathlib import Path
from types import TracebackType

EXPIRES = 60.0
_HEARTBEAT = 10.0


class LeaseLostError(RuntimeError):
    """Another runner has taken the trial over, because this one's heartbeat had stopped."""


class Lease:
    """The right to work on a trial, kept alive by a thread. A context manager that gives it back."""

    def __init__(self, folder: Path, number: int) -> None:
        self._folder, self._number = folder, number
        self._path = folder / f"lease.{number}"
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._beat, daemon=True)

    @classmethod
    def acquire(cls, folder: Path) -> Lease | None:
        """The lease of a trial's folder, or None while somebody who is alive has it."""
        highest = max(_numbers(folder), default=0)
        if highest and _is_alive(folder / f"lease.{highest}"):
            return None
        lease = cls(folder, highest + 1)
        try:
            descriptor = os.open(lease._path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o644)
        except FileExistsError:
            return None
        with os.fdopen(descriptor, "w", encoding="utf-8") as file:
            json.dump({"host": _machine(), "pid": os.getpid()}, file)
        if not lease.is_held():
            lease._path.unlink()
            return None
        for number in _numbers(folder):
            if number < lease._number:
                (folder / f"lease.{number}").unlink(missing_ok=True)
        lease._thread.start()
        return lease

    def discard(self) -> None:
        """Remove every trace: the trial is finished, and whoever still takes its lease will find it so."""
        for number in _numbers(self._folder):
            (self._folder / f"lease.{number}").unlink(missing_ok=True)

    def is_held(self) -> bool:
        """Whether nobody has taken the trial over."""
        return max(_numbers(self._folder), default=0) == self._number

    def check(self) -> None:
        """Raise LeaseLostError where somebody has taken the trial over: call it before every write."""
        if not self.is_held():
            raise LeaseLostError(
                f"{self._folder}: another runner took this trial over after {EXPIRES:.0f} s without a sign of life "
                "from this one (was the machine suspended?); this one leaves it alone"
            )

    def __enter__(self) -> Lease:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._stop.set()
        self._thread.join()
        if self.is_held():
            self._path.write_text("free", encoding="utf-8")

    def _beat(self) -> None:
        while not self._stop.wait(_HEARTBEAT):
            with contextlib.suppress(OSError):  # missed beats are made up for by the next
                os.utime(self._path)


def is_leased(folder: Path) -> bool:
    """Whether somebody who is alive works on the trial."""
    highest = max(_numbers(folder), default=0)
    return highest > 0 and _is_alive(folder / f"lease.{highest}")


def _numbers(folder: Path) -> list[int]:
    names = [path.name for path in folder.glob("lease.*")]
    return [int(name.removeprefix("lease.")) for name in names if name.removeprefix("lease.").isdigit()]


def _is_alive(path: Path) -> bool:
    """Whether a lease's owner may be alive. A lease without a readable owner is one that is being written."""
    try:
        text = path.read_text(encoding="utf-8")
        age = _now(path.parent) - path.stat().st_mtime
    except FileNotFoundError:
        return False
    if text == "free":
        return False
    try:
        owner = json.loads(text)
    except ValueError:
        return age < EXPIRES
    if owner["host"] == _machine() and not _process_exists(owner["pid"]):
        return False
    return age < EXPIRES


def _now(folder: Path) -> float:
    """The time as the file system tells it: machines' clocks may differ by more than a lease lasts."""
    clock = folder.parent / ".clock"
    clock.touch()
    return clock.stat().st_mtime


def _process_exists(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True


def _machine() -> str:
    """What must be equal for process ids to mean the same: containers may share a host's name."""
    try:
        namespace = str(Path("/proc/self/ns/pid").readlink())
    except OSError:
        namespace = ""
    return f"{socket.gethostname()} {namespace}".strip()
