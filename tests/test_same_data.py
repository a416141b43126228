"""Data are known by their content: trials on other data are never continued, and never in one table."""

import csv
import json
from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest
from standins import FullDataset
from sweeps import SMALL
from test_noise import write_folder
from test_report import make_trial

from labelbench_direct.cli import main
from labelbench_direct.experiment import hosts
from labelbench_direct.experiment.hosts import check_results
from labelbench_direct.experiment.pools import describe_data, difference, tell_apart
from labelbench_direct.experiment.trial import Settings, run_trial
from labelbench_direct.hosts.embedded import load
from labelbench_direct.hosts.embedded.data.catalog import loaded
from labelbench_direct.hosts.embedded.data.parts import Part
from labelbench_direct.hosts.labelbench.pools import check_kept_labels, describe_pool, get_dataset
from labelbench_direct.report.groups import families, group
from labelbench_direct.report.read import read_results

EXPERIMENT = replace(SMALL, strategies=("margin",), seeds=(0,), rounds=2)


def rewrite(path, **changes):
    noted = json.loads(path.read_text())
    path.write_text(json.dumps({**noted, **changes}))
    return noted


def checksum_of(folder):
    loaded.cache_clear()
    return load("folder:path=birds", folder).checksum


def test_a_folder_is_known_by_its_images_and_labels_wherever_it_is(tmp_path):
    image = pytest.importorskip("PIL.Image")
    birds = tmp_path / "birds"
    write_folder(birds)
    first = checksum_of(tmp_path)
    (tmp_path / "moved").mkdir()
    birds.rename(tmp_path / "moved" / "birds")
    assert checksum_of(tmp_path / "moved") == first
    (tmp_path / "moved" / "birds").rename(birds)
    (birds / "3.png").rename(birds / "three.png")
    table = (birds / "labels.csv").read_text()
    (birds / "labels.csv").write_text(table.replace("3.png,red", "three.png,red", 1))
    assert checksum_of(tmp_path) == first, "what an image is called changes nothing"
    (birds / "labels.csv").write_text(
        table.replace("\n3.png,red", "\nthree.png,blue").replace("4.png,blue", "4.png,red")
    )
    assert checksum_of(tmp_path) != first, "two labels changed places"
    (birds / "three.png").rename(birds / "3.png")
    (birds / "labels.csv").write_text(table)
    assert checksum_of(tmp_path) == first
    image.new("RGB", (8, 8), (200, 30, 31)).save(birds / "3.png")
    assert checksum_of(tmp_path) != first, "one image changed"


def test_arrays_are_known_by_every_part():
    data = load("digits_imb_3")
    changed = data.test.inputs.copy()
    changed[7, 3] += 1e-3
    others = [
        replace(data, test=Part(changed, data.test.labels)),
        replace(data, val=Part(data.val.inputs, data.val.labels[::-1].copy())),
        replace(data, classnames=("0", "1", "rest")),
        replace(data, train=data.train.of(np.arange(1, len(data.train.labels)))),
    ]
    assert len({data.checksum, *(one.checksum for one in others)}) == 5
    assert replace(data, name="x", notes=("y",)).checksum == data.checksum


def refused(tmp_path, capsys):
    arguments = ["--dataset", "digits_imb_3", "--strategies", "margin", "random", "--seeds", "1", "--rounds", "1"]
    assert main(["compare", *arguments, "--batch-size", "12", "--workers", "1", "--output", str(tmp_path / "out")]) == 2
    return capsys.readouterr().err


def test_compare_adds_nothing_to_finished_trials_on_other_data(tmp_path, capsys):
    experiment = replace(SMALL, model={"name": "mlp"}, trainer={"name": "passive"}, strategies=("margin",), seeds=(0,),
                         rounds=1)  # fmt: skip
    (trial,) = experiment.trials()
    run_trial(trial, tmp_path / "out", Settings())
    noted = rewrite(tmp_path / "out" / trial.identifier / "pool.json", checksum="0123456789abcdef")
    said = refused(tmp_path, capsys)
    assert (
        f"1 of 2 trials in {tmp_path}/out ran on other data than digits_imb_3 now is: as many examples of each" in said
    )
    assert (
        f"(checksum 01234567, now {noted['checksum'][:8]}) (1 trial: {trial.identifier}). Nothing was changed" in said
    )
    assert "--data-dir" in said
    assert "--output" in said
    assert [path.name for path in (tmp_path / "out").iterdir()] == [trial.identifier]
    rewrite(tmp_path / "out" / trial.identifier / "pool.json", examples=42, class_counts=[7, 5, 30])
    assert "42 examples of 3 classes (0 7, 1 5, others 30), now 1," in refused(tmp_path, capsys)
    (tmp_path / "out" / trial.identifier / "pool.json").write_text("{")
    assert "pool.json is damaged: restore it, or move its folder away" in refused(tmp_path, capsys)


def test_a_trial_does_not_go_on_where_images_changed_but_no_count(tmp_path, monkeypatch):
    (trial,) = EXPERIMENT.trials()
    run_trial(trial, tmp_path, Settings())
    folder = tmp_path / trial.identifier
    whole = {path.name: path.read_bytes() for path in folder.iterdir()}
    (folder / "rounds.jsonl").write_bytes(whole["rounds.jsonl"].splitlines(keepends=True)[0])
    data = load(trial.dataset)
    other = replace(data, val=Part(data.val.inputs[::-1].copy(), data.val.labels))
    monkeypatch.setattr(hosts, "load", lambda *_: other)
    with pytest.raises(
        ValueError, match=r"data are not those of .*pool.json, with which the trial began: as many exam"
    ):
        run_trial(trial, tmp_path, Settings())
    assert (folder / "rounds.jsonl").read_bytes() == whole["rounds.jsonl"].splitlines(keepends=True)[0]
    with pytest.raises(ValueError, match="ran on other data than"):
        check_results(EXPERIMENT, tmp_path, None)
    (folder / "rounds.jsonl").unlink()
    check_results(EXPERIMENT, tmp_path, None)
    run_trial(trial, tmp_path, Settings())
    assert json.loads((folder / "pool.json").read_text())["checksum"] == other.checksum, "no round depended on the old"


