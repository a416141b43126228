"""What the checks run on: the device, sizes that fit it, folders; and what is missing for them."""

from __future__ import annotations

import importlib.metadata
import os
import platform
import shutil
import subprocess
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import TypeAlias

import torch
from packaging.requirements import InvalidRequirement, Requirement

GIB = 2**30
WANTED_TORCH, WANTED_PYTHON = "2.11", "3.12"
CARRIED = ("open_clip_torch", "clip-anytorch", "wilds", "wandb", "mlxtend")
"""What ``wheels.txt`` brings along, with what it needs."""


@dataclass(frozen=True)
class Finding:
    """``ok`` None: reported, and nothing is asked of it."""

    value: str
    wanted: str = ""
    ok: bool | None = None


Step: TypeAlias = tuple[str, Callable[[], Finding]]
"""What is looked at, and the looking: one that fails does not stop the next."""


class MissingError(RuntimeError):
    """Something is not there that a check needs; the message says what, and how to get it."""


@dataclass(frozen=True)
class Sizes:
    """How much of everything; ``large``: images of 224 x 224."""

    name: str
    steps: int
    batch: int
    small_images: int
    large_images: int
    large_batch: int
    large_steps: int
    pool: int
    scored: int
    repeats: int


FULL = Sizes("full", 200, 128, 50_000, 5_000, 64, 100, 50_000, 76_863, 3)
SMALL = Sizes("small, for a card with less than 16 GiB", 200, 128, 20_000, 1_000, 16, 100, 20_000, 76_863, 3)
LEAST = Sizes("least, for a card with less than 6 GiB", 100, 64, 10_000, 300, 8, 20, 10_000, 20_000, 3)
TINY = Sizes("tiny, for the CPU", 2, 4, 8, 2, 2, 1, 120, 5_000, 1)


def sizes_for(device: str, memory: int) -> Sizes:
    """The largest sizes for a device with so many bytes of memory."""
    if device == "cpu":
        return TINY
    return FULL if memory >= 16 * GIB else SMALL if memory >= 6 * GIB else LEAST


@dataclass(frozen=True)
class Setting:
    """``scratch``: a folder for files that nobody wants afterwards. ``profiles``: a file to append profiles to."""

    device: torch.device
    sizes: Sizes
    scratch: Path
    profiles: Path
    data: Path

    @property
    def on_cuda(self) -> bool:
        return self.device.type == "cuda"


def memory_of(device: str) -> int:
    """The card's memory in bytes; 0 for the CPU."""
    return torch.cuda.get_device_properties(0).total_memory if device == "cuda" else 0


def describe(device: str) -> list[str]:
    """Lines about the machine, the first of them its card."""
    where = platform.processor() or platform.machine()
    if device == "cuda":
        name = torch.cuda.get_device_name(0)
        where = f"{name}, {memory_of(device) / GIB:.1f} GiB, driver {_driver()}, CUDA {torch.version.cuda}"
    versions = {name: _version(name) for name in ("torchvision", "timm", "numpy", "numba", *CARRIED)}
    shared = f", {shutil.disk_usage('/dev/shm').free / GIB:.1f} GiB of /dev/shm" if Path("/dev/shm").exists() else ""
    lines = [
        f"{where}; {os.cpu_count()} cores{shared}",
        f"Python {platform.python_version()}, torch {torch.__version__}, "
        + ", ".join(f"{name} {version or 'missing'}" for name, version in versions.items()),
        f"sizes: {sizes_for(device, memory_of(device)).name}",
    ]
    if not platform.python_version().startswith(WANTED_PYTHON) or not torch.__version__.startswith(WANTED_TORCH):
        lines.append(f"(the checks were made for Python {WANTED_PYTHON} and torch {WANTED_TORCH})")
    return lines


def _driver() -> str:
    try:
        command = ["nvidia-smi", "--query-gpu=driver_version", "--format=csv,noheader", "--id=0"]
        return subprocess.run(command, capture_output=True, text=True, check=True, timeout=20).stdout.strip()
    except (OSError, subprocess.SubprocessError):
        return "unknown"


def _version(name: str) -> str | None:
    try:
        return importlib.metadata.version(name)
    except importlib.metadata.PackageNotFoundError:
        return None


def missing(names: Iterable[str] = CARRIED) -> list[str]:
    """Of these distributions and all that they need, what is not installed or of an unfit version; each once."""
    found: dict[str, str] = {}
    waiting, seen = [Requirement(name) for name in names], set[str]()
    while waiting:
        wanted = waiting.pop()
        version = _version(wanted.name)
        if version is None:
            found[wanted.name.lower()] = wanted.name
        elif wanted.specifier and not wanted.specifier.contains(version, prereleases=True):
            found[wanted.name.lower()] = f"{wanted.name}{wanted.specifier} ({version} is installed)"
        if version is None or wanted.name.lower() in seen:
            continue
        seen.add(wanted.name.lower())
        waiting += _needs(wanted.name)
    return sorted(found.values())


def _needs(name: str) -> list[Requirement]:
    needs = []
    for line in importlib.metadata.requires(name) or ():
        try:
            need = Requirement(line)
        except InvalidRequirement:
            continue
        if need.marker is None or need.marker.evaluate({"extra": ""}):
            needs.append(need)
    return needs
