"""Locks on open files, which the operating system gives back when their process ends, however it ends."""

from __future__ import annotations

import os
import sys
from pathlib import Path

if sys.platform == "win32":
    import msvcrt

    _PLACE = 2**30  # far behind the content: what is locked cannot be read

    def _try_lock(file: int, *, shared: bool) -> None:
        os.lseek(file, _PLACE, os.SEEK_SET)
        msvcrt.locking(file, msvcrt.LK_NBLCK, 1)
        os.lseek(file, 0, os.SEEK_SET)
else:
    import fcntl

    def _try_lock(file: int, *, shared: bool) -> None:
        fcntl.flock(file, (fcntl.LOCK_SH if shared else fcntl.LOCK_EX) | fcntl.LOCK_NB)


def lock(file: int) -> bool:
    """Lock an open file until it is closed; False where the file system has no locks, or another process has it."""
    try:
        _try_lock(file, shared=False)
    except OSError:
        return False
    return True


def is_locked(path: Path) -> bool:
    """Whether another open file, of this process or of another on this machine, holds the lock; True where the file
    system doesn't tell.
    """
    try:
        file = os.open(path, os.O_RDONLY)
    except FileNotFoundError:
        return False
    except OSError:
        return True
    try:
        _try_lock(file, shared=True)
    except OSError:
        return True
    finally:
        os.close(file)
    return False
