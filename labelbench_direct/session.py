"""Ask and tell: DIRECT and GALAXY with annotators in the loop."""

from __future__ import annotations

from collections.abc import Generator, Mapping, Sequence
from typing import Any, get_args

import numpy as np
from numpy.typing import ArrayLike

from labelbench_direct.core.annotations import Annotations
from labelbench_direct.core.buckets import PoolOrders
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
from labelbench_direct.core.direct import Findings, direct
from labelbench_direct.core.galaxy import Cuts, galaxy
from labelbench_direct.core.options import Options
from labelbench_direct.core.scores import Scores
from labelbench_direct.core.types import Indices
from labelbench_direct.core.version_space import VersionSpace


class Session:
    """What every session shares: handing out the algorithm's queries, and taking their labels in any order.

    ``algorithm`` yields pool indices to annotate and is sent their labels, until ``budget`` labels are spent.
    """

    def __init__(
        self, algorithm: Generator[Indices, Indices, None], num_examples: int, num_classes: int, budget: int
    ) -> None:
        self._run = algorithm
        self._num_examples, self._num_classes = num_examples, num_classes
        self._budget = budget
        self._answers: dict[int, int] = {}  # every answer so far, by pool index
        self._pending: dict[int, None] = {}  # what was asked for and not told yet, in the order of asking
        self._batch = np.zeros(0, dtype=np.int64)  # what the algorithm waits for, whole
        self._is_handed_out = False
        self._done = False
        self._advance(None)

    def ask(self) -> Indices:
        """The next pool indices to annotate, each handed out once.

        Empty while the answers that decide what to ask next are still out, and when the session is done.
        """
        if self._is_handed_out:
            return np.zeros(0, dtype=np.int64)
        self._is_handed_out = True
        self._pending = dict.fromkeys(self._batch.tolist())
        return self._batch.copy()

    def tell(self, indices: ArrayLike, labels: ArrayLike) -> None:
        """The labels of examples that were asked for: in any order, and in parts.

        Telling the same answer again is harmless. Raises before anything has changed: ValueError for examples that were
        not asked for, labels outside 0..K-1, another answer than the one given before, arrays of two lengths.
        """
        told = check_integers(indices, "indices")
        answers = check_labels(labels, told, self._num_classes)
        is_whole = 0 < len(told) == len(self._batch) == len(self._pending)
        if is_whole and told.tolist() == self._batch.tolist():  # as it was asked for
            self._answers.update(zip(told.tolist(), answers.tolist(), strict=True))
            self._pending = {}
            self._advance(answers)
            return
        check_indices(told, self._num_examples)
        new = dict(zip(told.tolist(), answers.tolist(), strict=True))
        for index, label in new.items():
            if index not in self._pending and index not in self._answers:
                raise ValueError(f"told the label of example {index}, which was not asked for")
            if self._answers.get(index, label) != label:
                raise ValueError(f"example {index} was told to be {self._answers[index]} before, and now {label}")
        was_waiting = bool(self._pending)
        self._answers.update(new)
        for index in new:
            self._pending.pop(index, None)
        if was_waiting and not self._pending:
            self._advance(np.array([self._answers[index] for index in self._batch.tolist()], dtype=np.int64))

    @property
    def done(self) -> bool:
        """Whether the budget is spent: every label has been asked for and told."""
        return self._done

    @property
    def pending(self) -> Indices:
        """The pool indices that were asked for and not told yet."""
        return np.array(list(self._pending), dtype=np.int64)

    @property
    def told(self) -> Mapping[int, int]:
        """The answers so far: pool index to label, in the order of telling."""
        return dict(self._answers)

    @property
    def remaining(self) -> int:
        """How many labels of the budget have not been told yet."""
        return self._budget - len(self._answers)

    def _advance(self, labels: Indices | None) -> None:
        """Run the algorithm to its next batch."""
        try:
            self._batch = next(self._run) if labels is None else self._run.send(labels)
        except StopIteration:
            self._batch, self._done = np.zeros(0, dtype=np.int64), True
        self._is_handed_out = False


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
        parallel: the most labels waited for at any time, the paper's B_parallel.
        rng: where every random choice is drawn from. Same state, same inputs and answers: same queries.
        options: what the paper leaves open.

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
    ) -> None:
        scores, indices, known_labels = _checked(probabilities, labeled, labels, rng)
        parallel = check_count(parallel, "parallel", least=1)
        num_examples, num_classes = scores.array.shape
        budget = check_budget(budget, num_examples - len(indices))
        self._found = Findings()
        known = Annotations(indices, known_labels, budget, num_examples)
        algorithm = direct(PoolOrders(scores), known, budget, parallel, rng, options or Options(), self._found)
        super().__init__(algorithm, num_examples, num_classes, budget)

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
        algorithm = galaxy(PoolOrders(scores), known, budget, rng, cuts)
        super().__init__(algorithm, num_examples, num_classes, budget)


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
