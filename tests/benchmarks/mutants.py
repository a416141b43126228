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
MUTANTS = [  # law, file, expression, replacement, tests that must fail
    ("order: descending margin", "core/order.py", "    gap = highest - score\n    keys", "    gap = 1 - highest + score\n    keys",
     "fast_order"),
    ("order: predicted by score", "core/order.py", "keys[predicted] = -np.abs", "keys[predicted] = np.abs", "fast_order"),
    ("order: ties by index", "core/order.py", "keys |= np.arange(len(keys), dtype=index_type(len(keys)))",
     "keys |= np.arange(len(keys))[::-1]", "fast_order"),
    ("order: what is too close", "core/order.py", "some[np.lexsort((some, -score[some], highest[some] - score[some]))]", "some",
     "too_close"),
    ("order: two classes by score", "core/buckets.py", "if self.num_classes > 2 else", "if True else", "two_classes"),
    ("order of a bucket: ties by score", "core/order.py", "np.lexsort((-score, gap))", "np.lexsort((score, gap))", "test_fast"),
    ("buckets: all of them", "core/buckets.py", "first + int(missing[-1]) + 1", "first + int(missing[-1])", "test_fast"),
    ("buckets: the sample does not bound the pool", "core/passes.py", "np.minimum(np.sqrt(below / len(rows)) * num_buckets, num_buckets - 1)",
     "np.sqrt(below / len(rows)) * num_buckets % num_buckets", "large_pool"),
    ("levels: predicted first", "core/passes.py", "np.where(predicted, 0, 2 * HALF + 1)", "np.where(predicted, 1, 0)", "test_fast"),
    ("evidence: reach before", "core/evidence.py", "before[first] - reach", "before[first]", "test_fast"),
    ("evidence: reach behind", "core/evidence.py", "before[last + 1] + reach", "before[last + 1]", "test_fast"),
    ("evidence: every best threshold", "core/evidence.py", "lowest + int(best[-1])", "lowest + int(best[0])", "test_fast"),
    ("evidence: the least loss inside a bucket", "core/evidence.py", "(losses[:-1] - members)", "losses[:-1]", "test_fast"),
    ("evidence: both ends' buckets", "core/evidence.py", "annotated[max(0, first_other - 1)]", "annotated[first_other]", "two_buckets"),
    ("draw: unlabeled only", "core/evidence.py", "return inside[self._known.label_of[inside] < 0]", "return inside",
     "exactly or trying"),
    ("draw: nobody twice", "core/evidence.py", "drawn: dict[int, None] = {}", "drawn: dict[int, None] = {-1: None}", "trying"),
    ("draw: rows in any order", "core/buckets.py", "return self.permutation(0)", "return np.arange(self.num_examples)", "row_order"),
    ("compiled: members in order", "core/compiled_evidence.py", "gap[j] == its_gap and score[j] < its_score", "False", "test_fast"),
    ("compiled: whole words of codes", "core/compiled_evidence.py", "range(len(codes) // _BLOCK * _BLOCK, len(codes))",
     "range(len(codes) // _BLOCK * _BLOCK + 8, len(codes))", "test_fast"),
    ("compiled: spreads without a reciprocal", "core/compiled_evidence.py", "    if scale == np.inf:", "    if False:", "closer"),
    ("compiled: parts not worth trying", "core/compiled_evidence.py", "floors[count] = max(losses[first]", "floors[count] = -(2**40) + max(losses[first]",
     "wide_windows"),
    ("compiled: buckets not worth sorting", "core/compiled_evidence.py", "if loss - members[bucket] > least:", "if False:", "few_buckets"),
    ("compiled: the worse end", "core/compiled_evidence.py", "worse = max(at_low, at_high)", "worse = min(at_low, at_high)", "test_fast"),
    ("compiled: parts worth trying", "core/compiled_evidence.py", "floors[part] <= least:\n            total",
     "floors[part] < least:\n            total", "test_fast"),
    ("compiled: nearest of both sides", "core/compiled_evidence.py", "threshold - 1 - below <= above - threshold",
     "threshold - 1 - below < above - threshold", "test_fast"),
    ("compiled: threshold nearest to N/2", "core/compiled_evidence.py", "abs(2 * here - size) < abs(2 * threshold - size)", "False",
     "test_fast"),
    ("reference: two classes by score", "core/order.py", "if probabilities.shape[1] == 2:", "if False:", "two_classes"),
    ("reference: ties by score", "core/order.py", "np.lexsort((-score, -margin", "np.lexsort((score, -margin", "class_order_equals"),
    ("loss: wrong side", "core/one_vs_rest.py", "np.where(self.is_class, -1, 1)", "np.where(self.is_class, 1, -1)", "loss"),
    ("loss: the cut itself", "core/one_vs_rest.py", "np.searchsorted(self.positions, thresholds)]",
     "np.searchsorted(self.positions, thresholds, side='right')]", "loss"),
    ("threshold: nearest to N/2", "core/one_vs_rest.py", "np.argmin(np.abs(2 * nearest", "np.argmax(np.abs(2 * nearest",
     "best_threshold"),
    ("threshold: highest", "core/one_vs_rest.py", "else highest[-1]", "else highest[0]", "best_threshold"),
    ("version space: start at I", "core/version_space.py", "others[0] if len(others) else len(line.positions)",
     "others[-1] if len(others) else len(line.positions)", "initial_version_space"),
    ("version space: end at J", "core/version_space.py", "members[-1] + 1 if", "members[0] + 1 if", "initial_version_space"),
    ("window: middle", "core/version_space.py", "(total - 1) // 2", "0", "middle"),
    ("window: worse end", "core/version_space.py", "np.maximum(_at(", "np.minimum(_at(", "middle"),
    ("window: every turn looked at", "core/version_space.py", "[starts, starts - width]", "[starts]", "middle"),
    ("window: never loses the best", "core/version_space.py", "width = max(width, highest_best - lowest_best)", "pass",
     "never_lose"),
    ("window: random is uniform", "core/version_space.py", "rng.integers(total)", "rng.integers(total) // 2", "random_shrink"),
    ("candidates: groups", "core/version_space.py", "losses[i : j + 1].min()", "losses[i]", "middle"),
    ("sample: unlabeled only", "core/one_vs_rest.py", 'ranks, side="right")', 'ranks, side="left")', "candidates or nearest"),
    ("nearest: distance", "core/one_vs_rest.py", "threshold - 1 - below", "threshold - below", "nearest"),
    ("nearest: balanced", "core/one_vs_rest.py", 'if nearest == "balanced"', 'if nearest != "balanced"', "nearest"),
    ("budget: exact", "core/direct.py", "rest * (i + 1) // num_classes -", "rest * i // num_classes -", "exactly"),
    ("budget: half searches", "core/direct.py", "budget // (2 * num_classes)", "budget // num_classes", "whole"),
    ("budget: distinct", "core/direct.py", "            known.add(batch, labels)\n", "", "exactly"),
    ("labels: those told", "session.py", "self._advance(answers)", "self._advance(0 * answers)", "whole"),
    ("labels: those told in parts", "session.py", "np.array([self._answers[index]", "np.array([0 * self._answers[index]",
     "Machine"),
    ("rounds: shrink", "core/vreduce.py", "size ** (1 - t / rounds)", "size", "whole or resolution"),
    ("rounds: learn from labels", "core/evidence.py", "        self._update()\n        if options", "        if options", "test_fast"),
    ("seed: global state", "core/evidence.py", "rng.choice(listed, size", "np.random.choice(listed, size", "global_state"),
    ("tell: nothing unasked", "session.py", "index not in self._pending and index not in self._answers", "False", "Machine"),
    ("tell: no second answer", "session.py", "self._answers.get(index, label) != label", "False", "Machine"),
    ("noise: annotators' labels", "labelbench.py", "    view.train()\n", "    view.eval()\n", "corrupted"),
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
    ("galaxy: learn from labels", "core/linear_graph.py", "labels == self._k", "labels != self._k", "test_galaxy"),
    ("galaxy: index in its block", "core/linear_graph.py", "(1 << self._shift)", "(1 << self._shift) // 2", "linear_graph"),
    ("compiled: equal gaps by score", "core/compiled_evidence.py", "return score > other_score or", "return", "test_fast"),
    ("compiled: candidates end at the space's end", "core/compiled_evidence.py", "are[i] = _is_before(view, example, view.indices[high])",
     "pass", "test_fast"),
    ("compiled: what is the class is no flat bucket", "core/compiled_evidence.py", "is_flat = others[bucket] + members[bucket] == 0",
     "is_flat = members[bucket] == 0", "test_fast"),
    ("compiled: neighbors are sorted", "core/compiled_evidence.py", "sort(view, bucket, stop)", "sort(view, bucket, stop - 1)", "test_fast"),
    ("compiled: one sub-interval only", "core/compiled_evidence.py", "if first == last:", "if True:", "test_fast"),
    ("compiled: levels of several rows", "core/compiled.py", "level = levels[start:stop].ravel()", "level = levels[:stop - start].ravel()",
     "test_fast"),
    ("tell: the batch as a whole", "session.py", "if is_whole and told.tolist() == self._batch.tolist()",
     "if is_whole", "Machine"),
    ("tell: the batch in its order", "session.py", "for index in self._batch.tolist()]", "for index in new]", "Machine"),
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
    ("bait: remove the oldest", "strategies/fisher.py", "identity - v_cross[0]", "identity + v_cross[0]", "test_bait"),
    ("bait: keep the inverse", "strategies/fisher.py", "self._inverse +=", "self._inverse -=", "test_bait"),
    ("bait: keep the product", "strategies/fisher.py", "self._product +=", "self._product -=", "test_bait"),
    ("bait: in the embeddings' unit", "strategies/bait.py", "(rows - mean) * scale\n", "rows - mean\n", "unit_of"),
    ("embeddings: finite", "core/checks.py", "rows.min() > -np.inf and rows.max() < np.inf", "True", "not_finite"),
]  # fmt: skip


