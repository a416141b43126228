"""Passive training: cross entropy on the labeled examples, from scratch every round (Appendix D)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn
from torch.nn import functional

from labelbench_direct.core.checks import check_choice
from labelbench_direct.core.types import Floats, Indices
from labelbench_direct.hosts.embedded.data import Part
from labelbench_direct.hosts.embedded.metrics import multi_class_metrics
from labelbench_direct.hosts.embedded.pool import Pool
from labelbench_direct.labelbench import ALInput

PARTS = ("train", "val", "test")


@dataclass(frozen=True)
class Training:
    """How to train. ``model``: ``linear``, or ``mlp`` with one hidden layer. Steps of Adam on batches of labels."""

    model: Literal["linear", "mlp"] = "mlp"
    hidden: int = 128
    steps: int = 300
    batch_size: int = 128
    learning_rate: float = 3e-3
    weight_decay: float = 1e-4
    class_weights: bool = True
    label_smoothing: float = 0.0

    def __post_init__(self) -> None:
        check_choice(self.model, "model", ("linear", "mlp"))


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


def best_device() -> torch.device:
    """The accelerator that torch finds, or the CPU."""
    if torch.cuda.is_available():
        return torch.device("cuda")
    return torch.device("mps" if torch.backends.mps.is_available() else "cpu")


class PassiveTrainer:
    """LabelBench's ``Trainer`` interface. Every ``train()`` starts from the same seed, whatever happened before it."""

    def __init__(self, training: Training, pool: Pool, seed: int, device: torch.device | None = None) -> None:
        self.training = training
        self.pool = pool
        self._seed = seed
        self._device = device or best_device()
        data = pool.data
        self._parts: dict[str, Part] = {"train": data.train, "val": data.val, "test": data.test}
        self._inputs = {name: torch.from_numpy(part.inputs).to(self._device) for name, part in self._parts.items()}
        self._results: dict[int, NDArray[Any]] = {}

    def train(self) -> Classifier:
        """A model trained on the labeled examples, with the labels that annotators gave."""
        training, labeled = self.training, self.pool.labeled_idxs()
        targets_array = self.pool.get_train_labels().argmax(axis=1)
        inputs = self._inputs["train"][torch.from_numpy(labeled).to(self._device)]
        targets = torch.from_numpy(targets_array).to(self._device)
        weights = None
        if training.class_weights:
            counts = np.bincount(targets_array, minlength=self.pool.num_classes)
            weights = torch.tensor(1 / np.maximum(counts, 1), dtype=torch.float32, device=self._device)
        batches = _batches(len(labeled), training.batch_size, training.steps, np.random.default_rng(self._seed))
        with torch.random.fork_rng():
            torch.manual_seed(self._seed)
            model = Classifier(training, inputs.shape[1], self.pool.num_classes).to(self._device)
        optimizer = torch.optim.Adam(model.parameters(), lr=training.learning_rate, weight_decay=training.weight_decay)
        for batch in batches:
            rows = torch.from_numpy(batch).to(self._device)
            logits, _ = model(inputs[rows])
            loss = functional.cross_entropy(
                logits, targets[rows], weight=weights, label_smoothing=training.label_smoothing
            )
            optimizer.zero_grad()
            loss.backward()  # type: ignore[no-untyped-call]
            optimizer.step()
        return model

    def evaluate_on_train(self, model: Classifier) -> None:
        """Score the whole pool."""
        self._evaluate("train", model)

    def evaluate_on_val(self, model: Classifier) -> None:
        """Score the validation part."""
        self._evaluate("val", model)

    def evaluate_on_test(self, model: Classifier) -> None:
        """Score the test part."""
        self._evaluate("test", model)

    def retrieve_inputs(self, input_types: list[Any]) -> list[NDArray[Any]]:
        """Fresh float64 copies of scores (n, K), true labels one-hot (n, K), losses (n,) or embeddings (n, D)."""
        return [np.array(self._results[int(kind)]) for kind in input_types]

    def compute_metric(self, epoch: int) -> dict[str, float]:
        """LabelBench's metrics of the last evaluation of all three parts."""
        scores = {
            name: (self._results[int(ALInput.TRAIN_PRED) + i], self._parts[name].labels) for i, name in enumerate(PARTS)
        }
        losses = {name: float(self._results[int(ALInput.TRAIN_LOSS) + i].mean()) for i, name in enumerate(PARTS)}
        return {"Epoch": epoch, **multi_class_metrics(scores, losses, self.pool.labeled_idxs())}

    @torch.no_grad()
    def _evaluate(self, part: str, model: Classifier) -> None:
        logits, embeddings = model(self._inputs[part])
        labels = self._parts[part].labels
        targets = torch.from_numpy(labels).to(self._device)
        offset = PARTS.index(part)
        results: dict[Any, torch.Tensor | Floats] = {
            ALInput.TRAIN_PRED: logits.softmax(dim=1),
            ALInput.TRAIN_LABEL: np.eye(self.pool.num_classes)[labels],
            ALInput.TRAIN_LOSS: functional.cross_entropy(logits, targets, reduction="none"),
            ALInput.TRAIN_EMBEDDING: embeddings,
        }
        for kind, result in results.items():
            array = result.cpu().numpy() if isinstance(result, torch.Tensor) else result
            self._results[int(kind) + offset] = array.astype(np.float64)


def make_trainer(
    model: Mapping[str, Any], trainer: Mapping[str, Any], pool: Pool, seed: int, device: torch.device | None
) -> PassiveTrainer:
    """The trainer that an experiment states: ``name`` and options of the model, ``name`` and options of the trainer.

    Raises ValueError for an unknown name, option or value, TypeError for an option of another type.
    """
    check_choice(trainer.get("name"), "trainer name", ("passive",))
    stated: dict[str, Any] = {"model": model.get("name")}
    for part, options in (("model", model), ("trainer", trainer)):
        known = _OPTIONS[part]
        for key in options.keys() - {"name"}:
            if key not in known:
                raise ValueError(f"unknown key {key!r} of {part}; known are name, {', '.join(known)}")
            stated[key] = options[key]
    return PassiveTrainer(Training(**stated), pool, seed, device)


_OPTIONS = {
    "model": ("hidden",),
    "trainer": ("steps", "batch_size", "learning_rate", "weight_decay", "class_weights", "label_smoothing"),
}


def _batches(num_labeled: int, batch_size: int, steps: int, rng: np.random.Generator) -> list[Indices]:
    """``steps`` batches of rows, walking through one random permutation of the labeled examples after another."""
    batch_size = min(batch_size, num_labeled)
    per_epoch = num_labeled // batch_size
    epochs = -(-steps // per_epoch)
    rows = [rng.permutation(num_labeled)[: per_epoch * batch_size] for _ in range(epochs)]
    return list(np.concatenate(rows).reshape(-1, batch_size)[:steps])
