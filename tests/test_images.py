"""Images: their batches and views, one round of the true ResNet-18 and of the true ViT-B/32."""

import io

import numpy as np
import pytest
import torch

from labelbench_direct.hosts.corrupters import confusion_noise, make_corrupter
from labelbench_direct.hosts.embedded import make_trainer
from labelbench_direct.hosts.embedded.data.parts import Data, Part
from labelbench_direct.hosts.embedded.pool import Pool
from labelbench_direct.hosts.loop import first_batch, run_rounds
from labelbench_direct.labelbench import ALInput
from labelbench_direct.strategies import STRATEGIES

pytest.importorskip("torchvision", reason="the extra vision is not installed")

RANDOM_RESNET = {"name": "resnet18", "weights": "random"}


def coloured(count, side=32, seed=0):
    """Images of class 0 are reddish, of class 1 bluish."""
    rng = np.random.default_rng(seed)
    labels = rng.permutation(np.arange(count) % 2)
    images = rng.integers(0, 120, size=(count, side, side, 3), dtype=np.uint8)
    images[np.arange(count), :, :, 2 * labels] += 100
    return Part(images, labels.astype(np.int64))


def data_of(count=24, side=32):
    return Data("coloured", coloured(count, side), coloured(4, side, 1), coloured(12, side, 2), ("red", "blue"))


def trainer_on(num_labeled=8, model=RANDOM_RESNET, trainer=None, data=None, seed=0):
    pool = Pool(data or data_of())
    pool.update_labeled_idxs(np.arange(num_labeled))
    return make_trainer(model, trainer or {"name": "passive", "epochs": 2, "batch_size": 4}, pool, seed, "cpu")


def scores(trainer):
    model = trainer.train()
    for part in ("train", "val", "test"):
        getattr(trainer, f"evaluate_on_{part}")(model)
    return trainer.retrieve_inputs([ALInput.TRAIN_PRED, ALInput.TEST_PRED, ALInput.TRAIN_EMBEDDING])


def test_one_round_of_resnet18():
    pool = Pool(data_of(16))
    options = {"name": "passive", "epochs": 8, "batch_size": 4, "learning_rate": 1e-3, "label_smoothing": 0.1}
    trainer = make_trainer(RANDOM_RESNET, options, pool, 0, "cpu")
    strategy = STRATEGIES["direct"]({"strategy_name": "direct", "B1": 2}, pool, np.random.default_rng(0))
    rounds = list(run_rounds(pool, trainer, strategy, first_batch(len(pool), 8, 0), 8, 2))
    assert [len(done.indices) for done in rounds] == [8, 8]
    assert rounds[1].metrics["Balanced Test Accuracy"] > 0.8, "the classes' colours differ"
    assert trainer.retrieve_inputs([ALInput.TRAIN_EMBEDDING])[0].shape == (16, 512)


def test_resnet18_is_torchvisions_and_repeatable():
    from torchvision.models import resnet18

    first, second, other = (scores(trainer_on(seed=seed)) for seed in (0, 0, 1))
    assert all(np.array_equal(one, two) for one, two in zip(first, second, strict=True))
    assert not np.array_equal(first[0], other[0])
    model = trainer_on()._network.build(2)
    ours = sum(parameter.numel() for parameter in model.parameters())
    assert ours == sum(parameter.numel() for parameter in resnet18(num_classes=2).parameters())


def test_scores_do_not_depend_on_the_other_examples():
    """Batch normalization uses its running statistics in scoring."""
    trainer = trainer_on()
    model = trainer.train()
    trainer.evaluate_on_test(model)
    (whole,) = trainer.retrieve_inputs([ALInput.TEST_PRED])
    trainer._network.inputs._rows_scored = 5
    trainer.evaluate_on_test(model)
    assert trainer.retrieve_inputs([ALInput.TEST_PRED])[0] == pytest.approx(whole, abs=1e-5)


def test_a_checkpoint_is_where_training_starts(tmp_path):
    from torchvision.models import resnet18

    state = resnet18(num_classes=7).state_dict()
    torch.save(state, tmp_path / "weights.pth")
    trainer = trainer_on(model={"name": "resnet18", "weights": str(tmp_path / "weights.pth")})
    body = trainer._network.build(2).body.state_dict()
    assert all(torch.equal(body[key], state[key]) for key in body)
    (tmp_path / "half.pth").write_bytes((tmp_path / "weights.pth").read_bytes()[:1_000_000])
    torch.save({"weight": torch.zeros(3)}, tmp_path / "other.pth")
    for name in ("half", "other"):
        with pytest.raises(ValueError, match=rf"{name}.pth is no checkpoint of torchvision's ResNet-18"):
            trainer_on(model={"name": "resnet18", "weights": str(tmp_path / f"{name}.pth")})


