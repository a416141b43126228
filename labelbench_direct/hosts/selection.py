"""What DIRECT found in one ``select``, as plain numbers: the picture of them is the paper's Figures 2 and 3."""

from __future__ import annotations

from typing import Any

import numpy as np

from labelbench_direct.core import passes
from labelbench_direct.core.order import margin_score, sort_orders
from labelbench_direct.core.types import Indices
from labelbench_direct.labelbench import ALInput, Dataset, Strategy, Trainer, labeled_indices, labeled_labels
from labelbench_direct.session import DirectSession

BINS = 100
"""Stretches of a class's order over which true labels and margins are summed up."""
MOST_CLASSES = 10
"""With more classes only those with the fewest labels are described: a thousand orders would be megabytes a round."""


def describe_selection(strategy: Strategy, trainer: Trainer, pool: Dataset) -> dict[str, Any] | None:
    """The last selection of a strategy that holds a ``DirectSession``, by class; None for any other strategy.

    Call it before the trainer trains again and before the pool learns of the selection. Of each class: the threshold,
    the version spaces from first to last as [low, high], the positions of labeled examples in the class's order with
    whether they are the class (``known``: labeled before; ``asked``: asked for now, in the order of asking), and along
    the order in ``BINS`` stretches the share of true members and the mean margin score.
    """
    session = getattr(strategy, "session", None)
    if not isinstance(session, DirectSession):
        return None
    scores, truth = trainer.retrieve_inputs([ALInput.TRAIN_PRED, ALInput.TRAIN_LABEL])
    true_labels = truth.argmax(axis=1)
    known, known_labels = labeled_indices(pool), labeled_labels(pool)
    asked = np.fromiter(session.told, dtype=np.int64)
    asked_labels = np.fromiter(session.told.values(), dtype=np.int64)
    counts = np.bincount(np.concatenate([known_labels, asked_labels]), minlength=scores.shape[1])
    classes = np.sort(np.argsort(counts, kind="stable")[:MOST_CLASSES])
    highest = np.ones(len(scores)) if scores.shape[1] == 2 else scores.max(axis=1)  # of two classes by score alone
    orders = np.empty((len(classes), len(scores)), dtype=np.int64)
    sort_orders(scores, highest, classes, passes, orders)

    def along(k: int, order: Indices) -> dict[str, Any]:
        positions = np.empty_like(order)
        positions[order] = np.arange(len(order))
        edges = np.linspace(0, len(order), min(BINS, len(order)) + 1).astype(np.int64)
        return {
            "threshold": session.thresholds.get(k),
            "version_spaces": [[space.low, space.high] for space in session.version_spaces.get(k, ())],
            "known": [positions[known].tolist(), (known_labels == k).astype(int).tolist()],
            "asked": [positions[asked].tolist(), (asked_labels == k).astype(int).tolist()],
            "members": _means((true_labels == k)[order].astype(np.float64), edges),
            "margin": _means(margin_score(scores, k)[order].astype(np.float64), edges),
        }

    found = {str(k): along(k, order) for k, order in zip(classes.tolist(), orders, strict=True)}
    return {"num_examples": len(scores), "classes": found}


def _means(values: np.ndarray[Any, np.dtype[np.float64]], edges: Indices) -> list[float]:
    """The mean of each stretch between edges, to four decimals."""
    sums = np.add.reduceat(values, edges[:-1])
    means: list[float] = np.round(sums / np.diff(edges), 4).tolist()
    return means
