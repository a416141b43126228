"""The command ``labelbench-direct``; the only module that prints."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import get_args

from tqdm import tqdm

from labelbench_direct import __version__
from labelbench_direct.annotate.cli import add_annotate, guarded
from labelbench_direct.console import patient_output
from labelbench_direct.core.checks import check_count
from labelbench_direct.experiment.evidence import ordered_trials, read_settings
from labelbench_direct.experiment.hosts import check_results
from labelbench_direct.experiment.local import LocalEngine
from labelbench_direct.experiment.names import folder_name
from labelbench_direct.experiment.noise import describe_noise, level_name, read_noise
from labelbench_direct.experiment.ray_engine import RayEngine
from labelbench_direct.experiment.schema import DATA_DIR, MOST_SEED, Experiment, Host, Trial, read_experiment
from labelbench_direct.experiment.sinks import SINKS
from labelbench_direct.experiment.storage import make_folder
from labelbench_direct.experiment.sweep import Engine, run_sweep
from labelbench_direct.experiment.trial import Settings, is_finished
from labelbench_direct.hosts.embedded.config import at_home
from labelbench_direct.hosts.embedded.data.catalog import SOURCES, load
from labelbench_direct.hosts.embedded.data.make_features import MAKERS
from labelbench_direct.hosts.labelbench import checkout, doctor
from labelbench_direct.hosts.labelbench.launch import environment, launch
from labelbench_direct.hosts.metrics import BALANCED_TEST
from labelbench_direct.report.compare import compare
from labelbench_direct.report.evidence import write_evidence
from labelbench_direct.report.metrics import Better
from labelbench_direct.report.write import write_report
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
_REPORT = """\
Draw what results show, into a folder: report.html, which loads nothing from the network, and its figures and numbers
as PNG, SVG and CSV. RESULTS are folders that `labelbench-direct compare` wrote, JSON lines of LabelBench runs, or
LabelBench's published results (pickles, read without running anything in them).

examples:
  labelbench-direct report results/mnist5k_imb_3-noise-0.1
  labelbench-direct report runs LabelBench/results/fmow --metric "Test Loss" --output fmow
"""

_EVIDENCE = """\
Run all experiments of a folder, what matters most first, and write the page that shows what they show. Started again it
goes on where it stopped; the page says what is not finished. Experiments whose data are not there are named, with what
to get and where to put it, and the others run.

examples:
  labelbench-direct evidence
  labelbench-direct evidence --only random margin --data-dir ~/features
  labelbench-direct evidence --page-only
