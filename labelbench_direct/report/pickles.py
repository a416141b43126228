"""LabelBench's published results: ``results/**/*.pkl``, read so that a pickle can hold plain data and do nothing."""

from __future__ import annotations

import pickle
import re
from pathlib import Path
from typing import Any

_NAME = re.compile(r"(?P<strategy>.+?)(_sampling)?_(?P<seed>\d+)\.pkl")
_NOISY = re.compile(
    r"(?P<dataset>.+?)_(noisy_random|random)(\.json)?"
)  # what the folders of noisy results end in, as fetched
_PUBLISHED_NOISE = 0.1  # of both, in the configurations as they come


class _PlainUnpickler(pickle.Unpickler):
    """Lists, dictionaries, numbers and strings; anything else would have to be imported, and is refused."""

    def find_class(self, module_name: str, global_name: str) -> Any:
        raise pickle.UnpicklingError(f"it wants to import {module_name}.{global_name}")


def read_pickle(path: Path) -> tuple[dict[str, list[Any]], list[int]]:
    """The metrics by name, one value a round, and the labeled indices in order.

    Raises ValueError where the file is not such a pickle; none of what is in it is ever run.
    """
    try:
        with path.open("rb") as file:
            content = _PlainUnpickler(file).load()
    except (
        pickle.UnpicklingError,
        EOFError,
        ArithmeticError,
        MemoryError,
        ValueError,
        LookupError,
        AttributeError,
        TypeError,
    ) as error:
        raise ValueError(
            f"{path} is refused: {error}; LabelBench's results are pickles of plain lists and numbers"
        ) from error
    if not (
        isinstance(content, list)
        and len(content) == 2
        and isinstance(content[0], dict)
        and isinstance(content[1], list)
        and all(isinstance(values, list) for values in content[0].values())
    ):
        raise ValueError(f"{path} is not one of LabelBench's results: expected a list of metrics and of indices")
    return content[0], content[1]


def describe_path(path: Path) -> dict[str, Any] | None:
    """What LabelBench's folders say of a result, ``<dataset>[_<noise>]/bs_<B>/embed_<>/model_<>/trainer_<>/<file>``.

    None for a path of another form, and for LabelBench's evaluations of proxies, which select nothing.
    """
    name = _NAME.fullmatch(path.name)
    parts = path.parts[-6:-1]
    if name is None or len(parts) < 5:
        return None
    prefixes = ("", "bs_", "embed_", "model_", "trainer_")
    if not all(part.startswith(prefix) for part, prefix in zip(parts, prefixes, strict=True)):
        return None
    dataset, batch_size, embedding, model, trainer = (
        part[len(prefix) :] for part, prefix in zip(parts, prefixes, strict=True)
    )
    if not batch_size.isdigit():
        return None
    noisy = _NOISY.fullmatch(dataset)
    return {
        "dataset": noisy["dataset"] if noisy else dataset,
        "noise": _PUBLISHED_NOISE if noisy else 0.0,
        "batch_size": int(batch_size),
        "model": model if embedding == "none" else f"{model} on {embedding}",
        "trainer": trainer,
        "strategy": name["strategy"],
        "seed": int(name["seed"]),
    }
