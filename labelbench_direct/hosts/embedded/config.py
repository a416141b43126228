"""Options as data: from a configuration's mapping or from text, checked, with errors that name the key."""

from __future__ import annotations

import json
import math
import os
import re
from collections.abc import Collection, Mapping
from dataclasses import fields
from pathlib import Path
from typing import Any, TypeVar

Options = TypeVar("Options")


_OPTION = re.compile(r'([^=,]*)(?:(=)(?:"((?:[^"]|"")*)"(?=,|$)|([^,]*)))?(?:,|$)')
"""A key, and after a ``=`` a value: in double quotes, which are doubled inside, or as it is up to the next comma."""


def parse_name(text: str, texts: Collection[str] = (), what: str = "options") -> tuple[str, dict[str, Any]]:
    """A name and its options from ``name:key=value,key=value``; values are JSON, or strings where they are not.

    A value in double quotes is a string, and may have commas: ``folder:path="birds, small"`` (a double quote inside is
    doubled). ``texts``: keys whose values are strings even where they look like numbers. Raises ValueError for options
    in another form, a quote that is not closed, and a key that is there twice.
    """
    name, _, rest = text.partition(":")
    options: dict[str, Any] = {}
    for match in _OPTION.finditer(rest):
        key, separator, quoted, plain = match.groups()
        if not match[0].strip(","):
            continue
        if not separator:
            raise ValueError(
                f'{what} are written name:key=value,key=value, and a value with commas key="a,b"; got {text!r}'
            )
        if key in options:
            raise ValueError(f"{what} are stated once each; {key!r} is there twice in {text!r}")
        if quoted is None and plain.startswith('"'):
            raise ValueError(
                f"the quotes of {key!r} do not end where its value does in {text!r}: put the whole value in double "
                'quotes, and write a double quote inside as ""'
            )
        options[key] = quoted.replace('""', '"') if quoted is not None else plain if key in texts else _value(plain)
    return name, options


def _value(text: str) -> Any:
    try:
        return json.loads(re.sub(r"^(-?)\.(?=\d)", r"\g<1>0.", text))
    except (ValueError, RecursionError):  # a number of thousands of digits is a ValueError
        return text


def at_home(path: str | Path) -> Path:
    """The path with the user's own folder for ``~``, where no shell has put it: after a colon, a ``=``, in a file."""
    return Path(os.path.expanduser(path))  # noqa: PTH111  # pathlib's raises where there is no such user


def check_keys(config: Mapping[str, Any], known: Collection[str], what: str) -> None:
    """No key but ``name`` and the known ones."""
    for key in config:
        if key not in {"name", *known}:
            raise ValueError(
                f"unknown key {key!r} in the configuration of {what}; known are {', '.join(sorted(known)) or 'none'}"
            )


def field_names(*options: type) -> set[str]:
    """The names of the fields of dataclasses."""
    return {field.name for one in options for field in fields(one)}


def build(options: type[Options], config: Mapping[str, Any]) -> Options:
    """An instance of the dataclass ``options`` from those keys of ``config`` that it has."""
    return options(**{key: value for key, value in config.items() if key in field_names(options)})


def check_number(value: Any, name: str, least: float, most: float = math.inf) -> None:
    """A finite number in ``least`` .. ``most``."""
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        raise TypeError(f"{name} must be a number, got {value!r}")
    if not (math.isfinite(value) and least <= value <= most):
        limits = f"at least {least:g}" if most == math.inf else f"between {least:g} and {most:g}"
        raise ValueError(f"{name} must be {limits}, got {value}")


def check_flag(value: Any, name: str) -> None:
    """True or false."""
    if not isinstance(value, bool):
        raise TypeError(f"{name} must be true or false, got {value!r}")
