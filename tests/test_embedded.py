"""The embedded host: data, noise, training, metrics, the loop."""

import numpy as np
import pytest
import torch
from sklearn.metrics import balanced_accuracy_score, f1_score

from labelbench_direct.hosts.corrupters import uniform_noise
from labelbench_direct.hosts.embedded.data.catalog import LONG_TAIL_RATIO, load
from labelbench_direct.hosts.embedded.pool import Pool
from labelbench_direct.hosts.embedded.training.passive import Classifier, PassiveTrainer, Training, best_device
from labelbench_direct.hosts.loop import first_batch, run_rounds
from labelbench_direct.hosts.metrics import class_accuracies
from labelbench_direct.labelbench import ALInput
from labelbench_direct.strategies import STRATEGIES

QUICK = Training(steps=20, hidden=8)


@pytest.mark.parametrize(("name", "size"), [("digits", 1797), ("mnist5k", 5000)])
def test_parts_hold_everything_once(name, size):
    data = load(name)
    parts = (data.train, data.val, data.test)
    assert sum(len(part.labels) for part in parts) == size
    assert [len(part.labels) / size for part in parts] == pytest.approx([0.7, 0.1, 0.2], abs=0.01)
    assert data.num_classes == 10
    assert data.imbalance_ratio > 0.9
    for part in parts:
        assert part.inputs.dtype == np.float32
        assert part.inputs.min() == 0
        assert part.inputs.max() == 1


@pytest.mark.parametrize("num_classes", [2, 3, 10])
def test_imbalanced_merges_the_last_classes(num_classes):
    whole, data = load("mnist5k"), load(f"mnist5k_imb_{num_classes}")
    assert data.train.labels.tolist() == np.minimum(whole.train.labels, num_classes - 1).tolist()
    assert data.test.labels.max() == num_classes - 1
    assert data.imbalance_ratio == pytest.approx(1 / (11 - num_classes))
    assert len(data.classnames) == num_classes


def test_long_tail_thins_the_pool_alone():
    whole, data = load("mnist5k"), load("mnist5k_lt")
    counts = np.bincount(data.train.labels)
    assert counts.tolist() == [round(350 * LONG_TAIL_RATIO ** (i / 9)) for i in range(10)]
    assert data.test.labels.tolist() == whole.test.labels.tolist()


@pytest.mark.parametrize("name", ["cifar11", "mnist5k_imb", "mnist5k_imb_1", "mnist5k_imb_11", "mnist5k_lt_imb_3", ""])
def test_unknown_data_sets_are_refused(name):
    with pytest.raises(ValueError, match=r"unknown data set|must be in 2..10"):
        load(name)


@pytest.mark.parametrize("rate", [0, 0.1, 1])
def test_noise_changes_its_share_to_other_classes_evenly(rate):
    clean = np.eye(4)[np.random.default_rng(0).integers(4, size=4000)]
    before = clean.copy()
    noisy = uniform_noise(rate, np.random.default_rng(1))(clean)
    assert np.array_equal(clean, before)
    shift = (noisy.argmax(axis=1) - clean.argmax(axis=1)) % 4
    assert (shift != 0).sum() == rate * 4000
    counts = np.bincount(shift, minlength=4)[1:]
    assert counts == pytest.approx([rate * 4000 / 3] * 3, rel=0.15)
    assert noisy.sum() == 4000


@pytest.mark.parametrize("rate", [-0.1, 1.1, float("nan")])
def test_impossible_noise_is_refused(rate):
    with pytest.raises(ValueError, match="between 0 and 1"):
        uniform_noise(rate, np.random.default_rng(0))


def trained_on(labeled, noise=0.0, training=QUICK, seed=0):
    pool = Pool(load("digits"))
    pool.set_corrupter(uniform_noise(noise, np.random.default_rng(0)))
    pool.update_labeled_idxs(labeled)
    trainer = PassiveTrainer(training, pool, seed=seed, device=torch.device("cpu"))
    return pool, trainer, trainer.train()


def test_training_is_repeatable_and_leaves_torch_alone():
    state = torch.random.get_rng_state()
    first, second = (trained_on(np.arange(50))[2].state_dict() for _ in range(2))
    assert all(torch.equal(first[name], second[name]) for name in first)
    assert torch.equal(torch.random.get_rng_state(), state)
    other = trained_on(np.arange(50), seed=1)[2].state_dict()
    assert not torch.equal(first["head.weight"], other["head.weight"])


def test_training_on_the_cpu_leaves_accelerators_alone(monkeypatch):
    """Where there are two, torch's own saving of random states would start both, and warn."""
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    for name in ("get_rng_state", "manual_seed_all"):
        monkeypatch.setattr(torch.cuda, name, lambda *_, name=name: pytest.fail(f"torch.cuda.{name} is called"))
    trained_on(np.arange(50))


