"""Batches of a data set's examples on the device, as they are or in random views."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Literal, Protocol, TypeAlias

import torch

from labelbench_direct.core.types import Indices
from labelbench_direct.hosts.embedded.data.parts import Data
from labelbench_direct.hosts.embedded.models.views import ArrayViews

View: TypeAlias = Literal["plain", "weak", "strong"]

_ARRAY_ROWS_SCORED = 65_536


class Inputs(Protocol):
    """Examples as a model wants them."""

    def batches(self, part: str, rows: Sequence[Indices], view: View, seed: int) -> Iterator[torch.Tensor]:
        """The given rows of ``train``, ``val`` or ``test``, batch by batch; ``seed`` decides on random views."""

    def in_order(self, part: str) -> Iterator[torch.Tensor]:
        """The whole part as it is, in batches for scoring."""


class ArrayInputs:
    """Arrays (n, D), wholly on the device."""

    def __init__(self, data: Data, device: torch.device) -> None:
        parts = {"train": data.train, "val": data.val, "test": data.test}
        for name, part in parts.items():
            if part.inputs.ndim != 2:
                raise ValueError(
                    f"a linear or mlp model needs rows of numbers, but the {name} part of {data.name!r} has images of "
                    f"shape {part.inputs.shape[1:]}: use resnet18 or clip_vitb32"
                )
        self._parts = {name: torch.from_numpy(part.inputs).to(device, torch.float32) for name, part in parts.items()}
        self._views = ArrayViews(self._parts["train"], data.image_shape)
        self.num_columns = data.train.inputs.shape[1]

    def batches(self, part: str, rows: Sequence[Indices], view: View, seed: int) -> Iterator[torch.Tensor]:
        inputs = self._parts[part]
        generator = torch.Generator().manual_seed(seed)
        for batch in rows:
            on_device = torch.from_numpy(batch).to(inputs.device, non_blocking=True)
            yield self._views.of(inputs[on_device], view, generator)

    def in_order(self, part: str) -> Iterator[torch.Tensor]:
        return iter(torch.split(self._parts[part], _ARRAY_ROWS_SCORED))
