"""Scores as numpy arrays, wherever they are, read in blocks of rows: never copied whole."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
from numpy.typing import NDArray


class OnDevice:
    """A torch tensor that is not in main memory: what is indexed is copied there, and nothing else."""

    def __init__(self, tensor: Any) -> None:
        self._tensor = tensor
        self.shape: tuple[int, ...] = tuple(tensor.shape)
        self.ndim = len(self.shape)
        self.dtype: np.dtype[Any] = tensor[:0].cpu().numpy().dtype

    def __len__(self) -> int:
        return self.shape[0]

    def __getitem__(self, key: Any) -> NDArray[Any]:
        array: NDArray[Any] = self._tensor[key].cpu().numpy()
        return array


def as_array(scores: Any, name: str) -> NDArray[Any]:
    """Something that can be indexed like a numpy array, without a copy: an array, a memory map, a torch tensor.

    Raises TypeError for a tensor whose type numpy doesn't have.
    """
    if not hasattr(scores, "detach"):  # torch's, without importing it
        return np.asarray(scores)
    tensor = scores.detach()
    try:
        array: Any = tensor.numpy() if tensor.device.type == "cpu" else OnDevice(tensor)
    except TypeError as error:
        raise TypeError(f"{name} must be float16, float32 or float64, got {tensor.dtype}") from error
    return array  # type: ignore[no-any-return]  # OnDevice does all that is asked of it


BLOCK = 1024
"""Rows read at a time: 1,024 x 62 scores stay in the second-level cache."""


def row_blocks(array: NDArray[Any]) -> Iterator[tuple[slice, NDArray[Any]]]:
    """Blocks of rows with their place, so that temporary arrays stay in the cache and never reach the input's size."""
    for start in range(0, len(array), BLOCK):
        place = slice(start, start + BLOCK)
        yield place, array[place]


def on_all_cores(function: Callable[[slice, NDArray[Any]], object], array: NDArray[Any]) -> None:
    """Call the function for each block of rows, with its place, on as many blocks at once as there are cores.

    What the function raises for the first block that it refuses is raised.
    """
    with ThreadPoolExecutor(os.cpu_count()) as executor:
        for _ in executor.map(
            lambda start: function(slice(start, start + BLOCK), array[start : start + BLOCK]),
            range(0, len(array), BLOCK),
        ):
            pass
