"""Features of one's own as data: what a file may hold, what is refused, annotators' labels, and files that change."""

import gzip
import io
import json
import pickle
import zipfile

import numpy as np
import pytest
import torch

from labelbench_direct.cli import main
from labelbench_direct.experiment.hosts import make_bench
from labelbench_direct.experiment.schema import Experiment
from labelbench_direct.experiment.storage import append_line
from labelbench_direct.experiment.trial import Settings, run_trial
from labelbench_direct.hosts.corrupters import given_noise
from labelbench_direct.hosts.embedded import load
from labelbench_direct.hosts.embedded.data import fashion, make_features
from labelbench_direct.report.groups import group
from labelbench_direct.report.read import read_results

NUM, NUM_CLASSES = 120, 3


def arrays(**changes):
    """A sound file's arrays: three classes in five columns, one of them constant."""
    rng = np.random.default_rng(0)
    y = np.arange(NUM) % NUM_CLASSES
    x = rng.normal(size=(NUM, 5)) + y[:, None]
    x[:, 2] = 7
    made = {"x": x.astype(np.float16), "y": y, **changes}
    return {name: value for name, value in made.items() if value is not None}


def write(folder, save=np.savez, **changes):
    save(folder / "f.npz", **arrays(**changes))
    return "features:path=f.npz"


@pytest.mark.parametrize("save", [np.savez, np.savez_compressed])
@pytest.mark.parametrize("dtype", ["float16", "float32", "float64"])
def test_arrays_arrive_as_they_are_in_the_parts_of_a_split(tmp_path, save, dtype):
    x = np.asfortranarray(arrays()["x"].astype(dtype))
    name = write(tmp_path, save, x=x)
    data = load(name, tmp_path)
    assert [len(part.labels) for part in (data.train, data.val, data.test)] == [84, 12, 24]
    seen = {}
    for part in (data.train, data.val, data.test):
        assert part.inputs.dtype == dtype
        for row, label in zip(part.inputs.tolist(), part.labels.tolist(), strict=True):
            seen[tuple(row)] = label
    stated = {tuple(row): label for row, label in zip(x.tolist(), arrays()["y"].tolist(), strict=True)}
    assert seen == stated
    assert data.classnames == ("0", "1", "2")


@pytest.mark.parametrize("save", [np.savez, np.savez_compressed])
def test_other_machines_byte_orders_are_read(tmp_path, save):
    x, y = arrays()["x"], arrays()["y"]
    plain = load(write(tmp_path, save, x=x, y=np.array(["a", "b", "c"])[y]), tmp_path)
    swapped = load(write(tmp_path, save, x=x.astype(">f2"), y=np.array(["a", "b", "c"])[y].astype(">U3")), tmp_path)
    assert swapped.train.inputs.dtype == np.float16
    assert np.array_equal(torch.from_numpy(swapped.train.inputs), plain.train.inputs)
    assert np.array_equal(swapped.train.labels, plain.train.labels)


def test_names_are_one_in_one_form_and_doubtful_ones_are_said(tmp_path):
    """As in a folder's table."""
    y = np.array(["caf\u00e9", "cafe\u0301 ", " ant", "Ant", "01", "1.0", "nan"])[np.arange(NUM) % 7]
    given = np.stack([y, np.full(NUM, "  ")], axis=1)
    data = load(write(tmp_path, y=y, given=given), tmp_path)
    assert data.classnames == ("01", "1.0", "Ant", "ant", "caf\u00e9", "nan")
    assert np.array_equal(data.train.given, np.stack([data.train.labels, np.full(len(data.train.labels), -1)], axis=1))
    assert data.notes == (
        "these are taken for different classes, though their names are alike: '01' and '1.0'; 'Ant' and 'ant'",
        "taken for a class, though elsewhere it stands for a missing label: 'nan'",
    )
    assert load(write(tmp_path, names=np.array(["-1", "0", "1"])), tmp_path).notes == ()


