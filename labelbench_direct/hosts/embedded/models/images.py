"""Batches of images (n, 3, H, W), in random views if wanted, scaled and normalized on the device."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch.utils.data import DataLoader, Dataset
from torchvision import transforms
from torchvision.transforms import functional

from labelbench_direct.core.cores import usable_cores
from labelbench_direct.core.types import Indices
from labelbench_direct.hosts.embedded.data.parts import Data
from labelbench_direct.hosts.embedded.models.inputs import View
from labelbench_direct.hosts.embedded.models.transfer import ahead, gather, to_device

_PADDING = 1 / 8  # of the image's side, in the weak view's random crop
_ERASED = (0.02, 0.2)  # of the image's area, in the strong view
_PREFETCHED = 4  # batches that each process which prepares views for CUDA holds ready
_THREADS = 4  # that copy images as they are into memory from which CUDA fetches them


def _workers() -> int:
    """The processes that prepare views for CUDA: a third of the cores, since FlexMatch has three kinds of views."""
    return max(1, min(8, usable_cores() // 3))


@dataclass(frozen=True)
class Preprocessing:
    """``size``: scale the shorter side to so many pixels and cut out the middle square. Mean and standard deviation of
    the channels, of values in 0..1. ``flip``: a mirrored image is of the same class (not so for digits).
    """

    size: int | None
    mean: tuple[float, float, float]
    deviation: tuple[float, float, float]
    flip: bool


class ImageInputs:
    """The images of a data set. On CUDA other threads gather batches, other processes prepare their random views, and
    the next batch is copied there while the last one is worked on.

    Weak view: random crop of the padded image, mirrored or not. Strong view: RandAugment of it, and an erased
    rectangle.
    """

    def __init__(self, data: Data, device: torch.device, preprocessing: Preprocessing, rows_scored: int) -> None:
        self._images = {"train": data.train.inputs, "val": data.val.inputs, "test": data.test.inputs}
        shape = data.train.inputs.shape[1:]
        if len(shape) != 3 or data.train.inputs.dtype != np.uint8:
            raise ValueError(
                f"{data.name!r} has rows of numbers, no RGB images: use a linear or mlp model, or another data set"
            )
        self._device = device
        self._preprocessing = preprocessing
        self._mean, self._deviation = (
            torch.tensor(values, device=device).view(3, 1, 1)
            for values in (preprocessing.mean, preprocessing.deviation)
        )
        self._rows_scored = rows_scored
        weak = _weak(shape[0], shape[1], preprocessing.flip)
        strong = [*weak, transforms.RandAugment(), transforms.RandomErasing(p=1, scale=_ERASED)]
        self._views = {"weak": transforms.Compose(weak), "strong": transforms.Compose(strong)}

    def batches(self, part: str, rows: Sequence[Indices], view: View, seed: int) -> Iterator[torch.Tensor]:
        on_cuda = self._device.type == "cuda"
        if view == "plain":
            gathered = ahead(partial(gather, self._images[part], pinned=on_cuda), rows, _THREADS if on_cuda else 0)
            yield from map(self._prepared, to_device(gathered, self._device))
            return
        dataset = _Batches(self._images[part], self._views[view], seed)
        loader: DataLoader[torch.Tensor] = DataLoader(
            dataset,
            batch_size=None,
            sampler=list(enumerate(rows)),  # items of the dataset
            num_workers=_workers() if on_cuda else 0,
            prefetch_factor=_PREFETCHED if on_cuda else None,
            pin_memory=on_cuda,
            generator=torch.Generator(),  # else it draws from the global one
        )
        yield from map(self._prepared, to_device(loader, self._device))

    def in_order(self, part: str) -> Iterator[torch.Tensor]:
        rows = np.arange(len(self._images[part]))
        return self.batches(
            part, np.split(rows, np.arange(self._rows_scored, len(rows), self._rows_scored)), "plain", 0
        )

    def _prepared(self, batch: torch.Tensor) -> torch.Tensor:
        images = batch.permute(0, 3, 1, 2).float() / 255
        size = self._preprocessing.size
        if size is not None and images.shape[2:] != (size, size):
            images = functional.resize(images, [size], functional.InterpolationMode.BICUBIC, antialias=True)
            images = functional.center_crop(images, [size, size]).clamp(0, 1)
        return (images - self._mean) / self._deviation  # torchvision's ``normalize`` waits for the device twice


def _weak(height: int, width: int, flip: bool) -> list[Callable[[torch.Tensor], torch.Tensor]]:
    padding = [round(width * _PADDING), round(height * _PADDING)]
    crop = transforms.RandomCrop((height, width), padding=padding, padding_mode="reflect")
    return [crop, transforms.RandomHorizontalFlip()] if flip else [crop]


class _Batches(Dataset[torch.Tensor]):
    """Batches (n, H, W, 3) uint8 by number and rows; their views depend on these and the seed alone, not on which
    process makes them.
    """

    def __init__(self, images: NDArray[Any], view: Callable[[torch.Tensor], torch.Tensor], seed: int) -> None:
        self._images, self._view, self._seed = images, view, seed

    def __getitem__(self, item: tuple[int, Indices]) -> torch.Tensor:
        number, rows = item
        batch = torch.from_numpy(self._images[rows])
        with torch.random.fork_rng(devices=[]):
            seed = np.random.SeedSequence([self._seed, number]).generate_state(1, np.uint64)
            torch.default_generator.manual_seed(int(seed[0]))
            views = [self._view(image) for image in batch.permute(0, 3, 1, 2)]
        return torch.stack(views).permute(0, 2, 3, 1)
