"""Each strategy against its rule in plain loops."""

from dataclasses import asdict
from fractions import Fraction
from unittest import mock

import numpy as np
import pytest
import rules
import standins
from hypothesis import given, settings
from hypothesis import strategies as st
from pools import all_options, embeddings_of, pools, seeds
from scipy import stats

from labelbench_direct import GalaxySession
from labelbench_direct.core.annotations import Annotations
from labelbench_direct.core.checks import check_probabilities
from labelbench_direct.core.linear_graph import LinearGraph
from labelbench_direct.core.passes import plain
from labelbench_direct.core.scores import row_blocks
from labelbench_direct.strategies import badge, cluster_margin, coreset, similar
from labelbench_direct.strategies.bait import RIDGE, bait, principal_components
from labelbench_direct.strategies.base import PoolState, least, unit_scale
from labelbench_direct.strategies.base_sampling import Boundaries, balanced_nearest
from labelbench_direct.strategies.direct_explore import DirectExploreStrategy
from labelbench_direct.strategies.entropy import negative_entropy
from labelbench_direct.strategies.fisher import Fisher
from labelbench_direct.strategies.gradients import Gradients
from labelbench_direct.strategies.margin import top_two_margin
from labelbench_direct.strategies.most_likely_positive import rare_class_score


def highest(probabilities):
    return check_probabilities(probabilities).highest


def unlabeled_of(pool):
    return PoolState(check_probabilities(pool.probabilities), pool.labeled, pool.labels).unlabeled


@given(pools(max_examples=30), st.integers(0, 12))
def test_margin_and_confidence(pool, budget):
    unlabeled = unlabeled_of(pool)
    budget = min(budget, len(unlabeled))
    rows = plain(pool.probabilities)
    for values, rule in ((top_two_margin(rows), rules.margin), (highest(rows), rules.confidence)):
        expected = rules.first(unlabeled.tolist(), budget, lambda index: rule(rows[index]))  # noqa: B023
        assert least(values[unlabeled], unlabeled, budget).tolist() == expected


@given(pools(max_examples=30))
def test_entropy(pool):
    expected = [rules.negative_entropy(row) for row in pool.probabilities.astype(float).tolist()]
    tolerance = 1e-8 if pool.probabilities.dtype == np.float64 else 1e-5
    assert negative_entropy(pool.probabilities) == pytest.approx(expected, abs=tolerance)


@given(pools(max_examples=30))
def test_most_likely_positive(pool):
    labels = pool.labels[pool.labeled]
    means = pool.probabilities.mean(axis=0).tolist()
    expected = [rules.rare_class_score(row, labels.tolist(), means) for row in pool.probabilities.tolist()]
    assert rare_class_score(pool.probabilities, labels).tolist() == expected


def test_scores_of_more_than_one_block():
    scores = np.random.default_rng(0).dirichlet(np.ones(5), 3000)
    assert len(list(row_blocks(scores))) == 3
    assert top_two_margin(scores).tolist() == [rules.margin(row) for row in scores]
    assert highest(scores).tolist() == [rules.confidence(row) for row in scores]
    assert negative_entropy(scores) == pytest.approx([rules.negative_entropy(row) for row in scores.tolist()])
    labels = np.array([2])
    expected = [rules.rare_class_score(row, [2], None) for row in scores.tolist()]
    assert rare_class_score(scores, labels).tolist() == expected


@given(pools(max_examples=30), st.data(), st.sampled_from([1, 2, 5, 1024]))
def test_coreset(pool, data, candidates):
    embeddings = data.draw(embeddings_of(len(pool.labels)).filter(lambda array: (array == array.round()).all()))
    unlabeled = unlabeled_of(pool)
    budget = data.draw(st.integers(0, len(unlabeled)))
    expected = rules.coreset(embeddings.astype(int).tolist(), pool.labeled.tolist(), unlabeled.tolist(), budget)
    with mock.patch.object(coreset, "CANDIDATES", candidates):
        chosen = coreset.k_center_greedy(embeddings, pool.labeled, unlabeled, budget)
    assert chosen.tolist() == expected


