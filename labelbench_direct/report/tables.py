"""The tables of a report's page."""

from __future__ import annotations

import numpy as np

from labelbench_direct.hosts.metrics import RAREST
from labelbench_direct.report.groups import Group
from labelbench_direct.report.page import Table
from labelbench_direct.report.statistics import Interval, interval, lead, saved


def numbers(one: Group, metric: str) -> Table:
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
    head = ["", "seeds", "labels", "final", "area", f"lead on {one.leader}", "rarest class", "s a selection"]
    note = (
        f"final: {metric} with all labels; area: its mean over the labels; lead on {one.leader}: the difference in "
        f"area by paired seeds, above 0 where {'more' if own.sign(metric) > 0 else 'less'} of it is better than "
        f"{one.leader}'s; rarest class: its labels at the end; s a selection: median seconds. [95% bootstrap interval]"
    )
    return Table("Numbers", head, rows, note)


def shares_saved(one: Group, metric: str) -> Table:
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
