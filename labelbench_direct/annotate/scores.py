"""Scores, by anybody's model, and files by reference: where they are, and what was in them."""

from __future__ import annotations

import hashlib
import io
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.lib.format import MAGIC_PREFIX
from numpy.typing import NDArray

from labelbench_direct.annotate.files import read_rows
from labelbench_direct.core.types import Floats


@dataclass(frozen=True)
class Reference:
    """A file by its place and its content. ``path`` is relative to the job's folder where it is inside."""

    path: str
    sha256: str
    size: int
    mtime_ns: int

    @classmethod
    def to(cls, path: Path, folder: Path) -> Reference:
        """The reference to a file as it is now, for a job in ``folder``."""
        path, folder = path.resolve(), folder.resolve()
        place = path.relative_to(folder) if path.is_relative_to(folder) else path
        return cls(place.as_posix(), _sha256(path), path.stat().st_size, path.stat().st_mtime_ns)

    def find(self, folder: Path, mend: str) -> Path:
        """The file, which is as it was. Its content is only read again where its size or time differ.

        Raises FileNotFoundError and ValueError, with what mends it.
        """
        path = folder / self.path
        if not path.is_file():
            raise FileNotFoundError(f"{path} is gone, which this job was started with: put it back; {mend}")
        status = path.stat()
        if (status.st_size, status.st_mtime_ns) != (self.size, self.mtime_ns) and _sha256(path) != self.sha256:
            raise ValueError(f"{path} has changed since this job took it in: put the former content back; {mend}")
        return path


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest() if hasattr(hashlib, "file_digest") else _digest(file)


def _digest(file: io.BufferedReader) -> str:
    digest = hashlib.sha256()
    while block := file.read(2**20):
        digest.update(block)
    return digest.hexdigest()


def read_scores(path: Path, items: Sequence[str], classes: Sequence[str]) -> Floats:
    """(N, K) scores from .npy (mapped, not read), .npz (its only array, or ``scores``), .csv or .parquet.

    A table may have a heading, and a first column with the items' ids. Columns that are named by the classes are put
    into their order. Raises ValueError for anything else than one row for each item and one column for each class.
    """
    table = _read(path, classes)
    expected = (len(items), len(classes))
    if table.array.shape != expected:
        raise ValueError(
            f"{path} has scores of shape {table.array.shape}, expected {expected}: one row an item, one column a class"
        )
    _check_rows(path, table.ids, items)
    return _by_class(path, table, classes)


def count_rows(path: Path, classes: Sequence[str]) -> int:
    """How many examples there are scores for."""
    return len(_read(path, classes).array)


@dataclass(frozen=True)
class _Table:
    array: NDArray[Any]
    header: Sequence[str] = ()
    ids: Sequence[str] | None = None


def _read(path: Path, classes: Sequence[str]) -> _Table:
    readers = {".npy": _read_numpy, ".npz": _read_numpy, ".csv": _read_csv, ".parquet": _read_parquet}
    if path.suffix not in readers:
        raise ValueError(f"{path}: scores are read from {', '.join(readers)}, not {path.suffix or 'a bare name'}")
    if not path.is_file():
        raise FileNotFoundError(f"there is no file {path}")
    table = readers[path.suffix](path, classes)
    if table.array.ndim != 2:
        raise ValueError(f"{path} has scores of shape {table.array.shape}: one row an item, one column a class")
    return table


def _read_numpy(path: Path, classes: Sequence[str]) -> _Table:
    """What is in the file decides whether it is one array or several, not how it is called."""
    try:
        with path.open("rb") as file:
            if file.read(len(MAGIC_PREFIX)) == MAGIC_PREFIX:
                return _Table(np.load(path, mmap_mode="r", allow_pickle=False))
            file.seek(0)
            with np.load(file, allow_pickle=False) as arrays:
                name = arrays.files[0] if len(arrays) == 1 else "scores"
                if name not in arrays:
                    raise ValueError(f"it has the arrays {', '.join(arrays)}: name the scores 'scores'")
                return _Table(np.asarray(arrays[name]))
    except MemoryError:
        raise
    except Exception as error:  # numpy, zipfile and zlib raise whatever they meet in a damaged file
        raise ValueError(f"{path} holds no plain array of scores: {error}") from error


def _read_csv(path: Path, classes: Sequence[str]) -> _Table:
    rows, delimiter = read_rows(path)
    has_heading = bool(rows) and (set(classes) <= set(rows[0]) or not all(map(_is_number, rows[0][1:])))
    header = rows.pop(0) if has_heading else []
    width = len(header or (rows[0] if rows else []))
    ids = [row[0] for row in rows] if width == len(classes) + 1 else None
    if ids is not None:
        rows, header = [row[1:] for row in rows], header[1:]
    cells = [[cell.replace(",", ".") for cell in row] for row in rows] if delimiter == ";" else rows
    try:
        array = np.array(cells, dtype=np.float64).reshape(len(cells), -1)
    except ValueError as error:
        raise ValueError(f"{path}: scores must be numbers, in rows of one length: {error}") from error
    return _Table(array, header, ids)


def _read_parquet(path: Path, classes: Sequence[str]) -> _Table:
    try:
        import pyarrow.parquet as parquet
    except ModuleNotFoundError as error:
        raise ModuleNotFoundError(
            f"{path}: Parquet needs pyarrow: pip install 'labelbench-direct[parquet]', or save the scores as .npy"
        ) from error
    try:
        table = parquet.read_table(path)
        columns = {name: table[name].to_numpy() for name in table.column_names}
    except (OSError, ValueError) as error:
        raise ValueError(f"{path} cannot be read as Parquet: {error}") from error
    ids = None
    header = list(columns)
    if len(columns) == len(classes) + 1:
        ids = [str(value) for value in columns.pop(header.pop(0))]
    for name, column in columns.items():
        if column.dtype.kind != "f":
            raise ValueError(f"{path}: column {name!r} has {column.dtype}; scores are floating-point numbers")
    array = np.stack(list(columns.values()), axis=1) if columns else np.zeros((0, 0))
    return _Table(array, header, ids)


def _check_rows(path: Path, ids: Sequence[str] | None, items: Sequence[str]) -> None:
    for number, (found, wanted) in enumerate(zip(ids or (), items, strict=False), start=1):
        if found != wanted:
            raise ValueError(
                f"{path}: row {number} is of {found!r}, the job's items have {wanted!r} there: same items, same order"
            )


def _by_class(path: Path, table: _Table, classes: Sequence[str]) -> Floats:
    header = list(table.header)
    if sorted(header) == sorted(classes):
        array: Floats = table.array[:, [header.index(name) for name in classes]]
        return array
    missing = [name for name in classes if name not in header]
    if len(missing) < len(classes):
        raise ValueError(f"{path}: no column for class {missing[0]!r}; the columns are {', '.join(header)}")
    return table.array


def _is_number(cell: str) -> bool:
    try:
        float(cell.replace(",", "."))
    except ValueError:
        return False
    return True