def test_the_report_shows_other_data_apart_and_says_so(tmp_path, capsys):
    for name in ("direct", "margin"):
        for seed in (0, 1):
            make_trial(tmp_path / "made", name, seed, 0.9)
    for seed in (2, 3):
        path = make_trial(tmp_path / "made", "margin", seed, 0.5)
        rewrite(path / "pool.json", examples=42, class_counts=[20, 10, 10, 2], checksum="feed" * 8)
    trials, notes = read_results([tmp_path / "made"])
    groups = group(trials, [])
    assert sorted(one.setting.data for one in groups) == ["0", "feedfeed"]
    assert len(families(groups)) == 2
    assert [own.seeds for one in groups for own in one.curves.values()] == [(0, 1), (0, 1), (2, 3)]
    (note,) = notes
    assert "the trials on made_up ran on different data, which are shown apart: data 0, 145 examples" in note
    assert "data feedfeed, 42 examples of 4 classes (a 20, b 10, c 10, d 2), of 2 trials: margin-seed2" in note
    assert main(["report", str(tmp_path / "made"), "--output", str(tmp_path / "report")]) == 0
    assert "note: the trials on made_up ran on different data" in capsys.readouterr().out
    with (tmp_path / "report" / "curves.csv").open() as file:
        assert {(row["data"], row["seed"]) for row in csv.DictReader(file)} == {
            ("0", "0"), ("0", "1"), ("feedfeed", "2"), ("feedfeed", "3")
        }  # fmt: skip


def test_folders_of_earlier_versions_are_known_by_their_counts(tmp_path):
    now = describe_data(load("digits_imb_3"))
    old = {key: now[key] for key in ("examples", "classes", "class_counts")}
    other = {**now, "checksum": "f" * 32}
    assert difference(old, now) == ""
    assert "now " in difference({**old, "examples": 7}, now)
    assert tell_apart([old, now]) == [now["checksum"]] * 2
    assert len(set(tell_apart([old, now, other]))) == 3, "nobody knows which of the two"
    assert len(set(tell_apart([old, {**old, "examples": 7}]))) == 2
    path = make_trial(tmp_path / "made", "margin", 0, 0.5)
    make_trial(tmp_path / "made", "margin", 1, 0.5)
    noted = rewrite(path / "pool.json")
    del noted["checksum"]
    (path / "pool.json").write_text(json.dumps(noted))
    trials, notes = read_results([tmp_path / "made"])
    assert [trial.setting.data for trial in trials] == ["", ""]
    (note,) = notes
    assert note.startswith("made_up: of 1 trials an earlier version kept no checksum of the data")


class Theirs(FullDataset):
    """As LabelBench's data sets are, with clean and noisy labels."""

    def __init__(self, labels, num_classes):
        super().__init__(labels, [], num_classes)
        self.train_dataset, self.clean = SimpleNamespace(), False
        self.columns, self.num_classes = num_classes, 3

    def eval(self):
        self.clean = True

    def get_train_labels(self):
        assert self.clean, "as corrupted"
        return np.eye(self.columns)[self._labels[self._labeled]]

    def get_classnames(self):
        return None

    def get_input_datasets(self):
        return [range(6), range(2), range(4)]


def test_labelbenchs_data_are_known_by_labels_and_sizes():
    labels = np.array([0, 1, 2, 2, 1, 1])
    dataset = Theirs(labels, 3)
    first = describe_pool(dataset)
    assert first["class_counts"] == [1, 3, 2]
    assert first["classes"] == ["0", "1", "2"]
    assert not dataset.clean, "the data set stays as it is"
    assert len(dataset.labeled_idxs()) == 0
    second = describe_pool(Theirs(labels[::-1], 3))
    dataset.get_input_datasets = lambda: [range(6), range(2), range(5)]
    third = describe_pool(dataset)
    assert len({one["checksum"] for one in (first, second, third)}) == 3


def test_labelbenchs_data_that_cannot_be_used_are_refused():
    module = SimpleNamespace(datasets={"cifar10": 0, "cifar10_imb": 0}, get_dataset=lambda *_: [0] * 60)
    assert len(get_dataset(module, "cifar10_imb_3", "data", 60)) == 60
    for name in ("cifar11", "cifar10_imb_x", "cifar11_imb_3"):
        with pytest.raises(ValueError, match=r"unknown data set 'cifar1.* there are cifar10, cifar10_imb$"):
            get_dataset(module, name, "data", 60)
    for name in ("cifar10_imb", "cifar10_imb_1"):
        with pytest.raises(ValueError, match="needs a number of classes at its end, at least 2, as in cifar10_imb_3"):
            get_dataset(module, name, "data", 60)
    with pytest.raises(ValueError, match="batch_size must be at most 60, cifar10's pool, got 61"):
        get_dataset(module, "cifar10", "data", 61)
    check_kept_labels(Theirs([0, 1, 2], 3), "cifar10_imb_3", "data")
    with pytest.raises(
        ValueError, match=r"in data are of 10 classes, cifar10_imb_3 has 3: it reads labels_cifar10_imb_\*"
    ):
        check_kept_labels(Theirs([0, 1, 2], 10), "cifar10_imb_3", "data")
