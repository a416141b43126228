"""What trials show: curves, labels saved, a sentence. Reads JSON lines and nothing else; the only module that draws."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from labelbench_direct.hosts.embedded.metrics import BALANCED_TEST, RAREST

Series = NDArray[np.float64]

_STYLES = [  # Okabe and Ito's colours, which colour-blind readers can tell apart, and markers for print in grey
    ("#000000", "o"),
    ("#E69F00", "s"),
    ("#56B4E9", "^"),
    ("#009E73", "v"),
    ("#D55E00", "D"),
    ("#CC79A7", "P"),
    ("#0072B2", "X"),
    ("#F0E442", "<"),
]


@dataclass(frozen=True)
class Curves:
    """One strategy's trials: (seeds, rounds) of each metric, against the number of labels (rounds,)."""

    labels: Series
    metrics: Mapping[str, Series]

    def mean(self, metric: str) -> Series:
        """(rounds,): over the seeds."""
        mean: Series = self.metrics[metric].mean(axis=0)
        return mean

    def standard_error(self, metric: str) -> Series:
        """(rounds,): of the mean over the seeds; not a number for one seed."""
        values = self.metrics[metric]
        if len(values) == 1:
            return np.full(values.shape[1], np.nan)
        error: Series = values.std(axis=0, ddof=1) / np.sqrt(len(values))
        return error

    def labels_to_reach(self, metric: str, value: float) -> int | None:
        """The labels of the first round whose mean is at least ``value``; None when no round's is."""
        reached = np.flatnonzero(self.mean(metric) >= value)
        return int(self.labels[reached[0]]) if len(reached) else None


def read_trial(path: Path) -> list[dict[str, Any]]:
    """The rounds of a trial's file."""
    lines = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
    return [line for line in lines if line["kind"] == "round"]


def read_curves(paths: Iterable[Path]) -> Curves:
    """The curves of one strategy's trials."""
    trials = [[line["metrics"] for line in read_trial(path)] for path in paths]
    metrics = {name: np.array([[line[name] for line in trial] for trial in trials]) for name in trials[0][0]}
    return Curves(metrics["Num Labeled"][0], metrics)


def draw(curves: Mapping[str, Curves], title: str, path: Path, metric: str = BALANCED_TEST) -> None:
    """A picture: the metric, and the rarest class's labels, against the number of labels; mean and standard error."""
    import matplotlib as mpl
    from matplotlib.figure import Figure

    with mpl.rc_context({"font.size": 11, "axes.spines.top": False, "axes.spines.right": False}):
        figure = Figure(figsize=(12, 4.8), layout="constrained")
        axes = figure.subplots(1, 2, width_ratios=[3, 2])
        for axis, name, label in zip(axes, (metric, RAREST), (metric, "Labels of the rarest class"), strict=True):
            for (strategy, curve), (colour, marker) in zip(curves.items(), _STYLES * len(curves), strict=False):
                mean, error = curve.mean(name), np.nan_to_num(curve.standard_error(name))
                leads = strategy == next(iter(curves))
                axis.fill_between(curve.labels, mean - error, mean + error, color=colour, alpha=0.15, linewidth=0)
                axis.plot(
                    curve.labels,
                    mean,
                    color=colour,
                    marker=marker,
                    markersize=5,
                    linewidth=2.5 if leads else 1.5,
                    label=strategy,
                    zorder=3 if leads else 2,
                )
            axis.set_xlabel("Labels")
            axis.set_ylabel(label)
            axis.grid(alpha=0.25)
        axes[0].legend(frameon=False, ncols=2)
        num_seeds = len(next(iter(curves.values())).metrics[metric])
        figure.suptitle(f"{title}\nmean and standard error of {num_seeds} seeds", fontsize=12)
        figure.savefig(path, dpi=110)


def saved_table(curves: Mapping[str, Curves], metric: str = BALANCED_TEST) -> str:
    """Markdown: for each strategy (row) its final value, its paired lead over the rounds, and the labels that it
    needs to reach each other's (column's) final value, with the share of that one's labels that it saves.
    """
    names = list(curves)
    first = curves[names[0]].metrics[metric]
    rows = [["", "final", "lead", *names]]
    for name, curve in curves.items():
        row = [name, _with_error(curve.metrics[metric][:, -1])]
        row.append("" if name == names[0] else _with_error((curve.metrics[metric] - first).mean(axis=1), signed=True))
        for other in curves.values():
            if other is curve:
                row.append("")
                continue
            needed = curve.labels_to_reach(metric, other.mean(metric)[-1])
            total = int(other.labels[-1])
            row.append("never" if needed is None else f"{needed} ({1 - needed / total:.0%})")
        rows.append(row)
    return f"{_markdown(rows)}\n\n{_TABLE_NOTE.format(metric=metric.lower(), first=names[0])}"


_TABLE_NOTE = """\
final: {metric} with all labels. lead: mean over the rounds, less {first}'s of the same seed.
± is the standard error over seeds. Under a strategy's name: the labels that the row's strategy
needs to reach that one's final value, and the share of them that it saves."""


def _markdown(rows: list[list[str]]) -> str:
    """A table with its columns aligned; the first row is the head."""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    lines = [" | ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)) for row in rows]
    lines.insert(1, " | ".join("-" * width for width in widths))
    return "\n".join(f"| {line} |" for line in lines)


def conclusion(curves: Mapping[str, Curves], metric: str = BALANCED_TEST) -> str:
    """What the table says of its first strategy, wins and losses alike, in a sentence."""
    names = list(curves)
    leader = curves[names[0]]
    total = int(leader.labels[-1])
    reached, never = [], []
    for name in names[1:]:
        needed = leader.labels_to_reach(metric, curves[name].mean(metric)[-1])
        if needed is None:
            never.append(name)
        else:
            reached.append(f"{name} with {needed}")
    parts = []
    if reached:
        parts.append(f"reaches what {total} labels give " + ", ".join(reached))
    if never:
        parts.append(f"does not reach what {total} labels give {', '.join(never)}")
    best = max(names, key=lambda name: float(curves[name].mean(metric)[-1]))
    end = f"the highest final {metric.lower()} is {best}'s, {curves[best].mean(metric)[-1]:.3f}"
    return f"{names[0]} {' and '.join(parts)}; {end}." if parts else f"{end[0].upper()}{end[1:]}."


def _with_error(values: Series, signed: bool = False) -> str:
    """Mean and standard error over seeds."""
    mean = f"{values.mean():+.3f}" if signed else f"{values.mean():.3f}"
    return mean if len(values) == 1 else f"{mean} ± {values.std(ddof=1) / np.sqrt(len(values)):.3f}"
