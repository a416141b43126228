"""The command ``labelbench-direct``; the only module that prints."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from tqdm import tqdm

from labelbench_direct import __version__
from labelbench_direct.experiment import Comparison, run
from labelbench_direct.hosts.labelbench import checkout, doctor
from labelbench_direct.hosts.labelbench.launch import launch
from labelbench_direct.report import conclusion, draw, read_curves, saved_table
from labelbench_direct.strategies import STRATEGIES

_COMPARE = """\
Compare strategies on real images with rare classes and noisy labels: the same pool, the same wrong labels and the same
first batch for each of them, a model trained from scratch after every batch, several seeds.
 Writes to the output folder one JSON-lines file per trial, curves.png and saved.md. Trials that are already there are
not run again, so an interrupted comparison goes on where it stopped.

examples:
  labelbench-direct compare
  labelbench-direct compare --dataset digits_lt --noise 0.2 --seeds 8
  labelbench-direct compare --strategies direct:B1=1 direct:B1=20 random
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
    """Run the command; its exit status is 2 for arguments that cannot be used."""
    parsed = _parser().parse_args(arguments)
    try:
        return int(parsed.command(parsed))
    except (ValueError, TypeError, OSError) as error:
        print(f"labelbench-direct: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print("labelbench-direct: interrupted; the trials that are finished stay", file=sys.stderr)
        return 130


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="labelbench-direct", description="DIRECT: active learning for pools with rare classes and noisy labels."
    )
    parser.add_argument("--version", action="version", version=__version__)
    commands = parser.add_subparsers(required=True, metavar="command")
    _add_compare(commands)
    _add_labelbench(commands)
    return parser


def _add_compare(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    default = Comparison
    parser = commands.add_parser(
        "compare",
        help="compare strategies on real images, on this machine, in minutes",
        description=_COMPARE,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.set_defaults(command=_compare)
    add = parser.add_argument
    add(
        "--dataset",
        default=default.dataset,
        help="digits or mnist5k, with or without _imb_K (K - 1 rare classes) or _lt",
    )
    add(
        "--strategies",
        nargs="+",
        default=default.strategies,
        metavar="NAME[:KEY=VALUE,...]",
        help="the first is compared with the others; all, or some of "
        f"{', '.join(STRATEGIES)} (default: {' '.join(default.strategies)})",
    )
    add("--seeds", type=int, default=len(default.seeds), help="how many, from 0")
    add("--noise", type=float, default=default.noise, help="share of the pool's labels that are wrong")
    add("--batch-size", type=int, default=default.batch_size, help="labels per round, the paper's B_train")
    add("--rounds", type=int, default=default.rounds, help="rounds, the first one random")
    add("--parallel", type=int, default=default.parallel, help="labels asked for at once, the paper's B_parallel")
    add("--model", default=default.model, choices=("mlp", "linear"), help="what is trained")
    add("--output", type=Path, help="folder for the results (default: results/DATASET-noise-NOISE)")
    add("--workers", type=int, help="trials run at once (default: as many as there are cores)")


def _compare(parsed: argparse.Namespace) -> int:
    comparison = Comparison(
        dataset=parsed.dataset,
        strategies=tuple(STRATEGIES) if parsed.strategies == ["all"] else tuple(parsed.strategies),
        seeds=tuple(range(parsed.seeds)),
        noise=parsed.noise,
        batch_size=parsed.batch_size,
        rounds=parsed.rounds,
        parallel=parsed.parallel,
        model=parsed.model,
    )
    title = f"{comparison.dataset}, {comparison.noise:.0%} label noise"
    folder = parsed.output or Path("results") / f"{comparison.dataset}-noise-{comparison.noise:g}"
    folder.mkdir(parents=True, exist_ok=True)
    print(f"{title}: {len(comparison.strategies)} strategies, {parsed.seeds} seeds, results in {folder}")
    paths = {(strategy, seed): Path() for strategy, seed in comparison.trials()}
    finished = run(comparison, folder, parsed.workers)
    for strategy, seed, path in tqdm(finished, total=len(paths), unit="trial", desc="trials"):
        paths[strategy, seed] = path
    curves = {name: read_curves([paths[name, seed] for seed in comparison.seeds]) for name in comparison.strategies}
    draw(curves, title, folder / "curves.png")
    table = f"{saved_table(curves)}\n\n{conclusion(curves)}\n"
    (folder / "saved.md").write_text(f"# {title}\n\n{table}", encoding="utf-8")
    print(f"\n{table}\nThe picture: {folder / 'curves.png'}")
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