def test_what_lies_uncompressed_is_mapped(tmp_path):
    from labelbench_direct.hosts.embedded.data.npz import read_npz

    write(tmp_path)
    mapped, _ = read_npz(tmp_path / "f.npz", ("x", "y"))
    assert isinstance(mapped["x"], np.memmap)
    assert np.array_equal(mapped["x"], arrays()["x"])
    write(tmp_path, np.savez_compressed)
    assert not isinstance(read_npz(tmp_path / "f.npz", ("x", "y"))[0]["x"], np.memmap)


def test_a_train_and_a_test_part_and_names(tmp_path):
    whole = arrays()
    name = write(
        tmp_path, x=None, y=None, x_train=whole["x"], y_train=whole["y"].astype(np.int8), x_test=whole["x"][:30],
        y_test=whole["y"][:30], names=np.array(["a", "b", "c"]),
    )  # fmt: skip
    data = load(name, tmp_path)
    assert np.array_equal(data.train.inputs, whole["x"])
    assert len(data.val.labels) + len(data.test.labels) == 30
    assert data.classnames == ("a", "b", "c")


def test_names_are_taken_from_labels_that_are_strings(tmp_path):
    names = np.array(["cat", "ant", "bee"])
    given = np.array([["cat", ""]] * NUM)
    data = load(write(tmp_path, y=names[arrays()["y"]], given=given), tmp_path)
    assert data.classnames == ("ant", "bee", "cat")
    assert sorted(np.bincount(data.train.labels)) == [28, 28, 28]
    assert set(data.train.given[:, 0]) == {2}
    assert set(data.train.given[:, 1]) == {-1}


def bad(row, value, name="x"):
    array = arrays()[name].copy()
    array[row] = value
    return {name: array}


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        (bad((7, 1), np.nan), "x must be finite in single precision, got nan in row 7, column 1"),
        (bad((7, 1), np.inf), "got inf in row 7"),
        ({"x": np.full((NUM, 2), 1e300)}, "x must be finite in single precision, got 1e.300 in row 0"),
        ({"x": arrays()["x"][:9]}, "x has 9 rows, but there are 120 labels"),
        ({"x": arrays()["y"]}, r"x must have shape \(n, D\), got \(120,\)"),
        ({"x": np.zeros((NUM, 0))}, r"x must have shape \(n, D\), got \(120, 0\)"),
        ({"x": np.zeros((NUM, 2), dtype=np.int64)}, "x must be float16, float32 or float64, got int64"),
        (bad(5, -1, "y"), r"y must be in 0..2, got -1 in row 5"),
        (bad(5, 3, "y") | {"names": np.array(["a", "b", "c"])}, r"y must be in 0..2, got 3 in row 5"),
        (bad(5, 10**6, "y"), r"labels must be 0..K-1, got 1000000 among 120 examples"),
        ({"y": arrays()["y"] / 2}, "y must be integers or strings, got float64"),
        ({"y": np.array(["a"] * NUM)}, "there must be two classes or more, got 1: a"),
        ({"y": np.zeros(NUM, dtype=int)}, "there must be two classes or more, got 1: 0"),
        ({"y": np.array(["a"] * NUM), "names": np.array(["b", "c"])}, "y has the label 'a', which is not one of b, c"),
        ({"names": np.array([1, 2, 3])}, "names must be distinct strings"),
        ({"y": None}, "there is no array 'y': a file has x and y, or x_train"),
        ({"x_test": arrays()["x"], "y_test": arrays()["y"]}, "there is 'x' beside 'x_test': a file has x and y, or"),
        ({"y_train": arrays()["y"]}, "there is 'x' beside 'y_train': a file has x and y, or x_train"),
        ({"y": np.array(["a", "b", " "])[arrays()["y"]]}, "y has a blank name in row 2: name it, or leave it out"),
        ({"names": np.array(["a", "\u200b", "c"])}, "names has a blank name in row 1"),
        ({"names": np.array(["a", "b", "b "])}, "names must be distinct strings"),
        ({"labels": np.zeros(3)}, "unknown array 'labels'; known are x, y, x_train"),
        ({"given": np.zeros((9, 2), dtype=int)}, r"given must have a row for each of the 120 .* got shape \(9, 2\)"),
        ({"given": arrays()["y"]}, r"a row for each of the 120 examples and a column for each annotator.*\(120,\)"),
        ({"given": np.full((NUM, 2), -1)}, "given: nobody labeled the example in row 0"),
        ({"given": np.full((NUM, 2), 3)}, "given must be in 0..2, got 3 in row 0"),
        ({"given_train": np.zeros((NUM, 2), dtype=int)}, "given or votes; got given_train"),
        ({"votes": np.ones((NUM, 2), dtype=int)}, "votes must have a column for each of the 3 classes, got 2"),
        ({"votes": np.ones((NUM, 3))}, "votes must be integers, how many annotators said each class, got float64"),
        ({"votes": np.full((NUM, 3), -1)}, "votes must be 0 or more, got -1 in row 0"),
        ({"votes": np.zeros((NUM, 3), dtype=int)}, "votes: nobody labeled the example in row 0"),
        ({"y": np.array([None, 1] * 60, dtype=object)}, "array 'y' holds pickled Python objects"),
    ],
)  # fmt: skip
def test_every_bad_array_is_named(tmp_path, changes, message):
    name = write(tmp_path, **changes)
    with pytest.raises((ValueError, TypeError), match=message) as error:
        load(name, tmp_path)
    assert "f.npz" in str(error.value)


