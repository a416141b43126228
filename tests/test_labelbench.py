"""The way into LabelBench's registry, tried on a stand-in package that files strategies as LabelBench does."""

import subprocess
import sys
import textwrap
from pathlib import Path

import numpy as np
import pytest
import standins

import labelbench_direct
from labelbench_direct import DirectStrategy
from labelbench_direct.hosts.corrupters import uniform_noise
from labelbench_direct.hosts.embedded.data.parts import Data, Part
from labelbench_direct.hosts.embedded.pool import Pool
from labelbench_direct.labelbench import INSTALLED, ALInput, Annotator, labeled_labels
from labelbench_direct.strategies import COMPARABLE, STRATEGIES

SKELETON = """
from enum import IntEnum
class ALInput(IntEnum):
    TRAIN_PRED = 0
    TRAIN_LABEL = 3
    TRAIN_EMBEDDING = 9
strategies = {}
class Strategy:
    def __init_subclass__(cls, **kwargs):
        strategies[cls.strategy_name] = cls
"""
OWN_DIRECT = """
from LabelBench.skeleton.active_learning_skeleton import Strategy
class Own(Strategy):
    strategy_name = "direct"
class Margin(Strategy):
    strategy_name = "margin"
"""


@pytest.fixture
def labelbench(tmp_path):
    """A folder with a package LabelBench, and a function that runs code with it on the path."""
    package = tmp_path / "LabelBench"
    for folder in (package, package / "skeleton", package / "strategy"):
        folder.mkdir()
        (folder / "__init__.py").touch()
    (package / "skeleton" / "active_learning_skeleton.py").write_text(SKELETON)
    (package / "strategy" / "strategies.py").write_text(OWN_DIRECT)

    def run(code):
        code = "from LabelBench.skeleton.active_learning_skeleton import strategies, Strategy\n" + textwrap.dedent(code)
        command = [sys.executable, "-c", code]
        result = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
        assert result.returncode == 0, result.stderr

    return run


def test_register_takes_direct_and_keeps_labelbenchs(labelbench):
    labelbench(
        """
        import labelbench_direct
        assert strategies == {}, "defining our classes files nothing"
        labelbench_direct.register()
        labelbench_direct.register()
        from LabelBench.strategy.strategies import Margin, Own
        assert strategies["direct"] is labelbench_direct.DirectStrategy
        assert strategies["direct_labelbench"] is Own
        assert strategies["margin"] is Margin, "LabelBench's others stay its own"
        assert strategies["labelbench_direct.margin"] is labelbench_direct.strategies.STRATEGIES["margin"]
        assert strategies["most_likely_positive"] is labelbench_direct.strategies.STRATEGIES["most_likely_positive"]
        assert issubclass(labelbench_direct.DirectStrategy, Strategy)
        ours = labelbench_direct.strategies.STRATEGIES
        for name in ("direct_explore", "most_likely_positive", "base", "cluster_margin", "similar"):
            assert strategies[name] is ours[name]
        added = set(strategies) - {"direct", "direct_labelbench", "margin", *ours}
        assert added == {f"labelbench_direct.{name}" for name in ours}
        assert "random" not in strategies, "nothing of ours under a name of LabelBench's"
        """
    )


@pytest.mark.parametrize("name", ["direct", "direct_labelbench", "base", "similar"])
def test_register_refuses_what_others_own(labelbench, name):
    labelbench(
        f"""
        import labelbench_direct, LabelBench.strategy.strategies
        class Other(Strategy):
            strategy_name = "{name}"
        before = dict(strategies)
        try:
            labelbench_direct.register()
        except ValueError as error:
            assert "'{name}' belongs to __main__.Other" in str(error), error
            assert "cannot take it" in str(error)
            owner = {{"direct_labelbench": "Own"}}.get("{name}", "{name}".capitalize() + "Strategy")
            assert owner in str(error)
        else:
            raise SystemExit("no error")
        assert strategies == before
        """
    )


def test_a_folder_named_labelbench_is_not_labelbench(tmp_path):
    (tmp_path / "LabelBench").mkdir()
    code = "from labelbench_direct.labelbench import INSTALLED; assert not INSTALLED"
    subprocess.run([sys.executable, "-c", code], cwd=tmp_path, check=True)


@pytest.mark.skipif(INSTALLED, reason="LabelBench is importable here")
def test_register_without_labelbench_says_what_to_do():
    with pytest.raises(ModuleNotFoundError, match="start Python in a LabelBench checkout"):
        labelbench_direct.register()


LABELS = np.array([0, 1, 2] * 10)


