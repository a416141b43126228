"""``labelbench-direct report``."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import get_args

from labelbench_direct.commands.running import Commands, add_command, check_folder
from labelbench_direct.hosts.metrics import BALANCED_TEST
from labelbench_direct.report.metrics import Better
from labelbench_direct.report.write import write_report

_REPORT = """\
Draw what results show, into a folder: report.html, which loads nothing from the network, and its figures and numbers
as PNG, SVG and CSV. RESULTS are folders that `labelbench-direct compare` wrote, JSON lines of LabelBench runs, or
LabelBench's published results (pickles, read without running anything in them).

examples:
  labelbench-direct report results/mnist5k_imb_3-noise-0.1
  labelbench-direct report runs LabelBench/results/fmow --metric "Test Loss" --output fmow
"""


def add_report(commands: Commands) -> None:
    """Add the command to those of ``labelbench-direct``."""
    parser = add_command(commands, "report", _report, "draw what results show: a page, pictures, numbers", _REPORT)
    add = parser.add_argument
    add("results", type=Path, nargs="+", metavar="RESULTS")
    add("--output", type=Path, default=Path("report"), help="folder for the report (default: report)")
    add("--metric", default=BALANCED_TEST, help="what is compared (default: %(default)s)")
    add("--better", choices=get_args(Better), help="which way a metric of your own is; LabelBench's are known")
    add("--trial", help="the folder name, or its beginning, of the DIRECT trial whose selections are pictured")


def _report(parsed: argparse.Namespace) -> int:
    check_folder(parsed.output)
    written = write_report(
        parsed.results, parsed.output, metric=parsed.metric, trial=parsed.trial, better=parsed.better
    )
    for note in written.notes:
        print(f"note: {note}")
    print(f"{written.sentence}\nThe page: {written.page}")
    return 0
