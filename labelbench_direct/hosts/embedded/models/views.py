"""Weak and strong views of examples: random changes that leave the class as it is."""

from __future__ import annotations

import math

import torch
from torch.nn import functional

_WEAK_NOISE, _STRONG_NOISE = 0.1, 0.5  # of a column's standard deviation
_STRONG_DROPOUT = 0.2  # share of an example's columns

_SHIFT = 1 / 14  # of the image's side, up to, in both directions: 2 of 28 pixels
_TURN, _SCALE, _SHEAR = math.radians(30), 0.2, 0.2  # up to
_ERASED = 1 / 3  # of the image's side, up to


class ArrayViews:
    """Views of rows of numbers (n, D).

    Embeddings: Gaussian noise, for the strong view more of it and columns put to their mean. Grey images, whose
    ``image_shape`` is given: shifts; for the strong view rotation, scaling, shearing and an erased rectangle, too.
    """

    def __init__(self, pool: torch.Tensor, image_shape: tuple[int, int] | None) -> None:
        self._shape = image_shape
        self._mean = pool.mean(dim=0)
        self._deviation = pool.std(dim=0)

    def of(self, rows: torch.Tensor, view: str, generator: torch.Generator) -> torch.Tensor:
        """New views of ``rows`` of the kind ``plain``, ``weak`` or ``strong``."""
        if view == "plain":
            return rows
        strong = view == "strong"
        if self._shape is None:
            return self._noisy(rows, strong, generator)
        images = _moved(rows.view(-1, 1, *self._shape), strong, generator)
        if strong:
            images = _erased(images, generator)
        return images.reshape(len(rows), -1)

    def _noisy(self, rows: torch.Tensor, strong: bool, generator: torch.Generator) -> torch.Tensor:
        noise = torch.randn(rows.shape, generator=generator).to(rows.device, non_blocking=True)
        noisy = rows + noise * self._deviation * (_STRONG_NOISE if strong else _WEAK_NOISE)
        if not strong:
            return noisy
        dropped = torch.rand(rows.shape, generator=generator).to(rows.device, non_blocking=True) < _STRONG_DROPOUT
        return torch.where(dropped, self._mean, noisy)


def _between(low: float, high: float, shape: tuple[int, ...], generator: torch.Generator) -> torch.Tensor:
    return low + (high - low) * torch.rand(shape, generator=generator)


def _moved(images: torch.Tensor, strong: bool, generator: torch.Generator) -> torch.Tensor:
    """Every image under an affine map of its own; black where it shows what was outside."""
    n = len(images)
    maps = torch.eye(2).repeat(n, 1, 1)
    if strong:
        angle = _between(-_TURN, _TURN, (n,), generator)
        turn = torch.stack([angle.cos(), -angle.sin(), angle.sin(), angle.cos()], dim=1).view(n, 2, 2)
        size = _between(1 - _SCALE, 1 + _SCALE, (n, 1, 1), generator)
        maps = turn * size
        maps[:, 0, 1] += _between(-_SHEAR, _SHEAR, (n,), generator)
    shift = _between(-2 * _SHIFT, 2 * _SHIFT, (n, 2, 1), generator)  # an image's side is 2 in these coordinates
    where = torch.cat([maps, shift], dim=2).to(images.device, non_blocking=True)
    grid = functional.affine_grid(where, list(images.shape), align_corners=False)
    return functional.grid_sample(images, grid, align_corners=False)


def _erased(images: torch.Tensor, generator: torch.Generator) -> torch.Tensor:
    """Every image without a rectangle of its own."""
    n, _, height, width = images.shape
    kept = torch.zeros(n, 1, height, width, dtype=torch.bool)
    for axis, length in ((2, height), (3, width)):
        side = _between(0, _ERASED * length, (n, 1), generator)
        start = _between(0, 1, (n, 1), generator) * (length - side)
        pixels = torch.arange(length)
        outside = (pixels < start) | (pixels >= start + side)
        kept |= outside.view(n, 1, -1, 1) if axis == 2 else outside.view(n, 1, 1, -1)
    return images * kept.to(images.device, non_blocking=True)
