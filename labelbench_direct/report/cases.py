"""The evidence's trials put together: by experiment and noise level into cases, complete trials alone."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from labelbench_direct.experiment.noise import GIVEN, Noise, describe_noise
from labelbench_direct.experiment.pools import ROUNDS, tell_apart
from labelbench_direct.experiment.schema import Experiment, Trial
from labelbench_direct.experiment.storage import read_lines
from labelbench_direct.hosts.metrics import BALANCED_TEST
from labelbench_direct.report.read import read_trial
from labelbench_direct.report.results import NUM_LABELED, TrialResult
from labelbench_direct.report.statistics import Curves, Interval, paired, t_interval

METRIC = BALANCED_TEST
DIRECT = "direct"
_USUAL_PARALLEL = 5
_FEWEST = 3  # seeds of which an interval says something


@dataclass(frozen=True)
class Case:
    """One data set, noise level and way of training. ``curves``: by strategy, over its finished seeds."""

    experiment: str
    title: str
    """Of data and head, from the experiment's file."""
    noise: float | str
    """A share, or ``given``."""
    head: str
    data: str
    curves: dict[str, Curves]
    seconds: dict[str, float]
    """The mean time of a selection."""
    stated: dict[str, int]
    """How many seeds of each strategy the file states."""
    quality: dict[str, float] = field(default_factory=dict)
    """The shares of wrong labels, means over the seeds."""
    counts: tuple[int, ...] = ()

    @property
    def noise_title(self) -> str:
        """For people."""
        if not self.noise:
            return "no wrong labels"
        return f"{describe_noise(self.noise)} {'labels' if self.noise == GIVEN else 'wrong labels'}"

    @property
    def is_noisy(self) -> bool:
        return bool(self.noise)

    def final(self, name: str) -> np.ndarray[tuple[int], np.dtype[np.float64]]:
        """(seeds,): the metric after the last round."""
        return self.curves[name].metrics[METRIC][:, -1]

    def lead(self, name: str, other: str) -> Interval | None:
        """By how much ``name``'s mean over the rounds is above ``other``'s, over the seeds that both have: 95% by
        Student's t. None where they share fewer than three.
        """
        pair = paired(self.curves[name], self.curves[other])
        if pair is None or len(pair[0].seeds) < _FEWEST:
            return None
        return t_interval(pair[0].metrics[METRIC].mean(axis=1) - pair[1].metrics[METRIC].mean(axis=1))

    def best(self) -> list[str]:
        """The strategy with the highest mean over the rounds, then those that are not beyond doubt below it; of those
        with at least half as many finished seeds as any.
        """
        reference = max(self.curves, key=lambda name: len(self.curves[name].seeds))
        most = len(self.curves[reference].seeds)
        leads = {name: self.lead(name, reference) for name, own in self.curves.items() if 2 * len(own.seeds) >= most}
        names = sorted((name for name, by in leads.items() if by is not None), key=lambda name: -_value(leads[name]))
        tied = []
        for name in names[1:]:
            by = self.lead(name, names[0])
            if by is not None and by.high >= 0:
                tied.append(name)
        return names[:1] + tied


def _value(by: Interval | None) -> float:
    return -np.inf if by is None else by.value


def label(trial: Trial) -> str:
    """A strategy's name, with B_parallel where it is not the usual one and with whatever else is stated."""
    options = {key: value for key, value in trial.strategy.items() if key != "strategy_name"}
    if options.get("B1") == _USUAL_PARALLEL:
        del options["B1"]
    return " ".join([trial.strategy["strategy_name"], *(f"{key}={value}" for key, value in options.items())])


def read_cases(experiments: Mapping[str, Experiment], folder: Path) -> tuple[list[Case], list[TrialResult]]:
    """The cases in the order of the experiments, those of one title together, and all finished trials.

    Raises ValueError where trials of one data file saw different contents of it.
    """
    found: dict[tuple[str, str], dict[str, list[TrialResult]]] = {}
    stated: dict[tuple[str, str], dict[str, int]] = {}
    for experiment in experiments.values():
        for trial in experiment.trials():
            key = experiment.title, str(trial.noise)
            by_label = stated.setdefault(key, {})
            by_label[label(trial)] = by_label.get(label(trial), 0) + 1
            result = _finished(folder / trial.identifier)
            if result is not None:
                found.setdefault(key, {}).setdefault(label(trial), []).append(result)
    cases: dict[tuple[str, str], tuple[str, Experiment, Noise]] = {}
    for name, experiment in experiments.items():
        for level in experiment.noise:
            cases.setdefault((experiment.title, str(level)), (name, experiment, level))
    everything = [result for by_label in found.values() for own in by_label.values() for result in own]
    _check_same_data(everything)
    return [_case(*case, found.get(key, {}), stated[key]) for key, case in cases.items()], everything  # type: ignore[arg-type]


def _finished(path: Path) -> TrialResult | None:
    if not read_lines(path / ROUNDS):
        return None
    result = read_trial(path)
    return result if result.rounds is None else None


def _check_same_data(trials: Sequence[TrialResult]) -> None:
    by_name: dict[str, list[TrialResult]] = {}
    for trial in trials:
        by_name.setdefault(trial.setting.dataset, []).append(trial)
    for dataset, own in by_name.items():
        keys = tell_apart([trial.pool for trial in own if trial.pool is not None])
        if len(set(keys)) > 1:
            other = next(trial for trial, key in zip(own, keys, strict=True) if key != keys[0])
            raise ValueError(
                f"{own[0].path} and {other.path} saw different data by the name {dataset}: move one of them away"
            )


def _case(
    name: str, experiment: Experiment, noise: float | str, trials: dict[str, list[TrialResult]], stated: dict[str, int]
) -> Case:
    data, _, head = experiment.title.partition("; ")
    some = [trial for own in trials.values() for trial in own]
    quality = [trial.pool["labels"] for trial in some if trial.pool]
    return Case(
        experiment=name,
        title=experiment.title,
        noise=noise,
        head=head,
        data=data,
        curves={strategy: _curves(trials[strategy]) for strategy in stated if strategy in trials},
        seconds={
            strategy: float(np.mean([trial.select_seconds[1:].mean() for trial in own]))
            for strategy, own in trials.items()
        },
        stated=stated,
        quality={key: float(np.mean([one[key] for one in quality])) for key in (quality[0] if quality else ())},
        counts=tuple(some[0].class_counts.astype(int).tolist()) if some and some[0].class_counts is not None else (),
    )


def _curves(trials: Sequence[TrialResult]) -> Curves:
    ordered = sorted(trials, key=lambda trial: trial.seed)
    metrics = {METRIC: np.array([trial.metrics[METRIC] for trial in ordered])}
    return Curves(ordered[0].metrics[NUM_LABELED], metrics, tuple(trial.seed for trial in ordered))
