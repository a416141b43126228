"""Results as they lie on disk: trials of our own, lines written beside LabelBench's, LabelBench's published pickles."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from labelbench_direct.experiment.noise import GIVEN, check_noise, matrix_name
from labelbench_direct.experiment.pools import POOL, ROUNDS, check_pool, read_pool
from labelbench_direct.experiment.storage import read_lines
from labelbench_direct.experiment.trial import HEADER, TIMES
from labelbench_direct.report.data import with_data
from labelbench_direct.report.files import PART, files_under, is_labelbench_run, is_trial
from labelbench_direct.report.pickles import describe_path, read_pickle
from labelbench_direct.report.results import NUM_LABELED, Series, Setting, TrialResult
from labelbench_direct.report.training import options, with_training


def read_results(paths: Sequence[Path]) -> tuple[list[TrialResult], list[str]]:
    """All trials at or under some paths, and notes on what was left out: what is damaged, what has no round yet.

    Raises ValueError where a path holds no results; FileNotFoundError where there is no such path.
    """
    trials: list[TrialResult] = []
    notes: list[str] = []
    for path in paths:
        if not path.exists():
            raise FileNotFoundError(f"there are no results at {path}: no such file or folder")
        before = len(notes)
        found = list(_trials_under(path, notes))
        if not found and len(notes) == before:
            raise ValueError(
                f"there are no results in {path}: expected trials as `labelbench-direct compare` writes them, JSON "
                "lines of LabelBench runs, or LabelBench's published folders <dataset>/bs_<B>/.../<strategy>_<seed>.pkl"
            )
        trials += found
    if not trials:
        more = f"; and {len(notes) - 5} more" if len(notes) > 5 else ""
        raise ValueError(f"there is nothing to report on yet: {'; '.join(notes[:5])}{more}")
    return _without_duplicates(with_training(with_data(trials, notes)), notes), notes


def _trials_under(path: Path, notes: list[str]) -> Iterable[TrialResult]:
    for file in files_under(path):
        try:
            trial = _read(file)
        except (ValueError, OSError) as error:
            notes.append(f"{error}: left out")
            continue
        if trial is not None:
            yield trial


def _read(file: Path) -> TrialResult | None:
    """The trial that a file tells of, None for any other file. Raises ValueError where there is one to leave out."""
    if file.name == HEADER:
        return read_trial(file.parent) if is_trial(file) else None
    if file.suffix == ".pkl":
        about = describe_path(file.resolve())
        return _read_published(file, about) if about else None
    if is_labelbench_run(file):
        return _read_labelbench_lines(file)
    return None


def read_trial(folder: Path) -> TrialResult:
    """The trial of a folder.

    Raises OSError, or ValueError where it has no finished round yet or cannot be read.
    """
    lines = read_lines(folder / ROUNDS)
    if not lines:
        raise ValueError(f"{folder.name} has no finished round yet")
    pool = read_pool(folder)
    if pool is None:
        raise ValueError(f"{folder} has results but no {POOL}")
    try:
        header = json.loads((folder / HEADER).read_text(encoding="utf-8"))
        by_names = header["host"] == "labelbench"
        noise, confusion = _noise(header["noise"], pool)
        setting = Setting(
            dataset=str(header["dataset"]),
            noise=noise,
            confusion=confusion,
            batch_size=int(header["batch_size"]),
            model=_name(header["model"]) if by_names else _text(header["model"]),
            trainer=_name(header["trainer"]) if by_names else _text(header["trainer"]),
        )
        seconds = {line["round"]: line["select"] for line in read_lines(folder / TIMES)}
        for line in lines:
            _check_selection(line["selection"], len(pool["classes"]))
        return TrialResult(
            setting=setting,
            strategy=_strategy(header),
            seed=int(header["seed"]),
            metrics=_metrics(_in_order(lines)),
            select_seconds=np.array([seconds.get(line["round"], np.nan) for line in lines], dtype=np.float64),
            path=folder,
            rounds=None if lines[-1]["last"] else int(header["rounds"]),
            class_accuracies=np.array([line["class_accuracies"] for line in lines], dtype=np.float64),
            class_counts=np.array(pool["class_counts"], dtype=np.float64),
            pool=pool,
            host=str(header["host"]),
            options=options(header) if by_names else {},
            versions=_versions(header),
        )
    except _UNREADABLE as error:
        raise ValueError(f"{folder} is not a trial that this version can read: {error!r}") from error


_UNREADABLE = (KeyError, TypeError, AttributeError, ValueError, IndexError, ArithmeticError, StopIteration)


def _strategy(header: dict[str, Any]) -> dict[str, Any]:
    """The strategy's configuration, which has its name."""
    strategy: dict[str, Any] = header["strategy"]
    if not isinstance(strategy["strategy_name"], str):
        raise ValueError(f"a strategy's name is a string, got {strategy['strategy_name']!r}")
    return strategy


def _versions(header: dict[str, Any]) -> dict[str, str]:
    return {name: str(version) for name, version in dict(header.get("versions", {})).items()}


def _noise(stated: Any, pool: dict[str, Any]) -> tuple[float, str]:
    """The share of wrong labels, of a confusion matrix or of annotators the expected one, and the matrix's name."""
    if stated == GIVEN:
        return round(float(pool["expected_wrong"]), 6), GIVEN
    check_noise(stated)
    if isinstance(stated, (int, float)):
        return stated, ""
    shares = np.array(stated)
    right = np.diagonal(shares) / shares.sum(axis=1)
    return round(1 - float(np.average(right, weights=pool["class_counts"])), 6), matrix_name(stated)


