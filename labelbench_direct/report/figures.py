"""The figures, each a small one that is readable at a phone's width; the same as PNG and SVG."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from labelbench_direct.hosts.metrics import BALANCED_TEST, RAREST
from labelbench_direct.report.drawing import labels, shortened, wrapped
from labelbench_direct.report.groups import Group
from labelbench_direct.report.results import TrialResult
from labelbench_direct.report.statistics import Curves, Interval, Series, interval, lead

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

Styles = Mapping[str, dict[str, Any]]

_COLOURS = ("#000000", "#E69F00", "#56B4E9", "#009E73", "#D55E00", "#CC79A7", "#0072B2")  # Okabe and Ito's, for the
_MARKERS = "os^vDPX"  # colour-blind, with markers and dashes that tell them apart in grey
_DASHES = ("-", "--", ":", "-.")

_SIZE = (4.6, 3.6)
LABELS = {RAREST: "Labels of the rarest class"}


def styles(names: Sequence[str]) -> Styles:
    """A look for each strategy, the same in every figure; the first is drawn on top, in black."""
    return {
        name: {
            "color": _COLOURS[i % len(_COLOURS)],
            "marker": _MARKERS[i % len(_MARKERS)],
            "linestyle": _DASHES[i // len(_COLOURS) % len(_DASHES)],
            "linewidth": 2.2 if i == 0 else 1.4,
            "markersize": 4.5,
            "zorder": 4 if i == 0 else 3,
        }
        for i, name in enumerate(names)
    }


def new_figure(height: float = _SIZE[1]) -> tuple[Figure, Axes]:
    """An empty figure of the common width, with one pair of axes."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(_SIZE[0], height), layout="constrained")
    return figure, figure.subplots()


def draw_curves(axes: Axes, curves: Mapping[str, Curves], looks: Styles, metric: str, *, seeds: bool = True) -> None:
    """A metric against labels: mean with standard error, 95% bootstrap band, each seed thin behind."""
    shown = labels(list(curves))
    for name, own in curves.items():
        if metric not in own.metrics:
            continue
        look = looks[name]
        mean, error = own.mean(metric), own.standard_error(metric)
        if len(own.seeds) > 1:
            low, high = own.band(metric)
            axes.fill_between(own.labels, low, high, color=look["color"], alpha=0.12, linewidth=0)
            axes.errorbar(own.labels, mean, error, color=look["color"], fmt="none", elinewidth=0.9, capsize=1.5)
            if seeds:
                axes.plot(own.labels, own.metrics[metric].T, color=look["color"], linewidth=0.5, alpha=0.3, zorder=1.5)
        axes.plot(own.labels, mean, label=shown[name], **look)
    axes.set_xlabel("Labels")
    axes.set_ylabel(_metric_label(curves, metric))
    axes.grid(alpha=0.25, linewidth=0.5)


def _metric_label(curves: Mapping[str, Curves], metric: str) -> str:
    """The metric's name, and where less of it is better that it is."""
    less = any(own.sign(metric) < 0 for own in curves.values())
    return f"{LABELS.get(metric, shortened(metric, 60))}{' (less is better)' if less else ''}"


def learning_curves(one: Group, looks: Styles, metric: str) -> Figure:
    """One setting's learning curves, with the names below."""
    figure, axes = _figure_with_legend(one)
    draw_curves(axes, one.curves, looks, metric)
    _legend(figure, axes, one)
    return figure


def noise_levels(family: Sequence[Group], looks: Styles, metric: str) -> list[Figure]:
    """The learning curves at each noise level, all with the same axes (Figure 6)."""
    figures = []
    for one in family:
        figure, axes = _figure_with_legend(one)
        draw_curves(axes, one.curves, looks, metric, seeds=False)
        axes.set_title(wrapped(one.setting.noise_title, 60), fontsize=10)
        _legend(figure, axes, one)
        figures.append(figure)
    limits = [figure.axes[0].get_ylim() for figure in figures]
    for figure in figures:
        figure.axes[0].set_ylim(min(low for low, _ in limits), max(high for _, high in limits))
    return figures


def leads(one: Group, looks: Styles, metric: str) -> Figure | None:
    """By how much the leader's curve is above each other's, with 95% intervals; None where there is no other."""
    pairs = {name: lead(one.curves[one.leader], own, metric) for name, own in list(one.curves.items())[1:]}
    known = {name: by for name, by in pairs.items() if by is not None}
    if not known:
        return None
    shown = labels(list(one.curves))
    figure, axes = new_figure(1.1 + 0.3 * len(known))
    for row, (name, by) in enumerate(reversed(known.items())):
        _point(axes, by, row, looks[name], horizontal=True)
    axes.axvline(0, color="#666666", linewidth=0.8)
    axes.set_yticks(range(len(known)), [shown[name] for name in reversed(known)])
    axes.set_ylim(-0.6, len(known) - 0.4)
    figure.supxlabel(f"Mean lead of {shown[one.leader]}\n{_metric_label(one.curves, metric)}", fontsize=9)
    axes.grid(axis="x", alpha=0.25, linewidth=0.5)
    return figure


