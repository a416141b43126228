"""Results as they lie on disk: trials of our own, lines written beside LabelBench's, LabelBench's published pickles."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from labelbench_direct.experiment.noise import GIVEN, matrix_name
from labelbench_direct.experiment.pools import POOL, ROUNDS
from labelbench_direct.experiment.storage import read_lines
from labelbench_direct.experiment.trial import HEADER, TIMES
from labelbench_direct.report.data import with_data
from labelbench_direct.report.pickles import describe_path, read_pickle

Series = NDArray[np.float64]
NUM_LABELED = "Num Labeled"


@dataclass(frozen=True, order=True)
class Setting:
    """What two trials must share for their strategies to be compared."""

    dataset: str
    batch_size: int
    model: str
    trainer: str
    noise: float
    """The share of wrong labels, of a confusion matrix or of annotators the expected one."""
    confusion: str = ""
    """A name for the confusion matrix, if there is one; ``given`` for annotators."""
    data: str = ""
    """A name for the data themselves, where trials on others have the same ``dataset``."""

    @property
    def title(self) -> str:
        """For people."""
        data = f"{self.dataset}{f', data {self.data}' if self.data else ''}"
        return f"{data}, {self.noise_title}, {self.batch_size:,} labels a round, {self.model}, {self.trainer}"

    @property
    def noise_title(self) -> str:
        """The level of noise alone."""
        return f"{self.noise:.0%} label noise{self._source}"

    @property
    def place(self) -> str:
        """Data set and noise, for notes."""
        data = f"{self.dataset}{f', data {self.data}' if self.data else ''}"
        return f"{data}, noise {self.noise:g}{self._source}"

    @property
    def _source(self) -> str:
        if self.confusion == GIVEN:
            return " by annotators"
        return f" by confusion matrix {self.confusion}" if self.confusion else ""


@dataclass(frozen=True)
class TrialResult:
    """One trial's rounds. ``metrics``: (rounds,) each, NaN where there was no number."""

    setting: Setting
    strategy: dict[str, Any]
    seed: int
    metrics: dict[str, Series]
    select_seconds: Series
    path: Path
    rounds: int | None = None
    """As stated; None where nobody stated it."""
    class_accuracies: Series | None = None
    """(K,) of the test part, after the last round."""
    class_counts: Series | None = None
    """(K,) true examples of each class in the pool."""
    published: bool = False
    pool: dict[str, Any] | None = None
    """What ``pool.json`` says of the data; None where nothing does."""
    host: str = ""

    @property
    def labels(self) -> Series:
        """(rounds,): how many examples were labeled."""
        return self.metrics[NUM_LABELED]


def read_results(paths: Sequence[Path]) -> tuple[list[TrialResult], list[str]]:
    """All trials at or under some paths, and notes on what was left out.

    Raises ValueError where a path holds no results, or one of its files is damaged; FileNotFoundError where there is
    no such path.
    """
    trials: list[TrialResult] = []
    notes: list[str] = []
    for path in paths:
        if not path.exists():
            raise FileNotFoundError(f"there are no results at {path}: no such file or folder")
        found = list(_trials_under(path, notes))
        if not found and not notes:
            raise ValueError(
                f"there are no results in {path}: expected trials as `labelbench-direct compare` writes them, JSON "
                "lines of LabelBench runs, or LabelBench's published folders <dataset>/bs_<B>/.../<strategy>_<seed>.pkl"
            )
        trials += found
    if not trials:
        raise ValueError(f"there is nothing to report on yet: {'; '.join(notes)}")
    return _without_duplicates(with_data(trials, notes), notes), notes


def _trials_under(path: Path, notes: list[str]) -> Iterable[TrialResult]:
    files = [path] if path.is_file() else sorted(path.rglob("*"))
    for file in files:
        if file.name == HEADER:
            trial = read_trial(file.parent)
            if trial is None:
                notes.append(f"{file.parent.name} has no finished round yet: left out")
            else:
                yield trial
        elif file.suffix == ".pkl" and (about := describe_path(file.resolve())):
            yield _read_published(file, about)
        elif file.suffix == ".jsonl" and file.name not in (ROUNDS, TIMES):
            trial = _read_labelbench_lines(file)
            if trial is not None:
                yield trial


