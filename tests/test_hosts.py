"""One contract for every host: what strategies rely on, held by the embedded host and by LabelBench's own classes."""

import os
import sys

import numpy as np
import pytest
import torch

from labelbench_direct.hosts.corrupters import uniform_noise
from labelbench_direct.hosts.embedded.data.catalog import load
from labelbench_direct.hosts.embedded.pool import Pool
from labelbench_direct.hosts.embedded.training.passive import PassiveTrainer, Training
from labelbench_direct.labelbench import ALInput, Annotator, is_multi_label, labeled_indices, labeled_labels
from labelbench_direct.strategies import STRATEGIES

# LabelBench imports clip, which imports pkg_resources: its warning is theirs to heed.
pytestmark = pytest.mark.filterwarnings("ignore:pkg_resources is deprecated")

DATA = "digits_imb_3"
CLEAN = load(DATA).train.labels
FIRST = np.arange(60)


class Embedded:
    """The embedded host's pool and trainer."""

    def __init__(self, _):
        self.dataset = Pool(load(DATA))

    def trainer(self):
        return PassiveTrainer(Training(model="linear", steps=100), self.dataset, seed=0, device=torch.device("cpu"))


class LabelBench:
    """LabelBench's ``ALDataset`` and ``PyTorchPassiveTrainer``, on the CPU."""

    def __init__(self, monkeypatch):
        from torch.utils.data import DataLoader

        from labelbench_direct.hosts.labelbench import bridges, datasets

        monkeypatch.syspath_prepend(os.environ["LABELBENCH_HOME"])
        for owner, name in ((DataLoader, "__init__"), (torch.Tensor, "cuda"), (torch.nn.Module, "cuda")):
            monkeypatch.setattr(owner, name, getattr(owner, name))  # so that the bridges' changes are undone
        for name in ("device_count", "is_available"):
            monkeypatch.setattr(torch.cuda, name, getattr(torch.cuda, name))
        monkeypatch.setattr(torch.cuda.amp, "autocast", torch.cuda.amp.autocast)
        for bridge in bridges.BRIDGES:
            if bridge.name in ("cpu", "workers"):
                bridge.apply()
        from LabelBench.skeleton.dataset_skeleton import ALDataset, LabelType

        train, val, test, *_, num_classes, classnames = datasets.get_small("digits_imb", 3, "unused")
        labels = [np.eye(num_classes)[part.dataset.labels] for part in (train, val, test)]
        self.dataset = ALDataset(train, val, test, *labels, LabelType.MULTI_CLASS, num_classes, classnames)

    def trainer(self):
        from LabelBench.metric.metric_impl.multi_class_metric import MultiClassMetric
        from LabelBench.model.model_impl.linear import init_Linear
        from LabelBench.trainer.trainer_impl.pytorch_passive_trainer import PyTorchPassiveTrainer

        config = {"loss_fn": torch.nn.functional.cross_entropy, "pred_fn": lambda logits: torch.softmax(logits, dim=-1)}
        config |= {"optim_fn": lambda weights: torch.optim.Adam(weights, lr=0.03), "mixup_fn": lambda classes: None}
        config |= {"max_epoch": 3, "train_batch_size": 20, "test_batch_size": 2000, "num_workers": 0}
        model = {"input_dim": 64, "num_output": 3, "ret_emb": False}
        return PyTorchPassiveTrainer(config, self.dataset, init_Linear, model, MultiClassMetric(), None)


@pytest.fixture(
    params=[Embedded, pytest.param(LabelBench, marks=pytest.mark.labelbench)], ids=lambda host: host.__name__
)
def host(request, monkeypatch):
    """A host with a noisy pool of which nothing is labeled."""
    before = set(sys.modules)
    made = request.param(monkeypatch)
    made.dataset.set_corrupter(uniform_noise(0.2, np.random.default_rng(5)))
    yield made
    for name in set(sys.modules) - before:
        if name.split(".")[0] == "LabelBench":
            del sys.modules[name]


def noisy():
    return uniform_noise(0.2, np.random.default_rng(5))(np.eye(3)[CLEAN]).argmax(axis=1)


def test_an_unlabeled_pool(host):
    assert len(host.dataset) == len(CLEAN)
    assert host.dataset.num_classes == len(host.dataset.get_classnames()) == 3
    assert not is_multi_label(host.dataset)
    assert labeled_indices(host.dataset).tolist() == []
    assert labeled_labels(host.dataset).tolist() == []


