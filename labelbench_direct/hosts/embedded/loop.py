"""LabelBench's active-learning loop: label, train from scratch, evaluate, select."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from labelbench_direct.core.types import Indices
from labelbench_direct.hosts.embedded.pool import Pool
from labelbench_direct.hosts.embedded.training import PassiveTrainer
from labelbench_direct.strategies.base import PoolStrategy


@dataclass(frozen=True)
class Round:
    """One round: which examples it labeled, with what, and how good the model trained on all labels so far is."""

    number: int
    indices: Indices
    labels: Indices
    metrics: dict[str, float]
    select_seconds: float
    train_seconds: float


def first_batch(num_examples: int, batch_size: int, seed: int) -> Indices:
    """The examples that LabelBench's ``main.py`` labels first for this seed."""
    legacy = np.random.RandomState(seed + 42)  # the generator that LabelBench draws from
    return legacy.choice(np.arange(num_examples), size=batch_size, replace=False)


def run_rounds(
    pool: Pool, trainer: PassiveTrainer, strategy: PoolStrategy, first: Indices, batch_size: int, rounds: int
) -> Iterator[Round]:
    """Label ``first``, then ``batch_size`` examples a round that the strategy selects, until the pool is exhausted."""
    for number in range(1, rounds + 1):
        started = time.perf_counter()
        budget = min(batch_size, len(pool) - pool.num_labeled())
        if budget == 0:
            return
        indices = first if number == 1 else strategy.select(trainer, budget)
        selected = time.perf_counter()
        pool.update_labeled_idxs(indices)
        model = trainer.train()
        trainer.evaluate_on_train(model)
        trainer.evaluate_on_val(model)
        trainer.evaluate_on_test(model)
        metrics = trainer.compute_metric(number)
        labels = pool.get_train_labels()[-len(indices) :].argmax(axis=1)
        yield Round(number, indices, labels, metrics, selected - started, time.perf_counter() - selected)
