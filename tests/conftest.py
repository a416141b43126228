"""One profile for all property tests: at least 1,000 cases each, the same ones in every run."""

from hypothesis import HealthCheck, settings

settings.register_profile(
    "thorough", max_examples=1000, deadline=None, derandomize=True, suppress_health_check=[HealthCheck.too_slow]
)
settings.load_profile("thorough")