def test_labeling_keeps_the_order_and_the_noise(host):
    for batch in ([7, 3], [900, 5, 4]):
        host.dataset.update_labeled_idxs(np.array(batch))
    assert host.dataset.num_labeled() == 5
    assert host.dataset.labeled_idxs().tolist() == [7, 3, 900, 5, 4]
    assert sorted(host.dataset.unlabeled_idxs().tolist()) == sorted(set(range(len(CLEAN))) - {7, 3, 900, 5, 4})
    labels = host.dataset.get_train_labels()
    assert labels.shape == (5, 3)
    assert labels.sum(axis=1).tolist() == [1] * 5
    assert labels.argmax(axis=1).tolist() == noisy()[[7, 3, 900, 5, 4]].tolist()


def test_labeled_idxs_are_copies(host):
    host.dataset.update_labeled_idxs(FIRST)
    host.dataset.labeled_idxs()[:] = 0
    assert host.dataset.labeled_idxs().tolist() == FIRST.tolist()


def test_eval_hands_out_clean_labels_and_train_noisy_ones(host):
    host.dataset.update_labeled_idxs(FIRST)
    host.dataset.eval()
    assert host.dataset.get_train_labels().argmax(axis=1).tolist() == CLEAN[FIRST].tolist()
    host.dataset.train()
    assert host.dataset.get_train_labels().argmax(axis=1).tolist() == noisy()[FIRST].tolist()


@pytest.mark.parametrize("state", ["train", "eval"])
def test_annotators_answer_with_what_training_sees_and_change_nothing(host, state):
    host.dataset.update_labeled_idxs(FIRST)
    getattr(host.dataset, state)()
    before = host.dataset.get_train_labels()
    assert Annotator(host.dataset)(np.arange(len(CLEAN))).tolist() == noisy().tolist()
    assert labeled_labels(host.dataset).tolist() == noisy()[FIRST].tolist()
    assert host.dataset.labeled_idxs().tolist() == FIRST.tolist()
    assert np.array_equal(host.dataset.get_train_labels(), before)
    host.dataset.train()
    if hasattr(host.dataset, "train_dataset"):
        assert host.dataset.train_dataset[0][1].argmax() == noisy()[0]


def trained(host):
    host.dataset.update_labeled_idxs(FIRST)
    trainer = host.trainer()
    model = trainer.train()
    for part in ("train", "val", "test"):
        getattr(trainer, f"evaluate_on_{part}")(model)
    return trainer


def test_trainers_hand_out_scores_clean_labels_and_embeddings(host):
    trainer = trained(host)
    kinds = [ALInput.TRAIN_PRED, ALInput.TRAIN_LABEL, ALInput.TRAIN_EMBEDDING]
    scores, labels, embeddings = trainer.retrieve_inputs(kinds)
    assert scores.shape == labels.shape == (len(CLEAN), 3)
    assert len(embeddings) == len(CLEAN)
    assert {array.dtype for array in (scores, labels, embeddings)} == {np.dtype(np.float64)}
    assert scores.sum(axis=1) == pytest.approx(1, abs=1e-5)
    assert labels.argmax(axis=1).tolist() == CLEAN.tolist(), "clean, whatever the annotators said"
    scores[:] = 0
    assert trainer.retrieve_inputs(kinds)[0].max() > 0, "copies"


def test_hosts_have_the_same_metrics(host):
    metrics = trained(host).compute_metric(1)
    assert metrics["Num Labeled"] == metrics["Total Number of Positive"] == 60
    counts = np.bincount(CLEAN[FIRST], minlength=3)
    assert metrics["Min Class Number of Positive"] == counts.min()
    assert metrics["Max Class Number of Positive"] == counts.max()
    parts = ("Pool", "Validation", "Test")
    names = {f"{part} {what}" for part in parts for what in ("Accuracy", "Loss", "Macro F1")}
    names |= {f"Balanced {part} Accuracy" for part in ("Training", "Validation", "Test")}
    assert all(np.isfinite(metrics[name]) for name in names)
    assert metrics["Test Accuracy"] > 0.6


@pytest.mark.parametrize("name", STRATEGIES)
def test_strategies_select_and_leave_the_host_alone(host, name):
    trainer = trained(host)
    strategy = STRATEGIES[name]({"strategy_name": name}, host.dataset, np.random.default_rng(0))
    state = host.dataset.get_train_labels()
    selected = strategy.select(trainer, 25)
    assert len(set(selected.tolist())) == 25
    assert not set(selected.tolist()) & set(FIRST.tolist())
    assert host.dataset.labeled_idxs().tolist() == FIRST.tolist()
    assert np.array_equal(host.dataset.get_train_labels(), state)
    host.dataset.update_labeled_idxs(selected)
    assert labeled_labels(host.dataset)[60:].tolist() == noisy()[selected].tolist()
