"""A LabelBench checkout: finding it, telling whether it is the one known, and the one file that may be put into it."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

HOME_VARIABLE = "LABELBENCH_HOME"
KNOWN_COMMIT = "9e23393ba5dd48fc7c23293e441337a5e45a3edf"
"""The LabelBench that this package was written and tested against (November 2024)."""

LAUNCHERS = ("mp_launcher.py", "mp_eval_launcher.py")
SCRIPTS = ("main.py", "point_evaluation.py", *LAUNCHERS)
"""LabelBench's programs; the launchers start the other two as child processes."""

FETCHERS = ("results/fetch_wandb_training.py", "results/fetch_wandb_eval.py")
"""What brings logged runs into the form and place of LabelBench's published results, from which it plots."""

_CLONE = "git clone https://github.com/EfficientTraining/LabelBench"
_PLUGIN = Path("LabelBench/strategy/strategy_impl/labelbench_direct_plugin.py")
_PLUGIN_TEXT = '''"""Put here by `labelbench-direct install`; `labelbench-direct uninstall` takes it out."""
from labelbench_direct.hosts.labelbench.plugin import activate

activate()
'''


def find_checkout(home: str | None) -> Path:
    """The checkout that ``home`` or else the variable LABELBENCH_HOME names, as an absolute path.

    Raises FileNotFoundError where there is none, saying what is missing and how to get one.
    """
    name = home or os.environ.get(HOME_VARIABLE)
    if not name:
        raise FileNotFoundError(f"no LabelBench checkout: pass --home CHECKOUT or set {HOME_VARIABLE} ({_CLONE})")
    path = Path(name).expanduser().resolve()
    if not path.is_dir():
        raise FileNotFoundError(f"no LabelBench checkout at {name!r}: there is no such folder ({_CLONE})")
    for part in ("main.py", "LabelBench/skeleton/active_learning_skeleton.py", "configs/strategy"):
        if not (path / part).exists():
            raise FileNotFoundError(f"{name!r} is not a LabelBench checkout: it has no {part} ({_CLONE})")
    return path


def commit_of(checkout: Path) -> str | None:
    """The commit that is checked out, or None where git cannot tell."""
    return _git(checkout, "rev-parse", "HEAD")


def commit_warning(checkout: Path) -> str | None:
    """What to say of a checkout that is not the known one, or whose files were changed; None of the known one."""
    commit = commit_of(checkout)
    known = f"this package was tested with {KNOWN_COMMIT[:7]}"
    if commit is None:
        return f"cannot tell which LabelBench commit is in {checkout} (not a git checkout?); {known}"
    if commit != KNOWN_COMMIT:
        return f"the LabelBench checkout is at commit {commit}; {known}"
    changed = _git(checkout, "status", "--porcelain", "--untracked-files=no")
    if changed:
        files = ", ".join(line.strip().split(maxsplit=1)[1] for line in changed.splitlines())
        return f"the LabelBench checkout at commit {commit[:7]} has changed files: {files}"
    return None


def _git(checkout: Path, *arguments: str) -> str | None:
    if not (checkout / ".git").exists():
        return None  # a copy; git would answer for the repository around it
    command = ("git", "-C", str(checkout), *arguments)
    try:
        return subprocess.run(command, capture_output=True, text=True, check=True).stdout.rstrip()  # noqa: S603  # git
    except (OSError, subprocess.CalledProcessError):
        return None


def install(checkout: Path) -> str:
    """Put the plugin's file among LabelBench's strategies, so that its plain ``main.py`` finds this package.

    Returns what was done. Raises FileExistsError when a file of that name is somebody else's.
    """
    plugin = checkout / _PLUGIN
    if plugin.exists():
        _refuse_if_foreign(plugin)
        return f"already there: {plugin}"
    plugin.write_text(_PLUGIN_TEXT, encoding="utf-8")
    return f"wrote {plugin}"


def uninstall(checkout: Path) -> str:
    """Take the plugin's file out again. Returns what was done; raises FileExistsError when it is somebody else's."""
    plugin = checkout / _PLUGIN
    if not plugin.exists():
        return f"nothing to take out: there is no {plugin}"
    _refuse_if_foreign(plugin)
    plugin.unlink()
    return f"removed {plugin}"


def is_installed(checkout: Path) -> bool:
    """Whether the plugin's file is in the checkout."""
    return (checkout / _PLUGIN).exists()


def _refuse_if_foreign(plugin: Path) -> None:
    if plugin.read_text(encoding="utf-8") != _PLUGIN_TEXT:
        raise FileExistsError(f"{plugin} was not written by this package, or was edited: left as it is; move it away")
