"""``report.html`` and the files beside it: PNG, SVG, CSV."""

from __future__ import annotations

import csv
import io
import json
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from labelbench_direct.experiment.pools import POOL
from labelbench_direct.hosts.metrics import BALANCED_TEST, RAREST
from labelbench_direct.report import figures
from labelbench_direct.report.groups import Group, families, group, usable
from labelbench_direct.report.page import Picture, Section, Table, html_page
from labelbench_direct.report.read import TrialResult, read_results, read_selections
from labelbench_direct.report.selection_figure import draw_selection
from labelbench_direct.report.statistics import Interval, interval, lead, saved
from labelbench_direct.report.summary import sentence

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_MOST_CLASSES_PICTURED = 3


@dataclass(frozen=True)
class Written:
    """A report: its page, its one sentence, what was left out of it."""

    page: Path
    sentence: str
    notes: list[str]


def write_report(
    paths: Sequence[Path], folder: Path, *, metric: str = BALANCED_TEST, trial: str | None = None
) -> Written:
    """The report on the results at some paths, into a folder that is made where it is missing.

    ``trial``: the folder name, or its beginning, of the trial whose selections are pictured; by default the first of
    DIRECT's. Raises ValueError or OSError where there is nothing to report on, before anything is written.
    """
    trials, notes = read_results(paths)
    groups = usable(group(trials, notes), metric, notes)
    names = list(dict.fromkeys(name for one in groups for name in one.curves))
    pictured = _choose_trial(groups, trial)
    folder.mkdir(parents=True, exist_ok=True)
    writer = _Writer(folder, figures.styles(names), metric)
    with figures.style():
        sections = [writer.setting(one) for one in groups]
        sections += [writer.noise(family) for family in families(groups) if len(family) > 1]
        if pictured is not None:
            sections.append(writer.selections(*pictured))
    writer.tables(groups)
    summary = sentence(groups, metric)
    page = folder / "report.html"
    page.write_text(html_page(summary, notes, sections, len(trials)), encoding="utf-8")
    return Written(page, summary, notes)


def _choose_trial(groups: Sequence[Group], wanted: str | None) -> tuple[Group, TrialResult] | None:
    """The trial whose selections are pictured, with its setting."""
    candidates = [
        (one, trial)
        for one in groups
        for name in one.curves
        for trial in one.trials[name]
        if (trial.path / POOL).exists() and (wanted or trial.strategy["strategy_name"].startswith("direct"))
    ]
    if wanted is None:
        return next((pair for pair in candidates if read_selections(pair[1].path)), None)
    found = [pair for pair in candidates if pair[1].path.name.startswith(wanted)]
    if len(found) != 1:
        names = ", ".join(sorted(pair[1].path.name for pair in found or candidates)[:20]) or "none"
        raise ValueError(f"--trial {wanted!r} must name one trial, it names {len(found)}; there are {names}")
    if not read_selections(found[0][1].path):
        raise ValueError(f"--trial {wanted!r} is not DIRECT's, or has one round: there is no threshold to show")
    return found[0]


