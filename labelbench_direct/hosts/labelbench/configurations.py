"""Configuration files: LabelBench's own first, then this package's, under the same bare names."""

from __future__ import annotations

import json
import site
import sys
import sysconfig
from pathlib import Path
from typing import IO, Any

KINDS = ("strategy", "model", "embed_model", "trainer", "corrupter")
"""The folders of ``configs/``, LabelBench's and ours."""


def own_folder() -> Path:
    """Where this package's ``configs/`` is: beside the package in a clone; else where pip puts data, which differs
    between environments, ``--user``, ``--target`` and Debian.
    """
    packages = Path(__file__).resolve().parents[3]
    if (packages / "configs" / "strategy" / "direct.json").is_file():
        return packages / "configs"
    prefixes = (sys.prefix, sysconfig.get_path("data"), site.getuserbase(), str(packages))
    places = [Path(prefix) / "share" / "labelbench-direct" / "configs" for prefix in prefixes]
    return next((place for place in places if place.is_dir()), places[0])


def find_configuration(kind: str, name: str, checkout: Path = Path()) -> Path:
    """The file that ``name`` stands for: an absolute one, LabelBench's, or ours. ``checkout``: by default the working
    directory, as in LabelBench's programs.

    Raises FileNotFoundError naming both places and, of the folder that ``name`` points into, what there is.
    """
    places = [checkout / "configs" / kind / name, own_folder() / kind / name]
    for place in places:
        if place.is_file():
            return place
    there = sorted({path.name for place in places if place.parent.is_dir() for path in place.parent.glob("*.json")})
    raise FileNotFoundError(
        f"no {kind} configuration {name!r}, neither in LabelBench's {places[0].parent} nor in this package's "
        f"{places[1].parent}; there are {', '.join(there) or 'none'}"
    )


def read_configuration(kind: str, name: str, checkout: Path = Path()) -> dict[str, Any]:
    """The configuration that ``name`` stands for, as ``find_configuration`` finds it.

    Raises ValueError where the file is not a JSON object.
    """
    path = find_configuration(kind, name, checkout)
    try:
        configuration = json.loads(path.read_text(encoding="utf-8"))
    except json.JSONDecodeError as error:
        raise ValueError(f"{kind} configuration {path} is not JSON: {error}") from error
    if not isinstance(configuration, dict):
        raise ValueError(f"{kind} configuration {path} must be a JSON object, got {type(configuration).__name__}")
    return configuration


def open_configuration(file: Any, *arguments: Any, **options: Any) -> IO[Any]:
    """``open``, except that a missing ``./configs/KIND/NAME`` is looked up in this package's ``configs/``.

    LabelBench's programs get it under the name ``open``: the arguments that they log stay as they were given, and with
    them the names of result files.
    """
    path = Path(file) if isinstance(file, str) else None
    if path is not None and path.parts[:1] == ("configs",) and len(path.parts) > 2 and not path.exists():
        file = find_configuration(path.parts[1], str(Path(*path.parts[2:])))
    opened: IO[Any] = open(file, *arguments, **options)  # noqa: PTH123, SIM115  # the caller closes it
    return opened
