"""CIFAR-10 and -100, SVHN and PathMNIST from the files that their authors publish. Nothing is downloaded."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from labelbench_direct.hosts.embedded.data.parts import Data, Part

_CIFAR, _SVHN, _PATHMNIST = (
    "https://www.cs.toronto.edu/~kriz/cifar.html",
    "http://ufldl.stanford.edu/housenumbers",
    "https://medmnist.com",
)

PATHMNIST_MD5 = "a8b06965200029087d5bd730944a56c1"
PATHMNIST_CLASSES = (
    "cancer-associated stroma", "adipose", "background", "debris", "lymphocytes", "mucus", "smooth muscle",
    "normal colon mucosa", "colorectal adenocarcinoma epithelium",
)  # fmt: skip
"""Stroma is class 7 in the file and the rare class of the paper's Table 1, so here it comes first."""
_PATHMNIST_STROMA = 7


def cifar10(name: str, folder: Path) -> Data:
    """50,000 training and 10,000 test images of 32 x 32, ten classes."""
    from torchvision.datasets import CIFAR10

    return _cifar(name, folder, CIFAR10, "cifar-10-python.tar.gz")


def cifar100(name: str, folder: Path) -> Data:
    """50,000 training and 10,000 test images of 32 x 32, a hundred classes."""
    from torchvision.datasets import CIFAR100

    return _cifar(name, folder, CIFAR100, "cifar-100-python.tar.gz")


def svhn(name: str, folder: Path) -> Data:
    """73,257 training and 26,032 test images of 32 x 32: the digits of house numbers."""
    from torchvision.datasets import SVHN

    for part in ("train", "test"):
        _, file, md5 = SVHN.split_list[part]
        _check(name, folder / file, md5, f"get {file} from {_SVHN}")
    train, test = (SVHN(folder, split=part) for part in ("train", "test"))
    train_part, test_part = (Part(read.data.transpose(0, 2, 3, 1).copy(), read.labels) for read in (train, test))
    return halved(name, train_part, test_part, tuple("0123456789"))


def pathmnist(name: str, folder: Path) -> Data:
    """89,996 training, 10,004 validation and 7,180 test images of 28 x 28: nine tissues."""
    path = folder / "pathmnist.npz"
    _check(name, path, PATHMNIST_MD5, f"get it (the one of size 28) from {_PATHMNIST}")
    with np.load(path, allow_pickle=False) as arrays:
        train, val, test = (
            _pathmnist_part(arrays[f"{part}_images"], arrays[f"{part}_labels"]) for part in ("train", "val", "test")
        )
    return Data(name, train, val, test, PATHMNIST_CLASSES)


def _pathmnist_part(images: NDArray[Any], labels: NDArray[Any]) -> Part:
    classes = labels.ravel().astype(np.int64)
    reordered = np.where(classes < _PATHMNIST_STROMA, classes + 1, classes)
    return Part(images, np.where(classes == _PATHMNIST_STROMA, 0, reordered))


def _cifar(name: str, folder: Path, kind: Any, archive: str) -> Data:
    files = [*kind.train_list, *kind.test_list, (kind.meta["filename"], kind.meta["md5"])]
    for file, md5 in files:
        advice = f"get {archive} from {_CIFAR} and unpack it in {folder}"
        _check(name, folder / kind.base_folder / file, md5, advice)
    train, test = (kind(folder, train=is_train) for is_train in (True, False))
    train_part, test_part = (Part(read.data, np.array(read.targets, dtype=np.int64)) for read in (train, test))
    return halved(name, train_part, test_part, tuple(train.classes))


def halved(name: str, train: Part, test: Part, classnames: tuple[str, ...], content: str = "") -> Data:
    """LabelBench's validation and test parts: random halves of the published test part."""
    order = np.random.RandomState(42).permutation(len(test.labels))
    val, test = (test.of(half) for half in np.split(order, [len(order) // 2]))
    return Data(name, train, val, test, classnames, content=content)


def _check(name: str, path: Path, md5: str, advice: str) -> None:
    from torchvision.datasets.utils import check_integrity

    if not path.is_file():
        raise FileNotFoundError(f"data set {name!r}: there is no {path}; {advice}")
    if not check_integrity(str(path), md5):
        raise ValueError(
            f"data set {name!r}: {path} is incomplete or damaged, its MD5 is not the published {md5}; {advice} again"
        )
