"""What a trial is run on: a pool, a trainer, a strategy, all of whose randomness follows from the trial's seed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from labelbench_direct.core.types import Indices
from labelbench_direct.experiment.noise import GIVEN, check_fits
from labelbench_direct.experiment.schema import DATA_DIR, UNIFORM_ONLY, Trial
from labelbench_direct.hosts.corrupters import Corrupter, given_noise, make_corrupter
from labelbench_direct.hosts.embedded import make_trainer
from labelbench_direct.hosts.embedded.data.catalog import load
from labelbench_direct.hosts.embedded.pool import Pool
from labelbench_direct.hosts.labelbench.parts import GlobalRandomState, make_parts
from labelbench_direct.hosts.loop import GeneratorState, LoopTrainer, RandomState, first_batch
from labelbench_direct.labelbench import Dataset, Strategy
from labelbench_direct.strategies import STRATEGIES

LABEL_SMOOTHING_UNDER_NOISE = 0.1  # Appendix D


@dataclass(frozen=True)
class Bench:
    """All that the loop needs."""

    pool: Dataset
    trainer: LoopTrainer
    strategy: Strategy
    first: Indices
    random_state: RandomState
    classnames: Sequence[str]
    about: dict[str, Any] = field(default_factory=dict)
    """What else of the data is kept with a trial."""


def make_bench(trial: Trial, labelbench_home: str | None, data_folder: str | None) -> Bench:
    """The bench of a trial, on its host."""
    if trial.host == "embedded":
        return _embedded(trial, data_folder or DATA_DIR)
    if labelbench_home is None:
        raise ValueError("the host 'labelbench' needs a checkout: pass --home CHECKOUT or set LABELBENCH_HOME")
    return _labelbench(trial, Path(labelbench_home), data_folder or "./data")


def _labelbench(trial: Trial, checkout: Path, data_folder: str) -> Bench:
    if not isinstance(trial.noise, (int, float)):
        raise ValueError(UNIFORM_ONLY)
    parts = make_parts(
        checkout,
        data_folder,
        trial.dataset,
        trial.model,
        trial.trainer,
        trial.strategy,
        trial.noise,
        trial.batch_size,
        trial.seed,
    )
    names = parts.dataset.get_classnames()
    return Bench(parts.dataset, parts.trainer, parts.strategy, parts.first, GlobalRandomState(), names)


def _embedded(trial: Trial, data_folder: str) -> Bench:
    import torch

    torch.set_num_threads(1)  # sums depend on how they are split over threads, and results must not
    noise_seed, strategy_seed, training_seed = np.random.SeedSequence(trial.seed).spawn(3)
    pool = Pool(load(trial.dataset, data_folder))
    pool.set_corrupter(_corrupter(trial, pool, np.random.default_rng(noise_seed)))
    options = dict(trial.trainer)
    if trial.noise and options["name"] in ("passive", "lbfgs"):
        options.setdefault("label_smoothing", LABEL_SMOOTHING_UNDER_NOISE)
    trainer = make_trainer(trial.model, options, pool, int(training_seed.generate_state(1)[0]), None)
    rng = np.random.default_rng(strategy_seed)
    strategy = STRATEGIES[trial.strategy["strategy_name"]](trial.strategy, pool, rng)
    first = first_batch(len(pool), trial.batch_size, trial.seed)
    about: dict[str, Any] = {"labels": pool.label_quality()}
    given = pool.data.train.given
    if trial.noise == GIVEN and given is not None:
        wrong = (given >= 0) & (given != pool.data.train.labels[:, None])
        about["expected_wrong"] = float((wrong.sum(axis=1) / (given >= 0).sum(axis=1)).mean())
    if pool.data.digest:
        about["digest"] = pool.data.digest
    return Bench(pool, trainer, strategy, first, GeneratorState(rng), pool.get_classnames(), about)


def _corrupter(trial: Trial, pool: Pool, rng: np.random.Generator) -> Corrupter:
    given = pool.data.train.given
    if isinstance(trial.noise, str):
        check_fits(trial.noise, trial.dataset, pool.get_classnames(), given is not None)
        assert given is not None
        return given_noise(given, rng)
    return make_corrupter(trial.noise, pool.num_classes, rng)
