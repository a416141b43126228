"""Noise, data folder and host as experiment files and the command line state them."""

import hashlib
import json
from dataclasses import replace

import numpy as np
import pytest
from sweeps import SMALL, results

from labelbench_direct.cli import main
from labelbench_direct.experiment.hosts import make_bench
from labelbench_direct.experiment.schema import Experiment, read_experiment
from labelbench_direct.experiment.storage import read_lines
from labelbench_direct.experiment.trial import Settings, run_trial
from labelbench_direct.hosts.embedded import load
from labelbench_direct.hosts.embedded.data.catalog import loaded
from labelbench_direct.report.groups import families, group
from labelbench_direct.report.read import read_results

MATRIX = [[0.5, 0.5, 0.0], [0.0, 1.0, 0.0], [0.1, 0.1, 0.8]]
STATED = {
    "dataset": "digits_imb_3",
    "model": {"name": "mlp", "hidden": 8},
    "trainer": {"name": "passive", "steps": 5},
    "strategies": ["direct", "margin"],
    "seeds": [3],
    "noise": [0.1],
    "batch_size": 12,
    "rounds": 2,
    "parallel": [5],
}


def write(tmp_path, **changes):
    path = tmp_path / "experiment.json"
    path.write_text(json.dumps({**STATED, **changes}))
    return path


def write_matrix(path, matrix=MATRIX):
    lines = [",".join(map(str, row)) for row in matrix]
    path.write_text(json.dumps(matrix) if path.suffix == ".json" else "\n".join(lines) + "\n")


def refused(capsys, *arguments):
    """The one line that the command ends with."""
    assert main(["compare", *map(str, arguments)]) == 2
    error = capsys.readouterr().err
    assert error.startswith("labelbench-direct: ")
    assert error.count("\n") == 1
    return error


def test_a_trial_with_a_number_has_the_name_that_it_always_had():
    (trial,) = replace(SMALL, strategies=("direct",), seeds=(1,), noise=(0.1,)).trials()
    # fmt: off
    stated = {"dataset": "digits_imb_3", "model": {"name": "mlp", "hidden": 8},
              "trainer": {"name": "passive", "steps": 20}, "strategy": {"strategy_name": "direct", "B1": 5},
              "seed": 1, "noise": 0.1, "batch_size": 12, "rounds": 5, "host": "embedded"}
    # fmt: on
    digest = hashlib.sha256(json.dumps(stated, sort_keys=True).encode()).hexdigest()
    assert trial.identifier == f"direct-seed1-{digest[:12]}"


@pytest.mark.parametrize("kind", ["inline", "matrix.csv", "matrix.json"])
def test_a_matrix_is_the_same_trial_however_it_is_stated(tmp_path, kind):
    if kind != "inline":
        write_matrix(tmp_path / kind)
    path = write(tmp_path, noise=[0, MATRIX if kind == "inline" else kind])
    experiment = read_experiment(path)
    inline = Experiment(**{**STATED, "strategies": ("direct", "margin"), "seeds": (3,), "parallel": (5,),
                           "noise": (0, np.array(MATRIX))})  # fmt: skip
    assert [trial.identifier for trial in experiment.trials()] == [trial.identifier for trial in inline.trials()]
    assert len({trial.identifier for trial in experiment.trials()}) == 4
    assert [trial.noise for trial in experiment.trials()] == [0, 0, MATRIX, MATRIX]


def test_labels_follow_the_matrix_and_the_seed_and_stay():
    first, other = (
        make_bench(trial, None, None).pool
        for trial in replace(SMALL, strategies=("direct",), noise=(MATRIX,), seeds=(0, 1)).trials()
    )
    truth = load("digits_imb_3").train.labels
    for pool in (first, other):
        pool.update_labeled_idxs(np.arange(len(pool)))
    given, others = (pool.get_train_labels().argmax(axis=1) for pool in (first, other))
    assert set(given[truth == 0]) == {0, 1}
    assert set(given[truth == 1]) == {1}
    assert np.mean(given[truth == 2] == 2) == pytest.approx(0.8, abs=0.05)
    assert np.array_equal(first.get_train_labels().argmax(axis=1), given)
    assert not np.array_equal(given, others)


