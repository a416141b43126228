"""The strategies, by name, and their way into LabelBench's registry."""

from __future__ import annotations

from labelbench_direct.labelbench import register_strategies
from labelbench_direct.strategies.badge import BadgeStrategy
from labelbench_direct.strategies.bait import BaitStrategy
from labelbench_direct.strategies.base import PoolStrategy
from labelbench_direct.strategies.base_sampling import BaseStrategy
from labelbench_direct.strategies.cluster_margin import ClusterMarginStrategy
from labelbench_direct.strategies.confidence import ConfidenceStrategy
from labelbench_direct.strategies.coreset import CoresetStrategy
from labelbench_direct.strategies.direct import DirectStrategy
from labelbench_direct.strategies.entropy import EntropyStrategy
from labelbench_direct.strategies.galaxy import GalaxyStrategy
from labelbench_direct.strategies.margin import MarginStrategy
from labelbench_direct.strategies.most_likely_positive import MostLikelyPositiveStrategy
from labelbench_direct.strategies.random import RandomStrategy
from labelbench_direct.strategies.similar import SimilarStrategy

STRATEGIES: dict[str, type[PoolStrategy]] = {
    strategy.strategy_name: strategy
    for strategy in (
        DirectStrategy,
        RandomStrategy,
        MarginStrategy,
        ConfidenceStrategy,
        EntropyStrategy,
        MostLikelyPositiveStrategy,
        CoresetStrategy,
        BadgeStrategy,
        BaitStrategy,
        BaseStrategy,
        ClusterMarginStrategy,
        SimilarStrategy,
        GalaxyStrategy,
    )
}
"""Every strategy of this package, by the name that configurations use."""


_NOT_IN_LABELBENCH = (MostLikelyPositiveStrategy, BaseStrategy, ClusterMarginStrategy, SimilarStrategy)


def register() -> None:
    """Make ``strategy_name = "direct"`` this package's in LabelBench; LabelBench's own stays as ``direct_labelbench``.
    Add the strategies that LabelBench lacks: most_likely_positive, base, cluster_margin, similar. Its others stay.

    Can be called again. Raises ModuleNotFoundError where LabelBench cannot be imported, and ValueError where one of
    the names belongs to somebody else; nothing has changed then.
    """
    register_strategies((DirectStrategy, *_NOT_IN_LABELBENCH), keep_owners_as={"direct": "direct_labelbench"})
