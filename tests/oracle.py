"""DIRECT in plain loops, written from the definitions: slow, and what the core is compared with.

``line`` is one class's order as a list with, for each position, True (annotated, the class), False (annotated, not
the class) or None (not annotated).
"""

import math


def class_order(probabilities, k):
    """Eq. 2: descending margin, then descending score, then ascending index; two classes by score alone."""

    def key(index):
        row = probabilities[index]
        margin = float(row[k]) - float(max(row))
        return (-row[k], index) if len(row) == 2 else (-margin, -row[k], index)

    return sorted(range(len(probabilities)), key=key)


def loss(line, t):
    """Section 4.1: annotated examples that are wrong when the first t positions are called the class."""
    wrong = 0
    for position, label in enumerate(line):
        if label is not None and label != (position < t):
            wrong += 1
    return wrong


def agreement(line, t):
    """Eq. 1: of the class minus not of the class, over the annotated examples before t."""
    return sum(1 if label else -1 for label in line[:t] if label is not None)


def best_threshold(line, tie):
    """Eq. 1 by its own words: the threshold with the highest agreement."""
    size = len(line)
    highest = max(agreement(line, t) for t in range(size + 1))
    best = [t for t in range(size + 1) if agreement(line, t) == highest]
    if tie == "half":
        return min(best, key=lambda t: (abs(t - size / 2), t))
    return min(best) if tie == "lowest" else max(best)


def threshold_tie(line, options):
    """Section 4.1: the highest threshold for a minority class, the lowest otherwise."""
    if options.threshold_tie != "minority":
        return options.threshold_tie
    known = [label for label in line if label is not None]
    return "highest" if 2 * sum(known) < len(known) else "lowest"


def initial_version_space(line):
    """Algorithm 1, Initialize: the thresholds between the positions I and J, as (I + 1, J)."""
    size = len(line)
    first_other = next((i for i in range(size) if line[i] is False), size)
    last_member = next((i for i in reversed(range(size)) if line[i] is True), -1)
    i = max((p for p in range(first_other) if line[p] is True), default=-1)
    j = min((p for p in range(last_member + 1, size) if line[p] is False), default=size)
    return i + 1, j


def sub_intervals(line, space, size, keep_best):
    """All sub-intervals (low, high) that Algorithm 1 may shrink to, in ascending order."""
    low, high = space
    losses = {t: loss(line, t) for t in range(low, high + 1)}
    best = [t for t in losses if losses[t] == min(losses.values())]
    width = min(size, len(losses)) - 1
    if keep_best:
        width = max(width, best[-1] - best[0])
    allowed = [t for t in range(low, high - width + 1) if not keep_best or (t <= best[0] and best[-1] <= t + width)]
    worse = {t: max(losses[t], losses[t + width]) for t in allowed}
    return [(t, t + width) for t in allowed if worse[t] == min(worse.values())]


def nearest_unlabeled(line, t, count):
    """Algorithm 2, last step: unlabeled positions nearest to the cut t, of equally near ones the lower first."""
    unlabeled = [i for i in range(len(line)) if line[i] is None]
    return sorted(unlabeled, key=lambda i: (abs(i + 0.5 - t), i))[:count]


def shrink(line, space, size, options):
    windows = sub_intervals(line, space, size, options.keep_best)
    return windows[(len(windows) - 1) // 2]


def draw(total, count, rng):
    """Ranks of candidates, uniformly without replacement."""
    return [rng.integers(total)] if count == 1 else rng.choice(total, size=count, replace=False)


def direct(probabilities, labeled, annotate, budget, parallel, rng, options):
    """Algorithms 1 and 2, drawing from ``rng`` what the core draws: the order of classes and ranks of candidates.

    ``annotate(index)`` gives a label, and is called for what is asked only. Returns the queries in order.
    """
    num_classes = len(probabilities[0])
    labels = dict(labeled)
    queries = []

    def ask(indices):
        for index in indices:
            assert index not in labels
            labels[index] = annotate(index)
            queries.append(index)

    def line_of(order, k):
        return [None if index not in labels else bool(labels[index] == k) for index in order]

    most = options.min_budget_per_class
    search_budget = min(budget // (2 * num_classes), budget if most is None else most)
    for k in rng.permutation(num_classes).tolist():
        order = class_order(probabilities, k)
        line = line_of(order, k)
        low, high = initial_version_space(line)
        left, rounds, size = search_budget, math.ceil(search_budget / parallel), high - low + 1
        for t in range(rounds):
            if t > 0:
                low, high = shrink(line, (low, high), max(1, round(size ** (1 - t / rounds))), options)
            candidates = [order[i] for i in range(low, high) if line[i] is None]
            count = min(parallel, left, len(candidates))
            if count == 0:
                break
            ask([candidates[rank] for rank in draw(len(candidates), count, rng)])
            left -= count
            line = line_of(order, k)
    rest = budget - len(queries)
    for i, k in enumerate(rng.permutation(num_classes).tolist()):
        order = class_order(probabilities, k)
        line = line_of(order, k)
        share = rest * (i + 1) // num_classes - rest * i // num_classes
        t = best_threshold(line, threshold_tie(line, options))
        ask([order[p] for p in nearest_unlabeled(line, t, share)])
    return queries
