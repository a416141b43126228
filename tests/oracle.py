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


def sub_intervals(line, space, size, unit, keep_best):
    """All sub-intervals (low, high) that Algorithm 1 may shrink to, in ascending order."""
    low, high = space
    groups = []  # the thresholds, in candidates those between the same two candidates together
    for t in range(low, high + 1):
        if unit == "positions" or t == low or line[t - 1] is None:
            groups.append([t])
        else:
            groups[-1].append(t)
    losses = [min(loss(line, t) for t in group) for group in groups]
    least = min(losses)
    best = [x for x, value in enumerate(losses) if value == least]
    width = min(size, len(groups)) - 1
    if keep_best:
        width = max(width, best[-1] - best[0])
    allowed = [x for x in range(len(groups) - width) if not keep_best or (x <= best[0] and best[-1] <= x + width)]
    worse = {x: max(losses[x], losses[x + width]) for x in allowed}
    return [(groups[x][0], groups[x + width][-1]) for x in allowed if worse[x] == min(worse.values())]


def nearest_unlabeled(line, t, count, nearest):
    """Algorithm 2, last step: unlabeled positions nearest to the cut t, of equally near ones the lower first."""
    below = [i for i in range(t - 1, -1, -1) if line[i] is None]
    above = [i for i in range(t, len(line)) if line[i] is None]
    if nearest == "balanced":
        ranked = [(rank, 0, i) for rank, i in enumerate(below)] + [(rank, 1, i) for rank, i in enumerate(above)]
    else:
        ranked = [(abs(i + 0.5 - t), i >= t, i) for i in below + above]
    return [i for *_, i in sorted(ranked)][:count]


def draw(candidates, count, numbering, rng, small_pool):
    """``count`` candidates, uniformly without replacement: drawn from a list, or tried in a large pool."""
    size = len(numbering)
    if size <= small_pool or len(candidates) * 64 <= size:
        return rng.choice(candidates, size=count, replace=False).tolist()
    drawn = []
    while len(drawn) < count:
        for number in rng.integers(size, size=8 + 2 * count * size // len(candidates)).tolist():
            if numbering[number] in candidates and numbering[number] not in drawn:
                drawn.append(numbering[number])
    return drawn[:count]


def shrink(line, space, target, options, rng):
    windows = sub_intervals(line, space, target, options.size_unit, options.keep_best)
    return windows[rng.integers(len(windows)) if options.window_tie == "random" else (len(windows) - 1) // 2]


def direct(probabilities, labeled, annotate, budget, parallel, rng, options, small_pool=8192):
    """Algorithms 1 and 2, drawing from ``rng`` what the core draws: the order of classes, ranks of candidates, windows.

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
        left, rounds, size = search_budget, math.ceil(search_budget / parallel), None
        for t in range(rounds):
            if t > 0:
                low, high = shrink(line, (low, high), max(1, round(size ** (1 - t / rounds))), options, rng)
            candidates = [order[i] for i in range(low, high) if line[i] is None]
            if size is None:
                size = 1 + (high - low if options.size_unit == "positions" else len(candidates))
            count = min(parallel, left, len(candidates))
            if count == 0:
                break
            ask(draw(candidates, count, class_order(probabilities, 0), rng, small_pool))
            left -= count
            line = line_of(order, k)
    rest = budget - len(queries)
    for i, k in enumerate(rng.permutation(num_classes).tolist()):
        order = class_order(probabilities, k)
        line = line_of(order, k)
        share = rest * (i + 1) // num_classes - rest * i // num_classes
        t = best_threshold(line, threshold_tie(line, options))
        ask([order[p] for p in nearest_unlabeled(line, t, share, options.nearest)])
    return queries
