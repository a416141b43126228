"""The page of the evidence: tables, verdicts and pictures from finished trials, losses as loud as wins."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from labelbench_direct.experiment.noise import GIVEN
from labelbench_direct.experiment.schema import Experiment
from labelbench_direct.experiment.storage import read_lines
from labelbench_direct.experiment.trial import TIMES
from labelbench_direct.report.cases import DIRECT, METRIC, Case, read_cases
from labelbench_direct.report.drawing import drawing, png_bytes
from labelbench_direct.report.evidence_figures import draw_cases, draw_leads
from labelbench_direct.report.evidence_text import GOALS_NOTE, HEADS, HOW, INTRODUCTION, LEFT_OUT, TABLE_NOTE
from labelbench_direct.report.results import TrialResult
from labelbench_direct.report.statistics import saved
from labelbench_direct.report.summary import markdown

if TYPE_CHECKING:
    from matplotlib.figure import Figure

EXPLORE = "direct_explore"
_MAIN = (DIRECT, EXPLORE, "random", "margin", "galaxy")
_SAVING = ("cifar10_k3", "cifar10_k2_rare")  # the experiments of which labels saved are a goal


def write_evidence(experiments: Mapping[str, Experiment], results: Path, page: Path, notes: list[str]) -> str:
    """Write the page and, beside it, its pictures; what is missing, in a sentence.

    ``notes``: what else the page must say; grows by what is to be said of the pictures.
    Raises ValueError where no trial is finished.
    """
    cases, trials = read_cases(experiments, results)
    shown = [case for case in cases if case.curves]
    if not shown:
        raise ValueError(f"there is no finished trial in {results}")
    page.parent.mkdir(parents=True, exist_ok=True)
    missing = _missing(cases)
    pictures = []
    figures: dict[str, Callable[[], Figure | None]] = {
        "annotators": lambda: draw_cases(shown, GIVEN),
        "clean": lambda: draw_cases(shown, 0),
        "leads": lambda: draw_leads(shown),
    }
    for stem, draw in figures.items():
        with drawing(notes, font_size=9):
            figure = draw()
            if figure is not None:
                name = f"{page.stem}-{stem}.png"
                (page.parent / name).write_bytes(png_bytes(figure, dpi=110))
                pictures.append(name)
    parts = [
        "# Evidence",
        INTRODUCTION.format(
            trials=f"{len(trials):,}", settings=len(shown), hours=f"{_hours(trials):.1f}",
            seeds=_range(sorted({len(own.seeds) for case in shown for own in case.curves.values()})),
        ),
        "## Which strategy for which data",
        *_maps(shown),
        "## What the loss's weights do",
        _weights(shown),
        "## DIRECT against each other strategy",
        _verdicts(shown),
        "## Goals",
        *_goals(shown),
        *[f"![{HEADS_OF_PICTURES[name.split('-')[-1].removesuffix('.png')]}]({name})" for name in pictures],
        "## Every setting",
        TABLE_NOTE,
        *[part for case in shown for part in _case(case)],
        "## What is missing",
        missing,
        *notes,
        LEFT_OUT,
        HOW,
    ]  # fmt: skip
    page.write_text("\n\n".join(parts) + "\n", encoding="utf-8")
    return missing


HEADS_OF_PICTURES = {
    "annotators": "Learning curves with annotators' own labels",
    "clean": "Learning curves without wrong labels",
    "leads": "Leads over DIRECT in every setting",
}


def _range(values: Sequence[int]) -> str:
    return f"{values[0]}" if values[0] == values[-1] else f"{values[0]} to {values[-1]}"


def _hours(trials: Sequence[TrialResult]) -> float:
    seconds = 0.0
    for trial in trials:
        seconds += sum(line["select"] + line["train"] for line in read_lines(trial.path / TIMES))
    return seconds / 3600


def _maps(cases: Sequence[Case]) -> list[str]:
    """For each way of training a table: data by noise, and in it the best strategies."""
    parts = []
    for head in dict.fromkeys(case.head for case in cases):
        own = [case for case in cases if case.head == head]
        levels = sorted({case.noise for case in own}, key=lambda level: 1.0 if isinstance(level, str) else level)
        rows = [["data", *[next(case.noise_title for case in own if case.noise == level) for level in levels]]]
        for data in dict.fromkeys(case.data for case in own):
            found = {case.noise: case for case in own if case.data == data}
            rows.append([data, *[_cell(found[level]) if level in found else "" for level in levels]])
        parts += [f"### {head[0].upper()}{head[1:]}", HEADS.get(head, ""), markdown(rows)]
    return [part for part in parts if part]


def _cell(case: Case) -> str:
    """The best strategies (of more than three, how many), and DIRECT's distance to the first."""
    best = case.best()
    if not best:
        return "too few seeds"
    first, *tied = best
    text = f"**{first}** {case.final(first).mean():.3f}"
    if tied:
        text += f", level: {', '.join(tied)}" if len(tied) <= 3 else f", level: {len(tied)} others"
    by = case.lead(DIRECT, first) if first != DIRECT and DIRECT in case.curves else None
    return text + (f"; direct {by.value:+.3f}" if by is not None else "")


def _weights(cases: Sequence[Case]) -> str:
    """The final values under torch's weights and under examples' own, where there are both."""
    rows = [["final, torch's weights and examples'", *_MAIN]]
    for case in cases:
        key = (f"{case.experiment}_example", case.noise)
        other = next((one for one in cases if (one.experiment, one.noise) == key), None)
        if other is not None:
            cells = [f"{case.final(name).mean():.3f}, {other.final(name).mean():.3f}"
                     if name in case.curves and name in other.curves else "" for name in _MAIN]  # fmt: skip
            rows.append([f"{case.data}, {case.noise_title}", *cells])
    return markdown(rows)


