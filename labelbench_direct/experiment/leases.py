"""Leases: of all runners that share a folder, on one machine or many, one at a time works on a trial.

A lease is a file ``lease.N`` that names its owner; the highest N counts. Whoever finds no owner alive makes the next
number, exclusively, so exactly one succeeds; numbers only grow until the trial is finished, so nobody who looked
earlier can take an older one. The owner keeps its file locked, and its time moving as a heartbeat. On the same machine
a lock that is free says that the owner is gone. Else the owner is gone when the heartbeat is ``EXPIRES`` seconds away
from the file system's clock, and still is after another beat: clocks jump, and none may cost an owner its trial.
"""

from __future__ import annotations

import contextlib
import json
import os
import socket
import threading
import time
import uuid
from pathlib import Path
from types import TracebackType
from typing import Any

from labelbench_direct.experiment.locks import is_locked, lock

EXPIRES = 60.0
_HEARTBEAT = 10.0


class LeaseLostError(RuntimeError):
    """Another runner has taken the trial over, because this one's heartbeat had stopped."""


class Lease:
    """The right to work on a trial, kept alive by a thread. A context manager that gives it back."""

    def __init__(self, folder: Path, number: int, file: int) -> None:
        self._folder, self._number, self._file = folder, number, file
        self._path = folder / f"lease.{number}"
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._beat, daemon=True)

    @classmethod
    def acquire(cls, folder: Path) -> Lease | None:
        """The lease of a trial's folder, or None while somebody who is alive has it.

        Raises OSError where no lease can be written.
        """
        highest = max(_numbers(folder), default=0)
        if highest and not _is_gone(folder / f"lease.{highest}"):
            return None
        path = folder / f"lease.{highest + 1}"
        try:
            file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o644)
        except FileExistsError:
            return None
        lease = cls(folder, highest + 1, file)
        try:
            owner = {"host": socket.gethostname(), "pid": os.getpid(), "machine": _machine() if lock(file) else None}
            os.write(file, json.dumps(owner).encode())
        except OSError as error:
            lease._remove()
            raise OSError(error.errno, f"could not write ({error.strerror})", str(path)) from error
        if not lease.is_held():
            lease._remove()
            return None
        for number in _numbers(folder):
            if number < lease._number:
                _unlink(folder / f"lease.{number}")
        lease._thread.start()
        return lease

    def discard(self) -> None:
        """Remove every trace: the trial is finished, and whoever still takes its lease will find it so."""
        self._stop_beating()
        for number in _numbers(self._folder):
            _unlink(self._folder / f"lease.{number}")

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
        if self.is_held():
            with contextlib.suppress(OSError):  # without its lock it is free as well
                os.lseek(self._file, 0, os.SEEK_SET)
                os.write(self._file, b"free")  # in the place of what is there: a full disk has room for that
                os.ftruncate(self._file, len(b"free"))
        self._stop_beating()

    def _stop_beating(self) -> None:
        """End the heartbeat, and give the lock back by closing the file."""
        if not self._stop.is_set():
            self._stop.set()
            self._thread.join()
            os.close(self._file)

    def _remove(self) -> None:
        os.close(self._file)
        _unlink(self._path)

    def _beat(self) -> None:
        while not self._stop.wait(_HEARTBEAT):
            with contextlib.suppress(OSError):  # missed beats are made up for by the next
                os.utime(self._path)


def is_leased(folder: Path) -> bool:
    """Whether somebody who seems alive works on the trial."""
    highest = max(_numbers(folder), default=0)
    return highest > 0 and not _seems_gone(folder / f"lease.{highest}")


def _numbers(folder: Path) -> list[int]:
    names = [path.name for path in folder.glob("lease.*")]
    return [int(name.removeprefix("lease.")) for name in names if name.removeprefix("lease.").isdecimal()]


def _unlink(path: Path) -> None:
    with contextlib.suppress(OSError):  # gone already; or, on Windows, open in a process that was suspended
        path.unlink()


def _is_gone(path: Path) -> bool:
    """Whether a lease's owner is gone for sure: a heartbeat that has stopped is waited for once more."""
    beat = _last_beat(path)
    if not _seems_gone(path):
        return False
    if _is_free(path):
        return True
    time.sleep(1.5 * _HEARTBEAT)
    return beat == _last_beat(path)


def _seems_gone(path: Path) -> bool:
    """Whether a lease is free, or its heartbeat far from now: ahead of it, after a clock was set back, too."""
    if _is_free(path):
        return True
    beat = _last_beat(path)
    return beat is None or abs(_now(path.parent.parent) - beat) >= EXPIRES


def _is_free(path: Path) -> bool:
    """Whether a lease was given back, or its owner on this machine is gone, as its lock tells."""
    try:
        text = path.read_text(encoding="utf-8")
    except FileNotFoundError:
        return True
    except OSError:  # somebody else's, who lets nobody read it: the heartbeat tells
        return False
    return text == "free" or (_owner(text).get("machine") == _machine() and not is_locked(path))


def _owner(text: str) -> dict[str, Any]:
    """Who a lease names; empty where it is being written."""
    try:
        owner = json.loads(text)
    except ValueError:
        return {}
    return owner if isinstance(owner, dict) else {}


def _last_beat(path: Path) -> float | None:
    with contextlib.suppress(OSError), path.open("rb") as file:  # NFS keeps times for a minute, but for whoever opens
        return os.fstat(file.fileno()).st_mtime
    with contextlib.suppress(FileNotFoundError):
        return path.stat().st_mtime
    return None


def _now(folder: Path) -> float:
    """The time as the file system tells it: machines' clocks may differ by more than a lease lasts."""
    clock = folder / f".clock.{os.getuid() if hasattr(os, 'getuid') else 0}"  # nobody may touch another user's file
    clock.touch()
    return clock.stat().st_mtime


def _machine() -> str:
    """What must be equal for locks to mean the same; containers of one machine share them."""
    try:
        return Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii").strip()
    except OSError:  # not Linux
        return f"{socket.gethostname()} {uuid.getnode():x}"
