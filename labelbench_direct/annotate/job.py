"""A job: ask and tell by items' ids and classes' names, for as many processes as like, in one file."""

from __future__ import annotations

import re
import threading
import time
import unicodedata
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from itertools import islice
from pathlib import Path
from typing import Any

from labelbench_direct.annotate.cuts import suspicions
from labelbench_direct.annotate.files import Answer
from labelbench_direct.annotate.scores import Reference
from labelbench_direct.annotate.settings import Settings, check_session
from labelbench_direct.annotate.state import State
from labelbench_direct.annotate.store import BUSY_SECONDS, Event, Store
from labelbench_direct.core.checks import check_count

_LONGEST_NAME = 100
_NAME = re.compile(r"[^\W_][\w .@+-]*")  # once marks, such as Hindi's vowels, are left out
"""Annotators' names: they come from outside, and end up in tables that spreadsheets open."""


@dataclass(frozen=True)
class Receipt:
    """What became of answers: ``new`` ones, ``repeated`` ones that were there already, and of the new ones ``spare``:
    kept, but without a say, as the item had all its answers or was corrected.
    """

    new: int
    repeated: int
    spare: int


class Job:
    """A job's file, open, and what its events add up to.

    Every method first takes in what other processes have done, and has on disk what it did when it returns. Threads may
    share a job. ``clock``: seconds since 1970. ``busy_seconds``: how long to wait while others write.

    Raises:
        ValueError, TypeError: what is asked for makes no sense; nothing was changed.
        OSError: the file is locked or gone, or its disk is full; nothing was written.

    """

    def __init__(self, path: Path, clock: Callable[[], float] = time.time, busy_seconds: float = BUSY_SECONDS) -> None:
        self._folder = path.resolve().parent
        self._store = Store(path, busy_seconds)
        self._clock = clock
        self._lock = threading.RLock()
        self._state = State(self._folder)
        self._is_sound = True  # whether what is in memory is what the events say
        with self.reading():
            pass

    @classmethod
    def start(cls, path: Path, settings: Settings, clock: Callable[[], float] = time.time) -> Job:
        """A new job. What it is started with is checked before there is a file."""
        settings.check(path.resolve().parent)
        Store.create(path, Event(1, clock(), "start", "", asdict(settings)))
        return cls(path, clock)

    def close(self) -> None:
        """Close the file."""
        self._store.close()

    @contextmanager
    def reading(self) -> Iterator[State]:
        """The job as it is now, while no other thread changes it."""
        with self._lock:
            self._catch_up()
            yield self._state

    def ask(self, annotator: str, count: int = 1) -> list[str]:
        """What the annotator is to label: at most ``count`` items. First those that the annotator holds already, whose
        lease begins anew; then those that others gave back or held for too long; then new ones.

        Fewer, or none: the answers that decide what to ask next are still out, or the round is done.
        """
        annotator = check_name(annotator)
        count = check_count(count, "count", least=1)
        with self._writing() as state:
            count = min(count, state.settings.num_items)
            now, ledger = self._clock(), state.ledger
            items = ledger.held(annotator, now)[:count]
            items += islice(ledger.free(annotator, now), count - len(items))
            while len(items) < count and not state.round.is_waiting:
                items += [index for index in self._draw(count - len(items)) if index in ledger.open]
            if len(items) < count and self._recheck():
                items += islice(ledger.free(annotator, now), count - len(items))
            lease = 60 * state.settings.lease_minutes
            fresh = [index for index in items if ledger.items[index].leases.get(annotator, 0) < now + lease / 2]
            if fresh:
                self._write("lease", annotator, items=fresh, until=now + lease)
            return [state.items.ids[index] for index in items]

    def tell(self, answers: Sequence[Answer], change: bool = False) -> Receipt:
        """Keep answers, all or, where one is wrong, none of them.

        Telling the same again is harmless. An answer to an item that was asked for is kept, whoever gives it, whatever
        lease has run out. ``change``: an annotator's other answer takes the place of the one given before; otherwise it
        is refused.
        """
        with self._writing() as state:
            told: dict[str, dict[int, int]] = {}
            for answer in answers:
                index, label = state.answerable(answer.item), state.class_of(answer.label, answer.item)
                annotator = check_name(answer.annotator)
                mine = told.setdefault(annotator, {})
                before = mine.get(index, state.ledger.items[index].answers.get(annotator))
                if before not in (None, label) and not (change and index not in mine):
                    raise ValueError(
                        f"{annotator} said {state.name_of(before)} of item {answer.item!r} before, and now "
                        f"{state.name_of(label)}: nothing was kept; to change an answer, correct it"
                    )
                mine[index] = label
            return self._keep(told)

    def release(self, annotator: str, items: Sequence[str] | None = None) -> int:
        """Give back items (all that the annotator holds, by default): somebody else is asked. How many were held."""
        annotator = check_name(annotator)
        with self._writing() as state:
            held = state.ledger.held(annotator, self._clock())
            indices = held if items is None else [index for index in map(state.index_of, items) if index in held]
            if indices:
                self._write("release", annotator, items=indices)
            return len(indices)

    def correct(self, annotator: str, item: str, label: str | None) -> None:
        """Decide what an item is, whatever was answered, and whether it was asked for or not; None: it is out."""
        with self._writing() as state:
            index, new = state.index_of(item), state.class_of(label)
            noted = state.ledger.items.get(index)
            if noted is None or noted.correction != new:
                self._write("correct", check_name(annotator), items=[index], labels=[new])

    def note(self, annotator: str, text: str) -> None:
        """Write down what has no effect."""
        with self._writing():
            self._write("note", check_name(annotator), text=text)

    def retrain(self, scores: Path, budget: int | None = None) -> None:
        """Begin the next round, on a newly trained network's scores. Answers that are still out stay welcome."""
        with self._writing() as state:
            budget = check_count(state.settings.budget if budget is None else budget, "budget", least=1)
            labels = state.ledger.labels()
            if len(labels) >= state.settings.num_items:
                raise ValueError("every item is labeled: there is nothing to ask")
            check_session(state.read_scores(scores), list(labels), list(labels.values()))
            self._write("retrain", "", scores=asdict(Reference.to(scores, self._folder)), budget=budget)

    def _keep(self, told: Mapping[str, Mapping[int, int]]) -> Receipt:
        new = repeated = spare = 0
        items = self._state.ledger.items
        for annotator, answers in told.items():
            fresh = {index: label for index, label in answers.items() if items[index].answers.get(annotator) != label}
            repeated += len(answers) - len(fresh)
            if fresh:
                self._write("answer", annotator, items=list(fresh), labels=list(fresh.values()))
            new += len(fresh)
            spare += sum(items[index].is_spare(annotator) for index in fresh)
        return Receipt(new, repeated, spare)

    def _draw(self, count: int) -> list[int]:
        self._state.find_scores()  # what was read in may be going by a file that has changed since
        drawn = self._state.round.draw(count)
        self._write("draw", "", count=count, items=drawn)
        return drawn

    def _recheck(self) -> bool:
        """At the end of a round, ask again for the items that deserve it most."""
        state = self._state
        count = state.second_opinions
        scores = state.scores() if count and state.round.session().done else None
        if scores is None:
            return False
        items = state.ledger.items
        found = [one.index for one in suspicions(scores, state.ledger.labels())]
        indices = [index for index in found if index not in items or items[index].correction is None][:count]
        self._write("recheck", "", items=indices)
        return bool(indices)

    @contextmanager
    def _writing(self) -> Iterator[State]:
        """The job as it is, with the write lock held. What fails leaves no trace, in memory either."""
        with self._lock:
            seen = -1
            try:
                with self._store.writing():
                    self._catch_up()
                    seen = self._state.seq
                    yield self._state
            except BaseException:
                self._is_sound = self._is_sound and self._state.seq == seen
                raise

    def _catch_up(self) -> None:
        if not self._is_sound or not self._state.is_sound:
            self._state = State(self._folder)
        self._is_sound = False
        for event in self._store.after(self._state.seq):
            self._state.apply(event)
        self._is_sound = True

    def _write(self, kind: str, annotator: str, **body: Any) -> None:
        self._is_sound = False
        event = Event(self._state.seq + 1, self._clock(), kind, annotator, body)
        self._store.append(event)
        self._state.apply(event)
        self._is_sound = True


def check_name(annotator: str) -> str:
    """An annotator's name: letters, digits, spaces and . @ + - _, from a letter or digit on. As it is noted: of names
    that look the same, one.
    """
    name = unicodedata.normalize("NFC", annotator).strip()
    plain = "".join(one for one in name if not unicodedata.category(one).startswith("M"))
    if len(name) <= _LONGEST_NAME and _NAME.fullmatch(plain):
        return name
    raise ValueError(
        "an annotator's name has up to 100 letters, digits, spaces or . @ + - _ and begins with a letter or digit, "
        f"got {annotator[:110]!r}"
    )
