"""Real images of a hundred classes from those of ten: two digits side by side."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from labelbench_direct.hosts.embedded.data.parts import Data, Part

_PER_CLASS = 200, 10, 40  # of the pool, the validation and the test part


def pairs(data: Data) -> Data:
    """Pairs of images of a data set of K classes, K x K classes: of "0" and "7" the class "07", number 0 K + 7.

    Each image is squeezed to half its width, the mean of two columns each, so that a pair has the size of one. A part's
    pairs are of that part's images alone, and distinct; an image is in many of them. Always the same ones.
    """
    if data.image_shape is None or data.image_shape[1] % 2:
        raise ValueError(f"pairs are made of grey images of even width, {data.name!r} has {data.image_shape}")
    rng = np.random.default_rng(0)
    train, val, test = (
        _paired(part, data.num_classes, data.image_shape, per_class, rng)
        for part, per_class in zip((data.train, data.val, data.test), _PER_CLASS, strict=True)
    )
    classnames = tuple(a + b for a in data.classnames for b in data.classnames)
    return replace(data, train=train, val=val, test=test, classnames=classnames)


def _paired(part: Part, num_classes: int, shape: tuple[int, int], per_class: int, rng: np.random.Generator) -> Part:
    """``per_class`` pairs of each class, in random order."""
    height, width = shape
    halves = part.inputs.reshape(-1, height, width // 2, 2).mean(axis=3)
    members = [np.flatnonzero(part.labels == k) for k in range(num_classes)]
    lefts, rights, labels = [], [], []
    for left in range(num_classes):
        for right in range(num_classes):
            many = len(members[left]), len(members[right])
            first, second = np.divmod(rng.choice(many[0] * many[1], per_class, replace=False), many[1])
            lefts.append(members[left][first])
            rights.append(members[right][second])
            labels.append(np.full(per_class, left * num_classes + right))
    order = rng.permutation(num_classes**2 * per_class)
    images = [halves[np.concatenate(side)[order]] for side in (lefts, rights)]
    return Part(np.concatenate(images, axis=2).reshape(len(order), -1), np.concatenate(labels)[order])
