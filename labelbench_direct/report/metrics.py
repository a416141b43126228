"""Which way each metric is better: LabelBench's metrics, multi-class and multi-label, in one table."""

from __future__ import annotations

from typing import Literal

from labelbench_direct.hosts.metrics import BALANCED_TEST, RAREST

Better = Literal["higher", "lower"]

_PARTS = ("Pool", "Validation", "Test")
_SHARES = ("Accuracy", "Macro F1", "mAP")
_MULTI_LABEL = [f"{kind} {share}" for kind in ("Overall", "Class Average") for share in ("Precision", "Recall", "F1")]
_CLASS_PARTS = ("Pool", "Val", "Test")  # as LabelBench writes the metrics over classes

HIGHER_IS_BETTER = frozenset(
    [
        *(f"{part} {share}" for part in _PARTS for share in (*_SHARES, *_MULTI_LABEL)),
        *(f"Balanced {part} Accuracy" for part in ("Training", "Validation")),
        BALANCED_TEST,
        *(f"{end} Class {part} Accuracy" for end in ("Min", "Max") for part in _CLASS_PARTS),
        RAREST,
        "Total Number of Positive",  # with one class an example it is the number of labels, and all are level
    ]
)
LOWER_IS_BETTER = frozenset(
    [
        *(f"{part} Loss" for part in _PARTS),
        *(f"STD {part} Accuracy" for part in _CLASS_PARTS),  # over the classes
        "Max Class Number of Positive",  # labels spent on the class that needs them least
    ]
)
NO_DIRECTION = {
    "Num Labeled": "it is what the curves are drawn against",
    "Epoch": "it counts the rounds",
}


def check_metric(metric: str, better: Better | None) -> Better:
    """Which way ``metric`` is better, by the table; ``better`` is asked for, and used, where the table doesn't know.

    Raises ValueError for a metric by which strategies cannot be compared, for one that is unknown as long as
    ``better`` is None, and where ``better`` contradicts the table.
    """
    known: Better | None = "higher" if metric in HIGHER_IS_BETTER else "lower" if metric in LOWER_IS_BETTER else None
    if metric in NO_DIRECTION:
        raise ValueError(f"strategies cannot be compared by {metric!r}: {NO_DIRECTION[metric]}")
    if known is None and better is None:
        raise ValueError(
            f"whether more or less of {metric!r} is better is not known here: say --better higher, or --better lower"
        )
    if known and better and known != better:
        raise ValueError(f"{metric!r} is better the {known}: leave out --better {better}")
    return known or better or "higher"
