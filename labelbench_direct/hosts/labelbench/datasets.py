"""Data sets that LabelBench lacks, in its registry: ImageNet-LT, iNaturalist, and small ones that packages ship."""

from __future__ import annotations

import functools
import importlib
import json
import math
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from torch.utils.data import Dataset, random_split

from labelbench_direct.core.types import Indices
from labelbench_direct.hosts.embedded.data.catalog import load
from labelbench_direct.hosts.embedded.data.parts import Data, Part
from labelbench_direct.hosts.labelbench.published import check_counts, expected_classes

_IMAGENET_SITE = "https://image-net.org/download-images (ILSVRC 2012, after registration)"
_LISTS_SITE = "https://github.com/zhmiao/OpenLongTailRecognition-OLTR (Liu et al. 2019, its README links the lists)"
_INATURALIST_SITE = "https://github.com/visipedia/inat_comp/tree/master/{year}"
_WILDS_SITE = "https://wilds.stanford.edu/get_started"
_SMALL = ("digits", "mnist5k")  # grey, and shipped by packages; LabelBench's own data sets stay its own
_MEAN, _DEVIATION = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)  # ImageNet's, as LabelBench has them


class LabeledImages(Dataset[tuple[Image.Image, torch.Tensor]]):
    """Image files or arrays with their labels: (RGB image, one-hot label (K,))."""

    def __init__(self, images: Sequence[Path | NDArray[np.uint8]], labels: Indices, num_classes: int) -> None:
        self._images = images
        self.labels = labels
        self._one_hot = torch.eye(num_classes, dtype=torch.int64)

    def __len__(self) -> int:
        return len(self.labels)

    def __getitem__(self, index: int) -> tuple[Image.Image, torch.Tensor]:
        image = self._images[index]
        with Image.open(image) if isinstance(image, Path) else Image.fromarray(image) as opened:
            return opened.convert("RGB"), self._one_hot[self.labels[index]]


def get_imagenet_lt(data_dir: str, *_: Any) -> tuple[Any, ...]:
    """ImageNet-LT from Liu's lists ``ImageNet_LT_{train,val,test}.txt`` and ImageNet's ``train/`` and ``val/`` folders,
    all in ``data_dir``. Raises FileNotFoundError naming what is absent and where it is published.
    """
    num_classes = expected_classes("imagenet_lt", data_dir)
    parts = [_read_list(Path(data_dir), part, num_classes) for part in ("train", "val", "test")]
    check_counts("imagenet_lt", parts[0].labels, num_classes, data_dir)
    classnames = importlib.import_module("LabelBench.dataset.dataset_impl.label_name.classnames")
    return _as_labelbench(parts, num_classes, classnames.get_classnames("imagenet")[:num_classes])


def _read_list(folder: Path, part: str, num_classes: int) -> LabeledImages:
    """One list: a line is an image's path from ``folder`` and its class, counted from 0."""
    file = folder / f"ImageNet_LT_{part}.txt"
    if not file.is_file():
        raise FileNotFoundError(f"ImageNet-LT's list {file} is not there; it is published at {_LISTS_SITE}")
    rows = [line.split() for line in file.read_text(encoding="utf-8").splitlines() if line.strip()]
    bad = next((row for row in rows if len(row) != 2 or not row[1].isdigit() or int(row[1]) >= num_classes), None)
    if bad is not None:
        raise ValueError(f"{file}: expected lines of a path and a class in 0..{num_classes - 1}, got {' '.join(bad)!r}")
    paths = [folder / row[0] for row in rows]
    _check_there(paths, f"images that {file.name} lists", _IMAGENET_SITE)
    return LabeledImages(paths, np.array([int(row[1]) for row in rows], dtype=np.int64), num_classes)


