"""What a trial is run on: a pool, a trainer, a strategy, all of whose randomness follows from the trial's seed."""

from __future__ import annotations

import concurrent.futures
import multiprocessing
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from labelbench_direct.core.types import Indices
from labelbench_direct.experiment.noise import GIVEN, check_fits
from labelbench_direct.experiment.pools import POOL, DataNote, check_same_data, describe_data
from labelbench_direct.experiment.schema import DATA_DIR, UNIFORM_ONLY, Experiment, Trial
from labelbench_direct.hosts.corrupters import Corrupter, given_noise, make_corrupter
from labelbench_direct.hosts.embedded import make_trainer
from labelbench_direct.hosts.embedded.data.catalog import load, stamp
from labelbench_direct.hosts.embedded.pool import Pool
from labelbench_direct.hosts.labelbench.parts import GlobalRandomState, examine_data, make_parts
from labelbench_direct.hosts.labelbench.pools import describe_pool
from labelbench_direct.hosts.loop import GeneratorState, LoopTrainer, RandomState, first_batch
from labelbench_direct.labelbench import Dataset, Strategy
from labelbench_direct.strategies import COMPARABLE

LABELBENCH_DATA_DIR = "./data"
LABEL_SMOOTHING_UNDER_NOISE = 0.1  # Appendix D


@dataclass(frozen=True)
class Bench:
    """All that the loop needs."""

    pool: Dataset
    trainer: LoopTrainer
    strategy: Strategy
    first: Indices
    random_state: RandomState
    data: DataNote
    """What is known of the data before any round."""


def check_results(experiment: Experiment, folder: Path, labelbench_home: str | None) -> None:
    """Raise ValueError where trials of the experiment, in their folder, ran on other data than there are now; and for
    the host labelbench where its data cannot be used. To be called before any trial.
    """
    folders = [folder / trial.identifier for trial in experiment.trials()]
    if experiment.host == "embedded":
        now = describe_data(load(experiment.dataset, experiment.data_dir or DATA_DIR))
        check_same_data(folders, now, experiment.dataset)
        return
    data_folder, begun = experiment.data_dir or LABELBENCH_DATA_DIR, any((path / POOL).exists() for path in folders)
    stated = Path(str(labelbench_home)), data_folder, experiment.dataset, experiment.batch_size
    # In a process of its own, since LabelBench changes whatever process it is in.
    with concurrent.futures.ProcessPoolExecutor(1, mp_context=multiprocessing.get_context("spawn")) as executor:
        try:
            found = executor.submit(examine_data, *stated, with_labels=begun).result()
        except (ValueError, OSError, ModuleNotFoundError):
            raise
        except Exception as error:  # whatever the code of a data set meets
            raise ValueError(f"LabelBench cannot read {experiment.dataset} in {data_folder}: {error!r}") from error
    if found is not None:
        check_same_data(folders, found, experiment.dataset)


def make_bench(trial: Trial, labelbench_home: str | None, data_folder: str | None) -> Bench:
    """The bench of a trial, on its host."""
    if trial.host == "embedded":
        return _embedded(trial, data_folder or DATA_DIR)
    if labelbench_home is None:
        raise ValueError("the host 'labelbench' needs a checkout: pass --home CHECKOUT or set LABELBENCH_HOME")
    return _labelbench(trial, Path(labelbench_home).absolute(), data_folder or LABELBENCH_DATA_DIR)


def data_stamp(trial: Trial, data_folder: str | None) -> tuple[int, ...]:
    """What is another one once the file was written to that a trial's data lie in, mapped: it may be so at any time."""
    return stamp(trial.dataset, Path(data_folder or DATA_DIR)) if trial.host == "embedded" else ()


def _labelbench(trial: Trial, checkout: Path, data_folder: str) -> Bench:
    if not isinstance(trial.noise, (int, float)):
        raise ValueError(UNIFORM_ONLY)
    parts = make_parts(
        checkout,
        str(Path(data_folder).absolute()),
        trial.dataset,
        trial.model,
        trial.trainer,
        trial.strategy,
        trial.noise,
        trial.batch_size,
        trial.seed,
    )
    data = describe_pool(parts.dataset)
    return Bench(parts.dataset, parts.trainer, parts.strategy, parts.first, GlobalRandomState(), data)


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
    strategy = COMPARABLE[trial.strategy["strategy_name"]](trial.strategy, pool, rng)
    first = first_batch(len(pool), trial.batch_size, trial.seed)
    about = {**describe_data(pool.data), "labels": pool.label_quality()}
    given = pool.data.train.given
    if trial.noise == GIVEN and given is not None:
        wrong = (given >= 0) & (given != pool.data.train.labels[:, None])
        about["expected_wrong"] = float((wrong.sum(axis=1) / (given >= 0).sum(axis=1)).mean())
    return Bench(pool, trainer, strategy, first, GeneratorState(rng), about)


def _corrupter(trial: Trial, pool: Pool, rng: np.random.Generator) -> Corrupter:
    given = pool.data.train.given
    if isinstance(trial.noise, str):
        check_fits(trial.noise, trial.dataset, pool.get_classnames(), given is not None)
        return given_noise(np.asarray(given), rng)
    return make_corrupter(trial.noise, pool.num_classes, rng)
