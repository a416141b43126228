"""Images per second of ResNet-18 and of CLIP's ViT-B/32, in training and in scoring, against a bare loop in torch over
the same images, which are tensors already: scaled, normalized, on the device.

    python tests/benchmarks/throughput.py

Both sides make a model and train it for the same steps, or score the same images; seconds are the processor's on the
CPU (one thread) and the clock's elsewhere. Random weights. The share must be at least 0.9.
"""

import copy
import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np
import torch
from torch.nn import functional
from torchvision.models import resnet18

from labelbench_direct.hosts.embedded import make_trainer
from labelbench_direct.hosts.embedded.data.parts import Data, Part
from labelbench_direct.hosts.embedded.pool import Pool
from labelbench_direct.hosts.embedded.training.passive import best_device

Case: TypeAlias = tuple[dict[str, Any], int, int, int, int]
"""A model, the side of its images, how many there are, the batch size and the steps of training."""

SETTINGS: dict[str, Case] = {
    "resnet18, 32 x 32": ({"name": "resnet18", "weights": "random"}, 32, 512, 64, 20),
    "clip_vitb32, 224 x 224": ({"name": "clip_vitb32", "weights": "random", "frozen": False}, 224, 16, 8, 3),
}
REPEATS = 3


def pool_of(count, side):
    rng = np.random.default_rng(0)
    part = Part(rng.integers(256, size=(count, side, side, 3), dtype=np.uint8), np.arange(count) % 2)
    pool = Pool(Data("noise", part, part, part, ("a", "b")))
    pool.update_labeled_idxs(np.arange(count))
    return pool


def bare_training(make_model, images, labels, batch_size, steps):
    model = make_model().train()
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-4)
    on_cuda = images.device.type == "cuda"
    scaler = torch.amp.GradScaler(images.device.type, enabled=on_cuda)
    for step in range(steps):
        rows = torch.arange(step * batch_size, (step + 1) * batch_size, device=images.device) % len(images)
        with torch.autocast(images.device.type, enabled=on_cuda):
            loss = functional.cross_entropy(model(images[rows]), labels[rows])
        optimizer.zero_grad()
        scaler.scale(loss).backward()
        scaler.step(optimizer)
        scaler.update()


@torch.no_grad()
def bare_scoring(model, images, batch_size):
    model.eval()
    with torch.autocast(images.device.type, enabled=images.device.type == "cuda"):
        return torch.cat([model(batch).softmax(dim=1) for batch in images.split(batch_size)]).cpu()


class Logits(torch.nn.Module):
    """A classifier's body and head, and nothing else."""

    def __init__(self, network):
        super().__init__()
        self.layers = torch.nn.Sequential(network.body, network.head)

    def forward(self, images):
        return self.layers(images)


@dataclass(frozen=True)
class Pair:
    """The same work for so many images, ours and the bare loop's."""

    ours: Callable[[], object]
    bare: Callable[[], object]
    num_images: int


def pairs(model, side, count, batch_size, steps, device) -> dict[str, Pair]:
    """Training and scoring of one case."""
    pool = pool_of(count, side)
    options = {"name": "passive", "steps": steps, "batch_size": batch_size, "learning_rate": 1e-4}
    trainer = make_trainer(model, options, pool, 0, device)
    network = trainer._network.build(2).to(device)
    bare, untrained = Logits(network), Logits(trainer._network.build(2))

    def make_model():
        return (
            resnet18(num_classes=2).to(device) if model["name"] == "resnet18" else copy.deepcopy(untrained).to(device)
        )

    images = torch.cat(list(trainer._network.inputs.in_order("train")))
    labels = torch.from_numpy(pool.data.train.labels).to(device)
    size = trainer._network.inputs._rows_scored
    return {
        "training": Pair(
            trainer.train,
            lambda: bare_training(make_model, images, labels, batch_size, steps),
            batch_size * steps,
        ),
        "scoring": Pair(lambda: trainer.evaluate_on_train(network), lambda: bare_scoring(bare, images, size), count),
    }


def seconds(run, device):
    clock = time.process_time if device.type == "cpu" else time.perf_counter
    started = clock()
    run()
    if device.type == "cuda":
        torch.cuda.synchronize()
    return clock() - started


def compare(pair: Pair, device, repeats=REPEATS) -> tuple[float, float, float]:
    """Images per second, ours and the bare loop's, and the share: medians of runs in turns."""
    pair.ours(), pair.bare()  # the first run is slower
    times = [(seconds(pair.ours, device), seconds(pair.bare, device)) for _ in range(repeats)]
    share = statistics.median(bare / ours for ours, bare in times)
    ours, bare = (pair.num_images / statistics.median(one) for one in zip(*times, strict=True))
    return ours, bare, share


def main():
    torch.set_num_threads(1)
    device = best_device()
    print(f"{device}, torch {torch.__version__}; medians of {REPEATS} runs\n")
    print("| | images/s | bare loop | share |\n|---|---|---|---|")
    for name, case in SETTINGS.items():
        for what, pair in pairs(*case, device).items():
            ours, bare, share = compare(pair, device)
            print(f"| {name}, {what} | {ours:.1f} | {bare:.1f} | {share:.2f} |", flush=True)


if __name__ == "__main__":
    main()
