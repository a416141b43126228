"""Algorithm 1, VReduce: search one class's best threshold by one-dimensional agnostic active learning."""

from __future__ import annotations

import math
from collections.abc import Iterator

import numpy as np

from labelbench_direct.core.class_line import ClassLine
from labelbench_direct.core.types import Indices
from labelbench_direct.core.version_space import VersionSpace


def vreduce(
    line: ClassLine,
    budget: int,
    parallel: int,
    rng: np.random.Generator,
    keep_best: bool,
    spaces: list[VersionSpace],
) -> Iterator[Indices]:
    """Yield pool indices to annotate, at most ``parallel`` at a time; go on with what the line knows by then.

    Asks for ``budget`` labels (the paper's b), or for fewer when no unlabeled example is left in the version space.
    Appends to ``spaces`` every version space, from the first to that of the last round: after it, the shrink would have
    no effect.
    """
    space = line.initial_version_space()  # [I, J]
    spaces.append(space)
    rounds = math.ceil(budget / parallel)  # m
    size = space.size  # J - I
    for t in range(rounds):
        if t > 0:
            space = line.shrink(space, max(1, round(size ** (1 - t / rounds))), keep_best)  # to (J - I) / c^t
            spaces.append(space)  # where c = (J - I)^(1/m)
        indices = line.draw(space, min(parallel, budget), rng)
        if len(indices) == 0:
            return
        yield indices
        budget -= len(indices)
