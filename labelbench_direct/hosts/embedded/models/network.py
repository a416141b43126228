"""What is trained, and how: networks, and the options of training."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import numpy as np
import torch
from torch import nn

from labelbench_direct.core.checks import check_choice, check_count
from labelbench_direct.core.types import Indices
from labelbench_direct.hosts.embedded.config import check_flag, check_number
from labelbench_direct.hosts.embedded.models.inputs import ArrayInputs, Inputs

OPTIMIZERS = {"adam": torch.optim.Adam, "adamw": torch.optim.AdamW}


@dataclass(frozen=True)
class Training:
    """How to train. Steps on batches of labels, or instead of ``steps`` so many ``epochs`` over them.

    ``model``: ``linear``, or ``mlp`` with one hidden layer; without a meaning for a trainer that has a ``Network``.
    ``augment``: train on weak views (``views.py``).

    Raises ValueError or TypeError, naming the field.
    """

    model: Literal["linear", "mlp"] = "mlp"
    hidden: int = 128
    steps: int = 300
    epochs: int | None = None
    batch_size: int = 128
    optimizer: Literal["adam", "adamw"] = "adam"
    learning_rate: float = 3e-3
    weight_decay: float = 1e-4
    class_weights: bool = True
    label_smoothing: float = 0.0
    augment: bool = False

    def __post_init__(self) -> None:
        check_choice(self.model, "model", ("linear", "mlp"))
        check_choice(self.optimizer, "optimizer", tuple(OPTIMIZERS))
        for name in ("hidden", "steps", "epochs", "batch_size"):
            if getattr(self, name) is not None:
                check_count(getattr(self, name), name, least=1)
        check_number(self.learning_rate, "learning_rate", least=0)
        check_number(self.weight_decay, "weight_decay", least=0)
        check_number(self.label_smoothing, "label_smoothing", least=0, most=1)
        check_flag(self.class_weights, "class_weights")
        check_flag(self.augment, "augment")

    def batches(self, num_labeled: int, rng: np.random.Generator) -> list[Indices]:
        """The rows of the labeled examples to train on, step by step."""
        steps = self.steps
        if self.epochs is not None:
            steps = self.epochs * (num_labeled // min(self.batch_size, num_labeled))
        return walk(num_labeled, self.batch_size, steps, rng)


class Classifier(nn.Module):
    """A linear head on the penultimate layer: the inputs themselves, or one hidden layer of rectified units."""

    def __init__(self, training: Training, num_inputs: int, num_classes: int) -> None:
        super().__init__()
        is_mlp = training.model == "mlp"
        self.body = nn.Sequential(nn.Linear(num_inputs, training.hidden), nn.ReLU()) if is_mlp else nn.Identity()
        self.head = nn.Linear(training.hidden if is_mlp else num_inputs, num_classes)

    def forward(self, inputs: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Logits (n, K) and penultimate-layer embeddings (n, D)."""
        embeddings = self.body(inputs)
        return self.head(embeddings), embeddings


@dataclass(frozen=True)
class Network:
    """What is trained, and on what: ``build`` makes a new model for K classes, which maps a batch of ``inputs`` to
    logits (n, K) and penultimate-layer embeddings (n, D).
    """

    inputs: Inputs
    build: Callable[[int], nn.Module]


def classifier(training: Training, inputs: ArrayInputs) -> Network:
    """A ``Classifier`` of arrays."""
    return Network(inputs, lambda num_classes: Classifier(training, inputs.num_columns, num_classes))


def walk(num_examples: int, batch_size: int, steps: int, rng: np.random.Generator) -> list[Indices]:
    """``steps`` batches of distinct rows, walking through one random permutation of them after another.

    Fewer examples than a batch: batches of them all.
    """
    batch_size = min(batch_size, num_examples)
    per_epoch = num_examples // batch_size
    epochs = -(-steps // per_epoch)
    rows = [rng.permutation(num_examples)[: per_epoch * batch_size] for _ in range(epochs)]
    return list(np.concatenate(rows).reshape(-1, batch_size)[:steps])