def get_inaturalist(data_dir: str, *_: Any, year: str = "2018", name: str = "inaturalist") -> tuple[Any, ...]:
    """One year's iNaturalist: ``inaturalist/YEAR/`` in ``data_dir``, as torchvision's INaturalist has it, and beside it
    the challenge's ``trainYEAR.json`` and ``valYEAR.json``, which say what is the pool. Of the challenge's validation
    images a quarter validates and the rest tests, as LabelBench does with ImageNet's.
    """
    from torchvision.datasets import INaturalist

    folder, site = Path(data_dir) / "inaturalist", _INATURALIST_SITE.format(year=year)
    lists = [folder / f"{part}{year}.json" for part in ("train", "val")]
    _check_there([folder / year, *lists], f"files of iNaturalist {year}", site)
    images = INaturalist(str(folder), version=year)
    labels = {f"{images.all_categories[label]}/{file}": label for label, file in images.index}
    num_classes = len(images.all_categories)
    parts = []
    for file in lists:  # torchvision's own order is the directory's, which differs between machines
        listed = [
            entry["file_name"].split("/", 1)[1] for entry in json.loads(file.read_text(encoding="utf-8"))["images"]
        ]
        paths = [folder / year / image for image in listed]
        _check_there(
            [path for path, image in zip(paths, listed, strict=True) if image not in labels],
            f"images that {file.name} lists",
            site,
        )
        parts.append(LabeledImages(paths, np.array([labels[image] for image in listed], dtype=np.int64), num_classes))
    pool, held_out = parts
    check_counts(name, pool.labels, num_classes, data_dir)
    sizes = [len(held_out) // 4, len(held_out) - len(held_out) // 4]
    validation, test = random_split(held_out, sizes, generator=torch.Generator().manual_seed(42))
    return _as_labelbench([pool, validation, test], num_classes, _class_names(images.all_categories, folder))


def _class_names(categories: list[str], folder: Path) -> list[str] | None:
    """Names for zero-shot heads: the folders', or where these are numbers those of ``categories.json``, if any."""
    names = [category.rsplit("/", 1)[1] for category in categories]
    if not all(name.isdigit() for name in names):
        return names
    file = folder / "categories.json"
    if not file.is_file():
        return None
    by_number = {entry["id"]: entry["name"] for entry in json.loads(file.read_text(encoding="utf-8"))}
    return [by_number[int(name)] for name in names]


def _check_there(paths: Sequence[Path], what: str, site: str) -> None:
    absent = [path for path in paths if not path.exists()]
    if absent:
        raise FileNotFoundError(f"{len(absent)} {what} are not there, {absent[0]} is the first; published at {site}")


def _as_labelbench(
    parts: Sequence[Dataset[Any]],
    num_classes: int,
    classnames: Sequence[str] | None,
    preprocess: Any = None,
) -> tuple[Any, ...]:
    """What LabelBench's registry expects of pool, validation and test parts; by default as for ImageNet."""
    from torchvision import transforms

    transform_dataset = importlib.import_module("LabelBench.skeleton.dataset_skeleton").TransformDataset
    to_tensor = [transforms.ToTensor(), transforms.Normalize(_MEAN, _DEVIATION)]
    train = [transforms.RandomResizedCrop(224), transforms.RandomHorizontalFlip(), *to_tensor]
    tested = [transforms.Resize(256), transforms.CenterCrop(224), *to_tensor]
    pool, *others = parts
    return (
        transform_dataset(pool, transform=preprocess or transforms.Compose(train)),
        *(transform_dataset(part, transform=preprocess or transforms.Compose(tested)) for part in others),
        *(None, None, None),  # labels: LabelBench reads and caches them itself
        num_classes,
        classnames,
    )


def get_small(name: str, *arguments: Any) -> tuple[Any, ...]:
    """One of the embedded host's data sets, as small grey images; LabelBench passes K first for ``_imb_K``."""
    from torchvision import transforms

    data: Data = load(f"{name}_{arguments[0]}" if name.endswith("_imb") else name)
    parts = [LabeledImages(_images(part), part.labels, data.num_classes) for part in (data.train, data.val, data.test)]
    flat = transforms.Compose([transforms.ToTensor(), _flatten])
    return _as_labelbench(parts, data.num_classes, list(data.classnames), flat)


def _images(part: Part) -> Sequence[NDArray[np.uint8]]:
    side = math.isqrt(part.inputs.shape[1])
    return list((part.inputs * 255).round().astype(np.uint8).reshape(-1, side, side))


def _flatten(image: torch.Tensor) -> torch.Tensor:
    return image[0].flatten()  # grey: the three channels are equal


def _with_counts(name: str, get: Callable[..., tuple[Any, ...]]) -> Callable[..., tuple[Any, ...]]:
    """LabelBench's own function of a WILDS data set, its counts asserted, and a failed download told."""

    @functools.wraps(get)
    def checked(data_dir: str, *arguments: Any) -> tuple[Any, ...]:
        try:
            loaded = get(data_dir, *arguments)
        except FileNotFoundError as error:
            raise FileNotFoundError(
                f"{error.filename} is not there: {name} in {data_dir!r} is not whole, and wilds has not downloaded it; "
                f"published at {_WILDS_SITE}"
            ) from error
        num_classes = loaded[6]
        labels = np.minimum(np.asarray(loaded[0].dataset.y_array), num_classes - 1)  # LabelBench merges the last ones
        check_counts(name, labels, num_classes, data_dir)
        return loaded

    return checked


def register() -> None:
    """File the data sets in LabelBench's registry, and have the counts of its FMoW and iWildCam asserted."""
    skeleton = importlib.import_module("LabelBench.skeleton.dataset_skeleton")
    multi_class = skeleton.LabelType.MULTI_CLASS
    skeleton.register_dataset("imagenet_lt", multi_class)(get_imagenet_lt)
    skeleton.register_dataset("inaturalist", multi_class)(get_inaturalist)
    skeleton.register_dataset("inaturalist_2017", multi_class)(
        functools.partial(get_inaturalist, year="2017", name="inaturalist_2017")
    )
    for source in _SMALL:
        for name in (source, f"{source}_imb", f"{source}_lt"):
            skeleton.register_dataset(name, multi_class)(functools.partial(get_small, name))
    for name in ("fmow", "iwildcam"):
        label_type, get = skeleton.datasets.get(name, (None, None))
        if get is not None and not hasattr(get, "__wrapped__"):
            skeleton.datasets[name] = (label_type, _with_counts(name, get))
