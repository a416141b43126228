"""The tables that go into a job and out of it: items, classes and labels, as other programs write them."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path


def read_classes(path: Path) -> list[str]:
    """The classes, one a line, in the order of the scores' columns: at least two, distinct, without '?'."""
    classes = [line.strip() for line in _text(path).splitlines() if line.strip()]
    if len(classes) < 2:
        raise ValueError(f"{path} must name at least 2 classes, one a line; it has {len(classes)}")
    _refuse_repeated(path, "class", classes)
    if UNKNOWN in classes:
        raise ValueError(f"{path}: {UNKNOWN!r} is no name for a class, it stands for 'cannot tell'")
    return classes


UNKNOWN = "?"
"""For "cannot tell", in files of labels."""
ANSWER_COLUMNS = ("item", "label", "annotator")
"""What a file of labels means by these; an items' column of that name is not shown in one."""


@dataclass(frozen=True)
class Items:
    """A table of items, in the order of the scores' rows. ``ids`` are its column ``id`` or ``item``, or its first."""

    columns: tuple[str, ...]
    rows: list[list[str]]
    ids: list[str]

    @classmethod
    def read(cls, path: Path) -> Items:
        """Read a CSV table with a heading."""
        rows, _ = read_rows(path)
        if len(rows) < 2:
            raise ValueError(f"{path} must have a heading and a row for each item")
        columns = [name.strip() for name in rows.pop(0)]
        _refuse_repeated(path, "column", columns)
        for number, row in enumerate(rows, start=2):
            if len(row) != len(columns):
                raise ValueError(f"{path}, row {number} has {len(row)} cells, the heading has {len(columns)}")
        place = next((columns.index(name) for name in ("id", "item") if name in columns), 0)
        ids = [row[place].strip() for row in rows]
        if "" in ids:
            raise ValueError(
                f"{path}, row {ids.index('') + 2}: the column {columns[place]!r} is empty, it names the item"
            )
        _refuse_repeated(path, "item", ids)
        return cls(tuple(columns), rows, ids)

    @classmethod
    def numbered(cls, count: int) -> Items:
        """Items without a table: their numbers, from 0."""
        ids = [str(number) for number in range(count)]
        return cls(("item",), [[name] for name in ids], ids)

    def column(self, name: str) -> list[str]:
        """One column's cells."""
        if name not in self.columns:
            raise ValueError(f"the items have no column {name!r}; they have {', '.join(self.columns)}")
        return [row[self.columns.index(name)] for row in self.rows]


@dataclass(frozen=True)
class Answer:
    """What an annotator said of an item: a class's name, or None for "cannot tell"."""

    annotator: str
    item: str
    label: str | None


def read_answers(path: Path, annotator: str) -> list[Answer]:
    """The answers in a CSV table with the columns ``item`` (or ``id``), ``label`` and, if there are several,
    ``annotator``. Rows without a label are not answered yet; ``?`` is "cannot tell".
    """
    rows, _ = read_rows(path)
    header = [name.strip().lower() for name in rows.pop(0)] if rows else []
    item = next((header.index(name) for name in ("item", "id") if name in header), None)
    if item is None or "label" not in header:
        raise ValueError(
            f"{path} must have a heading with the columns item and label; it has {', '.join(header) or 'none'}"
        )
    label, who = header.index("label"), header.index("annotator") if "annotator" in header else None
    answers = []
    for number, row in enumerate(rows, start=2):
        if len(row) != len(header):
            raise ValueError(f"{path}, row {number} has {len(row)} cells, the heading has {len(header)}")
        cell = row[label].strip()
        if cell:
            name = (row[who].strip() if who is not None else "") or annotator
            answers.append(Answer(name, row[item].strip(), None if cell == UNKNOWN else cell))
    return answers


def read_rows(path: Path) -> tuple[list[list[str]], str]:
    """A CSV table's rows that are not empty, and what parts its cells: comma, semicolon or tab, as in its heading."""
    text = _text(path)
    first = re.sub(r'"[^"]*"', "", text.split("\n", 1)[0])
    delimiter = max(",;\t", key=first.count)
    try:
        rows = [row for row in csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True) if any(row)]
    except csv.Error as error:
        raise ValueError(f"{path} is no CSV table: {error}") from error
    return rows, delimiter


def _text(path: Path) -> str:
    """A text file's content, in UTF-8 with or without a byte order mark, or as Excel's "Unicode text"."""
    if not path.is_file():
        raise FileNotFoundError(f"there is no file {path}")
    content = path.read_bytes()
    try:
        return content.decode("utf-16" if content[:2] in (b"\xff\xfe", b"\xfe\xff") else "utf-8-sig")
    except UnicodeDecodeError as error:
        raise ValueError(f"{path} is not in UTF-8: in Excel, save it as 'CSV UTF-8'") from error


def _refuse_repeated(path: Path, what: str, names: Sequence[str]) -> None:
    seen: set[str] = set()
    for name in names:
        if name in seen:
            raise ValueError(f"{path}: the {what} {name!r} is there twice")
        seen.add(name)