def _verdicts(cases: Sequence[Case]) -> str:
    """How often DIRECT is ahead of, level with and behind each strategy, by head and noise."""
    rows = [["", "training", "ahead", "level", "behind", "behind in"]]
    groups: dict[tuple[str, str], list[Case]] = {}
    for case in cases:
        groups.setdefault((case.head, "wrong labels" if case.is_noisy else "no wrong labels"), []).append(case)
    for (head, noise), own in groups.items():
        for name in dict.fromkeys(name for case in own for name in case.curves if name != DIRECT):
            verdicts: dict[str, list[Case]] = {"ahead": [], "level": [], "behind": []}
            for case in own:
                verdict = _verdict(case, DIRECT, name)
                if verdict:
                    verdicts[verdict].append(case)
            if any(verdicts.values()):
                where = "; ".join(f"{case.data}, {case.noise_title}" for case in verdicts["behind"])
                rows.append([name, f"{head}, {noise}", *[str(len(found)) for found in verdicts.values()], where])
    return markdown(rows)


def _verdict(case: Case, name: str, other: str) -> str:
    by = case.lead(name, other) if name in case.curves and other in case.curves else None
    return "" if by is None else "ahead" if by.low > 0 else "behind" if by.high < 0 else "level"


def _goals(cases: Sequence[Case]) -> list[str]:
    """Each goal with yes or no, and where it fails."""
    noisy = [case for case in cases if case.is_noisy and DIRECT in case.curves]
    return [
        GOALS_NOTE,
        *[
            _goal(f"`direct` best or level with the best of the other strategies, wherever labels are wrong ({head})",
                  [case for case in noisy if case.head == head], _is_best)
            for head in dict.fromkeys(case.head for case in noisy)
        ],
        _goal(f"`{EXPLORE}` nowhere worse than `direct`", [case for case in cases if EXPLORE in case.curves],
              lambda case: _failed(_verdict(case, EXPLORE, DIRECT) == "behind", case, EXPLORE, DIRECT)),
        _goal(
            f"`{EXPLORE}` at least level with `galaxy` where a class has no label at first (digits, 1:99)",
            [case for case in cases if case.experiment == "digits_unseen" and {EXPLORE, "galaxy"} <= set(case.curves)],
            lambda case: _failed(_verdict(case, EXPLORE, "galaxy") == "behind", case, EXPLORE, "galaxy"),
        ),
        _goal(f"no seed of `{EXPLORE}` below random sampling's mean, wherever labels are wrong",
              [case for case in noisy if EXPLORE in case.curves and "random" in case.curves], _worst_seed),
        _goal("annotators' own labels, K 3 and 1:99: 60% of the labels saved against random sampling, 40% against the "
              "best other strategy",
              [case for case in noisy if case.noise == GIVEN and case.experiment.startswith(_SAVING)], _saves),
    ]  # fmt: skip


def _goal(text: str, cases: Sequence[Case], fails: object) -> str:
    if not cases:
        return f"- **Not known**: {text}: no trials of it are finished."
    failures = [why for case in cases if (why := fails(case))]  # type: ignore[operator]
    verdict = "No" if failures else "Yes"
    said = f" Not so in {len(failures)} of {len(cases)}: {'; '.join(failures)}." if failures else (
        f" In all {len(cases)} settings.")  # fmt: skip
    return f"- **{verdict}**: {text}.{said}"


def _failed(is_failure: bool, case: Case, name: str, other: str) -> str:
    by = case.lead(name, other)
    if not is_failure or by is None:
        return ""
    return f"{case.data}, {case.noise_title} ({case.head}): {by.value:+.3f} against {other}"


def _is_best(case: Case) -> str:
    others = [name for name in case.curves if not name.startswith("direct")]
    ahead = [name for name in others if _verdict(case, DIRECT, name) == "behind"]
    if not ahead:
        return ""
    best = max(ahead, key=lambda name: case.curves[name].metrics[METRIC].mean())
    return _failed(True, case, DIRECT, best)


def _worst_seed(case: Case) -> str:
    bar, finals = case.final("random").mean(), case.final(EXPLORE)
    below = int((finals < bar).sum())
    return f"{case.data}, {case.noise_title} ({case.head}): {below} of {len(finals)} seeds" if below else ""


def _saves(case: Case) -> str:
    shares = {}
    for name, own in case.curves.items():
        by = saved(case.curves[DIRECT], own, METRIC) if not name.startswith("direct") else None
        if by is not None:
            shares[name] = by.value
    best = max((name for name in shares if name != "random"), key=lambda name: case.final(name).mean(), default="")
    if shares.get("random", 0) >= 0.6 and (not best or shares[best] >= 0.4):
        return ""
    said = [f"{_share(shares[name])} against {name}" for name in ("random", best) if name in shares]
    return f"{case.data} ({case.head}): {', '.join(said)}"


def _share(value: float) -> str:
    return "never reaches it" if value == -np.inf else f"{value:.0%}"


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
             "s per selection"]]  # fmt: skip
    best = max(case.curves, key=lambda name: case.final(name).mean())
    for name, own in case.curves.items():
        finals = case.final(name)
        by = case.lead(name, DIRECT) if DIRECT in case.curves and name != DIRECT else None
        mean = f"{finals.mean():.3f}"
        rows.append([
            name, str(len(own.seeds)), f"**{mean}**" if name == best else mean, f"{finals.min():.3f}",
            f"{own.area(METRIC).mean():.3f}",
            "" if by is None else f"{by.value:+.3f} [{by.low:+.3f}, {by.high:+.3f}]",
            *_savings(case, name), f"{case.seconds[name]:.3f}",
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
