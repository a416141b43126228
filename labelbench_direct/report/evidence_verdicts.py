"""What the evidence's cases say: which strategy for which data, who is ahead and behind, which goals are reached."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from textwrap import indent

import numpy as np

from labelbench_direct.experiment.noise import GIVEN, Noise
from labelbench_direct.hosts.metrics import RAREST
from labelbench_direct.report.cases import DIRECT, METRIC, Case
from labelbench_direct.report.evidence_text import (
    CLEAN_LINEAR,
    GOALS_NOTE,
    HEADS,
    WHY_BELOW_RANDOM,
    WHY_NOT_BEST,
    WHY_NOT_SAVED,
    WHY_WORSE,
)
from labelbench_direct.report.statistics import saved
from labelbench_direct.report.summary import markdown

EXPLORE = "direct_explore"
_MAIN = (DIRECT, EXPLORE, "random", "margin", "galaxy")
_SAVING = ("cifar10_k3", "cifar10_k2_rare")  # the experiments of which labels saved are a goal
_MOST_NAMED = 3
_NEAR_CHANCE = 0.1


def maps(cases: Sequence[Case]) -> list[str]:
    """For each way of training a table: data by noise, and in it the best strategies."""
    parts = []
    for head in dict.fromkeys(case.head for case in cases):
        own = [case for case in cases if case.head == head]
        levels = sorted({case.noise for case in own}, key=_share_of)
        rows = [["data", *[next(case.noise_title for case in own if case.noise == level) for level in levels]]]
        for data in dict.fromkeys(case.data for case in own):
            found = {case.noise: case for case in own if case.data == data}
            rows.append([data, *[_cell(found[level]) if level in found else "" for level in levels]])
        parts += [f"### {head[0].upper()}{head[1:]}", HEADS.get(head, ""), markdown(rows)]
    return [part for part in parts if part]


def _share_of(noise: Noise) -> float:
    """What levels of noise are sorted by: matrices and annotators come last."""
    return noise if isinstance(noise, (int, float)) else 1.0


def _cell(case: Case) -> str:
    """The best strategies (of more than three, how many), and DIRECT's distance to the first."""
    best = case.best()
    if not best:
        return "too few seeds"
    first, *tied = best
    text = f"**{first}** {case.final(first).mean():.3f}"
    if tied:
        text += f", level: {', '.join(tied)}" if len(tied) <= _MOST_NAMED else f", level: {len(tied)} others"
    by = case.lead(DIRECT, first) if first != DIRECT and DIRECT in case.curves else None
    return text + (f"; direct {by.value:+.3f}" if by is not None else "")


def weights(cases: Sequence[Case]) -> str:
    """The final values under torch's weights and under examples' own, where there are both, and the highest of all."""
    rows = [["final, torch's weights and examples'", *_MAIN, "highest of both"]]
    for case in cases:
        key = (f"{case.experiment}_example", case.noise)
        other = next((one for one in cases if (one.experiment, one.noise) == key), None)
        if other is None:
            continue
        finals = {
            (name, weights): float(own.final(name).mean())
            for own, weights in ((case, "torch's"), (other, "examples'"))
            for name in _MAIN
            if name in own.curves
        }
        cells = [", ".join(f"{finals[name, weights]:.3f}" if (name, weights) in finals else "?"
                           for weights in ("torch's", "examples'")) for name in _MAIN]  # fmt: skip
        name, weights = max(finals, key=lambda pair: finals[pair], default=("", ""))
        rows.append([f"{case.data}, {case.noise_title}", *cells, f"{name}, {weights} weights"])
    return markdown(rows)


def _groups(cases: Sequence[Case]) -> dict[tuple[str, bool], list[Case]]:
    """By head and whether labels are wrong."""
    groups: dict[tuple[str, bool], list[Case]] = {}
    for case in cases:
        groups.setdefault((case.head, case.is_noisy), []).append(case)
    return groups


