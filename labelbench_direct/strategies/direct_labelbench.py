"""LabelBench's own DIRECT, unmodified, as one more strategy to compare with."""

from __future__ import annotations

import contextlib
from typing import Any

import numpy as np

from labelbench_direct.core.checks import check_count
from labelbench_direct.core.types import Floats, Indices
from labelbench_direct.labelbench import Annotator, Dataset, own_direct
from labelbench_direct.strategies.base import PoolState, PoolStrategy
from labelbench_direct.strategies.direct import PARALLEL

_LEAST_PER_CLASS = 60
"""In the configuration that LabelBench ships."""


class DirectLabelBenchStrategy(PoolStrategy):
    """What LabelBench's ``direct`` selects: its class, from the checkout that Python finds, on this pool.

    It reads labels that it has not asked for yet, and in LabelBench they are the clean ones. Here it gets those that
    annotators gave, as every other strategy does. Configuration: LabelBench's, ``B1`` (default 20) and
    ``min_budget_per_class`` (default 60). It loops over the pool for each threshold that it gives up: seconds for a
    selection where a class's search is one batch, a minute where it is several.

    ``select`` raises ModuleNotFoundError where LabelBench cannot be imported.
    """

    strategy_name = "direct_labelbench"
    config_keys = frozenset({"B1", "min_budget_per_class"})

    def __init__(
        self, strategy_config: dict[str, Any], dataset: Dataset, rng: np.random.Generator | None = None
    ) -> None:
        super().__init__(strategy_config, dataset, rng)
        self._config = {
            "strategy_name": "direct",
            "B1": check_count(strategy_config.get("B1", PARALLEL), "B1", least=1),
            "min_budget_per_class": check_count(
                strategy_config.get("min_budget_per_class", _LEAST_PER_CLASS), "min_budget_per_class", least=1
            ),
        }

    def choose(self, pool: PoolState, budget: int, rng: np.random.Generator) -> Indices:
        given = Annotator(self.dataset)(np.arange(len(pool.probabilities)))
        one_hot = (given[:, None] == np.arange(pool.probabilities.shape[1])).astype(np.float64)
        strategy = own_direct()(self._config, self.dataset)
        with _seeded(rng), contextlib.redirect_stdout(None):  # it prints whatever it does
            chosen = strategy.select(_Inputs(np.asarray(pool.probabilities), one_hot), budget)
        return np.array(chosen, dtype=np.int64)


class _Inputs:
    """The part of a trainer that it uses."""

    def __init__(self, probabilities: Floats, one_hot: Floats) -> None:
        self._inputs = [probabilities, one_hot]

    def retrieve_inputs(self, input_types: Any) -> list[Floats]:
        """The scores, and the labels one-hot: what it asks for."""
        return self._inputs


@contextlib.contextmanager
def _seeded(rng: np.random.Generator) -> Any:
    """Numpy's global generator, from which it draws, seeded from ``rng`` and given back as it was."""
    before = np.random.get_state()  # noqa: NPY002  # it draws from no other
    np.random.seed(rng.integers(2**32))  # noqa: NPY002
    try:
        yield
    finally:
        np.random.set_state(before)  # noqa: NPY002
