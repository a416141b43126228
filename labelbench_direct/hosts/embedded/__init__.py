"""What LabelBench's loop needs, small: data, a noisy pool, models, trainers, metrics, the loop."""

from labelbench_direct.hosts.embedded.data.catalog import load
from labelbench_direct.hosts.embedded.trainers import check_settings, make_trainer

__all__ = ["check_settings", "load", "make_trainer"]