def test_training_sees_the_noisy_labels():
    clean = trained_on(np.arange(300), 0.0, Training())
    noisy = trained_on(np.arange(300), 1.0, Training())
    accuracies = []
    for _, trainer, model in (clean, noisy):
        for part in ("train", "val", "test"):
            getattr(trainer, f"evaluate_on_{part}")(model)
        accuracies.append(trainer.compute_metric(1)["Test Accuracy"])
    assert accuracies[0] > 0.8
    assert accuracies[1] < 0.1


@pytest.mark.parametrize("model", ["linear", "mlp"])
def test_evaluation_hands_out_labelbenchs_arrays(model):
    pool, trainer, fitted = trained_on(np.arange(40), 0.5, Training(model=model, steps=5, hidden=8))
    trainer.evaluate_on_train(fitted)
    trainer.evaluate_on_test(fitted)
    kinds = [ALInput.TRAIN_PRED, ALInput.TRAIN_LABEL, ALInput.TRAIN_LOSS, ALInput.TRAIN_EMBEDDING]
    scores, labels, losses, embeddings = trainer.retrieve_inputs(kinds)
    assert scores.shape == labels.shape == (len(pool), 10)
    assert scores.sum(axis=1) == pytest.approx(1, abs=1e-5)
    assert labels.argmax(axis=1).tolist() == pool.data.train.labels.tolist(), "true labels, as in LabelBench"
    assert losses == pytest.approx(-np.log(scores[np.arange(len(pool)), pool.data.train.labels]), rel=1e-3, abs=1e-6)
    assert embeddings.shape == (len(pool), 8 if model == "mlp" else 64)
    assert {array.dtype for array in (scores, labels, losses, embeddings)} == {np.dtype(np.float64)}
    scores[:] = 0
    assert trainer.retrieve_inputs(kinds)[0].max() > 0, "copies"


def test_inverse_frequency_weights_help_the_rare_class():
    pool = Pool(load("mnist5k_imb_2"))
    rare = np.flatnonzero(pool.data.train.labels == 0)[:3]
    common = np.flatnonzero(pool.data.train.labels == 1)[:197]
    recalls = []
    for class_weights in (False, True):
        pool = Pool(load("mnist5k_imb_2"))
        pool.update_labeled_idxs(np.concatenate([rare, common]))
        training = Training(model="linear", class_weights=class_weights, steps=60)
        trainer = PassiveTrainer(training, pool, seed=0, device=torch.device("cpu"))
        trainer.evaluate_on_test(trainer.train())
        (scores,) = trainer.retrieve_inputs([ALInput.TEST_PRED])
        recalls.append(class_accuracies(scores, pool.data.test.labels)[0][0])
    assert recalls[1] > recalls[0]


def test_metrics_equal_scikit_learns():
    rng = np.random.default_rng(0)
    scores, labels = rng.dirichlet(np.ones(4), 200), rng.integers(4, size=200)
    accuracies, macro_f1 = class_accuracies(scores, labels)
    assert accuracies.mean() == pytest.approx(balanced_accuracy_score(labels, scores.argmax(axis=1)))
    assert macro_f1 == pytest.approx(f1_score(labels, scores.argmax(axis=1), average="macro"))


def test_absent_class_counts_as_zero():
    accuracies, _ = class_accuracies(np.eye(3)[[0, 1]], np.array([0, 1]))
    assert accuracies.tolist() == [1, 1, 0]


def test_models_and_devices():
    assert best_device().type in {"cpu", "cuda", "mps"}
    logits, embeddings = Classifier(Training(model="linear"), 5, 3)(torch.zeros(2, 5))
    assert logits.shape == (2, 3)
    assert embeddings.shape == (2, 5)
    with pytest.raises(ValueError, match="model must be one of 'linear', 'mlp'"):
        Training(model="resnet18")  # type: ignore[arg-type]


def test_loop_ends_with_the_pool():
    pool = Pool(load("digits"))
    trainer = PassiveTrainer(QUICK, pool, seed=0, device=torch.device("cpu"))
    strategy = STRATEGIES["margin"]({"strategy_name": "margin"}, pool, np.random.default_rng(0))
    rounds = list(run_rounds(pool, trainer, strategy, first_batch(len(pool), 500, 0), 500, 10))
    assert [len(done.indices) for done in rounds] == [500, 500, len(pool) - 1000]
    assert sorted(np.concatenate([done.indices for done in rounds]).tolist()) == list(range(len(pool)))
    assert [done.metrics["Num Labeled"] for done in rounds] == [500, 1000, len(pool)]
    assert rounds[0].labels.tolist() == pool.data.train.labels[rounds[0].indices].tolist()


def test_first_batch_is_labelbenchs():
    """LabelBench seeds numpy's global generator with seed + 42 and draws its first batch from it."""
    np.random.seed(1234 + 42)
    expected = np.random.choice(np.arange(500), size=30, replace=False)
    assert first_batch(500, 30, 1234).tolist() == expected.tolist()
