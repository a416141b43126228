"""Numbers over paired seeds: means, standard errors, bootstrap intervals, areas under curves, labels saved."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from labelbench_direct.report.metrics import LOWER_IS_BETTER

Series = NDArray[np.float64]
RESAMPLES = 2000
EQUAL = 1e-9
"""Means of the same numbers that were added in another order differ by less: they are level."""


class Interval(NamedTuple):
    """An estimate with its 95% bootstrap interval; the bounds are NaN where there is a single seed."""

    value: float
    low: float
    high: float


@dataclass(frozen=True)
class Curves:
    """One strategy's trials: (seeds, rounds) of each metric, against the number of labels (rounds,).

    ``lower_is_better``: the metrics of which less is better; more is of all others.
    """

    labels: Series
    metrics: Mapping[str, Series]
    seeds: tuple[int, ...] = ()
    lower_is_better: frozenset[str] = LOWER_IS_BETTER

    def sign(self, metric: str) -> int:
        """What a difference of values is multiplied by to be above 0 where it is one to the better: 1 or -1."""
        return -1 if metric in self.lower_is_better else 1

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

    def band(self, metric: str) -> tuple[Series, Series]:
        """(rounds,) twice: the 95% bootstrap interval of the mean over the seeds."""
        means = resampling(len(self.metrics[metric])) @ self.metrics[metric]
        low, high = np.percentile(means, [2.5, 97.5], axis=0)
        return low, high

    def area(self, metric: str) -> Series:
        """(seeds,): the mean height of the curve over the labels from the first round to the last."""
        values = self.metrics[metric]
        if values.shape[1] == 1:
            return values[:, 0]
        widths = np.diff(self.labels)
        area: Series = ((values[:, 1:] + values[:, :-1]) / 2 @ widths) / widths.sum()
        return area

    def labels_to_reach(self, metric: str, value: float) -> int | None:
        """The labels of the first round whose mean is ``value`` or better; None when no round's is."""
        reached = np.flatnonzero(self.sign(metric) * (self.mean(metric) - value) >= -EQUAL)
        return int(self.labels[reached[0]]) if len(reached) else None

    def of_seeds(self, seeds: tuple[int, ...], rounds: int) -> Curves:
        """The same for some of the seeds, in that order, and the first rounds."""
        rows = [self.seeds.index(seed) for seed in seeds]
        metrics = {name: values[rows, :rounds] for name, values in self.metrics.items()}
        return Curves(self.labels[:rounds], metrics, seeds, self.lower_is_better)


@lru_cache(maxsize=32)
def resampling(num_seeds: int) -> Series:
    """(resamples, seeds): the weight of each seed's value in each resampled mean; the same ones every time."""
    counts = np.random.default_rng(0).multinomial(num_seeds, np.full(num_seeds, 1 / num_seeds), size=RESAMPLES)
    weights: Series = counts / num_seeds
    weights.setflags(write=False)
    return weights


def interval(values: Series) -> Interval:
    """The mean over seeds (seeds,) and its interval."""
    if len(values) < 2:
        return Interval(float(values.mean()), np.nan, np.nan)
    low, high = np.percentile(resampling(len(values)) @ values, [2.5, 97.5])
    return Interval(float(values.mean()), float(low), float(high))


def t_interval(values: Series) -> Interval:
    """The mean over seeds (seeds,) and its 95% interval by Student's t, wider than the bootstrap's of few seeds."""
    from scipy.special import stdtrit

    mean = float(values.mean())
    if len(values) < 2:
        return Interval(mean, np.nan, np.nan)
    half = float(stdtrit(len(values) - 1, 0.975) * values.std(ddof=1) / np.sqrt(len(values)))
    return Interval(mean, mean - half, mean + half)


def paired(ours: Curves, theirs: Curves) -> tuple[Curves, Curves] | None:
    """Both on the seeds and the rounds that they share; None when they share no seed."""
    seeds = tuple(seed for seed in ours.seeds if seed in theirs.seeds)
    if not seeds:
        return None
    rounds = min(len(ours.labels), len(theirs.labels))
    return ours.of_seeds(seeds, rounds), theirs.of_seeds(seeds, rounds)


def lead(ours: Curves, theirs: Curves, metric: str) -> Interval | None:
    """By how much our curve is better on average, by paired seeds, below 0 where it is worse; None when they share no
    seed.
    """
    pair = paired(ours, theirs)
    if pair is None:
        return None
    leads = ours.sign(metric) * (pair[0].area(metric) - pair[1].area(metric))
    return interval(np.where(abs(leads) < EQUAL, 0, leads))


def needed(ours: Curves, theirs: Curves, metric: str) -> tuple[int | None, int] | None:
    """The labels that we need to reach their final mean, by paired seeds, None where we never do; and the labels that
    they took. None when they share no seed.
    """
    pair = paired(ours, theirs)
    if pair is None:
        return None
    return pair[0].labels_to_reach(metric, pair[1].mean(metric)[-1]), int(pair[1].labels[-1])


def saved(ours: Curves, theirs: Curves, metric: str) -> Interval | None:
    """The share of their labels that we don't need to reach their final mean, by paired seeds.

    Minus infinity stands for never reaching it. None when they share no seed.
    """
    pair = paired(ours, theirs)
    if pair is None:
        return None
    (our_values, their_values) = (ours.sign(metric) * curves.metrics[metric] for curves in pair)
    num_seeds = len(our_values)
    weights = np.vstack([np.full(num_seeds, 1 / num_seeds), resampling(num_seeds)])
    our_means, their_finals = weights @ our_values, weights @ their_values[:, -1]
    reached = our_means >= their_finals[:, None] - EQUAL
    needed = np.where(reached.any(axis=1), pair[0].labels[reached.argmax(axis=1)], np.inf)
    shares = 1 - needed / pair[1].labels[-1]
    if num_seeds < 2:
        return Interval(float(shares[0]), np.nan, np.nan)
    low, high = np.quantile(shares[1:], [0.025, 0.975], method="inverted_cdf")  # picks: never and a number don't mix
    return Interval(float(shares[0]), float(low), float(high))
