"""What goes to the device and comes back, so that neither waits for the other: batches are made and copied ahead, and
results are fetched several at a time.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from itertools import islice
from typing import Any, TypeVar

import numpy as np
import torch
from numpy.typing import NDArray

from labelbench_direct.core.types import Indices

Item = TypeVar("Item")
Made = TypeVar("Made")

_FETCHED_TOGETHER = 16  # batches: each fetch waits for the device


def ahead(make: Callable[[Item], Made], items: Iterable[Item], threads: int) -> Iterator[Made]:
    """What ``make`` makes of the items, in order; with threads, each makes another while the last one is worked on."""
    if threads == 0:
        yield from map(make, items)
        return
    with ThreadPoolExecutor(threads) as executor:
        coming: deque[Future[Made]] = deque()
        for item in items:
            coming.append(executor.submit(make, item))
            if len(coming) > threads:
                yield coming.popleft().result()
        while coming:
            yield coming.popleft().result()


def gather(images: NDArray[Any], rows: Indices, pinned: bool) -> torch.Tensor:
    """Some of the images; in pinned memory a copy to the device need not be waited for."""
    if not pinned:
        return torch.from_numpy(images[rows])
    batch = torch.empty((len(rows), *images.shape[1:]), dtype=torch.uint8, pin_memory=True)
    np.take(images, rows, axis=0, out=batch.numpy(), mode="clip")  # the one mode that copies once
    return batch


def to_device(batches: Iterable[torch.Tensor], device: torch.device) -> Iterator[torch.Tensor]:
    """The batches on the device; on CUDA each is copied there while the one before is worked on."""
    if device.type != "cuda":
        yield from (batch.to(device) for batch in batches)
        return
    copying = torch.cuda.Stream(device)  # type: ignore[no-untyped-call]  # torch's is untyped
    coming: deque[tuple[torch.Tensor, Any]] = deque()
    for batch in batches:
        with torch.cuda.stream(copying):
            coming.append((batch.to(device, non_blocking=True), copying.record_event()))
        if len(coming) > 1:
            yield _arrived(*coming.popleft())
    while coming:
        yield _arrived(*coming.popleft())


def _arrived(batch: torch.Tensor, copied: Any) -> torch.Tensor:
    """The batch, which nothing computes with before it is there, and whose memory nothing takes before that is done."""
    current = torch.cuda.current_stream(batch.device)
    current.wait_event(copied)
    batch.record_stream(current)
    return batch


def to_host(outputs: Iterable[tuple[torch.Tensor, ...]]) -> tuple[torch.Tensor, ...]:
    """The outputs of all batches in main memory, one tensor of each kind."""
    outputs, groups = iter(outputs), []
    while group := list(islice(outputs, _FETCHED_TOGETHER)):
        groups.append([_joined(kind).cpu() for kind in zip(*group, strict=True)])
    return tuple(_joined(kind) for kind in zip(*groups, strict=True))


def _joined(tensors: tuple[torch.Tensor, ...]) -> torch.Tensor:
    return torch.cat(tensors) if len(tensors) > 1 else tensors[0]  # a copy less
