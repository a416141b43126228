"""The choices that the paper leaves open or states in two ways. docs/choices.md has the evidence for the defaults."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from typing import Literal, get_args

from labelbench_direct.core.checks import check_choice, check_count

ThresholdTie = Literal["half", "lowest", "minority"]
_GONE = ("nearest", "window_tie", "size_unit")


@dataclass(frozen=True)
class Options:
    """How DIRECT decides what the paper leaves open.

    ``threshold_tie``: which of equally good thresholds is the estimate: the one nearest to N/2, ``half`` (Algorithm 2);
    the ``lowest``; or, with ``minority``, the highest for a class with fewer than half of the labels and the lowest
    for another (section 4.1).
    ``keep_best``: whether a version space that shrinks keeps every threshold of least loss, see ``shrink``.
    ``min_budget_per_class``: the search gets at most this many labels per class (LabelBench's key and its meaning
    there; 0: no search). None: B_train / (2K), as in Algorithm 2.

    Raises ValueError or TypeError, naming the option.
    """

    threshold_tie: ThresholdTie = "half"
    keep_best: bool = True
    min_budget_per_class: int | None = None

    def __post_init__(self) -> None:
        check_choice(self.threshold_tie, "threshold_tie", get_args(ThresholdTie))
        if not isinstance(self.keep_best, bool):
            raise TypeError(f"keep_best must be true or false, got {self.keep_best!r}")
        if self.min_budget_per_class is not None:
            check_count(self.min_budget_per_class, "min_budget_per_class", least=0)


def check_not_gone(keys: Collection[str]) -> None:
    """Raise ValueError for an option that there was."""
    for key in _GONE:
        if key in keys:
            raise ValueError(
                f"the option {key!r} is gone: docs/choices.md shows that it made no difference; leave it out"
            )
