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
from labelbench_direct.hosts.metrics import BALANCED_TEST, RAREST
from labelbench_direct.report.drawing import plain
from labelbench_direct.report.read import read_trial
from labelbench_direct.report.results import NUM_LABELED, TrialResult
from labelbench_direct.report.statistics import EQUAL, Curves, Interval, paired, t_interval

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
    noise: Noise
    head: str
    data: str
    curves: dict[str, Curves]
    seconds: dict[str, float | None]
    """The mean time of a selection, None where no time is known."""
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
        if isinstance(self.noise, tuple):
            return f"wrong labels by {describe_noise(self.noise)}"
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
        leads = pair[0].metrics[METRIC].mean(axis=1) - pair[1].metrics[METRIC].mean(axis=1)
        return t_interval(np.where(abs(leads) < EQUAL, 0, leads))

    def shared(self, name: str, other: str) -> tuple[int, ...]:
        """The seeds that two strategies have."""
        pair = paired(self.curves[name], self.curves[other])
        return () if pair is None else pair[0].seeds

    def below(self, bar: float, name: str, seeds: Sequence[int]) -> int:
        """How many of these seeds end below the bar."""
        finals = dict(zip(self.curves[name].seeds, self.final(name).tolist(), strict=True))
        return sum(finals[seed] < bar for seed in seeds)

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


def read_cases(
    experiments: Mapping[str, Experiment], folder: Path, notes: list[str]
) -> tuple[list[Case], list[TrialResult]]:
    """The cases in the order of the experiments, those of one title together, and all finished trials; in ``notes``
    those that cannot be read.

    Raises ValueError where trials of one data file saw different contents of it.
    """
    found: dict[tuple[str, str], dict[str, list[TrialResult]]] = {}
    stated: dict[tuple[str, str], dict[str, int]] = {}
    cases: dict[tuple[str, str], tuple[str, Experiment, Noise]] = {}
    seen = set[tuple[str, str]]()
    for name, experiment in experiments.items():
        for trial in experiment.trials():
            title = experiment.title or name
            if (title, trial.identifier) in seen:  # which two files state
                continue
            seen.add((title, trial.identifier))
            key = title, describe_noise(trial.noise)
            by_label = stated.setdefault(key, {})
            by_label[label(trial)] = by_label.get(label(trial), 0) + 1
            try:
                result = _finished(folder / trial.identifier)
            except (ValueError, OSError) as error:
                notes.append(f"{error}: left out")
                continue
            if result is not None:
                found.setdefault(key, {}).setdefault(label(trial), []).append(result)
        for level in experiment.noise:
            cases.setdefault((experiment.title or name, describe_noise(level)), (name, experiment, level))
    everything = [result for by_label in found.values() for own in by_label.values() for result in own]
    _check_same_data(everything)
    return [_case(*case, found.get(key, {}), stated[key]) for key, case in cases.items()], everything


def _finished(path: Path) -> TrialResult | None:
    """The trial of a folder, None until it is finished. Raises OSError or ValueError where it cannot be read."""
    if not read_lines(path / ROUNDS):
        return None
    result = read_trial(path)
    if not np.isfinite(result.metrics.get(METRIC, np.nan)).all():
        raise ValueError(f"{path} has rounds without {METRIC!r}")
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
    name: str, experiment: Experiment, noise: Noise, trials: dict[str, list[TrialResult]], stated: dict[str, int]
) -> Case:
    data, _, head = plain(experiment.title).partition("; ")
    data, head = data or name, head or f"{experiment.model['name']}, {experiment.trainer['name']}"
    some = [trial for own in trials.values() for trial in own]
    quality = [trial.pool["labels"] for trial in some if trial.pool and "labels" in trial.pool]
    return Case(
        experiment=name,
        title=f"{data}; {head}",
        noise=noise,
        head=head,
        data=data,
        curves={strategy: _curves(trials[strategy]) for strategy in stated if strategy in trials},
        seconds={strategy: _seconds(own) for strategy, own in trials.items()},
        stated=stated,
        quality={key: float(np.mean([one[key] for one in quality])) for key in (quality[0] if quality else ())},
        counts=tuple(some[0].class_counts.astype(int).tolist()) if some and some[0].class_counts is not None else (),
    )


def _seconds(trials: Sequence[TrialResult]) -> float | None:
    seconds = np.concatenate([trial.select_seconds[1:] for trial in trials])
    known = seconds[np.isfinite(seconds)]
    return float(known.mean()) if len(known) else None


def _curves(trials: Sequence[TrialResult]) -> Curves:
    ordered = sorted(trials, key=lambda trial: trial.seed)
    known = [name for name in (METRIC, RAREST) if all(name in trial.metrics for trial in ordered)]
    metrics = {name: np.array([trial.metrics[name] for trial in ordered]) for name in known}
    return Curves(ordered[0].metrics[NUM_LABELED], metrics, tuple(trial.seed for trial in ordered))
