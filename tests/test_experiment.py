"""Experiments as data, and the command that runs them."""

import json
from dataclasses import replace
from pathlib import Path
from unittest import mock

import numpy as np
import pytest

from labelbench_direct.cli import main
from labelbench_direct.experiment.schema import MOST_SEED, Experiment, read_experiment, strategy_config
from labelbench_direct.experiment.trial import Settings, check_header
from labelbench_direct.hosts.embedded import load
from labelbench_direct.hosts.embedded.config import parse_name
from labelbench_direct.hosts.embedded.data.catalog import stamp
from labelbench_direct.hosts.loop import first_batch

SMALL = Experiment(dataset="digits_imb_3", strategies=("direct", "margin"), seeds=(0, 1), batch_size=12, rounds=3)
STATED = {
    "title": "t",
    "dataset": "digits_imb_3",
    "model": {"name": "mlp", "hidden": 8},
    "trainer": {"name": "passive", "steps": 5},
    "strategies": ["direct", "direct:B1=2", "margin"],
    "seeds": [3, 4],
    "noise": [0, 0.1],
    "batch_size": 12,
    "rounds": 2,
    "parallel": [1, 5],
}


def write(tmp_path, **changes):
    path = tmp_path / "experiment.json"
    stated = {**STATED, **changes}
    path.write_text(json.dumps({key: value for key, value in stated.items() if value is not ...}))
    return path


def test_a_file_states_a_product(tmp_path):
    trials = read_experiment(write(tmp_path)).trials()
    configs = [trial.strategy for trial in trials if trial.seed == 3 and trial.noise == 0]
    assert configs == [
        {"strategy_name": "direct", "B1": 1},
        {"strategy_name": "direct", "B1": 5},
        {"strategy_name": "direct", "B1": 2},
        {"strategy_name": "margin"},
    ], "B_parallel multiplies only strategies that have one and don't state it"
    assert len({trial.identifier for trial in trials}) == len(trials) == 2 * 2 * 4
    assert all(trial.model == {"name": "mlp", "hidden": 8} for trial in trials)


@pytest.mark.parametrize(
    ("changes", "error", "message"),
    [
        ({"sedes": [1]}, ValueError, "unknown key 'sedes'; known are title, dataset"),
        ({"noise": ...}, ValueError, "missing key 'noise'"),
        ({"seeds": 4}, TypeError, "seeds must be a list, got 4"),
        ({"seeds": ["a"]}, TypeError, "seeds must be an integer, got 'a'"),
        ({"noise": ["much"]}, ValueError, "noise must be numbers between 0 and 1, or .*; got 'much'"),
        ({"strategies": [7]}, TypeError, "strategies are strings"),
        ({"strategies": ["direct:B2=1"]}, ValueError, "unknown key 'B2'"),
        ({"model": "mlp"}, TypeError, 'model must be an object with a "name"'),
        ({"rounds": 0}, ValueError, "rounds must be at least 1"),
        ({"rounds": True}, TypeError, "rounds must be an integer, got True"),
        ({"batch_size": "40"}, TypeError, "batch_size must be an integer, got '40'"),
        ({"seeds": [-1]}, ValueError, "seeds must be at least 0, got -1"),
        ({"seeds": [2**32 - 1]}, ValueError, "seeds must be at most 4294967253, got 4294967295"),
        ({"seeds": [[1]]}, TypeError, r"seeds must be an integer, got \[1\]"),
        ({"strategies": [["direct"]]}, TypeError, r"strategies are strings such as 'direct:B1=1', got \['direct'\]"),
        (
            {"strategies": [{"strategy_name": "direct", "B1": 5, "threshold_tie": "lowest"}]},
            TypeError,
            '; write it "direct:B1=5,threshold_tie="lowest""',
        ),
        (
            {"strategies": ["direct:B1=1,B1=2"]},
            ValueError,
            "strategy options are stated once each; 'B1' is there twice",
        ),
        ({"strategies": ["direct:strategy_name=x"]}, ValueError, "the strategy's name comes before the colon"),
        ({"model": {"name": "mlp", "hidden": float("nan")}}, ValueError, "is not JSON: NaN is no number that JSON has"),
    ],
)
def test_files_that_cannot_be_run_are_refused_by_name(tmp_path, changes, error, message):
    with pytest.raises(error, match=message) as caught:
        read_experiment(write(tmp_path, **changes))
    assert str(caught.value).startswith(f"{tmp_path / 'experiment.json'}")


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16"])
def test_byte_order_marks_are_read_over(tmp_path, encoding):
    path = write(tmp_path)
    path.write_text(path.read_text(), encoding=encoding)
    assert len(read_experiment(path).trials()) == 16


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("{", "x.json is not JSON"),
        ("", "x.json is not JSON: Expecting value: line 1"),
        ('{"seeds": [1,]}', "x.json is not JSON: .*line 1 column"),
        ("[1]", "x.json: an experiment is a JSON object, got list"),
        ("[" * 100_000, "x.json is not JSON that can be read: it is nested too deeply"),
        ('{"seeds": [1], "noise": [0], "seeds": [2]}', "x.json is not JSON: the key 'seeds' is there 2 times"),
        ('{"model": {"name": "mlp", "name": "linear"}}', "x.json is not JSON: the key 'name' is there 2 times"),
    ],
)
def test_files_that_are_no_object_are_refused(tmp_path, text, message):
    path = tmp_path / "x.json"
    path.write_text(text)
    with pytest.raises((ValueError, TypeError), match=message):
        read_experiment(path)


