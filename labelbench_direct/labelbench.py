"""The one module that knows LabelBench, and what stands in for it where it is not installed.

LabelBench's contract, as of its commit 9e23393: a strategy is built from a configuration and a data set, declares its
``input_types``, and selects pool indices from what ``trainer.retrieve_inputs(input_types)`` returns.
"""

from __future__ import annotations

import copy
import importlib
from collections.abc import Mapping
from enum import IntEnum
from types import ModuleType
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from labelbench_direct.core.types import Indices


def _skeleton() -> ModuleType | None:
    """LabelBench's module of strategies (it imports without torch), or None where LabelBench is not importable."""
    try:
        return importlib.import_module("LabelBench.skeleton.active_learning_skeleton")
    except ModuleNotFoundError as error:
        if not (error.name or "").startswith("LabelBench"):
            raise
        return None


_labelbench = _skeleton()
INSTALLED = _labelbench is not None


class _Input(IntEnum):
    """What a strategy can ask a trainer for; LabelBench's numbers."""

    TRAIN_PRED = 0
    VAL_PRED = 1
    TEST_PRED = 2
    TRAIN_LABEL = 3
    VAL_LABEL = 4
    TEST_LABEL = 5
    TRAIN_LOSS = 6
    VAL_LOSS = 7
    TEST_LOSS = 8
    TRAIN_EMBEDDING = 9
    VAL_EMBEDDING = 10
    TEST_EMBEDDING = 11


ALInput: Any = _labelbench.ALInput if _labelbench else _Input


class Dataset(Protocol):
    """The part of LabelBench's ``ALDataset`` that is used. ``get_train_labels`` gives the labels, one-hot (labeled, K),
    of what ``labeled_idxs`` returns.
    """

    num_classes: int
    label_type: Any

    def __len__(self) -> int: ...
    def labeled_idxs(self) -> NDArray[Any]: ...
    def update_labeled_idxs(self, new_idxs: Any) -> None: ...
    def get_train_labels(self) -> NDArray[Any]: ...
    def train(self) -> None: ...


class Trainer(Protocol):
    """The part of LabelBench's ``Trainer`` that strategies use."""

    def retrieve_inputs(self, input_types: Any) -> list[NDArray[Any]]: ...


_NOT_REGISTERED = "labelbench_direct"  # the name under which LabelBench would file the base class itself
_Base: Any = _labelbench.Strategy if _labelbench else object


class Strategy(_Base):  # type: ignore[misc]  # the base is decided at run time
    """A strategy in LabelBench's sense: a subclass of LabelBench's ``Strategy`` where there is one.

    Subclasses set ``strategy_name`` and ``input_types`` and define ``select``. Unlike LabelBench's own, defining one
    registers nothing; ``register_strategies`` does, and says so when a name is taken.
    """

    strategy_name = _NOT_REGISTERED
    input_types: list[Any]

    def __init_subclass__(cls, **kwargs: Any) -> None:
        """Not LabelBench's hook, which would file the class at once and overwrite a namesake."""

    def __init__(
        self, strategy_config: dict[str, Any], dataset: Dataset, rng: np.random.Generator | None = None
    ) -> None:
        """``rng`` is the source of every random choice; without one (LabelBench passes none) each ``select`` seeds
        one from numpy's global state, which LabelBench seeds from its ``--seed`` and its own strategies draw from.
        """
        self.strategy_config = strategy_config
        self.dataset = dataset
        self._rng = rng

    def rng(self) -> np.random.Generator:
        """The generator for one ``select``."""
        if self._rng is not None:
            return self._rng
        return np.random.default_rng(np.random.randint(0, 2**32, dtype=np.uint32))  # noqa: NPY002  # as the host does

    def select(self, trainer: Trainer, budget: int) -> Indices:
        """``budget`` distinct unlabeled pool indices."""
        raise NotImplementedError


if _labelbench:
    _labelbench.strategies.pop(_NOT_REGISTERED)


def register_strategies(strategies: Mapping[str, type[Strategy]], keep_owners_as: Mapping[str, str]) -> None:
    """File strategies under names in LabelBench's registry. Doing so again changes nothing.

    ``keep_owners_as``: LabelBench's own classes of these names make way on purpose and are kept under the names given.

    Raises:
        ModuleNotFoundError: LabelBench cannot be imported.
        ValueError: one of the names belongs to somebody else's class; nothing has changed.

    """
    if _labelbench is None:
        raise ModuleNotFoundError(
            "LabelBench cannot be imported, so there is no registry to register in: "
            "start Python in a LabelBench checkout or put the checkout on PYTHONPATH"
        )
    importlib.import_module("LabelBench.strategy.strategies")  # files LabelBench's own, which must come first
    registry: dict[str, type] = _labelbench.strategies
    claims: dict[str, type] = {}
    for name, strategy in strategies.items():
        claims |= _claims(registry, name, strategy, keep_owners_as.get(name))
    registry.update(claims)


