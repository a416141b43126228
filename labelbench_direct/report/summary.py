"""What curves show, in a table and in a sentence, wins and losses alike."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from labelbench_direct.hosts.metrics import BALANCED_TEST
from labelbench_direct.report.groups import Group
from labelbench_direct.report.statistics import Curves, Series, lead


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
    return f"{markdown(rows)}\n\n{_TABLE_NOTE.format(metric=metric.lower(), first=names[0])}"


_TABLE_NOTE = """\
final: {metric} with all labels. lead: mean over the rounds, less {first}'s of the same seed.
± is the standard error over seeds. Under a strategy's name: the labels that the row's strategy
needs to reach that one's final value, and the share of them that it saves."""


def markdown(rows: list[list[str]]) -> str:
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
    return mean if len(values) == 1 else f"{mean} ± {values.std(ddof=1) / len(values) ** 0.5:.3f}"


def sentence(groups: Sequence[Group], metric: str = BALANCED_TEST) -> str:
    """What all settings show of the strategy that leads them, losses as loudly as wins."""
    if len(groups) == 1:
        return conclusion(groups[0].curves, metric) + _verdicts(groups, metric)
    best: dict[str, int] = {}
    for one in groups:
        winner = max(one.curves, key=lambda name: float(one.curves[name].mean(metric)[-1]))
        best[winner] = best.get(winner, 0) + 1
    ranking = sorted(best.items(), key=lambda item: -item[1])
    wins = ", ".join(f"{name} in {count}" for name, count in ranking)
    return f"Of {len(groups)} settings, the highest final {metric.lower()} is that of {wins}." + _verdicts(
        groups, metric
    )


def _verdicts(groups: Sequence[Group], metric: str) -> str:
    """How often each leader is ahead, behind and neither, beyond the 95% interval of the paired seeds."""
    counts: dict[str, dict[str, list[str]]] = {}
    for one in groups:
        for name, own in list(one.curves.items())[1:]:
            by = lead(one.curves[one.leader], own, metric)
            if by is None or not by.low <= by.high:
                continue
            verdict = "ahead of" if by.low > 0 else "behind" if by.high < 0 else "level with"
            counts.setdefault(one.leader, {}).setdefault(verdict, []).append(name)
    parts = []
    for leader, verdicts in counts.items():
        total = sum(map(len, verdicts.values()))
        said = [f"{verdict} {_names(names, total)}" for verdict, names in verdicts.items()]
        parts.append(f" Over the whole curve {leader} is {'; '.join(said)} (95% intervals of paired seeds).")
    return "".join(parts)


def _names(names: list[str], total: int) -> str:
    if total > 12:
        return f"others in {len(names)} of {total} comparisons"
    return ", ".join(names)
