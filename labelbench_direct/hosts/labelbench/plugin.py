"""What makes LabelBench know this package: called by the file that ``install`` writes, and before a launched run."""

from __future__ import annotations

import importlib
import pkgutil
import sys
from pathlib import Path

from labelbench_direct.hosts.labelbench.bridges import apply_bridges
from labelbench_direct.hosts.labelbench.checkout import SCRIPTS, commit_warning
from labelbench_direct.hosts.labelbench.configurations import open_configuration
from labelbench_direct.hosts.labelbench.messages import say
from labelbench_direct.strategies import register

_prepared: list[bool] = []


def activate() -> None:
    """Register everything of this package in LabelBench, and prepare the LabelBench program that runs, if one does.

    Can be called again, and while LabelBench is still importing its strategies.
    """
    from labelbench_direct.hosts.labelbench import corrupters, datasets, models

    _import_siblings()
    register()
    models.register()
    datasets.register()
    corrupters.register()
    if Path(sys.argv[0]).name in SCRIPTS and not _prepared:
        _prepared.append(True)
        _prepare_program()


def _import_siblings() -> None:
    """Import all of LabelBench's strategies now, so that none of them is imported, and files itself, after ours.

    LabelBench imports them in the order of the directory, and this may be called from the midst of that.
    """
    package = importlib.import_module("LabelBench.strategy.strategy_impl")
    for module in pkgutil.iter_modules(package.__path__):
        importlib.import_module(f"{package.__name__}.{module.name}")


def _prepare_program() -> None:
    """Bridges, checks, the JSON lines, and this package's configurations, for the program that is starting."""
    from labelbench_direct.hosts.labelbench import checks, program, sink

    checkout = Path(importlib.import_module("LabelBench").__path__[0]).resolve().parent
    warning = commit_warning(checkout)
    if warning:
        say(f"warning: {warning}")
    apply_bridges(checkout)
    # The program's own calls of open() now find this package's configurations, too.
    sys.modules["__main__"].open = open_configuration  # type: ignore[attr-defined]
    try:
        run = program.read_run(sys.argv[1:])
        if run is None:
            return  # the program itself says which argument it misses
        for line in checks.check_run(run, checkout):
            say(f"warning: {line}")
        checks.watch(run)
        sink.attach(run, checkout)
    except (ValueError, OSError) as error:
        raise SystemExit(f"labelbench-direct: {error}") from error
