"""Each strategy against its rule in plain loops."""

import numpy as np
import pytest
import rules
from hypothesis import given
from hypothesis import strategies as st
from pools import pools, seeds

from labelbench_direct import GalaxySession


def galaxy_session(pool, budget, seed, cuts="all", labels=None):
    labels = pool.labels if labels is None else labels
    rng = np.random.default_rng(seed)
    return GalaxySession(pool.probabilities, pool.labeled, labels[pool.labeled], budget=budget, rng=rng, cuts=cuts)


def run(session, labels):
    while not session.done:
        (index,) = session.ask()
        assert session.ask().tolist() == []
        session.tell([index], [labels[index]])
    return list(session.told)


@given(pools(max_examples=20), st.integers(0, 20), seeds, st.sampled_from(["all", "reversed"]))
def test_galaxy(pool, budget, seed, cuts):
    budget = min(budget, pool.num_unlabeled)
    known = {index: pool.labels[index] for index in pool.labeled.tolist()}
    rng = np.random.default_rng(seed)
    expected = rules.galaxy(pool.probabilities, known, pool.labels.__getitem__, budget, rng, cuts)
    assert run(galaxy_session(pool, budget, seed, cuts), pool.labels) == expected


@given(pools(), st.integers(0, 12), seeds)
def test_galaxy_never_sees_labels_it_has_not_asked_for(pool, budget, seed):
    budget = min(budget, pool.num_unlabeled)
    asked = run(galaxy_session(pool, budget, seed), pool.labels)
    poisoned = np.full_like(pool.labels, 10**9)
    seen = [*asked, *pool.labeled.tolist()]
    poisoned[seen] = pool.labels[seen]
    assert run(galaxy_session(pool, budget, seed, labels=poisoned), poisoned) == asked


def test_galaxy_refuses_unknown_cuts():
    scores = np.array([[0.6, 0.4], [0.3, 0.7]])
    with pytest.raises(ValueError, match="cuts must be one of 'all', 'reversed', got 'none'"):
        GalaxySession(scores, [], [], budget=1, rng=np.random.default_rng(0), cuts="none")
