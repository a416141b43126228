"""Trials put together: by setting and strategy into curves, and into families of settings that differ in noise only."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from labelbench_direct.report.metrics import LOWER_IS_BETTER, NO_DIRECTION, Better, check_metric
from labelbench_direct.report.results import NUM_LABELED, Setting, TrialResult
from labelbench_direct.report.statistics import Curves


@dataclass(frozen=True)
class Group:
    """All strategies' curves in one setting; the first is the one that others are compared with."""

    setting: Setting
    curves: dict[str, Curves]
    trials: dict[str, list[TrialResult]]

    @property
    def leader(self) -> str:
        """The strategy that others are compared with."""
        return next(iter(self.curves))


def group(trials: Sequence[TrialResult], notes: list[str]) -> list[Group]:
    """The settings in the order of their first trials; appends to ``notes`` what does not fit together.

    Strategies stay in the order of their first trials too, except that DIRECT leads.
    """
    labels = strategy_labels(trials)
    by_setting: dict[Setting, dict[str, list[TrialResult]]] = {}
    for trial, label in zip(trials, labels, strict=True):
        by_setting.setdefault(trial.setting, {}).setdefault(label, []).append(trial)
    groups = []
    for setting, members in by_setting.items():
        names = sorted(members, key=lambda name: members[name][0].strategy["strategy_name"] != "direct")
        ordered = {name: sorted(members[name], key=lambda trial: trial.seed) for name in names}
        curves = {name: _curves(name, own, setting, notes) for name, own in ordered.items()}
        _note_seeds(curves, setting, notes)
        note_versions([trial for own in ordered.values() for trial in own], setting.place, notes)
        groups.append(Group(setting, curves, ordered))
    if len({(one.setting.dataset, one.setting.batch_size, one.setting.model) for one in groups}) > 1:
        notes.append(f"these are {len(groups)} settings of more than one experiment: each is shown by itself")
    return groups


def families(groups: Sequence[Group]) -> list[list[Group]]:
    """The settings that differ in noise only, by ascending noise."""
    found: dict[Setting, list[Group]] = {}
    for one in sorted(groups, key=lambda one: one.setting.noise):
        found.setdefault(replace(one.setting, noise=0.0, confusion=""), []).append(one)
    return list(found.values())


def strategy_labels(trials: Sequence[TrialResult]) -> list[str]:
    """A name for each trial's strategy: its own, with the options in which strategies of that name differ."""
    by_name: dict[str, list[dict[str, Any]]] = {}
    for trial in trials:
        by_name.setdefault(trial.strategy["strategy_name"], []).append({} if trial.published else trial.strategy)
    differing = {
        name: [
            key
            for key in dict.fromkeys(key for config in configs for key in config)
            if len({json.dumps(config.get(key, "not stated")) for config in configs if config}) > 1
        ]
        for name, configs in by_name.items()
    }
    all_published = all(trial.published for trial in trials)

    def label(trial: TrialResult) -> str:
        name = trial.strategy["strategy_name"]
        if trial.published:
            return str(name) if all_published else f"{name} (published)"
        options = [f"{key}={trial.strategy[key]}" for key in differing[name] if key in trial.strategy]
        return " ".join([name, *options])

    return [label(trial) for trial in trials]


def _curves(name: str, trials: list[TrialResult], setting: Setting, notes: list[str]) -> Curves:
    """The curves over all seeds, as far as the shortest trial goes."""
    where = f"{name} ({setting.place})"
    rounds = min(len(trial.labels) for trial in trials)
    if unfinished := [trial.seed for trial in trials if trial.rounds is not None]:
        notes.append(f"{where}: unfinished with seed {_list(unfinished)}; drawn up to round {rounds}")
    elif rounds < max(len(trial.labels) for trial in trials):
        notes.append(f"{where}: trials of different length; drawn up to round {rounds}")
    names = [metric for metric in trials[0].metrics if all(metric in trial.metrics for trial in trials)]
    metrics = {metric: np.array([trial.metrics[metric][:rounds] for trial in trials]) for metric in names}
    labels = metrics[NUM_LABELED].mean(axis=0).round()
    return Curves(labels, metrics, tuple(trial.seed for trial in trials))


def usable(groups: Sequence[Group], metric: str, notes: list[str], better: Better | None = None) -> list[Group]:
    """The settings with the strategies that have a metric; seeds whose metric is not a number somewhere are left out.

    ``better``: which way the metric is, if the table of metrics doesn't know. Raises ValueError where nobody has the
    metric, naming those that there are, and where strategies cannot be compared by it.
    """
    there = sorted(
        {name for one in groups for own in one.curves.values() for name in own.metrics} - NO_DIRECTION.keys()
    )
    if metric not in there and metric not in NO_DIRECTION:
        raise ValueError(f"no trial has the metric {metric!r}; there are {', '.join(there) or 'none'}")
    lower = LOWER_IS_BETTER - {metric} | ({metric} if check_metric(metric, better) == "lower" else set())
    kept = []
    for one in groups:
        curves = {}
        for name, own in one.curves.items():
            if metric not in own.metrics:
                notes.append(f"{name} ({one.setting.place}) has no {metric!r}: left out")
                continue
            finite = [bool(np.isfinite(values).all()) for values in own.metrics[metric]]
            if not all(finite):
                bad = [seed for seed, good in zip(own.seeds, finite, strict=True) if not good]
                notes.append(f"{name} ({one.setting.place}): {metric} is not a number with seed {_list(bad)}: left out")
            seeds = tuple(seed for seed, good in zip(own.seeds, finite, strict=True) if good)
            if seeds:
                curves[name] = replace(own, lower_is_better=lower).of_seeds(seeds, len(own.labels))
        if curves:
            own_trials = {
                name: [trial for trial in one.trials[name] if trial.seed in own.seeds] for name, own in curves.items()
            }
            kept.append(replace(one, curves=curves, trials=own_trials))
    if not kept:
        raise ValueError(
            f"no trial has numbers for the metric {metric!r} in all its rounds; there are {', '.join(there)}"
        )
    return kept


def _note_seeds(curves: dict[str, Curves], setting: Setting, notes: list[str]) -> None:
    everyones = {seed for own in curves.values() for seed in own.seeds}
    for name, own in curves.items():
        if missing := sorted(everyones - set(own.seeds)):
            notes.append(
                f"{name} ({setting.place}) has no seed {_list(missing)}, which others have: "
                "compared on the seeds that both have"
            )


def note_versions(trials: Sequence[TrialResult], place: str, notes: list[str]) -> None:
    """Add to ``notes`` which versions differ among trials that are compared, if any do."""
    told = [trial.versions for trial in trials if trial.versions]
    differing = []
    for name in dict.fromkeys(name for versions in told for name in versions):
        found = list(dict.fromkeys(versions[name] for versions in told if name in versions))
        if len(found) > 1:
            differing.append(f"{name} {' and '.join(found)}")
    if differing:
        notes.append(
            f"{place}: trials of different versions are compared ({', '.join(differing)}), which may select "
            "and train differently: to be sure, run all of them again with one, in another folder"
        )


def _list(values: Sequence[int]) -> str:
    return ", ".join(map(str, values))
