"""What LabelBench's programs were asked to do, read from their own arguments and configuration files."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from labelbench_direct.hosts.labelbench.configurations import read_configuration

_CONFIGURATIONS = {  # argument of main.py, and what point_evaluation.py trains with instead
    "model": ("classifier_model_config", "eval_classifier_model_config"),
    "embed_model": ("embed_model_config", None),
    "trainer": ("trainer_config", "eval_trainer_config"),
    "corrupter": ("corrupter_config", None),
    "strategy": ("strategy_config", None),
}
_SELECTION = ("wandb_project", "strategy_config", "embed_model_config", "classifier_model_config", "trainer_config")


@dataclass(frozen=True)
class Run:
    """One run of ``main.py``, or of ``point_evaluation.py``, which selects nothing."""

    dataset: str
    seed: int
    batch_size: int
    rounds: int
    names: dict[str, str] = field(default_factory=dict)
    """The configuration files by kind, as they were named."""
    configurations: dict[str, dict[str, Any]] = field(default_factory=dict)
    """What is in them."""
    data_dir: str = ""
    selected_by: dict[str, str] = field(default_factory=dict)
    """By what ``point_evaluation.py`` finds the run that selected its labels, by argument; empty for ``main.py``."""


def read_run(arguments: Sequence[str]) -> Run | None:
    """The run that ``arguments`` describe, or None where one that LabelBench needs is missing: it will say so itself.

    Raises FileNotFoundError or ValueError where a configuration cannot be read.
    """
    parser = argparse.ArgumentParser(add_help=False, allow_abbrev=True, exit_on_error=False)
    for name in ("seed", "batch_size", "num_batch", "eval_batch_size", "eval_num_batch"):
        parser.add_argument(f"--{name}", type=int)
    for name in ("dataset", "data_dir", "wandb_name", "wandb_project", "metric", "eval_metric", "strategy_config"):
        parser.add_argument(f"--{name}")
    for name in ("classifier_model_config", "trainer_config", "eval_classifier_model_config", "eval_trainer_config"):
        parser.add_argument(f"--{name}")
    parser.add_argument("--embed_model_config", default="none.json")
    parser.add_argument("--corrupter_config", default="noiseless.json")
    try:
        parsed = parser.parse_known_args(arguments)[0]
    except argparse.ArgumentError:
        return None
    evaluates = parsed.eval_batch_size is not None
    batch_size = parsed.eval_batch_size if evaluates else parsed.batch_size
    rounds = parsed.eval_num_batch if evaluates else parsed.num_batch
    names = {
        kind: "none.json" if evaluates and kind == "embed_model" else getattr(parsed, (evaluates and other) or own)
        for kind, (own, other) in _CONFIGURATIONS.items()
        if not (evaluates and kind == "strategy")
    }
    selected_by = {name: getattr(parsed, name) for name in _SELECTION} if evaluates else {}
    if None in (parsed.dataset, parsed.seed, batch_size, rounds, *names.values(), *selected_by.values()):
        return None
    configurations = {kind: read_configuration(kind, name) for kind, name in names.items()}
    data_dir = parsed.data_dir or ""
    return Run(parsed.dataset, parsed.seed, batch_size, rounds, names, configurations, data_dir, selected_by)
