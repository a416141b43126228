"""Runs one of LabelBench's programs, unmodified, in this process: ``python -m labelbench_direct.hosts.labelbench.run``.

The working directory is the checkout, and of what is in ``results/`` that folder, as LabelBench has it. The launchers'
child processes are started the same way.
"""

from __future__ import annotations

import importlib
import os
import runpy
import subprocess
import sys
from pathlib import Path
from typing import Any

from labelbench_direct.hosts.labelbench.bridges import BRIDGES, apply_bridges
from labelbench_direct.hosts.labelbench.checkout import FETCHERS, LAUNCHERS, SCRIPTS
from labelbench_direct.hosts.parents import end_with_parent

PARENT_VARIABLE = "LABELBENCH_DIRECT_PARENT"
"""The id of the process that started this one and with which it ends; a program started otherwise lives on its own."""

REGISTRIES = (
    "LabelBench.dataset.datasets",
    "LabelBench.model.model",
    "LabelBench.corrupter.corrupter",
    "LabelBench.strategy.strategies",
)


def main(arguments: list[str]) -> None:
    """Run ``arguments``: the program's file name, then its own arguments."""
    sys.argv = list(arguments)
    if os.environ.get(PARENT_VARIABLE) == str(os.getppid()):
        end_with_parent(os.getppid())
    program = arguments[0]
    if program in LAUNCHERS:
        _run_launcher(program)
        return
    if program in FETCHERS:
        _run_fetcher(Path(program))
        return
    apply_bridges(Path.cwd())
    for registry in REGISTRIES:  # LabelBench's own come first, so that nothing of theirs is filed over ours
        importlib.import_module(registry)
    from labelbench_direct.hosts.labelbench import configurations, plugin

    plugin.activate()
    runpy.run_path(program, init_globals={"open": configurations.open_configuration}, run_name="__main__")


def _run_fetcher(program: Path) -> None:
    """Run what reads logged runs and trains nothing."""
    apply_bridges(Path.cwd(), [bridge for bridge in BRIDGES if bridge.name == "wandb"])
    os.chdir(program.parent)
    runpy.run_path(program.name, run_name="__main__")


def child_command(command: list[str]) -> list[str]:
    """What to start instead of a launcher's ``python3 main.py ...``: the same, by this interpreter and registered."""
    if len(command) > 1 and command[0] == "python3" and command[1] in SCRIPTS:
        return [sys.executable, "-m", "labelbench_direct.hosts.labelbench.run", *command[1:]]
    return command


def _run_launcher(program: str) -> None:
    """Run a launcher whose children are registered; unlike by itself it fails when one of them has failed."""
    children: list[subprocess.Popen[Any]] = []
    os.environ[PARENT_VARIABLE] = str(os.getpid())

    class Child(subprocess.Popen[Any]):
        def __init__(self, command: list[str], **options: Any) -> None:
            super().__init__(child_command(command), **options)
            children.append(self)

    subprocess.Popen = Child  # type: ignore[assignment,misc]
    runpy.run_path(program, run_name="__main__")
    failed = sum(child.returncode != 0 for child in children)
    if failed:
        raise SystemExit(f"labelbench-direct: {failed} of {len(children)} runs failed; each said why above")


if __name__ == "__main__":
    main(sys.argv[1:])