@pytest.mark.parametrize("scale", [1e-200, 1.0, 1e200])
def test_coreset_without_ties(scale):
    embeddings = np.random.default_rng(0).normal(size=(300, 7))
    expected = rules.coreset(embeddings.tolist(), [5, 9], [*range(10, 300)], 40)
    with mock.patch.object(coreset, "CANDIDATES", 20):
        chosen = coreset.k_center_greedy(embeddings * scale, np.array([5, 9]), np.arange(10, 300), 40)
    assert chosen.tolist() == expected


@given(pools(), st.data())
def test_gradients(pool, data):
    """Distances equal those of the outer products; bounds are never below them and hardly above."""
    embeddings = data.draw(embeddings_of(len(pool.labels)))
    scores = pool.probabilities.astype(float)
    explicit = [rules.gradient(p, x) for p, x in zip(scores.tolist(), embeddings.astype(float).tolist(), strict=True)]
    gradients = Gradients(pool.probabilities, embeddings, np.arange(len(scores)))
    unit = max(gradients.square_norms.max(), 1e-30) / max(np.square(explicit).sum(axis=1).max(), 1e-30)
    everyone = np.arange(len(scores))
    distances = gradients.distances(everyone, everyone)
    expected = [[unit * rules.squared_distance(a, b) for b in explicit] for a in explicit]
    assert distances == pytest.approx(np.array(expected), abs=1e-9 * unit)
    bounds = np.full(len(scores), np.inf)
    centers = np.array([0, len(scores) - 1])
    gradients.shrink(bounds, centers)
    true = distances[:, centers].min(axis=1)
    assert (bounds >= true).all()
    assert bounds == pytest.approx(true, abs=1e-4 * max(gradients.square_norms.max(), 1e-30))


@pytest.mark.parametrize("proposals", [1, 4, 256])
def test_badge_draws_from_the_true_distances(proposals):
    rng = np.random.default_rng(0)
    scores, embeddings = rng.dirichlet(np.ones(3) / 2, 6), rng.normal(size=(6, 2))
    scores[5], embeddings[5] = scores[4], embeddings[4]
    explicit = [rules.gradient(p, x) for p, x in zip(scores.tolist(), embeddings.tolist(), strict=True)]
    expected = rules.badge(explicit, 4)
    counts = dict.fromkeys(expected, 0)
    gradients = Gradients(scores, embeddings, np.arange(6))
    with mock.patch.object(badge, "PROPOSALS", proposals):
        for _ in range(4000):
            counts[tuple(badge.badge(gradients, 4, rng).tolist())] += 1
    assert sum(expected.values()) == pytest.approx(1)
    possible = [sequence for sequence, probability in expected.items() if probability > 0]
    assert sum(counts[sequence] for sequence in possible) == 4000
    likely = [sequence for sequence in possible if expected[sequence] * 4000 > 5]
    seen = [counts[s] for s in likely] + [4000 - sum(counts[s] for s in likely)]
    hoped = [4000 * expected[s] for s in likely] + [4000 - sum(4000 * expected[s] for s in likely)]
    assert stats.chisquare(seen, hoped).pvalue > 0.001


def test_badge_with_fewer_places_than_labels():
    """Every gradient left equals a chosen one: the rest is drawn from all that are left."""
    scores = np.tile([[0.5, 0.3, 0.2]], (8, 1))
    embeddings = np.array([[1.0], [2.0]])[np.arange(8) % 2]
    chosen = badge.badge(Gradients(scores, embeddings, np.arange(8)), 8, np.random.default_rng(0))
    assert chosen[0] == 1
    assert chosen[1] % 2 == 0
    assert sorted(chosen.tolist()) == list(range(8))


def direct_explore(pool, budget, parallel, seed, labels=None, **config):
    dataset = standins.Dataset(pool.labels if labels is None else labels, pool.labeled, pool.num_classes)
    config = {"B1": parallel, **config}
    return DirectExploreStrategy(config, dataset, np.random.default_rng(seed)).select(
        standins.Trainer(pool.probabilities, None), budget
    )


@given(pools(), st.integers(0, 12), st.integers(1, 6), seeds, all_options, st.sampled_from([None, 0, 0.25, 0.5, 1]))
def test_direct_explore(pool, budget, parallel, seed, options, explore):
    budget = min(budget, pool.num_unlabeled)
    stated = {} if explore is None else {"explore": explore}
    chosen = direct_explore(pool, budget, parallel, seed, **asdict(options), **stated)
    share = Fraction(1, 2 * pool.num_classes) if explore is None else Fraction(explore)
    known = {index: pool.labels[index] for index in pool.labeled.tolist()}
    rng = np.random.default_rng(seed)
    assert chosen.tolist() == rules.direct_explore(
        pool.probabilities, known, pool.labels.__getitem__, budget, parallel, rng, options, share
    )


