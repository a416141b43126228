"""Trials on other data are never in one table: what ``pool.json`` says of a trial's data, heeded."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from labelbench_direct.experiment.pools import DataNote, describe, names, tell_apart
from labelbench_direct.report.results import TrialResult

_DIGITS = 8  # of a checksum, in names


def with_data(trials: Sequence[TrialResult], notes: list[str]) -> list[TrialResult]:
    """The trials, in settings of their own where trials of one data set's name ran on different data; and in ``notes``
    what differs, and what else is noted of the data.
    """
    by_name: dict[tuple[str, str], list[int]] = {}
    for place, trial in enumerate(trials):
        if trial.pool is not None:
            by_name.setdefault((trial.setting.dataset, trial.host), []).append(place)
    parted = list(trials)
    for (dataset, _), places in by_name.items():
        pools = [pool for place in places if (pool := trials[place].pool) is not None]
        keys = tell_apart(pools)
        if len(set(keys)) > 1:
            notes.append(_different([trials[place] for place in places], pools, keys))
            for place, key in zip(places, keys, strict=True):
                setting = replace(trials[place].setting, data=key[:_DIGITS])
                parted[place] = replace(trials[place], setting=setting)
        _tell(dataset, pools, notes)
    return parted


def _different(trials: Sequence[TrialResult], pools: Sequence[DataNote], keys: Sequence[str]) -> str:
    parts = []
    for key in dict.fromkeys(keys):
        own = [place for place, other in enumerate(keys) if other == key]
        folders = names([trials[place].path.name for place in own])
        parts.append(f"data {key[:_DIGITS]}, {describe(pools[own[0]])}, of {folders}")
    return (
        f"the trials on {trials[0].setting.dataset} ran on different data, which are shown apart: {'; '.join(parts)}. "
        "Where that is not meant, move the folders of those on the wrong data away, and run them again"
    )


def _tell(dataset: str, pools: Sequence[DataNote], notes: list[str]) -> None:
    if without := sum("checksum" not in pool for pool in pools):
        notes.append(
            f"{dataset}: of {without} trials an earlier version kept no checksum of the data: they are told from "
            "others by the number of examples, the classes and their counts alone"
        )
    notes += dict.fromkeys(f"{dataset}: {note}" for pool in pools for note in pool.get("notes", ()))
