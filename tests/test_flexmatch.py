"""FlexMatch, pseudo-labeling, their views, and trainers by configuration."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from labelbench_direct.hosts.embedded import check_settings, load, make_trainer
from labelbench_direct.hosts.embedded.models.views import ArrayViews
from labelbench_direct.hosts.embedded.pool import Pool
from labelbench_direct.hosts.embedded.training.flexmatch import LearningStatus
from labelbench_direct.hosts.embedded.training.passive import PassiveTrainer

QUICK = {"steps": 20, "batch_size": 16, "unlabeled_ratio": 2}


def thresholds_by_definition(history, num_unlabeled, num_classes, cutoff, warmup):
    """FlexMatch, eq. 6-8 and 11, from the whole history, in loops: each example counts for its last confident class."""
    taken_for = [None] * num_unlabeled
    for predictions in history:
        for row, confidence, k in predictions:
            if confidence >= cutoff:
                taken_for[row] = k
    counts = [sum(one == k for one in taken_for) for k in range(num_classes)]
    most = max([*counts, taken_for.count(None)] if warmup else counts)
    thresholds = []
    for count in counts:
        status = count / most if most else 0.0
        thresholds.append(status / (2 - status) * cutoff)
    return thresholds


@settings(max_examples=200)
@given(st.data(), st.booleans(), st.integers(2, 6), st.integers(1, 12))
def test_thresholds_are_the_papers_step_by_step(data, warmup, num_classes, num_unlabeled):
    status = LearningStatus(num_unlabeled, num_classes, 0.75, warmup)
    history = []
    for _ in range(data.draw(st.integers(1, 6))):
        rows = data.draw(st.lists(st.integers(0, num_unlabeled - 1), min_size=1, unique=True))
        size = {"min_size": len(rows), "max_size": len(rows)}
        confidences = data.draw(st.lists(st.sampled_from([0.3, 0.5, 0.75, 1.0]), **size))
        classes = data.draw(st.lists(st.integers(0, num_classes - 1), **size))
        history.append(list(zip(rows, confidences, classes, strict=True)))
        status.update(torch.tensor(rows), torch.tensor(confidences), torch.tensor(classes))
        expected = thresholds_by_definition(history, num_unlabeled, num_classes, 0.75, warmup)
        assert status.thresholds().tolist() == pytest.approx(expected)


def trainer_on(labeled, trainer, model=None, data="digits", seed=0):
    pool = Pool(load(data))
    pool.update_labeled_idxs(np.asarray(labeled))
    return make_trainer(model or {"name": "mlp", "hidden": 16}, trainer, pool, seed, "cpu")


def test_thresholds_seen_in_training_are_the_papers():
    """The statuses of a real run, recomputed from the predictions that went in."""
    trainer = trainer_on(
        np.arange(60), {"name": "flexmatch", **QUICK, "steps": 8, "cutoff": 0.3, "learning_rate": 0.01}
    )
    history, differences = [], []
    update = LearningStatus.update

    def recording(status, rows, confidences, classes):
        update(status, rows, confidences, classes)
        history.append(list(zip(rows.tolist(), confidences.tolist(), classes.tolist(), strict=True)))
        expected = thresholds_by_definition(history, len(trainer.pool) - 60, 10, 0.3, True)
        differences.append(np.abs(status.thresholds().numpy() - expected).max())

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(LearningStatus, "update", recording)
        trainer.train()
    assert len(differences) == 8
    assert max(differences) < 1e-6
    assert any(confidence >= 0.3 for step in history for _, confidence, _ in step), "else nothing was tested"


@pytest.mark.parametrize("name", ["flexmatch", "pseudo_label"])
def test_semi_supervised_training_is_repeatable(name):
    state = torch.random.get_rng_state()
    first, second, other = (
        trainer_on(np.arange(50), {"name": name, **QUICK}, seed=seed).train().state_dict() for seed in (0, 0, 1)
    )
    assert all(torch.equal(first[key], second[key]) for key in first)
    assert not torch.equal(first["head.weight"], other["head.weight"])
    assert torch.equal(torch.random.get_rng_state(), state)


def accuracy(trainer):
    model = trainer.train()
    for part in ("train", "val", "test"):
        getattr(trainer, f"evaluate_on_{part}")(model)
    return trainer.compute_metric(1)["Test Accuracy"]


def test_flexmatch_learns_from_unlabeled_examples():
    labels = load("digits").train.labels
    labeled = np.concatenate([np.flatnonzero(labels == k)[:2] for k in range(10)])
    options = {"steps": 200, "batch_size": 32, "learning_rate": 0.01}
    passive = accuracy(trainer_on(labeled, {"name": "passive", "augment": True, **options}))
    flexmatch = accuracy(trainer_on(labeled, {"name": "flexmatch", **options}))
    assert flexmatch > passive + 0.03


@pytest.mark.parametrize("name", ["flexmatch", "pseudo_label"])
@pytest.mark.parametrize("num_unlabeled", [0, 1, 10])
def test_fewer_unlabeled_examples_than_a_batch(name, num_unlabeled):
    size = len(load("digits").train.labels)
    model = trainer_on(np.arange(size - num_unlabeled), {"name": name, **QUICK}).train()
    assert all(torch.isfinite(parameter).all() for parameter in model.parameters())


def test_without_unlabeled_examples_training_is_passive():
    size = len(load("digits").train.labels)
    options = {"steps": 20, "batch_size": 16}
    passive, flexmatch = (trainer_on(np.arange(size), {"name": name, **options}) for name in ("passive", "flexmatch"))
    assert torch.equal(passive.train().head.weight, flexmatch.train().head.weight)


@pytest.mark.parametrize("shape", [None, (8, 8)])
def test_views_change_every_row_and_strong_ones_more(shape):
    pool = torch.from_numpy(load("digits").train.inputs)
    views = ArrayViews(pool, shape)
    weak, strong = (views.of(pool, view, torch.Generator().manual_seed(0)) for view in ("weak", "strong"))
    distances = [(view - pool).norm(dim=1) for view in (weak, strong)]
    assert distances[0].min() > 0
    assert distances[1].mean() > 1.3 * distances[0].mean()
    assert views.of(pool, "plain", torch.Generator()) is pool
    again = views.of(pool, "strong", torch.Generator().manual_seed(0))
    assert torch.equal(strong, again)


def test_weak_views_of_images_shift_them_whole():
    """A bright pixel in the middle stays one, up to two pixels of 28 away, and keeps its light."""
    images = torch.zeros(200, 28, 28)
    images[:, 14, 14] = 1
    views = ArrayViews(images.view(200, -1), (28, 28))
    moved = views.of(images.view(200, -1), "weak", torch.Generator().manual_seed(0)).view(200, 28, 28)
    assert moved.sum(dim=(1, 2)).tolist() == pytest.approx([1] * 200, abs=1e-4)
    rows, columns = (moved.sum(dim=axis) @ torch.arange(28.0) for axis in (2, 1))
    for position in (rows, columns):
        assert 11.9 < position.min() < 12.5
        assert 15.5 < position.max() < 16.1


def test_columns_without_variance_stay_finite():
    pool = torch.ones(10, 3)
    assert torch.equal(ArrayViews(pool, None).of(pool, "strong", torch.Generator()), pool)


@pytest.mark.parametrize(
    ("model", "trainer", "message"),
    [
        ({"name": "resnet"}, {}, "the model's name must be one of 'linear', 'mlp'"),
        ({}, {}, "the model's name must be one of .* got None"),
        ({"name": "linear", "hidden": 3}, {}, "unknown key 'hidden' in the configuration of model 'linear'"),
        ({"name": "mlp", "hidden": 0}, {}, "hidden must be at least 1"),
        ({}, {"name": "fixmatch"}, "the trainer's name must be one of 'passive', 'lbfgs', 'flexmatch', 'pseudo_label'"),
        ({}, {"name": "passive", "cutoff": 0.9}, "unknown key 'cutoff' in the configuration of trainer 'passive'"),
        ({}, {"name": "passive", "hidden": 9}, "unknown key 'hidden' in the configuration of trainer 'passive'"),
        ({}, {"name": "passive", "learning_rate": "high"}, "learning_rate must be a number"),
        ({}, {"name": "passive", "label_smoothing": 1.5}, "label_smoothing must be between 0 and 1"),
        ({}, {"name": "passive", "epochs": 0}, "epochs must be at least 1"),
        ({}, {"name": "passive", "optimizer": "sgd"}, "optimizer must be one of 'adam', 'adamw'"),
        ({}, {"name": "passive", "class_weights": 1}, "class_weights must be true or false"),
        ({}, {"name": "flexmatch", "cutoff": 95}, "cutoff must be between 0 and 1"),
        ({}, {"name": "flexmatch", "unlabeled_ratio": 0}, "unlabeled_ratio must be at least 1"),
        ({}, {"name": "flexmatch", "warmup": "yes"}, "warmup must be true or false"),
    ],
)
def test_wrong_settings_are_named(model, trainer, message):
    model = model if trainer == {} else {"name": "mlp"}
    with pytest.raises((ValueError, TypeError), match=message):
        check_settings(model, trainer or {"name": "passive"})


def test_configured_and_direct_trainers_are_the_same():
    pool = Pool(load("digits"))
    pool.update_labeled_idxs(np.arange(50))
    configured = make_trainer({"name": "mlp"}, {"name": "passive", "steps": 10}, pool, 3, "cpu")
    training = check_settings({"name": "mlp"}, {"name": "passive", "steps": 10})[1]
    direct = PassiveTrainer(training, pool, 3, torch.device("cpu"))
    assert torch.equal(configured.train().head.weight, direct.train().head.weight)


def test_epochs_count_passes_over_the_labels():
    training = check_settings({"name": "mlp"}, {"name": "passive", "epochs": 3, "batch_size": 20})[1]
    rng = np.random.default_rng(0)
    assert [len(training.batches(labeled, rng)) for labeled in (5, 20, 45, 100)] == [3, 3, 6, 15]


def test_diverged_training_stops_and_says_so():
    trainer = trainer_on(np.arange(50), {"name": "passive", "steps": 60, "learning_rate": 1e30})
    with pytest.raises(FloatingPointError, match=r"the loss is .* at step 50; use a learning_rate below 1e\+30"):
        trainer.train()


@pytest.mark.parametrize(
    "error",
    [
        torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB"),
        RuntimeError("CUDA error: CUBLAS_STATUS_ALLOC_FAILED when calling `cublasCreate(handle)`"),
        RuntimeError("cuDNN error: CUDNN_STATUS_ALLOC_FAILED"),
    ],
    ids=["torch", "cuBLAS", "cuDNN"],
)
def test_no_room_on_the_device_is_said(error):
    trainer = trainer_on(np.arange(50), {"name": "passive", "steps": 5})

    def full(model, inputs):
        raise error

    trainer._forward = full
    with pytest.raises(MemoryError, match=r"no room on cpu for a batch of 128.*use a smaller batch_size"):
        trainer.train()


def test_no_room_for_the_data_is_said(monkeypatch):
    def full(self, *_):
        raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB")

    monkeypatch.setattr(torch.Tensor, "to", full)
    with pytest.raises(MemoryError, match=r"no room on cpu for the data.*smaller images"):
        trainer_on(np.arange(50), {"name": "passive"})


def test_no_room_in_main_memory_is_said():
    """Torch itself refuses 400 TB, more than any address space has."""
    trainer = trainer_on(np.arange(50), {"name": "passive", "steps": 1}, {"name": "mlp", "hidden": 10**12})
    with pytest.raises(MemoryError, match=r"no room on cpu for the model.*a smaller model"):
        trainer.train()