def _claims(
    registry: Mapping[str, type], name: str, strategy: type[Strategy], keep_owner_as: str | None
) -> dict[str, type]:
    """The entries that filing one strategy changes."""
    owner = registry.get(name, strategy)
    if owner is strategy:
        return {name: strategy}
    if keep_owner_as is None or not owner.__module__.startswith("LabelBench."):
        raise ValueError(f"strategy name {name!r} belongs to {_owner(owner)}; {_owner(strategy)} cannot take it")
    kept = registry.get(keep_owner_as, owner)
    if kept is not owner:
        raise ValueError(f"strategy name {keep_owner_as!r} belongs to {_owner(kept)}; {_owner(owner)} cannot take it")
    return {keep_owner_as: owner, name: strategy}


def _owner(strategy: type) -> str:
    return f"{strategy.__module__}.{strategy.__qualname__}"


def own_direct() -> Any:
    """LabelBench's own class of the strategy ``direct``.

    Raises ModuleNotFoundError where LabelBench cannot be imported.
    """
    try:
        return importlib.import_module("LabelBench.strategy.strategy_impl.direct").DIRECTSampling
    except ModuleNotFoundError as error:
        if not (error.name or "").startswith("LabelBench"):
            raise
        raise ModuleNotFoundError(
            "LabelBench's own direct cannot be imported: put a checkout of LabelBench on PYTHONPATH", name=error.name
        ) from error


def is_multi_label(dataset: Dataset) -> bool:
    """Whether examples of the data set may belong to several classes at once."""
    return bool(getattr(dataset.label_type, "name", dataset.label_type) == "MULTI_LABEL")


def labeled_indices(dataset: Dataset) -> Indices:
    """The labeled pool indices in the order of labeling; empty before the first batch."""
    labeled = np.asarray(dataset.labeled_idxs())
    return labeled.astype(np.int64) if labeled.ndim == 1 else np.zeros(0, dtype=np.int64)


class _NoInputs:
    """In place of the examples of a LabelBench data set: reading a label loads no image."""

    def __getitem__(self, index: int) -> tuple[None, None]:
        return None, None


class Annotator:
    """Plays the annotators: answers with the labels that training sees, noise included, and reads no others.

    They come through public methods of a shallow copy, and never through ``ALInput.TRAIN_LABEL``, which in LabelBench
    are the clean ones; the data set itself stays as it is. LabelBench's ``get_train_labels`` copies all labels of the
    pool, N x K, at every call: there they come from the copy's ``train_dataset``, one by one, as training has them.
    Elsewhere ``get_train_labels`` gives them, while the examples asked for count as the labeled ones.

    Raises TypeError when ``get_train_labels`` gives others than those that the copy's ``labeled_idxs`` names.
    """

    def __init__(self, dataset: Dataset) -> None:
        self._view: Any = copy.copy(dataset)
        if hasattr(self._view, "train_dataset"):
            self._view.train_dataset = copy.copy(self._view.train_dataset)
        self._view.train()  # from its clean labels to the corrupted ones, and ``train_dataset`` with it
        self._items = _without_inputs(self._view)
        if self._items is None and len(self._one_hot(np.zeros(0, dtype=np.int64))) > 0:
            raise TypeError(
                f"get_train_labels() of {type(dataset).__name__} must give the labels of what labeled_idxs() returns, "
                "and gives others: let it call that method"
            )

    def __call__(self, indices: Indices) -> Indices:
        """(n,) the labels, 0..K-1, of pool indices (n,)."""
        if self._items is not None:
            return np.array([self._items[i][1].argmax() for i in indices.tolist()], dtype=np.int64)
        labels: Indices = self._one_hot(indices).argmax(axis=1)
        return labels

    def _one_hot(self, indices: Indices) -> NDArray[Any]:
        self._view.labeled_idxs = lambda: indices
        rows: NDArray[Any] = self._view.get_train_labels()
        return rows


def _without_inputs(view: Any) -> Any:
    """LabelBench's ``train_dataset`` with labels and no inputs, from a copy that may be changed; None for other data
    sets, and where no corrupter has given it labels of its own.
    """
    items: Any = getattr(view, "train_dataset", None)
    if not hasattr(items, "set_noisy_labels") or len(view) == 0:
        return None
    items.dataset = _NoInputs()
    items.set_transform(lambda nothing: nothing)  # LabelBench's cannot do without one
    items.set_strong_transform(None)
    items.set_target_transform(None)
    return items if items[0][1] is not None else None


def labeled_labels(dataset: Dataset) -> Indices:
    """The labels, 0..K-1, of ``labeled_indices(dataset)``, as the annotators gave them."""
    return Annotator(dataset)(labeled_indices(dataset))
