"""``labelbench-direct compare``."""

from __future__ import annotations

import argparse
import sys
from dataclasses import replace
from pathlib import Path
from typing import get_args

from labelbench_direct.commands.running import (
    Commands,
    add_command,
    add_engine,
    check_folder,
    chosen_engine,
    reach_labelbench,
    run_trials,
)
from labelbench_direct.core.checks import check_count
from labelbench_direct.experiment.hosts import check_results
from labelbench_direct.experiment.names import folder_name
from labelbench_direct.experiment.noise import describe_noise, level_name, read_noise
from labelbench_direct.experiment.schema import DATA_DIR, MOST_SEED, Experiment, Host, read_experiment
from labelbench_direct.experiment.sinks import SINKS
from labelbench_direct.experiment.storage import make_folder
from labelbench_direct.experiment.trial import Settings, is_finished
from labelbench_direct.hosts.embedded.config import at_home
from labelbench_direct.hosts.embedded.data.catalog import SOURCES, load
from labelbench_direct.hosts.labelbench import checkout
from labelbench_direct.report.compare import compare
from labelbench_direct.strategies import COMPARABLE, STRATEGIES

RESULTS = Path("results")
_COMPARE = """\
Compare strategies on real images with rare classes and noisy labels: the same pool, the same wrong labels and the same
first batch for each of them, a model trained from scratch after every batch, several seeds.
 Writes to the output folder one folder per trial, curves.png and saved.md. Every finished round is on disk before the
next begins: the same command, started again after whatever happened, goes on where it stopped, and several of them,
on one machine or many, share the work.

examples:
  labelbench-direct compare
  labelbench-direct compare --dataset digits_lt --noise 0 0.2 --seeds 8
  labelbench-direct compare --strategies direct:B1=1 direct:B1=20 random
  labelbench-direct compare --noise 0.1 confusion.csv --dataset mnist5k_imb_2
  labelbench-direct compare --experiment experiment.json --engine ray --address auto
"""


def add_compare(commands: Commands) -> None:
    """Add the command to those of ``labelbench-direct``."""
    parser = add_command(
        commands, "compare", _compare, "compare strategies on real images, on this machine or on many", _COMPARE
    )
    default = Experiment()
    what = parser.add_argument_group("what to compare")
    add = what.add_argument
    add("--experiment", type=Path, metavar="FILE", help="a JSON file that states all of what follows")
    add("--dataset", help=f"{', '.join(SOURCES)} (folder:path=PATH, features:path=FILE.npz), with or without _imb_K "
        f"(K - 1 rare classes) or _lt (default: {default.dataset})")  # fmt: skip
    add("--strategies", nargs="+", metavar="NAME[:KEY=VALUE,...]",
        help=f"the first is compared with the others; all, or some of {', '.join(COMPARABLE)} "
        f"(default: {' '.join(default.strategies)})")  # fmt: skip
    add("--seeds", type=int, help=f"how many, from 0 (default: {len(default.seeds)})")
    add("--noise", nargs="+", metavar="LEVEL",
        help="share of the pool's labels that are wrong, or a .json or .csv file with a confusion matrix: rows of "
        "true classes, columns of given ones; or given, for the labels of the data's own annotators "
        f"(default: {default.noise[0]})")  # fmt: skip
    add("--batch-size", type=int, help=f"labels per round, the paper's B_train (default: {default.batch_size})")
    add("--rounds", type=int, help=f"rounds, the first one random (default: {default.rounds})")
    add("--parallel", type=int, nargs="+", help=f"labels asked for at once, the paper's B_parallel (default: "
        f"{default.parallel[0]})")  # fmt: skip
    add("--model", help="what is trained: mlp or linear (default: mlp)")
    how = parser.add_argument_group("how to run it")
    add = how.add_argument
    add("--output", type=Path, help="folder for the results (default: results/DATASET-noise-NOISE, or results/FILE)")
    add_engine(how)
    add("--sinks", nargs="+", choices=tuple(SINKS), default=(), help="also log there; never needed, never in the way")
    add("--host", choices=get_args(Host),
        help="whose data sets, models and trainers: this package's (default, if FILE says nothing else), or those of a "
        "LabelBench checkout")  # fmt: skip
    add("--home", metavar="CHECKOUT",
        help=f"the checkout, for the host labelbench or the strategy direct_labelbench (default: "
        f"{checkout.HOME_VARIABLE})")  # fmt: skip
    add("--data-dir", metavar="FOLDER", help=f"where the data are (default: {DATA_DIR}, if FILE says nothing else)")
    add("--device", choices=("cpu", "cuda"), help="labelbench: cpu so that nothing calls CUDA")
    add("--keep-models", action="store_true", help="save each round's model beside its results")


