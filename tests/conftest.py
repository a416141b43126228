"""One profile for all property tests: at least 1,000 cases each, the same ones in every run. One thread for torch: such
small models gain nothing from more, and lose much where other work shares the machine.
"""

import torch
from hypothesis import HealthCheck, settings

settings.register_profile(
    "thorough", max_examples=1000, deadline=None, derandomize=True, suppress_health_check=[HealthCheck.too_slow]
)
settings.load_profile("thorough")
torch.set_num_threads(1)
