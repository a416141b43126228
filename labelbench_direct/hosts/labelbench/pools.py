"""LabelBench's data sets by name, checked, and what their public methods say of the data."""

from __future__ import annotations

import copy
import difflib
import hashlib
import json
import re
from collections.abc import Collection
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from labelbench_direct.core.types import Indices
from labelbench_direct.labelbench import labeled_indices


def suggestion(name: str, known: Collection[str]) -> str:
    """The known name that is most like one that is not, for a message; empty where none is."""
    close = difflib.get_close_matches(name, known, n=1)
    return f" (is {close[0]!r} meant?)" if close else ""


def check_known(name: str, known: Collection[str], what: str) -> None:
    """Raise ValueError, with the names that there are, for another one."""
    if name not in known:
        raise ValueError(f"unknown {what} {name!r}{suggestion(name, known)}; there are {', '.join(sorted(known))}")


def source_of(name: str, known: Collection[str]) -> str:
    """The name under which LabelBench files a data set: without the K of ``_imb_K``. Raises ValueError for others."""
    imbalanced = re.fullmatch(r"(.*_imb)_(\d+)", name)
    source, number = imbalanced.groups() if imbalanced else (name, "0")
    check_known(source, known, "data set")
    if source.endswith("_imb") and int(number) < 2:
        raise ValueError(f"data set {name!r} needs a number of classes at its end, at least 2, as in {source}_3")
    return source


def check_batch_size(batch_size: int, num_examples: int, name: str) -> None:
    """Raise ValueError for a first batch that is larger than the pool."""
    if batch_size > num_examples:
        raise ValueError(
            f"batch_size must be at most {num_examples}, {name}'s pool, got {batch_size}: lower it or take a larger "
            "data set"
        )


def get_dataset(module: Any, name: str, data_folder: str, batch_size: int) -> Any:
    """The data set of that name from LabelBench's module of data sets. Raises ValueError where it cannot be used."""
    source_of(name, module.datasets)
    dataset = module.get_dataset(name, data_folder)
    check_batch_size(batch_size, len(dataset), name)
    return dataset


def kept_labels(name: str, data_folder: str) -> Path:
    """Where LabelBench keeps the pool's labels once it has read them: K is no part of the name."""
    return Path(data_folder) / f"labels_{re.sub('(?<=_imb)_[0-9]+$', '', name)}_train.pt"


def check_kept_labels(dataset: Any, name: str, data_folder: str) -> None:
    """Raise ValueError where the labels that LabelBench keeps are another K's, or fewer than there are examples."""
    try:
        found = _labels(dataset, np.array([len(dataset) - 1])).shape[1]
    except IndexError:
        found = 0
    if found != dataset.num_classes:
        what = f"are of {found} classes, {name} has {dataset.num_classes}" if found else "are too few"
        files = kept_labels(name, data_folder).name.replace("train", "*")
        raise ValueError(
            f"the labels that LabelBench keeps in {data_folder} {what}: it reads {files} for every K, and whatever the "
            "data are now. Give each _imb_K a data folder of its own, or delete these files"
        )


def describe_pool(dataset: Any) -> dict[str, Any]:
    """What data these are: size, classes and true counts of the pool, and a checksum of the pool's true labels, the
    classes' names and the sizes of pool, validation and test part.

    LabelBench has no method that hands out images, or the other parts' labels, as they are stored.
    """
    names = list(map(str, dataset.get_classnames() or range(dataset.num_classes)))
    labels = _labels(dataset, np.arange(len(dataset))).astype(np.uint8)  # zeros and ones
    sizes = [len(part) for part in dataset.get_input_datasets()]
    digest = hashlib.blake2b(json.dumps([names, sizes]).encode(), digest_size=16)
    digest.update(labels.data)
    return {
        "examples": len(labels),
        "classes": names,
        "class_counts": labels.sum(axis=0, dtype=np.int64).tolist(),
        "checksum": digest.hexdigest(),
        "notes": [],
    }


def _labels(dataset: Any, indices: Indices) -> NDArray[Any]:
    """True labels as LabelBench has them, one-hot (n, K), of pool indices; the data set stays as it is."""
    view = copy.copy(dataset)
    view.train_dataset = copy.copy(dataset.train_dataset)
    num_labeled = len(labeled_indices(dataset))
    view.eval()
    view.update_labeled_idxs(indices)
    labels: NDArray[Any] = view.get_train_labels()[num_labeled:]
    return labels
