"""What several commands need: a folder for results, an engine, a LabelBench checkout, trials under a bar."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TypeAlias

from tqdm import tqdm

from labelbench_direct.experiment.local import LocalEngine
from labelbench_direct.experiment.ray_engine import RayEngine
from labelbench_direct.experiment.schema import Trial
from labelbench_direct.experiment.sweep import Engine, run_sweep
from labelbench_direct.experiment.trial import Settings
from labelbench_direct.hosts.labelbench import checkout
from labelbench_direct.hosts.labelbench.launch import environment

Commands: TypeAlias = "argparse._SubParsersAction[argparse.ArgumentParser]"


def add_command(
    commands: Commands, name: str, run: Callable[[argparse.Namespace], int], text: str, description: str
) -> argparse.ArgumentParser:
    """One more command, with its description as it is laid out; ``text``: what it does, in a line."""
    parser = commands.add_parser(
        name, help=text, description=description, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.set_defaults(command=run)
    return parser


def check_folder(folder: Path) -> None:
    """Raise ValueError where results cannot be put into a folder."""
    if folder.exists() and not folder.is_dir():
        raise ValueError(f"{folder} is a file: name a folder for the results with --output, there or to be made")


def reach_labelbench(home: str | None, device: str | None = None) -> Path:
    """A checkout that the trials' processes can import from. Raises FileNotFoundError where there is none."""
    found = checkout.find_checkout(home)
    os.environ.update(environment(found, device=device))  # for the processes of Ray
    sys.path.insert(0, str(found))  # and of this machine, which inherit the path itself
    return found


def add_engine(parser: argparse._ActionsContainer) -> None:
    """The options that say where trials run."""
    add = parser.add_argument
    add("--engine", choices=("local", "ray"), default="local", help="this machine (default), or a Ray cluster")
    add("--workers", type=int, help="local: trials run at once (default: as many as cores may be used)")
    add("--address", help="ray: the cluster's address, such as auto (default: a cluster of this machine alone)")
    add("--gpus", type=float, default=0, help="ray: the share of a GPU that a trial takes (default: 0)")


def chosen_engine(parsed: argparse.Namespace, folder: Path, settings: Settings) -> Engine:
    """Whom these options name."""
    if parsed.engine == "ray":
        return RayEngine(folder, settings, parsed.address, parsed.gpus)
    return LocalEngine(folder, settings, parsed.workers)


def run_trials(trials: Sequence[Trial], folder: Path, engine: Engine, said: set[str]) -> None:
    """Run all trials under a bar of rounds, which also tells the time left. ``said``: notes not to be repeated."""
    bar = None
    for progress in run_sweep(trials, folder, engine):
        if bar is None:
            seconds = 0.5 if sys.stderr.isatty() else 30
            bar = tqdm(
                total=progress.all_rounds, initial=progress.rounds, unit="round", desc="rounds", mininterval=seconds
            )
        for note in dict.fromkeys(progress.notes):
            if note in said:
                continue
            said.add(note)
            bar.write(f"labelbench-direct: {note}", file=sys.stderr)
        bar.set_postfix_str(f"{progress.done}/{progress.trials} trials done, {progress.running} running", refresh=False)
        bar.update(progress.rounds - bar.n)
    if bar is not None:
        bar.close()
