"""The linear classifier of least loss, exactly: full-batch L-BFGS on a strictly convex objective."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from labelbench_direct.core.checks import check_count
from labelbench_direct.core.types import Indices
from labelbench_direct.hosts.embedded.config import check_flag, check_number
from labelbench_direct.hosts.embedded.models.network import Network, Training
from labelbench_direct.hosts.embedded.pool import Pool
from labelbench_direct.hosts.embedded.training.passive import PassiveTrainer

Parameters = NDArray[np.float64]


@dataclass(frozen=True)
class Lbfgs:
    """How to train a linear head. ``weight_decay``: half of it times the squared norm of weights and biases is added to
    the loss, so that there is one minimum. ``max_iterations``: a bound that is far away.

    Raises ValueError or TypeError, naming the field.
    """

    weight_decay: float = 0.01
    class_weights: bool = True
    label_smoothing: float = 0.0
    max_iterations: int = 1000

    def __post_init__(self) -> None:
        check_number(self.weight_decay, "weight_decay", least=1e-8)
        check_number(self.label_smoothing, "label_smoothing", least=0, most=1)
        check_flag(self.class_weights, "class_weights")
        check_count(self.max_iterations, "max_iterations", least=1)


class LbfgsTrainer(PassiveTrainer):
    """``PassiveTrainer`` for a linear model of arrays, whose training has no randomness: it finds the minimum of

        sum_i w_i CE_i / sum_i w_i + weight_decay / 2 |parameters|^2

    over the labeled examples i, CE_i being the cross entropy against the label smoothed by ``label_smoothing``, and w_i
    the inverse frequency of its label, or 1. (torch's ``cross_entropy`` with both weights by the *predicted* class
    where it smooths, which lets a class of one label take over.)
    """

    def __init__(self, options: Lbfgs, pool: Pool, seed: int, device: torch.device, network: Network) -> None:
        super().__init__(Training(model="linear"), pool, seed, device, network)
        self._options = options

    def train(self) -> nn.Module:
        """The best model of the labeled examples, with the labels that annotators gave."""
        from scipy.optimize import minimize

        labeled = self.pool.labeled_idxs()
        (inputs,) = self._network.inputs.batches("train", [labeled], "plain", self._seed)
        labels = self.pool.get_train_labels().argmax(axis=1)
        objective = _Objective(inputs.cpu().double(), labels, self.pool.num_classes, self._options)
        start = np.zeros(self.pool.num_classes * (inputs.shape[1] + 1))
        limits = {"maxiter": self._options.max_iterations, "maxfun": 2 * self._options.max_iterations, "ftol": 0.0,
                  "gtol": _TOLERANCE, "maxcor": 20}  # fmt: skip
        found = minimize(objective, start, method="L-BFGS-B", jac=True, options=limits)
        weights, biases = objective.shaped(found.x)
        model = self._network.build(self.pool.num_classes)
        with torch.no_grad():
            model.get_submodule("head").weight.copy_(weights)  # type: ignore[operator, union-attr]
            model.get_submodule("head").bias.copy_(biases)  # type: ignore[operator, union-attr]
        return model.to(self._device)


_TOLERANCE = 1e-5
"""Of the gradient's largest entry."""


class _Objective:
    """The loss and its gradient, at parameters (K (D + 1),): weights (K, D), then biases (K,)."""

    def __init__(self, inputs: torch.Tensor, labels: Indices, num_classes: int, options: Lbfgs) -> None:
        self._inputs = inputs
        self._decay = options.weight_decay
        targets = torch.full((num_classes, len(labels)), options.label_smoothing / num_classes, dtype=torch.float64)
        targets[torch.from_numpy(labels), torch.arange(len(labels))] += 1 - options.label_smoothing
        weights = np.ones(len(labels))
        if options.class_weights:
            weights = 1 / np.bincount(labels, minlength=num_classes)[labels]
        self._weights = torch.from_numpy(weights / weights.sum())
        self._targets = targets * self._weights

    def shaped(self, parameters: Parameters) -> tuple[torch.Tensor, torch.Tensor]:
        whole = torch.from_numpy(parameters)
        num_classes, columns = len(self._targets), self._inputs.shape[1]
        return whole[: num_classes * columns].view(num_classes, columns), whole[num_classes * columns :]

    def __call__(self, parameters: Parameters) -> tuple[float, Parameters]:
        weights, biases = self.shaped(parameters)
        logs = torch.addmm(biases[:, None], weights, self._inputs.T).log_softmax(dim=0)  # classes first: faster
        loss = -torch.vdot(self._targets.view(-1), logs.view(-1)).item()
        errors = logs.exp_().mul_(self._weights).sub_(self._targets)
        gradient = torch.cat([(errors @ self._inputs).view(-1), errors.sum(dim=1)]).numpy()
        return loss + self._decay / 2 * float(parameters @ parameters), gradient + self._decay * parameters
