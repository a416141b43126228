"""Comparisons: paired trials of several strategies, one JSON-lines file each.
 A trial's pool, noise, first batch and training seed follow from its seed alone, so trials of one seed are paired
across strategies.
"""

from __future__ import annotations

import hashlib
import json
import multiprocessing
import os
import platform
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

import labelbench_direct
from labelbench_direct.core.checks import check_choice, check_count
from labelbench_direct.hosts.embedded.data import load
from labelbench_direct.hosts.embedded.loop import Round, first_batch, run_rounds
from labelbench_direct.hosts.embedded.pool import Pool, uniform_noise
from labelbench_direct.hosts.embedded.training import PassiveTrainer, Training
from labelbench_direct.strategies import STRATEGIES
from labelbench_direct.strategies.direct import PARALLEL

BASELINES = ("direct", "random", "margin", "confidence", "entropy", "most_likely_positive")
LABEL_SMOOTHING_UNDER_NOISE = 0.1  # Appendix D


@dataclass(frozen=True)
class Trial:
    """One strategy on one data set with one seed. ``strategy``: LabelBench's configuration of it."""

    dataset: str
    noise: float
    strategy: dict[str, Any]
    seed: int
    batch_size: int
    rounds: int
    model: str

    @property
    def identifier(self) -> str:
        """A name that two trials share only if they are the same."""
        digest = hashlib.sha256(json.dumps(asdict(self), sort_keys=True).encode()).hexdigest()
        return f"{self.strategy['strategy_name']}-seed{self.seed}-{digest[:10]}"


@dataclass(frozen=True)
class Comparison:
    """Every strategy with every seed, all else equal. Raises ValueError or TypeError, naming the field, before any
    training.

    ``strategies``: names, or a name with options as in ``direct:threshold_tie=lowest,B1=1``. ``parallel``: B_parallel
    of those that have one.
    """

    dataset: str = "mnist5k_imb_3"
    strategies: tuple[str, ...] = BASELINES
    seeds: tuple[int, ...] = (0, 1, 2, 3)
    noise: float = 0.1
    batch_size: int = 40
    rounds: int = 10
    parallel: int = 5
    model: str = "mlp"

    def __post_init__(self) -> None:
        pool = Pool(load(self.dataset))
        uniform_noise(self.noise, np.random.default_rng(0))
        check_choice(self.model, "model", ("linear", "mlp"))
        check_count(self.rounds, "rounds", least=1)
        check_count(self.parallel, "parallel", least=1)
        if check_count(self.batch_size, "batch_size", least=1) > len(pool):
            raise ValueError(f"batch_size must be at most {len(pool)}, {self.dataset}'s pool, got {self.batch_size}")
        for name, values in (("strategies", self.strategies), ("seeds", self.seeds)):
            if not values or len(set(values)) < len(values):
                raise ValueError(f"{name} must be distinct and at least one, got {list(values)}")
        for text in self.strategies:
            config = strategy_config(text, self.parallel)
            STRATEGIES[config["strategy_name"]](config, pool)

    def trials(self) -> dict[tuple[str, int], Trial]:
        """The trials, by strategy (as it was written) and seed."""
        return {
            (text, seed): Trial(
                dataset=self.dataset,
                noise=self.noise,
                strategy=strategy_config(text, self.parallel),
                seed=seed,
                batch_size=self.batch_size,
                rounds=self.rounds,
                model=self.model,
            )
            for seed in self.seeds
            for text in self.strategies
        }


def strategy_config(text: str, parallel: int = PARALLEL) -> dict[str, Any]:
    """LabelBench's configuration from a name with options: ``direct:threshold_tie=lowest,B1=1``."""
    name, _, options = text.partition(":")
    if name not in STRATEGIES:
        raise ValueError(f"unknown strategy {name!r}; there are {', '.join(STRATEGIES)}")
    config: dict[str, Any] = {"strategy_name": name}
    if "B1" in STRATEGIES[name].config_keys:
        config["B1"] = parallel
    for option in filter(None, options.split(",")):
        key, separator, value = option.partition("=")
        if not separator:
            raise ValueError(f"strategy options are written name:key=value,key=value; got {text!r}")
        try:
            config[key] = json.loads(value)
        except json.JSONDecodeError:
            config[key] = value
    return config


def run_trial(trial: Trial) -> Iterator[Round]:
    """The rounds of one trial. Everything random follows from the seed."""
    noise_seed, strategy_seed, training_seed = np.random.SeedSequence(trial.seed).spawn(3)
    pool = Pool(load(trial.dataset))
    pool.set_corrupter(uniform_noise(trial.noise, np.random.default_rng(noise_seed)))
    smoothing = LABEL_SMOOTHING_UNDER_NOISE if trial.noise else 0.0
    training = Training(model=trial.model, label_smoothing=smoothing)  # type: ignore[arg-type]  # checked there
    trainer = PassiveTrainer(training, pool, seed=int(training_seed.generate_state(1)[0]))
    make_strategy = STRATEGIES[trial.strategy["strategy_name"]]
    strategy = make_strategy(trial.strategy, pool, np.random.default_rng(strategy_seed))
    first = first_batch(len(pool), trial.batch_size, trial.seed)
    return run_rounds(pool, trainer, strategy, first, trial.batch_size, trial.rounds)


def write_trial(trial: Trial, folder: Path) -> Path:
    """Run a trial and write its JSON lines: one of the trial itself, then one a round. A finished one is left as it is.

    The file has its name only when it is whole.
    """
    path = folder / f"{trial.identifier}.jsonl"
    if path.exists():
        return path
    unfinished = path.with_suffix(".jsonl.part")
    with unfinished.open("w", encoding="utf-8") as file:
        header = {"kind": "trial", **asdict(trial), "versions": versions()}
        file.write(json.dumps(header) + "\n")
        for completed in run_trial(trial):
            record = {
                "kind": "round",
                "round": completed.number,
                "indices": completed.indices.tolist(),
                "labels": completed.labels.tolist(),
                "metrics": completed.metrics,
                "seconds": {"select": completed.select_seconds, "train": completed.train_seconds},
            }
            file.write(json.dumps(record) + "\n")
            file.flush()
    unfinished.replace(path)
    return path


def run(comparison: Comparison, folder: Path, workers: int | None = None) -> Iterator[tuple[str, int, Path]]:
    """Run all trials in parallel processes, into an existing folder; yield strategy, seed and file of each one done."""
    workers = workers or os.cpu_count() or 1
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(workers, mp_context=context, initializer=_one_thread) as executor:
        futures = {executor.submit(write_trial, trial, folder): key for key, trial in comparison.trials().items()}
        try:
            for future in as_completed(futures):
                yield *futures[future], future.result()
        except BaseException:
            executor.shutdown(wait=False, cancel_futures=True)
            raise


def versions() -> dict[str, str]:
    """The versions that results depend on."""
    import sklearn
    import torch

    return {
        "labelbench_direct": labelbench_direct.__version__,
        "python": platform.python_version(),
        "numpy": np.__version__,
        "torch": torch.__version__,
        "scikit-learn": sklearn.__version__,
    }


def _one_thread() -> None:
    import torch

    torch.set_num_threads(1)
