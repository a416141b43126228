"""Comparisons, their files, their report and the command line."""

import json
from dataclasses import replace

import numpy as np
import pytest

from labelbench_direct.cli import main
from labelbench_direct.experiment import Comparison, run, strategy_config, write_trial
from labelbench_direct.report import Curves, conclusion, read_curves, read_trial, saved_table

SMALL = Comparison(dataset="digits_imb_3", strategies=("direct", "margin"), seeds=(0, 1), batch_size=12, rounds=3)


def test_trials_of_a_seed_are_paired(tmp_path):
    files = {key: read_trial(path) for *key, path in run(SMALL, tmp_path) for key in [tuple(key)]}
    assert set(files) == {("direct", 0), ("direct", 1), ("margin", 0), ("margin", 1)}
    for seed in (0, 1):
        direct, margin = files["direct", seed], files["margin", seed]
        assert direct[0]["indices"] == margin[0]["indices"]
        assert direct[0]["metrics"] == margin[0]["metrics"]
        assert direct[1]["indices"] != margin[1]["indices"]
        given = [dict(zip(line["indices"], line["labels"], strict=True)) for line in direct + margin]
        for one in given:
            for other in given:
                assert all(one[index] == other[index] for index in one.keys() & other.keys())
    assert files["direct", 0][0]["indices"] != files["direct", 1][0]["indices"]


def test_a_trial_repeats_to_the_bit(tmp_path):
    trial = SMALL.trials()["direct", 0]
    paths = []
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
        paths.append(write_trial(trial, tmp_path / name))
    first, second = ([{**line, "seconds": None} for line in read_trial(path)] for path in paths)
    assert first == second
    header = json.loads(paths[0].read_text().splitlines()[0])
    assert header["kind"] == "trial"
    assert header["seed"] == 0
    assert header["strategy"] == {"strategy_name": "direct", "B1": 5}
    assert set(header["versions"]) == {"labelbench_direct", "python", "numpy", "torch", "scikit-learn"}


def test_finished_trials_are_not_run_again_and_unfinished_ones_are(tmp_path):
    trial = SMALL.trials()["margin", 0]
    path = tmp_path / f"{trial.identifier}.jsonl"
    path.with_suffix(".jsonl.part").write_text('{"kind": "tri')
    assert write_trial(trial, tmp_path) == path
    assert not path.with_suffix(".jsonl.part").exists()
    assert len(read_trial(path)) == 3
    path.write_text("mine")
    write_trial(trial, tmp_path)
    assert path.read_text() == "mine"


def test_different_trials_have_different_files():
    trials = [*SMALL.trials().values(), *replace(SMALL, noise=0.2).trials().values()]
    assert len({trial.identifier for trial in trials}) == 8


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"dataset": "cifar10"}, "unknown data set 'cifar10'; there are digits"),
        ({"strategies": ("badger",)}, "unknown strategy 'badger'; there are direct, random"),
        ({"strategies": ("direct:B2=3",)}, "unknown key 'B2'"),
        ({"strategies": ("direct:nearest",)}, "strategy options are written name:key=value"),
        ({"strategies": ("margin", "margin")}, "strategies must be distinct"),
        ({"seeds": ()}, "seeds must be distinct and at least one"),
        ({"noise": 2.0}, "noise must be a share between 0 and 1"),
        ({"batch_size": 5000}, "batch_size must be at most"),
        ({"batch_size": 0}, "batch_size must be at least 1"),
        ({"rounds": 0}, "rounds must be at least 1"),
        ({"parallel": 0}, "parallel must be at least 1"),
        ({"model": "vit"}, "model must be one of"),
    ],
)
def test_impossible_comparisons_are_refused_before_training(changes, message):
    with pytest.raises(ValueError, match=message):
        replace(SMALL, **changes)


def test_strategy_options():
    assert strategy_config("direct:threshold_tie=lowest,keep_best=false", 7) == {
        "strategy_name": "direct",
        "B1": 7,
        "threshold_tie": "lowest",
        "keep_best": False,
    }
    assert strategy_config("margin") == {"strategy_name": "margin"}


def curves(*values):
    values = np.array(values, dtype=float)
    return Curves(np.array([10.0, 20.0, 30.0]), {"acc": values})


def test_report_counts_labels_saved():
    made = {"ours": curves([0.1, 0.6, 0.7], [0.1, 0.6, 0.9]), "theirs": curves([0.1, 0.4, 0.5], [0.1, 0.4, 0.7])}
    assert made["ours"].labels_to_reach("acc", 0.6) == 20
    assert made["ours"].labels_to_reach("acc", 0.9) is None
    assert made["ours"].standard_error("acc")[2] == pytest.approx(0.1)
    table = saved_table(made, "acc")
    rows = [[cell.strip() for cell in line.strip("|").split("|")] for line in table.splitlines() if "|" in line]
    assert rows[2] == ["ours", "0.800 ± 0.100", "", "", "20 (33%)"]
    assert rows[3] == ["theirs", "0.600 ± 0.100", "-0.133 ± 0.000", "never", ""]
    expected = "ours reaches what 30 labels give theirs with 20; the highest final acc is ours's, 0.800."
    assert conclusion(made, "acc") == expected


def test_report_says_losses_too():
    made = {"ours": curves([0.1, 0.2, 0.3]), "a": curves([0.1, 0.2, 0.4]), "b": curves([0.1, 0.2, 0.2])}
    assert conclusion(made, "acc") == (
        "ours reaches what 30 labels give b with 20 and does not reach what 30 labels give a; "
        "the highest final acc is a's, 0.400."
    )
    assert conclusion({"ours": made["ours"]}, "acc") == "The highest final acc is ours's, 0.300."
    assert "±" not in saved_table(made, "acc").split("final:")[0]


def test_compare_command(tmp_path, capsys):
    arguments = ["compare", "--dataset", "digits_imb_3", "--strategies", "direct", "direct:B1=1", "random"]
    arguments += ["--seeds", "2", "--rounds", "2", "--batch-size", "12", "--output", str(tmp_path / "out")]
    assert main(arguments) == 0
    printed = capsys.readouterr().out
    assert "digits_imb_3, 10% label noise: 3 strategies, 2 seeds" in printed
    assert (tmp_path / "out" / "curves.png").stat().st_size > 10_000
    assert (tmp_path / "out" / "saved.md").read_text().splitlines()[2] in printed
    paths = sorted((tmp_path / "out").glob("direct-seed0-*.jsonl"))
    assert len(paths) == 2
    assert read_curves(paths).labels.tolist() == [12, 24]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--dataset", "x"], "unknown data set 'x'"),
        (["--strategies", "x"], "unknown strategy 'x'"),
        (["--seeds", "0"], "seeds must be distinct and at least one"),
    ],
)
def test_bad_arguments_end_with_one_line(arguments, message, capsys):
    assert main(["compare", *arguments]) == 2
    error = capsys.readouterr().err
    assert error.startswith("labelbench-direct: ")
    assert message in error
    assert error.count("\n") == 1


def test_unwritable_output_ends_with_one_line(tmp_path, capsys):
    (tmp_path / "file").touch()
    assert main(["compare", "--output", str(tmp_path / "file"), "--seeds", "1"]) == 2
    error = capsys.readouterr().err
    assert error.startswith("labelbench-direct: ")
    assert error.count("\n") == 1
