"""CSV tables as text."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Sequence


def csv_text(header: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    """A table, a line for each row. NUL, which Python writes to no table before 3.11, is a backslash with x00."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    for row in (header, *rows):
        writer.writerow([cell.replace("\0", r"\x00") if isinstance(cell, str) else cell for cell in row])
    return text.getvalue()
