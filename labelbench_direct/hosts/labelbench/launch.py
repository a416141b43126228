"""The first way in: LabelBench's own programs, started with this package registered."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from labelbench_direct.hosts.labelbench.bridges import DEVICE_VARIABLE
from labelbench_direct.hosts.labelbench.checkout import FETCHERS, SCRIPTS
from labelbench_direct.hosts.labelbench.run import PARENT_VARIABLE
from labelbench_direct.hosts.labelbench.sink import LOG_VARIABLE, log_folder


def launch(
    checkout: Path,
    arguments: Sequence[str],
    *,
    device: str | None = None,
    wandb: str | None = None,
    log: Path | None = None,
) -> int:
    """Run one of LabelBench's programs in a child process whose working directory is the checkout; its exit status.

    ``arguments``: the program's own, after its file name, ``main.py`` where none is given. ``device``, ``wandb`` and
    ``log`` reach the program, and what it starts, as environment variables. Relative names in ``arguments`` mean what
    they mean to LabelBench: ``--data_dir ./data`` is inside the checkout.
    """
    started_by = {PARENT_VARIABLE: str(os.getpid())}
    return subprocess.run(  # noqa: S603  # LabelBench's own programs, as asked for
        command(arguments),
        cwd=checkout,
        env=environment(checkout, device=device, wandb=wandb, log=log) | started_by,
        check=False,
    ).returncode


def command(arguments: Sequence[str]) -> list[str]:
    """What starts one of LabelBench's programs with this package registered, in the checkout as working directory.

    Raises ValueError for a program that LabelBench doesn't have.
    """
    program, own = "main.py", list(arguments)
    programs = (*SCRIPTS, *FETCHERS)
    if own and own[0] in programs:
        program, *own = own
    elif own and not own[0].startswith("-"):
        raise ValueError(f"{own[0]!r} is not one of LabelBench's programs; there are {', '.join(programs)}")
    return [sys.executable, "-m", "labelbench_direct.hosts.labelbench.run", program, *own]


def environment(
    checkout: Path, *, device: str | None = None, wandb: str | None = None, log: Path | None = None
) -> dict[str, str]:
    """The environment of this process with the checkout importable and the flags as variables."""
    inherited = filter(None, os.environ.get("PYTHONPATH", "").split(os.pathsep))
    added = {  # whatever is relative to this process's working directory is not so to the child's
        "PYTHONPATH": os.pathsep.join([str(checkout), *(str(Path(name).absolute()) for name in inherited)]),
        LOG_VARIABLE: str(log.resolve() if log else log_folder()),
    }
    if device:
        added[DEVICE_VARIABLE] = device
    if wandb:
        added["WANDB_MODE"] = wandb
    return {**os.environ, **added}
