"""Passive training: cross entropy on the labeled examples, from scratch every round (Appendix D)."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn
from torch.nn import functional

from labelbench_direct.core.types import Indices
from labelbench_direct.hosts.embedded.data.parts import Part
from labelbench_direct.hosts.embedded.models.inputs import ArrayInputs, View
from labelbench_direct.hosts.embedded.models.network import OPTIMIZERS, Classifier, Network, Training, classifier
from labelbench_direct.hosts.embedded.models.transfer import to_host
from labelbench_direct.hosts.embedded.pool import Pool
from labelbench_direct.hosts.embedded.room import room
from labelbench_direct.hosts.metrics import multi_class_metrics
from labelbench_direct.labelbench import ALInput

__all__ = ["Classifier", "PassiveTrainer", "Training", "best_device"]

PARTS = ("train", "val", "test")
_LOSS_CHECKED_EVERY = 50  # steps: reading it waits for the device

BatchLoss = Callable[[torch.Tensor, Indices], torch.Tensor]
"""The loss of logits (n, K) for the rows (n,) of the labeled examples that they belong to."""


def best_device() -> torch.device:
    """The accelerator that torch finds, or the CPU."""
    if torch.cuda.is_available():
        return torch.device("cuda")
    return torch.device("mps" if torch.backends.mps.is_available() else "cpu")


class PassiveTrainer:
    """LabelBench's ``Trainer`` interface. Every ``train()`` starts from the same seed, whatever happened before it.

    ``network``: by default the ``Classifier`` that ``training`` names. Mixed precision on CUDA.
    """

    def __init__(
        self,
        training: Training,
        pool: Pool,
        seed: int,
        device: torch.device | None = None,
        network: Network | None = None,
    ) -> None:
        self.training = training
        self.pool = pool
        self._seed = seed
        self._device = device or best_device()
        data = pool.data
        self._parts: dict[str, Part] = {"train": data.train, "val": data.val, "test": data.test}
        self._network = network or classifier(training, ArrayInputs(data, self._device))
        self._results: dict[int, NDArray[Any]] = {}  # labels as (n,), the rest as the model computes it

    def train(self) -> nn.Module:
        """A model trained on the labeled examples, with the labels that annotators gave.

        Raises FloatingPointError when the loss is no number any more, MemoryError when the device has no room.
        """
        training, on_cuda = self.training, self._device.type == "cuda"
        labels = self.pool.get_train_labels().argmax(axis=1)
        with torch.random.fork_rng(devices=[]), room(self._device, "the model"):  # it is made on the CPU
            torch.default_generator.manual_seed(self._seed)
            model = self._network.build(self.pool.num_classes).to(self._device).train()
        optimizer = OPTIMIZERS[training.optimizer](
            model.parameters(), lr=training.learning_rate, weight_decay=training.weight_decay
        )
        scaler = torch.amp.GradScaler(self._device.type, enabled=on_cuda)
        with room(self._device, f"a batch of {training.batch_size}"):
            for step, loss in enumerate(self._losses(model, self.pool.labeled_idxs(), self._batch_loss(labels)), 1):
                optimizer.zero_grad()
                scaler.scale(loss).backward()  # type: ignore[no-untyped-call]  # torch's is untyped
                scaler.step(optimizer)
                scaler.update()
                if step % _LOSS_CHECKED_EVERY == 0:
                    self._check_loss(loss, step)
        self._check_loss(loss, step)
        return model

    def evaluate_on_train(self, model: nn.Module) -> None:
        """Score the whole pool."""
        self._evaluate("train", model)

    def evaluate_on_val(self, model: nn.Module) -> None:
        """Score the validation part."""
        self._evaluate("val", model)

    def evaluate_on_test(self, model: nn.Module) -> None:
        """Score the test part."""
        self._evaluate("test", model)

    def retrieve_inputs(self, input_types: list[Any]) -> list[NDArray[Any]]:
        """Fresh float64 copies of scores (n, K), true labels one-hot (n, K), losses (n,) or embeddings (n, D)."""
        return [self._result(int(kind)) for kind in input_types]

    def _result(self, kind: int) -> NDArray[Any]:
        result = self._results[kind]
        is_label = int(ALInput.TRAIN_LABEL) <= kind <= int(ALInput.TEST_LABEL)
        return np.eye(self.pool.num_classes)[result] if is_label else result.astype(np.float64)

    def compute_metric(self, epoch: int) -> dict[str, float]:
        """LabelBench's metrics of the last evaluation of all three parts."""
        scores = {
            name: (self._results[int(ALInput.TRAIN_PRED) + i], self._parts[name].labels) for i, name in enumerate(PARTS)
        }
        losses = {name: float(self._result(int(ALInput.TRAIN_LOSS) + i).mean()) for i, name in enumerate(PARTS)}
        return {"Epoch": epoch, **multi_class_metrics(scores, losses, self.pool.labeled_idxs())}

    def _losses(self, model: nn.Module, labeled: Indices, batch_loss: BatchLoss) -> Iterator[torch.Tensor]:
        """The loss of one batch after another, each computed when it is asked for."""
        batches = self.training.batches(len(labeled), np.random.default_rng(self._seed))
        view: View = "weak" if self.training.augment else "plain"
        all_inputs = self._network.inputs.batches("train", [labeled[rows] for rows in batches], view, self._seed)
        for rows, inputs in zip(batches, all_inputs, strict=True):
            logits, _ = self._forward(model, inputs)
            yield batch_loss(logits, rows)

    def _batch_loss(self, labels: Indices) -> BatchLoss:
        """Cross entropy, weighted by inverse class frequency if so configured."""
        weights = None
        if self.training.class_weights:
            counts = np.bincount(labels, minlength=self.pool.num_classes)
            weights = torch.tensor(1 / np.maximum(counts, 1), dtype=torch.float32, device=self._device)
        smoothing = self.training.label_smoothing

        def loss(logits: torch.Tensor, rows: Indices) -> torch.Tensor:
            targets = torch.from_numpy(labels[rows]).to(self._device, non_blocking=True)
            return functional.cross_entropy(logits, targets, weight=weights, label_smoothing=smoothing)

        return loss

    def _forward(self, model: nn.Module, inputs: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        with torch.autocast(self._device.type, enabled=self._device.type == "cuda"):
            logits, embeddings = model(inputs)
        return logits.float(), embeddings.float()

    @torch.no_grad()
    def _evaluate(self, part: str, model: nn.Module) -> None:
        labels = self._parts[part].labels
        model.eval()
        with room(self._device, "scoring"):
            batches = self._network.inputs.in_order(part)
            logits, embeddings = to_host(self._forward(model, inputs) for inputs in batches)
        offset = PARTS.index(part)
        logs = logits.T.contiguous().log_softmax(dim=0)  # classes first: much faster where they are few
        results: dict[Any, torch.Tensor | Indices] = {
            ALInput.TRAIN_PRED: logs.exp().T,
            ALInput.TRAIN_LABEL: labels,
            ALInput.TRAIN_LOSS: -logs.gather(0, torch.from_numpy(labels)[None])[0],
            ALInput.TRAIN_EMBEDDING: embeddings,
        }
        for kind, result in results.items():
            self._results[int(kind) + offset] = result.numpy() if isinstance(result, torch.Tensor) else result

    def _check_loss(self, loss: torch.Tensor, step: int) -> None:
        if not torch.isfinite(loss):
            raise FloatingPointError(
                f"training diverged: the loss is {loss.item()} at step {step}; "
                f"use a learning_rate below {self.training.learning_rate:g}"
            )