def survives(copy: Path, file: str, expression: str, replacement: str, tests: str) -> bool:
    """Whether the tests named still pass on the copy of the project while the expression is replaced."""
    mutated = copy / "labelbench_direct" / file
    text, times = mutated.read_text(encoding="utf-8"), mutated.stat()
    if text.count(expression) != 1:
        raise ValueError(f"{file} must contain {expression!r} once, it is there {text.count(expression)} times")
    mutated.write_text(text.replace(expression, replacement), encoding="utf-8")
    command = [sys.executable, "-m", "pytest", "-q", "-x", "-p", "no:cacheprovider", "-k", tests, "tests"]
    environment = {**os.environ, "PYTHONPATH": str(copy), "PYTHONDONTWRITEBYTECODE": "1"}
    result = subprocess.run(command, cwd=copy, env=environment, capture_output=True, text=True, check=False)
    mutated.write_text(text, encoding="utf-8")
    os.utime(mutated, ns=(times.st_atime_ns, times.st_mtime_ns))  # what numba compiled of it serves on
    if result.returncode > 1:  # below 0: a mutant of what is compiled has crashed, and was noticed
        raise RuntimeError(f"pytest ended with {result.returncode}:\n{result.stdout}{result.stderr}")
    return result.returncode == 0


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
            alive = survives(copy, *mutant)
            survivors += alive
            print(f"{'SURVIVED' if alive else 'caught':10}{law}", flush=True)
    print(f"{len(some) - survivors} of {len(some)} mutants caught")
    return int(survivors > 0)


if __name__ == "__main__":
    sys.exit(main())
