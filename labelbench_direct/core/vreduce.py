"""Algorithm 1, VReduce: search one class's best threshold by one-dimensional agnostic active learning."""

from __future__ import annotations

import math
from collections.abc import Generator

import numpy as np

from labelbench_direct.core.annotations import Annotations
from labelbench_direct.core.options import Options
from labelbench_direct.core.order import ClassOrder
from labelbench_direct.core.types import Indices
from labelbench_direct.core.version_space import VersionSpace, initial_version_space, shrink


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
    Appends to ``spaces`` every version space, from the first. After the last round the shrink has no effect but is
    recorded.
    """
    line = known.along(order, k)
    space = initial_version_space(line)
    spaces.append(space)
    rounds = math.ceil(budget / parallel)  # m
    size = space.size(line, options.size_unit)  # J - I
    for t in range(1, rounds + 1):
        count = min(parallel, budget, space.candidates(line))
        if count == 0:
            return
        positions = space.sample(line, count, rng)
        indices = order.everything.indices_at(positions)
        labels = yield indices
        known.add(indices, labels)
        budget -= count
        line = line.annotate(positions, labels == k)
        target = max(1, round(size ** (1 - t / rounds)))  # (J - I) / c^t with c = (J - I)^(1/m)
        space = shrink(
            space, line, target, rng, unit=options.size_unit, tie=options.window_tie, keep_best=options.keep_best
        )
        spaces.append(space)
