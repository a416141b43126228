"""Options as data: from a configuration's mapping or from text, checked, with errors that name the key."""

from __future__ import annotations

import json
import math
from collections.abc import Collection, Mapping
from dataclasses import fields
from typing import Any, TypeVar

Options = TypeVar("Options")


def parse_name(text: str) -> tuple[str, dict[str, Any]]:
    """A name and its options from ``name:key=value,key=value``; values are JSON, or strings where they are not."""
    name, _, rest = text.partition(":")
    options: dict[str, Any] = {}
    for option in filter(None, rest.split(",")):
        key, separator, value = option.partition("=")
        if not separator:
            raise ValueError(f"options are written name:key=value,key=value; got {text!r}")
        try:
            options[key] = json.loads(value)
        except json.JSONDecodeError:
            options[key] = value
    return name, options


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
