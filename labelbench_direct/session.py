"""Ask and tell: DIRECT and GALAXY with annotators in the loop."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, get_args

import numpy as np
from numpy.typing import ArrayLike

from labelbench_direct.core.annotations import OPEN, OUT, UNLABELED, Annotations
from labelbench_direct.core.checks import (
    check_budget,
    check_choice,
    check_count,
    check_indices,
    check_integers,
    check_labels,
    check_not_one_hot,
    check_probabilities,
)
from labelbench_direct.core.direct import Findings, Schedule, direct
from labelbench_direct.core.galaxy import Cuts, galaxy
from labelbench_direct.core.options import Options
from labelbench_direct.core.pool_orders import PoolOrders
from labelbench_direct.core.scores import Scores
from labelbench_direct.core.types import Indices
from labelbench_direct.core.version_space import VersionSpace


class Session:
    """What every session shares: handing out the algorithm's queries, and taking what annotators say in any order.

    An example that was asked for is *open* until it is told, cannot be told, or is released. Every label is known to
    the algorithm as soon as it is told. When all that is open is answered before the next ``ask``, the queries are
    those of an algorithm that waits for its annotators.
    """

    def __init__(self, algorithm: Iterator[Indices], known: Annotations, num_classes: int, budget: int) -> None:
        """``algorithm`` yields what to ask for next, going by what ``known`` holds; nothing when all that it may ask
        for is asked.
        """
        self._algorithm, self._known = algorithm, known
        self._num_classes, self._budget = num_classes, budget
        self._told: dict[int, int] = {}
        self._open: dict[int, None] = {}  # in the order of asking
        self._unanswered: set[int] = set()  # asked for and not open any more, but without an answer
        self._queue = np.zeros(0, dtype=np.int64)  # what the algorithm wants asked next
        self._go_on()

    def ask(self, n: int | None = None) -> Indices:
        """The next pool indices to annotate, each handed out once.

        Empty while the open answers decide what to ask next, and when the session is done. With ``n``: at most so many,
        also while answers are open, by what is known now; empty only when all of the budget is told or open. One call
        hands out no more than the algorithm asks for at once: ask again for more.
        """
        if n is not None and check_count(n, "n", least=0) > 0 and not len(self._queue) and self._open:
            self._advance()
        room = self._budget - len(self._told) - len(self._open)
        count = min(len(self._queue), room, len(self._queue) if n is None else n)
        asked, self._queue = self._queue[:count].copy(), self._queue[count:]
        self._open.update(dict.fromkeys(asked.tolist()))
        if self._unanswered:
            self._unanswered.difference_update(asked.tolist())
        return asked

    def tell(self, indices: ArrayLike, labels: ArrayLike) -> None:
        """The labels of examples that were asked for: in any order, and in parts.

        Telling the same answer again is harmless. An answer to a query that was released, or that nobody could answer,
        counts like any other as long as its place in the budget has not been given to another query. Raises before
        anything has changed: ValueError for examples that were not asked for or came too late, labels outside 0..K-1,
        another answer than the one given before (see ``correct``), arrays of two lengths.
        """
        told = check_integers(indices, "indices")
        answers = check_labels(labels, told, self._num_classes)
        asked = told.tolist()
        if asked and asked == list(self._open):  # all that is open, as it was asked for
            self._told.update(zip(asked, answers.tolist(), strict=True))
            self._known.add(told, answers)
            self._open.clear()
            self._go_on()
            return
        check_indices(told, len(self._known.label_of))
        new = self._check_answers(dict(zip(asked, answers.tolist(), strict=True)))
        told, answers = (np.array(list(column), dtype=np.int64) for column in (new.keys(), new.values()))
        self._told.update(new)
        self._known.add(told, answers)
        self._close(told)

    def cannot_tell(self, indices: ArrayLike) -> None:
        """No annotator can tell the labels of these open (or released) examples: others are asked for instead.

        Raises ValueError before anything has changed for examples that were not asked for, or were told.
        """
        given_up = self._check_asked(indices, "nobody can tell")
        self._known.mark(given_up, OUT)
        self._close(given_up, without_answer=True)

    def release(self, indices: ArrayLike) -> None:
        """These open queries will not be answered: as if they had not been asked, they may be asked for again.

        Raises ValueError before anything has changed for examples that are not open.
        """
        released = self._check_asked(indices, "released")
        for index in released.tolist():
            if index not in self._open:
                raise ValueError(f"released example {index}, which is not open any more")
        self._known.mark(released, UNLABELED)
        self._close(released, without_answer=True)

    def correct(self, indices: ArrayLike, labels: ArrayLike) -> None:
        """Replace labels that were told before, also when the session is done. What is asked from now on goes by them;
        what was asked or found before stays.

        Raises ValueError before anything has changed for examples that were not told, and labels as ``tell`` does.
        """
        told = check_indices(indices, len(self._known.label_of))
        answers = check_labels(labels, told, self._num_classes)
        for index in told.tolist():
            if index not in self._told:
                raise ValueError(f"corrected the label of example {index}, which was not told")
        self._told.update(zip(told.tolist(), answers.tolist(), strict=True))
        self._known.correct(told, answers)

    @property
    def done(self) -> bool:
        """Whether every label of the budget is told, or all that can be had."""
        return not self._open and not len(self._queue)

    @property
    def pending(self) -> Indices:
        """The pool indices that are open: asked for and not answered yet."""
        return np.array(list(self._open), dtype=np.int64)

    @property
    def told(self) -> Mapping[int, int]:
        """The answers so far: pool index to label, in the order of telling."""
        return dict(self._told)

    @property
    def remaining(self) -> int:
        """How many labels of the budget have not been told yet."""
        return self._budget - len(self._told)

    def _check_answers(self, answers: Mapping[int, int]) -> dict[int, int]:
        """Those of the answers that are new."""
        new = {index: label for index, label in answers.items() if index not in self._told}
        for index, label in answers.items():
            if self._told.get(index, label) != label:
                raise ValueError(f"example {index} was told to be {self._told[index]} before, and now {label}")
        for index in new:
            if index not in self._open and index not in self._unanswered:
                raise ValueError(f"told the label of example {index}, which was not asked for")
        late = [index for index in new if index not in self._open]
        if len(self._told) + len(self._open) + len(late) > self._budget:
            raise ValueError(
                f"told the label of example {late[0]} too late: it was released, and all of the budget of "
                f"{self._budget} is told or asked of others by now"
            )
        return new

    def _check_asked(self, indices: ArrayLike, what: str) -> Indices:
        asked = check_indices(indices, len(self._known.label_of))
        for index in asked.tolist():
            if index not in self._open and index not in self._unanswered:
                state = "was told" if index in self._told else "was not asked for"
                raise ValueError(f"{what}: example {index}, which {state}")
        return asked

    def _close(self, indices: Indices, without_answer: bool = False) -> None:
        """These are not open any more."""
        for index in indices.tolist():
            if index in self._open:
                del self._open[index]
            elif len(self._queue):  # came late, when it was about to be asked for again
                self._queue = self._queue[self._queue != index]
            self._unanswered.discard(index)
        if without_answer:
            self._unanswered.update(indices.tolist())
        self._go_on()

    def _go_on(self) -> None:
        """Run the algorithm once nothing is open that it could wait for."""
        if len(self._told) == self._budget:
            self._queue = self._queue[:0]  # late answers have taken its place
        if not self._open and not len(self._queue):
            self._advance()

    def _advance(self) -> None:
        """Run the algorithm to its next queries."""
        if self._open:
            pending = self.pending
            self._known.mark(pending[self._known.label_of[pending] == UNLABELED], OPEN)
        self._queue = next(self._algorithm)


class DirectSession(Session):
    """Collect ``budget`` labels with DIRECT (Algorithm 2), asking for at most ``parallel`` at a time.

    Example::

        session = DirectSession(probabilities, labeled, labels, budget=100, parallel=5, rng=np.random.default_rng(0))
        while not session.done:
            indices = session.ask()
            session.tell(indices, annotate(indices))

    Args:
        probabilities: (N, K) softmax scores of the pool in float16, float32 or float64. Read, never copied whole nor
            changed; they must stay as they are while the session lasts.
        labeled: (L,) pool indices labeled so far; may be empty.
        labels: (L,) their labels in 0..K-1, as the annotators gave them.
        budget: how many labels to collect, the paper's B_train. More than what is unlabeled: all of it, with a warning.
        parallel: the most labels waited for at any time, the paper's B_parallel; with ``interleaved``, for each class.
        rng: where every random choice is drawn from. Same state, same inputs and answers: same queries.
        options: what the paper leaves open.
        schedule: ``sequential``, one class after the other, as in the paper; or ``interleaved``, all of them side by
            side, so that K * ``parallel`` annotators can work at once.

    Raises:
        ValueError, TypeError: an argument is not as above. The message names it and says what was expected.

    """

    def __init__(
        self,
        probabilities: ArrayLike | Scores,
        labeled: ArrayLike,
        labels: ArrayLike,
        *,
        budget: int,
        parallel: int,
        rng: np.random.Generator,
        options: Options | None = None,
        schedule: Schedule = "sequential",
    ) -> None:
        scores, indices, known_labels = _checked(probabilities, labeled, labels, rng)
        parallel = check_count(parallel, "parallel", least=1)
        check_choice(schedule, "schedule", get_args(Schedule))
        num_examples, num_classes = scores.array.shape
        budget = check_budget(budget, num_examples - len(indices))
        self._found = Findings()
        known = Annotations(indices, known_labels, budget, num_examples)
        algorithm = direct(PoolOrders(scores), known, parallel, rng, options or Options(), self._found, schedule)
        super().__init__(algorithm, known, num_classes, budget)

    @property
    def thresholds(self) -> Mapping[int, int]:
        """The estimated threshold of each class that has been reached by the second phase: the number of examples,
        from the front of the class's order, that are called the class.
        """
        return dict(self._found.thresholds)

    @property
    def version_spaces(self) -> Mapping[int, Sequence[VersionSpace]]:
        """How each class's version space has moved, from the initial one to that of its search's last batch; by class,
        once its search began.
        """
        return {k: tuple(spaces) for k, spaces in self._found.version_spaces.items()}


class GalaxySession(Session):
    """Collect ``budget`` labels with GALAXY (Zhang, Katz-Samuels, Nowak 2022), asking for one at a time.

    Args:
        probabilities, labeled, labels, budget, rng: as for ``DirectSession``.
        cuts: which cuts to annotate around, see ``core.galaxy``.

    Raises:
        ValueError, TypeError: an argument is not as above. The message names it and says what was expected.

    """

    def __init__(
        self,
        probabilities: ArrayLike | Scores,
        labeled: ArrayLike,
        labels: ArrayLike,
        *,
        budget: int,
        rng: np.random.Generator,
        cuts: Cuts = "all",
    ) -> None:
        scores, indices, known_labels = _checked(probabilities, labeled, labels, rng)
        check_choice(cuts, "cuts", get_args(Cuts))
        num_examples, num_classes = scores.array.shape
        budget = check_budget(budget, num_examples - len(indices))
        known = Annotations(indices, known_labels, budget, num_examples)
        algorithm = galaxy(PoolOrders(scores), known, rng, cuts)
        super().__init__(algorithm, known, num_classes, budget)


def _checked(
    probabilities: ArrayLike | Scores, labeled: ArrayLike, labels: ArrayLike, rng: Any
) -> tuple[Scores, Indices, Indices]:
    """The scores, the labeled indices and their labels, once they and the generator are known to be sound."""
    scores = check_probabilities(probabilities)
    check_not_one_hot(scores)
    indices = check_indices(labeled, len(scores.array), "labeled")
    known_labels = check_labels(labels, indices, scores.array.shape[1])
    if not isinstance(rng, np.random.Generator):
        raise TypeError(f"rng must be a np.random.Generator, such as np.random.default_rng(0), got {rng!r}")
    return scores, indices, known_labels
