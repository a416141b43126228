"""What a job's events add up to. Nothing else changes it, so the same history gives the same job."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from labelbench_direct.annotate.files import Items
from labelbench_direct.annotate.ledger import CANNOT_TELL, Ledger
from labelbench_direct.annotate.rounds import FirstBatch, Round
from labelbench_direct.annotate.scores import Reference, read_scores
from labelbench_direct.annotate.settings import Settings
from labelbench_direct.annotate.store import Event
from labelbench_direct.core.types import Floats
from labelbench_direct.session import DirectSession, Session


class State:
    """A job in ``folder`` as of the event ``seq``: its ``settings``, its ``ledger``, its ``round``."""

    settings: Settings
    ledger: Ledger
    round: Round

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self.seq = 0
        self.round_number = 0
        self.round_budget = 0
        self.reference: Reference | None = None
        self.before: Mapping[int, int] = {}
        """The labels that this round began with."""
        self.answers: list[tuple[float, str, int, int, bool]] = []
        """Every answer ever: when, whose, of which item, which class, and whether it was a correction."""
        self.at_random: set[int] = set()
        """The items that were drawn at random from all."""

    @property
    def is_sound(self) -> bool:
        """Whether it may be gone on with."""
        return self.seq == 0 or self.round.is_sound

    @property
    def second_opinions(self) -> int:
        """How many labels may still be asked for again, at the end of this round."""
        return 0 if self.reference is None or self.round.rechecked else self._kept_back

    @property
    def is_done(self) -> bool:
        """Whether this round has nothing more to ask, and all its answers are in."""
        return self.round.session().done and not self.ledger.open and not self.second_opinions

    def apply(self, event: Event) -> None:
        """What an event changes."""
        getattr(self, f"_on_{event.kind}")(event, **event.body)
        self.seq = event.seq

    @cached_property
    def items(self) -> Items:
        """The items' table."""
        return self.settings.read_items(self._folder)

    @cached_property
    def _numbers(self) -> Mapping[str, int]:
        return {name: index for index, name in enumerate(self.items.ids)}

    def index_of(self, item: str) -> int:
        """The pool index of an item."""
        if item not in self._numbers:
            raise ValueError(f"there is no item {item!r} in this job; its items are called like {self.items.ids[0]!r}")
        return self._numbers[item]

    def class_of(self, name: str | None, item: str = "") -> int:
        """A class by its name; None is "cannot tell". ``item``: whose class it is said to be."""
        if name is None:
            return CANNOT_TELL
        if name not in self.settings.classes:
            where = f"item {item!r}: " if item else ""
            raise ValueError(f"{where}there is no class {name!r}; the classes are {', '.join(self.settings.classes)}")
        return self.settings.classes.index(name)

    def name_of(self, label: int | None) -> str:
        """A class's name."""
        return "nothing" if label is None else "'cannot tell'" if label == CANNOT_TELL else self.settings.classes[label]

    def scores(self) -> Floats | None:
        """The scores of this round, or None while there are none."""
        path = self.find_scores()
        return None if path is None else self.read_scores(path)

    def find_scores(self) -> Path | None:
        """The file with the scores of this round, which is as it was, or None while there are none."""
        mend = "new scores come in by `annotate retrain --scores`"
        return None if self.reference is None else self.reference.find(self._folder, mend)

    def read_scores(self, path: Path) -> Floats:
        """Scores for this job's items and classes."""
        return read_scores(path, self.items.ids, self.settings.classes)

    def record(self, item: str) -> dict[str, Any]:
        """An item with its row of the items' table."""
        row = self.items.rows[self.index_of(item)]
        return {"item": item, "data": dict(zip(self.items.columns, row, strict=True))}

    def answerable(self, item: str) -> int:
        """The pool index of an item that was asked for at some time."""
        index = self.index_of(item)
        if index not in self.ledger.items:
            why = "was labeled when the job started" if index in self.ledger.known else "was not asked for"
            raise ValueError(f"item {item!r} {why}: nothing was kept; to give it a label all the same, correct it")
        return index

    def _on_start(self, event: Event, **settings: Any) -> None:
        self.settings = Settings(**settings)
        known = dict(zip(self.settings.labeled, self.settings.labels, strict=True))
        self.ledger = Ledger(known, self.settings.redundancy, self.settings.decide)
        self._begin_round(self.settings.scores, self.settings.budget)

    def _on_retrain(self, event: Event, scores: dict[str, Any], budget: int) -> None:
        for index in list(self.ledger.open):
            self.ledger.close(index)
        self._begin_round(scores, budget)

    def _begin_round(self, scores: dict[str, Any] | None, budget: int) -> None:
        self.round_number += 1
        self.round_budget = budget
        self.reference = None if scores is None else Reference(**scores)
        self.before = self.ledger.labels()
        self.round = Round(self._session)

    @property
    def _kept_back(self) -> int:
        """The part of the budget that is for second opinions."""
        return round(self.settings.recheck * self.round_budget)

    def _session(self) -> Session | FirstBatch:
        settings, scores, labels = self.settings, self.scores(), self.before
        rng = np.random.default_rng([settings.seed, self.round_number])
        left = len(self.items.ids) - len(labels)
        budget = min(self.round_budget - self._kept_back, left)
        if scores is None:
            unlabeled = np.setdiff1d(np.arange(len(self.items.ids)), np.array(list(labels), dtype=np.int64))
            strata = None if settings.stratify is None else self.items.column(settings.stratify)
            return FirstBatch(unlabeled, min(self.round_budget, left), rng, strata)
        return DirectSession(
            scores,
            list(labels),
            list(labels.values()),
            budget=budget,
            parallel=settings.parallel,
            rng=rng,
            schedule=settings.schedule,
        )

    def _on_draw(self, event: Event, count: int, items: list[int]) -> None:
        self.round.drawn(count, items)
        if self.reference is None and self.settings.stratify is None:
            self.at_random.update(items)
        for index in items:
            label = self.ledger.label(index)
            if label is None:
                self.ledger.want(index)
            else:  # a late answer of a former round's, or out since then: the session is told at once
                self.round.update(index, label)

    def _on_lease(self, event: Event, items: list[int], until: float) -> None:
        for index in items:
            self.ledger.lease(index, event.annotator, until, event.time)

    def _on_answer(self, event: Event, items: list[int], labels: list[int]) -> None:
        for index, label in zip(items, labels, strict=True):
            self.answers.append((event.time, event.annotator, index, label, False))
            self.ledger.answer(index, event.annotator, label)
            self.round.update(index, self.ledger.label(index))

    def _on_release(self, event: Event, items: list[int]) -> None:
        for index in items:
            self.ledger.give_back(index, event.annotator)
            item = self.ledger.items[index]
            if not item.answers and not item.holders(event.time) and self.round.release(index):
                del self.ledger.open[index]

    def _on_correct(self, event: Event, items: list[int], labels: list[int]) -> None:
        for index, label in zip(items, labels, strict=True):
            self.answers.append((event.time, event.annotator, index, label, True))
            self.ledger.correct(index, label)
            self.round.update(index, label)

    def _on_recheck(self, event: Event, items: list[int]) -> None:
        self.round.rechecked = True
        for index in items:
            self.ledger.want(index, more=1)

    def _on_note(self, event: Event, text: str) -> None:
        pass
