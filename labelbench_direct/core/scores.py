"""Scores as numpy arrays, wherever they are, read in blocks of rows: never copied whole."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from labelbench_direct.core.cores import usable_cores
from labelbench_direct.core.types import Floats


@dataclass(frozen=True)
class Scores:
    """Softmax scores that were checked, and what the check found on its way."""

    array: Floats
    """(N, K), as they were handed in."""
    highest: Floats
    """(N,) in float64: the score of the predicted class."""


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


def row_blocks(array: NDArray[Any], rows: slice | None = None) -> Iterator[tuple[slice, NDArray[Any]]]:
    """Blocks of ``rows`` (all, by default) with their place, so that temporary arrays stay in the cache and never
    reach the input's size.
    """
    rows = slice(0, len(array)) if rows is None else rows
    for start in range(rows.start, rows.stop, BLOCK):
        place = slice(start, min(start + BLOCK, rows.stop))
        yield place, array[place]


WORTH_A_CORE = 2**20
"""With fewer scores each, cores lose more time waiting for each other than they gain."""


def on_all_cores(function: Callable[[slice], None], array: NDArray[Any], worth_a_core: int = WORTH_A_CORE) -> None:
    """Call the function for as many parts of an array's rows as cores may be used, at once.

    What the function raises for the first part that it refuses is raised.
    """
    cores = max(1, min(usable_cores(), len(array), math.prod(array.shape) // worth_a_core))
    parts = [slice(len(array) * i // cores, len(array) * (i + 1) // cores) for i in range(cores)]
    with ThreadPoolExecutor(cores) as executor:
        others = executor.map(function, parts[1:])
        function(parts[0])  # this thread is one of them
        list(others)  # raises what they raised
