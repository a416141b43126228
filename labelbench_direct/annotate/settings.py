"""What a job is started with. It is the body of its first event."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, get_args

import numpy as np

from labelbench_direct.annotate.files import Items
from labelbench_direct.annotate.ledger import Decide
from labelbench_direct.annotate.scores import Reference, read_scores
from labelbench_direct.core.checks import check_choice, check_count
from labelbench_direct.core.direct import Schedule
from labelbench_direct.session import DirectSession


@dataclass(frozen=True)
class Settings:
    """A job's settings.

    ``items`` and ``scores``: references to files, None without them. ``num_items``: how many items there are.
    ``labeled`` and ``labels``: pool indices labeled at the start, and their classes. ``budget``: items to label in a
    round, ``parallel``: the paper's B_parallel. ``redundancy``: how many annotators are asked for an item, ``decide``:
    who wins. ``recheck``: the share of the budget spent on asking again for suspicious items. ``lease_minutes``: after
    so long without an answer another annotator is asked. ``stratify``: the column of the items' table whose values take
    turns while there are no scores. ``schedule``: as in ``DirectSession``.
    """

    classes: Sequence[str]
    num_items: int
    budget: int
    parallel: int = 20
    items: dict[str, Any] | None = None
    scores: dict[str, Any] | None = None
    labeled: Sequence[int] = field(default=())
    labels: Sequence[int] = field(default=())
    seed: int = 0
    redundancy: int = 1
    decide: Decide = "majority"
    recheck: float = 0.0
    lease_minutes: float = 60.0
    stratify: str | None = None
    schedule: Schedule = "sequential"

    def read_items(self, folder: Path) -> Items:
        """The items' table, or their numbers; ``folder`` is the job's."""
        if self.items is None:
            return Items.numbered(self.num_items)
        return Items.read(Reference(**self.items).find(folder, "a job's items stay the same"))

    def check(self, folder: Path) -> None:
        """Raise ValueError or TypeError for settings that cannot be used."""
        for name in ("budget", "parallel", "redundancy"):
            check_count(getattr(self, name), name, least=1)
        check_count(self.seed, "seed", least=0)
        check_choice(self.decide, "decide", get_args(Decide))
        check_choice(self.schedule, "schedule", get_args(Schedule))
        if not 0 <= self.recheck < 1:
            raise ValueError(f"recheck is a share of the budget, from 0 to below 1, got {self.recheck}")
        if self.recheck and self.decide != "majority":
            raise ValueError("recheck needs decide=majority: a second opinion never outweighs the first otherwise")
        if not self.lease_minutes > 0:
            raise ValueError(f"lease_minutes must be above 0, got {self.lease_minutes}")
        items = self.read_items(folder)
        if len(self.labeled) >= self.num_items:
            raise ValueError("every item is labeled: there is nothing to ask")
        if self.stratify is not None:
            if self.scores is not None:
                raise ValueError("stratify is for jobs without scores: with scores DIRECT chooses")
            items.column(self.stratify)
        if self.scores is not None:
            scores = read_scores(Reference(**self.scores).find(folder, ""), items.ids, self.classes)
            check_session(scores, self.labeled, self.labels)


def check_session(scores: Any, labeled: Sequence[int], labels: Sequence[int]) -> None:
    """Raise what a session would, for scores or labels that it cannot use."""
    DirectSession(scores, labeled, labels, budget=0, parallel=1, rng=np.random.default_rng(0))
