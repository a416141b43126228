"""What curves show, in a table and in a sentence, wins and losses alike."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence

from labelbench_direct.hosts.metrics import BALANCED_TEST
from labelbench_direct.report.drawing import plain
from labelbench_direct.report.groups import Group
from labelbench_direct.report.statistics import Curves, Series, lead


def saved_table(curves: Mapping[str, Curves], metric: str = BALANCED_TEST) -> str:
    """Markdown: for each strategy (row) its final value, its paired lead over the rounds, and the labels that it
    needs to reach each other's (column's) final value, with the share of that one's labels that it saves.
    """
    names = list(curves)
    first, sign = curves[names[0]].metrics[metric], curves[names[0]].sign(metric)
    rows = [["", "final", "lead", *names]]
    for name, curve in curves.items():
        row = [name, _with_error(curve.metrics[metric][:, -1])]
        leads = sign * (curve.metrics[metric] - first).mean(axis=1)
        row.append("" if name == names[0] else _with_error(leads, signed=True))
        for other in curves.values():
            if other is curve:
                row.append("")
                continue
            needed = curve.labels_to_reach(metric, other.mean(metric)[-1])
            total = int(other.labels[-1])
            row.append("never" if needed is None else f"{needed} ({1 - needed / total:.0%})")
        rows.append(row)
    note = _TABLE_NOTE.format(metric=metric.lower(), lead=_LEAD[sign].format(first=names[0]))
    return f"{markdown(rows)}\n\n{note}"


_LEAD = {
    1: "mean over the rounds, less {first}'s of the same seed",
    -1: "{first}'s mean over the rounds of the same seed, less its own: less is better",
}
_TABLE_NOTE = """\
final: {metric} with all labels. lead: {lead}.
± is the standard error over seeds. Under a strategy's name: the labels that the row's strategy
needs to reach that one's final value, and the share of them that it saves."""


def markdown(rows: list[list[str]]) -> str:
    """A table with its columns aligned; the first row is the head."""
    rows = [[plain(cell).replace("|", "\\|") for cell in row] for row in rows]
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
    best = _best(curves, metric)
    end = f"{_final(curves, metric)} is {best}'s, {curves[best].mean(metric)[-1]:.3f}"
    return f"{names[0]} {' and '.join(parts)}; {end}." if parts else f"{end[0].upper()}{end[1:]}."


def _best(curves: Mapping[str, Curves], metric: str) -> str:
    """The strategy with the best final value."""
    return max(curves, key=lambda name: float(curves[name].sign(metric) * curves[name].mean(metric)[-1]))


def _final(curves: Mapping[str, Curves], metric: str) -> str:
    """What the best final value is called."""
    sign = next(iter(curves.values())).sign(metric)
    return f"the {'highest' if sign > 0 else 'lowest'} final {metric.lower()}"


def _with_error(values: Series, signed: bool = False) -> str:
    """Mean and standard error over seeds."""
    mean = f"{values.mean():+.3f}" if signed else f"{values.mean():.3f}"
    return mean if len(values) == 1 else f"{mean} ± {values.std(ddof=1) / len(values) ** 0.5:.3f}"


def sentence(groups: Sequence[Group], metric: str = BALANCED_TEST) -> str:
    """What all settings show of the strategy that leads them, losses as loudly as wins."""
    if len(groups) == 1:
        return conclusion(groups[0].curves, metric) + _verdicts(groups, metric)
    best = Counter(_best(one.curves, metric) for one in groups)
    wins = ", ".join(f"{name} in {count}" for name, count in best.most_common())
    return f"Of {len(groups)} settings, {_final(groups[0].curves, metric)} is that of {wins}." + _verdicts(
        groups, metric
    )


_VERDICTS = ("ahead of", "behind", "level with")
_MOST_NAMED = 12


def _verdicts(groups: Sequence[Group], metric: str) -> str:
    """How often each leader is ahead, behind and neither, beyond the 95% interval of the paired seeds."""
    found: dict[str, dict[str, Counter[str]]] = {}
    for one in groups:
        for name, own in list(one.curves.items())[1:]:
            by = lead(one.curves[one.leader], own, metric)
            if by is None or not by.low <= by.high:
                continue
            verdict = _VERDICTS[0 if by.low > 0 else 1 if by.high < 0 else 2]
            found.setdefault(one.leader, {}).setdefault(verdict, Counter())[name] += 1
    parts = []
    for leader, verdicts in found.items():
        compared = sum(verdicts.values(), Counter[str]())
        said = "; ".join(
            f"{one} {_named(verdicts[one], compared, len(groups))}" for one in _VERDICTS if one in verdicts
        )
        of = "settings that have both; " if len(groups) > 1 else ""
        parts.append(f" Over the whole curve {leader} is {said} ({of}95% intervals of paired seeds).")
    return "".join(parts)


def _named(names: Counter[str], compared: Counter[str], num_settings: int) -> str:
    """Each name once, with the settings that it holds in, out of those where the two were ``compared``."""
    if len(compared) > _MOST_NAMED:
        return f"others in {names.total()} of {compared.total()} comparisons"
    if num_settings == 1:
        return ", ".join(names)
    return ", ".join(f"{name} in {count} of {compared[name]}" for name, count in names.items())
