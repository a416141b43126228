"""Right: the same on CUDA as on the CPU, within what half precision explains."""

from __future__ import annotations

import gc
import shutil
from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import partial
from typing import Any
from unittest import mock

import numpy as np
import standins
import torch
from setting import GIB, Finding, Setting, Step

from labelbench_direct import DirectSession
from labelbench_direct.core.scores import OnDevice
from labelbench_direct.experiment.schema import Trial
from labelbench_direct.experiment.storage import read_lines
from labelbench_direct.experiment.trial import Settings, run_trial
from labelbench_direct.hosts.embedded import load, make_trainer
from labelbench_direct.hosts.embedded.data.parts import Data, Part
from labelbench_direct.hosts.embedded.pool import Pool
from labelbench_direct.labelbench import ALInput
from labelbench_direct.strategies import STRATEGIES

CPU = torch.device("cpu")
ACCURACY, LOSS, SCORE = 0.05, 0.2, 0.2
"""How far CUDA may be from the CPU after training: test accuracy, mean test loss; and two trainings on CUDA from the
same seed from each other, in any score."""


MOST_ROWS = 4096
"""Of scores or embeddings that may be copied from the device at once, whatever the pool's size."""


def coloured(count: int, side: int, seed: int) -> Part:
    """Noise, reddish in class 0 and bluish in class 1."""
    rng = np.random.default_rng(seed)
    labels = rng.permutation(np.arange(count) % 2)
    images = rng.integers(0, 120, size=(count, side, side, 3), dtype=np.uint8)
    images[np.arange(count), :, :, 2 * labels] += 100
    return Part(images, labels.astype(np.int64))


def images(count: int, tested: int, side: int) -> Data:
    return Data("coloured", coloured(count, side, 0), coloured(4, side, 1), coloured(tested, side, 2), ("red", "blue"))


TRAINERS: dict[str, dict[str, Any]] = {
    "passive": {"name": "passive"},
    "FlexMatch": {"name": "flexmatch", "unlabeled_ratio": 2, "cutoff": 0.6},
    "pseudo-labels": {"name": "pseudo_label", "unlabeled_ratio": 2, "cutoff": 0.6},
}


def _kinds(setting: Setting) -> dict[str, tuple[dict[str, Any], dict[str, Any], Callable[[], Data], int]]:
    """Of each model: its configuration, its training, its data, and how many are labeled."""
    tiny = not setting.on_cuda
    steps = {"steps": 2 if tiny else 100, "batch_size": 32}
    few = {"steps": 2 if tiny else 20, "batch_size": 4 if tiny else 32, "learning_rate": 3e-4}
    vit = {"steps": 1 if tiny else 3, "batch_size": 2 if tiny else 4, "learning_rate": 1e-5, "optimizer": "adamw"}
    return {
        "linear": ({"name": "linear"}, steps, lambda: load("digits"), 100),
        "mlp": ({"name": "mlp"}, steps, lambda: load("digits"), 100),
        "ResNet-18": (
            {"name": "resnet18", "weights": "random"},
            few,
            lambda: images(16 if tiny else 400, 8 if tiny else 200, 32),
            8 if tiny else 100,
        ),
        "ViT-B/32": (
            {"name": "clip_vitb32", "weights": "random", "frozen": False},
            vit,
            lambda: images(6 if tiny else 32, 2 if tiny else 20, 32 if tiny else 224),
            2 if tiny else 8,
        ),
    }


class _Trained:
    """A trained and tested model, and what was seen on the way."""

    def __init__(self, model: Any, trainer: Any, data: Data, labeled: int, device: torch.device) -> None:
        pool = Pool(data)
        pool.update_labeled_idxs(np.arange(labeled))
        self.trainer = make_trainer(model, trainer, pool, 0, device)
        scalers: list[torch.amp.GradScaler] = []

        class Recorded(torch.amp.GradScaler):
            def __init__(self, *arguments: Any, **options: Any) -> None:
                super().__init__(*arguments, **options)
                scalers.append(self)

        with mock.patch.object(torch.amp, "GradScaler", Recorded):
            self.model = self.trainer.train()
        self.scaler = scalers[0]
        kinds: list[torch.dtype] = []
        hook = self.model.head.register_forward_hook(lambda _, __, output: kinds.append(output.dtype))
        for part in ("train", "val", "test"):
            getattr(self.trainer, f"evaluate_on_{part}")(self.model)
        hook.remove()
        self.precision = kinds[0]
        self.metrics = self.trainer.compute_metric(1)
        (self.scores,) = self.trainer.retrieve_inputs([ALInput.TEST_PRED])


