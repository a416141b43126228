"""What the page of the evidence says beside its numbers."""

INTRODUCTION = """\
Written by `make evidence` from {trials} finished trials of {settings} settings ({seeds} paired seeds each), {hours}
hours of one core's selecting and training in all. The question: which strategy for which data, where some classes are
rare, with and without wrong labels?

Every trial: {sizes}, the first drawn at random, the others those that the strategy asks for; after
each round a head trained from scratch. The measure is balanced test accuracy: *final* after the last round, *lead* the
mean over the rounds less another strategy's with the same seed (same wrong labels, same first batch). Intervals
are 95%, by Student's t over paired seeds. *Level* means that the interval has 0 in it, or in the first tables that a
strategy is not beyond doubt below the best one. `direct` asks for 5 labels at a time.

**Read this before any number with wrong labels.** The paper weights the loss by inverse class frequency and smooths
labels by 10%. torch's `cross_entropy` does both in one call, and in a way that few people expect: the share of an
example that smoothing gives to *another* class has that class's weight. With classes 1:99 and K 2 it asks every
example of the common class to be called rare with probability .84. A head trained so is poor unless the labeled
examples are balanced, so a strategy that finds rare examples looks far better than the others. Weighting each example
by its own label mends that for the others, and changes who wins. So both are here: *linear head* has torch's weights,
*examples weighted* the others. Without wrong labels nothing is smoothed, and the two are one."""

HEADS = {
    "linear head": """\
Trained by L-BFGS to the minimum: weight decay .01, inverse class frequency, with wrong labels 10% label smoothing as
torch's `cross_entropy` weights it.""",
    "linear head, examples weighted": """\
The same, all of an example's loss weighted by the class of its own label.""",
    "MLP head": """\
One hidden layer of 256 units, 300 steps of Adam, the loss as torch weights it. Fewer strategies.""",
}

CLEAN_LINEAR = """\
- **Linear heads without wrong labels are better served by margin sampling** (and often by random sampling) than by
DIRECT: labels from one narrow stretch around a threshold don't represent a class."""

GOALS_NOTE = """\
What this project set out to show, and whether the trials show it (*worse*: beyond the 95% interval); in brackets the
labeled examples of the rarest class, ours and the other's. What was tried: for `direct` the choices that the paper
leaves open ([choices.md](choices.md)), for `direct_explore` some thirty rules ([explore.md](explore.md))."""

WHY_NOT_BEST = """\
Why: not for want of rare examples, as the brackets show. DIRECT's labels come from one narrow stretch of each class's
order, and where wrong labels are few or do little harm that serves a head on frozen features badly, as it does without
any. That `direct_explore`, with fewer of the rarest class, is ahead of `direct` in some of them says the same."""

WHY_WORSE = """\
Why: the share that explores brings mostly common examples, so fewer of the rarest class are labeled (brackets)."""

WHY_BELOW_RANDOM = """\
Why: where most seeds are below it, random sampling is itself level with `direct` or ahead of it: few labels are wrong,
and in a pool not too imbalanced it meets enough rare examples. Where a few seeds are, nearly all labels that say the
rarest class are wrong, and a search that starts from those has little to go by."""

WHY_NOT_SAVED = """\
Why: the best other strategy ends close to `direct` or above it, so there is little to save. The paper's savings are of
whole networks trained with FlexMatch; these are heads on frozen features."""

OVERALL_NOTE = """\
Also the options of `direct` that the paper leaves open ([choices.md](choices.md)), and B_parallel 1 and 20 instead of
5. *mean lead*: over settings, each the mean over its paired seeds; *ahead* and *behind*: beyond the 95% interval, as
one of twenty comparisons is by chance; *stuck*: seeds that end less than .1 above chance; *below random*: seeds that,
where labels are wrong, end below random sampling's mean; in brackets those of `direct` among the same."""

TABLE_NOTE = """\
final: balanced test accuracy with all labels, mean over seeds, the highest in bold; worst seed: the lowest of them.
area: the mean height of the curve. direct saves: the share of a strategy's labels that `direct` doesn't need to reach
its final mean; saves of direct's: the reverse; *never*: it is not reached. rarest: how many of the labeled examples are
truly of the class that has fewest of them, the mean. s per selection: wall-clock seconds, as many trials at once as
cores, so an upper bound."""

LEFT_OUT = """\
Left out on purpose: `confidence` and `entropy` with two classes, where they select what `margin` does; `bait` and
`similar`, whose selections take 3 or 4 seconds of processor time, a minute and more for a trial. `coreset`, `base` and
`cluster_margin` take .2 to .7 seconds, ten times what `direct` takes, and have five seeds; with twenty the whole would
take a quarter longer. Five has `direct_labelbench`, too, LabelBench's own `direct` from a checkout (LABELBENCH_HOME),
given the labels that annotators gave: with two classes 1:99 and with three, and with 20 labels at a time, where a
selection takes half a second or more; with 5 it takes a minute. *MLP head*: a few settings only."""

HOW = """\
## How to make this page again

```console
make evidence      # every trial that is missing, then this page; start it again after any interruption
```

The settings are the files of configs/evidence. The data: [features.md](features.md) says how to make
`cifar10n_features.npz` and `tweets_features.npz` from the published sources, and where to put them; Fashion-MNIST is
Debian's package dataset-fashion-mnist or torchvision's files. A trial is named by its configuration and repeats to
the digit with the same versions of this package, numpy, scipy and torch on the same kind of processor. These ran with
{versions}."""
