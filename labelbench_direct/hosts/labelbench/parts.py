"""What LabelBench's ``main.py`` makes before its loop, made the same way, so that the loop can be gone on with.

In a process whose import path has held the checkout from its start: ``launch.environment`` sees to that.
"""

from __future__ import annotations

import base64
import contextlib
import importlib
import os
import random
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from labelbench_direct.core.types import Indices
from labelbench_direct.hosts.labelbench.bridges import apply_bridges
from labelbench_direct.hosts.labelbench.configurations import read_configuration
from labelbench_direct.hosts.labelbench.pools import check_kept_labels, describe_pool, get_dataset, kept_labels
from labelbench_direct.hosts.labelbench.run import REGISTRIES

Configuration = dict[str, Any]
_NAMES = {"model": "model_name", "embed_model": "model_name", "trainer": "trainer_name"}


def expand(kind: str, stated: Mapping[str, Any], checkout: Path) -> Configuration:
    """LabelBench's configuration of a model or trainer that an experiment states, under ``name``: a file of
    LabelBench's or of this package's, or LabelBench's name of the thing itself, with the options beside it.

    Raises FileNotFoundError naming the places where a file was looked for.
    """
    options = {key: value for key, value in stated.items() if key not in ("name", "embed_model")}
    name = stated["name"]
    if not name.endswith(".json"):
        return {"name": name, **options}
    before = Path.cwd()
    os.chdir(checkout)  # LabelBench's own files are found relative to it
    try:
        content = read_configuration(kind, name)
    finally:
        os.chdir(before)
    return {"name": content.pop(_NAMES[kind]), **content, **options}


def _as_labelbench(kind: str, expanded: Mapping[str, Any]) -> Configuration:
    options = {key: value for key, value in expanded.items() if key not in ("name", "embed_model")}
    return {_NAMES[kind]: expanded["name"], **options}


@dataclass(frozen=True)
class Parts:
    """LabelBench's data set, trainer and strategy, and the first batch that its ``main.py`` would label."""

    dataset: Any
    trainer: Any
    strategy: Any
    first: Indices


def make_parts(
    checkout: Path,
    data_folder: str,
    dataset_name: str,
    model: Configuration,
    trainer: Configuration,
    strategy: Configuration,
    noise: float,
    batch_size: int,
    seed: int,
) -> Parts:
    """The parts, in the order and with the seeds of ``main.py``; the working directory becomes the checkout."""
    import torch

    modules = _registries(checkout)
    trainers = importlib.import_module("LabelBench.trainer.trainer")
    metrics = importlib.import_module("LabelBench.metric.metrics")
    torch.manual_seed(seed)
    torch.backends.cudnn.benchmark = True
    np.random.seed(seed + 42)  # noqa: NPY002  # the generator that LabelBench draws from
    random.seed(seed)  # its strong augmentation draws from this one, which main.py leaves unseeded

    dataset = get_dataset(modules["datasets"], dataset_name, data_folder, batch_size)
    classifier = {**_as_labelbench("model", model), "num_output": dataset.get_num_classes()}
    corrupter = {"name": "noisy_random", "p": noise} if noise else {"name": "noiseless"}
    dataset.set_corrupter(modules["corrupter"].get_corrupter_fn(corrupter["name"], corrupter))
    check_kept_labels(dataset, dataset_name, data_folder)
    extractor = None
    if "embed_model" in model:
        extractor, classifier["input_dim"] = _make_extractor(
            _as_labelbench("embed_model", model["embed_model"]), data_folder, dataset_name
        )
    metric = metrics.get_metric("multi_class")
    model_fn = modules["model"].get_model_fn(classifier["model_name"])
    settings = _as_labelbench("trainer", trainer)
    for prepare in (trainers.get_fns, trainers.get_optimizer_fn, trainers.get_scheduler_fn):
        settings = prepare(settings)
    made = trainers.get_trainer(settings["trainer_name"], settings, dataset, model_fn, classifier, metric, extractor)
    chosen = modules["strategies"].get_strategy(strategy["strategy_name"], dict(strategy), dataset)
    first = np.random.choice(np.arange(len(dataset)), size=batch_size, replace=False)  # noqa: NPY002
    return Parts(dataset, made, chosen, first)


