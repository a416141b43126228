"""How a job stands, as plain data, and in words for whoever pays for the labels."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timezone
from typing import Any

import numpy as np

from labelbench_direct.annotate.files import UNKNOWN
from labelbench_direct.annotate.ledger import CANNOT_TELL, Item
from labelbench_direct.annotate.rounds import FirstBatch
from labelbench_direct.annotate.state import State
from labelbench_direct.annotate.suspicion import suspicious
from labelbench_direct.session import DirectSession, Session

RECENT = 100
"""The labels that show what the next ones are likely to be."""


def status(state: State) -> dict[str, Any]:
    """How a job stands. Counts are of items; ``classes`` in their order, ``annotators`` by name."""
    labels, session, ledger = state.ledger.labels(), state.round.session(), state.ledger
    out = sum(item.label == CANNOT_TELL for item in ledger.items.values())
    left = state.settings.num_items - len(labels) - out
    by_class, by_annotator = _agreement(ledger.items.values())
    recent = [index for index in labels if index not in state.before][-RECENT:]
    result: dict[str, Any] = {
        "round": state.round_number,
        "budget": state.round_budget,
        "labeled": len(labels),
        "labeled_in_round": len(labels.keys() - state.before.keys()),
        "out": out,
        "open": len(ledger.open),
        "left": left,
        "done": session.done and not ledger.open,
        "recent": len(recent),
        "classes": [_class_status(state, k, session) for k in range(len(state.settings.classes))],
        "annotators": _annotators(state, by_annotator),
    }
    expected = _expected(state, labels, left)
    for k, one in enumerate(result["classes"]):
        one["expected_left"] = expected[k]
        one["recent"] = sum(labels[index] == k for index in recent)
        one |= _share(by_class[k])
    return result


def suspicions(state: State) -> list[dict[str, Any]]:
    """The labels worth asking for again, the most doubtful first."""
    session, scores = state.round.session(), state.scores()
    if scores is None or not isinstance(session, DirectSession):
        return []
    classes = state.settings.classes
    return [
        {
            "item": state.items.ids[one.index],
            "label": classes[one.label],
            "reason": f"far {'behind' if one.label == one.k else 'before'} the cut for {classes[one.k]}",
            "strength": round(one.strength, 4),
        }
        for one in suspicious(scores, state.ledger.labels(), session)
    ]


def _class_status(state: State, k: int, session: Session | FirstBatch) -> dict[str, Any]:
    labels = state.ledger.counts[k]
    result: dict[str, Any] = {"name": state.settings.classes[k], "labels": labels}
    spaces = session.version_spaces.get(k) if isinstance(session, DirectSession) else None
    if spaces:
        first, last = spaces[0], spaces[-1]
        result["cut"] = {"low": last.low, "high": last.high, "width": last.high - last.low,
                         "width_at_start": first.high - first.low}  # fmt: skip
    if labels == 0:
        result["share_at_most"] = _rule_of_three(state)
    return result


def _rule_of_three(state: State) -> float | None:
    """The share that a class without a label has at most, with 95 % confidence: 3 / n for n items drawn at random.
    None where none was.
    """
    decided = [state.ledger.items[index].label for index in state.at_random if index in state.ledger.items]
    count = sum(label is not None and label != CANNOT_TELL for label in decided)
    return min(1.0, 3 / count) if count else None


def _expected(state: State, labels: Mapping[int, int], left: int) -> list[list[int] | None]:
    """Of each class, how many are expected in what is left: from and to. By the sum of the scores and by the cut; while
    there are no scores by the shares in the labels, if these were drawn at random.
    """
    num_classes, scores, session = len(state.settings.classes), state.scores(), state.round.session()
    if scores is None:
        drawn = [labels[index] for index in state.at_random if index in labels]
        shares = np.bincount(drawn, minlength=num_classes) / max(len(drawn), 1)
        return [[round(share * left)] * 2 if drawn else None for share in shares.tolist()]
    is_left = np.ones(len(scores), dtype=bool)
    is_left[list(labels)] = False
    is_left[[index for index, item in state.ledger.items.items() if item.label == CANNOT_TELL]] = False
    sums = scores.sum(axis=0, dtype=np.float64) - scores[~is_left].sum(axis=0, dtype=np.float64)
    result: list[list[int] | None] = []
    for k, total in enumerate(sums.tolist()):
        values = [round(max(total, 0.0))]
        if isinstance(session, DirectSession) and k in session.thresholds:
            values.append(max(0, min(session.thresholds[k] - state.ledger.counts[k], left)))
        result.append([min(values), max(values)])
    return result


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
