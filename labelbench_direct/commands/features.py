"""``labelbench-direct features``."""

from __future__ import annotations

import argparse
from pathlib import Path

from labelbench_direct.commands.running import Commands
from labelbench_direct.experiment.schema import DATA_DIR
from labelbench_direct.hosts.embedded.data.make_features import MAKERS


def add_features(commands: Commands) -> None:
    """Add the command to those of ``labelbench-direct``."""
    parser = commands.add_parser(
        "features",
        help="make the feature files of the evidence from the published sources",
        description="Make one of the feature files of the evidence from what its authors published; docs/features.md "
        "says what to get. Computes features with a pretrained network: an hour on a CPU, minutes on a GPU.",
    )
    parser.set_defaults(command=_features)
    parser.add_argument("name", choices=tuple(MAKERS))
    parser.add_argument("--data-dir", type=Path, default=Path(DATA_DIR), help="where the published files are, and "
        "where the feature file goes (default: %(default)s)")  # fmt: skip


def _features(parsed: argparse.Namespace) -> int:
    print(f"made {MAKERS[parsed.name](parsed.data_dir)}")
    return 0