def _count(cases: Sequence[Case], name: str, other: str) -> dict[str, list[Case]]:
    """In which settings ``name`` is ahead of, level with and behind another strategy."""
    counts: dict[str, list[Case]] = {"ahead": [], "level": [], "behind": []}
    for case in cases:
        if verdict := _verdict(case, name, other):
            counts[verdict].append(case)
    return counts


def short(cases: Sequence[Case]) -> list[str]:
    """How often DIRECT is ahead and behind, by head and noise, in sentences."""
    lines = []
    for (head, is_noisy), own in _groups(cases).items():
        said = []
        for name, other in (*((DIRECT, rival) for rival in _MAIN[2:]), (EXPLORE, DIRECT)):
            counts = _count(own, name, other)
            if any(counts.values()):
                numbers = f"{len(counts['ahead'])} ahead, {len(counts['level'])} level, {len(counts['behind'])} behind"
                said.append(f"`{name}` against {other} {numbers}")
        if said:
            labels = "wrong labels" if is_noisy else "no wrong labels"
            plural = "s" if len(own) > 1 else ""
            head = f"{head[0].upper()}{head[1:]}"
            lines.append(f"- **{head}, {labels}** ({len(own)} setting{plural}): {'; '.join(said)}.")
    clean = _count([case for case in cases if case.head == "linear head" and not case.is_noisy], DIRECT, "margin")
    if len(clean["behind"]) > len(clean["ahead"]):
        lines.append(CLEAN_LINEAR)
    return ["\n".join(lines)]


def verdicts(cases: Sequence[Case]) -> str:
    """How often DIRECT is ahead of, level with and behind each strategy, by head and noise."""
    rows = [["", "training", "ahead", "level", "behind", "behind in"]]
    for (head, is_noisy), own in _groups(cases).items():
        for name in dict.fromkeys(name for case in own for name in case.curves if name != DIRECT):
            counts = _count(own, DIRECT, name)
            if any(counts.values()):
                where = "; ".join(f"{case.data}, {case.noise_title}" for case in counts["behind"])
                training = f"{head}, {'wrong labels' if is_noisy else 'no wrong labels'}"
                rows.append([name, training, *[str(len(found)) for found in counts.values()], where])
    return markdown(rows)


def overall(cases: Sequence[Case]) -> str:
    """Each strategy, and each option of DIRECT, against it over all settings that have both."""
    rows = [["", "settings", "seeds", "mean lead", "ahead, level, behind", "most ahead", "most behind",
             "stuck (direct's)", "below random (direct's)"]]  # fmt: skip
    for name in dict.fromkeys(name for case in cases for name in case.curves if name != DIRECT):
        own = [case for case in cases if {name, DIRECT} <= set(case.curves)]
        leads = [(by, case) for case in own if (by := case.lead(name, DIRECT)) is not None]
        if not leads:
            continue
        counts = _count(own, name, DIRECT)
        seeds = [len(case.shared(name, DIRECT)) for _, case in leads]
        ends = [pick(leads, key=lambda pair: pair[0].value) for pick in (max, min)]
        chance = [(case, 1 / len(case.counts) + _NEAR_CHANCE) for _, case in leads]
        random = [(case, float(case.final("random").mean())) for _, case in leads
                  if case.is_noisy and "random" in case.curves]  # fmt: skip
        rows.append([
            name, str(len(leads)), f"{min(seeds)}" if min(seeds) == max(seeds) else f"{min(seeds)} to {max(seeds)}",
            f"{np.mean([by.value for by, _ in leads]):+.4f}", ", ".join(str(len(found)) for found in counts.values()),
            *[f"{by.value:+.3f} [{by.low:+.3f}, {by.high:+.3f}] {case.data}, {case.noise_title} ({case.head})"
              for by, case in ends],
            *[_seeds_below(bars, name) for bars in (chance, random)],
        ])  # fmt: skip
    return markdown(rows)


