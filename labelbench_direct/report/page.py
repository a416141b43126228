"""The page: one file that loads nothing, for wide screens, phones and paper."""

from __future__ import annotations

import base64
from collections.abc import Sequence
from dataclasses import dataclass, field
from html import escape
from pathlib import Path

from labelbench_direct import __version__
from labelbench_direct.experiment.storage import naming


@dataclass(frozen=True)
class Picture:
    """A figure as SVG, and what it shows."""

    svg: str
    caption: str


@dataclass(frozen=True)
class Table:
    """Rows of text; the first column names the row."""

    title: str
    head: list[str]
    rows: list[list[str]]
    note: str


@dataclass(frozen=True)
class Section:
    """A heading with pictures and tables below it; ``folded`` ones open on demand."""

    title: str
    pictures: list[Picture] = field(default_factory=list)
    tables: list[Table] = field(default_factory=list)
    text: str = ""
    folded: bool = False


_STYLE = """
:root { color-scheme: light; }
* { box-sizing: border-box; }
body { margin: 0 auto; max-width: 1180px; padding: 1rem; background: #fff; color: #1a1a1a;
  font: 16px/1.5 system-ui, -apple-system, "Segoe UI", "Liberation Sans", Arial, sans-serif; }
h1 { font-size: 1.4rem; margin: .5rem 0; }
h2 { font-size: 1.1rem; margin: 2rem 0 .5rem; border-top: 1px solid #ddd; padding-top: 1rem; }
h3 { font-size: 1rem; margin: 1rem 0 .25rem; }
.finding { font-size: 1.1rem; border-left: 4px solid #0072B2; padding: .25rem .75rem; margin: 1rem 0; }
.notes, figcaption, .note, footer { color: #555; font-size: .85rem; }
h2, p, li, figcaption { overflow-wrap: anywhere; }
.pictures { display: grid; gap: 1rem; grid-template-columns: repeat(auto-fit, minmax(min(100%, 400px), 1fr)); }
figure { margin: 0; break-inside: avoid; }
figure img { width: 100%; max-width: 560px; height: auto; display: block; margin: 0 auto; }
figcaption { text-align: center; }
.scroll { overflow-x: auto; }
table { border-collapse: collapse; font-size: .85rem; font-variant-numeric: tabular-nums; }
th, td { padding: .25rem .6rem; text-align: right; white-space: nowrap; border-bottom: 1px solid #e4e4e4; }
tr > :first-child { text-align: left; position: sticky; left: 0; background: #fff; }
summary { cursor: pointer; color: #0b5c8f; }
@media print { body { max-width: none; font-size: 11px; } .scroll { overflow: visible; } }
"""


def html_page(sentence: str, notes: Sequence[str], sections: Sequence[Section], num_trials: int) -> str:
    """The whole page. ``sentence``: what the figures show; ``notes``: what was left out and why."""
    remarks = "".join(f"<li>{escape(note)}</li>" for note in notes)
    remarks = f'<ul class="notes">{remarks}</ul>' if remarks else ""
    parts = "\n".join(_section(section) for section in sections)
    return f"""<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>Active learning: {num_trials} trials</title>
<style>{_STYLE}</style>
</head>
<body>
<h1>Active learning: {num_trials:,} trials</h1>
<p class="finding">{escape(sentence)}</p>
{remarks}
{parts}
<footer><p>Written by labelbench_direct {escape(__version__)}. The same figures as PNG and SVG, and every number as CSV,
are in this page's folder.</p></footer>
</body>
</html>
"""


def write_text(path: Path, text: str) -> None:
    """As UTF-8, and what that cannot hold (halves of characters, from names that no encoding explains) escaped."""
    with naming(path):
        path.write_text(text, encoding="utf-8", errors="backslashreplace")


def write_bytes(path: Path, content: bytes) -> None:
    """As they are."""
    with naming(path):
        path.write_bytes(content)


def _section(section: Section) -> str:
    pictures = "".join(_picture(picture) for picture in section.pictures)
    body = f'<div class="pictures">{pictures}</div>' if pictures else ""
    if section.folded:
        body = f"<details><summary>{len(section.pictures)} pictures</summary>{body}</details>"
    text = f"<p>{escape(section.text)}</p>" if section.text else ""
    return f"<section><h2>{escape(section.title)}</h2>{text}{body}{''.join(map(_table, section.tables))}</section>"


def _picture(picture: Picture) -> str:
    data = base64.b64encode(picture.svg.encode()).decode()
    caption = escape(picture.caption)
    image = f'<img alt="{caption}" src="data:image/svg+xml;base64,{data}">'
    return f"<figure>{image}<figcaption>{caption}</figcaption></figure>"


def _table(table: Table) -> str:
    head = "".join(f"<th>{escape(cell)}</th>" for cell in table.head)
    rows = "".join(
        "<tr>" + "".join(f"<{tag}>{escape(cell)}</{tag}>" for tag, cell in zip(_tags(row), row, strict=True)) + "</tr>"
        for row in table.rows
    )
    return (
        f'<h3>{escape(table.title)}</h3><div class="scroll"><table><thead><tr>{head}</tr></thead>'
        f'<tbody>{rows}</tbody></table></div><p class="note">{escape(table.note)}</p>'
    )


def _tags(row: list[str]) -> list[str]:
    return ["th", *["td"] * (len(row) - 1)]
