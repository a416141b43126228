"""The file of a job: one append-only table of events in SQLite, written ahead to a log.

Whoever writes takes the file's write lock first, reads what others have written since, decides, and appends: so of
several processes each decides on what is true. An event is on disk before the call that wrote it returns.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

VERSION = 1
"""Of the table and of what is in it. Another version's file is refused."""
_APPLICATION = 0x4C424A31  # "LBJ1": told apart from other programs' databases
BUSY_SECONDS = 60.0

_SCHEMA = (
    """CREATE TABLE events (
        seq INTEGER PRIMARY KEY,  -- 1, 2, 3, ...
        time REAL NOT NULL,       -- seconds since 1970, never falling
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
        with self._explained():
            self._connection = _connect(path, busy_seconds)
            self._check_version()

    @classmethod
    def create(cls, path: Path, first: Event) -> None:
        """A new file that begins with ``first``. Raises FileExistsError where there is a file."""
        try:
            path.touch(exist_ok=False)
        except FileExistsError as error:
            raise FileExistsError(f"{path} exists: a job is started once; choose another name") from error
        try:
            with closing(_connect(path, BUSY_SECONDS)) as connection:
                connection.execute("PRAGMA journal_mode = WAL")
                connection.execute("BEGIN IMMEDIATE")
                for statement in _SCHEMA:
                    connection.execute(statement)
                connection.execute(_INSERT, _row(first))
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
        with self._explained():
            self._connection.execute("BEGIN IMMEDIATE")
        try:
            yield
            with self._explained():
                self._connection.execute("COMMIT")
        except BaseException:
            if self._connection.in_transaction:
                self._connection.execute("ROLLBACK")
            raise

    def append(self, event: Event) -> None:
        """Add the next event, inside ``writing``."""
        with self._explained():
            self._connection.execute(_INSERT, _row(event))

    def after(self, seq: int) -> Iterator[Event]:
        """The events that follow ``seq``, oldest first."""
        with self._explained():
            rows = self._connection.execute("SELECT * FROM events WHERE seq > ? ORDER BY seq", (seq,)).fetchall()
        for number, time, kind, annotator, body in rows:
            yield Event(number, time, kind, annotator, json.loads(body))

    def _check_version(self) -> None:
        application, version = (self._connection.execute(f"PRAGMA {name}").fetchone()[0]
                                for name in ("application_id", "user_version"))  # fmt: skip
        if application != _APPLICATION:
            raise ValueError(f"{self.path} is no annotation job, or one whose start was interrupted: remove it")
        if version != VERSION:
            raise ValueError(
                f"{self.path} was written by another version of labelbench-direct (jobs of version {version}; this one "
                f"reads version {VERSION}): use the one that started it, and export from there"
            )

    @contextmanager
    def _explained(self) -> Iterator[None]:
        """SQLite's errors in words, with what mends them."""
        try:
            yield
        except sqlite3.DatabaseError as error:
            text = str(error)
            if "locked" in text or "busy" in text:
                raise TimeoutError(
                    f"{self.path} is locked by another process: nothing was written; try again"
                ) from error
            if "full" in text or "disk I/O" in text:
                raise OSError(
                    f"{self.path}: {text}: nothing was written; make room on the disk, and try again"
                ) from error
            if "not a database" in text or "malformed" in text:
                raise ValueError(f"{self.path} is no annotation job: {text}") from error
            raise OSError(f"{self.path}: {text}; nothing was written") from error


def _connect(path: Path, busy_seconds: float) -> sqlite3.Connection:
    connection = sqlite3.connect(path, timeout=busy_seconds, isolation_level=None, check_same_thread=False)
    connection.execute("PRAGMA synchronous = FULL")  # what was acknowledged outlives a power cut, too
    return connection


_INSERT = "INSERT INTO events VALUES (?, ?, ?, ?, ?)"


def _row(event: Event) -> tuple[Any, ...]:
    return event.seq, event.time, event.kind, event.annotator, json.dumps(event.body, ensure_ascii=False)
