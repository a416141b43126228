"""DIRECT (Nuggehalli, Zhang, Jain, Nowak 2025) as a LabelBench strategy."""

from __future__ import annotations

from dataclasses import fields
from typing import Any

import numpy as np

from labelbench_direct.core.checks import check_count
from labelbench_direct.core.options import Options, check_not_gone
from labelbench_direct.core.types import Indices
from labelbench_direct.labelbench import Annotator, Dataset
from labelbench_direct.session import DirectSession
from labelbench_direct.strategies.base import PoolState, PoolStrategy, ask_annotators

_OPTIONS = frozenset(option.name for option in fields(Options))
PARALLEL = 20
"""B_parallel where the configuration does not say: LabelBench's."""


class DirectStrategy(PoolStrategy):
    """Search each class's best separation threshold, then annotate around it (Algorithm 2).

    Configuration: ``B1``, the number of labels asked for at once (B_parallel, default 20), and the fields of
    ``Options``, among them LabelBench's ``min_budget_per_class``. Labels asked for during ``select`` are those that
    training will see, noise included.
    """

    strategy_name = "direct"
    config_keys = _OPTIONS | {"B1"}

    def __init__(
        self, strategy_config: dict[str, Any], dataset: Dataset, rng: np.random.Generator | None = None
    ) -> None:
        check_not_gone(strategy_config)
        super().__init__(strategy_config, dataset, rng)
        self._parallel = check_count(strategy_config.get("B1", PARALLEL), "B1", least=1)
        self._options = Options(**{key: value for key, value in strategy_config.items() if key in _OPTIONS})
        self.session: DirectSession | None = None
        """The last ``select``'s session: its thresholds, and how the version spaces moved."""

    def choose(self, pool: PoolState, budget: int, rng: np.random.Generator) -> Indices:
        annotator = Annotator(self.dataset)  # reads labels one-hot: before the session sorts its orders
        self.session = session = DirectSession(
            pool.scores,
            pool.labeled,
            pool.labels,
            budget=budget,
            parallel=self._parallel,
            rng=rng,
            options=self._options,
        )
        return ask_annotators(session, annotator)
