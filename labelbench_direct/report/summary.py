"""What curves show, in a table and in a sentence, wins and losses alike."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence

from labelbench_direct.hosts.metrics import BALANCED_TEST
from labelbench_direct.report.drawing import plain
from labelbench_direct.report.groups import Group
from labelbench_direct.report.statistics import EQUAL, Curves, Series, lead, needed, paired


def saved_table(curves: Mapping[str, Curves], metric: str = BALANCED_TEST) -> str:
    """Markdown: for each strategy (row) its final value, its paired lead over the rounds, and the labels that it
    needs to reach each other's (column's) final value, with the share of that one's labels that it saves.
    """
    names = list(curves)
    first, sign = curves[names[0]], curves[names[0]].sign(metric)
    rows = [["", "final", "lead", *names]]
    for name, curve in curves.items():
        row = [name, _with_error(curve.metrics[metric][:, -1])]
        pair = paired(curve, first) if name != names[0] else None
        leads = pair and sign * (pair[0].metrics[metric] - pair[1].metrics[metric]).mean(axis=1)
        row.append("" if leads is None else _with_error(leads, signed=True))
        rows.append(row + ["" if other is curve else _needed(curve, other, metric) for other in curves.values()])
    note = _TABLE_NOTE.format(metric=metric.lower(), lead=_LEAD[sign].format(first=names[0]))
    return f"{markdown(rows)}\n\n{note}"


def _needed(ours: Curves, theirs: Curves, metric: str) -> str:
    found = needed(ours, theirs, metric)
    if found is None:
        return "no common seed"
    labels, total = found
    return "never" if labels is None else f"{labels} ({1 - labels / total:.0%})"


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
    first, *others = curves
    reached: dict[int, list[str]] = {}
    never: dict[int, list[str]] = {}
    for name in others:
        found = needed(curves[first], curves[name], metric)
        if found is not None:
            labels, total = found
            said, text = (never, name) if labels is None else (reached, f"{name} with {labels}")
            said.setdefault(total, []).append(text)
    parts = [
        f"{verb} " + ", ".join(f"what {total} labels give {', '.join(names)}" for total, names in said.items())
        for verb, said in (("reaches", reached), ("does not reach", never))
        if said
    ]
    best, value = _best(curves, metric)
    owners = " and ".join(f"{name}'s" for name in best)
    end = f"{_final([curves], metric)} is {owners}, {value:.3f}"
    return f"{first} {' and '.join(parts)}; {end}." if parts else f"{end[0].upper()}{end[1:]}."


def _best(curves: Mapping[str, Curves], metric: str) -> tuple[list[str], float]:
    """The strategies with the best value after the last round that all have, several where they are level, and that
    value; over the seeds that all have, if there are any.
    """
    rounds = min(len(own.labels) for own in curves.values())
    common = set.intersection(*(set(own.seeds) for own in curves.values()))
    values = {}
    for name, own in curves.items():
        seeds = tuple(seed for seed in own.seeds if seed in common) or own.seeds
        values[name] = float(own.of_seeds(seeds, rounds).mean(metric)[-1])
    best = max(values.values(), key=lambda value: next(iter(curves.values())).sign(metric) * value)
    return [name for name, value in values.items() if abs(value - best) < EQUAL], best


def _final(settings: Sequence[Mapping[str, Curves]], metric: str) -> str:
    """What the best value is called that ``_best`` finds in some settings."""
    sign = next(iter(settings[0].values())).sign(metric)
    is_final = all(len({len(own.labels) for own in curves.values()}) == 1 for curves in settings)
    what = f"final {metric.lower()}" if is_final else f"{metric.lower()} after the last round that all have"
    return f"the {'highest' if sign > 0 else 'lowest'} {what}"


def _with_error(values: Series, signed: bool = False) -> str:
    """Mean and standard error over seeds."""
    mean = f"{values.mean():+.3f}" if signed else f"{values.mean():.3f}"
    return mean if len(values) == 1 else f"{mean} ± {values.std(ddof=1) / len(values) ** 0.5:.3f}"


def sentence(groups: Sequence[Group], metric: str = BALANCED_TEST) -> str:
    """What all settings show of the strategy that leads them, losses as loudly as wins."""
    if len(groups) == 1:
        return conclusion(groups[0].curves, metric) + _verdicts(groups, metric)
    best = Counter(name for one in groups for name in _best(one.curves, metric)[0])
    wins = ", ".join(f"{name} in {count}" for name, count in best.most_common())
    end = _final([one.curves for one in groups], metric)
    return f"Of {len(groups)} settings, {end} is that of {wins}." + _verdicts(groups, metric)


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