def test_imagenet_weights_are_never_fetched_and_must_be_whole(tmp_path, monkeypatch):
    monkeypatch.setattr(torch.hub, "get_dir", lambda: str(tmp_path))
    with pytest.raises(
        FileNotFoundError, match=r"no weights at .*checkpoints/resnet18-f37072fd.pth; get it with: python"
    ):
        trainer_on(model={"name": "resnet18"})
    (tmp_path / "checkpoints").mkdir()
    (tmp_path / "checkpoints" / "resnet18-f37072fd.pth").write_bytes(b"half of it")
    with pytest.raises(ValueError, match=r"is incomplete or damaged, its SHA-256 is .*; delete it, then get it with"):
        trainer_on(model={"name": "resnet18"})
    with pytest.raises(FileNotFoundError, match=r"no weights at nowhere.pth; weights must be 'imagenet', 'random' or"):
        trainer_on(model={"name": "resnet18", "weights": "nowhere.pth"})


@pytest.mark.parametrize("trainer", ["flexmatch", "pseudo_label"])
def test_semi_supervised_training_on_images(trainer):
    options = {"name": trainer, "steps": 2, "batch_size": 4, "unlabeled_ratio": 2, "cutoff": 0.0}
    first, second = (scores(trainer_on(trainer=options)) for _ in range(2))
    assert np.array_equal(first[0], second[0])
    assert np.isfinite(first[0]).all()


def test_one_label_is_too_few_for_batch_normalization():
    with pytest.raises(ValueError, match="needs at least 2 labels to train on, got 1"):
        trainer_on(1).train()


def test_models_say_which_data_they_need():
    from labelbench_direct.hosts.embedded import load

    with pytest.raises(ValueError, match="'digits' has rows of numbers, no RGB images"):
        trainer_on(data=load("digits"))
    with pytest.raises(
        ValueError, match=r"the train part of 'coloured' has images of shape \(32, 32, 3\): use resnet18"
    ):
        trainer_on(model={"name": "linear"})


def image_inputs(size=None, flip=True, data=None):
    from labelbench_direct.hosts.embedded.models.images import ImageInputs, Preprocessing

    preprocessing = Preprocessing(size, (0.5, 0.4, 0.3), (0.5, 0.6, 0.7), flip)
    return ImageInputs(data or data_of(), torch.device("cpu"), preprocessing, 5)


def test_batches_hold_the_rows_asked_for_normalized():
    inputs, part = image_inputs(), data_of().train
    rows = [np.array([3, 1]), np.array([7])]
    for batch, batch_rows in zip(inputs.batches("train", rows, "plain", 0), rows, strict=True):
        expected = (part.inputs[batch_rows] / 255 - [0.5, 0.4, 0.3]) / [0.5, 0.6, 0.7]
        assert batch.numpy() == pytest.approx(expected.transpose(0, 3, 1, 2), abs=1e-5)
    assert [len(batch) for batch in inputs.in_order("test")] == [5, 5, 2]


def test_views_depend_on_seed_and_number_alone():
    state = torch.random.get_rng_state()
    rows = [np.arange(12), np.arange(12)]
    first, second = list(image_inputs().batches("train", rows, "strong", 3))
    assert not torch.equal(first, second)
    assert torch.equal(list(image_inputs().batches("train", rows, "strong", 3))[1], second)
    assert not torch.equal(next(image_inputs().batches("train", rows, "strong", 4)), first)
    assert torch.equal(torch.random.get_rng_state(), state)
    plain, weak = (next(image_inputs().batches("train", rows, view, 0)) for view in ("plain", "weak"))
    assert (weak - plain).abs().mean() > 0.01


@pytest.mark.parametrize("threads", [0, 1, 3])
def test_batches_gathered_ahead_come_in_order(threads):
    from labelbench_direct.hosts.embedded.models.transfer import ahead, gather

    images = data_of().train.inputs
    rows = [np.array([3, 1]), np.array([7]), *np.split(np.arange(24), 6)]
    for batch, batch_rows in zip(ahead(lambda some: gather(images, some, False), rows, threads), rows, strict=True):
        assert np.array_equal(batch, images[batch_rows])
    ahead_of_none = ahead(lambda some: gather(images, some, False), [], threads)
    assert list(ahead_of_none) == []


