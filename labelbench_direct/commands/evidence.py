"""``labelbench-direct evidence``."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from labelbench_direct.commands.running import (
    Commands,
    add_command,
    add_engine,
    check_folder,
    chosen_engine,
    reach_labelbench,
    run_trials,
)
from labelbench_direct.experiment.evidence import ordered_trials, read_settings
from labelbench_direct.experiment.hosts import check_results
from labelbench_direct.experiment.schema import DATA_DIR, Experiment
from labelbench_direct.experiment.storage import make_folder
from labelbench_direct.experiment.trial import Settings
from labelbench_direct.hosts.embedded.config import at_home
from labelbench_direct.report.evidence import write_evidence
from labelbench_direct.strategies import COMPARABLE

_EVIDENCE = """\
Run all experiments of a folder, what matters most first, and write the page that shows what they show. Started again it
goes on where it stopped; the page says what is not finished. Experiments whose data are not there are named, with what
to get and where to put it, and the others run.

examples:
  labelbench-direct evidence
  labelbench-direct evidence --only random margin --data-dir ~/features
  labelbench-direct evidence --page-only
"""


def add_evidence(commands: Commands) -> None:
    """Add the command to those of ``labelbench-direct``."""
    parser = add_command(
        commands,
        "evidence",
        _evidence,
        "run the project's own experiments and write the page of what they show",
        _EVIDENCE,
    )
    add = parser.add_argument
    add("--experiments", type=Path, default=Path("configs/evidence"), metavar="FOLDER",
        help="of experiment files (default: %(default)s)")  # fmt: skip
    add("--output", type=Path, default=Path("results/evidence"), help="folder for the results (default: %(default)s)")
    add("--page", type=Path, default=Path("docs/evidence.md"), help="what is written (default: %(default)s)")
    add("--page-only", action="store_true", help="run nothing: the page from what is finished")
    add("--only", nargs="+", choices=tuple(COMPARABLE), metavar="STRATEGY", help="run trials of these alone")
    add("--data-dir", metavar="FOLDER", default=DATA_DIR, help="where the data are (default: %(default)s)")
    add_engine(parser)


def _evidence(parsed: argparse.Namespace) -> int:
    check_folder(parsed.output)
    experiments = read_settings(parsed.experiments, str(at_home(parsed.data_dir).resolve()))
    if parsed.page.is_dir():
        raise IsADirectoryError(f"{parsed.page} is a folder: --page names the file that is written")
    notes = [] if parsed.page_only else _run_evidence(parsed, experiments)
    missing = write_evidence(experiments, parsed.output, parsed.page, notes)
    print(f"{missing}\n\nThe page: {parsed.page}")
    return 0


def _run_evidence(parsed: argparse.Namespace, experiments: dict[str, Experiment]) -> list[str]:
    """Run what is missing of the experiments whose data are there; what is said of the others."""
    usable, notes = [], []
    for name, experiment in experiments.items():
        try:
            experiment.check_against_data()
            check_results(experiment, parsed.output, None)
            usable.append(experiment)
        except (FileNotFoundError, ModuleNotFoundError) as error:
            notes.append(f"{name} was not run: {error}")
            print(f"labelbench-direct: {notes[-1]}", file=sys.stderr)
        except (ValueError, TypeError) as error:
            raise ValueError(f"{parsed.experiments / name}.json: {error}") from error
    if not usable:
        raise FileNotFoundError("no experiment's data are there: each is said above, with what to get")
    trials = [one for one in ordered_trials(usable) if not parsed.only or one.strategy["strategy_name"] in parsed.only]
    home = None
    if any(trial.needs_labelbench for trial in trials):
        try:
            home = str(reach_labelbench(None))
        except FileNotFoundError as error:
            trials = [trial for trial in trials if not trial.needs_labelbench]
            notes.append(f"LabelBench's own direct was not run: {error}")
            print(f"labelbench-direct: {notes[-1]}", file=sys.stderr)
    make_folder(parsed.output)
    print(f"{len(trials)} trials of {len(usable)} experiments, results in {parsed.output}")
    settings = Settings(labelbench_home=home, data_folder=usable[0].data_dir, selections=False)
    run_trials(trials, parsed.output, chosen_engine(parsed, parsed.output, settings), set(notes))
    return notes
