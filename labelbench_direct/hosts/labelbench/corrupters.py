"""``noisy_random``: a share of the labels replaced by another class, uniformly, differently in every trial."""

from __future__ import annotations

import importlib
from typing import Any

import numpy as np
from numpy.typing import NDArray

from labelbench_direct.core.checks import check_count
from labelbench_direct.hosts.corrupters import uniform_noise

NAME = "noisy_random"
KEYS = frozenset({"name", "p", "seed"})

_STREAM = 0x6E6F697365  # keeps the noise apart from whatever else is drawn with a trial's seed


def noisy_random(configuration: dict[str, Any], labels: NDArray[Any]) -> NDArray[Any]:
    """One-hot labels (N, K), of which the share ``p`` (``int(p * N)`` of them) are another class, uniformly.

    ``seed`` in the configuration fixes the noise; without it every trial has its own, from LabelBench's ``--seed``.
    Draws from neither numpy's nor torch's global state. Raises ValueError for ``p`` outside 0..1 or an unknown key.
    """
    for key in configuration:
        if key not in KEYS:
            raise ValueError(f"unknown key {key!r} in the configuration of corrupter {NAME!r}; known are p, seed")
    if "p" not in configuration:
        raise ValueError(f"corrupter {NAME!r} needs p, the share of labels to replace, such as 0.1")
    seed = check_count(configuration["seed"], "seed", least=0) if "seed" in configuration else _trial_seed()
    noisy = uniform_noise(configuration["p"], np.random.default_rng((_STREAM, seed)))(np.asarray(labels, dtype=float))
    return noisy.astype(labels.dtype)


def _trial_seed() -> int:
    """LabelBench's ``--seed``, which it has handed to ``torch.manual_seed`` by then; reading it draws nothing."""
    import torch

    return torch.initial_seed()


def register() -> None:
    """File the corrupter in LabelBench's registry."""
    registry = importlib.import_module("LabelBench.skeleton.corrupter_skeleton")
    registry.register_corrupter(NAME)(noisy_random)
