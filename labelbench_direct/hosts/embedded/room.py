"""Memory that is full, on whatever device: one error that says what to do."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import torch

_FULL = ("can't allocate memory", "out of memory", "_STATUS_ALLOC_FAILED")
"""What torch says of main memory and of a device's, and cuBLAS and cuDNN, whose errors have no class of their own."""


@contextmanager
def room(device: torch.device, what: str) -> Iterator[None]:
    """Raises MemoryError, naming ``what``, where torch finds no room for it."""
    try:
        yield
    except RuntimeError as error:
        if not any(text in str(error) for text in _FULL):
            raise
        raise MemoryError(
            f"no room on {device} for {what} beside what is there: "
            "use a smaller batch_size, smaller images, a smaller model or another device"
        ) from error
