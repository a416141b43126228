"""Models and trainers by name and configuration."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, Protocol

import torch

from labelbench_direct.core.checks import check_choice, check_count
from labelbench_direct.hosts.embedded.config import build, check_keys, field_names
from labelbench_direct.hosts.embedded.data.parts import Data
from labelbench_direct.hosts.embedded.models.clip import Clip
from labelbench_direct.hosts.embedded.models.inputs import ArrayInputs
from labelbench_direct.hosts.embedded.models.network import Network, Training, classifier
from labelbench_direct.hosts.embedded.models.resnet import ResNet18
from labelbench_direct.hosts.embedded.pool import Pool
from labelbench_direct.hosts.embedded.room import room
from labelbench_direct.hosts.embedded.training.flexmatch import (
    FlexMatchTrainer,
    PseudoLabelTrainer,
    SemiSupervised,
    SemiSupervisedTrainer,
)
from labelbench_direct.hosts.embedded.training.lbfgs import Lbfgs, LbfgsTrainer
from labelbench_direct.hosts.embedded.training.passive import PassiveTrainer, best_device

Config = Mapping[str, Any]
"""``{"name": ..., options...}``, as in the files of configs/experiments."""


class Model(Protocol):
    """The options of a kind of model."""

    def network(self, training: Training, data: Data, device: torch.device) -> Network:
        """What a trainer trains on these data. Raises FileNotFoundError when its weights are not there."""


@dataclass(frozen=True)
class Linear:
    """A linear classifier of arrays."""

    def network(self, training: Training, data: Data, device: torch.device) -> Network:
        return classifier(replace(training, model="linear"), ArrayInputs(data, device))


@dataclass(frozen=True)
class Mlp:
    """One hidden layer, for arrays."""

    hidden: int = 128

    def __post_init__(self) -> None:
        check_count(self.hidden, "hidden", least=1)

    def network(self, training: Training, data: Data, device: torch.device) -> Network:
        return classifier(replace(training, model="mlp", hidden=self.hidden), ArrayInputs(data, device))


MODELS: dict[str, type[Model]] = {"linear": Linear, "mlp": Mlp, "resnet18": ResNet18, "clip_vitb32": Clip}
SEMI_SUPERVISED: dict[str, type[SemiSupervisedTrainer]] = {
    "flexmatch": FlexMatchTrainer,
    "pseudo_label": PseudoLabelTrainer,
}
TRAINERS = ("passive", "lbfgs", *SEMI_SUPERVISED)


def make_trainer(
    model: Config, trainer: Config, pool: Pool, seed: int, device: str | torch.device | None = None
) -> PassiveTrainer:
    """A trainer for the pool. ``device``: by default the accelerator that torch finds, or the CPU.

    Raises what ``check_settings`` raises; FileNotFoundError when data or weights are not there; MemoryError when the
    device has no room for the data.
    """
    options, training, extra = check_settings(model, trainer)
    device = best_device() if device is None else torch.device(device)
    with room(device, "the data"):
        network = options.network(training, pool.data, device)
    if extra is None:
        return PassiveTrainer(training, pool, seed, device, network)
    if isinstance(extra, Lbfgs):
        return LbfgsTrainer(extra, pool, seed, device, network)
    return SEMI_SUPERVISED[trainer["name"]](training, pool, seed, device, network, extra)


def check_settings(model: Config, trainer: Config) -> tuple[Model, Training, SemiSupervised | Lbfgs | None]:
    """The options that two configurations stand for, the last for the trainers that have options of their own.

    Raises ValueError or TypeError, naming the key, for unknown names and keys and for impossible values.
    """
    check_choice(model.get("name"), "the model's name", tuple(MODELS))
    check_choice(trainer.get("name"), "the trainer's name", TRAINERS)
    kind = MODELS[model["name"]]
    check_keys(model, field_names(kind), f"model {model['name']!r}")
    if trainer["name"] == "lbfgs":
        if kind is not Linear:
            raise ValueError(f"the trainer 'lbfgs' is for the model 'linear', got {model['name']!r}")
        check_keys(trainer, field_names(Lbfgs), "trainer 'lbfgs'")
        return build(kind, model), Training(model="linear"), build(Lbfgs, trainer)
    is_semi = trainer["name"] in SEMI_SUPERVISED
    known = field_names(Training, SemiSupervised) if is_semi else field_names(Training)
    check_keys(trainer, known - {"model", "hidden"}, f"trainer {trainer['name']!r}")
    return build(kind, model), build(Training, trainer), build(SemiSupervised, trainer) if is_semi else None