@pytest.mark.parametrize("count", [1, 15, 16, 17, 33])
def test_outputs_of_all_batches_come_back_in_order(count):
    from labelbench_direct.hosts.embedded.models.transfer import to_host

    batches = [(torch.arange(2 * i, 2 * i + 2), torch.full((2, 3), float(i))) for i in range(count)]
    numbers, rows = to_host(iter(batches))
    assert numbers.tolist() == list(range(2 * count))
    assert rows[:, 2].tolist() == [i // 2 for i in range(2 * count)]


def test_what_a_thread_raises_is_raised():
    from labelbench_direct.hosts.embedded.models.transfer import ahead

    with pytest.raises(ZeroDivisionError):
        list(ahead(lambda number: 1 // number, [1, 0, 1], 2))


def test_weak_views_mirror_only_where_allowed():
    part = Part(np.zeros((50, 8, 8, 3), dtype=np.uint8), np.arange(50) % 2)
    part.inputs[:, :, 6:] = 255  # the right edge is white
    data = Data("edges", part, part, part, ("a", "b"))
    for flip in (False, True):
        (batch,) = image_inputs(flip=flip, data=data).batches("train", [np.arange(50)], "weak", 0)
        assert bool((batch[:, 0, 4, 0] > 0).any()) == flip


def test_images_are_scaled_and_cut_to_the_middle():
    part = Part(np.zeros((2, 20, 40, 3), dtype=np.uint8), np.arange(2))
    part.inputs[:, :, 10:30] = 255
    data = Data("stripes", part, part, part, ("a", "b"))
    (batch,) = image_inputs(size=10, data=data).batches("val", [np.arange(2)], "plain", 0)
    assert batch.shape == (2, 3, 10, 10)
    assert batch.numpy()[:, 0, :, 1:9] == pytest.approx(1, abs=0.05)


CLIP = {"name": "clip_vitb32", "weights": "random"}


def test_one_round_of_vit_b_32(tmp_path):
    pytest.importorskip("open_clip", reason="the extra clip is not installed")
    options = {"name": "passive", "steps": 1, "batch_size": 4, "optimizer": "adamw", "learning_rate": 1e-5}
    trainer = trainer_on(4, {**CLIP, "frozen": False}, options, data_of(6))
    before = trainer._network.build(2).body.state_dict()
    model = trainer.train()
    assert sum(parameter.numel() for parameter in model.body.parameters()) == 87_849_216, "ViT-B/32's image encoder"
    changed = [not torch.equal(value, before[name]) for name, value in model.body.state_dict().items()]
    assert all(changed), "fine-tuning reaches every layer"
    trainer.evaluate_on_test(model)
    predictions, embeddings = trainer.retrieve_inputs([ALInput.TEST_PRED, ALInput.TEST_EMBEDDING])
    assert predictions.sum(axis=1) == pytest.approx(1, abs=1e-5)
    assert embeddings.shape == (12, 512)


def test_frozen_features_are_open_clips_and_kept(tmp_path, monkeypatch):
    open_clip = pytest.importorskip("open_clip", reason="the extra clip is not installed")
    from PIL import Image

    from labelbench_direct.hosts.embedded.models import clip

    torch.manual_seed(0)
    model, _, preprocess = open_clip.create_model_and_transforms(clip.ARCHITECTURE)
    monkeypatch.setattr(clip, "_visual", lambda weights: model.visual)
    data = data_of(6, side=64)
    frozen = {**CLIP, "cache": str(tmp_path)}
    trainer = trainer_on(4, frozen, data=data)
    features = trainer._network.inputs._parts["train"].numpy()
    with torch.no_grad():
        expected = model.eval().encode_image(torch.stack([preprocess(Image.fromarray(x)) for x in data.train.inputs]))
    spread = expected.numpy().std(axis=0).mean()
    assert np.abs(features - expected.numpy()).mean() < 0.1 * spread, "but for rounding to 8 bits after scaling"
    assert scores(trainer)[0].shape == (6, 2)

    assert len(list(tmp_path.iterdir())) == 1
    monkeypatch.setattr(clip, "_features", lambda *arguments: pytest.fail("computed again"))
    assert np.array_equal(trainer_on(4, frozen, data=data)._network.inputs._parts["train"].numpy(), features)
    made = []
    monkeypatch.setattr(clip, "_features", lambda images, part, *rest: made.append(part) or features[:6])
    clip.cached_features(data, None, model.visual, "other", tmp_path, None)
    assert made == ["train", "val", "test"], "another preprocessing, another file"
    with torch.no_grad():
        next(model.visual.parameters()).add_(1)
    trainer_on(4, frozen, data=data)
    assert len(made) == 6, "another model, another file"
    assert len(list(tmp_path.iterdir())) == 3


def features_of(data):
    return {name: np.ones((len(getattr(data, name).labels), 5), np.float32) for name in ("train", "val", "test")}


@pytest.mark.parametrize("damage", ["nothing", "half", "a flipped byte", "not a file of numpy's", "rows are missing"])
def test_damaged_features_are_made_again(tmp_path, monkeypatch, damage):
    from labelbench_direct.hosts.embedded.models import clip

    data, visual = data_of(6), torch.nn.Linear(2, 2)
    made = []
    monkeypatch.setattr(clip, "_features", lambda images, part, *rest: made.append(part) or features_of(data)[part])
    clip.cached_features(data, None, visual, "", tmp_path, None)
    (path,) = tmp_path.iterdir()
    whole = path.read_bytes()
    flipped = bytearray(whole)
    flipped[len(whole) // 3] ^= 1
    short = io.BytesIO()
    np.savez(short, **{**features_of(data), "train": np.ones((5, 5))})
    contents = {
        "nothing": b"", "half": whole[: len(whole) // 2], "a flipped byte": bytes(flipped),
        "not a file of numpy's": b"PK\3\4" + b"x" * 50, "rows are missing": short.getvalue(),
    }  # fmt: skip
    path.write_bytes(contents[damage])
    for _ in range(2):
        assert clip.cached_features(data, None, visual, "", tmp_path, None).train.inputs.shape == (6, 5)
    assert made == ["train", "val", "test"] * 2, "once, and then kept"
    assert path.read_bytes() == whole


def test_features_that_the_disk_refuses_leave_no_file(tmp_path, monkeypatch):
    from labelbench_direct.hosts.embedded.data import npz

    def full(file, **arrays):
        file.write(b"half")
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(npz.np, "savez", full)
    with pytest.raises(OSError, match=r"could not write .No space left on device.*features.npz"):
        npz.write_npz(tmp_path / "features.npz", features_of(data_of(6)))
    assert not list(tmp_path.iterdir())


def test_absent_clip_weights_say_what_to_get(tmp_path, monkeypatch):
    pytest.importorskip("open_clip", reason="the extra clip is not installed")
    import huggingface_hub

    monkeypatch.setattr(huggingface_hub, "try_to_load_from_cache", lambda *names: None)
    with pytest.raises(FileNotFoundError, match="OpenAI's weights of ViT-B/32 are not there; get them with: python"):
        trainer_on(model={"name": "clip_vitb32"})
    damaged = tmp_path / ("0" * 64)
    damaged.write_bytes(b"half")
    monkeypatch.setattr(huggingface_hub, "try_to_load_from_cache", lambda *names: str(damaged))
    with pytest.raises(ValueError, match="is incomplete or damaged, its SHA-256 is"):
        trainer_on(model={"name": "clip_vitb32"})
    with pytest.raises(ValueError, match="is incomplete, or no checkpoint of open_clip's ViT-B-32-quickgelu"):
        trainer_on(model={"name": "clip_vitb32", "weights": str(damaged)})
    with pytest.raises(ValueError, match="head 'mlp' is for the frozen embedding"):
        trainer_on(model={"name": "clip_vitb32", "frozen": False, "head": "mlp"})


def test_confusion_noise_follows_the_matrix():
    clean = np.eye(3)[np.repeat(np.arange(3), 4000)]
    counts = [[8, 2, 0], [0, 5, 0], [1, 1, 2]]
    noisy = confusion_noise(counts, 3, np.random.default_rng(0))(clean)
    shares = [np.bincount(noisy.argmax(axis=1)[clean.argmax(axis=1) == k], minlength=3) / 4000 for k in range(3)]
    assert np.array(shares) == pytest.approx(np.array([[0.8, 0.2, 0], [0, 1, 0], [0.25, 0.25, 0.5]]), abs=0.03)
    assert shares[0][2] == shares[1][0] == shares[1][2] == 0
    again = confusion_noise(counts, 3, np.random.default_rng(0))(clean)
    assert np.array_equal(noisy, again)
    assert not np.array_equal(noisy, confusion_noise(counts, 3, np.random.default_rng(1))(clean))


@pytest.mark.parametrize("noise", [0.3, [[3, 1], [1, 3]]])
def test_asking_twice_gives_the_same_answer(noise):
    pool = Pool(data_of())
    pool.set_corrupter(make_corrupter(noise, 2, np.random.default_rng(0)))
    pool.update_labeled_idxs(np.arange(24))
    first = pool.get_train_labels()
    assert np.array_equal(pool.get_train_labels(), first)
    wrong = first.argmax(axis=1) != pool.data.train.labels
    assert 0 < wrong.sum() < 24


@pytest.mark.parametrize(
    ("matrix", "message"),
    [
        ([[1, 0, 0], [0, 1, 0]], r"must have shape \(2, 2\), got \(2, 3\)"),
        ([[1, -0.5], [0, 1]], "must have finite entries of at least 0, got -0.5"),
        ([[1, float("nan")], [0, 1]], "must have finite entries"),
        ([[1, 1], [0, 0]], "row 1 of the confusion matrix has no entry above 0"),
    ],
)
def test_impossible_confusion_matrices_are_refused(matrix, message):
    with pytest.raises(ValueError, match=message):
        make_corrupter(matrix, 2, np.random.default_rng(0))
