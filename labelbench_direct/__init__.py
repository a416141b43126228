"""DIRECT, active learning for pools with rare classes and noisy labels: as a library, and in LabelBench."""

from labelbench_direct.core.options import Options
from labelbench_direct.session import DirectSession, GalaxySession
from labelbench_direct.strategies import register
from labelbench_direct.strategies.direct import DirectStrategy

__all__ = ["DirectSession", "DirectStrategy", "GalaxySession", "Options", "__version__", "register"]
__version__ = "0.2.0"
