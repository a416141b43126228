"""The linear classifier of least loss, exactly: full-batch L-BFGS on a strictly convex objective."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, TypeAlias, get_args

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from labelbench_direct.core.checks import check_choice, check_count
from labelbench_direct.core.types import Indices
from labelbench_direct.hosts.embedded.config import check_flag, check_number
from labelbench_direct.hosts.embedded.models.network import Network, Training
from labelbench_direct.hosts.embedded.pool import Pool
from labelbench_direct.hosts.embedded.training.passive import PassiveTrainer

Parameters = NDArray[np.float64]
Weighting: TypeAlias = Literal["torch", "example"]


@dataclass(frozen=True)
class Lbfgs:
    """How to train a linear head. ``weight_decay``: half of it times the squared norm of weights and biases is added to
    the loss, so that there is one minimum. ``class_weights``: weight by inverse class frequency. ``weighting``: what
    class weights do where labels are smoothed, see ``LbfgsTrainer``. ``max_iterations``: a bound that is far away.

    Raises ValueError or TypeError, naming the field.
    """

    weight_decay: float = 0.01
    class_weights: bool = True
    label_smoothing: float = 0.0
    weighting: Weighting = "torch"
    max_iterations: int = 1000

    def __post_init__(self) -> None:
        check_number(self.weight_decay, "weight_decay", least=1e-8)
        check_number(self.label_smoothing, "label_smoothing", least=0, most=1)
        check_choice(self.weighting, "weighting", get_args(Weighting))
        check_flag(self.class_weights, "class_weights")
        check_count(self.max_iterations, "max_iterations", least=1)


class LbfgsTrainer(PassiveTrainer):
    """``PassiveTrainer`` for a linear model of arrays, whose training has no randomness: it finds the minimum of

        - sum_i sum_c t_ic log p_ic / sum_i w(y_i) + weight_decay / 2 |parameters|^2

    over the labeled examples i with labels y_i, w(c) being 1 / (labels of class c), or 1 without class weights.

    With ``weighting="torch"``, t_ic = w(c) ((1 - s) [c = y_i] + s / K) as in torch's ``cross_entropy``, s being
    ``label_smoothing``: the share that an example gives away to a rare class has the rare class's weight. That is much
    more than the example's own: with K 2 and classes 1:99, 10% smoothing asks every example of the common class to be
    called rare with probability .84. With ``weighting="example"``, t_ic = w(y_i) (...): all of an example has the
    weight of its own label. Without smoothing or class weights the two are the same.
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
            model.get_submodule("head").weight.copy_(weights)  # type: ignore[operator]  # a submodule by name has no declared type
            model.get_submodule("head").bias.copy_(biases)  # type: ignore[operator]  # as above
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
        of_class = np.ones(num_classes)
        if options.class_weights:
            of_class = 1 / np.maximum(np.bincount(labels, minlength=num_classes), 1)
        of_example = torch.from_numpy(of_class[labels])
        weights = torch.from_numpy(of_class)[:, None] if options.weighting == "torch" else of_example
        self._targets = targets * weights / of_example.sum()
        self._weights = self._targets.sum(dim=0)

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
