"""How many of the labels that ``annotate status --suspicious`` lists are wrong, where a tenth of all labels are.

Scikit-learn's digits, two of them rare, logistic regression, a first round of 100 random labels and then rounds of 100
by DIRECT; for several seeds.
"""

from __future__ import annotations

import sys

import numpy as np
from sklearn.datasets import load_digits
from sklearn.linear_model import LogisticRegression

from labelbench_direct import DirectSession
from labelbench_direct.annotate.cuts import suspicions

SEEDS, ROUNDS, BATCH, NOISE = 4, 3, 100, 0.1


def main() -> int:
    """Print a line a round and seed, and the sums."""
    digits = load_digits()
    kept = np.flatnonzero((digits.target < 8) | (np.arange(len(digits.target)) % 8 == 0))
    pixels, truth = digits.data[kept] / 16, digits.target[kept]
    rows = []
    for seed in range(SEEDS):
        rng = np.random.default_rng(seed)
        is_wrong = rng.random(len(truth)) < NOISE
        given = np.where(is_wrong, (truth + rng.integers(1, 10, len(truth))) % 10, truth)
        labeled = rng.permutation(len(truth))[:BATCH]
        for _ in range(ROUNDS):
            model = LogisticRegression(max_iter=1000, C=0.1).fit(pixels[labeled], given[labeled])
            scores = np.full((len(truth), 10), 1e-6)
            scores[:, model.classes_] += model.predict_proba(pixels)
            scores /= scores.sum(axis=1, keepdims=True)
            session = DirectSession(scores, labeled, given[labeled], budget=BATCH, parallel=5, rng=rng)
            while not session.done:
                indices = session.ask()
                session.tell(indices, given[indices])
            labeled = np.concatenate([labeled, np.fromiter(session.told, dtype=np.int64)])
            found = suspicions(scores, dict(zip(labeled.tolist(), given[labeled].tolist(), strict=True)))
            rows.append((len(labeled), is_wrong[labeled].sum(), len(found), sum(is_wrong[one.index] for one in found)))
            print("seed {}: of {} labels {} are wrong; {} are listed, {} of them wrong".format(seed, *rows[-1]))
    print("in all: of {} labels {} are wrong; {} are listed, {} of them wrong".format(*np.sum(rows, axis=0)))
    return 0


if __name__ == "__main__":
    sys.exit(main())