def noisy_pool(labeled=()):
    part = Part(np.zeros((30, 1), dtype=np.float32), LABELS)
    pool = Pool(Data("tiny", part, part, part, ("a", "b", "c")))
    pool.set_corrupter(uniform_noise(0.5, np.random.default_rng(0)))
    if len(labeled):
        pool.update_labeled_idxs(labeled)
    return pool


def noisy_labels(pool):
    pool = noisy_pool()
    pool.update_labeled_idxs(np.arange(30))
    return pool.get_train_labels().argmax(axis=1)


@pytest.mark.parametrize("state", ["train", "eval"])
@pytest.mark.parametrize("labeled", [[], [4, 2]])
def test_annotators_give_the_corrupted_labels_and_leave_the_pool_alone(state, labeled):
    pool = noisy_pool(labeled)
    getattr(pool, state)()
    expected = noisy_labels(pool)
    assert (expected != LABELS).sum() == 15
    assert Annotator(pool)(np.arange(30)).tolist() == expected.tolist()
    assert labeled_labels(pool).tolist() == expected[labeled].tolist()
    assert pool.labeled_idxs().tolist() == labeled
    clean = pool.get_train_labels().argmax(axis=1).tolist() == LABELS[labeled].tolist()
    assert clean == (state == "eval" or not labeled)


@pytest.mark.parametrize("name", ["direct", "galaxy"])
def test_no_label_is_read_but_those_asked_for(name):
    counts = []

    class Counting(Pool):
        def get_train_labels(self):
            counts.append(len(self.labeled_idxs()))
            return super().get_train_labels()

    pool = noisy_pool([0, 1, 2])
    pool.__class__ = Counting
    scores = Scores(np.random.default_rng(1).dirichlet(np.ones(3), 30))
    STRATEGIES[name]({"strategy_name": name}, pool, np.random.default_rng(0)).select(scores, 12)
    assert sum(counts) == 3 + 12, "of the labeled examples once, and of the selected ones"


@pytest.mark.parametrize("labeled", [[], [4, 2]])
def test_labelbenchs_labels_are_read_one_by_one_and_without_images(labeled):
    """Its ``get_train_labels`` copies those of the whole pool, N x K, at every call."""
    pool = noisy_pool(labeled)
    expected = noisy_labels(pool)
    unread = {}  # no image: a KeyError for each
    pool.train_dataset = items = standins.Items(unread, np.eye(3)[expected])
    items.set_strong_transform(unread.__getitem__)
    pool.get_train_labels = unread.__getitem__
    assert Annotator(pool)(np.array([7, 3, 29])).tolist() == expected[[7, 3, 29]].tolist()
    assert labeled_labels(pool).tolist() == expected[labeled].tolist()
    assert items.dataset is unread, "the data set itself stays as it is"
    assert items.transforms == {"strong": unread.__getitem__}


def test_labelbenchs_labels_without_a_corrupter():
    pool = noisy_pool([4, 2])
    pool.train_dataset = standins.Items({}, None)
    expected = noisy_labels(pool)
    assert Annotator(pool)(np.array([7, 3, 29])).tolist() == expected[[7, 3, 29]].tolist()
    assert labeled_labels(pool).tolist() == expected[[4, 2]].tolist()


def test_labels_of_others_than_asked_for_are_refused():
    pool = noisy_pool([4, 2])
    rows = pool.get_train_labels()
    pool.get_train_labels = lambda: rows
    with pytest.raises(TypeError, match=r"get_train_labels\(\) of Pool must give the labels of what labeled_idxs\(\)"):
        Annotator(pool)


class Scores:
    """A trainer that has the given scores, and clean labels for whoever asks."""

    def __init__(self, probabilities):
        self.probabilities = probabilities

    def retrieve_inputs(self, input_types):
        assert input_types == [ALInput.TRAIN_PRED], "nothing but scores is asked for"
        return [self.probabilities.copy()]


def test_direct_learns_from_the_corrupted_labels():
    pool = noisy_pool([0, 1, 2])
    probabilities = np.random.default_rng(1).dirichlet(np.ones(3), 30)
    config = {"strategy_name": "direct", "B1": 20, "min_budget_per_class": 60}
    strategy = DirectStrategy(config, pool, np.random.default_rng(0))
    selected = strategy.select(Scores(probabilities), 12)
    assert len(set(selected.tolist())) == 12
    told = strategy.session.told
    assert list(told) == selected.tolist()
    assert list(told.values()) == noisy_labels(pool)[selected].tolist() != LABELS[selected].tolist()


