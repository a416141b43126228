"""The command ``labelbench-direct``; the only module that prints."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from tqdm import tqdm

from labelbench_direct import __version__
from labelbench_direct.experiment import Comparison, run
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
    add("--strategies", nargs="+", default=default.strategies, metavar="NAME[:KEY=VALUE,...]",
        help=f"the first is compared with the others; of {', '.join(STRATEGIES)}; all: every one (default: the first six)")  # fmt: skip
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


if __name__ == "__main__":
    sys.exit(main())
