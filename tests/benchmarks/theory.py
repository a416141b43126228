"""The paper's theory, tried on this package's own algorithms: writes docs/theory.md and its pictures.

    python tests/benchmarks/theory.py docs

One class against the rest, on a line: N examples in the order of their scores, the first of them of the class. A label
is wrong with probability eta, each on its own. Known at the start are the two ends, rightly.
"""

import itertools
import math
import sys
from pathlib import Path

import numpy as np

from labelbench_direct import GalaxySession
from labelbench_direct.core.annotations import Annotations
from labelbench_direct.core.class_line import ClassLine
from labelbench_direct.core.one_vs_rest import OneVsRest
from labelbench_direct.core.vreduce import vreduce

SIZE = 10_000
LEMMA_SIZE = 8
CUT_NOISE, CUT_BUDGET, CUT_TRIALS = (0.05, 0.1, 0.2), 120, 500
NOISE, TRIALS = (0.0, 0.1, 0.2, 0.3, 0.4), 200
RARE = {"1:9": SIZE // 10, "1:99": SIZE // 100}
BUDGETS = (10, 20, 40, 80, 160, 320)
ROUNDS, PARALLEL = 8, 5
COLORS = ("#000000", "#E69F00", "#56B4E9", "#009E73", "#D55E00", "#CC79A7")
TOLERANCE = 4
"""A threshold is missed where it is further away than the class's size, divided by this."""


def check_lemma(most):
    """Lemma A.1 for every way in which up to ``most`` examples can be labeled or not; how many ways there are."""
    count = 0
    for size in range(1, most + 1):
        for labels in itertools.product((None, True, False), repeat=size):
            losses, gains = [], []
            for t in range(size + 1):
                losses.append(labels[:t].count(False) + labels[t:].count(True))
                gains.append(labels[:t].count(True) - labels[:t].count(False))
            best = [t for t, loss in enumerate(losses) if loss == min(losses)]
            assert best == [t for t, gain in enumerate(gains) if gain == max(gains)], labels
            annotated = [i for i, label in enumerate(labels) if label is not None]
            votes = [1 if labels[i] else -1 for i in annotated]
            found = OneVsRest(np.array(annotated, dtype=np.int64), np.array(votes, dtype=np.int64), size)
            assert found.best_threshold("lowest") == best[0], labels
            assert found.best_threshold("highest") == best[-1], labels
            count += 1
    return count


def noisy_line(size, rare, eta, rng):
    """(N,) whether each label says that its example is of the class: the first ``rare`` are."""
    is_class = np.arange(size) < rare
    wrong = rng.random(size) < eta
    wrong[[0, -1]] = False
    return is_class ^ wrong


def galaxy(line, rng, budget):
    """GALAXY's positions, in the order of asking. Class 0 is the class, its order the line."""
    scores = np.linspace(1, 0, len(line) + 2)[1:-1]
    ends = np.array([0, len(line) - 1])
    labels = np.where(line, 0, 1)
    session = GalaxySession(np.stack([scores, 1 - scores], axis=1), ends, labels[ends], budget=budget, rng=rng)
    while not session.done:
        index = session.ask()
        session.tell(index, labels[index])
    return np.fromiter(session.told, dtype=np.int64)


def search(line, rng, budget, parallel, keep_best=True):
    """VReduce's positions, ``parallel`` at a time."""
    ends, labels = np.array([0, len(line) - 1]), np.where(line, 0, 1)
    known = Annotations(ends, labels[ends], budget, len(line))
    for indices in vreduce(ClassLine(np.arange(len(line)), known, 0), budget, parallel, rng, keep_best, []):
        known.add(indices, labels[indices])
    return known.indices[2:].copy()


def search_in_rounds(line, rng, budget, keep_best=True):
    return search(line, rng, budget, math.ceil(budget / ROUNDS), keep_best)


def search_as_printed(line, rng, budget):
    return search_in_rounds(line, rng, budget, keep_best=False)


def search_in_fives(line, rng, budget):
    return search(line, rng, budget, PARALLEL)


def uniform(line, rng, budget):
    """Positions drawn from the whole line."""
    return 1 + rng.choice(len(line) - 2, size=budget, replace=False)


def bisection(line, rng, budget):
    """The middle between the last that was said to be of the class and the first that was said not to be."""
    low, high, asked = 0, len(line) - 1, []
    while high - low > 1 and len(asked) < budget:
        asked.append((low + high) // 2)
        low, high = (asked[-1], high) if line[asked[-1]] else (low, asked[-1])
    return np.array(asked, dtype=np.int64)


METHODS = {
    f"search, {ROUNDS} rounds": search_in_rounds,
    f"search, {PARALLEL} at a time": search_in_fives,
    f"as printed, {ROUNDS} rounds": search_as_printed,
    "GALAXY": galaxy,
    "uniform": uniform,
    "bisection": bisection,
}
GOES_ON = ("GALAXY", "uniform", "bisection")
"""What they ask for first does not depend on the budget."""


def estimate(line, positions):
    """The best threshold by the labels at these positions and at the ends."""
    annotated = np.sort(np.concatenate([[0, len(line) - 1], positions]))
    return OneVsRest(annotated, np.where(line[annotated], 1, -1), len(line)).best_threshold("half")


def missed(name, rare, eta, budgets=BUDGETS, trials=TRIALS, size=SIZE):
    """For each budget: the share of trials whose estimate is too far from the class's end."""
    ends = np.zeros((trials, len(budgets)))
    for trial in range(trials):
        seeds = np.random.SeedSequence([trial, round(100 * eta), rare]).spawn(2)  # the same labels for all methods
        line, rng = noisy_line(size, rare, eta, np.random.default_rng(seeds[0])), np.random.default_rng(seeds[1])
        if name in GOES_ON:
            asked = METHODS[name](line, rng, max(budgets))
            ends[trial] = [estimate(line, asked[:budget]) for budget in budgets]
        else:
            ends[trial] = [estimate(line, METHODS[name](line, rng, budget)) for budget in budgets]
    return (np.abs(ends - rare) > rare / TOLERANCE).mean(axis=0)


def extra_cut(eta, budget=CUT_BUDGET, trials=CUT_TRIALS, size=SIZE, rare=RARE["1:9"]):
    """(budget,): the share of trials in which GALAXY's first b labels, b = 1.., have found a cut that is not the true
    threshold: neighbors, both labeled, one as the class and the other not.
    """
    found = np.zeros((trials, budget), dtype=bool)
    for trial in range(trials):
        seeds = np.random.SeedSequence([trial, round(100 * eta)]).spawn(2)
        line = noisy_line(size, rare, eta, np.random.default_rng(seeds[0]))
        is_known = np.zeros(size, dtype=bool)
        is_known[[0, -1]] = True
        for b, i in enumerate(galaxy(line, np.random.default_rng(seeds[1]), budget).tolist()):
            is_known[i] = True
            neighbors = [j for j in (i - 1, i + 1) if is_known[j] and line[j] != line[i]]
            found[trial, b] = any(max(i, j) != rare for j in neighbors)
    return np.logical_or.accumulate(found, axis=1).mean(axis=0)


def theorem_b1(eta, budget):
    """The least probability that GALAXY finds an extra cut."""
    return 1 - math.exp(-budget * math.log(1 / (1 - eta)) / 2)


def uniform_noiseless(rare, budget, size=SIZE):
    """How often uniform sampling misses without noise: exactly where nobody asks for one of the examples that follow
    the class, as many as the tolerance. Then the estimate is the first example that is known not to be of the class.
    """
    near = rare // TOLERANCE + 1
    return math.prod((size - 2 - near - i) / (size - 2 - i) for i in range(budget))


def bisection_at_most(eta, size=SIZE):
    """How often bisection misses, at most: where one of its labels is wrong."""
    return 1 - (1 - eta) ** math.ceil(math.log2(size))


def rate(budgets, shares, trials=TRIALS):
    """How fast the share falls, per label: the least-squares line through its logarithm where it is neither near 1 nor
    too small to be counted. Not a number where fewer than two points are left.
    """
    budgets, shares = np.array(budgets), np.array(shares)
    counted = (shares < 0.9) & (shares * trials >= 3)
    if counted.sum() < 2:
        return math.nan
    return -np.polyfit(budgets[counted], np.log(shares[counted]), 1)[0]


def draw_cuts(found, path):
    """Theorem B.1: what was found, and the bound."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(5.6, 3.6), layout="constrained")
    axes = figure.subplots()
    budgets = np.arange(1, CUT_BUDGET + 1)
    for eta, color in zip(CUT_NOISE, COLORS, strict=False):
        axes.plot(budgets, found[eta], color=color, label=f"GALAXY, {eta:.0%} wrong")
        axes.plot(budgets, [theorem_b1(eta, b) for b in budgets], "--", color=color, label="  at least (Theorem B.1)")
    axes.axvspan(0, 2 * math.log2(SIZE), color="0.92", zorder=0)
    axes.text(1, 1.03, "b < 2 log N", fontsize=8, color="0.35")
    axes.set(xlabel="labels b", ylabel="an extra cut is found", xlim=(0, CUT_BUDGET), ylim=(0, 1.09))
    axes.legend(frameon=False, fontsize=8)
    figure.savefig(path, dpi=110)


def draw_misses(shares, path):
    """A panel for each imbalance and noise; on a log scale an exponential fall is a straight line."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(15, 6), layout="constrained")
    panels = figure.subplots(len(RARE), len(NOISE), sharex=True, sharey=True)
    floor = 0.5 / TRIALS
    for row, (ratio, rare) in zip(panels, RARE.items(), strict=True):
        for axes, eta in zip(row, NOISE, strict=True):
            for name, color in zip(METHODS, COLORS, strict=True):
                axes.plot(BUDGETS, np.maximum(shares[ratio, eta, name], floor), "o-", ms=3, color=color, label=name)
            if eta == 0:
                exact = [uniform_noiseless(rare, b) for b in BUDGETS]
                axes.plot(BUDGETS, np.maximum(exact, floor), "k:", label="uniform, exactly")
            else:
                axes.axhline(bisection_at_most(eta), color="k", ls="--", lw=0.8, label="bisection, at most")
            axes.set_title(f"{ratio}, {eta:.0%} wrong", fontsize=10)
            axes.set_yscale("log")
    for axes in panels[-1]:
        axes.set_xlabel("labels b")
    for axes in panels[:, 0]:
        axes.set_ylabel("threshold missed")
    handles = dict(zip(*reversed(panels[0, 0].get_legend_handles_labels()), strict=True))
    handles |= dict(zip(*reversed(panels[0, 1].get_legend_handles_labels()), strict=True))
    figure.legend(handles.values(), handles.keys(), loc="outside lower center", ncols=4, frameon=False, fontsize=9)
    figure.savefig(path, dpi=90)


def table(head, rows):
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)


def main():
    folder = Path(sys.argv[1])
    count = check_lemma(LEMMA_SIZE)
    found = {eta: extra_cut(eta) for eta in CUT_NOISE}
    shares = {
        (ratio, eta, name): missed(name, rare, eta) for ratio, rare in RARE.items() for eta in NOISE for name in METHODS
    }
    draw_cuts(found, folder / "theory-cuts.png")
    draw_misses(shares, folder / "theory-misses.png")
    some = (20, 30, 40, 60, 80, 120)
    cuts = [[f"{eta:.0%}", *(f"{found[eta][b - 1]:.3f} ({theorem_b1(eta, b):.3f})" for b in some)] for eta in CUT_NOISE]
    misses = [
        [ratio, f"{eta:.0%}", name, *(f"{share:.3f}" for share in own), f"{rate(BUDGETS, own):.4f}".replace("nan", "")]
        for (ratio, eta, name), own in shares.items()
    ]
    page = PAGE.format(
        size=f"{SIZE:,}",
        count=f"{count:,}",
        lemma_size=LEMMA_SIZE,
        cut_trials=CUT_TRIALS,
        enough=2 * math.log2(SIZE),
        trials=TRIALS,
        rounds=ROUNDS,
        parallel=PARALLEL,
        cuts=table(["wrong labels", *(f"b = {b}" for b in some)], cuts),
        misses=table(["", "wrong", "", *(f"b = {b}" for b in BUDGETS), "rate"], misses),
    )
    (folder / "theory.md").write_text(page, encoding="utf-8")


PAGE = """\
# The paper's theory, tried

What the paper proves or claims of its algorithms, tried on this package's. `make theory` writes this page and its two
pictures, with the same numbers every time.

The setting is the paper's, one class against the rest on a line: N = {size} examples in the order of their scores, the
first tenth (1:9) or hundredth (1:99) of the class. Each label is wrong with the same probability. The two ends of the
line are known at the start.

## Lemma A.1: the least loss is the best threshold

The thresholds with the least loss are those with the most labels of the class, less the others, before them. So it is
in all {count} ways in which up to {lemma_size} examples can be of the class, of another, or not labeled, in plain loops
by the definitions; and the package finds the lowest and the highest of them each time.

## Theorem B.1: under wrong labels GALAXY finds cuts that are none

![How often GALAXY has found an extra cut, and the bound](theory-cuts.png)

The share of {cut_trials} lines (1:9) on which GALAXY's first b labels have found a cut other than the true threshold:
two neighbors of which one is labeled as the class and the other is not. In brackets what the theorem says it is at
least, for b > 2 log N = {enough:.1f}.

{cuts}

The bound holds, with room: its proof counts wrong labels among the first b / 2 only. With one label in ten wrong GALAXY
has such a cut on nearly every line after 40 labels.

## How fast a search misses less

![How often the threshold is missed](theory-misses.png)

The share of {trials} lines on which the best threshold by b labels is further from the true one than a quarter of the
class's size. On the picture's log scale an exponential fall is a straight line; nothing missed is drawn at the bottom.
The *rate* is that fall, per label: the slope of the logarithm where the share is below .9 and at least three lines are
counted. The paper gives no constants, so there is no bound to draw for the search. For uniform sampling without noise
the exact share is drawn (dotted); for bisection the probability that one of its labels is wrong, which its misses
cannot exceed (dashed).

*search*: VReduce (Algorithm 1) as this package runs it, with `keep_best`; its b labels in {rounds} rounds, or
{parallel} at a time and so in b / {parallel} rounds. *as printed*: without `keep_best`.

Chosen after a first look: {rounds} rounds, because they did well (read them as the search at its best), and a quarter
of the class's size, because a tenth of it is out of reach with 40% wrong.

{misses}

What it shows:

- **The fall is exponential, roughly, where the rounds are few**: in {rounds} rounds at 1:9 with up to 30% wrong.
  Without noise 40 labels never missed, where uniform sampling still misses a third (1:9) or nearly all (1:99). At 1:99
  with wrong labels it is slower, and flattens at 10% wrong. With 40% wrong nothing here gets far by 320 labels.
- **It is not where the rounds grow with the budget**, m = b / B_parallel as Algorithm 1 has it. With {parallel} labels
  a round and any noise the search hardly gets better after 80 labels, and at 1:99 with 10% or 20% wrong it gets worse.
  A version space that shrinks after every few labels shrinks by too little evidence, and what it gives up never comes
  back. A large B_parallel is not only quicker to annotate.
- **As printed the search is hardly better than uniform sampling**, although the rounds are few: of sub-intervals with
  equal losses it takes one, and the true threshold lies in another. That is what `keep_best` is for
  ([choices](choices.md)).
- **Bisection does not get better**: it ends after log N labels, and one wrong label sends it astray.
- **GALAXY does not miss more than the search**, whatever cuts it finds beside the threshold: the best threshold by its
  labels is level with that of the search in {rounds} rounds at 1:9 and up to 20% wrong, and better at 1:99 with 10% or
  20%. From 30% on the search is better. The theorem says where GALAXY's labels go, not what can be learned from them.

A line is not a network. The labels that find a threshold need not be those that a network learns most from.
"""

if __name__ == "__main__":
    main()
