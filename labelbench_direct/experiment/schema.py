"""An experiment as data: what a JSON file states, and the trials that follow from it.

A trial's pool, noise, first batch and training seed follow from its seed alone, so trials of one seed are paired
across strategies.
"""

from __future__ import annotations

import hashlib
import itertools
import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, fields, replace
from pathlib import Path
from typing import Any, Literal, get_args

from labelbench_direct.core.checks import check_choice, check_count
from labelbench_direct.experiment.noise import Noise, check_fits, check_noise, read_noise
from labelbench_direct.experiment.storage import read_json
from labelbench_direct.hosts.embedded import make_trainer
from labelbench_direct.hosts.embedded.config import parse_name
from labelbench_direct.hosts.embedded.data.catalog import load, loaded
from labelbench_direct.hosts.embedded.pool import Pool
from labelbench_direct.hosts.embedded.trainers import check_settings
from labelbench_direct.hosts.labelbench.parts import expand
from labelbench_direct.strategies import COMPARABLE, STRATEGIES
from labelbench_direct.strategies.direct import PARALLEL

BASELINES = ("direct", "galaxy", "random", "margin", "confidence", "entropy", "most_likely_positive")
Host = Literal["embedded", "labelbench"]
DATA_DIR = "data"
OPTIONAL = ("title", "host", "data_dir")
"""Keys that a file may leave out."""
MOST_SEED = 2**32 - 1 - 42
"""LabelBench adds 42 to a seed and hands it to numpy's older generators, which take 32 bits."""
UNIFORM_ONLY = (
    "noise by annotators or by confusion matrix is the embedded host's: with the host labelbench noise must be numbers"
)


@dataclass(frozen=True)
class Trial:
    """One strategy on one data set with one seed. ``strategy``: LabelBench's configuration of it. ``noise``: a share,
    the rows of a confusion matrix, as JSON has them,
    or ``given``.
    """

    dataset: str
    model: dict[str, Any]
    trainer: dict[str, Any]
    strategy: dict[str, Any]
    seed: int
    noise: float | list[list[float]] | str
    batch_size: int
    rounds: int
    host: Host = "embedded"

    @property
    def needs_labelbench(self) -> bool:
        """Whether it runs code of a LabelBench checkout."""
        return self.host == "labelbench" or self.strategy["strategy_name"] not in STRATEGIES

    @property
    def identifier(self) -> str:
        """The name of its folder, which two trials share only if they are the same."""
        digest = hashlib.sha256(json.dumps(asdict(self), sort_keys=True).encode()).hexdigest()
        return f"{self.strategy['strategy_name']}-seed{self.seed}-{digest[:12]}"


