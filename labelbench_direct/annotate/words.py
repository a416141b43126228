"""A job's status in words."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from labelbench_direct.annotate.cuts import NARROW


def in_words(status: Mapping[str, Any]) -> str:
    """The status as text: where the job stands, what the labels are, what the next ones are likely to bring."""
    lines = [
        f"Round {status['round']}: {status['labeled_in_round']} of {status['budget']} labels; {status['labeled']} in "
        f"all, {status['open']} waiting for answers, {status['out']} out because nobody could tell, "
        f"{status['left']} left.",
        "",
        *(line for one in status["classes"] for line in _class_lines(one, status)),
        "",
        *_annotator_lines(status),
        *_advice(status),
    ]
    return "\n".join(lines)


def _class_lines(one: Mapping[str, Any], status: Mapping[str, Any]) -> Iterator[str]:
    yield f"{one['name']}: {_count(one['labels'], 'label')}. {_expectation(one, status)}"
    if "cut" in one:
        low, high, width = one["cut"]["low"], one["cut"]["high"], _width(one["cut"])
        yield (
            f"  Of all items, those most like {one['name']} first, the first {low:,} to {high:,} are called it: "
            f"{width:,} in doubt, {_width(one['cut_at_start']):,} when this round began."
        )
        if _is_unknown(one):
            yield f"  That is wrong for {_count(one['cut']['errors'], 'label')}: the scores hardly know it."
    if one["compared"]:
        yield f"  Where several were asked, answers agree with the label {_share(one)}."


def _expectation(one: Mapping[str, Any], status: Mapping[str, Any]) -> str:
    text = ""
    if one["expected_left"] is not None and status["left"]:
        low, high = one["expected_left"]
        text = f"Expected among what is left: {low:,}" + (f" to {high:,}. " if high > low else ". ")
    if one["labels"]:
        return text.rstrip()
    share = one["share_at_most"]
    if share is None:
        return f"{text}No label is of an item picked at random: nothing bounds how many there may be."
    most = round(share * status["left"])
    return (
        f"{text}None was seen among the items picked at random, so with 95 % confidence at most {share:.1%} are "
        f"{one['name']}: {most:,} of those left."
    )


def _annotator_lines(status: Mapping[str, Any]) -> Iterator[str]:
    for one in status["annotators"]:
        cannot = f", {one['cannot_tell']} times 'cannot tell'" if one["cannot_tell"] else ""
        agrees = f"; agrees with the label {_share(one)}" if one["compared"] else ""
        yield f"{one['name']}: {_count(one['answers'], 'answer')}{cannot}{agrees}."
    if status["annotators"]:
        yield ""


def _advice(status: Mapping[str, Any]) -> Iterator[str]:
    seen = [one for one in status["classes"] if one["labels"]]
    if status["recent"] and seen:
        rarest = min(seen, key=lambda one: one["labels"])
        yield (
            f"Of the last {_count(status['recent'], 'label')}, {rarest['recent']} were {rarest['name']}, the class "
            "with the fewest: expect about as many of the next."
        )
    with_cuts = [one for one in status["classes"] if "cut" in one]
    unknown = [one["name"] for one in with_cuts if _is_unknown(one)]
    wide = [
        one["name"] for one in with_cuts if not _is_unknown(one) and _width(one["cut"]) > NARROW * one["cut"]["size"]
    ]
    if wide:
        yield f"Still wide: the doubt about {', '.join(wide)}. Labels there still move the cut: worth going on."
    if unknown:
        yield f"These scores hardly know {', '.join(unknown)}: new scores, from training on what is labeled, help most."
    if with_cuts and not wide and not unknown:
        yield "Every cut is narrow: more labels on these scores move them little. Train on them, and see."
    if status["done"]:
        yield (
            "This round is done. Train on what `annotate export` gives and go on with `annotate retrain`; or stop, if "
            "the last round's labels no longer made the network better."
        )


def _is_unknown(one: Mapping[str, Any]) -> bool:
    """Whether the best cut is wrong for more labels than half of the class's."""
    return bool(2 * one["cut"]["errors"] > one["labels"])


def _width(cut: Mapping[str, int]) -> int:
    return cut["high"] - cut["low"]


def _share(one: Mapping[str, Any]) -> str:
    return f"{one['agreeing']} of {one['compared']} times ({one['agreeing'] / one['compared']:.0%})"


def _count(number: int, what: str) -> str:
    return f"{number:,} {what}" + ("" if number == 1 else "s")
