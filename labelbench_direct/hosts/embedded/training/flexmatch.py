"""Semi-supervised training: FlexMatch (Zhang et al. 2021), and pseudo-labeling (Lee 2013), its simplest neighbour."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import torch
from torch import nn
from torch.nn import functional

from labelbench_direct.core.checks import check_count
from labelbench_direct.core.types import Indices
from labelbench_direct.hosts.embedded.config import check_flag, check_number
from labelbench_direct.hosts.embedded.models.inputs import View
from labelbench_direct.hosts.embedded.models.network import Network, Training, walk
from labelbench_direct.hosts.embedded.pool import Pool
from labelbench_direct.hosts.embedded.training.passive import BatchLoss, PassiveTrainer

_RAMP = 0.4  # the share of the steps after which pseudo-labels count in full (pseudo-labeling alone)

Batches = Iterator[torch.Tensor]


@dataclass(frozen=True)
class SemiSupervised:
    """How unlabeled examples take part.

    ``cutoff``: the confidence from which a prediction is a pseudo-label. ``unlabeled_ratio``: unlabeled examples for
    each labeled one of a full batch. ``unlabeled_weight``: of their loss beside the labeled ones'. ``warmup``: see
    ``LearningStatus``, which FlexMatch alone has.
    """

    cutoff: float = 0.95
    unlabeled_ratio: int = 5
    unlabeled_weight: float = 1.0
    warmup: bool = True

    def __post_init__(self) -> None:
        check_number(self.cutoff, "cutoff", least=0, most=1)
        check_count(self.unlabeled_ratio, "unlabeled_ratio", least=1)
        check_number(self.unlabeled_weight, "unlabeled_weight", least=0)
        check_flag(self.warmup, "warmup")


class LearningStatus:
    """How far each class is learned: the share of unlabeled examples that were last taken for it with confidence.

    With ``warmup`` the shares are also relative to the examples not taken for any class yet, so that thresholds stay
    low until most examples were. A step costs the same for any number of classes but for the vector of thresholds.
    """

    def __init__(
        self, num_unlabeled: int, num_classes: int, cutoff: float, warmup: bool, device: torch.device | None = None
    ) -> None:
        self._none = num_classes  # stands for: taken for no class yet
        self._taken_for = torch.full((num_unlabeled,), self._none, device=device)
        self._counts = torch.zeros(num_classes + 1, dtype=torch.long, device=device)
        self._counts[self._none] = num_unlabeled
        self._cutoff, self._warmup = cutoff, warmup

    def thresholds(self) -> torch.Tensor:
        """(K,) the confidence that a pseudo-label of each class needs now (eq. 6-8, 11, convex mapping)."""
        counts = self._counts[: self._none]
        most = self._counts.max() if self._warmup else counts.max()
        status = counts / most.clamp(min=1)
        return self._cutoff * status / (2 - status)

    def update(self, rows: torch.Tensor, confidences: torch.Tensor, classes: torch.Tensor) -> None:
        """Take in predictions (n,) for distinct rows of the unlabeled examples."""
        sure, before = confidences >= self._cutoff, self._taken_for[rows]
        one = sure.long()  # 0 for the others: to leave them out is to wait for the device
        self._counts.index_add_(0, before, -one)
        self._counts.index_add_(0, classes, one)
        self._taken_for[rows] = torch.where(sure, classes, before)


class SemiSupervisedTrainer(PassiveTrainer):
    """Trains on weak views of the labeled examples and on unlabeled ones; passively when there are none.

    Subclasses say which ``views`` of an unlabeled batch they want, and what its loss is.
    """

    views: tuple[View, ...]

    def __init__(
        self,
        training: Training,
        pool: Pool,
        seed: int,
        device: torch.device | None = None,
        network: Network | None = None,
        options: SemiSupervised | None = None,
    ) -> None:
        super().__init__(training, pool, seed, device, network)
        self.options = options or SemiSupervised()

    def _losses(self, model: nn.Module, labeled: Indices, batch_loss: BatchLoss) -> Iterator[torch.Tensor]:
        unlabeled = self.pool.unlabeled_idxs()
        if len(unlabeled) == 0:
            yield from super()._losses(model, labeled, batch_loss)
            return
        rng = np.random.default_rng(self._seed)
        batches = self.training.batches(len(labeled), rng)
        size = self.training.batch_size * self.options.unlabeled_ratio
        unlabeled_batches = walk(len(unlabeled), size, len(batches), rng)
        seeds = rng.integers(2**62, size=1 + len(self.views))
        make = self._network.inputs.batches
        sources = [make("train", [labeled[rows] for rows in batches], "weak", int(seeds[0]))]
        for view, seed in zip(self.views, seeds[1:], strict=True):
            sources.append(make("train", [unlabeled[rows] for rows in unlabeled_batches], view, int(seed)))
        self._start(len(unlabeled), len(batches))
        for rows, unlabeled_rows, *inputs in zip(batches, unlabeled_batches, *sources, strict=True):
            logits, _ = self._forward(model, torch.cat(inputs))
            supervised, *others = torch.split(logits, [len(part) for part in inputs])
            on_device = torch.from_numpy(unlabeled_rows).to(self._device, non_blocking=True)
            loss = self._unlabeled_loss(on_device, *others)
            yield batch_loss(supervised, rows) + self.options.unlabeled_weight * loss

    def _start(self, num_unlabeled: int, num_steps: int) -> None:
        """Forget what the last training knew; each kind of trainer has its own state."""
        raise NotImplementedError

    def _unlabeled_loss(self, rows: torch.Tensor, *logits: torch.Tensor) -> torch.Tensor:
        """The loss of unlabeled examples, from the logits of each of ``views``; each kind of trainer has its own."""
        raise NotImplementedError


class FlexMatchTrainer(SemiSupervisedTrainer):
    """Strong views learn the weak views' pseudo-labels, which each class admits by its own threshold."""

    views = ("weak", "strong")

    def _start(self, num_unlabeled: int, num_steps: int) -> None:
        options = self.options
        self._status = LearningStatus(
            num_unlabeled, self.pool.num_classes, options.cutoff, options.warmup, self._device
        )

    def _unlabeled_loss(self, rows: torch.Tensor, *logits: torch.Tensor) -> torch.Tensor:
        weak, strong = logits
        confidences, classes = weak.detach().softmax(dim=1).max(dim=1)
        admitted = confidences >= self._status.thresholds()[classes]  # before the update, as in the authors' code
        self._status.update(rows, confidences, classes)
        return (functional.cross_entropy(strong, classes, reduction="none") * admitted).mean()


class PseudoLabelTrainer(SemiSupervisedTrainer):
    """Confident predictions are labels, with a weight that rises from 0 over the first steps."""

    views = ("weak",)

    def _start(self, num_unlabeled: int, num_steps: int) -> None:
        self._step, self._ramp_steps = 0, max(1, _RAMP * num_steps)

    def _unlabeled_loss(self, rows: torch.Tensor, *logits: torch.Tensor) -> torch.Tensor:
        (weak,) = logits
        confidences, classes = weak.detach().softmax(dim=1).max(dim=1)
        admitted = confidences >= self.options.cutoff
        weight = min(1.0, self._step / self._ramp_steps)
        self._step += 1
        return weight * (functional.cross_entropy(weak, classes, reduction="none") * admitted).mean()