@dataclass(frozen=True)
class Experiment:
    """The product of strategies, seeds, noise levels and B_parallel values, all else equal.

    ``strategies``: names, or a name with options as in ``direct:threshold_tie=lowest,B1=1``. ``parallel``: B_parallel
    of those that have one and don't state it. ``model`` and ``trainer``: a ``name``, and options that the host knows.
    ``noise``: see ``Noise``. ``data_dir``: where the data are, by default the host's ``data``; no part of a trial.

    Raises ValueError or TypeError, naming the field, for what cannot be used, whatever data are there.
    """

    title: str = ""
    dataset: str = "mnist5k_imb_3"
    model: Mapping[str, Any] = field(default_factory=lambda: {"name": "mlp"})
    trainer: Mapping[str, Any] = field(default_factory=lambda: {"name": "passive"})
    strategies: tuple[str, ...] = BASELINES
    seeds: tuple[int, ...] = (0, 1, 2, 3)
    noise: tuple[Noise, ...] = (0.1,)
    batch_size: int = 40
    rounds: int = 10
    parallel: tuple[int, ...] = (5,)
    host: Host = "embedded"
    data_dir: str | None = None

    def __post_init__(self) -> None:
        self._check_types()
        object.__setattr__(self, "noise", tuple(check_noise(level) for level in self.noise))
        for name in ("strategies", "seeds", "noise", "parallel"):
            values = getattr(self, name)
            if not values or len(set(values)) < len(values):
                raise ValueError(f"{name} must be distinct and at least one, got {list(values)}")
        stand_in = Pool(load("digits"))  # strategies check their options when they are made, on any pool
        for config in self._strategy_configs():
            COMPARABLE[config["strategy_name"]](config, stand_in)

    def _check_types(self) -> None:
        for name in ("title", "dataset"):
            if not isinstance(getattr(self, name), str):
                raise TypeError(f"{name} must be a string, got {getattr(self, name)!r}")
        for name in ("model", "trainer"):
            value = getattr(self, name)
            if not isinstance(value, Mapping) or not isinstance(value.get("name"), str):
                raise TypeError(f'{name} must be an object with a "name", such as {{"name": "mlp"}}, got {value!r}')
        check_count(self.rounds, "rounds", least=1)
        check_count(self.batch_size, "batch_size", least=1)
        check_choice(self.host, "host", get_args(Host))
        if self.data_dir is not None and not isinstance(self.data_dir, str):
            raise TypeError(f"data_dir must be the name of a folder, got {self.data_dir!r}")
        self._check_lists()

    def _check_lists(self) -> None:
        for name in ("strategies", "seeds", "noise", "parallel"):
            if isinstance(getattr(self, name), str) or not isinstance(getattr(self, name), Sequence):
                raise TypeError(f"{name} must be a list, got {getattr(self, name)!r}")
        for seed in self.seeds:
            if check_count(seed, "seeds", least=0) > MOST_SEED:
                raise ValueError(f"seeds must be at most {MOST_SEED}, got {seed}")
        for text in self.strategies:
            if not isinstance(text, str):
                raise TypeError(f"strategies are strings such as 'direct:B1=1', got {text!r}{_as_text(text)}")
        for value in self.parallel:
            check_count(value, "parallel", least=1)

    def _strategy_configs(self) -> list[dict[str, Any]]:
        configs = [strategy_config(text, parallel) for text in self.strategies for parallel in self.parallel]
        return [config for i, config in enumerate(configs) if config not in configs[:i]]

    def check_against_data(self) -> tuple[str, ...]:
        """Raise ValueError or OSError where the embedded host cannot run this: data, model, trainer, batch size.

        Returns what a user should hear about the data.
        """
        check_settings(self.model, self.trainer)  # before data are looked for
        loaded.cache_clear()  # they may have changed since this process read them
        pool = Pool(load(self.dataset, self.data_dir or DATA_DIR))
        for level in self.noise:
            check_fits(level, self.dataset, pool.get_classnames(), pool.data.train.given is not None)
        make_trainer(self.model, self.trainer, pool, 0, None)
        if self.batch_size > len(pool):
            raise ValueError(
                f"batch_size must be at most {len(pool)}, {self.dataset}'s pool, got {self.batch_size}: "
                "lower it or take a larger data set"
            )
        return pool.data.notes

    def for_labelbench(self, checkout: Path) -> Experiment:
        """The same with the contents of the configuration files that model and trainer name.

        Raises FileNotFoundError or ValueError where one of them cannot be read, ValueError for other noise than shares.
        """
        if any(not isinstance(level, (int, float)) for level in self.noise):
            raise ValueError(UNIFORM_ONLY)
        model = expand("model", self.model, checkout)
        if "embed_model" in self.model:
            model["embed_model"] = expand("embed_model", {"name": self.model["embed_model"]}, checkout)
        return replace(self, model=model, trainer=expand("trainer", self.trainer, checkout))

    def trials(self) -> list[Trial]:
        """Its trials: seed by seed, so that the strategies advance together."""
        return [
            Trial(
                dataset=self.dataset,
                model=dict(self.model),
                trainer=dict(self.trainer),
                strategy=config,
                seed=seed,
                noise=_as_json(level),
                batch_size=self.batch_size,
                rounds=self.rounds,
                host=self.host,
            )
            for level, seed, config in itertools.product(self.noise, self.seeds, self._strategy_configs())
        ]


def _as_json(noise: Noise) -> float | list[list[float]] | str:
    return [list(row) for row in noise] if isinstance(noise, tuple) else noise


def read_experiment(path: Path) -> Experiment:
    """The experiment that a JSON file states; every key but those of ``OPTIONAL`` is needed. Names of confusion
    matrices' files start at the file's own folder.

    Raises OSError, ValueError or TypeError that name the file.
    """
    if not path.is_file():
        raise FileNotFoundError(f"there is no experiment file at {path}: expected a JSON file (docs/running.md)")
    stated = read_json(path)
    if not isinstance(stated, dict):
        raise TypeError(f"{path}: an experiment is a JSON object, got {type(stated).__name__}")
    known = [key.name for key in fields(Experiment)]
    if unknown := [key for key in stated if key not in known]:
        raise ValueError(f"{path}: unknown key {unknown[0]!r}; known are {', '.join(known)}")
    if missing := [key for key in known if key not in stated and key not in OPTIONAL]:
        raise ValueError(f"{path}: missing key {missing[0]!r}")
    for key in ("strategies", "seeds", "noise", "parallel"):
        if not isinstance(stated[key], list):
            raise TypeError(f"{path}: {key} must be a list, got {stated[key]!r}")
        stated[key] = tuple(stated[key])
    try:
        stated["noise"] = tuple(read_noise(level, path.parent) for level in stated["noise"])
        return Experiment(**stated)
    except (ValueError, TypeError) as error:
        raise type(error)(f"{path}: {error}") from error


def strategy_config(text: str, parallel: int = PARALLEL) -> dict[str, Any]:
    """LabelBench's configuration from a name with options: ``direct:threshold_tie=lowest,B1=1``."""
    name, options = parse_name(text, what="strategy options")
    if name not in COMPARABLE:
        raise ValueError(f"unknown strategy {name!r}; there are {', '.join(COMPARABLE)}")
    if "strategy_name" in options:
        raise ValueError(f"the strategy's name comes before the colon, and once; got {text!r}")
    config: dict[str, Any] = {"strategy_name": name}
    if "B1" in COMPARABLE[name].config_keys:
        config["B1"] = parallel
    return config | options


def _as_text(stated: Any) -> str:
    """How a strategy is written that was stated as an object, as LabelBench's configurations are."""
    if not isinstance(stated, Mapping) or not isinstance(stated.get("strategy_name"), str):
        return ""
    options = ",".join(f"{key}={json.dumps(value)}" for key, value in stated.items() if key != "strategy_name")
    return f'; write it "{stated["strategy_name"]}{":" if options else ""}{options}"'