_STATED = ("dataset", "strategies", "seeds", "noise", "batch_size", "rounds", "parallel", "model")


def _experiment(parsed: argparse.Namespace) -> tuple[Experiment, Path]:
    """What to compare, and the folder for it."""
    experiment, folder = _stated_experiment(parsed)
    overridden = {"host": parsed.host, "data_dir": parsed.data_dir}
    return replace(experiment, **{name: value for name, value in overridden.items() if value is not None}), folder


def _stated_experiment(parsed: argparse.Namespace) -> tuple[Experiment, Path]:
    stated = {name: getattr(parsed, name) for name in _STATED if getattr(parsed, name) is not None}
    if parsed.experiment:
        if stated:
            raise ValueError(
                f"{parsed.experiment} states what to compare: leave out --{next(iter(stated))}, or edit it"
            )
        return read_experiment(parsed.experiment), parsed.output or RESULTS / folder_name(parsed.experiment.stem)
    if stated.get("strategies") == ["all"]:
        stated["strategies"] = STRATEGIES
    if "noise" in stated:
        stated["noise"] = [read_noise(_level(text), Path()) for text in stated["noise"]]
    for name in ("strategies", "noise", "parallel"):
        if name in stated:
            stated[name] = tuple(stated[name])
    if "seeds" in stated:
        if check_count(stated["seeds"], "--seeds", least=1) > MOST_SEED:
            raise ValueError(f"--seeds says how many, at most {MOST_SEED:,}; got {stated['seeds']}")
        stated["seeds"] = tuple(range(stated["seeds"]))
    if "model" in stated:
        stated["model"] = {"name": stated["model"]}
    experiment = Experiment(**stated)
    name = folder_name(f"{experiment.dataset}-noise-{'-'.join(map(level_name, experiment.noise))}")
    return experiment, parsed.output or RESULTS / name


def _level(text: str) -> float | str:
    """A number, or else the name of a file."""
    try:
        return float(text)
    except ValueError:
        return text


def _compare(parsed: argparse.Namespace) -> int:
    experiment, folder = _experiment(parsed)
    check_folder(folder)
    data_dir = at_home(experiment.data_dir or DATA_DIR).absolute()  # for processes that start elsewhere
    experiment = replace(experiment, data_dir=str(data_dir))
    home, said = None, set[str]()
    if any(trial.needs_labelbench for trial in experiment.trials()):
        home = reach_labelbench(parsed.home, parsed.device)
    if experiment.host == "labelbench":
        experiment = experiment.for_labelbench(Path(str(home)))
    else:
        for note in experiment.check_against_data():
            print(f"labelbench-direct: {note}", file=sys.stderr)
            said.add(note)
    check_results(experiment, folder, str(home) if home else None)
    trials = experiment.trials()
    noise = " and ".join(describe_noise(level) for level in experiment.noise)
    title = experiment.title or f"{experiment.dataset}, {noise} label noise"
    make_folder(folder)
    print(f"{title}: {len(trials)} trials, {len(experiment.seeds)} seeds, results in {folder}")
    finished = [trial for trial in trials if is_finished(folder / trial.identifier)]
    if finished and parsed.sinks:
        note = (
            f"{len(finished)} trials were finished before: nothing of them is logged to {' or '.join(parsed.sinks)} now"
        )
        print(f"labelbench-direct: {note}", file=sys.stderr)
    settings = Settings(tuple(parsed.sinks), parsed.keep_models, str(home) if home else None, experiment.data_dir)
    if experiment.host == "embedded":
        settings = replace(settings, data_checksum=load(experiment.dataset, data_dir).checksum)
    run_trials(trials, folder, chosen_engine(parsed, folder, settings), said)
    comparison = compare([folder / trial.identifier for trial in trials], title)
    print(f"\n{comparison.text}")
    for note in comparison.write(folder):
        print(f"note: {note}")
    print(f"The picture: {folder / 'curves.png'}\nMore pictures: labelbench-direct report {folder}")
    return 0
