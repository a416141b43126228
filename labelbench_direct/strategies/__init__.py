"""The strategies, by name, and their way into LabelBench's registry."""

from __future__ import annotations

from labelbench_direct.labelbench import is_labelbenchs, register_strategy
from labelbench_direct.strategies.base import PoolStrategy
from labelbench_direct.strategies.confidence import ConfidenceStrategy
from labelbench_direct.strategies.direct import DirectStrategy
from labelbench_direct.strategies.entropy import EntropyStrategy
from labelbench_direct.strategies.margin import MarginStrategy
from labelbench_direct.strategies.most_likely_positive import MostLikelyPositiveStrategy
from labelbench_direct.strategies.random import RandomStrategy

STRATEGIES: dict[str, type[PoolStrategy]] = {
    strategy.strategy_name: strategy
    for strategy in (
        DirectStrategy,
        RandomStrategy,
        MarginStrategy,
        ConfidenceStrategy,
        EntropyStrategy,
        MostLikelyPositiveStrategy,
    )
}
"""Every strategy of this package, by the name that configurations use."""


def register() -> None:
    """Make ``strategy_name = "direct"`` this package's in LabelBench; LabelBench's own stays as ``direct_labelbench``.

    Strategies that LabelBench lacks are added under their names; its others stay its own. Can be called again. Raises
    ModuleNotFoundError where LabelBench cannot be imported, and ValueError where a name belongs to somebody else.
    """
    register_strategy(DirectStrategy, keep_owner_as="direct_labelbench")
    for name, strategy in STRATEGIES.items():
        if not is_labelbenchs(name):
            register_strategy(strategy)
