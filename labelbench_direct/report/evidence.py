"""The page of the evidence: tables, verdicts and pictures from finished trials, losses as loud as wins."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from labelbench_direct.experiment.noise import GIVEN
from labelbench_direct.experiment.schema import Experiment
from labelbench_direct.experiment.storage import make_folder, read_lines
from labelbench_direct.experiment.trial import TIMES
from labelbench_direct.hosts.metrics import RAREST
from labelbench_direct.report.cases import DIRECT, METRIC, Case, read_cases
from labelbench_direct.report.drawing import drawing, png_bytes
from labelbench_direct.report.evidence_figures import draw_cases, draw_leads
from labelbench_direct.report.evidence_text import HOW, INTRODUCTION, LEFT_OUT, OVERALL_NOTE, TABLE_NOTE
from labelbench_direct.report.evidence_verdicts import goals, maps, overall, short, verdicts, weights
from labelbench_direct.report.groups import note_versions
from labelbench_direct.report.page import write_bytes, write_text
from labelbench_direct.report.results import TrialResult
from labelbench_direct.report.statistics import saved
from labelbench_direct.report.summary import markdown

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_PICTURES = {
    "annotators": "Learning curves with annotators' own labels",
    "clean": "Learning curves without wrong labels",
    "leads": "Leads over DIRECT in every setting",
}


def write_evidence(experiments: Mapping[str, Experiment], results: Path, page: Path, notes: list[str]) -> str:
    """Write the page and, beside it, its pictures; what is missing, in a sentence.

    ``notes``: what else the page must say; grows by what is to be said of the pictures.
    Raises ValueError where no trial is finished.
    """
    cases, trials = read_cases(experiments, results, notes)
    shown = [case for case in cases if case.curves]
    if not shown:
        raise ValueError(f"there is no finished trial in {results}")
    make_folder(page.parent)
    missing = _missing(cases)
    note_versions(trials, "This page", notes)
    pictures = []
    figures: dict[str, Callable[[], Figure | None]] = {
        "annotators": lambda: draw_cases(shown, GIVEN),
        "clean": lambda: draw_cases(shown, 0),
        "leads": lambda: draw_leads(shown),
    }
    for stem, draw in figures.items():
        name = f"{page.stem}-{stem}.png"
        try:
            with drawing(notes, font_size=9):
                figure = draw()
                picture = png_bytes(figure, dpi=110) if figure else None
        except Exception as error:
            notes.append(f"{name} could not be drawn: {type(error).__name__}: {error}")
            continue
        if picture:
            write_bytes(page.parent / name, picture)
            pictures.append(f"![{_PICTURES[stem]}]({name})")
    parts = [
        "# Evidence",
        INTRODUCTION.format(
            trials=f"{len(trials):,}", settings=len(shown), hours=f"{_hours(trials):.1f}",
            seeds=_range(sorted({len(own.seeds) for case in shown for own in case.curves.values()})),
            sizes=_sizes(shown),
        ),
        "## In short",
        *short(shown),
        "## Which strategy for which data",
        *maps(shown),
        "## What the loss's weights do",
        weights(shown),
        "## DIRECT against each other strategy",
        verdicts(shown),
        "## Each against DIRECT, over all settings",
        OVERALL_NOTE,
        overall(shown),
        "## Goals",
        *goals(shown),
        *pictures,
        "## Every setting",
        TABLE_NOTE,
        *[part for case in shown for part in _case(case)],
        "## What is missing",
        missing,
        *notes,
        LEFT_OUT,
        HOW.format(versions=_versions(trials)),
    ]  # fmt: skip
    write_text(page, "\n\n".join(parts) + "\n")
    return missing


def _range(values: Sequence[int]) -> str:
    return f"{values[0]}" if values[0] == values[-1] else f"{values[0]} to {values[-1]}"


def _sizes(cases: Sequence[Case]) -> str:
    """How many rounds of how many labels there are, the most common first."""
    labels = [next(iter(case.curves.values())).labels for case in cases]
    sizes = Counter((len(own), int(own[0])) for own in labels).most_common()
    said = [f"{rounds} rounds of {size:,} labels" for (rounds, size), _ in sizes]
    counts = [f" in {count} setting{'s' if count > 1 else ''}" if len(sizes) > 1 else "" for _, count in sizes]
    return ", ".join(map("".join, zip(said, counts, strict=True)))


def _hours(trials: Sequence[TrialResult]) -> float:
    seconds = 0.0
    for trial in trials:
        seconds += sum(line["select"] + line.get("train", 0) for line in read_lines(trial.path / TIMES))
    return seconds / 3600


def _versions(trials: Sequence[TrialResult]) -> str:
    """What the trials ran with, where they differ each of it."""
    found = dict.fromkeys(f"{name} {version}" for trial in trials for name, version in trial.versions.items())
    return ", ".join(found)


def _case(case: Case) -> list[str]:
    """One setting: what is wrong in it, and a row for each strategy."""
    parts = [f"### {case.title}; {case.noise_title}"]
    pool = f"{sum(case.counts):,} examples, {min(case.counts):,} of the rarest class" if case.counts else ""
    if case.is_noisy and case.quality:
        parts.append(
            f"{pool}. Wrong: {case.quality['wrong']:.1%} of the labels, {case.quality['wrong_in_rarest']:.1%} of those "
            "of the rarest class's examples, "
            f"{case.quality['wrong_saying_rarest']:.1%} of those that say the rarest class."
        )
    elif pool:
        parts.append(f"{pool}.")
    rows = [["", "seeds", "final", "worst seed", "area", "lead over direct, 95%", "direct saves", "saves of direct's",
             "rarest", "s per selection"]]  # fmt: skip
    best = max(case.curves, key=lambda name: case.final(name).mean())
    for name, own in case.curves.items():
        finals = case.final(name)
        by = case.lead(name, DIRECT) if DIRECT in case.curves and name != DIRECT else None
        mean = f"{finals.mean():.3f}"
        rows.append([
            name, str(len(own.seeds)), f"**{mean}**" if name == best else mean, f"{finals.min():.3f}",
            f"{own.area(METRIC).mean():.3f}",
            "" if by is None else f"{by.value:+.3f} [{by.low:+.3f}, {by.high:+.3f}]",
            *_savings(case, name), f"{own.mean(RAREST)[-1]:,.0f}" if RAREST in own.metrics else "",
            "" if (seconds := case.seconds[name]) is None else f"{seconds:.3f}",
        ])  # fmt: skip
    return [*parts, markdown(rows)]


def _savings(case: Case, name: str) -> tuple[str, str]:
    """The labels that DIRECT saves against a strategy, and that one against DIRECT."""
    if name == DIRECT or DIRECT not in case.curves:
        return "", ""
    ours, theirs = case.curves[DIRECT], case.curves[name]
    return tuple("" if by is None else "never" if by.value == -np.inf else f"{by.value:.0%}"
                 for by in (saved(ours, theirs, METRIC), saved(theirs, ours, METRIC)))  # type: ignore[return-value]  # fmt: skip


def _missing(cases: Sequence[Case]) -> str:
    """What the experiments state and no finished trial shows."""
    stated = sum(sum(case.stated.values()) for case in cases)
    done = sum(len(own.seeds) for case in cases for own in case.curves.values())
    if done == stated:
        return f"Nothing: all {stated:,} trials that the experiments state are finished."
    lines = [f"{stated - done:,} of the {stated:,} trials that the experiments state are not finished; the same "
             "command goes on with them. By strategy, finished and stated, over all settings:"]  # fmt: skip
    rows = [["", "finished", "stated", "settings with none"]]
    for name in dict.fromkeys(name for case in cases for name in case.stated):
        own = [case for case in cases if name in case.stated]
        finished = sum(len(case.curves[name].seeds) for case in own if name in case.curves)
        total = sum(case.stated[name] for case in own)
        if finished < total:
            none = sum(name not in case.curves for case in own)
            rows.append([name, str(finished), str(total), f"{none} of {len(own)}"])
    return "\n\n".join([*lines, markdown(rows)])
