"""The picture that explains DIRECT (the paper's Figures 2 and 3): one class's sorted pool in one round."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from labelbench_direct.report.drawing import shortened, wrapped
from labelbench_direct.report.figures import new_figure

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_MEMBER, _OTHER, _SPACE, _THRESHOLD = "#0072B2", "#D55E00", "#009E73", "#000000"


def draw_selection(selection: dict[str, Any], k: str, name: str) -> Figure:
    """Class ``k``'s order, examples most like it first: its true members, labels, version spaces and threshold.

    Zoomed to where labels of the class, version spaces and threshold are.
    """
    seen, size, name = selection["classes"][k], selection["num_examples"], shortened(name, 36)
    end = _end(seen, size)
    figure, _ = new_figure(3.9)
    figure.clear()
    truth, labels, spaces = figure.subplots(3, 1, sharex=True, height_ratios=[3, 2.4, 2])
    _draw_truth(truth, seen, size, name)
    _draw_labels(labels, seen)
    _draw_spaces(spaces, seen)
    for axes in (truth, labels, spaces):
        if seen["threshold"] is not None:
            axes.axvline(seen["threshold"], color=_THRESHOLD, linewidth=1.2, linestyle="--", zorder=5)
    truth.set_xlim(0, end)
    spaces.set_xlabel(wrapped(f"Position, 0 to {end:,} of {size:,}, in the order of {name}", 62), fontsize=9)
    return figure


def _end(seen: dict[str, Any], size: int) -> int:
    """The position up to which there is something to see."""
    members = [
        position
        for positions, is_class in (seen["known"], seen["asked"])
        for position, yes in zip(positions, is_class, strict=True)
        if yes
    ]
    highs = [high for _, high in seen["version_spaces"][-3:]]
    far = [np.quantile(members, 0.95)] if members else []  # a rare class may have no label yet
    interesting = [*far, *highs, seen["threshold"] or 0, size // 50]
    return int(min(size, 1.25 * max(interesting) + 1))


def _draw_truth(axes: Axes, seen: dict[str, Any], size: int, name: str) -> None:
    edges = np.linspace(0, size, len(seen["members"]) + 1)
    axes.stairs(seen["members"], edges, fill=True, color=_MEMBER, alpha=0.3)
    axes.set_ylim(0, 1.05)
    axes.set_ylabel("true share", fontsize=8.5)
    margin = axes.twinx()
    margin.plot((edges[1:] + edges[:-1]) / 2, seen["margin"], color="#666666", linewidth=1)
    margin.set_ylim(-1.05, 0.05)
    margin.set_ylabel("margin", fontsize=8.5, color="#666666")
    margin.spines["right"].set_visible(True)
    threshold = "no threshold" if seen["threshold"] is None else f"threshold {seen['threshold']:,} (dashed)"
    axes.set_title(f"{name}: {threshold}", fontsize=9.5)


def _draw_labels(axes: Axes, seen: dict[str, Any]) -> None:
    """Four rows: asked for now above, known before below; members filled, others as crosses."""
    for key, row in (("asked", 1), ("known", 0)):
        positions, is_class = (np.array(values, dtype=int) for values in seen[key])
        for yes, colour, marker, shift in ((1, _MEMBER, "o", 0.2), (0, _OTHER, "x", -0.2)):
            here = positions[is_class == yes]
            axes.plot(
                here, np.full(len(here), row + shift), marker, color=colour, markersize=3.6, linestyle="none", alpha=0.8
            )
    axes.set_yticks([0, 1], ["known", "asked"], fontsize=8.5)
    axes.set_ylim(-0.55, 1.55)


def _draw_spaces(axes: Axes, seen: dict[str, Any]) -> None:
    """One bar for each version space, the first on top."""
    spaces = seen["version_spaces"]
    for row, (low, high) in enumerate(spaces):
        axes.plot([low, high], [-row, -row], color=_SPACE, linewidth=3, solid_capstyle="butt", alpha=0.85)
        axes.plot([low, high], [-row, -row], "|", color=_SPACE, markersize=5)
    axes.set_yticks([])
    axes.set_ylabel("version\nspaces", fontsize=8.5)
    axes.set_ylim(-max(len(spaces), 1) + 0.4, 0.6)