def test_what_is_no_npz_file_is_refused_and_never_unpickled(tmp_path):
    class Trap:
        def __reduce__(self):
            return (pytest.fail, ("unpickled",))

    (tmp_path / "f.npz").write_bytes(pickle.dumps(Trap()))
    with pytest.raises(ValueError, match=r"f.npz is damaged, or no .npz file"):
        load("features:path=f.npz", tmp_path)
    with pytest.raises(FileNotFoundError, match=r"there is no .*absent.npz; it is an .npz file with arrays x and y"):
        load("features:path=absent.npz", tmp_path)
    with pytest.raises(ValueError, match=r"name the file, as in features:path=FILE.npz"):
        load("features", tmp_path)
    write(tmp_path)
    whole = (tmp_path / "f.npz").read_bytes()
    with zipfile.ZipFile(tmp_path / "f.npz") as archive:
        start = archive.infolist()[0].header_offset + 300
    (tmp_path / "f.npz").write_bytes(whole[:start] + bytes([whole[start] ^ 1]) + whole[start + 1 :])
    with pytest.raises(ValueError, match=r"damaged.*CRC"):
        load("features:path=f.npz", tmp_path)


def rewritten(path, method=zipfile.ZIP_STORED, change=lambda name, content: content, extra=()):
    """The same file, packed otherwise, with other contents of its members, or with further ones."""
    with zipfile.ZipFile(path) as archive:
        members = {name: archive.read(name) for name in archive.namelist()}
    with zipfile.ZipFile(path, "w", method) as archive:
        for name, content in [*members.items(), *extra]:
            archive.writestr(name, change(name, content))


def damaged(path, start, count=40):
    content = bytearray(path.read_bytes())
    content[start : start + count] = bytes(byte ^ 0x55 for byte in content[start : start + count])
    path.write_bytes(content)


@pytest.mark.parametrize("method", [zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA])
def test_whatever_a_damaged_file_raises_names_it(tmp_path, method):
    path = tmp_path / "f.npz"
    name = write(tmp_path)
    rewritten(path, method)
    assert len(load(name, tmp_path).train.labels) == 84
    damaged(path, 100)
    with pytest.raises(ValueError, match=r"f.npz is damaged, or no .npz file as np.savez writes it"):
        load(name, tmp_path)


