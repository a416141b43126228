"""Break the code on purpose and see the tests fail: one mutant for each law that the tests claim to hold.

In a copy of the package one expression after the other is replaced. Run with ``make mutants``, or this file with parts
of the laws' names; the exit status is 1 if any survives.
"""

import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).parents[2]
LONGEST = 300
"""Seconds: tests that take longer don't end. One mutant's take ten to sixty."""
MUTANTS = [  # law, file, expression, replacement, tests that must fail
    ("order: descending margin", "core/passes.py", "np.subtract(highest[block], rows[block].T[columns]",
     "np.subtract(1 - highest[block], -rows[block].T[columns]",
     "fast_order"),
    ("order: each in its place", "core/order.py", "orders[start:]", "orders", "test_fast"),
    ("order: by gap after the score", "core/order.py", "by_score.take(by_gap", "by_gap.take(by_score", "fast_order"),
    ("order: predicted by score", "core/passes.py", "key[predicted] = -np.abs", "key[predicted] = np.abs", "fast_order"),
    ("order: ties by index", "core/passes.py", "keys |= np.arange(len(keys))", "keys |= np.arange(len(keys))[::-1]",
     "fast_order"),
    ("order: equal gaps by score", "core/order.py", " | ((gap == next_gap) & (score[these] < score[following]))", "",
     "fast_order"),
    ("order: what is too close", "core/order.py", "some[np.lexsort((some, -score[some], highest[some] - score[some]))]", "some",
     "too_close"),
    ("order: runs as a whole", "core/order.py", "np.unique(np.concatenate((places, places + 1)))", "places", "too_close"),
    ("order: two classes by score", "core/pool_orders.py", "if self.num_classes > 2 else", "if True else", "two_classes"),
    ("orders: sorted again where they are not held", "core/pool_orders.py", "self._held.keys() >= set(group)", "self._held", "groups"),
    ("line: labels from elsewhere", "core/class_line.py", "or -1 in positions:", "or False:", "up_to_date"),
    ("line: what is not a new label", "core/class_line.py", "if self._revision != known.revision or", "if", "up_to_date"),
    ("line: taken without a label is no vote", "core/class_line.py", "2 * (labels == self.k) - (labels >= 0)", "2 * (labels == self.k) - (labels >= -9)",
     "up_to_date"),
    ("draw: unlabeled only", "core/one_vs_rest.py", "ranks + unlabeled_before_taken.searchsorted(ranks, side=\"right\")", "ranks",
     "exactly or draws or unlabeled"),
    ("draw: nobody twice", "core/class_line.py", "size=count, replace=False", "size=count, replace=True", "draws_are or whole"),
    ("draw: inside the version space", "core/class_line.py", "space.low + inside.unlabeled_positions(ranks)", "inside.unlabeled_positions(ranks)",
     "draws_are or whole"),
    ("annotations: what is open takes room", "core/annotations.py", "self._count - num_open", "self._count",
     "asking_on"),
    ("annotations: corrections are looked at", "core/annotations.py", "        self.label_of[indices] = labels\n        self.revision += 1",
     "        self.label_of[indices] = labels", "up_to_date"),
    ("compiled: the worse end", "core/compiled/class_line.py", "worse = max(losses[i], losses[j])", "worse = min(losses[i], losses[j])", "test_fast"),
    ("compiled: every turn", "core/compiled/class_line.py", "end = min(end, inside[j] + 1 - width)", "pass", "test_fast"),
    ("compiled: the middle", "core/compiled/class_line.py", "(count - 1) // 2", "count // 2", "test_fast"),
    ("compiled: never loses the best", "core/compiled/class_line.py", "width = max(width, highest_best - lowest_best)", "pass", "test_fast"),
    ("compiled: last best threshold", "core/compiled/class_line.py", "last_step -= 1", "last_step = first_step", "test_fast"),
    ("compiled: labels in their places", "core/compiled/class_line.py", "both_positions[place - 1] > new_positions[i]", "both_positions[place - 1] < new_positions[i]",
     "test_fast"),
    ("compiled: whoever is taken", "core/compiled/class_line.py", "!= -1", ">= 0", "test_fast"),
    ("compiled: taken without a label is no vote", "core/compiled/class_line.py", "2 * (label == k) - (label >= 0)", "2 * (label == k) - 1", "test_fast"),
    ("compiled: predicted by score", "core/compiled/passes.py", "else -float(rows[i, columns[j]])", "else float(rows[i, columns[j]])", "test_fast"),
    ("reference: two classes by score", "core/order.py", "if probabilities.shape[1] == 2:", "if False:", "two_classes"),
    ("reference: ties by score", "core/order.py", "np.lexsort((-score, -margin", "np.lexsort((score, -margin", "class_order_equals"),
    ("loss: wrong side", "core/one_vs_rest.py", "(self.votes > 0) - np.cumsum", "(self.votes > 0) + np.cumsum", "loss"),
    ("loss: the cut itself", "core/one_vs_rest.py", "np.searchsorted(self.positions, thresholds)]",
     "np.searchsorted(self.positions, thresholds, side='right')]", "loss"),
    ("threshold: nearest to N/2", "core/one_vs_rest.py", "np.argmin(np.abs(2 * nearest", "np.argmax(np.abs(2 * nearest",
     "best_threshold"),
    ("threshold: highest", "core/one_vs_rest.py", "else highest[-1]", "else highest[0]", "best_threshold"),
    ("version space: start at I", "core/version_space.py", "members < others[0]", "members < others[-1]", "initial_version_space"),
    ("version space: end at J", "core/version_space.py", "others > members[-1]", "others > members[0]", "initial_version_space"),
    ("window: middle", "core/version_space.py", "(int(lengths.sum()) - 1) // 2", "0", "middle"),
    ("window: worse end", "core/version_space.py", "np.maximum(line.loss(", "np.minimum(line.loss(", "middle"),
    ("window: every turn looked at", "core/version_space.py", "[line.positions + 1, line.positions + 1 - width]", "[line.positions + 1]", "middle"),
    ("window: never loses the best", "core/version_space.py", "width = max(width, highest_best - lowest_best)", "pass",
     "never_lose"),
    ("nearest: distance", "core/one_vs_rest.py", "near + 0.5 - threshold", "near - threshold", "nearest"),
    ("budget: exact", "core/direct.py", "np.arange(num_classes + 1) // num_classes", "np.arange(num_classes + 1) // (num_classes + 1)", "whole"),
    ("budget: half searches", "core/direct.py", "known.room // (2 * num_classes)", "known.room // num_classes", "whole"),
    ("rounds: shrink", "core/vreduce.py", "size ** (1 - t / rounds)", "size", "whole or resolution"),
    ("seed: global state", "core/class_line.py", "rng.choice(inside", "np.random.choice(inside", "global_state"),
    ("tell: nothing unasked", "session.py", "            if index not in self._open and index not in self._unanswered:\n                raise ValueError(f\"told", "            if False:\n                raise ValueError(f\"told", "SessionMachine"),
    ("tell: no second answer", "session.py", "self._told.get(index, label) != label", "False", "SessionMachine"),
    ("tell: not more than the budget", "session.py", "+ len(late) > self._budget", "> self._budget", "AsynchronousMachine"),
    ("tell: in their order", "session.py", "if asked and asked == list(self._open)", "if asked and set(asked) <= set(self._open)", "SessionMachine"),
    ("ask: an open query is not asked again", "session.py", "pending[self._known.label_of[pending] == UNLABELED], OPEN)", "pending[:0], OPEN)",
     "asking_on"),
    ("ask: as many as said", "session.py", "len(self._queue) if n is None else n)", "len(self._queue))", "asking_on"),
    ("cannot tell: out", "session.py", "self._known.mark(given_up, OUT)", "pass", "tell_nothing"),
    ("release: as if not asked", "session.py", "self._known.mark(released, UNLABELED)", "self._known.mark(released, OUT)", "AsynchronousMachine"),
    ("late: not asked for again", "session.py", "self._queue = self._queue[self._queue != index]", "pass", "AsynchronousMachine"),
    ("correct: what is known", "session.py", "self._known.correct(told, answers)", "pass", "corrections"),
    ("interleaved: nobody asked by two classes", "core/direct.py", "known.mark(batch, OPEN)", "pass", "at_once or whole"),
    ("interleaved: side by side", "core/direct.py", 'together = 1 if schedule == "sequential"', 'together = 1 if schedule', "at_once"),
    ("second phase: only what is still unlabeled", "core/direct.py", "batch = batch[known.label_of[batch] == UNLABELED]", "pass", "whole or Asynchronous"),
    ("galaxy: open and out are not in the graphs", "core/linear_graph.py", "order = order[known.label_of[order] >= UNLABELED]", "pass", "asking_on or tell_nothing"),
    ("galaxy: graphs are made again", "core/galaxy.py", "graphs.clear()", "pass", "asking_on or tell_nothing"),
    ("noise: annotators' labels", "labelbench.py", "self._view.train()  #", "pass  #", "corrupted"),
    ("galaxy: shortest path", "core/linear_graph.py", "heappush(self._paths, length * len(self._live) + first)",
     "heappush(self._paths, -length * len(self._live) + first)", "test_galaxy"),
    ("galaxy: paths that are gone", "core/linear_graph.py", "first + 1 + length) < 0", "first + 1 + length) >= -1",
     "linear_graph"),
    ("galaxy: cuts of one kind", "core/linear_graph.py", "both_kinds or then_is_class", "both_kinds or is_class",
     "test_galaxy"),
    ("galaxy: ties at cuts", "core/linear_graph.py", "(0, True, -first, second)", "(0, True, first, second)", "test_galaxy"),
    ("galaxy: both sides of a cut", "core/linear_graph.py", "heappush(self._cuts, (0, False, -first, first))", "pass",
     "test_galaxy"),
    ("galaxy: distances to cuts", "core/linear_graph.py", "position + minus_first - 1 if", "position + minus_first if",
     "linear_graph"),
    ("galaxy: live beside the class", "core/linear_graph.py", "is_class or then_is_class, second", "then_is_class, second",
     "linear_graph"),
    ("galaxy: the class is looked at", "core/linear_graph.py", "is_class | self._is_live", "False * is_class | self._is_live",
     "linear_graph"),
    ("galaxy: learn from labels", "core/linear_graph.py", "self._known.label_of[indices] == self._k", "self._known.label_of[indices] != self._k", "test_galaxy"),
    ("galaxy: index in its block", "core/linear_graph.py", "(1 << self._shift)", "(1 << self._shift) // 2", "linear_graph"),
    ("margin", "core/passes.py", "(top[:, -1], top[:, -2]", "(top[:, -2], top[:, -1]", "test_margin"),
    ("entropy", "strategies/entropy.py", "np.log2(", "np.log(", "test_entropy"),
    ("most likely positive: not the majority", "core/passes.py", "by_class[left_out] = -1", "pass",
     "test_most_likely"),
    ("coreset: nobody outside is farther", "strategies/coreset.py", "distances[farthest] < max(least, 0)",
     "distances[farthest] < 0", "test_coreset"),
    ("coreset: equally far by index", "strategies/coreset.py", "rows[farthest] > first_outside", "False", "test_coreset"),
    ("coreset: bounds are not too low", "strategies/coreset.py", "norms + products.min(axis=1)",
     "0.9 * (norms + products.min(axis=1))", "test_coreset"),
    ("coreset: up to date", "strategies/coreset.py", "self._num_seen[rows] = len(self._centers)",
     "self._num_seen[rows] = len(self._centers) + 1", "test_coreset"),
    ("gradients: widened bounds", "strategies/gradients.py", "+ 16) * 2.0**-24", "+ 16) * -(2.0**-24)", "test_gradients"),
    ("gradients: labeled as predicted", "strategies/gradients.py", "np.arange(len(labels)), labels] -= 1",
     "np.arange(len(labels)), labels] -= 0.9", "test_gradients"),
    ("badge: thin by true / old", "strategies/badge.py", "if thresholds[i] < distances[i]:", "if distances[i] > 0:",
     "badge_draws"),
    ("badge: new centers count at once", "strategies/badge.py", "np.minimum(distances, between[i], out=distances)", "pass",
     "badge_draws or test_exactly"),
    ("badge: largest norm first", "strategies/badge.py", "np.argmax(gradients", "np.argmin(gradients", "badge"),
    ("base: shares", "strategies/base_sampling.py", "budget // num_classes + (k <", "budget // num_classes + (k + 1 <",
     "test_base or test_every_budget"),
    ("base: weights", "strategies/base_sampling.py", "self._gaps[self._predicted, k]", "self._gaps[self._predicted, 0]",
     "test_boundary"),
    ("base: the nearest boundary of the predicted class", "strategies/base_sampling.py", "(self._predicted == k, self._nearest",
     "(self._predicted == k, self._highest", "test_boundary"),
    ("cluster_margin: small clusters first", "strategies/cluster_margin.py", "sizes[clusters], turn))",
     "-sizes[clusters], turn))", "round_robin"),
    ("cluster_margin: average linkage", "strategies/cluster_margin.py", 'method="average"', 'method="single"', "linkage"),
    ("cluster_margin: nearest mean", "strategies/cluster_margin.py", "half_norms - rows", "0 - rows", "larger_pools"),
    ("similar: covered", "strategies/similar.py", "np.maximum(covered, block[best], out=covered)", "pass", "test_similar"),
    ("similar: nobody outside gains more", "strategies/similar.py", "if bounds[rows[best]] < least:", "if False:",
     "test_similar"),
    ("similar: rare classes", "strategies/similar.py", "< len(labels)", "> len(labels)", "rare_examples"),
    ("direct_explore: one class alone", "strategies/direct_explore.py", "named < 2", "named < 1", "test_direct_explore"),
    ("bait: remove the oldest", "strategies/fisher.py", "identity - v_cross[0]", "identity + v_cross[0]", "test_bait"),
    ("bait: keep the inverse", "strategies/fisher.py", "self._inverse +=", "self._inverse -=", "test_bait"),
    ("bait: keep the product", "strategies/fisher.py", "self._product +=", "self._product -=", "test_bait"),
    ("bait: in the embeddings' unit", "strategies/bait.py", "(rows - mean) * scale\n", "rows - mean\n", "unit_of"),
    ("embeddings: finite", "strategies/base.py", "rows.min() > -np.inf and rows.max() < np.inf", "True", "not_finite"),
]  # fmt: skip


