"""What would spoil a LabelBench run, said before hours of training and not after."""

from __future__ import annotations

import functools
import importlib
import math
import re
from pathlib import Path
from typing import Any

import numpy as np

from labelbench_direct.hosts.labelbench import corrupters, models
from labelbench_direct.hosts.labelbench.configurations import find_configuration
from labelbench_direct.hosts.labelbench.pools import (
    check_batch_size,
    check_kept_labels,
    check_known,
    source_of,
    suggestion,
)
from labelbench_direct.hosts.labelbench.program import Run
from labelbench_direct.strategies.base import PoolStrategy

_REGISTRIES = {  # by kind: LabelBench's module and dictionary, the key that names an entry, and what imports them all
    "strategy": ("skeleton.active_learning_skeleton", "strategies", "strategy_name", "strategy.strategies"),
    "trainer": ("skeleton.trainer_skeleton", "trainers", "trainer_name", "trainer.trainer"),
    "model": ("skeleton.model_skeleton", "model_fns", "model_name", "model.model"),
    "embed_model": ("skeleton.model_skeleton", "model_fns", "model_name", "model.model"),
    "corrupter": ("skeleton.corrupter_skeleton", "corrupter_fns", "name", "corrupter.corrupter"),
    "dataset": ("skeleton.dataset_skeleton", "datasets", "", "dataset.datasets"),
}


def registry(kind: str) -> dict[str, Any]:
    """LabelBench's registry of one kind, with everything in it."""
    module, name, _, imports_all = _REGISTRIES[kind]
    importlib.import_module(f"LabelBench.{imports_all}")
    entries: dict[str, Any] = getattr(importlib.import_module(f"LabelBench.{module}"), name)
    return entries


def check_run(run: Run, checkout: Path) -> list[str]:
    """Warnings about a run whose data are not loaded yet. Raises ValueError for what cannot end well."""
    warnings = []
    for kind, configuration in run.configurations.items():
        key = _REGISTRIES[kind][2]
        if key not in configuration:
            raise ValueError(f"{kind} configuration {run.names[kind]!r} has no {key!r}, which says what to use")
        if (kind, configuration[key]) != ("embed_model", "none"):
            check_known(configuration[key], registry(kind), f"{kind} name")
        warnings += check_keys(run, kind, checkout)
    dataset = source_of(run.dataset, registry("dataset"))
    strategy = run.configurations.get("strategy", {}).get("strategy_name", "")
    if _is_ours(strategy):
        _check_ours(run, strategy, registry("dataset")[dataset][0])
    on_embeddings = run.configurations["trainer"].get("use_embeddings", False)
    one_view = run.configurations["embed_model"].get("num_transform_seeds", 1) < 2
    if _is_semi_supervised(run) and on_embeddings and one_view:
        raise ValueError(
            f"{run.names['embed_model']!r}: semi-supervised training on embeddings needs num_transform_seeds of at "
            "least 2; with 1 LabelBench takes pairs of weak and strong views for the features"
        )
    return warnings


def _check_ours(run: Run, strategy: str, label_type: Any) -> None:
    if label_type.name == "MULTI_LABEL":
        raise ValueError(f"strategy {strategy!r} needs one class for each example; {run.dataset!r} is multi-label")
    if run.configurations["trainer"]["trainer_name"].startswith("sklearn"):
        raise ValueError(
            f"strategy {strategy!r} needs graded scores, and trainer 'sklearn_passive' predicts zeros and ones: "
            "margins and thresholds mean nothing there; use trainer 'pytorch_passive' with a linear model"
        )


def check_loaded(run: Run, num_examples: int) -> None:
    """Refuse, once the size of the pool is known, a run that would train on nothing or stop half-way."""
    check_batch_size(run.batch_size, num_examples, run.dataset)
    trainer = run.configurations["trainer"]
    batch = trainer.get("train_batch_size", 0)
    if trainer["trainer_name"] == "pytorch_passive" and run.batch_size < batch <= num_examples:
        without = min(run.rounds, math.ceil(batch / run.batch_size) - 1)
        raise ValueError(
            f"rounds 1 to {without} would train nothing, without a word: LabelBench drops a training batch that is not "
            f"full, and {run.batch_size} labels a round are fewer than train_batch_size {batch}; "
            f"use --batch_size {batch} or more, or a smaller train_batch_size"
        )
    if not _is_semi_supervised(run):
        return
    unlabeled_batch = batch * trainer.get("uratio", 1)
    for number in range(1, run.rounds + 1):
        left = num_examples - number * run.batch_size
        if left <= 0 or batch <= left < unlabeled_batch:
            raise ValueError(
                f"in round {number} only {max(left, 0)} of {num_examples} examples are unlabeled, fewer than one batch "
                f"of {unlabeled_batch} (uratio times train_batch_size): LabelBench stops there; use fewer rounds, "
                "smaller batches or a smaller uratio"
            )