def test_a_trial_with_a_matrix_goes_on_and_is_reported_beside_numbers(tmp_path):
    trials = replace(SMALL, noise=(0.1, MATRIX), seeds=(0,)).trials()
    for trial in trials:
        run_trial(trial, tmp_path, Settings())
    whole = results(tmp_path)
    rounds = tmp_path / trials[-1].identifier / "rounds.jsonl"
    rounds.write_bytes(b"".join(rounds.read_bytes().splitlines(keepends=True)[:2]))
    run_trial(trials[-1], tmp_path, Settings())
    assert results(tmp_path) == whole

    found, _ = read_results([tmp_path])
    groups = group(found, [])
    assert len(groups) == 2
    assert len(families(groups)) == 1
    share = {one.setting.confusion != "": one.setting.noise for one in groups}
    counts = np.bincount(load("digits_imb_3").train.labels)
    assert share == {False: 0.1, True: pytest.approx((0.5 * counts[0] + 0.2 * counts[2]) / counts.sum(), abs=1e-6)}
    (title,) = [one.setting.title for one in groups if one.setting.confusion]
    assert title.startswith(f"digits_imb_3, {share[True]:.0%} label noise by confusion matrix ")


@pytest.mark.parametrize(
    ("noise", "error", "message"),
    [
        ([[0.9, 0.1], [0.2, 0.8]], TypeError, r"one matrix is written \[\[\[0.9, 0.1\], \[0.2, 0.8\]\]\]; got \[0.9"),
        ([[[0.9, 0.1], [1]]], ValueError, "as many columns as rows, got 2 rows, one of them of 1 entries"),
        ([[[1, -1], [0, 1]]], ValueError, "must have finite entries of at least 0, got -1.0"),
        ([[[0, 0], [0, 1]]], ValueError, "row 0 of the confusion matrix has no entry above 0"),
        ([[["a", 1], [0, 1]]], TypeError, "a confusion matrix must have numbers, got 'a'"),
        ([MATRIX, MATRIX], ValueError, "noise must be distinct"),
        ([True], TypeError, 'or confusion matrices: lists of rows, .* or "given" for .*; got True'),
        (["much"], ValueError, "noise must be numbers between 0 and 1, or confusion matrices: .*; got 'much'"),
        (["absent.csv"], FileNotFoundError, "there is no confusion matrix at .*absent.csv"),
    ],
)
def test_impossible_noise_in_a_file_is_refused(tmp_path, noise, error, message):
    with pytest.raises(error, match=message) as caught:
        read_experiment(write(tmp_path, noise=noise))
    assert "experiment.json: " in str(caught.value) or error is FileNotFoundError


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("m.csv", "cat,dog\n0.9,0.1\n", "m.csv: line 1: could not convert string to float: 'cat'; a row is numbers"),
        ("m.csv", "", "m.csv: noise must be numbers between 0 and 1, or confusion matrices"),
        ("m.csv", "1,2\n3,4\n5,6\n", "m.csv: a confusion matrix must have as many columns as rows, got 3 rows"),
        ("m.csv", '1,"2\n3,4\n', "m.csv: line 1: unexpected end of data; a row is numbers"),
        ("m.csv", "1;2\n3;4\n", "m.csv: line 1: could not convert string to float: '1;2'; a row is numbers"),
        ("m.csv", b"1,2\n3,\xfc\n", "m.csv, line 2: byte 0xfc is not UTF-8 text; save the file as UTF-8"),
        ("m.json", "[" * 100_000, "m.json: maximum recursion depth"),
        ("m.json", "{", "m.json: Expecting property name"),
        ("m.json", "0.1", "m.json: a confusion matrix is a list of rows"),
        ("m.json", "[[1, NaN], [0, 1]]", "m.json: a confusion matrix must have finite entries of at least 0, got nan"),
    ],
)
def test_files_that_hold_no_matrix_are_refused_by_name(tmp_path, name, content, message, capsys):
    (tmp_path / name).write_bytes(content if isinstance(content, bytes) else content.encode())
    assert message in refused(capsys, "--noise", tmp_path / name)


def test_a_matrix_of_other_classes_is_refused_before_training(tmp_path, capsys):
    write_matrix(tmp_path / "m.csv", [[1, 0], [0, 1]])
    error = refused(capsys, "--dataset", "digits_imb_3", "--noise", tmp_path / "m.csv", "--output", tmp_path / "out")
    assert (
        "noise: the confusion matrix has 2 rows, but digits_imb_3 has 3 classes, in this order: 0, 1, others" in error
    )
    assert not (tmp_path / "out").exists()