def test_every_experiment_of_the_project_loads():
    paths = sorted((Path(__file__).parents[1] / "configs" / "experiments").glob("**/*.json"))
    assert paths
    for path in paths:
        assert read_experiment(path).trials()


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"strategies": ("badger",)}, "unknown strategy 'badger'; there are direct, direct_explore, random"),
        ({"strategies": ("direct:nearest",)}, "strategy options are written name:key=value"),
        ({"strategies": ("margin", "margin")}, "strategies must be distinct"),
        ({"seeds": ()}, "seeds must be distinct and at least one"),
        ({"noise": (2.0,)}, "noise must be a share between 0 and 1"),
        ({"batch_size": 0}, "batch_size must be at least 1"),
        ({"parallel": (0,)}, "parallel must be at least 1"),
    ],
)
def test_impossible_experiments_are_refused(changes, message):
    with pytest.raises(ValueError, match=message):
        replace(SMALL, **changes)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"dataset": "cifar11"}, "unknown data set 'cifar11'; there are digits"),
        ({"batch_size": 5000}, "batch_size must be at most"),
        ({"model": {"name": "vit"}}, "the model's name must be one of"),
        ({"model": {"name": "mlp", "depth": 3}}, "unknown key 'depth' in the configuration of model 'mlp'"),
        ({"trainer": {"name": "active"}}, "the trainer's name must be one of"),
    ],
)
def test_what_the_data_do_not_allow_is_refused_before_training(changes, message):
    with pytest.raises(ValueError, match=message):
        replace(SMALL, **changes).check_against_data()


def test_the_largest_seed_is_one_that_trials_can_use():
    assert len(first_batch(100, 5, MOST_SEED)) == 5
    with pytest.raises(ValueError, match=r"2\*\*32"):
        first_batch(100, 5, MOST_SEED + 1)


@pytest.mark.parametrize(
    ("text", "options"),
    [
        ("folder:path=2024.10,size=224", {"path": "2024.10", "size": 224}),
        ('folder:path="birds, small",size=224', {"path": "birds, small", "size": 224}),
        ('folder:path="a ""b"", c"', {"path": 'a "b", c'}),
        ("folder:path=C:\\photos\\new,skip_bad=true", {"path": "C:\\photos\\new", "skip_bad": True}),
        ("folder:path=a=b", {"path": "a=b"}),
        ("folder:path=true", {"path": "true"}),
        ("digits_lt:ratio=0.1,", {"ratio": 0.1}),
        ("digits_lt:ratio=.1,shift=-.5,path=.x", {"ratio": 0.1, "shift": -0.5, "path": ".x"}),
    ],
)
def test_options_can_say_any_path(text, options):
    assert parse_name(text, {"path"}) == (text.partition(":")[0], options)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("folder:path=birds, small", 'a value with commas key="a,b"; got'),
        ('folder:path="birds', "the quotes of 'path' do not end where its value does"),
        ('folder:path="birds"s', "the quotes of 'path' do not end where its value does"),
        ("folder:path=a,path=b", "options are stated once each; 'path' is there twice"),
    ],
)
def test_options_that_nobody_can_read_are_refused(text, message):
    with pytest.raises(ValueError, match=message):
        parse_name(text, {"path"})


def test_report_before_the_first_finished_round(tmp_path, capsys):
    (trial,) = replace(SMALL, strategies=("margin",), seeds=(0,)).trials()
    path = tmp_path / trial.identifier
    path.mkdir()
    check_header(trial, path, Settings())
    assert main(["report", str(tmp_path), "--output", str(tmp_path / "report")]) == 2
    said = f"there is nothing to report on yet: {trial.identifier} has no finished round yet: left out"
    assert capsys.readouterr().err == f"labelbench-direct: {said}\n"
    assert not (tmp_path / "report").exists()


