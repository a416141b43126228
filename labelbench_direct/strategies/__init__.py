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
from labelbench_direct.strategies.direct_explore import DirectExploreStrategy
from labelbench_direct.strategies.direct_labelbench import DirectLabelBenchStrategy
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
        DirectExploreStrategy,
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

COMPARABLE = STRATEGIES | {DirectLabelBenchStrategy.strategy_name: DirectLabelBenchStrategy}
"""What experiments can name: also LabelBench's own ``direct``, which needs a checkout."""


_NOT_IN_LABELBENCH = ("direct_explore", "most_likely_positive", "base", "cluster_margin", "similar")


def register() -> None:
    """Make ``strategy_name = "direct"`` this package's in LabelBench; LabelBench's own stays as ``direct_labelbench``.

    Adds the strategies that LabelBench lacks: direct_explore, most_likely_positive, base, cluster_margin, similar. Its
    others stay its own; this package's, which learn from noisy labels where those ask for the clean ones, are
    ``labelbench_direct.galaxy`` and so on.

    Can be called again. Raises ModuleNotFoundError where LabelBench cannot be imported, and ValueError where one of the
    names belongs to somebody else; nothing has changed then.
    """
    names = {f"labelbench_direct.{name}": strategy for name, strategy in STRATEGIES.items()}
    names |= {name: STRATEGIES[name] for name in ("direct", *_NOT_IN_LABELBENCH)}
    register_strategies(names, keep_owners_as={"direct": "direct_labelbench"})
