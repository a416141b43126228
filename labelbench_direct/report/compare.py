"""What ``compare`` leaves beside its trials: ``saved.md``, then ``curves.png``."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from labelbench_direct.hosts.metrics import BALANCED_TEST
from labelbench_direct.report import figures
from labelbench_direct.report.drawing import drawing, plain, png_bytes
from labelbench_direct.report.groups import Group, group, usable
from labelbench_direct.report.page import write_bytes, write_text
from labelbench_direct.report.read import read_results
from labelbench_direct.report.summary import conclusion, saved_table


@dataclass(frozen=True)
class Comparison:
    """The trials of one experiment, and what they show as ``text``: a table and a sentence for each setting, notes."""

    title: str
    groups: Sequence[Group]
    text: str

    def write(self, folder: Path) -> list[str]:
        """The text, then the picture; what a reader of it should hear.

        Raises OSError where the folder cannot be written to, and RuntimeError where the picture cannot be drawn.
        """
        write_text(folder / "saved.md", f"# {plain(self.title)}\n\n{self.text}")
        notes: list[str] = []
        looks = figures.styles(list(dict.fromkeys(name for one in self.groups for name in one.curves)))
        try:
            with drawing(notes, font_size=11):
                picture = png_bytes(figures.comparison(self.groups, looks, self.title), dpi=110)
        except Exception as error:
            raise RuntimeError(
                f"the picture could not be drawn ({type(error).__name__}: {error}); the table is in "
                f"{folder / 'saved.md'}, and every result is whole"
            ) from error
        write_bytes(folder / "curves.png", picture)
        return notes


def compare(paths: Sequence[Path], title: str) -> Comparison:
    """The comparison of the trials at some paths. Raises ValueError where there is nothing to compare."""
    trials, notes = read_results(paths)
    groups = usable(group(trials, notes), BALANCED_TEST, notes)
    parts = []
    for one in groups:
        head = [f"## {plain(one.setting.title)}"] if len(groups) > 1 else []
        parts.append("\n\n".join([*head, saved_table(one.curves), conclusion(one.curves)]))
    return Comparison(title, groups, "\n\n".join([*parts, *notes]) + "\n")