"""

_LABELBENCH = """\
Run one of LabelBench's own programs, unmodified, with this package registered: strategy "direct", the data sets and
models that LabelBench lacks, the configurations of configs/ under their bare names (LabelBench's own come first).
The program is main.py unless mp_launcher.py, mp_eval_launcher.py or point_evaluation.py is named first.
 What LabelBench logs stays as it is; beside it this package writes JSON lines of every run.

example:
  labelbench-direct labelbench --home LabelBench --device cpu --wandb disabled -- --seed 1234 --wandb_name none
    --dataset digits_imb_3 --data_dir data/digits_imb_3 --metric multi_class --batch_size 40 --num_batch 5
    --classifier_model_config linear_digits.json --strategy_config direct.json
    --trainer_config digits/passive/linear.json --corrupter_config noisy_random.json
"""


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
    _add_compare(commands)
    _add_evidence(commands)
    _add_features(commands)
    _add_report(commands)
    _add_labelbench(commands)
    add_annotate(commands)
    return parser


def _add_compare(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    parser = commands.add_parser(
        "compare",
        help="compare strategies on real images, on this machine or on many",
        description=_COMPARE,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.set_defaults(command=_compare)
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
    _add_engine(how)
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


def _check_folder(folder: Path) -> None:
    if folder.exists() and not folder.is_dir():
        raise ValueError(f"{folder} is a file: name a folder for the results with --output, there or to be made")


def _compare(parsed: argparse.Namespace) -> int:
    experiment, folder = _experiment(parsed)
    _check_folder(folder)
    data_dir = at_home(experiment.data_dir or DATA_DIR).absolute()  # for processes that start elsewhere
    experiment = replace(experiment, data_dir=str(data_dir))
    home, said = None, set[str]()
    if any(trial.needs_labelbench for trial in experiment.trials()):
        home = _reach_labelbench(parsed.home, parsed.device)
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
    _run(trials, folder, _engine(parsed, folder, settings), said)
    comparison = compare([folder / trial.identifier for trial in trials], title)
    print(f"\n{comparison.text}")
    for note in comparison.write(folder):
        print(f"note: {note}")
    print(f"The picture: {folder / 'curves.png'}\nMore pictures: labelbench-direct report {folder}")
    return 0


def _reach_labelbench(home: str | None, device: str | None = None) -> Path:
    """A checkout that the trials' processes can import from. Raises FileNotFoundError where there is none."""
    found = checkout.find_checkout(home)
    os.environ.update(environment(found, device=device))  # for the processes of Ray
    sys.path.insert(0, str(found))  # and of this machine, which inherit the path itself
    return found


def _add_engine(parser: argparse._ActionsContainer) -> None:
    add = parser.add_argument
    add("--engine", choices=("local", "ray"), default="local", help="this machine (default), or a Ray cluster")
    add("--workers", type=int, help="local: trials run at once (default: as many as cores may be used)")
    add("--address", help="ray: the cluster's address, such as auto (default: a cluster of this machine alone)")
    add("--gpus", type=float, default=0, help="ray: the share of a GPU that a trial takes (default: 0)")


def _add_evidence(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    parser = commands.add_parser(
        "evidence",
        help="run the project's own experiments and write the page of what they show",
        description=_EVIDENCE,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.set_defaults(command=_evidence)
    add = parser.add_argument
    add("--experiments", type=Path, default=Path("configs/evidence"), metavar="FOLDER",
        help="of experiment files (default: %(default)s)")  # fmt: skip
    add("--output", type=Path, default=Path("results/evidence"), help="folder for the results (default: %(default)s)")
    add("--page", type=Path, default=Path("docs/evidence.md"), help="what is written (default: %(default)s)")
    add("--page-only", action="store_true", help="run nothing: the page from what is finished")
    add("--only", nargs="+", choices=tuple(COMPARABLE), metavar="STRATEGY", help="run trials of these alone")
    add("--data-dir", metavar="FOLDER", default=DATA_DIR, help="where the data are (default: %(default)s)")
    _add_engine(parser)


def _evidence(parsed: argparse.Namespace) -> int:
    _check_folder(parsed.output)
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
            home = str(_reach_labelbench(None))
        except FileNotFoundError as error:
            trials = [trial for trial in trials if not trial.needs_labelbench]
            notes.append(f"LabelBench's own direct was not run: {error}")
            print(f"labelbench-direct: {notes[-1]}", file=sys.stderr)
    make_folder(parsed.output)
    print(f"{len(trials)} trials of {len(usable)} experiments, results in {parsed.output}")
    settings = Settings(labelbench_home=home, data_folder=usable[0].data_dir, selections=False)
    _run(trials, parsed.output, _engine(parsed, parsed.output, settings), set(notes))
    return notes


def _add_features(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
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


def _engine(parsed: argparse.Namespace, folder: Path, settings: Settings) -> Engine:
    if parsed.engine == "ray":
        return RayEngine(folder, settings, parsed.address, parsed.gpus)
    return LocalEngine(folder, settings, parsed.workers)


def _run(trials: Sequence[Trial], folder: Path, engine: Engine, said: set[str]) -> None:
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


def _add_report(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    parser = commands.add_parser(
        "report",
        help="draw what results show: a page, pictures, numbers",
        description=_REPORT,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.set_defaults(command=_report)
    add = parser.add_argument
    add("results", type=Path, nargs="+", metavar="RESULTS")
    add("--output", type=Path, default=Path("report"), help="folder for the report (default: report)")
    add("--metric", default=BALANCED_TEST, help="what is compared (default: %(default)s)")
    add("--better", choices=get_args(Better), help="which way a metric of your own is; LabelBench's are known")
    add("--trial", help="the folder name, or its beginning, of the DIRECT trial whose selections are pictured")


def _report(parsed: argparse.Namespace) -> int:
    _check_folder(parsed.output)
    written = write_report(
        parsed.results, parsed.output, metric=parsed.metric, trial=parsed.trial, better=parsed.better
    )
    for note in written.notes:
        print(f"note: {note}")
    print(f"{written.sentence}\nThe page: {written.page}")
    return 0


def _add_labelbench(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    parser = commands.add_parser(
        "labelbench",
        help="run LabelBench's own programs with this package in them",
        description=_LABELBENCH,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.set_defaults(command=_labelbench)
    add = parser.add_argument
    add("--device", choices=("cpu", "cuda"), help="cpu: nothing calls CUDA, for smoke tests and laptops")
    add("--wandb", choices=("online", "offline", "disabled"), help="offline and disabled need no account")
    add("--log", type=Path, help="folder for the JSON lines (default: labelbench_runs)")
    add("arguments", nargs=argparse.REMAINDER, metavar="-- ...", help="what LabelBench's program gets")
    others = (
        ("install", _install, "put one file into a LabelBench checkout, so that its plain main.py finds this package"),
        ("uninstall", _uninstall, "take that file out again"),
        ("doctor", _doctor, "what works in this environment, what is bridged, what is missing and what mends it"),
    )
    for name, run_command, text in others:
        commands.add_parser(name, help=text, description=text[0].upper() + text[1:] + ".").set_defaults(
            command=run_command
        )
    for name in ("labelbench", *(name for name, _, _ in others)):
        commands.choices[name].add_argument(
            "--home", metavar="CHECKOUT", help=f"the LabelBench checkout (default: {checkout.HOME_VARIABLE})"
        )


def _labelbench(parsed: argparse.Namespace) -> int:
    arguments = parsed.arguments[1:] if parsed.arguments[:1] == ["--"] else parsed.arguments
    home = checkout.find_checkout(parsed.home)
    return launch(home, arguments, device=parsed.device, wandb=parsed.wandb, log=parsed.log)


def _install(parsed: argparse.Namespace) -> int:
    home = checkout.find_checkout(parsed.home)
    print(checkout.install(home))
    for mend in doctor.needed_by_plain_main(home):
        print(f"LabelBench's plain main.py also needs, here: {mend}")
    return 0


def _uninstall(parsed: argparse.Namespace) -> int:
    print(checkout.uninstall(checkout.find_checkout(parsed.home)))
    return 0


def _doctor(parsed: argparse.Namespace) -> int:
    missing = 0
    for finding in doctor.examine(checkout.find_checkout(parsed.home)):
        print(finding)
        missing += finding.status == doctor.MISSING
    return min(missing, 1)


if __name__ == "__main__":
    sys.exit(main())
