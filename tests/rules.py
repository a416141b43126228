"""The strategies' rules in plain loops, written from their definitions: slow, and what the strategies are compared
with.
"""

import itertools
import math
from dataclasses import replace
from fractions import Fraction

import numpy as np
import oracle


def galaxy_position(line, cuts):
    """Where GALAXY asks on one graph, by bisection or around the cuts; None where it draws."""
    annotated = [i for i, label in enumerate(line) if label is not None]
    paths = []
    for a in annotated:
        for b in annotated:
            between = range(a + 1, b)
            if a < b and line[a] != line[b] and len(between) and all(line[i] is None for i in between):
                paths.append((len(between), a, between))
    if paths:
        *_, between = min(paths, key=lambda path: path[:2])
        return between[(len(between) - 1) // 2]
    candidates = []
    for a in range(len(line) - 1):
        pair = (line[a], line[a + 1])
        if pair == (False, True) or (pair == (True, False) and cuts == "all"):
            for position, label in enumerate(line):
                if label is None:
                    candidates.append(
                        (a - position, 0, -a, position) if position < a else (position - a - 1, 1, -a, position)
                    )
    return min(candidates)[-1] if candidates else None


def galaxy(probabilities, labeled, annotate, budget, rng, cuts):
    """GALAXY's queries in order; draws what the core draws: the class, and the rank of an unlabeled example."""
    num_classes = len(probabilities[0])
    labels = dict(labeled)
    queries = []
    for _ in range(budget):
        k = rng.integers(num_classes) if num_classes > 2 else 0
        order = oracle.class_order(probabilities, k)
        line = [None if index not in labels else bool(labels[index] == k) for index in order]
        position = galaxy_position(line, cuts)
        if position is None:
            unlabeled = [i for i, label in enumerate(line) if label is None]
            position = unlabeled[rng.integers(len(unlabeled))]
        queries.append(order[position])
        labels[order[position]] = annotate(order[position])
    return queries


def direct_explore(probabilities, labeled, annotate, budget, parallel, rng, options, explore):
    """Batches drawn from the whole pool until their share is used, which falls with every class that can be told from
    another by its labels; then DIRECT, whose searches fade. Draws what the strategy draws: at once the most examples
    that may explore.
    """
    num_classes = len(probabilities[0])
    labels, queries = dict(labeled), []
    if options.min_budget_per_class is None:
        options = replace(options, min_budget_per_class=budget * budget // (2 * num_classes * max(1, len(labeled))))
    unlabeled = [index for index in range(len(probabilities)) if index not in labels]
    drawn = rng.choice(unlabeled, size=budget, replace=False).tolist()
    while True:
        named = set(labels.values())
        unknown = sum(k not in named or not named - {k} for k in range(num_classes))
        left = round(budget * (explore + (1 - explore) * Fraction(unknown, num_classes))) - len(queries)
        if left <= 0:
            break
        for index in drawn[len(queries) :][: min(left, parallel)]:
            queries.append(index)
            labels[index] = annotate(index)
    budget -= len(queries)
    return queries + oracle.direct(probabilities, labels, annotate, budget, parallel, rng, options)


def first(candidates, budget, value):
    """The candidates with the least values, equal ones by index."""
    return sorted(candidates, key=lambda index: (value(index), index))[:budget]


def margin(row):
    low, high = sorted(row)[-2:]
    return high - low


def confidence(row):
    return max(row)


def negative_entropy(row):
    return sum(p * math.log2(p) for p in row if p > 0)


def rare_class_score(row, labels, pool_means):
    """The highest score but that of the majority: most labels, or the highest mean score where there are none."""
    weights = [labels.count(k) for k in range(len(row))] if labels else pool_means
    majority = weights.index(max(weights))
    return max(p for k, p in enumerate(row) if k != majority)


def squared_distance(a, b):
    return sum((x - y) ** 2 for x, y in zip(a, b, strict=True))


def coreset(embeddings, labeled, unlabeled, budget):
    """Greedy k-center; the first unlabeled example where there is no center."""
    centers, chosen = list(labeled), []
    for _ in range(budget):
        left = [index for index in unlabeled if index not in chosen]

        def to_nearest(index):
            return min((squared_distance(embeddings[index], embeddings[c]) for c in centers), default=math.inf)

        chosen.append(max(left, key=lambda index: (to_nearest(index), -index)))
        centers.append(chosen[-1])
    return chosen


def gradient(scores, embedding, label=None):
    """Of the cross entropy by the last layer's weights, as one long list; labeled as predicted where not labeled."""
    label = scores.index(max(scores)) if label is None else label
    return [(p - (k == label)) * x for k, p in enumerate(scores) for x in embedding]


def badge(gradients, budget):
    """The probability of each sequence of rows that k-means++ may choose, from the row with the largest norm."""
    norms = [squared_distance(g, [0] * len(g)) for g in gradients]
    sequences = {}
    start = norms.index(max(norms))
    for others in itertools.permutations([row for row in range(len(gradients)) if row != start], budget - 1):
        chosen, probability = [start], 1.0
        for row in others:
            nearest = [min(squared_distance(g, gradients[c]) for c in chosen) for g in gradients]
            probability *= nearest[row] / sum(nearest)
            chosen.append(row)
        sequences[tuple(chosen)] = probability
    return sequences


def boundary_distance(logits, weights, k):
    """How far an embedding has to move to the boundary of class k; of the predicted one, to the nearest boundary."""
    predicted = logits.index(max(logits))

    def distance(c):
        gap = math.sqrt(squared_distance(weights[predicted], weights[c]))
        return (logits[predicted] - logits[c]) / gap if gap > 0 else math.inf

    return min(distance(c) for c in range(len(logits)) if c != predicted) if k == predicted else distance(k)


def base(distances, candidates, budget):
    """``distances[k][place]``; equal shares for the classes, the first ones one more."""
    num_classes, chosen = len(distances), []
    for k in range(num_classes):
        left = [place for place in range(len(candidates)) if place not in chosen]
        share = budget // num_classes + (1 if k < budget % num_classes else 0)
        chosen += sorted(left, key=lambda place: (distances[k][place], place))[:share]
    return [candidates[place] for place in chosen]


def average_linkage(points, num_clusters):
    """Merge the two clusters with the least mean distance between their members until so many are left."""
    clusters = [[i] for i in range(len(points))]

    def apart(a, b):
        return sum(math.dist(points[i], points[j]) for i in a for j in b) / (len(a) * len(b))

    while len(clusters) > num_clusters:
        a, b = min(itertools.combinations(clusters, 2), key=lambda pair: apart(*pair))
        clusters = [c for c in clusters if c is not a and c is not b] + [a + b]
    return {frozenset(cluster) for cluster in clusters}


def round_robin(clusters, budget):
    """Places, one from each cluster in turn, from the smallest cluster to the largest."""
    queues = {c: [place for place, other in enumerate(clusters) if other == c] for c in set(clusters)}
    turns = sorted(queues, key=lambda c: (len(queues[c]), c))
    chosen = []
    while len(chosen) < budget:
        chosen += [queues[c].pop(0) for c in turns if queues[c]]
    return chosen[:budget]


def similarity(a, b):
    """(1 + cosine) / 2 of two gradients; a gradient of length 0 is at right angles to all."""
    lengths = math.hypot(*a) * math.hypot(*b)
    return (1 + (sum(x * y for x, y in zip(a, b, strict=True)) / lengths if lengths else 0)) / 2


def flqmi(similarities, chosen):
    """``similarities[j][q]``; the mutual information of the chosen j with all q."""
    if not chosen:
        return 0.0
    covered = sum(max(similarities[j][q] for j in chosen) for q in range(len(similarities[0])))
    return covered + sum(max(similarities[j]) for j in chosen)


def fisher(scores, embedding):
    """One example's information, in K - 1 coordinates of the classes' space that are orthogonal to the ones."""
    num_classes = len(scores)
    basis = np.linalg.svd(np.ones((1, num_classes)))[2][1:]
    return np.kron(basis @ (np.diag(scores) - np.outer(scores, scores)) @ basis.T, np.outer(embedding, embedding))


def bait(information, labeled, unlabeled, budget, proposals, rounds, ridge, rng):
    """``information[index]``; draws what the strategy draws."""
    pool = sum(information)
    pool = pool + 1e-7 * np.diag(pool).mean() * np.eye(len(pool))

    def trace(selected):
        return np.trace(np.linalg.inv(sum(information[i] for i in selected) + ridge * pool) @ pool)

    shuffled = rng.permutation(unlabeled).tolist()
    batch, outside = shuffled[:budget], shuffled[budget:]
    for _ in range(rounds if outside else 0):
        for _ in range(budget):
            places = rng.choice(len(outside), size=min(proposals, len(outside)), replace=False).tolist()
            oldest = batch.pop(0)
            candidates = [oldest] + [outside[place] for place in places]
            best = min(range(len(candidates)), key=lambda c: trace([*labeled, *batch, candidates[c]]))
            batch.append(candidates[best])
            if best:
                outside[places[best - 1]] = oldest
    return batch
