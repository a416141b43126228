"""LabelBench itself by its unmodified ``main.py``, and the paper's loop."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import tiny_datasets
from setting import Finding, MissingError, Setting, Step, missing

from labelbench_direct.hosts.corrupters import uniform_noise
from labelbench_direct.hosts.embedded import load, make_trainer
from labelbench_direct.hosts.embedded.data.parts import Data, Part
from labelbench_direct.hosts.embedded.pool import Pool
from labelbench_direct.hosts.labelbench.checkout import find_checkout
from labelbench_direct.hosts.labelbench.launch import command, environment
from labelbench_direct.hosts.loop import first_batch, run_rounds
from labelbench_direct.strategies import STRATEGIES

CPU_BRIDGE = "bridge cpu"
_LEFT_OUT = ("results", "docs", ".git", "wandb", "__pycache__")


@dataclass(frozen=True)
class Ran:
    """A run of LabelBench's ``main.py``: what it said, and its rounds."""

    said: str
    rounds: list[dict[str, Any]]


def labelbench(setting: Setting) -> Iterator[Step]:
    """``direct`` with both trainers and ViT-B/32 at random weights, on tiny files in FMoW's format."""
    absent = missing()
    if absent:
        raise MissingError(f"missing: {', '.join(absent)}; wheels: docs/gpu.md")
    try:
        home = find_checkout(None)
    except FileNotFoundError as error:
        raise MissingError(str(error)) from error
    checkout = setting.scratch / "LabelBench"
    shutil.copytree(home, checkout, ignore=shutil.ignore_patterns(*_LEFT_OUT))
    (checkout / "results").mkdir()
    devices = ("cuda", "cpu") if setting.on_cuda else ("cpu",)
    trainers = ("passive", "flexmatch")
    with ThreadPoolExecutor(max(1, min(4, (os.cpu_count() or 1) // 2))) as executor:
        runs = {
            (trainer, device): executor.submit(_run, checkout, trainer, device, setting.scratch / f"{trainer}-{device}")
            for trainer in trainers
            for device in devices
        }
        for trainer in trainers:
            yield (
                f"main.py, direct, {trainer}, ViT-B/32",
                lambda trainer=trainer: _compare({device: runs[trainer, device] for device in devices}),
            )


def _run(checkout: Path, trainer: str, device: str, folder: Path) -> Ran:
    data = tiny_datasets.write("fmow", folder / "data")
    model, training = tiny_datasets.write_training("fmow", trainer, folder)
    options = {"wandb_name": "nobody", "metric": "multi_class", "dataset": "fmow", "data_dir": data, "seed": 1}
    options |= {"batch_size": 2, "num_batch": 2, "classifier_model_config": model, "trainer_config": training}
    options |= {"strategy_config": "direct.json"}
    words = [word for name, value in options.items() for word in (f"--{name}", str(value))]
    inherited = environment(checkout, device=device, wandb="disabled", log=folder / "log")
    ended = subprocess.run(command(words), cwd=checkout, env=inherited, capture_output=True, text=True, check=False)
    print(ended.stdout, ended.stderr, flush=True)
    if ended.returncode:
        raise RuntimeError(f"main.py on {device} ended with {ended.returncode}: {ended.stderr.strip()[-400:]}")
    (log,) = (folder / "log").rglob("*.jsonl")
    return Ran(ended.stderr, [json.loads(line) for line in log.read_text().splitlines()][1:])


def _compare(runs: dict[str, Future[Ran]]) -> Finding:
    ran = {device: future.result() for device, future in runs.items()}
    device = next(iter(ran))
    first = [one.rounds[0]["indices"] for one in ran.values()]
    expected = first_batch(tiny_datasets.POOL, 2, 1).tolist()
    bridged = CPU_BRIDGE in ran[device].said
    loss = ran[device].rounds[-1]["metrics"]["Test Loss"]
    ok = all(one == expected for one in first) and bridged == (device == "cpu") and bool(np.isfinite(loss))
    ok = ok and [len(line["indices"]) for line in ran[device].rounds] == [2, 2]
    return Finding(
        f"on {' and '.join(ran)}: first batches {first}; {'a' if bridged else 'no'} bridge for the CPU; "
        f"test loss {loss:.3f}",
        f"{expected} each; {'a' if device == 'cpu' else 'no'} bridge",
        ok,
    )


def paper(setting: Setting) -> Iterator[Step]:
    """DIRECT against random sampling: K 3, 10% noise, ResNet-18 from random weights, two rounds."""
    try:
        data, what = load("cifar10_imb_3", setting.data), "CIFAR-10"
    except FileNotFoundError as error:
        yield "CIFAR-10", lambda error=error: Finding(f"not run: {error}")
        data, what = _digits(), "MNIST's digits as colour images, in its place"
    few = not setting.on_cuda
    size = 8 if few else min(1000, len(data.train.labels) // 10)
    options = {"name": "passive", "steps": 2 if few else 400, "batch_size": 4 if few else 128, "label_smoothing": 0.1}
    if few:
        data = replace(data, val=_some(data.val), test=_some(data.test))
    for name in ("direct", "random"):
        yield f"{what}: {name}", lambda name=name: _loop(name, data, options, size, setting)


def _some(part: Part) -> Part:
    return part.of(np.arange(20))


def _digits() -> Data:
    data = load("mnist5k_imb_3")

    def in_colour(part: Part) -> Part:
        grey = (part.inputs.reshape(-1, 28, 28, 1) * 255).astype(np.uint8)
        return replace(part, inputs=np.repeat(grey, 3, axis=3))

    train, val, test = (in_colour(part) for part in (data.train, data.val, data.test))
    return replace(data, train=train, val=val, test=test, image_shape=None)


def _loop(name: str, data: Data, options: dict[str, Any], size: int, setting: Setting) -> Finding:
    pool = Pool(data)
    pool.set_corrupter(uniform_noise(0.1, np.random.default_rng(1)))
    model = {"name": "resnet18", "weights": "random", "flip": "MNIST" not in data.name}
    trainer = make_trainer(model, options, pool, 0, setting.device)
    strategy = STRATEGIES[name]({"strategy_name": name}, pool, np.random.default_rng(0))
    rounds = list(run_rounds(pool, trainer, strategy, first_batch(len(pool), size, 0), size, 2))
    accuracies = [done.metrics["Balanced Test Accuracy"] for done in rounds]
    rarest = np.bincount(data.train.labels[pool.labeled_idxs()], minlength=3).min()
    value = f"balanced test accuracy {accuracies[0]:.3f}, {accuracies[1]:.3f}; {rarest} labels of the rarest class"
    least = 1 / 3
    return Finding(
        value,
        "" if not setting.on_cuda else f"above {least:.2f}",
        None if not setting.on_cuda else accuracies[1] > least,
    )