def read_trial(folder: Path) -> TrialResult | None:
    """The trial of a folder, None before its first round."""
    lines = read_lines(folder / ROUNDS)
    if not lines:
        return None
    try:
        header = json.loads((folder / HEADER).read_text(encoding="utf-8"))
        by_names = header["host"] == "labelbench"
        pool = json.loads((folder / POOL).read_text(encoding="utf-8"))
        noise, confusion = _noise(header["noise"], pool)
        setting = Setting(
            dataset=header["dataset"],
            noise=noise,
            confusion=confusion,
            batch_size=header["batch_size"],
            model=_name(header["model"]) if by_names else _text(header["model"]),
            trainer=_name(header["trainer"]) if by_names else _text(header["trainer"]),
        )
        seconds = {line["round"]: line["select"] for line in read_lines(folder / TIMES)}
        return TrialResult(
            setting=setting,
            strategy=header["strategy"],
            seed=header["seed"],
            metrics=_metrics([line["metrics"] for line in lines]),
            select_seconds=np.array([seconds.get(line["round"], np.nan) for line in lines]),
            path=folder,
            rounds=None if lines[-1]["last"] else header["rounds"],
            class_accuracies=np.array(lines[-1]["class_accuracies"]),
            class_counts=np.array(pool["class_counts"], dtype=np.float64),
            pool=pool,
            host=header["host"],
        )
    except (KeyError, TypeError, AttributeError, json.JSONDecodeError) as error:
        raise ValueError(f"{folder} is not a trial that this version can read: {error!r}") from error


def _noise(stated: Any, pool: dict[str, Any]) -> tuple[float, str]:
    """The share of wrong labels, of a confusion matrix or of annotators the expected one, and the matrix's name."""
    if stated == GIVEN:
        return round(pool["expected_wrong"], 6), GIVEN
    if isinstance(stated, (int, float)):
        return stated, ""
    shares = np.array(stated)
    right = np.diagonal(shares) / shares.sum(axis=1)
    return round(1 - float(np.average(right, weights=pool["class_counts"])), 6), matrix_name(stated)


def read_selections(folder: Path) -> dict[int, dict[str, Any]]:
    """What DIRECT found in the rounds of a trial, by round; empty for other strategies."""
    return {line["round"]: line["selection"] for line in read_lines(folder / ROUNDS) if line["selection"]}


def _read_published(file: Path, about: dict[str, Any]) -> TrialResult:
    metrics, _ = read_pickle(file)
    if len({len(values) for values in metrics.values()}) != 1 or NUM_LABELED not in metrics:
        raise ValueError(f"{file} is not one of LabelBench's results: no {NUM_LABELED!r}, or metrics of unequal length")
    logged = [i for i, value in enumerate(metrics[NUM_LABELED]) if value is not None]
    numeric = [name for name, values in metrics.items() if any(isinstance(values[i], (int, float)) for i in logged)]
    rows = [{name: metrics[name][i] for name in numeric} for i in logged]
    setting = Setting(
        about["dataset"], about["batch_size"], _canonical(about["model"]), _canonical(about["trainer"]), about["noise"]
    )
    strategy = {"strategy_name": about["strategy"]}
    seconds = np.full(len(rows), np.nan)
    return TrialResult(setting, strategy, about["seed"], _metrics(rows), seconds, file, published=True)


def _read_labelbench_lines(file: Path) -> TrialResult | None:
    """Lines that this package wrote beside a run of LabelBench's own programs; None for any other file, and for
    evaluations of proxies, which select nothing.
    """
    header, *lines = read_lines(file) or [{}]
    if header.get("kind") != "trial" or header.get("host") != "labelbench" or "selected_by" in header or not lines:
        return None
    try:
        model, embedding = _name(header["model"]), _name(header.get("embed_model", {"name": "none"}))
        setting = Setting(
            dataset=header["dataset"],
            noise=float(header["corrupter"].get("p", 0)),
            batch_size=header["batch_size"],
            model=model if embedding == "none" else f"{model} on {embedding}",
            trainer=_name(header["trainer"]),
        )
        seconds = np.full(len(lines), np.nan)
        metrics = _metrics([line["metrics"] for line in lines])
        return TrialResult(
            setting, header["strategy"], header["seed"], metrics, seconds, file,
            pool=lines[0].get("data"), host=header["host"],
        )  # fmt: skip
    except (KeyError, TypeError, AttributeError) as error:
        raise ValueError(f"{file} is not a run that this version can read: {error!r}") from error


def _metrics(rows: list[dict[str, Any]]) -> dict[str, Series]:
    """Rounds of metrics by name; what is not a number becomes NaN."""

    def number(value: Any) -> float:
        return float(value) if isinstance(value, (int, float)) else np.nan

    return {name: np.array([number(row.get(name)) for row in rows]) for name in rows[0]}


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