def _check_selection(stated: Any, num_classes: int) -> None:
    if stated is not None and not {int(k) for k in stated["classes"]} <= set(range(num_classes)):
        raise ValueError(f"a selection of other classes than the {num_classes} of the data")


def read_selections(folder: Path) -> dict[int, dict[str, Any]]:
    """What DIRECT found in the rounds of a trial, by round; empty for other strategies."""
    return {line["round"]: line["selection"] for line in read_lines(folder / ROUNDS) if line["selection"]}


def _read_published(file: Path, about: dict[str, Any]) -> TrialResult:
    metrics, _ = read_pickle(file)
    logged = [i for i, value in enumerate(metrics.get(NUM_LABELED, [])) if value is not None]
    if len({len(values) for values in metrics.values()}) != 1 or not logged:
        raise ValueError(f"{file} is not one of LabelBench's results: no {NUM_LABELED!r}, or metrics of unequal length")
    numeric = [name for name, values in metrics.items() if any(isinstance(values[i], (int, float)) for i in logged)]
    rows = [{name: metrics[name][i] for name in numeric} for i in logged]
    setting = Setting(
        about["dataset"], about["batch_size"], _canonical(about["model"]), _canonical(about["trainer"]), about["noise"]
    )
    strategy = {"strategy_name": about["strategy"]}
    seconds = np.full(len(rows), np.nan)
    return TrialResult(setting, strategy, about["seed"], _metrics(rows), seconds, file, published=True)


def _read_labelbench_lines(file: Path) -> TrialResult | None:
    """Lines that this package wrote beside a run of LabelBench's own programs; None for evaluations of proxies, which
    select nothing.
    """
    if file.suffix == PART:
        raise ValueError(f"{file} is a LabelBench run that is not finished: it is still running, or stopped half-way")
    header, *lines = read_lines(file) or [{}]
    if "selected_by" in header:
        return None
    if not lines:
        raise ValueError(f"{file} has no finished round yet")
    try:
        model, embedding = _name(header["model"]), _name(header.get("embed_model", {"name": "none"}))
        noise, _ = _noise(header["corrupter"].get("p", 0), {})
        setting = Setting(
            dataset=str(header["dataset"]),
            noise=float(noise),
            batch_size=int(header["batch_size"]),
            model=model if embedding == "none" else f"{model} on {embedding}",
            trainer=_name(header["trainer"]),
        )
        seconds = np.full(len(lines), np.nan)
        stated = lines[0].get("data")  # earlier versions didn't
        return TrialResult(
            setting,
            _strategy(header),
            int(header["seed"]),
            _metrics(_in_order(lines)),
            seconds,
            file,
            pool=None if stated is None else check_pool(stated),
            host=str(header["host"]),
            options=options(header),
            versions=_versions(header),
        )
    except _UNREADABLE as error:
        raise ValueError(f"{file} is not a run that this version can read: {error!r}") from error


def _in_order(lines: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Each round's metrics. Raises ValueError where a round is missing, or there twice."""
    numbers = [line["round"] for line in lines]
    if numbers != list(range(1, len(lines) + 1)):
        raise ValueError(f"expected the rounds 1 to {len(lines)}, each once, got {numbers}")
    return [line["metrics"] for line in lines]


def _metrics(rows: list[dict[str, Any]]) -> dict[str, Series]:
    """Rounds of metrics by name; what is not a number becomes NaN."""

    def number(value: Any) -> float:
        return float(value) if isinstance(value, (int, float)) else np.nan

    metrics = {name: np.array([number(row.get(name)) for row in rows]) for name in rows[0]}
    if NUM_LABELED not in metrics or not np.isfinite(metrics[NUM_LABELED]).all():
        raise ValueError(f"a round without {NUM_LABELED!r}")
    if not (np.diff(metrics[NUM_LABELED], prepend=0) > 0).all():
        raise ValueError(f"expected {NUM_LABELED!r} to rise from round to round")
    return metrics


def _without_duplicates(trials: list[TrialResult], notes: list[str]) -> list[TrialResult]:
    """One trial for each setting, strategy and seed: the longest."""
    kept: dict[tuple[Any, ...], TrialResult] = {}
    for trial in trials:
        key = (trial.setting, json.dumps(trial.strategy, sort_keys=True), trial.seed, trial.published)
        other = kept.get(key)
        if other is not None and other.path.resolve() != trial.path.resolve():
            shorter = min(trial, other, key=lambda one: len(one.labels))
            notes.append(f"{shorter.path} is left out: a trial of the same seed that is as long or longer is there")
        if other is None or len(trial.labels) > len(other.labels):
            kept[key] = trial
    return list(kept.values())


def _name(options: dict[str, Any]) -> str:
    """The name in a configuration of this package's or LabelBench's, written as the published folders are compared."""
    name = next(options[key] for key in ("name", "model_name", "trainer_name") if key in options)
    return _canonical(Path(name).stem)


def _canonical(name: str) -> str:
    return name.casefold().removeprefix("pytorch_")


def _text(options: dict[str, Any]) -> str:
    """A name with its options."""
    return " ".join([options["name"], *(f"{key}={value}" for key, value in options.items() if key != "name")])