def _compare(setting: Setting, model: Any, trainer: Any, data: Callable[[], Data], labeled: int) -> Finding:
    made = data()
    here, there = (_Trained(model, trainer, made, labeled, device) for device in (setting.device, CPU))
    off = {key: abs(here.metrics[key] - there.metrics[key]) for key in ("Test Accuracy", "Test Loss")}
    precision = torch.float16 if setting.on_cuda else torch.float32
    finite = all(bool(torch.isfinite(value).all()) for value in here.model.state_dict().values())
    ok = off["Test Accuracy"] <= ACCURACY and off["Test Loss"] <= LOSS and finite
    ok = ok and here.precision == precision and here.scaler.is_enabled() == setting.on_cuda
    return Finding(
        f"accuracy {here.metrics['Test Accuracy']:.3f}, off by {off['Test Accuracy']:.3f}; loss off by "
        f"{off['Test Loss']:.4f}; any score by at most {np.abs(here.scores - there.scores).max():.3f}; "
        f"{here.precision}, gradients scaled by {here.scaler.get_scale():g}",
        f"at most {ACCURACY} and {LOSS}; {precision}",
        ok,
    )


def train(setting: Setting) -> Iterator[Step]:
    """Every trainer with every model on the device, and on the CPU."""
    for name, (model, options, data, labeled) in _kinds(setting).items():
        vit_on_cpu = not setting.on_cuda and name == "ViT-B/32"  # a minute for each
        for kind, trainer in list(TRAINERS.items())[: 1 if vit_on_cpu else None]:
            made = partial(_compare, setting, model, {**trainer, **options}, data, labeled)
            yield f"{name}, {kind}", made
    model, options, data, labeled = _kinds(setting)["ResNet-18"]

    def twice() -> Finding:
        made = data()
        one, two = (_Trained(model, {**TRAINERS["passive"], **options}, made, labeled, setting.device) for _ in "12")
        off = float(np.abs(one.scores - two.scores).max())
        return Finding(
            f"any score by at most {off:.2g}",
            f"at most {SCORE if setting.on_cuda else 0}",
            off <= SCORE * setting.on_cuda,
        )

    yield "ResNet-18 twice from one seed", twice


def _elsewhere(array: Any, setting: Setting) -> Any:
    """A tensor on the GPU; on the CPU one that says that it is elsewhere."""
    tensor = torch.from_numpy(np.ascontiguousarray(array))
    return tensor.to(setting.device) if setting.on_cuda else standins.Elsewhere(tensor)


def _watched(run: Callable[[], Any]) -> tuple[Any, int, int]:
    """The answer, and the bytes that came from the device: at most at once, and in all."""
    sizes: list[int] = []
    read = OnDevice.__getitem__

    def counted(self: OnDevice, key: Any) -> Any:
        found = read(self, key)
        sizes.append(found.nbytes)
        return found

    with mock.patch.object(OnDevice, "__getitem__", counted):
        return run(), max(sizes, default=0), sum(sizes)


