"""The command ``labelbench-direct``."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from labelbench_direct import __version__
from labelbench_direct.annotate.cli import add_annotate, guarded
from labelbench_direct.commands.compare import add_compare
from labelbench_direct.commands.evidence import add_evidence
from labelbench_direct.commands.features import add_features
from labelbench_direct.commands.labelbench import add_labelbench
from labelbench_direct.commands.report import add_report
from labelbench_direct.console import patient_output
from labelbench_direct.hosts.embedded.config import at_home


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command; its exit status is 2 for arguments that cannot be used, 1 where trials have failed."""
    with patient_output():
        parsed = _parser().parse_args(arguments)
        for name, value in vars(parsed).items():  # a shell leaves the ~ of --output=~/results as it is
            if isinstance(value, Path):
                setattr(parsed, name, at_home(value))
        return guarded(parsed)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="labelbench-direct", description="DIRECT: active learning for pools with rare classes and noisy labels."
    )
    parser.add_argument("--version", action="version", version=__version__)
    commands = parser.add_subparsers(required=True, metavar="command")
    add_compare(commands)
    add_evidence(commands)
    add_features(commands)
    add_report(commands)
    add_labelbench(commands)
    add_annotate(commands)
    return parser


if __name__ == "__main__":
    sys.exit(main())
