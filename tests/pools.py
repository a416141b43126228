"""Random small pools for property tests: ties, duplicates, absent classes, everything labeled, one example."""

from dataclasses import dataclass

import numpy as np
from hypothesis import strategies as st

from labelbench_direct.core.one_vs_rest import OneVsRest
from labelbench_direct.core.options import Options

seeds = st.integers(0, 2**32 - 1)


@st.composite
def score_matrices(draw, max_examples=12, max_classes=4):
    """Softmax scores from few distinct values, so that margins and scores tie; or from many; or saturated."""
    num_examples, num_classes = draw(st.integers(1, max_examples)), draw(st.integers(2, max_classes))
    rng = np.random.default_rng(draw(seeds))
    kind = draw(st.sampled_from(["few", "many", "saturated"]))
    dtype = draw(st.sampled_from([np.float16, np.float32, np.float64]))
    if kind == "many":
        scores = rng.dirichlet(np.ones(num_classes), num_examples)
    elif kind == "few":
        counts = rng.integers(0, 4, (num_examples, num_classes)) + np.eye(num_classes)[0]
        scores = counts / counts.sum(axis=1, keepdims=True)
    else:
        logits = rng.integers(-30, 30, (num_examples, num_classes)).astype(float)
        scores = np.exp(logits - logits.max(axis=1, keepdims=True))
        scores /= scores.sum(axis=1, keepdims=True)
    scores[0] = 1 / num_classes  # never one-hot as a whole
    return scores.astype(dtype)


@dataclass(frozen=True)
class Pool:
    """Scores, every example's label, and which of them are known at the start."""

    probabilities: np.ndarray
    labels: np.ndarray
    labeled: np.ndarray

    @property
    def num_unlabeled(self):
        return len(self.labels) - len(self.labeled)

    @property
    def num_classes(self):
        return self.probabilities.shape[1]


@st.composite
def pools(draw, **sizes):
    probabilities = draw(score_matrices(**sizes))
    num_examples, num_classes = probabilities.shape
    rng = np.random.default_rng(draw(seeds))
    present = rng.permutation(num_classes)[: draw(st.integers(1, num_classes))]
    labels = rng.choice(present, num_examples)
    follow = rng.random(num_examples) < draw(st.sampled_from([0.0, 0.7, 1.0]))
    labels = np.where(follow, probabilities.argmax(axis=1), labels)
    labeled = rng.permutation(num_examples)[: draw(st.integers(0, num_examples))]
    return Pool(probabilities, labels, labeled)


@st.composite
def lines(draw, max_size=14):
    """One class's order with some positions annotated: as the oracle's list, and as the core's OneVsRest."""
    line = draw(st.lists(st.sampled_from([None, None, True, False]), min_size=1, max_size=max_size))
    return line, one_vs_rest(line)


def one_vs_rest(line):
    """The oracle's list as the core has it."""
    positions = [i for i, label in enumerate(line) if label is not None]
    votes = [1 if line[i] else -1 for i in positions]
    return OneVsRest(np.array(positions, dtype=np.int64), np.array(votes, dtype=np.int64), len(line))


all_options = st.builds(
    Options,
    threshold_tie=st.sampled_from(["half", "lowest", "minority"]),
    keep_best=st.booleans(),
    min_budget_per_class=st.none() | st.integers(0, 5),
)


@st.composite
def embeddings_of(draw, num_examples, max_dimensions=3):
    """Embeddings of small whole numbers, so that many are equal or equally far; or of any; or in few places."""
    dimensions = draw(st.integers(1, max_dimensions))
    rng = np.random.default_rng(draw(seeds))
    kind = draw(st.sampled_from(["whole", "any", "few", "zero"]))
    dtype = draw(st.sampled_from([np.float16, np.float32, np.float64]))
    if kind == "any":
        embeddings = rng.normal(size=(num_examples, dimensions))
    elif kind == "few":
        embeddings = rng.normal(size=(2, dimensions))[rng.integers(0, 2, num_examples)]
    else:
        embeddings = rng.integers(-3, 4, (num_examples, dimensions)) * (kind == "whole")
    return embeddings.astype(dtype)
