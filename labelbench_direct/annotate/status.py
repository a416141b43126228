"""How a job stands, as plain data, and in words for whoever pays for the labels."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict
from datetime import datetime, timezone
from typing import Any

import numpy as np

from labelbench_direct.annotate.cuts import cut_of, positions, suspicions
from labelbench_direct.annotate.files import UNKNOWN
from labelbench_direct.annotate.ledger import CANNOT_TELL, Item
from labelbench_direct.annotate.state import State
from labelbench_direct.core.types import Mask

RECENT = 100
"""The labels that show what the next ones are likely to be."""


def status(state: State) -> dict[str, Any]:
    """How a job stands. Counts are of items; ``classes`` in their order, ``annotators`` by name. Of a class, ``cut`` is
    where the labels so far put its threshold, ``cut_at_start`` where those did that the round began with.
    """
    labels, ledger = state.ledger.labels(), state.ledger
    out = sum(item.label == CANNOT_TELL for item in ledger.items.values())
    by_class, by_annotator = _agreement(ledger.items.values())
    recent = [index for index in labels if index not in state.before][-RECENT:]
    result: dict[str, Any] = {
        "round": state.round_number,
        "budget": min(state.round_budget, state.settings.num_items - len(state.before)),
        "labeled": len(labels),
        "labeled_in_round": len(labels.keys() - state.before.keys()),
        "out": out,
        "open": len(ledger.open),
        "left": state.settings.num_items - len(labels) - out,
        "done": state.is_done,
        "recent": len(recent),
        "classes": _classes(state, labels),
        "annotators": _annotators(state, by_annotator),
    }
    for k, one in enumerate(result["classes"]):
        one["recent"] = sum(labels[index] == k for index in recent)
        one |= _share(by_class[k])
        if one["labels"] == 0:
            one["share_at_most"] = _rule_of_three(state)
    return result


def suspicious(state: State) -> list[dict[str, Any]]:
    """The labels worth asking for again, the most doubtful first."""
    scores, classes = state.scores(), state.settings.classes
    if scores is None:
        return []
    return [
        {
            "item": state.items.ids[one.index],
            "label": classes[one.label],
            "reason": f"far {'behind' if one.label == one.k else 'before'} the cut for {classes[one.k]}",
            "strength": round(one.strength, 4),
        }
        for one in suspicions(scores, state.ledger.labels())
    ]


def _classes(state: State, labels: Mapping[int, int]) -> list[dict[str, Any]]:
    """Of each class: its labels, how many are expected in what is left (from, to), and with scores its cuts."""
    scores = state.scores()
    names, counts = state.settings.classes, state.ledger.counts
    if scores is None:
        expected = _expected_at_random(state, labels)
        return [{"name": names[k], "labels": counts[k], "expected_left": expected[k]} for k in range(len(names))]
    indices = np.fromiter(labels, dtype=np.int64, count=len(labels))
    given = np.fromiter(labels.values(), dtype=np.int64, count=len(labels))
    is_before = np.array([index in state.before for index in labels], dtype=bool)
    is_left = _is_left(state, labels)
    totals = scores.sum(axis=0, dtype=np.float64) - scores[~is_left].sum(axis=0, dtype=np.float64)
    result = []
    for k, places in enumerate(positions(scores, indices)):
        cut = cut_of(places, given == k, len(scores))
        at_start = cut_of(places[is_before], given[is_before] == k, len(scores))
        by_cut = max(0, (cut.low + cut.high) // 2 - counts[k])
        expected_left = sorted([min(round(max(float(totals[k]), 0.0)), int(is_left.sum())), by_cut])
        result.append({"name": names[k], "labels": counts[k], "expected_left": expected_left,
                       "cut": asdict(cut), "cut_at_start": asdict(at_start)})  # fmt: skip
    return result


def _is_left(state: State, labels: Mapping[int, int]) -> Mask:
    is_left = np.ones(state.settings.num_items, dtype=bool)
    is_left[list(labels)] = False
    is_left[[index for index, item in state.ledger.items.items() if item.label == CANNOT_TELL]] = False
    return is_left


def _expected_at_random(state: State, labels: Mapping[int, int]) -> list[list[int] | None]:
    """While there are no scores: by the shares in the labels of items that were drawn at random, if there are any."""
    drawn = [labels[index] for index in state.at_random if index in labels]
    if not drawn:
        return [None] * len(state.settings.classes)
    shares = np.bincount(drawn, minlength=len(state.settings.classes)) / len(drawn)
    left = np.count_nonzero(_is_left(state, labels))
    return [[round(share * left)] * 2 for share in shares.tolist()]


def _rule_of_three(state: State) -> float | None:
    """The share that a class without a label has at most, with 95 % confidence: 3 / n for n items drawn at random.
    None where none was.
    """
    decided = [state.ledger.items[index].label for index in state.at_random if index in state.ledger.items]
    count = sum(label is not None and label != CANNOT_TELL for label in decided)
    return min(1.0, 3 / count) if count else None


def _agreement(items: Iterable[Item]) -> tuple[dict[int, list[bool]], dict[str, list[bool]]]:
    """Of items with several answers, whether each answer agrees with the label: by class, and by annotator."""
    by_class: dict[int, list[bool]] = defaultdict(list)
    by_annotator: dict[str, list[bool]] = defaultdict(list)
    for item in items:
        if len(item.answers) < 2 or item.label is None or item.label == CANNOT_TELL:
            continue
        for name, answer in item.answers.items():
            by_class[item.label].append(answer == item.label)
            by_annotator[name].append(answer == item.label)
    return by_class, by_annotator


def _share(agreeing: Sequence[bool]) -> dict[str, Any]:
    return {"compared": len(agreeing), "agreeing": sum(agreeing)}


def _annotators(state: State, agreement: Mapping[str, Sequence[bool]]) -> list[dict[str, Any]]:
    given: dict[str, list[int]] = defaultdict(list)
    for item in state.ledger.items.values():
        for name, answer in item.answers.items():
            given[name].append(answer)
    return [
        {
            "name": name,
            "answers": len(given[name]),
            "cannot_tell": given[name].count(CANNOT_TELL),
            **_share(agreement.get(name, ())),
        }
        for name in sorted(given)
    ]


def answer_rows(state: State) -> tuple[list[str], list[list[Any]]]:
    """Every answer ever given, corrections among them, in the order of coming."""
    rows = [
        [state.items.ids[index], annotator, _name(state, label), _utc(time), "correction" if corrected else "answer"]
        for time, annotator, index, label, corrected in state.answers
    ]
    return ["item", "annotator", "label", "time", "kind"], rows


def label_rows(state: State) -> tuple[list[str], list[list[Any]]]:
    """Every label that was decided, with how many answers there are, and how many of them say the same."""
    rows = []
    for index, label in sorted(state.ledger.labels().items()):
        item = state.ledger.items.get(index, Item(1))
        given = list(item.answers.values())
        rows.append([state.items.ids[index], state.settings.classes[label], len(given), given.count(label),
                     " ".join(item.answers)])  # fmt: skip
    return ["item", "label", "answers", "agreeing", "annotators"], rows


def _name(state: State, label: int) -> str:
    return UNKNOWN if label == CANNOT_TELL else state.settings.classes[label]


def _utc(time: float) -> str:
    return datetime.fromtimestamp(time, timezone.utc).isoformat(timespec="seconds")