def frequency_bins(one: Group, looks: Styles) -> Figure | None:
    """The last drawn round's test accuracy in bins of classes, from the most to the least frequent (Figure 7).

    None where the trials don't hold accuracies by class.
    """
    counts = next((trial.class_counts for name in one.curves for trial in one.trials[name]), None)
    accuracies = {
        name: _class_accuracies(one.trials[name], len(own.labels), counts) for name, own in one.curves.items()
    }
    if counts is None or not any(values.size for values in accuracies.values()):
        return None
    bins = class_bins(counts)
    shown = labels(list(one.curves))
    figure, axes = _figure_with_legend(one)
    for i, (name, values) in enumerate(accuracies.items()):
        offset = (i - (len(accuracies) - 1) / 2) * 0.8 / len(accuracies)
        for j, members in enumerate(bins):
            if values.size and np.isfinite(means := values[:, members].mean(axis=1)).all():
                _point(axes, interval(means), j + offset, looks[name], label=shown[name] if j == 0 else None)
    axes.set_xticks(range(len(bins)), [_bin_label(members, counts) for members in bins], fontsize=8.5)
    for edge in range(1, len(bins)):
        axes.axvline(edge - 0.5, color="#bbbbbb", linewidth=0.6)
    axes.set_xlim(-0.5, len(bins) - 0.5)
    axes.set_xlabel("Classes, from the most to the least frequent")
    axes.set_ylabel("Test accuracy, last round")
    axes.grid(axis="y", alpha=0.25, linewidth=0.5)
    _legend(figure, axes, one)
    return figure


def _class_accuracies(trials: Sequence[TrialResult], rounds: int, counts: Series | None) -> Series:
    """(trials, K) after so many rounds, of those that hold accuracies by class."""
    known = [trial.class_accuracies for trial in trials if trial.class_accuracies is not None]
    return np.array([found[rounds - 1] for found in known if counts is not None and found.shape[1:] == counts.shape])


def class_bins(counts: Series) -> list[np.ndarray[Any, Any]]:
    """The classes from the most to the least frequent, in at most 5 bins of as many classes each."""
    order = np.argsort(-counts, kind="stable")
    return np.array_split(order, min(len(counts), 5))


def comparison(groups: Sequence[Group], looks: Styles, title: str, metric: str = BALANCED_TEST) -> Figure:
    """The picture of a comparison: for each setting the metric, and the rarest class's labels, against labels."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(12, 4.8 * len(groups)), layout="constrained")
    grid = figure.subplots(len(groups), 2, width_ratios=[3, 2], squeeze=False)
    for (left, right), one in zip(grid, groups, strict=True):
        draw_curves(left, one.curves, looks, metric, seeds=False)
        draw_curves(right, one.curves, looks, RAREST, seeds=False)
        left.legend(ncols=2)
        if len(groups) > 1:
            left.set_title(wrapped(one.setting.title, 120), fontsize=11, loc="left")  # it goes on over the right half
    num_seeds = max(len(own.seeds) for own in groups[0].curves.values())
    figure.suptitle(f"{wrapped(title, 120)}\nmean, standard error and 95% interval of {num_seeds} seeds", fontsize=12)
    return figure


def _bin_label(members: np.ndarray[Any, Any], counts: Series) -> str:
    """Which classes are in a bin, and how many examples they have."""
    own = counts[members].astype(int)
    sizes = f"{own.min():,}" if own.min() == own.max() else f"{own.min():,}-{own.max():,}"
    return f"class {members[0]}\n{sizes} ex." if len(members) == 1 else f"{len(members)} classes\n{sizes} ex."


def _point(
    axes: Axes, by: Interval, where: float, look: dict[str, Any], *, horizontal: bool = False, label: str | None = None
) -> None:
    """An estimate as a point, its interval as a line."""
    shape = {"color": look["color"], "marker": look["marker"], "markersize": 6, "linestyle": "none"}
    ends, at = [by.low, by.high], [where, where]
    axes.plot(*((ends, at) if horizontal else (at, ends)), color=look["color"], linewidth=1.4)
    axes.plot(*((by.value, where) if horizontal else (where, by.value)), label=label, **shape)


def _legend_columns(one: Group) -> int:
    return 3 if max(map(len, labels(list(one.curves)).values())) <= 20 else 2


def _figure_with_legend(one: Group) -> tuple[Figure, Axes]:
    """An empty figure that has room for the names below."""
    return new_figure(_SIZE[1] + 0.22 * -(-len(one.curves) // _legend_columns(one)))


def _legend(figure: Figure, axes: Axes, one: Group) -> None:
    handles, names = axes.get_legend_handles_labels()
    columns = _legend_columns(one)
    figure.legend(handles, names, loc="outside lower center", ncols=columns, fontsize=8.5, handlelength=2.6)
