"""Who was asked what, and who said what: a job's books, which its events fill one by one.

An item is wanted from so many annotators. Each may hold it, for a while, and each may answer it, with a class or with
"cannot tell". Answers are kept in the order of coming, and the first as many as are wanted decide what the item is.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Literal

CANNOT_TELL = -1
"""The answer of an annotator who cannot tell; and what an item is that nobody could tell: out."""

THE_START = "(start)"
"""Who gave the labels that a job starts with."""

Decide = Literal["majority", "first"]


@dataclass
class Item:
    """What is known of one item that was asked for."""

    wanted: int
    leases: dict[str, float] = field(default_factory=dict)
    """Who holds it, and until when."""
    answers: dict[str, int] = field(default_factory=dict)
    """Annotator to class, or CANNOT_TELL, in the order of coming."""
    correction: int | None = None
    """The last explicit correction, which outranks every answer."""
    label: int | None = None
    """What was decided: a class, CANNOT_TELL, or None while it is undecided."""

    def holders(self, now: float) -> list[str]:
        """Whose lease has not run out and whose answer is still out."""
        return [name for name, until in self.leases.items() if until > now and name not in self.answers]

    def is_spare(self, annotator: str) -> bool:
        """Whether an annotator's answer has no say."""
        return self.correction is not None or list(self.answers).index(annotator) >= self.wanted


class Ledger:
    """Every item that was asked for or labeled, by pool index.

    ``known`` are the labels that the job started with. ``decide``: ``majority`` waits for all answers that are wanted
    and takes the most frequent class, of equally frequent ones that with fewer labels so far (then the lower);
    ``first`` takes the first answer that is a class. An item is out when all that are wanted cannot tell.
    """

    def __init__(self, known: dict[int, int], redundancy: int, decide: Decide) -> None:
        self.items: dict[int, Item] = {}
        self.open: dict[int, None] = {}
        """Items that still want answers, in the order of asking."""
        self.known = known
        self.counts = Counter(known.values())
        """Labels by class."""
        self._redundancy, self._decide = redundancy, decide

    def labels(self) -> dict[int, int]:
        """Pool index to class, of all that are labeled: first those that the job started with."""
        decided = {index: item.label for index, item in self.items.items() if item.label is not None}
        return {index: label for index, label in {**self.known, **decided}.items() if label != CANNOT_TELL}

    def label(self, index: int) -> int | None:
        """What an item is, CANNOT_TELL where it is out, None where that is undecided."""
        item = self.items.get(index)
        return self.known.get(index) if item is None or item.label is None else item.label

    def want(self, index: int, more: int = 0) -> None:
        """Ask for an item: of as many annotators as usual, or of ``more`` than have answered it so far."""
        item = self.items.setdefault(index, Item(self._redundancy))
        if more:
            if index in self.known and not item.answers:
                item.answers[THE_START] = self.known[index]
            item.wanted = len(item.answers) + more
        self.open[index] = None

    def close(self, index: int) -> None:
        """Want no more answers; those that came decide."""
        self.open.pop(index, None)
        item = self.items[index]
        item.leases.clear()
        item.wanted = len(item.answers) or item.wanted
        if item.label is None:  # nor is what was decided before decided anew
            self._settle(index, item)

    def lease(self, index: int, annotator: str, until: float, now: float) -> None:
        """Hand an item to an annotator. Leases that have run out are gone with that."""
        leases = self.items[index].leases
        for name in [name for name, end in leases.items() if end <= now]:
            del leases[name]
        leases[annotator] = until

    def give_back(self, index: int, annotator: str) -> None:
        """An annotator no longer holds an item."""
        self.items[index].leases.pop(annotator, None)

    def answer(self, index: int, annotator: str, label: int) -> None:
        """An answer, the annotator's first or one in its place. To an item that is no longer open it is late: it counts
        where nothing was decided, and is kept in any case.
        """
        item = self.items[index]
        item.answers[annotator] = label
        if index not in self.open and item.label is None:
            item.wanted = len(item.answers)
        if not item.is_spare(annotator):  # or else a tie could be broken anew
            self._settle(index, item)

    def correct(self, index: int, label: int) -> None:
        """Decide what an item is, whatever was answered."""
        item = self.items.setdefault(index, Item(self._redundancy))
        item.correction = label
        self._settle(index, item)

    def held(self, annotator: str, now: float) -> list[int]:
        """The open items that an annotator holds."""
        return [index for index in self.open if annotator in self.items[index].holders(now)]

    def free(self, annotator: str, now: float) -> Iterator[int]:
        """The open items that nobody works on and that this annotator has not answered, in the order of asking."""
        for index in self.open:
            item = self.items[index]
            holders = item.holders(now)
            if annotator in item.answers or annotator in holders:
                continue
            if len(item.answers) + len(holders) < item.wanted:
                yield index

    def _settle(self, index: int, item: Item) -> None:
        self._count(self.label(index), -1)  # an item's former label has no say in its next one
        item.label = self._decision(item)
        self._count(self.label(index), 1)
        if item.correction is not None or len(item.answers) >= item.wanted:
            self.open.pop(index, None)
            item.leases.clear()

    def _count(self, label: int | None, change: int) -> None:
        if label is not None and label != CANNOT_TELL:
            self.counts[label] += change

    def _decision(self, item: Item) -> int | None:
        if item.correction is not None:
            return item.correction
        answers = list(item.answers.values())[: item.wanted]
        labels = [answer for answer in answers if answer != CANNOT_TELL]
        if len(answers) < item.wanted and not (labels and self._decide == "first"):
            return item.label  # of an item that is asked for again: what it was
        if not labels:
            return CANNOT_TELL if answers else item.label
        return labels[0] if self._decide == "first" else self._most_frequent(labels)

    def _most_frequent(self, labels: Sequence[int]) -> int:
        frequencies = Counter(labels)
        most = max(frequencies.values())
        return min((k for k, n in frequencies.items() if n == most), key=lambda k: (self.counts[k], k))
