"""Simulated pools at the sizes of the paper's data sets, for benchmarks."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np


@dataclass(frozen=True)
class Size:
    """A pool's size, and what is asked of it."""

    name: str
    num_examples: int
    num_classes: int
    num_labeled: int
    budget: int
    dtype: type = np.float64


PARALLEL = 20
"""B_parallel, LabelBench's."""
SIZES = {
    "fmow": Size("FMoW", 76_863, 62, 3_000, 3_000),
    "iwildcam": Size("iWildCam", 129_809, 14, 3_000, 3_000),
    "imagenet_lt": Size("ImageNet-LT", 115_846, 1_000, 5_000, 5_000),
    "imagenet": Size("ImageNet", 1_281_167, 1_000, 50_000, 50_000, np.float32),
}


def simulate(
    size: Size, noise: float = 0.1, seed: int = 0, file: Path | None = None
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Scores (N, K), in float64 as LabelBench hands them over, noisy labels (N,), and the indices labeled so far (L,).

    Classes follow a power law; a softmax of Gaussian logits gives the true class a head start, so that scores are
    graded, some are wrong, and the margins of rare classes are spread as a trained network's are. With ``file`` the
    scores are there, memory-mapped, and not made again.
    """
    rng = np.random.default_rng(seed)
    frequencies = 1 / np.arange(1, size.num_classes + 1)
    labels = rng.choice(size.num_classes, size=size.num_examples, p=frequencies / frequencies.sum())
    labeled = rng.choice(size.num_examples, size=size.num_labeled, replace=False)
    wrong = rng.random(size.num_examples) < noise
    noisy = np.where(wrong, rng.integers(size.num_classes, size=size.num_examples), labels)
    shape = (size.num_examples, size.num_classes)
    if file is not None and file.exists():
        return np.load(file, mmap_mode="r"), noisy, labeled
    unfinished = file and file.with_suffix(".part")
    scores = np.empty(shape, size.dtype) if unfinished is None else _mapped(unfinished, shape, size.dtype)
    for start in range(0, size.num_examples, 4096):
        rows = slice(start, min(start + 4096, size.num_examples))
        logits = 2 * rng.standard_normal((rows.stop - start, size.num_classes), dtype=np.float32)
        logits[np.arange(len(logits)), labels[rows]] += rng.normal(6, 3, len(logits))
        powers = np.exp(logits - logits.max(axis=1, keepdims=True))
        scores[rows] = powers / powers.sum(axis=1, keepdims=True)
    if file and unfinished:
        unfinished.rename(file)
    return scores, noisy, labeled


def embed(scores: np.ndarray, dimensions: int = 512) -> np.ndarray:
    """Embeddings (N, dimensions) in the scores' precision: a center for each predicted class, and as much noise."""
    rng = np.random.default_rng(1)
    embeddings = rng.standard_normal((len(scores), dimensions), dtype=scores.dtype)
    centers = rng.standard_normal((scores.shape[1], dimensions), dtype=scores.dtype)
    for start in range(0, len(scores), 4096):
        rows = slice(start, start + 4096)
        embeddings[rows] += centers[scores[rows].argmax(axis=1)]
    return embeddings


def _mapped(file: Path, shape: tuple[int, int], dtype: type) -> np.ndarray:
    file.parent.mkdir(parents=True, exist_ok=True)
    return np.lib.format.open_memmap(file, mode="w+", shape=shape, dtype=dtype)