def test_the_command_takes_numbers_and_matrices(tmp_path, capsys, monkeypatch):
    monkeypatch.chdir(tmp_path)
    write_matrix(tmp_path / "annotators.csv")
    arguments = ["--dataset", "digits_imb_3", "--noise", "0.1", "annotators.csv", "--strategies", "direct", "random"]
    sizes = ["--seeds", "1", "--rounds", "1", "--batch-size", "12", "--workers", "1"]
    assert main(["compare", *arguments, *sizes]) == 0
    printed = capsys.readouterr().out
    (folder,) = (tmp_path / "results").iterdir()
    name = folder.name.removeprefix("digits_imb_3-noise-0.1-")
    assert f"digits_imb_3, 10% and confusion matrix {name} label noise: 4 trials" in printed
    assert f"by confusion matrix {name}," in printed
    assert "noise must be a share between 0 and 1, got 1.5" in refused(capsys, "--noise", "1.5")
    assert "noise must be a share between 0 and 1, got nan" in refused(capsys, "--noise", "nan")


def write_folder(root, count=40):
    """Rows of two classes of plain images."""
    image = pytest.importorskip("PIL.Image")
    root.mkdir(parents=True)
    lines = ["file,label"]
    for i in range(count):
        colour = (200, 30, 30) if i % 2 else (30, 30, 200)
        image.new("RGB", (8, 8), colour).save(root / f"{i}.png")
        lines.append(f"{i}.png,{'red' if i % 2 else 'blue'}")
    (root / "labels.csv").write_text("\n".join(lines))


IMAGES = {
    "dataset": "folder:path=birds",
    "model": {"name": "resnet18", "weights": "random"},
    "trainer": {"name": "passive", "steps": 1, "batch_size": 4},
    "strategies": ["random"],
    "batch_size": 4,
}


def test_the_data_folder_is_stated_in_the_file_or_by_the_command(tmp_path, capsys, monkeypatch):
    monkeypatch.chdir(tmp_path)
    write_folder(tmp_path / "here" / "birds")
    (tmp_path / "here" / "birds" / "7.png").write_bytes(b"not an image")
    path = write(tmp_path, **{**IMAGES, "dataset": "folder:path=birds,skip_bad=true"}, data_dir="here")
    run = ["compare", "--experiment", str(path), "--workers", "1", "--output"]
    assert main([*run, "stated"]) == 0
    assert "1 of 40 images are left out: 7.png" in capsys.readouterr().err, "what is left out is said"
    (tmp_path / "here").rename(tmp_path / "moved")
    loaded.cache_clear()
    capsys.readouterr()
    assert f"there is no {tmp_path}/here/birds/labels.csv" in refused(capsys, *run[1:], "given")
    assert main([*run, "given", "--data-dir", "moved"]) == 0
    assert results(tmp_path / "given") == results(tmp_path / "stated"), "where data lie is no part of a trial"


def test_an_unfinished_trial_does_not_go_on_with_other_data(tmp_path):
    write_folder(tmp_path / "data" / "birds")
    (trial,) = read_experiment(write(tmp_path, **IMAGES)).trials()
    settings = Settings(data_folder=str(tmp_path / "data"))
    run_trial(trial, tmp_path, settings)
    rounds = tmp_path / trial.identifier / "rounds.jsonl"
    rounds.write_bytes(rounds.read_bytes().splitlines(keepends=True)[0])
    (tmp_path / "data" / "birds").rename(tmp_path / "old")
    write_folder(tmp_path / "data" / "birds", count=80)
    loaded.cache_clear()
    with pytest.raises(ValueError, match=r"the data are not those of .*pool.json, with which the trial began"):
        run_trial(trial, tmp_path, settings)
    assert len(read_lines(rounds)) == 1


@pytest.mark.parametrize(
    ("changes", "error", "message"),
    [
        ({"host": "elsewhere"}, ValueError, "host must be one of 'embedded', 'labelbench', got 'elsewhere'"),
        ({"data_dir": 7}, TypeError, "data_dir must be the name of a folder, got 7"),
    ],
)
def test_impossible_hosts_and_folders_are_refused(tmp_path, changes, error, message):
    with pytest.raises(error, match=message):
        read_experiment(write(tmp_path, **changes))


def test_a_file_can_name_labelbench(tmp_path, capsys, monkeypatch):
    monkeypatch.delenv("LABELBENCH_HOME", raising=False)
    path = write(tmp_path, host="labelbench", model={"name": "linear_digits.json"}, noise=[0.1, MATRIX])
    assert {trial.host for trial in read_experiment(path).trials()} == {"labelbench"}
    assert "no LabelBench checkout: pass --home CHECKOUT" in refused(capsys, "--experiment", path)
    with pytest.raises(ValueError, match="by confusion matrix is the embedded host's: with the host labelbench noise"):
        read_experiment(path).for_labelbench(tmp_path)
    assert "the model's name must be one of" in refused(capsys, "--experiment", path, "--host", "embedded")
