"""The project's own evidence: experiment files of a folder as one sweep, what matters most first."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from labelbench_direct.experiment.schema import Experiment, Trial, read_experiment

FIRST = ("direct", "direct_explore", "random", "margin", "galaxy")
SECOND = (*FIRST, "confidence", "entropy", "badge")
"""The strategies whose trials come first, and those that come after them; DIRECT first at its usual B_parallel."""
_USUAL = {"strategy_name": "direct", "B1": 5}
_TURNS = {"first": (0.0, 0.2), "second": (1.2, 0.6), "slow": (2.4, 0.3), "last": (3.5, 0.6)}
"""When the trials of a kind begin to have their turns, and how much later each seed has its own: a page of few seeds in
all settings is worth more than one of all seeds in few.
"""
_OF_A_SETTING = ("dataset", "model", "trainer", "batch_size", "rounds")
_SEEDS = 5  # that have their turn together, so that a data set is read less often


def read_settings(folder: Path, data_dir: str | None) -> dict[str, Experiment]:
    """The experiments of a folder's JSON files, by file name, in its order. Those of one title are one setting, in
    which some strategies run with fewer seeds.

    Raises FileNotFoundError where there is none, ValueError for one of another host and where one title stands for two
    settings, and what ``read_experiment`` raises.
    """
    files = sorted(folder.glob("*.json"))
    if not files:
        raise FileNotFoundError(f"there are no experiment files in {folder}: expected .json files")
    experiments, titles = {}, dict[str, Path]()
    for file in files:
        experiments[file.stem] = experiment = replace(read_experiment(file), data_dir=data_dir)
        if experiment.host != "embedded":
            raise ValueError(
                f"{file}: the evidence is of the host embedded, this is of {experiment.host}: move it elsewhere, and "
                "take labelbench-direct compare --experiment"
            )
        other = titles.setdefault(experiment.title or file.stem, file)
        for key in _OF_A_SETTING:
            if getattr(experiment, key) != getattr(experiments[other.stem], key):
                raise ValueError(f"{other} and {file} have the same title, and another {key}: give each its own title")
    return experiments


def ordered_trials(experiments: Sequence[Experiment]) -> list[Trial]:
    """All trials of all experiments, each once: in blocks of seeds, those that matter less some blocks later."""
    keyed: dict[str, tuple[tuple[float, int], Trial]] = {}
    for number, experiment in enumerate(experiments):
        for trial in experiment.trials():
            keyed.setdefault(trial.identifier, ((_turn(trial), number), trial))
    return [trial for _, trial in sorted(keyed.values(), key=lambda pair: pair[0])]


def _turn(trial: Trial) -> float:
    first, each = _TURNS[_kind(trial)]
    together = 1 if _kind(trial) == "slow" else _SEEDS
    return first + each * (trial.seed // together * together)


def _kind(trial: Trial) -> str:
    """Images, and MLPs on large pools, take many times as long as a linear head on features."""
    name = trial.strategy["strategy_name"]
    is_variant = name == "direct" and trial.strategy != _USUAL
    if name not in SECOND or len(trial.strategy) > len(_USUAL):
        return "last"
    if not trial.dataset.startswith("mnist5k" if trial.model["name"] == "mlp" else "features"):
        return "slow" if name in FIRST and not is_variant else "last"
    return "first" if name in FIRST and not is_variant else "second"
