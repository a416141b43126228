"""Trials that were trained otherwise are never in one table: LabelBench's results are known by names alone, and its
models and trainers of one name may have other options, or this package may have some of the same name.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from labelbench_direct.report.results import Setting, TrialResult

_KINDS = ("model", "embed_model", "trainer")
_NAMES = {"name", *(f"{kind}_name" for kind in _KINDS)}


def options(header: dict[str, Any]) -> dict[str, Any]:
    """What the configurations of a trial on LabelBench say beside names."""
    found: dict[str, Any] = {}
    for kind in _KINDS:
        found |= {f"{kind}.{key}": value for key, value in header.get(kind, {}).items() if key not in _NAMES}
    return found


def with_training(trials: Sequence[TrialResult]) -> list[TrialResult]:
    """The trials, in settings of their own, with what differs behind the trainer's name, where trials of one setting
    had other options or another host. LabelBench's published results say neither, and stay where they are.
    """
    by_setting: dict[Setting, list[TrialResult]] = {}
    for trial in trials:
        if not trial.published:
            by_setting.setdefault(trial.setting, []).append(trial)
    told = []
    for trial in trials:
        others = [] if trial.published else by_setting[trial.setting]
        peers = [other.options for other in others if other.host == trial.host]
        said = [f"host={trial.host}"] if len({other.host for other in others}) > 1 else []
        for key, value in trial.options.items():
            if any(key not in peer or peer[key] != value for peer in peers):
                said.append(f"{key}={value}")
        trainer = " ".join([trial.setting.trainer, *said])
        told.append(replace(trial, setting=replace(trial.setting, trainer=trainer)))
    return told
