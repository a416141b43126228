"""GALAXY (Zhang, Katz-Samuels, Nowak 2022) as a LabelBench strategy; the rule and its cost are in ``core.galaxy``."""

from __future__ import annotations

from typing import Any, get_args

import numpy as np

from labelbench_direct.core.checks import check_choice
from labelbench_direct.core.galaxy import Cuts
from labelbench_direct.core.types import Indices
from labelbench_direct.labelbench import Annotator, Dataset
from labelbench_direct.session import GalaxySession
from labelbench_direct.strategies.base import PoolState, PoolStrategy, ask_annotators


class GalaxyStrategy(PoolStrategy):
    """Bisect the shortest path between opposite labels of a random class, then annotate around the cuts.

    One label at a time, as training will see it, noise included. Configuration: ``cuts``, ``all`` (the paper, the
    default) or ``reversed`` (LabelBench's code).
    """

    strategy_name = "galaxy"
    config_keys = frozenset({"cuts"})

    def __init__(
        self, strategy_config: dict[str, Any], dataset: Dataset, rng: np.random.Generator | None = None
    ) -> None:
        super().__init__(strategy_config, dataset, rng)
        self._cuts: Cuts = strategy_config.get("cuts", "all")
        check_choice(self._cuts, "cuts", get_args(Cuts))

    def choose(self, pool: PoolState, budget: int, rng: np.random.Generator) -> Indices:
        session = GalaxySession(pool.scores, pool.labeled, pool.labels, budget=budget, rng=rng, cuts=self._cuts)
        return ask_annotators(session, Annotator(self.dataset))
