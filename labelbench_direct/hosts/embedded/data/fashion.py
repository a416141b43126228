"""Fashion-MNIST (Xiao, Rasul, Vollgraf 2017) from the four files that its authors publish, packed or not."""

from __future__ import annotations

import gzip
import zlib
from dataclasses import replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from labelbench_direct.hosts.embedded.data.files import halved
from labelbench_direct.hosts.embedded.data.parts import Data, Part

_DEBIAN = Path("/usr/share/datasets/fashion-mnist")
_CLASSES = ("T-shirt/top", "trouser", "pullover", "dress", "coat", "sandal", "shirt", "sneaker", "bag", "ankle boot")
_SIZES = {"train": 60_000, "t10k": 10_000}
_SIDE = 28


def fashion_mnist(name: str, data_dir: Path) -> Data:
    """60,000 training and 10,000 test images of 28 x 28, ten kinds of clothing.

    Raises FileNotFoundError, saying what to get; ValueError for files that are not the published ones.
    """
    places = (data_dir / "FashionMNIST" / "raw", data_dir / "fashion-mnist", _DEBIAN)
    found = [place for place in places if any(place.glob("train-images-idx3-ubyte*"))]
    if not found:
        raise FileNotFoundError(
            f"data set {name!r}: there is no {places[0]}; get the four files of "
            f"https://github.com/zalandoresearch/fashion-mnist and put them in {places[1]}, let torchvision's "
            "FashionMNIST download them, or install Debian's package dataset-fashion-mnist"
        )
    train, test = (_part(name, found[0], stem) for stem in _SIZES)
    return replace(halved(name, train, test, _CLASSES), image_shape=(_SIDE, _SIDE))


def _part(name: str, folder: Path, stem: str) -> Part:
    images = _read(name, folder, f"{stem}-images-idx3-ubyte", (_SIZES[stem], _SIDE, _SIDE))
    labels = _read(name, folder, f"{stem}-labels-idx1-ubyte", (_SIZES[stem],)).astype(np.int64)
    if np.bincount(labels).tolist() != [_SIZES[stem] // len(_CLASSES)] * len(_CLASSES):
        raise ValueError(f"data set {name!r}: {folder} is not Fashion-MNIST, which has as many images of every class")
    return Part((images.reshape(len(images), -1) / np.float32(255)).astype(np.float32), labels)


def _read(name: str, folder: Path, file: str, shape: tuple[int, ...]) -> NDArray[np.uint8]:
    """One file in MNIST's format: a magic number, the shape as 32-bit integers, the bytes."""
    path = folder / file
    try:
        content = path.read_bytes() if path.is_file() else gzip.decompress(path.with_name(f"{file}.gz").read_bytes())
    except (OSError, EOFError, zlib.error) as error:
        if isinstance(error, FileNotFoundError):
            raise FileNotFoundError(f"data set {name!r}: there is no {path}, nor with .gz") from error
        raise ValueError(f"data set {name!r}: {path}.gz is damaged ({error})") from error
    header = np.array([0x800 + len(shape), *shape], dtype=">u4").tobytes()
    if content[: len(header)] != header or len(content) != len(header) + int(np.prod(shape)):
        raise ValueError(f"data set {name!r}: {path} is damaged: it should hold {' x '.join(map(str, shape))} bytes")
    return np.frombuffer(content, dtype=np.uint8, offset=len(header)).reshape(shape)