def check_features(features: Any) -> None:
    """Refuse embeddings (N, D), or a pair of them, with a column that does not vary: LabelBench divides by it."""
    columns = np.flatnonzero(np.std(features[0] if isinstance(features, tuple) else features, axis=0) == 0)
    if len(columns):
        raise ValueError(
            f"{len(columns)} columns of the pool's embeddings do not vary (column {columns[0]} is the first): "
            "LabelBench divides by their standard deviation, and everything after it is not a number; "
            "use another embedding model"
        )


def watch(run: Run) -> None:
    """Make LabelBench apply ``check_loaded`` and ``check_features`` as soon as it has the pool and its embeddings."""
    from LabelBench.dataset.feature_extractor import FeatureExtractor
    from LabelBench.skeleton.dataset_skeleton import ALDataset

    set_corrupter, get_feature = ALDataset.set_corrupter, FeatureExtractor.get_feature
    checked: set[int] = set()

    @functools.wraps(set_corrupter)
    def checked_set_corrupter(self: Any, corrupter: Any) -> None:
        check_loaded(run, len(self))
        set_corrupter(self, corrupter)
        check_kept_labels(self, run.dataset, run.data_dir)

    @functools.wraps(get_feature)
    def checked_get_feature(self: Any, dataset: Any, dataset_split: str, *arguments: Any, **options: Any) -> Any:
        features = get_feature(self, dataset, dataset_split, *arguments, **options)
        if dataset_split == "train" and id(self) not in checked:  # LabelBench, too, takes the first ones' deviation
            check_features(features)
            checked.add(id(self))
        return features

    ALDataset.set_corrupter, FeatureExtractor.get_feature = checked_set_corrupter, checked_get_feature


def check_keys(run: Run, kind: str, checkout: Path) -> list[str]:
    """Unknown keys: an error, but in LabelBench's own files, which are to be used as they are, a warning."""
    configuration = run.configurations[kind]
    known = _known_keys(kind, configuration, checkout)
    file = find_configuration(kind, run.names[kind]).resolve()
    complaints = [
        f"unknown key {key!r} in {file}{suggestion(key, known)}: nothing reads it; known are {', '.join(sorted(known))}"
        for key in configuration
        if key not in known
    ]
    if complaints and not file.is_relative_to(checkout):
        raise ValueError("; ".join(complaints))
    return complaints


def _known_keys(kind: str, configuration: dict[str, Any], checkout: Path) -> frozenset[str]:
    """The keys that LabelBench's code, or ours, reads from a configuration of this kind."""
    name = configuration[_REGISTRIES[kind][2]]
    if kind == "strategy" and _is_ours(name):
        ours: type[PoolStrategy] = registry(kind)[name]
        return ours.config_keys | {"strategy_name"}
    if (kind, name) == ("corrupter", corrupters.NAME):
        return corrupters.KEYS
    pattern = re.compile(rf"""{"model" if "model" in kind else kind}_config(?:\[|\.get\()["'](\w+)["']""")
    sources = [checkout / "main.py", *(checkout / "LabelBench").rglob("*.py")]
    read = {key for source in sources for key in pattern.findall(source.read_text(encoding="utf-8"))}
    return frozenset(read) | (models.KEYS if "model" in kind else frozenset())


def _is_ours(strategy: str) -> bool:
    owner = registry("strategy").get(strategy)
    return isinstance(owner, type) and issubclass(owner, PoolStrategy)


def _is_semi_supervised(run: Run) -> bool:
    from LabelBench.trainer.trainer_impl.pytorch_semi_trainer import PyTorchSemiTrainer

    return issubclass(registry("trainer")[run.configurations["trainer"]["trainer_name"]], PyTorchSemiTrainer)