def test_other_files_that_end_in_npz_are_refused_by_name(tmp_path):
    path = tmp_path / "f.npz"
    name = write(tmp_path)
    rewritten(path, change=lambda *_: b"\x93NUMPY\x01\x00\x10\x00garbage((({{{\n  ")
    with pytest.raises(ValueError, match=r"f.npz is damaged, or no .npz file"):
        load(name, tmp_path)
    write(tmp_path)
    content = path.read_bytes()
    place = content.index(b"PK\1\2") + 8
    path.write_bytes(content[:6] + bytes([content[6] | 1]) + content[7:place] + bytes([content[place] | 1])
                     + content[place + 1 :])  # fmt: skip
    with pytest.raises(ValueError, match=r"f.npz is damaged, or no .npz file .* is encrypted"):
        load(name, tmp_path)
    write(tmp_path)
    with pytest.warns(UserWarning, match="Duplicate name"):
        rewritten(path, extra=[("x.npy", b"")])
    with pytest.raises(ValueError, match=r"f.npz: the array 'x' is there twice: save the file anew"):
        load(name, tmp_path)


@pytest.mark.parametrize("ending", ["_imb_2:ratio=0.5,", "_lt:"])
def test_classes_that_the_pool_lacks_are_named_whatever_the_ending(tmp_path, ending):
    write(tmp_path, x=arrays()["x"][:0], y=arrays()["y"][:0], names=np.array(["a", "b"]))
    with pytest.raises(ValueError, match="the validation part is empty: add examples"):
        load(f"features{ending}path=f.npz", tmp_path)
    x, y = arrays()["x"], arrays()["y"]
    write(tmp_path, x=None, y=None, x_train=x, y_train=y * 0, x_test=x, y_test=y)
    with pytest.raises(ValueError, match=r"classes have no example in the pool: .*; add some, or leave these"):
        load(f"features{ending}path=f.npz", tmp_path)


def test_every_ending_works_and_takes_annotators_along(tmp_path):
    given = np.stack([arrays()["y"], np.full(NUM, 2)], axis=1)
    write(tmp_path, given=given)
    two = load("features_imb_2:path=f.npz,ratio=0.25", tmp_path)
    assert np.bincount(two.train.labels).tolist() == [14, 56]
    assert np.array_equal(two.train.given[:, 0], two.train.labels)
    assert set(two.train.given[:, 1]) == {1}
    tail = load("features_lt:path=f.npz,ratio=0.25", tmp_path)
    assert np.bincount(tail.train.labels).tolist() == [28, 14, 7]
    assert np.array_equal(tail.train.given[:, 0], tail.train.labels)


def drawn_by_loops(given, draws):
    """The rule, one example after the other."""
    labels = []
    for row, draw in zip(given.tolist(), draws, strict=True):
        said = [label for label in row if label >= 0]
        labels.append(said[int(draw * len(said))])
    return labels


def test_a_label_is_one_of_those_that_annotators_gave():
    rng = np.random.default_rng(3)
    given = rng.integers(-1, 4, size=(500, 3))
    given[(given < 0).all(axis=1), 0] = 0
    labels = given_noise(given, np.random.default_rng(5))(np.eye(4)[np.zeros(500, dtype=int)]).argmax(axis=1)
    assert labels.tolist() == drawn_by_loops(given, np.random.default_rng(5).random(500))
    assert len(set(labels)) == 4


