"""What all strategies share: reading the pool's state from LabelBench's interfaces, and the checks."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import Any, ClassVar

import numpy as np

from labelbench_direct.core.checks import (
    check_budget,
    check_indices,
    check_labels,
    check_probabilities,
)
from labelbench_direct.core.scores import Scores, as_array, row_blocks
from labelbench_direct.core.types import Floats, Indices
from labelbench_direct.labelbench import (
    ALInput,
    Annotator,
    Dataset,
    Strategy,
    Trainer,
    is_multi_label,
    labeled_indices,
    labeled_labels,
)
from labelbench_direct.session import Session


@dataclass(frozen=True)
class PoolState:
    """What a strategy knows of the pool when it selects."""

    scores: Scores
    """(N, K) softmax scores, checked."""
    labeled: Indices
    """(L,) pool indices in the order of labeling."""
    labels: Indices
    """(L,) their labels, as the annotators gave them."""
    embeddings: Floats = field(default_factory=lambda: np.zeros((0, 0)))
    """(N, D) outputs of the penultimate layer, for strategies that say ``uses_embeddings``; empty for others."""

    @property
    def probabilities(self) -> Floats:
        """(N, K) the scores as they were handed in."""
        return self.scores.array

    @property
    def unlabeled(self) -> Indices:
        """(N - L,) ascending pool indices."""
        is_unlabeled = np.ones(len(self.probabilities), dtype=bool)
        is_unlabeled[self.labeled] = False
        return np.flatnonzero(is_unlabeled)


class PoolStrategy(Strategy):
    """A strategy that chooses from a ``PoolState``. Subclasses define ``choose``, list their ``config_keys`` and say
    whether they use embeddings.
    """

    config_keys: ClassVar[frozenset[str]] = frozenset()
    uses_embeddings: ClassVar[bool] = False

    def __init__(
        self, strategy_config: dict[str, Any], dataset: Dataset, rng: np.random.Generator | None = None
    ) -> None:
        super().__init__(strategy_config, dataset, rng)
        self.input_types = [ALInput.TRAIN_PRED, *([ALInput.TRAIN_EMBEDDING] if self.uses_embeddings else [])]
        allowed = {"strategy_name", *self.config_keys}
        for key in strategy_config:
            if key not in allowed:
                raise ValueError(
                    f"unknown key {key!r} in the configuration of strategy {self.strategy_name!r}; "
                    f"known are {', '.join(sorted(allowed))}"
                )
        if is_multi_label(dataset):
            raise ValueError(
                f"strategy {self.strategy_name!r} needs one class for each example; this data set is multi-label"
            )

    def select(self, trainer: Trainer, budget: int) -> Indices:
        """``budget`` distinct unlabeled pool indices, or with a warning all that are left when they are fewer."""
        predictions, *rest = trainer.retrieve_inputs(self.input_types)
        scores = check_probabilities(predictions)
        probabilities = scores.array
        if len(probabilities) != len(self.dataset):
            raise ValueError(f"the pool has {len(self.dataset)} examples, but the trainer scored {len(probabilities)}")
        labeled = check_indices(labeled_indices(self.dataset), len(probabilities), "labeled_idxs()")
        labels = check_labels(labeled_labels(self.dataset), labeled, probabilities.shape[1])
        budget = check_budget(budget, len(probabilities) - len(labeled))
        if self.uses_embeddings:
            pool = PoolState(scores, labeled, labels, check_embeddings(rest[0], len(probabilities)))
        else:
            pool = PoolState(scores, labeled, labels)
        return self.choose(pool, budget, self.rng())

    def choose(self, pool: PoolState, budget: int, rng: np.random.Generator) -> Indices:
        """Exactly ``budget`` of ``pool.unlabeled``."""
        raise NotImplementedError


def ask_annotators(session: Session, annotator: Annotator) -> Indices:
    """Let the labels that training will see, noise included, answer what a session asks: its queries, in order."""
    while not session.done:
        indices = session.ask()
        session.tell(indices, annotator(indices))
    return np.fromiter(session.told, dtype=np.int64)


def check_embeddings(embeddings: Any, num_examples: int) -> Floats:
    """Outputs of the penultimate layer (N, D): finite, D >= 1, one row for each example."""
    array = as_array(embeddings, "embeddings")
    if array.ndim != 2 or array.shape[1] == 0:
        raise ValueError(f"embeddings must have shape (examples, dimensions), got shape {array.shape}")
    if array.dtype not in (np.float16, np.float32, np.float64):
        raise TypeError(f"embeddings must be float16, float32 or float64, got {array.dtype}")
    if len(array) != num_examples:
        raise ValueError(f"embeddings must have one row for each of {num_examples} examples, got {len(array)} rows")
    for place, rows in row_blocks(array):
        if not (rows.min() > -np.inf and rows.max() < np.inf):  # false for not-a-number, too
            row, column = np.argwhere(~np.isfinite(rows))[0]
            raise ValueError(f"embeddings must be finite, row {place.start + row} has {rows[row, column]}")
    return array


def unit_scale(embeddings: Floats) -> float:
    """The power of two that brings the largest entry near 1, so that squares of embeddings neither overflow nor lose
    anything to the scaling.
    """
    largest = max(max(float(rows.max()), -float(rows.min())) for _, rows in row_blocks(embeddings))
    return math.ldexp(1.0, -max(math.frexp(largest)[1], -1000))


def column_means(embeddings: Floats) -> Floats:
    """(D,) in double precision."""
    means = np.zeros(embeddings.shape[1])
    for _, rows in row_blocks(embeddings):
        means += rows.sum(axis=0, dtype=np.float64)
    means /= len(embeddings)
    return means


def least(values: Floats, candidates: Indices, budget: int) -> Indices:
    """The ``budget`` candidates with the least values, least first, equal values by ascending pool index.

    ``values``: one for each candidate; ``candidates`` ascending.
    """
    if budget == 0:
        return candidates[:0]
    bound = np.partition(values, budget - 1)[budget - 1]
    within = np.flatnonzero(values <= bound)
    return candidates[within[np.argsort(values[within], kind="stable")[:budget]]]
