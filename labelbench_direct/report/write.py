"""``report.html`` and the files beside it: PNG, SVG, CSV."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache, partial
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from labelbench_direct.experiment.names import digest, file_stem
from labelbench_direct.experiment.pools import POOL
from labelbench_direct.experiment.storage import make_folder
from labelbench_direct.hosts.metrics import BALANCED_TEST, RAREST
from labelbench_direct.report import figures
from labelbench_direct.report.csv_files import write_tables
from labelbench_direct.report.groups import Group, families, group, usable
from labelbench_direct.report.metrics import Better
from labelbench_direct.report.page import Section, html_page, write_text
from labelbench_direct.report.pictures import Pictures
from labelbench_direct.report.read import read_results, read_selections
from labelbench_direct.report.results import Setting, TrialResult
from labelbench_direct.report.selection_figure import draw_selection
from labelbench_direct.report.summary import sentence
from labelbench_direct.report.tables import numbers, shares_saved

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
    paths: Sequence[Path],
    folder: Path,
    *,
    metric: str = BALANCED_TEST,
    trial: str | None = None,
    better: Better | None = None,
) -> Written:
    """The report on the results at some paths, into a folder that is made where it is missing.

    ``trial``: the folder name, or its beginning, of the trial whose selections are pictured; by default the first of
    DIRECT's. ``better``: which way ``metric`` is, asked for where the table of metrics doesn't know. Raises ValueError
    or OSError where there is nothing to report on, before anything is written. A picture that cannot be drawn is left
    out, and said.
    """
    trials, notes = read_results(paths)
    groups = usable(group(trials, notes), metric, notes, better)
    pictured = _choose_trial(groups, trial)
    make_folder(folder)
    write_tables(groups, folder, metric)
    names = list(dict.fromkeys(name for one in groups for name in one.curves))
    pictures = Pictures(folder)
    sections = _Sections(pictures, figures.styles(names), metric, file_names([one.setting for one in groups]))
    shown = [sections.setting(one) for one in groups]
    shown += [sections.noise(family) for family in families(groups) if len(family) > 1]
    if pictured is not None:
        shown.append(sections.selections(pictured))
    notes += pictures.notes
    summary = sentence(groups, metric)
    page = folder / "report.html"
    num_trials = sum(len(own) for one in groups for own in one.trials.values())
    write_text(page, html_page(summary, notes, shown, num_trials))
    return Written(page, summary, notes)


def _choose_trial(groups: Sequence[Group], wanted: str | None) -> TrialResult | None:
    """The trial whose selections are pictured."""
    candidates = [
        trial
        for one in groups
        for name in one.curves
        for trial in one.trials[name]
        if (trial.path / POOL).exists() and (wanted or trial.strategy["strategy_name"].startswith("direct"))
    ]
    if wanted is None:
        return next((one for one in candidates if read_selections(one.path)), None)
    found = [one for one in candidates if one.path.name.startswith(wanted)]
    if len(found) != 1:
        names = ", ".join(sorted(one.path.name for one in found or candidates)[:20]) or "none"
        raise ValueError(f"--trial {wanted!r} must name one trial, it names {len(found)}; there are {names}")
    if not read_selections(found[0].path):
        raise ValueError(f"--trial {wanted!r} is not DIRECT's, or has one round: there is no threshold to show")
    return found[0]


def file_names(settings: Sequence[Setting]) -> dict[Setting, str]:
    """The beginning of the names of each setting's pictures, no two the same."""
    stems = {setting: file_stem(setting.title) for setting in settings}
    counts = Counter(stems.values())
    return {
        setting: stem if counts[stem] == 1 else f"{stem}-{digest(repr(setting))}" for setting, stem in stems.items()
    }


class _Sections:
    """The parts of the page, whose pictures are drawn on the way."""

    def __init__(self, pictures: Pictures, looks: figures.Styles, metric: str, file_names: dict[Setting, str]) -> None:
        self._draw, self._looks, self._metric, self._file_names = pictures.draw, looks, metric, file_names

    def setting(self, one: Group) -> Section:
        """Learning curves, rarest class, leads, bins, and the table of one setting."""
        name, metric, looks = self._file_names[one.setting], self._metric, self._looks
        pictures = self._draw(
            f"{name}-curves",
            f"{metric}: mean, standard error (bars), 95% bootstrap interval (band), each seed (thin).",
            partial(figures.learning_curves, one, looks, metric),
        )
        if metric != RAREST and any(RAREST in own.metrics for own in one.curves.values()):
            pictures += self._draw(
                f"{name}-rarest", "Labels of the rarest class.", partial(figures.learning_curves, one, looks, RAREST)
            )
        pictures += self._draw(
            f"{name}-leads",
            f"Mean lead of {one.leader} over the curve, by paired seeds, with 95% bootstrap intervals.",
            partial(figures.leads, one, looks, metric),
        )
        pictures += self._draw(
            f"{name}-classes",
            "Accuracy by class frequency after the last round, with 95% bootstrap intervals.",
            partial(figures.frequency_bins, one, looks),
        )
        tables = [numbers(one, metric)] + ([shares_saved(one, metric)] if len(one.curves) > 1 else [])
        return Section(one.setting.title, pictures, tables)

    def noise(self, family: Sequence[Group]) -> Section:
        """The noise levels side by side."""
        first = family[0].setting
        drawn = cache(lambda: figures.noise_levels(family, self._looks, self._metric))  # together: their axes agree

        def level(number: int) -> Figure:
            return drawn()[number]

        pictures = []
        for number, one in enumerate(family):
            name = f"{self._file_names[one.setting]}-noise"
            pictures += self._draw(name, f"{one.setting.noise_title}.", partial(level, number))
        return Section(f"Noise levels side by side: {first.dataset}, {first.model}, {first.trainer}", pictures, [])

    def selections(self, trial: TrialResult) -> Section:
        """Every round of one trial, for the classes with the fewest examples."""
        classnames = trial.pool["classes"] if trial.pool else []
        counts = np.asarray(trial.class_counts)
        pictures = []
        for number, selection in read_selections(trial.path).items():
            rarest = sorted(selection["classes"], key=lambda k: (counts[int(k)], int(k)))[:_MOST_CLASSES_PICTURED]
            for k in rarest:
                pictures += self._draw(
                    f"{file_stem(trial.path.name) or 'trial'}-round{number}-class{k}",
                    f"Round {number}, class {classnames[int(k)]}.",
                    partial(draw_selection, selection, k, f"class {classnames[int(k)]}"),
                )
        text = (
            "Each picture is the pool sorted by one class's margin score, examples most like it first, as it was when "
            "the round's labels were chosen. Top: the share of true members (area) and the margin (line). Middle: "
            "labels of the class (dots) and of others (crosses), known before and asked for now. Bottom: the version "
            "space from first to last. DIRECT annotates around the threshold (dashed)."
        )
        return Section(f"How DIRECT chose: {trial.path.name}", pictures, [], text, folded=True)
