"""Algorithm 1, VReduce: search one class's best threshold by one-dimensional agnostic active learning."""

from __future__ import annotations

import math
from collections.abc import Generator

import numpy as np

from labelbench_direct.core.annotations import Annotations
from labelbench_direct.core.buckets import ClassOrder
from labelbench_direct.core.evidence import evidence_of
from labelbench_direct.core.options import Options
from labelbench_direct.core.types import Indices
from labelbench_direct.core.version_space import VersionSpace


def vreduce(
    known: Annotations,
    order: ClassOrder,
    k: int,
    budget: int,
    parallel: int,
    rng: np.random.Generator,
    options: Options,
    spaces: list[VersionSpace],
) -> Generator[Indices, Indices, None]:
    """Yield pool indices to annotate, at most ``parallel`` at a time, and be sent their labels; add them to ``known``.

    Asks for ``budget`` labels (the paper's b), or for fewer when no unlabeled example is left in the version space.
    Appends to ``spaces`` every version space, from the first to that of the last round: after it, the shrink would have
    no effect.
    """
    evidence = evidence_of(order, known, k)
    space = evidence.initial_version_space()
    spaces.append(space)
    rounds = math.ceil(budget / parallel)  # m
    size = evidence.size(space, options.size_unit)  # J - I
    for t in range(rounds):
        if t > 0:
            target = max(1, round(size ** (1 - t / rounds)))  # (J - I) / c^t with c = (J - I)^(1/m)
            space = evidence.shrink(space, target, rng, options)
            spaces.append(space)
        indices = evidence.draw(space, min(parallel, budget), rng)
        if len(indices) == 0:
            return
        labels = yield indices
        known.add(indices, labels)
        budget -= len(indices)