def test_strategy_options():
    assert strategy_config("direct:threshold_tie=lowest,keep_best=false", 7) == {
        "strategy_name": "direct",
        "B1": 7,
        "threshold_tie": "lowest",
        "keep_best": False,
    }
    assert strategy_config("margin") == {"strategy_name": "margin"}


def test_compare_command(tmp_path, capsys):
    arguments = ["compare", "--dataset", "digits_imb_3", "--strategies", "direct", "direct:B1=1", "random"]
    arguments += [
        "--seeds",
        "2",
        "--rounds",
        "2",
        "--batch-size",
        "12",
        "--output",
        str(tmp_path / "out"),
        "--workers",
        "1",
    ]
    assert main(arguments) == 0
    printed = capsys.readouterr().out
    assert "digits_imb_3, 10% label noise: 6 trials, 2 seeds" in printed
    assert (tmp_path / "out" / "curves.png").stat().st_size > 10_000
    saved = (tmp_path / "out" / "saved.md").read_text()
    assert saved.splitlines()[2] in printed
    assert "direct B1=5" in saved
    assert len(list((tmp_path / "out").glob("direct-seed0-*/rounds.jsonl"))) == 2


def test_compare_runs_a_file(tmp_path, capsys):
    path = write(tmp_path, strategies=["direct", "margin"], seeds=[0], parallel=[5])
    assert main(["compare", "--experiment", str(path), "--output", str(tmp_path / "out"), "--workers", "1"]) == 0
    assert "## digits_imb_3, 0% label noise" in capsys.readouterr().out
    assert len(list((tmp_path / "out").glob("*/rounds.jsonl"))) == 4
    assert main(["compare", "--experiment", str(path), "--rounds", "5"]) == 2
    assert "leave out --rounds, or edit it" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--dataset", "x"], "unknown data set 'x'"),
        (["--strategies", "x"], "unknown strategy 'x'"),
        (["--seeds", "0"], "seeds must be at least 1, got 0"),
        (["--seeds", "5000000000"], "--seeds says how many, at most 4,294,967,253; got 5000000000"),
        (["--workers", "0"], "workers must be at least 1"),
        (["--experiment", "nowhere.json"], "there is no experiment file at nowhere.json: expected a JSON file"),
        (["--experiment", "."], "there is no experiment file at .: expected a JSON file"),
    ],
)
def test_bad_arguments_end_with_one_line(arguments, message, capsys, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert main(["compare", *arguments]) == 2
    error = capsys.readouterr().err
    assert error.startswith("labelbench-direct: ")
    assert message in error
    assert error.count("\n") == 1


def test_unwritable_output_ends_with_one_line(tmp_path, capsys):
    (tmp_path / "file").touch()
    assert main(["compare", "--output", str(tmp_path / "file"), "--seeds", "1"]) == 2
    error = capsys.readouterr().err
    assert (
        error == f"labelbench-direct: {tmp_path}/file is a file: name a folder for the results with --output, there "
        "or to be made\n"
    )
    assert main(["compare", "--output", str(tmp_path / "file" / "out"), "--seeds", "1"]) == 2
    assert capsys.readouterr().err.count("\n") == 1


def test_a_home_folder_is_found_where_no_shell_put_it(tmp_path, capsys, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.setenv("USERPROFILE", str(tmp_path / "home"))
    monkeypatch.chdir(tmp_path)
    (tmp_path / "home").mkdir()
    np.savez(tmp_path / "home" / "f.npz", x=np.eye(60), y=np.arange(60) % 2)
    name = "features:path=~/f.npz"
    assert len(load(name).train.labels) == 42
    assert stamp(name, Path("data")) != ()
    assert main(["compare", "--output=~/f.npz"]) == 2
    assert f"{tmp_path}/home/f.npz is a file" in capsys.readouterr().err
    assert main(["compare", "--dataset", "folder", "--data-dir", "~nobody-of-that-name"]) == 2
    assert f"there is no {tmp_path}/~nobody-of-that-name/labels.csv" in capsys.readouterr().err


def test_memory_that_is_full_ends_with_one_line(capsys, monkeypatch):
    for error in (MemoryError("no room on cpu for the data"), MemoryError()):
        monkeypatch.setattr("labelbench_direct.commands.compare.check_results", mock.Mock(side_effect=error))
        assert main(["compare", "--dataset", "digits"]) == 1
        assert capsys.readouterr().err == f"labelbench-direct: {str(error) or 'memory is full'}\n"