def fate(copy: Path, file: str, expression: str, replacement: str, tests: str) -> str:
    """What the tests named say of the copy of the project while the expression is replaced."""
    mutated = copy / "labelbench_direct" / file
    text, times = mutated.read_text(encoding="utf-8"), mutated.stat()
    if text.count(expression) != 1:
        raise ValueError(f"{file} must contain {expression!r} once, it is there {text.count(expression)} times")
    mutated.write_text(text.replace(expression, replacement), encoding="utf-8")
    command = [sys.executable, "-m", "pytest", "-q", "-x", "-p", "no:cacheprovider", "-k", tests, "tests"]
    environment = {**os.environ, "PYTHONPATH": str(copy), "PYTHONDONTWRITEBYTECODE": "1"}
    try:
        result = subprocess.run(
            command, cwd=copy, env=environment, capture_output=True, text=True, check=False, timeout=LONGEST
        )
    except subprocess.TimeoutExpired:  # as when an example is asked for again and again
        return "no end"
    finally:
        mutated.write_text(text, encoding="utf-8")
        os.utime(mutated, ns=(times.st_atime_ns, times.st_mtime_ns))  # what numba compiled of it serves on
    if result.returncode > 1:  # below 0: a mutant of what is compiled has crashed, and was noticed
        raise RuntimeError(f"pytest ended with {result.returncode}:\n{result.stdout}{result.stderr}")
    return "caught" if result.returncode else "SURVIVED"


def main() -> int:
    some = [mutant for mutant in MUTANTS if not sys.argv[1:] or any(part in mutant[0] for part in sys.argv[1:])]
    survivors = 0
    with tempfile.TemporaryDirectory() as folder:
        copy = Path(folder)
        for part in ("labelbench_direct", "tests", "setup.cfg"):
            source = ROOT / part
            ignore = shutil.ignore_patterns("__pycache__")
            shutil.copytree(source, copy / part, ignore=ignore) if source.is_dir() else shutil.copy2(source, copy)
        for law, *mutant in some:
            became = fate(copy, *mutant)
            survivors += became == "SURVIVED"
            print(f"{became:10}{law}", flush=True)
    print(f"{len(some) - survivors} of {len(some)} mutants caught")
    return int(survivors > 0)


if __name__ == "__main__":
    sys.exit(main())