def test_votes_are_as_many_annotators(tmp_path):
    votes = np.tile([[2, 0, 1], [0, 0, 3], [0, 5, 0]], (NUM // 3, 1))
    data = load(write(tmp_path, votes=votes, y=votes.argmax(axis=1)), tmp_path)
    counted = [np.bincount(row[row >= 0], minlength=3).tolist() for row in data.train.given]
    expected = {0: [2, 0, 1], 2: [0, 0, 3], 1: [0, 5, 0]}
    assert counted == [expected[label] for label in data.train.labels.tolist()]


STATED = {
    "dataset": "features:path=f.npz", "model": {"name": "linear"}, "trainer": {"name": "lbfgs"},
    "strategies": ("direct", "margin"), "seeds": (0, 1), "noise": ("given",), "batch_size": 6, "rounds": 3,
}  # fmt: skip


def test_labels_follow_the_seed_stay_over_the_rounds_and_are_reported(tmp_path):
    rng = np.random.default_rng(1)
    y = arrays()["y"]
    given = np.where(rng.random((NUM, 3)) < 0.3, rng.integers(0, 3, (NUM, 3)), y[:, None])
    given[:, 2] = -1
    write(tmp_path, given=given)
    trials = Experiment(**STATED).trials()
    settings = Settings(data_folder=str(tmp_path))
    labels = {}
    for trial in trials[::2]:
        pool = make_bench(trial, None, str(tmp_path)).pool
        pool.update_labeled_idxs(np.arange(len(pool)))
        labels[trial.seed] = pool.get_train_labels().argmax(axis=1)
        assert all(label in row for label, row in zip(labels[trial.seed], pool.data.train.given.tolist(), strict=True))
    assert not np.array_equal(labels[0], labels[1])
    for trial in trials:
        run_trial(trial, tmp_path / "results", settings)
        pool = json.loads((tmp_path / "results" / trial.identifier / "pool.json").read_text())
        truth, own = load(STATED["dataset"], tmp_path).train.labels, labels[trial.seed]
        assert pool["labels"]["wrong"] == pytest.approx(sum(a != b for a, b in zip(truth, own, strict=True)) / len(own))
        rarest = int(np.bincount(truth).argmin())
        wrong = [a != b for a, b in zip(truth, own, strict=True) if a == rarest]
        assert pool["labels"]["wrong_in_rarest"] == pytest.approx(sum(wrong) / len(wrong))
        said = [a != b for a, b in zip(truth, own, strict=True) if b == rarest]
        assert pool["labels"]["wrong_saying_rarest"] == pytest.approx(sum(said) / len(said))
        lines = (tmp_path / "results" / trial.identifier / "rounds.jsonl").read_text().splitlines()
        for line in map(json.loads, lines):
            assert line["labels"] == own[line["indices"]].tolist()
    (one,) = group(read_results([tmp_path / "results"])[0], [])
    assert one.setting.noise_title.endswith("label noise by annotators")


def test_annotators_that_nobody_knows_are_an_error(tmp_path, capsys):
    write(tmp_path)
    run = ["compare", "--noise", "given", "--data-dir", str(tmp_path), "--output", str(tmp_path / "out"), "--dataset"]
    for dataset in ("features:path=f.npz", "digits"):
        assert main([*run, dataset]) == 2
        assert "noise 'given' needs what annotators gave" in capsys.readouterr().err
    assert not (tmp_path / "out").exists()


def test_a_file_that_changes_while_trials_run_is_noticed(tmp_path):
    write(tmp_path)
    trials = Experiment(**{**STATED, "noise": (0,)}).trials()
    checksum = load(STATED["dataset"], tmp_path).checksum
    settings = Settings(data_folder=str(tmp_path), data_checksum=checksum)
    run_trial(trials[0], tmp_path / "results", settings)
    rounds = tmp_path / "results" / trials[0].identifier / "rounds.jsonl"
    rounds.write_bytes(b"".join(rounds.read_bytes().splitlines(keepends=True)[:2]))
    write(tmp_path, x=arrays()["x"][::-1].copy())
    assert load(STATED["dataset"], tmp_path).checksum != checksum
    with pytest.raises(ValueError, match=r"the data of features:path=f.npz have changed since the command began"):
        run_trial(trials[1], tmp_path / "results", settings)
    with pytest.raises(ValueError, match=r"the data are not those of .*pool.json"):
        run_trial(trials[0], tmp_path / "results", Settings(data_folder=str(tmp_path)))


def test_a_file_that_is_written_to_while_a_trial_runs_spoils_no_round(tmp_path, monkeypatch):
    """What is mapped may change in memory at any time."""
    whole = {"x_train": arrays()["x"].astype(np.float32), "y_train": arrays()["y"]}
    whole |= {"x_test": whole["x_train"], "y_test": whole["y_train"]}
    write(tmp_path, x=None, y=None, **whole)
    trial = Experiment(**{**STATED, "noise": (0,), "strategies": ("margin",)}).trials()[0]
    expected = tmp_path / "expected"
    run_trial(trial, expected, Settings(data_folder=str(tmp_path)))

    def append(path, record, **options):
        append_line(path, record, **options)
        if path.name == "rounds.jsonl" and record["round"] == 1:
            write(tmp_path, x=None, y=None, **{**whole, "x_train": whole["x_train"][::-1].copy()})

    with monkeypatch.context() as patch:
        patch.setattr("labelbench_direct.experiment.trial.append_line", append)
        with pytest.raises(ValueError, match=r"f.npz was written to while the trial ran, so that round 2 is not kept"):
            run_trial(trial, tmp_path / "results", Settings(data_folder=str(tmp_path)))
    rounds = tmp_path / "results" / trial.identifier / "rounds.jsonl"
    assert len(rounds.read_text().splitlines()) == 1
    with pytest.raises(ValueError, match=r"the data are not those of .*pool.json"):
        run_trial(trial, tmp_path / "results", Settings(data_folder=str(tmp_path)))
    write(tmp_path, x=None, y=None, **whole)
    run_trial(trial, tmp_path / "results", Settings(data_folder=str(tmp_path)))
    assert rounds.read_bytes() == (expected / trial.identifier / "rounds.jsonl").read_bytes()


def write_fashion(folder, count=100):
    """Tiny files in Fashion-MNIST's format, as torchvision unpacks them."""
    place = folder / "FashionMNIST" / "raw"
    place.mkdir(parents=True)
    for stem in ("train", "t10k"):
        images = np.arange(count * 784, dtype=np.uint32).astype(np.uint8)
        labels = np.arange(count, dtype=np.uint8) % 10
        header = np.array([0x803, count, 28, 28], dtype=">u4").tobytes()
        (place / f"{stem}-images-idx3-ubyte").write_bytes(header + images.tobytes())
        (place / f"{stem}-labels-idx1-ubyte").write_bytes(np.array([0x801, count], ">u4").tobytes() + labels.tobytes())
    return place


def test_fashion_mnist_is_read_or_said_to_be_missing_or_damaged(tmp_path, monkeypatch):
    monkeypatch.setattr(fashion, "_DEBIAN", tmp_path / "absent")
    monkeypatch.setattr(fashion, "_SIZES", {"train": 100, "t10k": 100})
    with pytest.raises(FileNotFoundError, match=r"get the four files of .*Debian's package dataset-fashion-mnist"):
        load("fashion_mnist", tmp_path)
    place = write_fashion(tmp_path)
    data = load("fashion_mnist_imb_3", tmp_path)
    assert np.bincount(data.train.labels).tolist() == [10, 10, 80]
    assert data.train.inputs[0, 255] == 1
    assert data.image_shape == (28, 28)
    file = place / "train-images-idx3-ubyte"
    packed = bytearray(gzip.compress(file.read_bytes()))
    packed[20:40] = bytes(20)
    (place / f"{file.name}.gz").write_bytes(packed)
    file.rename(place / "aside")
    with pytest.raises(ValueError, match=r"train-images-idx3-ubyte.gz is damaged \("):
        load("fashion_mnist", tmp_path)
    (place / "aside").rename(file)
    file.write_bytes(file.read_bytes()[:-1])
    with pytest.raises(ValueError, match=r"train-images-idx3-ubyte is damaged: it should hold 100 x 28 x 28 bytes"):
        load("fashion_mnist", tmp_path)


def torch_bytes(value):
    content = io.BytesIO()
    torch.save(value, content)
    return content.getvalue()


def test_the_script_makes_files_that_can_be_read(tmp_path, monkeypatch):
    """Tiny stand-ins for what is published, and for the pretrained networks."""
    rng = np.random.default_rng(0)
    from labelbench_direct.hosts.embedded.data.parts import Data, Part

    def part(count):
        labels = np.arange(count) % 10
        images = rng.integers(0, 256, size=(count, 32, 32, 3), dtype=np.uint8)
        images[:, 0, 0, 0] = labels
        return Part(images, labels)

    data = Data("cifar10", part(200), part(50), part(50), tuple("abcdefghij"))
    monkeypatch.setattr(make_features, "cifar10", lambda *_: data)
    with pytest.raises(FileNotFoundError, match=r"there is no .*CIFAR-10_human.pt; get it from"):
        make_features.make_cifar10n(tmp_path)
    human = dict.fromkeys(("clean_label", "random_label1", "random_label2", "random_label3"), data.train.labels)
    torch.save({**human, "random_label2": (data.train.labels + 1) % 10}, tmp_path / make_features.CIFAR10N)

    def shrunk(images):
        return images.reshape(len(images), -1)[:, :150].astype(np.float32)

    make_features.make_cifar10n(tmp_path, shrunk)
    made = load("features:path=cifar10n_features.npz", tmp_path)
    assert made.train.inputs.shape == (200, 128)
    assert np.array_equal(made.train.given[:, 1], (made.train.labels + 1) % 10)
    assert np.abs(made.train.inputs).mean() == pytest.approx(1, rel=0.1)
    torch.save({**human, "clean_label": human["clean_label"][::-1].copy()}, tmp_path / make_features.CIFAR10N)
    with pytest.raises(ValueError, match="its clean labels are not CIFAR-10's"):
        make_features.make_cifar10n(tmp_path, shrunk)
    for content in (b"half", pickle.dumps({}), torch_bytes({"clean_label": human["clean_label"]})):
        (tmp_path / make_features.CIFAR10N).write_bytes(content)
        with pytest.raises(ValueError, match=r"human.pt is damaged, or not the annotators' published labels"):
            make_features.make_cifar10n(tmp_path, shrunk)

    table = "n,count,hate_speech,offensive_language,neither,class,tweet\n"
    rows = [f"{i},3,{2 * (i % 3 == 0)},{2 * (i % 3 == 1)},{1 + 2 * (i % 3 == 2)},{i % 3},@me see https://a.b/c {i}\n"
            for i in range(60)]  # fmt: skip
    (tmp_path / make_features.TWEETS).write_text(table + "".join(rows))
    make_features.make_tweets(
        tmp_path, lambda texts: np.array([[float(text.split()[-1]), len(text)] for text in texts])
    )
    tweets = load("features:path=tweets_features.npz", tmp_path)
    assert tweets.classnames == ("hate", "offensive", "neither")
    assert tweets.train.given.shape == (42, 3)
    assert make_features.clean_text("@me see https://a.b/c 5") == "see 5"
    before = (tmp_path / "tweets_features.npz").read_bytes()
    for content in (b"n,text\n1,x\n", b"\xff\xfe", table.encode() + b"0,3\n", b""):
        (tmp_path / make_features.TWEETS).write_bytes(content)
        with pytest.raises(ValueError, match=r"labeled_data.csv is damaged, or not the published table"):
            make_features.make_tweets(tmp_path, len)
    assert (tmp_path / "tweets_features.npz").read_bytes() == before
    assert not list(tmp_path.glob("*.part"))
