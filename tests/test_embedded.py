"""The embedded host: data, noise, training, metrics, the loop."""

import numpy as np
import pytest
import torch
from sklearn.metrics import balanced_accuracy_score, f1_score

from labelbench_direct.hosts.corrupters import uniform_noise
from labelbench_direct.hosts.embedded.data.catalog import LONG_TAIL_RATIO, load
from labelbench_direct.hosts.embedded.pool import Pool
from labelbench_direct.hosts.embedded.trainers import check_settings, make_trainer
from labelbench_direct.hosts.embedded.training.lbfgs import Lbfgs
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


def loss_by_loops(parameters, inputs, labels, num_classes, options):
    """``LbfgsTrainer``'s objective, one example after the other."""
    columns = inputs.shape[1]
    weights = parameters[: num_classes * columns].reshape(num_classes, columns)
    biases = parameters[num_classes * columns :]
    counts = [sum(label == k for label in labels) for k in range(num_classes)]
    weight = [1 / max(count, 1) if options.class_weights else 1.0 for count in counts]
    total, norm = 0.0, 0.0
    for row, label in zip(inputs, labels, strict=True):
        logits = [sum(w * x for w, x in zip(weights[k], row, strict=True)) + biases[k] for k in range(num_classes)]
        logs = [logit - np.log(sum(np.exp(logits))) for logit in logits]
        for k in range(num_classes):
            share = (1 - options.label_smoothing) * (k == label) + options.label_smoothing / num_classes
            total -= (weight[k] if options.weighting == "torch" else weight[label]) * share * logs[k]
        norm += weight[label]
    return total / norm + options.weight_decay / 2 * sum(value * value for value in parameters)


@pytest.mark.parametrize("weighting", ["torch", "example"])
@pytest.mark.parametrize("options", [{}, {"label_smoothing": 0.1}, {"label_smoothing": 0.1, "class_weights": False}])
def test_lbfgs_finds_the_minimum(weighting, options):
    """No parameter can be moved either way without a higher loss, which plain loops compute."""
    pool = Pool(load("digits_imb_3:ratio=0.2"))
    pool.update_labeled_idxs(np.random.default_rng(0).permutation(len(pool))[:40])
    stated = {"name": "lbfgs", "weighting": weighting, "weight_decay": 0.1, **options}
    trainer = make_trainer({"name": "linear"}, stated, pool, 0, "cpu")
    head = trainer.train().get_submodule("head")
    found = np.concatenate([head.weight.detach().numpy().ravel(), head.bias.detach().numpy()]).astype(np.float64)
    inputs = pool.data.train.inputs[pool.labeled_idxs()].astype(np.float64)
    labels = pool.get_train_labels().argmax(axis=1)
    by_loops = Lbfgs(**{key: value for key, value in stated.items() if key != "name"})
    least = loss_by_loops(found, inputs, labels, 3, by_loops)
    for i in np.random.default_rng(1).choice(len(found), 8, replace=False):
        for step in (-0.01, 0.01):
            moved = found.copy()
            moved[i] += step
            assert loss_by_loops(moved, inputs, labels, 3, by_loops) > least + 1e-6
    assert np.array_equal(trainer.train().get_submodule("head").weight.detach(), head.weight.detach())


def test_lbfgs_weights_smoothed_labels_as_torch_does_or_by_example():
    pool = Pool(load("digits_imb_3:ratio=0.2"))
    pool.update_labeled_idxs(np.arange(60))
    heads = {}
    for weighting in ("torch", "example"):
        for smoothing in (0.0, 0.1):
            stated = {"name": "lbfgs", "weighting": weighting, "label_smoothing": smoothing}
            model = make_trainer({"name": "linear"}, stated, pool, 0, "cpu").train()
            heads[weighting, smoothing] = model.get_submodule("head").weight.detach().numpy()
    assert np.allclose(heads["torch", 0.0], heads["example", 0.0], atol=1e-4)
    assert not np.allclose(heads["torch", 0.1], heads["example", 0.1], atol=1e-2)


@pytest.mark.parametrize(
    ("model", "trainer", "message"),
    [
        ({"name": "mlp"}, {"name": "lbfgs"}, "the trainer 'lbfgs' is for the model 'linear', got 'mlp'"),
        (
            {"name": "linear"},
            {"name": "lbfgs", "steps": 5},
            "unknown key 'steps' in the configuration of trainer",
        ),
        ({"name": "linear"}, {"name": "lbfgs", "weight_decay": 0}, "weight_decay must be at least 1e-08, got 0"),
        ({"name": "linear"}, {"name": "lbfgs", "weighting": "none"}, "weighting must be one of"),
    ],
)
def test_lbfgs_refuses_what_it_cannot_do(model, trainer, message):
    with pytest.raises(ValueError, match=message):
        check_settings(model, trainer)
