"""DIRECT in plain loops, written from the definitions: slow, and what the core is compared with.

``line`` is one class's order as a list with, for each position, True (annotated, the class), False (annotated, not
the class) or None (not annotated).
"""

import itertools
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


class Direct:
    """Algorithms 1 and 2, drawing from ``rng`` what the core draws: the order of classes and ranks of candidates.

    ``annotate(index)`` gives a label, and is called for what is asked only.
    """

    def __init__(self, probabilities, labeled, annotate, parallel, rng, options):
        self.probabilities, self.annotate, self.parallel = probabilities, annotate, parallel
        self.rng, self.options = rng, options
        self.labels = dict(labeled)
        self.asked = set()  # and not answered yet
        self.queries = []

    def is_free(self, index):
        return index not in self.labels and index not in self.asked

    def view(self, k):
        """The order of class k, and what is known along it."""
        order = class_order(self.probabilities, k)
        return order, [None if index not in self.labels else bool(self.labels[index] == k) for index in order]

    def search(self, k, left):
        order, line = self.view(k)
        low, high = initial_version_space(line)
        rounds, size = math.ceil(left / self.parallel), high - low + 1
        for t in range(rounds):
            if t > 0:
                target = max(1, round(size ** (1 - t / rounds)))
                low, high = shrink(self.view(k)[1], (low, high), target, self.options)
            candidates = [index for index in order[low:high] if self.is_free(index)]
            count = min(self.parallel, left, len(candidates))
            if count == 0:
                break
            yield [candidates[rank] for rank in draw(len(candidates), count, self.rng)]
            left -= count

    def annotate_around_threshold(self, k, share):
        order, line = self.view(k)
        t = best_threshold(line, threshold_tie(line, self.options))
        free = [None if self.is_free(index) else True for index in order]
        nearest = [order[p] for p in nearest_unlabeled(free, t, share)]
        for start in range(0, share, self.parallel):
            if batch := [index for index in nearest[start : start + self.parallel] if self.is_free(index)]:
                yield batch

    def spend(self, works, schedule):
        """Ask for what they yield: one work after the other, or side by side, and answer."""
        while works:
            for work in works[:1] if schedule == "sequential" else list(works):
                batch = next(work, None)
                if batch is None:
                    works.remove(work)
                else:
                    assert all(self.is_free(index) for index in batch)
                    self.asked.update(batch)
                    self.queries += batch
            self.labels |= {index: self.annotate(index) for index in self.asked}
            self.asked.clear()


def direct(probabilities, labeled, annotate, budget, parallel, rng, options, schedule="sequential"):
    """The queries in order."""
    run = Direct(probabilities, labeled, annotate, parallel, rng, options)
    num_classes = len(probabilities[0])
    most = budget if options.min_budget_per_class is None else options.min_budget_per_class
    share = min(budget // (2 * num_classes), most)
    run.spend([run.search(k, share) for k in rng.permutation(num_classes).tolist()], schedule)
    while True:
        rest = budget - len(run.queries)
        bounds = [rest * i // num_classes for i in range(num_classes + 1)]
        shares = [stop - start for start, stop in itertools.pairwise(bounds)]
        classes = rng.permutation(num_classes).tolist()
        run.spend([run.annotate_around_threshold(k, s) for k, s in zip(classes, shares, strict=True)], schedule)
        if len(run.queries) == budget:
            return run.queries
