"""Scores as numpy arrays, wherever they are: never copied whole."""

from __future__ import annotations

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