class _Writer:
    """Draws into a folder, and keeps what the page shows."""

    def __init__(self, folder: Path, looks: figures.Styles, metric: str) -> None:
        self._folder, self._looks, self._metric = folder, looks, metric

    def setting(self, one: Group) -> Section:
        """Learning curves, rarest class, leads, bins, and the table of one setting."""
        name, metric = _slug(one.setting.title), self._metric
        title = one.setting.title
        pictures = [
            self._save(
                figures.learning_curves(one, self._looks, metric),
                f"{name}-curves",
                f"{metric}: mean, standard error (bars), 95% bootstrap interval (band), each seed (thin).",
            )
        ]
        if metric != RAREST and any(RAREST in own.metrics for own in one.curves.values()):
            figure = figures.learning_curves(one, self._looks, RAREST)
            pictures.append(self._save(figure, f"{name}-rarest", "Labels of the rarest class."))
        if (figure_of_leads := figures.leads(one, self._looks, metric)) is not None:
            caption = f"Mean lead of {one.leader} over the curve, by paired seeds, with 95% bootstrap intervals."
            pictures.append(self._save(figure_of_leads, f"{name}-leads", caption))
        if (figure_of_bins := figures.frequency_bins(one, self._looks)) is not None:
            caption = "Accuracy by class frequency after the last round, with 95% bootstrap intervals."
            pictures.append(self._save(figure_of_bins, f"{name}-classes", caption))
        tables = [_numbers(one, metric)] + ([_saved_table(one, metric)] if len(one.curves) > 1 else [])
        return Section(title, pictures, tables)

    def noise(self, family: Sequence[Group]) -> Section:
        """The noise levels side by side."""
        first = family[0].setting
        pictures = [
            self._save(figure, f"{_slug(one.setting.title)}-noise", f"{one.setting.noise_title}.")
            for figure, one in zip(figures.noise_levels(family, self._looks, self._metric), family, strict=True)
        ]
        return Section(f"Noise levels side by side: {first.dataset}, {first.model}, {first.trainer}", pictures, [])

    def selections(self, one: Group, trial: TrialResult) -> Section:
        """Every round of one trial, for the classes with the fewest examples."""
        classnames = json.loads((trial.path / POOL).read_text(encoding="utf-8"))["classes"]
        counts = np.asarray(trial.class_counts)
        pictures = []
        for number, selection in read_selections(trial.path).items():
            rarest = sorted(selection["classes"], key=lambda k: (counts[int(k)], int(k)))[:_MOST_CLASSES_PICTURED]
            for k in rarest:
                figure = draw_selection(selection, k, f"class {classnames[int(k)]}")
                caption = f"Round {number}, class {classnames[int(k)]}."
                pictures.append(self._save(figure, f"{trial.path.name}-round{number}-class{k}", caption))
        text = (
            "Each picture is the pool sorted by one class's margin score, examples most like it first, as it was when "
            "the round's labels were chosen. Top: the share of true members (area) and the margin (line). Middle: "
            "labels of the class (dots) and of others (crosses), known before and asked for now. Bottom: the version "
            "space from first to last. DIRECT annotates around the threshold (dashed)."
        )
        return Section(f"How DIRECT chose: {trial.path.name}", pictures, [], text, folded=True)

    def tables(self, groups: Sequence[Group]) -> None:
        """``curves.csv``: every number that is drawn. ``saved.csv``: every pair of strategies."""
        curves = [
            (*_cells(one), name, seed, int(label), metric, value)
            for one in groups
            for name, own in one.curves.items()
            for metric, values in own.metrics.items()
            for seed, row in zip(own.seeds, values.tolist(), strict=True)
            for label, value in zip(own.labels, row, strict=True)
        ]
        self._csv("curves.csv", (*_KEYS, "strategy", "seed", "labels", "metric", "value"), curves)
        pairs = [
            (*_cells(one), name, other, *(saved(own, theirs, self._metric) or _NONE), *_lead(own, theirs, self._metric))
            for one in groups
            for name, own in one.curves.items()
            for other, theirs in one.curves.items()
            if other != name
        ]
        columns = ("saved", "saved_low", "saved_high", "lead", "lead_low", "lead_high")
        self._csv("saved.csv", (*_KEYS, "strategy", "other", *columns), pairs)

    def _csv(self, name: str, head: Sequence[str], rows: Sequence[Sequence[Any]]) -> None:
        with (self._folder / name).open("w", encoding="utf-8", newline="") as file:
            writer = csv.writer(file)
            writer.writerow(head)
            writer.writerows(rows)

    def _save(self, figure: Figure, name: str, caption: str) -> Picture:
        buffer = io.StringIO()
        figure.savefig(buffer, format="svg", metadata={"Date": None})
        figure.set_layout_engine("none")  # laid out by now; doing so again takes a third of the time
        svg = buffer.getvalue()
        (self._folder / f"{name}.svg").write_text(svg, encoding="utf-8")
        figure.savefig(self._folder / f"{name}.png", dpi=150)
        return Picture(svg, caption)


_KEYS = ("dataset", "data", "noise", "confusion", "batch_size", "model", "trainer")
_NONE = Interval(np.nan, np.nan, np.nan)


def _cells(one: Group) -> tuple[Any, ...]:
    return tuple(getattr(one.setting, key) for key in _KEYS)


def _lead(ours: Any, theirs: Any, metric: str) -> Interval:
    return lead(ours, theirs, metric) or _NONE


def _slug(title: str) -> str:
    return re.sub(r"[^a-z0-9.]+", "-", title.casefold()).strip("-")


def _numbers(one: Group, metric: str) -> Table:
    """Final value, area, lead, rarest class and seconds of each strategy."""
    rows = []
    for name, own in one.curves.items():
        by = lead(own, one.curves[one.leader], metric) if name != one.leader else None
        seconds = np.concatenate([trial.select_seconds[1:] for trial in one.trials[name]])
        seconds = seconds[np.isfinite(seconds)]
        rows.append(
            [
                name,
                str(len(own.seeds)),
                f"{int(own.labels[-1]):,}",
                _estimate(interval(own.metrics[metric][:, -1])),
                _estimate(interval(own.area(metric))),
                "" if by is None else _estimate(by, signed=True),
                f"{own.mean(RAREST)[-1]:,.1f}" if RAREST in own.metrics else "",
                f"{np.median(seconds):.3f}" if len(seconds) else "",
            ]
        )
    head = ["", "seeds", "labels", "final", "area", f"less {one.leader}", "rarest class", "s a selection"]
    note = (
        f"final: {metric} with all labels; area: its mean over the labels; less {one.leader}: the difference in area "
        "by paired seeds; rarest class: its labels at the end; s a selection: median seconds. [95% bootstrap interval]"
    )
    return Table("Numbers", head, rows, note)


def _saved_table(one: Group, metric: str) -> Table:
    """For each strategy (row), the share of each other's (column's) labels that it does not need."""
    names = list(one.curves)
    rows = []
    for name, own in one.curves.items():
        cells = ["" if other == name else _share(saved(own, one.curves[other], metric)) for other in names]
        rows.append([name, *cells])
    note = (
        f"The share of the column's labels that the row's strategy does not need to reach the column's final {metric} "
        "[95% bootstrap interval, paired seeds]; never: it is not reached."
    )
    return Table("Labels saved", ["", *names], rows, note)


def _estimate(by: Interval, *, signed: bool = False) -> str:
    sign = "+" if signed else ""
    if np.isnan(by.low):
        return f"{by.value:{sign}.3f}"
    return f"{by.value:{sign}.3f} [{by.low:{sign}.3f}, {by.high:{sign}.3f}]"


def _share(by: Interval | None) -> str:
    if by is None:
        return "no common seed"

    def text(share: float) -> str:
        return f"{share:.0%}" if np.isfinite(share) else "never"

    if np.isnan(by.low) or by.low == by.value == by.high:
        return text(by.value)
    return f"{text(by.value)} [{text(by.low)}, {text(by.high)}]"
