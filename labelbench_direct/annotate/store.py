"""The file of a job: one append-only table of events in SQLite, written ahead to a log.

Whoever writes takes the file's write lock first, reads what others have written since, decides, and appends: so of
several processes each decides on what is true. An event is on disk before the call that wrote it returns.
"""

from __future__ import annotations

import json
import sqlite3
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

VERSION = 1
"""Of the table and of what is in it. Another version's file is refused."""
_APPLICATION = 0x4C424A31  # "LBJ1": told apart from other programs' databases
BUSY_SECONDS = 60.0
_RETRY_SECONDS = 0.005
_DURABLE = "PRAGMA synchronous = FULL"  # what was acknowledged outlives a power cut, too

_SCHEMA = (
    """CREATE TABLE events (
        seq INTEGER PRIMARY KEY,  -- 1, 2, 3, ...
        time REAL NOT NULL,       -- seconds since 1970
        kind TEXT NOT NULL,
        annotator TEXT NOT NULL,  -- empty where nobody is meant
        body TEXT NOT NULL        -- JSON
    )""",
    "CREATE TRIGGER events_are_never_changed BEFORE UPDATE ON events BEGIN SELECT RAISE(ABORT, 'events are kept'); END",
    "CREATE TRIGGER events_are_never_removed BEFORE DELETE ON events BEGIN SELECT RAISE(ABORT, 'events are kept'); END",
    f"PRAGMA application_id = {_APPLICATION}",
    f"PRAGMA user_version = {VERSION}",
)


@dataclass(frozen=True)
class Event:
    """One thing that happened in a job."""

    seq: int
    time: float
    kind: str
    annotator: str
    body: dict[str, Any]


class Store:
    """A job's file, open. Raises ValueError for another kind of file, OSError where the disk or a lock is in the way.

    ``busy_seconds``: how long to wait for other processes' locks.
    """

    def __init__(self, path: Path, busy_seconds: float = BUSY_SECONDS) -> None:
        if not path.is_file():
            raise FileNotFoundError(f"there is no job {path}: make one with labelbench-direct annotate start")
        self.path = path
        self._busy_seconds = busy_seconds
        try:
            self._connection = _connect(path)
        except sqlite3.DatabaseError as error:
            raise self._explain(error) from error
        try:
            self._execute(_DURABLE)
            self._check_version()
        except BaseException:
            self.close()
            raise

    @classmethod
    def create(cls, path: Path, first: Event) -> None:
        """A new file that begins with ``first``. Raises FileExistsError where there is a file."""
        row = _row(first)
        try:
            path.touch(exist_ok=False)
        except FileExistsError as error:
            raise FileExistsError(f"{path} exists: a job is started once; choose another name") from error
        try:
            with closing(_connect(path)) as connection:
                connection.execute("PRAGMA journal_mode = WAL")
                connection.execute(_DURABLE)
                connection.execute("BEGIN IMMEDIATE")
                for statement in _SCHEMA:
                    connection.execute(statement)
                connection.execute(_INSERT, row)
                connection.execute("COMMIT")
        except sqlite3.Error as error:
            path.unlink()
            raise OSError(f"cannot write {path}: {error}") from error

    def close(self) -> None:
        """Close the file; what was written is there."""
        self._connection.close()

    @contextmanager
    def writing(self) -> Iterator[None]:
        """Hold the write lock; on leaving, commit what was appended, or with an exception nothing of it."""
        self._execute("BEGIN IMMEDIATE")
        try:
            yield
            self._execute("COMMIT")
        except BaseException:
            if self._connection.in_transaction:
                self._connection.execute("ROLLBACK")
            raise

    def append(self, event: Event) -> None:
        """Add the next event, inside ``writing``."""
        self._execute(_INSERT, _row(event))

    def after(self, seq: int) -> Iterator[Event]:
        """The events that follow ``seq``, oldest first."""
        rows = self._execute("SELECT * FROM events WHERE seq > ? ORDER BY seq", (seq,))
        for number, when, kind, annotator, body in rows:
            yield Event(number, when, kind, annotator, json.loads(body))

    def _check_version(self) -> None:
        application, version = (self._execute(f"PRAGMA {name}")[0][0]
                                for name in ("application_id", "user_version"))  # fmt: skip
        if application != _APPLICATION:
            raise ValueError(f"{self.path} is no annotation job, or one whose start was interrupted: remove it")
        if version != VERSION:
            raise ValueError(
                f"{self.path} was written by another version of labelbench-direct (jobs of version {version}; this one "
                f"reads version {VERSION}): use the one that started it, and export from there"
            )

    def _execute(self, statement: str, values: tuple[Any, ...] = ()) -> list[Any]:
        """The rows of a statement; SQLite's errors in words, with what mends them.

        Whoever finds the file locked tries again at even intervals. SQLite itself waits longer each time, so that of
        many who want to write those who wait longest come last.
        """
        deadline = time.monotonic() + self._busy_seconds
        while True:
            try:
                return self._connection.execute(statement, values).fetchall()
            except sqlite3.DatabaseError as error:
                is_locked = "locked" in str(error) or "busy" in str(error)
                if not is_locked or time.monotonic() > deadline:
                    raise self._explain(error) from error
            time.sleep(_RETRY_SECONDS)

    def _explain(self, error: sqlite3.DatabaseError) -> Exception:
        text = str(error)
        if "locked" in text or "busy" in text:
            return TimeoutError(f"{self.path} is locked by another process: nothing was written; try again")
        if "full" in text or "disk I/O" in text:
            return OSError(f"{self.path}: {text}: nothing was written; make room on the disk, and try again")
        if "not a database" in text or "malformed" in text:
            return ValueError(f"{self.path} is no annotation job: {text}")
        return OSError(f"{self.path}: {text}; nothing was written")


def _connect(path: Path) -> sqlite3.Connection:
    return sqlite3.connect(path, timeout=0, isolation_level=None, check_same_thread=False)


_INSERT = "INSERT INTO events VALUES (?, ?, ?, ?, ?)"


def _row(event: Event) -> tuple[Any, ...]:
    return event.seq, event.time, event.kind, event.annotator, json.dumps(event.body, ensure_ascii=False)
