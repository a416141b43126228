"""The choices that the paper leaves open or states in two ways. docs/choices.md has the evidence for the defaults."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, get_args

from labelbench_direct.core.checks import check_choice, check_count
from labelbench_direct.core.one_vs_rest import Nearest
from labelbench_direct.core.version_space import SizeUnit, WindowTie

ThresholdTie = Literal["half", "lowest", "minority"]


@dataclass(frozen=True)
class Options:
    """How DIRECT decides what the paper leaves open.

    ``threshold_tie``: which of equally good thresholds is the estimate: the one nearest to N/2, ``half`` (Algorithm 2);
    the ``lowest``; or, with ``minority``, the highest for a class with fewer than half of the labels and the lowest
    for another (section 4.1).
    ``nearest``: annotate the examples nearest to the threshold by ``position`` (Algorithm 2), or equally many from both
    sides, ``balanced`` (section 3.2); they differ where annotated examples or an end of the order are near.
    ``window_tie``, ``size_unit``, ``keep_best``: how a version space shrinks, see ``shrink``.
    ``min_budget_per_class``: the search gets at most this many labels per class (LabelBench's key and its meaning
    there; 0: no search). None: B_train / (2K), as in Algorithm 2.

    Raises ValueError or TypeError, naming the option.
    """

    threshold_tie: ThresholdTie = "half"
    nearest: Nearest = "position"
    window_tie: WindowTie = "middle"
    size_unit: SizeUnit = "positions"
    keep_best: bool = True
    min_budget_per_class: int | None = None

    def __post_init__(self) -> None:
        check_choice(self.threshold_tie, "threshold_tie", get_args(ThresholdTie))
        check_choice(self.nearest, "nearest", get_args(Nearest))
        check_choice(self.window_tie, "window_tie", get_args(WindowTie))
        check_choice(self.size_unit, "size_unit", get_args(SizeUnit))
        if not isinstance(self.keep_best, bool):
            raise TypeError(f"keep_best must be true or false, got {self.keep_best!r}")
        if self.min_budget_per_class is not None:
            check_count(self.min_budget_per_class, "min_budget_per_class", least=0)
