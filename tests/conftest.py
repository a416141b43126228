"""One profile for all property tests: at least 1,000 cases each, the same ones in every run; LabelBench's tests; and
one thread for torch: such small models gain nothing from more, and lose much where other work shares the machine.
"""

import os

import pytest
import torch
from hypothesis import HealthCheck, settings

settings.register_profile(
    "thorough", max_examples=1000, deadline=None, derandomize=True, suppress_health_check=[HealthCheck.too_slow]
)
settings.load_profile("thorough")
torch.set_num_threads(1)


def pytest_runtest_setup(item):
    """Skip here, in one place, so that the summary has one line for all of them."""
    if item.get_closest_marker("labelbench") and not os.environ.get("LABELBENCH_HOME"):
        pytest.skip("LABELBENCH_HOME names no LabelBench checkout")
