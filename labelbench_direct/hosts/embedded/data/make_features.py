"""The feature files of the evidence, from what their authors published: CIFAR-10 and CIFAR-10N's annotators, tweets."""

from __future__ import annotations

import csv
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from labelbench_direct.hosts.embedded.data.files import cifar10
from labelbench_direct.hosts.embedded.data.npz import write_npz

CIFAR10N = "CIFAR-10_human.pt"
TWEETS = "labeled_data.csv"
_COMPONENTS = 128
_BATCH = 256
_ANNOTATORS = ("random_label1", "random_label2", "random_label3")
_TWEET_CLASSES = {"hate": "hate_speech", "offensive": "offensive_language", "neither": "neither"}

Features: TypeAlias = Callable[[Any], NDArray[Any]]
"""Images (n, H, W, 3) uint8, or n texts, to features (n, D)."""


def make_cifar10n(data_dir: Path, features: Features | None = None) -> Path:
    """``cifar10n_features.npz``: the first 128 principal components of pooled features, in units of their mean size,
    and the labels of CIFAR-10N's three annotators (Wei et al. 2022), in the order of CIFAR-10's own files.

    ``features``: by default those of timm's ``tf_efficientnet_lite0``, ImageNet weights, images scaled to 112 x 112.

    Raises FileNotFoundError, saying what to get; ValueError where the annotators' file is not of these images.
    """
    file = data_dir / CIFAR10N
    if not file.is_file():
        raise FileNotFoundError(f"there is no {file}; get it from https://github.com/UCSC-REAL/cifar-10-100n (data/)")
    data = cifar10("cifar10", data_dir)
    human = _read_annotators(file)
    if not np.array_equal(human["clean_label"], data.train.labels):
        raise ValueError(f"{file}: its clean labels are not CIFAR-10's, in the order of the published files")
    features = features or _efficientnet()
    # The two halves of the test part in one array: the reader halves it anew, and their order doesn't matter to it.
    test_images = np.concatenate([data.val.inputs, data.test.inputs])
    train, test = components(*(_in_batches(features, images) for images in (data.train.inputs, test_images)))
    output = data_dir / "cifar10n_features.npz"
    arrays: dict[str, NDArray[Any]] = {
        "x_train": train,
        "x_test": test,
        "y_train": data.train.labels.astype(np.int8),
        "y_test": np.concatenate([data.val.labels, data.test.labels]).astype(np.int8),
        "names": np.array(data.classnames),
        "given_train": np.stack([human[key] for key in _ANNOTATORS], axis=1).astype(np.int8),
    }
    write_npz(output, arrays, packed=True)
    return output


def make_tweets(data_dir: Path, features: Features | None = None) -> Path:
    """``tweets_features.npz``: sentence embeddings of Davidson et al.'s tweets (2017) without links and user names, the
    class that most raters said, and how many said each.

    ``features``: by default sentence-transformers' all-MiniLM-L6-v2.
    """
    file = data_dir / TWEETS
    if not file.is_file():
        raise FileNotFoundError(
            f"there is no {file}; get it from https://github.com/t-davidson/hate-speech-and-offensive-language (data/)"
        )
    try:
        with file.open(newline="", encoding="utf-8") as lines:
            rows = list(csv.DictReader(lines))
        if not rows:
            raise ValueError("it has no rows")
        texts = [clean_text(row["tweet"]) for row in rows]
        classes = np.array([int(row["class"]) for row in rows], dtype=np.int8)
        votes = np.array([[int(row[key]) for key in _TWEET_CLASSES.values()] for row in rows], dtype=np.int8)
    except (KeyError, TypeError, ValueError, csv.Error) as error:
        raise ValueError(f"{file} is damaged, or not the published table ({error!r}): get it again") from error
    output = data_dir / "tweets_features.npz"
    embeddings = _in_batches(features or _minilm(), texts).astype(np.float16)
    arrays: dict[str, NDArray[Any]] = {
        "x": embeddings,
        "y": classes,
        "votes": votes,
        "names": np.array(list(_TWEET_CLASSES)),
    }
    write_npz(output, arrays, packed=True)
    return output


MAKERS: Mapping[str, Callable[[Path], Path]] = {"cifar10n": make_cifar10n, "tweets": make_tweets}


def components(train: NDArray[Any], test: NDArray[Any]) -> Iterator[NDArray[np.float16]]:
    """Both along the first principal components of the first, in units of its mean absolute deviation from zero."""
    mean = train.mean(axis=0, dtype=np.float64)
    _, directions = np.linalg.eigh(np.cov(train, rowvar=False))
    directions = directions[:, ::-1][:, :_COMPONENTS]
    scale = np.abs((train - mean) @ directions).mean()
    for part in (train, test):
        yield ((part - mean) @ directions / scale).astype(np.float16)


def clean_text(text: str) -> str:
    """Without links and user names."""
    return " ".join(re.sub(r"https?://\S+|@\w+", " ", text).split())


def _in_batches(features: Features, examples: NDArray[Any] | Sequence[str]) -> NDArray[Any]:
    return np.concatenate([features(examples[i : i + _BATCH]) for i in range(0, len(examples), _BATCH)])


def _read_annotators(file: Path) -> dict[str, NDArray[Any]]:
    """The arrays that torch saved, nothing else being unpickled."""
    import torch

    numbers = [np.ndarray, np.dtype, np.dtypes.Int64DType, np.dtypes.Int32DType]
    rebuild: Any = np.zeros(0).__reduce__()[0]
    with torch.serialization.safe_globals([rebuild, (rebuild, "numpy.core.multiarray._reconstruct"), *numbers]):
        try:
            arrays: dict[str, NDArray[Any]] = torch.load(file, weights_only=True)
            return {key: arrays[key] for key in ("clean_label", *_ANNOTATORS)}
        except Exception as error:  # torch raises whatever it meets in a file that is another
            raise ValueError(f"{file} is damaged, or not the annotators' published labels: get it again") from error


def _efficientnet() -> Features:
    import timm
    import torch
    from torch.nn import functional

    model: Any = timm.create_model("tf_efficientnet_lite0", pretrained=True, num_classes=0).eval()
    mean, deviation = (torch.tensor(model.default_cfg[key]).view(1, 3, 1, 1) for key in ("mean", "std"))

    def features(images: NDArray[Any]) -> NDArray[Any]:
        scaled = torch.from_numpy(images).permute(0, 3, 1, 2).float() / 255
        large = functional.interpolate(scaled, size=(112, 112), mode="bilinear", align_corners=False)
        with torch.no_grad():
            pooled: NDArray[Any] = model((large - mean) / deviation).numpy()
        return pooled

    return features


def _minilm() -> Features:
    from sentence_transformers import SentenceTransformer

    model = SentenceTransformer("sentence-transformers/all-MiniLM-L6-v2")
    return lambda texts: np.asarray(model.encode(list(texts)))
