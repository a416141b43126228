"""FlexMatch with 40 labels of MNIST digits, four of each class, against passive training on the same labels.

    python tests/benchmarks/flexmatch.py [SEEDS]

Ten seeds (by default): which 40 examples are labeled, and what training draws. Every method trains the same network
for as many steps of as many labels. A few minutes on two cores.
"""

import sys

import numpy as np
import torch
from scipy.stats import t as student
from tqdm import tqdm

from labelbench_direct.hosts.embedded import load, make_trainer
from labelbench_direct.hosts.embedded.pool import Pool

DATA = "mnist5k"
PER_CLASS = 4
OPTIONS = {"steps": 1000, "batch_size": 64}
TRAINERS = {
    "passive": {"name": "passive", **OPTIONS},
    "passive, augmented": {"name": "passive", "augment": True, **OPTIONS},
    "pseudo-labeling": {"name": "pseudo_label", **OPTIONS},
    "FlexMatch": {"name": "flexmatch", **OPTIONS},
}


def accuracy(trainer, seed):
    """The test accuracy after training on the seed's labels."""
    data = load(DATA)
    rng = np.random.default_rng(seed)
    labels = data.train.labels
    labeled = [rng.choice(np.flatnonzero(labels == k), PER_CLASS, replace=False) for k in range(data.num_classes)]
    pool = Pool(data)
    pool.update_labeled_idxs(np.concatenate(labeled))
    trainer = make_trainer({"name": "mlp"}, trainer, pool, seed, "cpu")
    model = trainer.train()
    for part in ("train", "val", "test"):
        getattr(trainer, f"evaluate_on_{part}")(model)
    return trainer.compute_metric(1)["Test Accuracy"]


def with_interval(values):
    """The mean and its 95% interval (Student's t)."""
    half = student.ppf(0.975, len(values) - 1) * np.std(values, ddof=1) / np.sqrt(len(values))
    return f"{np.mean(values):+.3f}  [{np.mean(values) - half:+.3f}, {np.mean(values) + half:+.3f}]"


def main(num_seeds):
    torch.set_num_threads(1)
    seeds = range(num_seeds)
    accuracies = {
        name: np.array([accuracy(trainer, seed) for seed in tqdm(seeds, desc=name)])
        for name, trainer in TRAINERS.items()
    }
    print(f"test accuracy with {PER_CLASS * 10} labels of {DATA}, {num_seeds} seeds: mean and 95% interval")
    for name, values in accuracies.items():
        print(f"{name:30}{with_interval(values)}")
    for name in list(TRAINERS)[:-1]:
        print(f"{'FlexMatch - ' + name:30}{with_interval(accuracies['FlexMatch'] - accuracies[name])}")


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 10)