def _seeds_below(bars: Sequence[tuple[Case, float]], name: str) -> str:
    """How many seeds end below the bar of their setting, and in brackets how many of ``direct``'s."""
    own, direct = (sum(case.below(bar, one, case.shared(name, DIRECT)) for case, bar in bars) for one in (name, DIRECT))
    return f"{own} ({direct})"


def _verdict(case: Case, name: str, other: str) -> str:
    by = case.lead(name, other) if name in case.curves and other in case.curves else None
    return "" if by is None else "ahead" if by.low > 0 else "behind" if by.high < 0 else "level"


def goals(cases: Sequence[Case]) -> list[str]:
    """Each goal with yes or no, and where it fails."""
    noisy = [case for case in cases if case.is_noisy and DIRECT in case.curves]
    return [
        GOALS_NOTE,
        _goal("`direct` best or level with the best of the other strategies, wherever labels are wrong",
              noisy, _is_best, WHY_NOT_BEST),
        _goal(f"`{EXPLORE}` nowhere worse than `direct`", [case for case in cases if EXPLORE in case.curves],
              lambda case: _failed(_verdict(case, EXPLORE, DIRECT) == "behind", case, EXPLORE, DIRECT), WHY_WORSE),
        _goal(
            f"`{EXPLORE}` at least level with `galaxy` where a class has no label at first (digits, 1:99)",
            [case for case in cases if case.experiment == "digits_unseen" and {EXPLORE, "galaxy"} <= set(case.curves)],
            lambda case: _failed(_verdict(case, EXPLORE, "galaxy") == "behind", case, EXPLORE, "galaxy"),
        ),
        _goal(f"no seed of `{EXPLORE}` below random sampling's mean, wherever labels are wrong",
              [case for case in noisy if EXPLORE in case.curves and "random" in case.curves], _worst_seed,
              WHY_BELOW_RANDOM),
        _goal("annotators' own labels, K 3 and 1:99: 60% of the labels saved against random sampling, 40% against the "
              "best other strategy",
              [case for case in noisy if case.noise == GIVEN and case.experiment.startswith(_SAVING)], _saves,
              WHY_NOT_SAVED),
    ]  # fmt: skip


def _goal(text: str, cases: Sequence[Case], fails: Callable[[Case], str], why: str = "") -> str:
    if not cases:
        return f"- **Not known**: {text}: no trials of it are finished."
    failures = [failure for case in cases if (failure := fails(case))]
    if not failures:
        return f"- **Yes**: {text}. In {'the one setting' if len(cases) == 1 else f'all {len(cases)} settings'}."
    listed = "\n".join(f"  - {failure}" for failure in failures)
    said = f"- **No**: {text}. Not so in {len(failures)} of {len(cases)}:\n{listed}"
    return f"{said}\n\n{indent(why, '  ')}" if why else said


def _failed(is_failure: bool, case: Case, name: str, other: str) -> str:
    by = case.lead(name, other)
    if not is_failure or by is None:
        return ""
    said = f"{case.data}, {case.noise_title} ({case.head}): {by.value:+.3f} against {other}"
    found = [f"{own.mean(RAREST)[-1]:,.0f}" for own in (case.curves[name], case.curves[other]) if RAREST in own.metrics]
    return f"{said} ({', '.join(found)})" if found else said


def _is_best(case: Case) -> str:
    others = [name for name in case.curves if not name.startswith("direct")]
    ahead = [name for name in others if _verdict(case, DIRECT, name) == "behind"]
    if not ahead:
        return ""
    best = max(ahead, key=lambda name: case.curves[name].metrics[METRIC].mean())
    return _failed(True, case, DIRECT, best)


def _worst_seed(case: Case) -> str:
    seeds = case.curves[EXPLORE].seeds
    below = case.below(float(case.final("random").mean()), EXPLORE, seeds)
    return f"{case.data}, {case.noise_title} ({case.head}): {below} of {len(seeds)} seeds" if below else ""


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
