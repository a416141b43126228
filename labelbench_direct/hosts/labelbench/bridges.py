"""Bridges from LabelBench (November 2024) to today's stack: each answers one line of LabelBench, from outside.

A bridge is on only where it is needed, so it goes away by itself once LabelBench or what it imports has moved on.
"""

from __future__ import annotations

import functools
import importlib.util
import multiprocessing
import os
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any

from labelbench_direct.core.cores import usable_cores
from labelbench_direct.hosts.labelbench.messages import say

DEVICE_VARIABLE = "LABELBENCH_DIRECT_DEVICE"
"""``cpu``: nothing calls CUDA. Set by ``--device cpu``, so that child processes have it too."""


@dataclass(frozen=True)
class Bridge:
    """One line of LabelBench, what fails there today, and what is done about it."""

    name: str
    answers: str
    """File and line in LabelBench's known commit."""
    code: str
    """What stands on that line; a test looks."""
    why: str
    is_needed: Callable[[Path], bool]
    """Whether this environment and this checkout need it."""
    apply: Callable[[], None]
    mend: str = ""
    """Where the bridge comes too late for LabelBench's plain ``main.py``: what makes it unnecessary."""


def _clip_lacks_pkg_resources(checkout: Path) -> bool:
    clip = importlib.util.find_spec("clip")
    if clip is None or clip.origin is None or importlib.util.find_spec("pkg_resources") is not None:
        return False
    sources = Path(clip.origin).parent.glob("*.py")
    return any("pkg_resources" in source.read_text(encoding="utf-8") for source in sources)


def _lend_pkg_resources() -> None:
    """The one name of it that ``clip`` uses, ``packaging``, for as long as it takes to import ``clip``."""
    import packaging.version

    lent = ModuleType("pkg_resources")
    lent.packaging = packaging  # type: ignore[attr-defined]  # a module made here has no declared names
    sys.modules["pkg_resources"] = lent
    try:
        importlib.import_module("clip")
    finally:
        del sys.modules["pkg_resources"]


def _loads_weights_only(checkout: Path) -> bool:
    import torch

    source = checkout / "LabelBench/dataset/datasets.py"
    says_how = source.is_file() and "weights_only" in source.read_text(encoding="utf-8")
    return tuple(map(int, torch.__version__.split(".")[:2])) >= (2, 6) and not says_how


def _load_own_caches() -> None:
    """What LabelBench's data sets load are caches that LabelBench wrote; other callers load weights only, as before."""
    import torch

    load = torch.load

    @functools.wraps(load)
    def load_too(*arguments: Any, **options: Any) -> Any:
        caller = sys._getframe(1).f_globals.get("__name__", "")
        if not caller.startswith("LabelBench.dataset."):
            return load(*arguments, **options)
        options.setdefault("weights_only", False)
        try:
            return load(*arguments, **options)
        except Exception as error:  # torch raises whatever it meets in half a file
            raise ValueError(
                f"LabelBench's cache {arguments[0]} cannot be read ({type(error).__name__}: {error}), as a crash or a "
                "full disk leaves it: delete it, and LabelBench makes it again"
            ) from error

    torch.load = load_too


def _starts_workers_afresh(checkout: Path) -> bool:
    method = multiprocessing.get_start_method(allow_none=True) or multiprocessing.get_all_start_methods()[0]
    return sys.platform == "linux" and method != "fork"


def _fork_workers() -> None:
    multiprocessing.set_start_method("fork", force=True)


def _cap_workers() -> None:
    from torch.utils.data import DataLoader

    init = DataLoader.__init__

    @functools.wraps(init)
    def capped(self: Any, *arguments: Any, **options: Any) -> None:
        options["num_workers"] = min(options.get("num_workers", 0), usable_cores())
        init(self, *arguments, **options)

    DataLoader.__init__ = capped  # type: ignore[method-assign]  # what the bridge is


def _is_cpu_asked_for(checkout: Path) -> bool:
    device = os.environ.get(DEVICE_VARIABLE, "cuda")
    if device not in ("cpu", "cuda"):
        raise ValueError(f"{DEVICE_VARIABLE} must be cpu or cuda, got {device!r}")
    return device == "cpu"


def _stay_on_cpu() -> None:
    import contextlib

    import torch

    def stay(self: Any, *_: Any, **__: Any) -> Any:
        return self

    torch.Tensor.cuda = stay  # type: ignore[method-assign]  # what the bridge is, in these three lines
    torch.nn.Module.cuda = stay  # type: ignore[method-assign]
    torch.cuda.amp.autocast = contextlib.nullcontext  # type: ignore[misc,assignment]
    torch.cuda.device_count = lambda: 0
    torch.cuda.is_available = lambda: False


def _answer_locally() -> None:
    """What the flag sets wandb itself heeds; what is read back from an account comes from the JSON lines."""
    from labelbench_direct.hosts.labelbench import local_runs

    local_runs.serve()


BRIDGES = (
    Bridge(
        "pkg_resources",
        "LabelBench/model/model_impl/clip.py:3",
        "import clip",
        "clip imports pkg_resources, which setuptools 82 and newer no longer have",
        _clip_lacks_pkg_resources,
        _lend_pkg_resources,
        mend="pip install 'setuptools>=77.0.3,<82'",
    ),
    Bridge(
        "weights-only",
        "LabelBench/dataset/datasets.py:50",
        "labels = torch.load(",
        "torch loads plain weights only by default; LabelBench's caches of labels and features are admitted",
        _loads_weights_only,
        _load_own_caches,
    ),
    Bridge(
        "fork",
        "LabelBench/dataset/dataset_impl/wilds_dataset.py:37",
        "lambda x: torch.LongTensor([x])",
        "Python 3.14 starts worker processes afresh, and LabelBench's transforms cannot be sent there: they are forked",
        _starts_workers_afresh,
        _fork_workers,
    ),
    Bridge(
        "workers",
        "LabelBench/trainer/trainer_impl/pytorch_passive_trainer.py:180",
        "num_workers=10",
        f"data loaders with 10 to 40 workers are capped at the cores that may be used, {usable_cores()}",
        lambda checkout: usable_cores() < 40,
        _cap_workers,
    ),
    Bridge(
        "cpu",
        "LabelBench/trainer/trainer_impl/pytorch_passive_trainer.py:28",
        "model = model.cuda()",
        "CUDA is hard-coded; with --device cpu nothing calls it",
        _is_cpu_asked_for,
        _stay_on_cpu,
    ),
    Bridge(
        "wandb",
        "main.py:61",
        "wandb.init(",
        "LabelBench logs to an account, and reads back from it; with --wandb offline or disabled none is needed",
        lambda checkout: os.environ.get("WANDB_MODE") in ("offline", "disabled"),
        _answer_locally,
    ),
)
"""Every bridge, in the order in which they are needed."""

_applied: set[str] = set()


def apply_bridges(checkout: Path, bridges: Sequence[Bridge] = BRIDGES) -> None:
    """Apply those of the bridges that this checkout needs here, each once, saying so on standard error."""
    for bridge in bridges:
        if bridge.name not in _applied and bridge.is_needed(checkout):
            bridge.apply()
            _applied.add(bridge.name)
            say(f"bridge {bridge.name}: {bridge.why} (answers {bridge.answers})")
