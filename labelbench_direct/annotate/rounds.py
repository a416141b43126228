"""One round of a job: the session that chooses what to ask, from one training of the network to the next.

The session is only needed to choose. Answers that other processes wrote are noted, and played to it when its next
choice is due: who only tells never reads the scores.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Sequence
from typing import Any

import numpy as np

from labelbench_direct.annotate.ledger import CANNOT_TELL
from labelbench_direct.core.types import Indices
from labelbench_direct.session import Session


class Round:
    """A session, made when it is first needed, and what it was asked and told."""

    def __init__(self, make: Callable[[], Session | FirstBatch]) -> None:
        self._make = make
        self._session: Session | FirstBatch | None = None
        self._calls: list[tuple[str, Any, Any]] = []
        self._told: dict[int, int | None] = {}  # by pool index: what the session knows, None while its query is open
        self._is_fresh = False
        self.is_sound = True
        """Whether the session is where the notes say: not if it failed on its way, or drew and nobody noted it."""
        self.rechecked = False
        """Whether the items worth asking again have been asked for."""
        self.is_waiting = False
        """Whether the session had nothing to ask and has been told nothing since."""

    def session(self) -> Session | FirstBatch:
        """The session, which knows all that was told."""
        if self._session is None:
            self._session = self._make()
        calls, self._calls = self._calls, []
        self.is_sound, was_sound = False, self.is_sound
        for name, indices, other in calls:
            self._play(self._session, name, indices, other)
        self.is_sound = was_sound
        return self._session

    def draw(self, count: int) -> list[int]:
        """At most ``count`` new queries. The caller writes them down and then calls ``drawn``, as others will."""
        session = self.session()
        self.is_sound = False
        asked: list[int] = session.ask(count).tolist()
        self._is_fresh = True
        return asked

    def drawn(self, count: int, indices: Sequence[int]) -> None:
        """Queries were drawn: here just now, or by another process."""
        if self._is_fresh:
            self.is_sound = True
        else:
            self._calls.append(("ask", count, list(indices)))
        self._is_fresh = False
        self._told.update(dict.fromkeys(indices))
        self.is_waiting = not indices

    def update(self, index: int, label: int | None) -> None:
        """What an item is now: the session is told, or corrected. It is not where it did not ask for the item, or where
        it took the item for out; and it keeps the label of one that is out by a correction. The next round knows all.
        """
        before = self._told.get(index, CANNOT_TELL)
        if label is None or before in (label, CANNOT_TELL):
            return
        if label == CANNOT_TELL:
            if before is not None:
                return
            self._calls.append(("cannot_tell", [index], None))
        else:
            self._calls.append(("tell" if before is None else "correct", [index], [label]))
        self._told[index] = label
        self.is_waiting = False

    def release(self, index: int) -> bool:
        """Take an open query back; False where the session has no such query."""
        if index not in self._told or self._told[index] is not None:
            return False
        del self._told[index]
        self.is_waiting = False
        self._calls.append(("release", [index], None))
        return True

    @staticmethod
    def _play(session: Session | FirstBatch, name: str, indices: Any, other: Any) -> None:
        if name == "ask":
            asked = session.ask(indices).tolist()
            if asked != other:
                raise RuntimeError(
                    f"the job's history does not replay: it says that {other} were asked for, here it is {asked}; "
                    "was it written by another version of labelbench-direct or of numpy?"
                )
        elif name in ("tell", "correct"):
            getattr(session, name)(indices, other)
        else:
            getattr(session, name)(indices)


class FirstBatch:
    """What is asked while there are no scores: ``budget`` unlabeled items at random, or with ``strata`` (N,) one of
    each stratum in turn. Answers change nothing but that an item which nobody can tell is replaced by another.
    """

    def __init__(
        self, unlabeled: Indices, budget: int, rng: np.random.Generator, strata: Sequence[Hashable] | None = None
    ) -> None:
        queue: list[int] = rng.permutation(unlabeled).tolist()
        if strata is not None:
            seen: dict[Hashable, int] = {}
            turns = []
            for index in queue:
                turns.append(seen.get(strata[index], 0))
                seen[strata[index]] = turns[-1] + 1
            queue = [queue[place] for place in np.argsort(turns, kind="stable")]
        self._queue = queue
        self._left = min(budget, len(queue))
        self._open: set[int] = set()

    def ask(self, n: int) -> Indices:
        """The next items, at most ``n``."""
        count = min(n, self._left, len(self._queue))
        asked, self._queue = self._queue[:count], self._queue[count:]
        self._left -= count
        self._open.update(asked)
        return np.array(asked, dtype=np.int64)

    def tell(self, indices: Sequence[int], labels: Sequence[int]) -> None:
        """Answers to open queries."""
        self._open.difference_update(indices)

    def correct(self, indices: Sequence[int], labels: Sequence[int]) -> None:
        """Nothing depends on a label."""

    def cannot_tell(self, indices: Sequence[int]) -> None:
        """These are out; others take their place."""
        self._open.difference_update(indices)
        self._left += len(indices)

    def release(self, indices: Sequence[int]) -> None:
        """These come last again."""
        self._queue.extend(indices)
        self.cannot_tell(indices)

    @property
    def done(self) -> bool:
        """Whether the budget is spent, or the pool is, and all answers are in."""
        return not self._open and (self._left == 0 or not self._queue)