def test_without_a_generator_the_global_seed_decides_as_in_labelbench():
    pool = noisy_pool([0, 1, 2])
    trainer = Scores(np.random.default_rng(1).dirichlet(np.ones(3), 30))
    selections = []
    for seed in (7, 7, 8):
        np.random.seed(seed)
        selections.append(DirectStrategy({"strategy_name": "direct"}, pool).select(trainer, 12).tolist())
    assert selections[0] == selections[1] != selections[2]


@pytest.mark.parametrize(
    ("config", "error", "message"),
    [
        ({"B2": 5}, ValueError, "unknown key 'B2' in the configuration of strategy 'direct'; known are B1, keep_best"),
        ({"B1": 0}, ValueError, "B1 must be at least 1, got 0"),
        ({"B1": "20"}, TypeError, "B1 must be an integer, got '20'"),
        ({"B1": 2.0}, TypeError, "B1 must be an integer, got 2.0"),
        ({"min_budget_per_class": -1}, ValueError, "min_budget_per_class must be at least 0, got -1"),
        ({"nearest": "position"}, ValueError, "the option 'nearest' is gone: docs/choices.md shows that it"),
    ],
)
def test_bad_configurations(config, error, message):
    with pytest.raises(error, match=message):
        DirectStrategy({"strategy_name": "direct", **config}, noisy_pool())


def test_multi_label_data_is_refused():
    pool = noisy_pool()
    pool.label_type = "MULTI_LABEL"
    with pytest.raises(ValueError, match="multi-label"):
        DirectStrategy({"strategy_name": "direct"}, pool)


def test_scores_of_another_pool_are_refused():
    strategy = DirectStrategy({"strategy_name": "direct"}, noisy_pool([0]))
    with pytest.raises(ValueError, match="the pool has 30 examples, but the trainer scored 4"):
        strategy.select(Scores(np.full((4, 3), 1 / 3)), 1)


def test_one_hot_predictions_are_refused():
    strategy = DirectStrategy({"strategy_name": "direct"}, noisy_pool([0]))
    with pytest.raises(ValueError, match="one-hot"):
        strategy.select(Scores(np.eye(3)[LABELS]), 1)


THEIRS = """
import numpy as np
class DIRECTSampling:
    def __init__(self, config, dataset):
        self.config, self.dataset = config, dataset
    def select(self, trainer, budget):
        scores, labels = trainer.retrieve_inputs([0, 3])
        print("acc", self.config)
        assert self.config == {"strategy_name": "direct", "B1": 3, "min_budget_per_class": 60}
        free = np.setdiff1d(np.flatnonzero(labels.argmax(axis=1) == 1), self.dataset.labeled_idxs())
        return list(np.random.permutation(free)[:budget])
"""


def test_labelbenchs_own_direct_is_given_the_annotators_labels(labelbench, tmp_path):
    """And is silent, draws from the strategy's generator and leaves the global one alone."""
    (tmp_path / "LabelBench" / "strategy" / "strategy_impl").mkdir()
    (tmp_path / "LabelBench" / "strategy" / "strategy_impl" / "direct.py").write_text(THEIRS)
    labelbench(
        f"""
        import sys; sys.path.append({str(Path(__file__).parent)!r})
        import contextlib, io, numpy as np, standins
        from labelbench_direct.strategies import COMPARABLE
        labels = np.arange(60) % 3
        pool = standins.Dataset(labels, [1, 4], 3)
        trainer = standins.Trainer(np.full((60, 3), 1 / 3), np.zeros((60, 0)))
        def select(seed):
            rng = np.random.default_rng(seed)
            return COMPARABLE["direct_labelbench"]({{"B1": 3}}, pool, rng).select(trainer, 10).tolist()
        before = np.random.get_state()[1].tolist()
        with contextlib.redirect_stdout(io.StringIO()) as printed:
            chosen = select(0)
        assert printed.getvalue() == ""
        assert before == np.random.get_state()[1].tolist()
        assert chosen == select(0) != select(1)
        assert len(set(chosen)) == 10 and set(labels[chosen]) == {{1}} and not {{1, 4}} & set(chosen)
        """
    )


@pytest.mark.skipif(INSTALLED, reason="LabelBench is importable")
def test_labelbenchs_own_direct_without_labelbench():
    strategy = COMPARABLE["direct_labelbench"]({}, standins.Dataset([0, 1, 0, 1], [0], 2), np.random.default_rng(0))
    trainer = standins.Trainer(np.full((4, 2), 0.5), np.zeros((4, 0)))
    with pytest.raises(ModuleNotFoundError, match="put a checkout of LabelBench on PYTHONPATH"):
        strategy.select(trainer, 2)
