"""Fast: images per second against a bare loop, with a profile where they fall short, and a whole round."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import throughput
import torch
from setting import Finding, Setting, Step

from labelbench_direct.hosts.embedded import make_trainer
from labelbench_direct.hosts.embedded.data.parts import Data, Part
from labelbench_direct.hosts.embedded.pool import Pool
from labelbench_direct.strategies import STRATEGIES

SHARE = 0.9


def _settings(setting: Setting) -> dict[str, throughput.Case]:
    sizes = setting.sizes
    resnet, vit = (
        {"name": "resnet18", "weights": "random"},
        {"name": "clip_vitb32", "weights": "random", "frozen": False},
    )
    large = (sizes.large_images, sizes.large_batch)
    return {
        "ResNet-18, 32 x 32": (resnet, 32, sizes.small_images, sizes.batch, sizes.steps),
        "ResNet-18, 224 x 224": (resnet, 224, *large, sizes.large_steps),
        **({"ViT-B/32, 224 x 224": (vit, 224, *large, sizes.large_steps)} if setting.on_cuda else {}),
    }


def speed(setting: Setting) -> Iterator[Step]:
    """Images per second in training and in scoring."""
    for name, case in _settings(setting).items():
        pairs: dict[str, throughput.Pair] = {}

        def pair(what: str, case: Any = case, pairs: Any = pairs) -> throughput.Pair:
            if not pairs:  # made when the first of the two is looked at: a failure is that step's
                pairs |= throughput.pairs(*case, setting.device)
            return pairs[what]

        for what in ("training", "scoring"):
            yield (
                f"{name}, {what}",
                lambda name=name, what=what, pair=pair: _share(f"{name}, {what}", pair(what), setting),
            )


def _share(name: str, pair: throughput.Pair, setting: Setting) -> Finding:
    ours, bare, share = throughput.compare(pair, setting.device, setting.sizes.repeats)
    short = setting.on_cuda and share < SHARE
    if short:
        _profile(name, pair.ours, setting)
    value = f"{ours:,.0f} images/s, bare {bare:,.0f}: {share:.2f}{' (see profiles.txt)' if short else ''}"
    return Finding(value, f"at least {SHARE}" if setting.on_cuda else "", not short if setting.on_cuda else None)


def _profile(name: str, run: Callable[[], Any], setting: Setting) -> None:
    """Append what the time of one run is spent on, on the processor and on the card."""
    from torch.profiler import ProfilerActivity, profile

    with profile(activities=[ProfilerActivity.CPU, ProfilerActivity.CUDA]) as seen:
        run()
        torch.cuda.synchronize()
    averages = seen.key_averages()
    with setting.profiles.open("a") as file:
        for order in ("self_cpu_time_total", "self_cuda_time_total"):
            file.write(f"{name}, by {order}\n{averages.table(sort_by=order, row_limit=20, max_name_column_width=60)}\n")


def round_(setting: Setting) -> Iterator[Step]:
    """A round at CIFAR-10's size, K 3, of random pixels: seconds of training, scoring, selecting."""
    rng = np.random.default_rng(0)
    count = setting.sizes.pool
    pixels = rng.integers(256, size=(count, 32, 32, 3), dtype=np.uint8)
    labels = np.minimum(rng.integers(10, size=count), 2)
    tested = Part(pixels[: count // 10], labels[: count // 10])
    data = Data("random pixels", Part(pixels, labels), tested, tested, ("a", "b", "others"))
    few = not setting.on_cuda
    for name, options in {
        "passive": {"name": "passive", "steps": 2 if few else 300, "batch_size": 8 if few else 128},
        "FlexMatch": {"name": "flexmatch", "steps": 1 if few else 60, "batch_size": 4 if few else 64},
    }.items():
        yield f"{count:,} x 32 x 32, ResNet-18, {name}", lambda options=options: _round(data, options, setting)


def _round(data: Data, options: dict[str, Any], setting: Setting) -> Finding:
    pool = Pool(data)
    pool.update_labeled_idxs(np.arange(len(pool) // 50))
    trainer = make_trainer({"name": "resnet18", "weights": "random"}, options, pool, 0, setting.device)
    clock = [time.perf_counter()]
    model = trainer.train()
    clock.append(time.perf_counter())
    for part in ("train", "val", "test"):
        getattr(trainer, f"evaluate_on_{part}")(model)
    clock.append(time.perf_counter())
    strategy = STRATEGIES["direct"]({}, pool, np.random.default_rng(0))
    chosen = strategy.select(trainer, len(pool) // 50)
    clock.append(time.perf_counter())
    training, scoring, selecting = np.diff(clock)
    return Finding(
        f"training {training:.1f} s ({options['steps']} steps of {options['batch_size']}), scoring {scoring:.1f} s "
        f"({len(pool) / scoring:,.0f} images/s and more), selecting {len(chosen):,} {selecting:.2f} s"
    )


def warm_up(setting: Setting) -> Iterator[Step]:
    """Compile what numba compiles once per installation, so that no later check pays for it."""

    def compile_() -> Finding:
        from labelbench_direct import DirectSession

        scores = np.random.default_rng(0).dirichlet(np.ones(30), 40_000 if setting.on_cuda else 100)
        started = time.perf_counter()
        DirectSession(scores, [0], [0], budget=20, parallel=20, rng=np.random.default_rng(0)).ask()
        return Finding(f"{time.perf_counter() - started:.1f} s")

    yield "the first selection, which compiles", compile_