def _registries(checkout: Path) -> dict[str, Any]:
    """LabelBench's modules, all of this package's filed in them; the working directory becomes the checkout."""
    os.chdir(checkout)
    apply_bridges(checkout)
    modules = {name.rpartition(".")[2]: importlib.import_module(name) for name in REGISTRIES}
    from labelbench_direct.hosts.labelbench import plugin

    plugin.activate()
    return modules


def examine_data(
    checkout: Path, data_folder: str, name: str, batch_size: int, *, with_labels: bool
) -> dict[str, Any] | None:
    """What ``describe_pool`` says of LabelBench's data set, if labels are wanted or LabelBench keeps them already:
    reading them for the first time draws from the generators with which it then trains.

    Raises ValueError where no trial can run on it. The working directory becomes the checkout; what LabelBench prints
    is lost.
    """
    with (
        Path(os.devnull).open("w") as nowhere,
        contextlib.redirect_stdout(nowhere),
        contextlib.redirect_stderr(nowhere),
    ):
        dataset = get_dataset(_registries(checkout)["datasets"], name, data_folder, batch_size)
        if not (with_labels or kept_labels(name, data_folder).is_file()):
            return None
        check_kept_labels(dataset, name, data_folder)
        return describe_pool(dataset)


def _make_extractor(configuration: Configuration, data_folder: str, dataset_name: str) -> tuple[Any, int]:
    """LabelBench's extractor of embeddings, and their size."""
    configuration = {**configuration, "num_output": 0}
    model_fn = importlib.import_module("LabelBench.model.model").get_model_fn(configuration["model_name"])
    folder = Path(data_folder) / dataset_name
    folder.mkdir(parents=True, exist_ok=True)
    file_name = f"{folder}/{dataset_name}_{configuration['model_name']}"
    size = model_fn(configuration).get_embedding_dim()
    extractor = importlib.import_module("LabelBench.dataset.feature_extractor").FeatureExtractor
    return extractor(model_fn, file_name, configuration), size


class GlobalRandomState:
    """The states of the global generators that LabelBench draws from: torch's, numpy's and Python's own."""

    def get(self) -> Any:
        """All of them, as text and numbers."""
        import torch

        kind, keys, position, has_gauss, gauss = np.random.get_state()  # noqa: NPY002
        version, internal, next_gauss = random.getstate()
        return {
            "torch": _encode(torch.get_rng_state().numpy()),
            "cuda": [_encode(state.numpy()) for state in torch.cuda.get_rng_state_all()],
            "numpy": [str(kind), _encode(np.asarray(keys)), int(position), int(has_gauss), float(gauss)],
            "python": [version, _encode(np.array(internal, dtype=np.uint32)), next_gauss],
        }

    def set(self, state: Any) -> None:
        """Go on from there."""
        import torch

        torch.set_rng_state(torch.from_numpy(_decode(state["torch"], np.uint8)))
        torch.cuda.set_rng_state_all([torch.from_numpy(_decode(one, np.uint8)) for one in state["cuda"]])
        kind, keys, position, has_gauss, gauss = state["numpy"]
        np.random.set_state((kind, _decode(keys, np.uint32), position, has_gauss, gauss))  # noqa: NPY002
        version, internal, next_gauss = state["python"]
        random.setstate((version, tuple(_decode(internal, np.uint32).tolist()), next_gauss))


def _encode(array: np.ndarray[Any, Any]) -> str:
    return base64.b64encode(array.tobytes()).decode()


def _decode(text: str, dtype: Any) -> np.ndarray[Any, Any]:
    return np.frombuffer(base64.b64decode(text), dtype=dtype).copy()
