"""``labelbench-direct labelbench``, ``install``, ``uninstall`` and ``doctor``."""

from __future__ import annotations

import argparse
from pathlib import Path

from labelbench_direct.commands.running import Commands, add_command
from labelbench_direct.hosts.labelbench import checkout, doctor
from labelbench_direct.hosts.labelbench.launch import launch

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


def add_labelbench(commands: Commands) -> None:
    """Add the commands to those of ``labelbench-direct``."""
    parser = add_command(
        commands, "labelbench", _labelbench, "run LabelBench's own programs with this package in them", _LABELBENCH
    )
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
