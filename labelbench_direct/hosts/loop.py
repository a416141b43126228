"""LabelBench's active-learning loop: label, train from scratch, evaluate, select; and going on with one in the middle.
 What a round leaves behind is enough to go on after it: its indices, and the random state before its training. A
trainer starts from scratch every round, so training once more gives the model that the next selection needs.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

import numpy as np

from labelbench_direct.core.types import Indices
from labelbench_direct.hosts.metrics import class_accuracies
from labelbench_direct.hosts.selection import describe_selection
from labelbench_direct.labelbench import ALInput, Dataset, Strategy, labeled_indices, labeled_labels


class LoopTrainer(Protocol):
    """The part of LabelBench's ``Trainer`` that the loop uses."""

    def train(self) -> Any: ...
    def evaluate_on_train(self, model: Any) -> None: ...
    def evaluate_on_val(self, model: Any) -> None: ...
    def evaluate_on_test(self, model: Any) -> None: ...
    def compute_metric(self, epoch: int) -> dict[str, float]: ...
    def retrieve_inputs(self, input_types: Any) -> list[Any]: ...


class RandomState(Protocol):
    """Whatever a trial draws from: read as something that JSON can hold, and put back."""

    def get(self) -> Any: ...
    def set(self, state: Any) -> None: ...


class GeneratorState:
    """The state of a ``np.random.Generator``."""

    def __init__(self, rng: np.random.Generator) -> None:
        self._rng = rng

    def get(self) -> Any:
        """The bit generator's state."""
        return self._rng.bit_generator.state

    def set(self, state: Any) -> None:
        """Go on from a state."""
        self._rng.bit_generator.state = state


@dataclass(frozen=True)
class Round:
    """One round: which examples it labeled, with what, and how good the model trained on all labels so far is."""

    number: int
    indices: Indices
    labels: Indices
    metrics: dict[str, float]
    select_seconds: float
    train_seconds: float
    class_accuracies: list[float] = field(default_factory=list)
    """Of the test part, by class."""
    selection: dict[str, Any] | None = None
    """What DIRECT found when it selected, by ``describe_selection``; None for other strategies."""
    random_state: Any = None
    """After selecting, before training."""
    model: Any = None
    is_last: bool = False


@dataclass(frozen=True)
class PastRound:
    """What of a finished round is needed to go on after it."""

    indices: Indices
    random_state: Any


def first_batch(num_examples: int, batch_size: int, seed: int) -> Indices:
    """The examples that LabelBench's ``main.py`` labels first for this seed."""
    legacy = np.random.RandomState(seed + 42)  # the generator that LabelBench draws from
    return legacy.choice(np.arange(num_examples), size=batch_size, replace=False)


def run_rounds(
    pool: Dataset,
    trainer: LoopTrainer,
    strategy: Strategy,
    first: Indices,
    batch_size: int,
    rounds: int,
    *,
    past: Sequence[PastRound] = (),
    random_state: RandomState | None = None,
    describe: bool = True,
) -> Iterator[Round]:
    """Label ``first``, then ``batch_size`` examples a round that the strategy selects, until the pool is exhausted.

    ``describe``: say what DIRECT found, which takes as long as some selections and most of a round's room.
    ``past``: the rounds that were finished before; those after them follow as if there had been no interruption.
    """
    if past:
        for finished in past:
            pool.update_labeled_idxs(finished.indices)
        if random_state is not None:
            random_state.set(past[-1].random_state)
        _evaluate(trainer, trainer.train())
    for number in range(len(past) + 1, rounds + 1):
        budget = min(batch_size, len(pool) - len(labeled_indices(pool)))
        if budget == 0:
            return
        started = time.perf_counter()
        indices = np.asarray(first if number == 1 else strategy.select(trainer, budget))
        selected = time.perf_counter()
        selection = describe_selection(strategy, trainer, pool) if describe and number > 1 else None
        pool.update_labeled_idxs(indices)
        state = random_state.get() if random_state is not None else None
        training = time.perf_counter()
        model = trainer.train()
        _evaluate(trainer, model)
        metrics = trainer.compute_metric(number)
        scores, targets = trainer.retrieve_inputs([ALInput.TEST_PRED, ALInput.TEST_LABEL])
        yield Round(
            number=number,
            indices=indices,
            labels=labeled_labels(pool)[-len(indices) :],
            metrics=metrics,
            select_seconds=selected - started,
            train_seconds=time.perf_counter() - training,
            class_accuracies=class_accuracies(scores, targets.argmax(axis=1))[0].tolist(),
            selection=selection,
            random_state=state,
            model=model,
            is_last=number == rounds or len(labeled_indices(pool)) == len(pool),
        )


def _evaluate(trainer: LoopTrainer, model: Any) -> None:
    trainer.evaluate_on_train(model)
    trainer.evaluate_on_val(model)
    trainer.evaluate_on_test(model)
