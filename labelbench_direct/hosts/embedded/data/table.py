"""CSV files that people and spreadsheets write: read as they are meant, or refused by file and line."""

from __future__ import annotations

import codecs
import csv
import re
from collections.abc import Collection
from pathlib import Path

_MARKS = {codecs.BOM_UTF16_LE: "utf-16", codecs.BOM_UTF16_BE: "utf-16", codecs.BOM_UTF8: "utf-8-sig"}
_LINE_ENDS = re.compile(r"\r\n|\r|\n")  # not what str.splitlines takes for one, too: names may have it
_SEPARATORS = ",;\t"  # the latter two are spreadsheets' in many countries, and in their "Unicode text"


def read_text(path: Path) -> str:
    """A text file in UTF-8, with or without a byte order mark, or in UTF-16 with one.

    Raises OSError, and ValueError naming file and line where it is in neither.
    """
    content = path.read_bytes()
    encoding = next((name for mark, name in _MARKS.items() if content.startswith(mark)), "utf-8")
    try:
        text = content.decode(encoding).lstrip("\ufeff")  # a mark that was saved twice
    except UnicodeDecodeError as error:
        line = len(_LINE_ENDS.findall(content[: error.start].decode("latin-1"))) + 1
        raise ValueError(
            f"{path}, line {line}: byte {content[error.start]:#04x} is not {encoding[:6].upper()} text; "
            "save the file as UTF-8"
        ) from error
    if "\0" in text:
        line = text[: text.index("\0")].count("\n") + 1
        raise ValueError(f"{path}, line {line}: there is a NUL character, as in UTF-16; save the file as UTF-8")
    return text


def read_table(path: Path, needed: Collection[str]) -> list[tuple[int, dict[str, str]]]:
    """The rows of a CSV file with a header, each with its line's number; blank lines are left out.

    Fields are separated by the comma, the semicolon or the tab, whichever gives the header the ``needed`` columns, and
    stripped of blanks; columns are named in lower case. Raises OSError, and ValueError naming file and line for a
    header without the needed columns or with one twice, a row with more or fewer fields than it, and quotes that do not
    enclose one field of one line.
    """
    lines = [(number, line) for number, line in enumerate(_LINE_ENDS.split(read_text(path)), 1) if line.strip()]
    if not lines:
        raise ValueError(f"{path} is empty: it needs a first line with the columns {' and '.join(needed)}")
    header, separator = _header(path, *lines[0], needed)
    width = len(header) - next(
        i for i, name in enumerate(reversed(header)) if name
    )  # without unnamed columns at the end
    rows = []
    for number, line in lines[1:]:
        fields = _fields(path, number, line, separator)
        if not any(fields):
            continue  # a spreadsheet's blank row: separators alone
        if not width <= len(fields) <= len(header) or any(fields[width:]):
            raise ValueError(
                f"{path}, line {number}: {len(fields)} fields, but the first line names {width} columns; a field with "
                f"{separator!r} in it must be in double quotes; got {line[:80]!r}"
            )
        rows.append((number, dict(zip(header, fields, strict=False))))
    return rows


def _header(path: Path, number: int, line: str, needed: Collection[str]) -> tuple[list[str], str]:
    """The columns' names, and what separates them."""
    for separator in _SEPARATORS:
        try:
            header = [name.casefold() for name in _fields(path, number, line, separator)]
        except ValueError:
            continue
        if set(needed) <= set(header):
            break
    else:
        raise ValueError(
            f"{path}, line {number}: the first line must name the columns {' and '.join(needed)}, got {line[:80]!r}"
        )
    if twice := [name for i, name in enumerate(header) if name and name in header[:i]]:
        raise ValueError(f"{path}, line {number}: the column {twice[0]!r} is there twice")
    return header, separator


def _fields(path: Path, number: int, line: str, separator: str) -> list[str]:
    """The fields of one line: a quote that is not closed in it cannot swallow the lines below."""
    try:
        (fields,) = csv.reader([line], delimiter=separator, strict=True, skipinitialspace=True)
    except csv.Error as error:
        raise ValueError(
            f"{path}, line {number}: the quotes do not enclose one field of this line ({error}); close them, and write "
            f"a double quote inside as two; got {line[:80]!r}"
        ) from error
    return [field.strip() for field in fields]
