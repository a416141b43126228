"""DIRECT that explores: a share of every budget is drawn from the whole pool, a way out for a search that is stuck."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction
from typing import Any

import numpy as np

from labelbench_direct.core.options import Options
from labelbench_direct.core.types import Indices
from labelbench_direct.labelbench import Annotator, Dataset
from labelbench_direct.session import DirectSession
from labelbench_direct.strategies.base import PoolState, ask_annotators
from labelbench_direct.strategies.direct import DirectStrategy


class DirectExploreStrategy(DirectStrategy):
    """Explore the whole pool, then let ``direct`` spend what is left, with searches that fade as labels come.

    B the budget, L the labels so far, u the number of classes that cannot be searched for yet, because no label
    names them or none names another, e the share ``explore``:

    1. annotate unlabeled examples, drawn uniformly, ``B1`` at a time, until they are B (e + (1 - e) u / K), rounded;
    2. ``direct`` with the rest of B, a class's search getting at most B^2 / (2 K L) labels, rounded down.

    Configuration: ``explore``, 0 to 1 (default 1 / (2 K), what ``direct`` gives to one class's search), and all of
    ``direct``'s, ``min_budget_per_class`` instead of the bound in step 2. docs/strategies.md says why.
    """

    strategy_name = "direct_explore"
    config_keys = DirectStrategy.config_keys | {"explore"}

    def __init__(
        self, strategy_config: dict[str, Any], dataset: Dataset, rng: np.random.Generator | None = None
    ) -> None:
        super().__init__(strategy_config, dataset, rng)
        self._explore: float | None = strategy_config.get("explore")
        if self._explore is not None:
            _check_share(self._explore)

    def choose(self, pool: PoolState, budget: int, rng: np.random.Generator) -> Indices:
        annotator = Annotator(self.dataset)
        explored, their_labels = self._explored(pool, budget, rng, annotator)
        self.session = session = DirectSession(
            pool.scores,
            np.concatenate([pool.labeled, explored]),
            np.concatenate([pool.labels, their_labels]),
            budget=budget - len(explored),
            parallel=self._parallel,
            rng=rng,
            options=self._fading(pool, budget),
        )
        return np.concatenate([explored, ask_annotators(session, annotator)])

    def _fading(self, pool: PoolState, budget: int) -> Options:
        """The options, with the most labels that a class's search gets."""
        if self._options.min_budget_per_class is not None:
            return self._options
        bound = budget * budget // (2 * pool.probabilities.shape[1] * max(1, len(pool.labeled)))
        return replace(self._options, min_budget_per_class=bound)

    def _explored(
        self, pool: PoolState, budget: int, rng: np.random.Generator, annotator: Annotator
    ) -> tuple[Indices, Indices]:
        """The examples that explore, in the order of asking, and their labels."""
        num_classes = pool.probabilities.shape[1]
        share = Fraction(1, 2 * num_classes) if self._explore is None else Fraction(self._explore)
        drawn = rng.choice(pool.unlabeled, size=budget, replace=False)  # the most that may be needed
        is_named = np.isin(np.arange(num_classes), pool.labels)
        labels = np.zeros(0, dtype=np.int64)
        while True:
            named = np.count_nonzero(is_named)
            unknown = num_classes if named < 2 else num_classes - named  # of one class alone there is no threshold
            most = round(budget * (share + (1 - share) * Fraction(unknown, num_classes)))
            batch = drawn[len(labels) : most][: self._parallel]
            if len(batch) == 0:
                return drawn[: len(labels)], labels
            answers = annotator(batch)
            labels = np.concatenate([labels, answers])
            is_named[answers] = True


def _check_share(explore: Any) -> None:
    if isinstance(explore, bool) or not isinstance(explore, (int, float)):
        raise TypeError(f"explore must be a number, got {explore!r}")
    if not 0 <= explore <= 1:
        raise ValueError(f"explore must be between 0 and 1, got {explore}")