@pytest.mark.parametrize(
    ("num_classes", "unknown", "budget", "explored"), [(10, 1, 100, 14), (5, 2, 75, 34), (6, 4, 18, 12)]
)
def test_the_share_that_explores_is_rounded_exactly(num_classes, unknown, budget, explored):
    """14.5, 34.5 and 12.5 go to the even number, whatever floats make of them."""
    labels, labeled = np.arange(300) % (num_classes - unknown), np.arange(20)
    dataset = standins.Dataset(labels, labeled, num_classes)
    scores = np.random.default_rng(1).dirichlet(np.ones(num_classes), size=300)
    strategy = DirectExploreStrategy({}, dataset, np.random.default_rng(0))
    chosen = strategy.select(standins.Trainer(scores, None), budget)
    drawn = np.random.default_rng(0).choice(np.arange(20, 300), size=budget, replace=False)
    assert np.logical_and.accumulate(chosen == drawn).sum() == explored


@given(pools(), st.integers(0, 12), st.integers(1, 6), seeds)
def test_direct_explore_never_sees_labels_it_has_not_asked_for(pool, budget, parallel, seed):
    budget = min(budget, pool.num_unlabeled)
    chosen = direct_explore(pool, budget, parallel, seed)
    labels = (pool.labels + 1) % pool.num_classes
    seen = np.concatenate([pool.labeled, chosen])
    labels[seen] = pool.labels[seen]
    assert direct_explore(pool, budget, parallel, seed, labels).tolist() == chosen.tolist()


@pytest.mark.parametrize(
    ("explore", "error", "message"),
    [
        (1.5, ValueError, "explore must be between 0 and 1, got 1.5"),
        (-0.1, ValueError, "explore must be between 0 and 1, got -0.1"),
        (np.nan, ValueError, "explore must be between 0 and 1, got nan"),
        (True, TypeError, "explore must be a number, got True"),
        ("half", TypeError, "explore must be a number, got 'half'"),
    ],
)
def test_direct_explore_refuses_what_is_no_share(explore, error, message):
    with pytest.raises(error, match=message):
        DirectExploreStrategy({"explore": explore}, standins.Dataset([0, 1], [0], 2))


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


@settings(max_examples=100)
@given(pools(max_examples=120, max_classes=8), seeds, st.sampled_from(["all", "reversed"]))
def test_galaxy_to_the_last_of_a_larger_pool(pool, seed, cuts):
    known = {index: pool.labels[index] for index in pool.labeled.tolist()}
    rng = np.random.default_rng(seed)
    expected = rules.galaxy(pool.probabilities, known, pool.labels.__getitem__, pool.num_unlabeled, rng, cuts)
    assert run(galaxy_session(pool, pool.num_unlabeled, seed, cuts), pool.labels) == expected