def _pool(count: int, classes: int, dtype: Any) -> tuple[Any, Any, Any, Any]:
    """Scores, whose half precision is a device's own, embeddings, labels, and which are labeled."""
    rng = np.random.default_rng(0)
    labels = rng.integers(classes, size=count)
    logits = rng.normal(scale=2, size=(count, classes)).astype(np.float32)
    logits[np.arange(count), labels] += 3
    scores = torch.from_numpy(logits).to(dtype).softmax(dim=1).numpy()
    return scores, rng.normal(size=(count, 32)).astype(scores.dtype), labels, rng.choice(count, count // 20, False)


def scores(setting: Setting) -> Iterator[Step]:
    """Sessions and strategies that read what lies on the device: the same as from main memory, never copied whole."""
    for dtype in (torch.float16, torch.float32, torch.float64):

        def session(dtype: torch.dtype = dtype) -> Finding:
            array, _, labels, labeled = _pool(setting.sizes.scored, 62, dtype)

            def run(given: Any) -> list[int]:
                rng = np.random.default_rng(0)
                session = DirectSession(given, labeled, labels[labeled], budget=300, parallel=20, rng=rng)
                while not session.done:
                    asked = session.ask()
                    session.tell(asked, labels[asked])
                return list(session.told)

            tensor = _elsewhere(array, setting)
            chosen, most, total = _watched(lambda: run(tensor))
            same, ties = chosen == run(array), 1 - len(np.unique(array)) / array.size
            return Finding(
                f"{'the same' if same else 'other'} examples; read at once at most {most / array.nbytes:.1%} of the "
                f"scores, {total / array.nbytes:.1f} times all; {ties:.1%} repeated",
                f"the same, at most {MOST_ROWS:,} rows",
                same and 0 < most <= array.nbytes * MOST_ROWS / len(array),
            )

        yield f"DIRECT on {setting.sizes.scored:,} x 62 scores, {dtype}", session
    for name in STRATEGIES:
        yield f"strategy {name}", lambda name=name: _strategy(name, setting)


def _strategy(name: str, setting: Setting) -> Finding:
    array, embeddings, labels, labeled = _pool(5_000, 10, torch.float16)
    config = {"bait": {"pca_dimension": 4, "num_proposed_additions": 5}}.get(name, {})

    def run(given: Any, vectors: Any) -> list[int]:
        dataset = standins.Dataset(labels, labeled, 10)
        strategy = STRATEGIES[name](config, dataset, np.random.default_rng(0))
        return strategy.select(standins.Trainer(given, vectors), 20).tolist()

    there = _elsewhere(array, setting), _elsewhere(embeddings, setting)
    chosen, most, _ = _watched(lambda: run(*there))
    same, largest = chosen == run(array, embeddings), max(array.nbytes, embeddings.nbytes)
    value = (
        f"{'the same' if same else 'other'} examples; read at once at most {most / largest:.0%} of the largest input"
    )
    return Finding(
        value, f"the same, at most {MOST_ROWS:,} rows", same and 0 < most <= largest * MOST_ROWS / len(array)
    )


_TRIAL = Trial(
    dataset="digits_imb_3",
    model={"name": "mlp"},
    trainer={"name": "passive", "steps": 50},
    strategy={"strategy_name": "direct", "B1": 5},
    seed=0,
    noise=0.1,
    batch_size=12,
    rounds=4,
)


def trial(setting: Setting) -> Iterator[Step]:
    """A trial interrupted after two of four rounds, and resumed."""

    def resume() -> Finding:
        whole, half = setting.scratch / "whole", setting.scratch / "half"
        run_trial(_TRIAL, whole, Settings())
        shutil.copytree(whole, half)
        path = half / _TRIAL.identifier
        for name in ("rounds.jsonl", "times.jsonl"):
            kept = (path / name).read_text().splitlines(keepends=True)[:2]
            (path / name).write_text("".join(kept))
        run_trial(_TRIAL, half, Settings())
        first, second = (read_lines(one / _TRIAL.identifier / "rounds.jsonl") for one in (whole, half))
        same = [one["indices"] == two["indices"] for one, two in zip(first, second, strict=True)]
        off = max(
            abs(one["metrics"]["Test Accuracy"] - two["metrics"]["Test Accuracy"])
            for one, two in zip(first, second, strict=True)
        )
        value = f"{sum(same)} of 4 rounds have the same examples; accuracies off by at most {off:.4f}"
        if setting.on_cuda:  # training on a GPU need not repeat itself bit by bit
            return Finding(value, f"the first 2, {ACCURACY}", all(same[:2]) and len(same) == 4 and off <= ACCURACY)
        return Finding(value, "4 of 4, 0", all(same) and off == 0)

    yield "interrupted and resumed", resume


def memory(setting: Setting) -> Iterator[Step]:
    """Out of memory: the documented error, and the next trial runs. The cap is what this process may use of a card."""
    cap = 2 * GIB
    if setting.on_cuda:
        total = torch.cuda.get_device_properties(0).total_memory
        torch.cuda.set_per_process_memory_fraction(min(1.0, cap / total))
    hidden = 4_000_000 if setting.on_cuda else 10**12

    def full(run: Callable[[], Any], what: str) -> Finding:
        try:
            run()
        except MemoryError as error:
            said = str(error)
            wanted = f"no room on {setting.device} for {what}"
            return Finding(said, f"{wanted} ...", said.startswith(wanted) and "use a smaller" in said)
        return Finding("no error", "MemoryError", False)

    large = replace(_TRIAL, model={"name": "mlp", "hidden": hidden})
    what = "a batch of" if setting.on_cuda else "the model"
    yield (
        "a model that is too large",
        lambda: full(lambda: run_trial(large, setting.scratch / "large", Settings()), what),
    )
    if setting.on_cuda:
        rows = np.zeros((cap // 4096, 2048), dtype=np.float32)  # 4 GiB of address space, none of it touched
        part = Part(rows[:2], np.arange(2))
        data = Data("large", Part(rows, np.arange(len(rows)) % 2), part, part, ("a", "b"))
        options = {"name": "passive"}
        yield (
            "data that are too large",
            lambda: full(lambda: make_trainer({"name": "linear"}, options, Pool(data), 0, setting.device), "the data"),
        )

    def after() -> Finding:
        outcome = run_trial(_TRIAL, setting.scratch / "after", Settings())
        gc.collect()
        held = torch.cuda.memory_allocated() if setting.on_cuda else 0
        value = f"{outcome.status}; {held / 2**20:.0f} MiB held after it"
        return Finding(value, "finished; at most 256 MiB", outcome.status == "finished" and held <= 256 * 2**20)

    yield "the next trial", after
