"""The pictures of the evidence."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from labelbench_direct.report import figures
from labelbench_direct.report.cases import DIRECT, METRIC, Case
from labelbench_direct.report.statistics import Interval

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_NAMES = (DIRECT, "direct_explore", "random", "margin", "galaxy")
_COLUMNS = 3


def draw_cases(cases: Sequence[Case], noise: float | str) -> Figure | None:
    """Learning curves of the main strategies in the settings with a level of noise; None where there is none."""
    from matplotlib.figure import Figure

    own = [case for case in cases if case.noise == noise and set(_NAMES) & set(case.curves)]
    if not own:
        return None
    looks = figures.styles(_NAMES)
    rows = -(-len(own) // _COLUMNS)
    figure = Figure(figsize=(4.2 * _COLUMNS, 3.0 * rows + 0.5), layout="constrained")
    grid = figure.subplots(rows, _COLUMNS, squeeze=False).ravel()
    for axes, case in zip(grid, own, strict=False):
        curves = {name: case.curves[name] for name in _NAMES if name in case.curves}
        figures.draw_curves(axes, curves, looks, METRIC, seeds=False)
        axes.set_title(f"{case.data}\n{case.head}", fontsize=9)
    for axes in grid[len(own) :]:
        axes.set_visible(False)
    handles, names = max((axes.get_legend_handles_labels() for axes in grid[: len(own)]), key=lambda both: len(both[1]))
    figure.legend(handles, names, loc="outside lower center", ncols=len(_NAMES))
    return figure


def _lead(case: Case, name: str) -> Interval | None:
    return case.lead(name, DIRECT) if {name, DIRECT} <= set(case.curves) else None


def draw_leads(cases: Sequence[Case]) -> Figure | None:
    """By how much each of the main strategies is above DIRECT, with 95% intervals, a row for each setting."""
    from matplotlib.figure import Figure

    looks = figures.styles(_NAMES)
    known = [case for case in cases if any(_lead(case, name) for name in _NAMES[1:])]
    if not known:
        return None
    figure = Figure(figsize=(10, 0.32 * len(known) + 1.4), layout="constrained")
    axes = figure.subplots()
    for row, case in enumerate(reversed(known)):
        for i, name in enumerate(_NAMES[1:]):
            by = _lead(case, name)
            if by is None:
                continue
            look, height = looks[name], row + 0.24 - 0.16 * i
            axes.plot([by.low, by.high], [height, height], color=look["color"], linewidth=1.2)
            label = name if name not in axes.get_legend_handles_labels()[1] else None
            axes.plot(by.value, height, color=look["color"], marker=look["marker"], markersize=4, linestyle="none",
                      label=label)  # fmt: skip
    axes.axvline(0, color="#000000", linewidth=1)
    axes.set_yticks(range(len(known)), [f"{case.data}; {case.head}; {case.noise_title}" for case in reversed(known)])
    axes.set_ylim(-0.7, len(known) - 0.3)
    axes.set_xlabel("Lead over direct, 95% by paired seeds")
    axes.grid(axis="x", alpha=0.25, linewidth=0.5)
    figure.legend(loc="outside lower center", ncols=len(_NAMES))
    return figure
