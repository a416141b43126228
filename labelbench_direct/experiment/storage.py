"""Files that survive: JSON lines that are on disk before the next step begins, and the repair of a half-written one."""

from __future__ import annotations

import contextlib
import json
import os
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any


def make_folder(folder: Path) -> None:
    """Make a folder, and those that it is in, where they are missing. Raises OSError, and says what to do, where that
    cannot be.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise OSError(error.errno, f"this cannot be a folder for results ({error.strerror}): name another, or make "
                      "room for it", str(folder)) from error  # fmt: skip


def append_line(path: Path, record: dict[str, Any], *, wait: bool = True) -> None:
    """Append one JSON line and, but for lines that may be lost, ``wait`` until it is on disk. Where that fails the file
    is as it was before.

    Raises OSError naming the file, for instance when the disk is full.
    """
    is_new = not path.exists()
    line = json.dumps(record, separators=(",", ":"), allow_nan=False).encode() + b"\n"
    file = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o644)
    try:
        size = os.fstat(file).st_size
        try:
            written = 0
            while written < len(line):
                written += os.write(file, line[written:])
            if wait:
                os.fsync(file)
        except OSError as error:
            os.ftruncate(file, size)
            raise OSError(
                error.errno,
                f"could not write ({error.strerror}): what was finished before is whole; "
                "make room there and start the same command again",
                str(path),
            ) from error
    finally:
        os.close(file)
    if is_new and wait:
        _sync_folder(path.parent)


def write_whole(path: Path, record: dict[str, Any]) -> None:
    """Write a JSON file so that under its name there is all of it or nothing. Raises OSError naming the file."""
    part = path.with_name(f"{path.name}.part")
    with naming(path), part.open("w", encoding="utf-8") as file:
        json.dump(record, file, indent=1)
        file.write("\n")
        file.flush()
        os.fsync(file.fileno())
    part.replace(path)
    _sync_folder(path.parent)


@contextlib.contextmanager
def naming(path: Path) -> Iterator[None]:
    """Have what a full disk says name the file, which by itself it doesn't."""
    try:
        yield
    except OSError as error:
        if error.filename is not None:
            raise
        raise OSError(error.errno, f"could not write ({error.strerror}): make room there", str(path)) from error


def read_json(path: Path) -> Any:
    """What a JSON file that people write states, in any of Unicode's encodings, with or without a byte order mark.

    Raises OSError, and ValueError, naming the file, for what is not JSON: ``NaN`` and ``Infinity`` too, and a key that
    an object has twice.
    """
    try:
        return json.loads(path.read_bytes(), object_pairs_hook=_object, parse_constant=_refuse_constant)
    except RecursionError as error:
        raise ValueError(f"{path} is not JSON that can be read: it is nested too deeply") from error
    except ValueError as error:
        raise ValueError(f"{path} is not JSON: {error}") from error


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    counts = Counter(key for key, _ in pairs)
    if twice := [key for key, count in counts.items() if count > 1]:
        raise ValueError(f"the key {twice[0]!r} is there {counts[twice[0]]} times in one object; state it once")
    return dict(pairs)


def _refuse_constant(name: str) -> None:
    raise ValueError(f"{name} is no number that JSON has")


def read_lines(path: Path) -> list[dict[str, Any]]:
    """The whole lines of a file, none when there is no file; a half-written last line is left out, as blank ones are.

    Raises ValueError naming file and line where a whole line is not a JSON object.
    """
    if not path.exists():
        return []
    records = []
    for number, line in enumerate(path.read_bytes().split(b"\n")[:-1], 1):
        try:
            record = json.loads(line) if line.strip() else None
            if record is not None and not isinstance(record, dict):
                raise ValueError(f"expected an object, got {type(record).__name__}")
        except (ValueError, RecursionError) as error:
            raise ValueError(
                f"{path}, line {number} is damaged ({error}): it was changed by something else; "
                "restore the file, or move its folder away to run the trial anew"
            ) from error
        if record is not None:
            records.append(record)
    return records


def cut_half_line(path: Path) -> int:
    """Cut a file back to its last whole line, as a crash in the middle of a write may need; the bytes cut off."""
    if not path.exists():
        return 0
    content = path.read_bytes()
    whole = content.rfind(b"\n") + 1
    if whole < len(content):
        with path.open("r+b") as file:
            file.truncate(whole)
            os.fsync(file.fileno())
    return len(content) - whole


def _sync_folder(folder: Path) -> None:
    """Put the names in a folder on disk, where the system can."""
    if os.name != "posix":
        return
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
