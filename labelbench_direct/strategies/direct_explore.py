"""DIRECT with a share of the budget drawn uniformly, so that no search can stay stuck."""

from __future__ import annotations

from typing import Any

import numpy as np

from labelbench_direct.core.types import Indices
from labelbench_direct.labelbench import Annotator, Dataset
from labelbench_direct.session import DirectSession
from labelbench_direct.strategies.base import PoolState, ask_annotators
from labelbench_direct.strategies.direct import DirectStrategy


class DirectExploreStrategy(DirectStrategy):
    strategy_name = "direct_explore"
    config_keys = DirectStrategy.config_keys | {"explore", "unnamed"}

    def __init__(
        self, strategy_config: dict[str, Any], dataset: Dataset, rng: np.random.Generator | None = None
    ) -> None:
        super().__init__(strategy_config, dataset, rng)
        self._explore = strategy_config.get("explore")
        self._unnamed = strategy_config.get("unnamed", "all")

    def choose(self, pool: PoolState, budget: int, rng: np.random.Generator) -> Indices:
        annotator = Annotator(self.dataset)
        K = pool.probabilities.shape[1]
        e = 1 / (2 * K) if self._explore is None else self._explore
        lab, labels, new = pool.labeled, pool.labels, np.zeros(0, dtype=np.int64)

        def uni(n: int) -> None:
            nonlocal lab, labels, new
            m = np.ones(len(pool.probabilities), bool)
            m[lab] = False
            i = rng.choice(np.flatnonzero(m), n, replace=False)
            lab, labels, new = np.concatenate([lab, i]), np.concatenate([labels, annotator(i)]), np.concatenate([new, i])

        uni(int(e * budget))
        if self._unnamed == "all":
            while len(new) < budget and np.bincount(labels, minlength=K).min() == 0:
                uni(min(self._parallel, budget - len(new)))
        if self._unnamed == "share":
            first = len(new)
            while len(new) < budget:
                un = int((np.bincount(labels, minlength=K) == 0).sum())
                if un == 0 or len(new) - first >= (budget - first) * un // K:
                    break
                uni(min(self._parallel, budget - len(new)))
        self.session = session = DirectSession(
            pool.scores, lab, labels, budget=budget - len(new), parallel=self._parallel, rng=rng, options=self._options
        )
        return np.concatenate([new, ask_annotators(session, annotator)])
