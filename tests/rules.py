"""The strategies' rules in plain loops, written from their definitions: slow, and what the strategies are compared
with.
"""

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
