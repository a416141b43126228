"""What ``compare`` leaves beside its trials: ``curves.png`` and ``saved.md``."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from labelbench_direct.hosts.metrics import BALANCED_TEST
from labelbench_direct.report import figures
from labelbench_direct.report.groups import group, usable
from labelbench_direct.report.read import read_results
from labelbench_direct.report.summary import conclusion, saved_table


def write_comparison(paths: Sequence[Path], folder: Path, title: str) -> str:
    """Draw the trials of one experiment, write their table, and return it."""
    trials, notes = read_results(paths)
    groups = usable(group(trials, notes), BALANCED_TEST, notes)
    looks = figures.styles(list(dict.fromkeys(name for one in groups for name in one.curves)))
    with figures.style(11):
        figures.comparison(groups, looks, title).savefig(folder / "curves.png", dpi=110)
    parts = []
    for one in groups:
        head = [f"## {one.setting.title}"] if len(groups) > 1 else []
        parts.append("\n\n".join([*head, saved_table(one.curves), conclusion(one.curves)]))
    text = "\n\n".join([*parts, *notes]) + "\n"
    (folder / "saved.md").write_text(f"# {title}\n\n{text}", encoding="utf-8")
    return text