@given(st.integers(1, 60), st.integers(2, 5), st.booleans(), seeds)
def test_linear_graph(size, num_classes, both_kinds, seed):
    """After labels in batches, wherever they fall: the same position as the rule's, which looks at everything."""
    rng = np.random.default_rng(seed)
    order, labels = rng.permutation(size), rng.choice(num_classes, size, p=rng.dirichlet(np.ones(num_classes)))
    if rng.random() < 0.5:  # few contradictions, so that annotated runs grow long
        labels = np.where(rng.random(size) < 0.9, np.argsort(order) >= size // 3, labels)
    known = Annotations(np.zeros(0, dtype=np.int64), np.zeros(0, dtype=np.int64), size, size)
    graph = LinearGraph(order, 0, known, both_kinds)
    line: list = [None] * size
    while None in line:
        left = np.flatnonzero([line[i] is None for i in range(size)])
        center = rng.choice(left)
        nearest = left[np.argsort(np.abs(left - center), kind="stable")]
        batch = nearest[: rng.integers(1, 9)] if rng.random() < 0.5 else rng.permutation(left)[: rng.integers(1, 9)]
        known.add(order[batch], labels[order[batch]])
        for i in batch:
            line[i] = bool(labels[order[i]] == 0)
        graph.update()
        position = graph.middle_of_shortest_path()
        if position is None:
            position = graph.nearest_to_a_cut()
        assert position == rules.galaxy_position(line, "all" if both_kinds else "reversed")
        unlabeled = [i for i, label in enumerate(line) if label is None]
        assert [graph.unlabeled_position(rank) for rank in range(len(unlabeled))] == unlabeled


@pytest.mark.parametrize("size", [1, 2, 3, 4, 255, 256, 257, 1000, 65535, 65536, 65537])
def test_linear_graph_knows_its_order(size):
    order = np.random.default_rng(0).permutation(size)
    nothing = Annotations(np.zeros(0, dtype=np.int64), np.zeros(0, dtype=np.int64), 0, size)
    graph = LinearGraph(order, 0, nothing, both_kinds=True)
    positions = np.unique(np.linspace(0, size - 1, 2000).astype(int)).tolist()
    assert [graph.index_at(position) for position in positions] == order[positions].tolist()


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


@given(seeds, st.integers(2, 4), st.integers(1, 3))
def test_boundary_distances(seed, num_classes, dimensions):
    """The weights of the last layer come back from scores and embeddings."""
    rng = np.random.default_rng(seed)
    embeddings, weights = rng.normal(size=(20, dimensions)), rng.normal(size=(num_classes, dimensions))
    logits = embeddings @ weights.T + rng.normal(size=num_classes)
    scores = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    boundaries, unit = Boundaries(scores, embeddings, np.arange(5, 20)), unit_scale(embeddings)
    for k in range(num_classes):
        expected = [unit * rules.boundary_distance(row, weights.tolist(), k) for row in logits[5:].tolist()]
        assert boundaries.distances(k) == pytest.approx(expected, rel=1e-5, abs=1e-7)


def test_boundary_of_classes_with_equal_weights_is_out_of_reach():
    embeddings = np.random.default_rng(0).normal(size=(9, 2))
    logits = embeddings @ np.array([[1.0, 0.0], [1.0, 0.0], [0.0, 1.0]]).T + [1, 0, 0]
    scores = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    boundaries = Boundaries(scores, embeddings, np.arange(9))
    assert np.isinf(boundaries.distances(1)[scores.argmax(axis=1) == 0]).all()
    assert np.isfinite(boundaries.distances(2)).all()


@given(seeds, st.integers(2, 5), st.integers(1, 12), st.data())
def test_base(seed, num_classes, num_candidates, data):
    budget = data.draw(st.integers(0, num_candidates))
    distances = np.random.default_rng(seed).integers(0, 4, (num_classes, num_candidates)).astype(float)
    candidates = np.arange(num_candidates) * 3
    expected = rules.base(distances.tolist(), candidates.tolist(), budget)
    assert balanced_nearest(distances.__getitem__, num_classes, candidates, budget).tolist() == expected


@settings(max_examples=200)
@given(seeds, st.integers(11, 24))
def test_average_linkage(seed, size):
    points = np.random.default_rng(seed).normal(size=(size, 2))
    with mock.patch.object(cluster_margin, "CLUSTER_SIZE", 3):
        clusters = cluster_margin.average_linkage(points, np.random.default_rng(0))
    groups = {frozenset(np.flatnonzero(clusters == c).tolist()) for c in set(clusters.tolist())}
    assert groups == rules.average_linkage(points.tolist(), size // 3)


@settings(max_examples=200)
@given(seeds)
def test_larger_pools_join_the_nearest_cluster(seed):
    """Whoever the tree is built of decides the means; everybody is with the nearest of them."""
    points = np.random.default_rng(seed).normal(size=(60, 2))
    with mock.patch.multiple(cluster_margin, CLUSTER_SIZE=3, TREE_SIZE=20):
        clusters = cluster_margin.average_linkage(points, np.random.default_rng(seed))
        leaves = np.sort(np.random.default_rng(seed).choice(60, 20, replace=False))
    means = [points[leaves[sorted(group)]].mean(axis=0) for group in rules.average_linkage(points[leaves].tolist(), 6)]
    nearest = np.array([min(range(6), key=lambda c: rules.squared_distance(p, means[c])) for p in points])
    assert {frozenset(np.flatnonzero(clusters == c).tolist()) for c in set(clusters.tolist())} == {
        frozenset(np.flatnonzero(nearest == c).tolist()) for c in set(nearest.tolist())
    }


@given(st.lists(st.integers(0, 4), min_size=1, max_size=20), st.data())
def test_round_robin(clusters, data):
    budget = data.draw(st.integers(0, len(clusters)))
    assert cluster_margin.round_robin(np.array(clusters), budget).tolist() == rules.round_robin(clusters, budget)


@given(pools(), st.data(), st.sampled_from([1, 2, 256]))
def test_similar(pool, data, candidates):
    """Each choice gains as much as any could, but for rounding."""
    embeddings = data.draw(embeddings_of(len(pool.labels)))
    unlabeled = unlabeled_of(pool)
    if not len(pool.labeled):
        return
    budget = data.draw(st.integers(0, len(unlabeled)))
    queries = pool.labeled
    scores, vectors = pool.probabilities.astype(float).tolist(), embeddings.astype(float).tolist()
    asked = [rules.gradient(scores[q], vectors[q], pool.labels[q]) for q in queries]
    offered = [rules.gradient(scores[j], vectors[j]) for j in unlabeled]
    similarities = [[rules.similarity(a, b) for b in asked] for a in offered]
    kernel = similar.Similarities(pool.probabilities, embeddings, queries, pool.labels[queries])
    assert kernel.to(unlabeled) == pytest.approx(np.array(similarities).reshape(-1, len(queries)), abs=1e-6)
    with mock.patch.object(similar, "CANDIDATES", candidates):
        chosen = similar.flqmi_greedy(kernel, unlabeled, budget).tolist()
    places = [unlabeled.tolist().index(index) for index in chosen]
    for step, place in enumerate(places):
        value = {
            j: rules.flqmi(similarities, [*places[:step], j]) for j in range(len(unlabeled)) if j not in places[:step]
        }
        assert value[place] >= max(value.values()) - 1e-6


@pytest.mark.parametrize(
    ("labels", "expected"),
    [([0, 0, 0, 1], [3]), ([0, 1, 2], [0, 1, 2]), ([2, 2, 2], [0, 1, 2]), ([0, 0, 1, 2, 0], [2, 3])],
)
def test_rare_examples(labels, expected):
    assert similar.rare_examples(np.arange(len(labels)), np.array(labels), 3).tolist() == expected


@settings(max_examples=100)
@given(seeds, st.integers(2, 4), st.integers(1, 3), st.integers(0, 2), st.integers(1, 4))
def test_bait(seed, num_classes, dimensions, rounds, proposals):
    rng = np.random.default_rng(seed)
    scores, embeddings = rng.dirichlet(np.ones(num_classes), 20), rng.normal(size=(20, dimensions))
    labeled, unlabeled = np.arange(4), np.arange(4, 20)
    information = [rules.fisher(p, x) for p, x in zip(scores, embeddings, strict=True)]
    budget = int(rng.integers(0, 17))
    arguments = (labeled, unlabeled, budget, proposals, rounds)
    expected = rules.bait(information, *arguments, RIDGE, np.random.default_rng(seed))
    assert bait(Fisher(scores, embeddings), *arguments, np.random.default_rng(seed)).tolist() == expected


def test_fisher_information():
    rng = np.random.default_rng(0)
    scores, embeddings = rng.dirichlet(np.ones(3), 1500), rng.normal(size=(1500, 2))
    total = Fisher(scores, embeddings).information(np.arange(1500))
    expected = sum(rules.fisher(p, x) for p, x in zip(scores, embeddings, strict=True))
    assert np.linalg.eigvalsh(total) == pytest.approx(np.linalg.eigvalsh(expected))  # bases differ by a rotation


def test_principal_components():
    rng = np.random.default_rng(0)
    embeddings = rng.normal(size=(50, 4)) * [5, 0, 1, 2] + 7
    for dimensions, kept in ((None, [0, 3, 2]), (2, [0, 3])):
        projected = principal_components(embeddings, dimensions)
        assert projected.shape == (50, len(kept))
        centered = embeddings - embeddings.mean(axis=0)
        assert np.abs(np.corrcoef(projected.T, centered[:, kept].T)[0, len(kept)]) > 0.98
    assert principal_components(np.ones((5, 3)), None).shape == (5, 0)
