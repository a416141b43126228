"""Trials on LabelBench's own parts: the indices of its own ``main.py``, and going on in the middle.

Needs a checkout, and what LabelBench imports; seen to pass with LabelBench's commit 9e23393.
"""

import json
import os
import subprocess
import sys

import pytest

from labelbench_direct.experiment.storage import read_lines

EXPERIMENT = {
    "dataset": "digits_imb_3",
    "seeds": [7],
    "batch_size": 40,
    "rounds": 3,
    "parallel": [20],
    "model": {"name": "linear_digits.json"},
}
CASES = {  # strategy, trainer, noise
    "passive": ("direct", "digits/passive/linear.json", 0.1),
    "flexmatch": ("direct", "digits/flexmatch/linear.json", 0),
    "their margin": ("margin", "digits/passive/linear.json", 0.1),
}


def run(*arguments):
    command = [sys.executable, "-m", "labelbench_direct.cli", *map(str, arguments)]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
    done = subprocess.run(command, capture_output=True, text=True, env=environment, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.labelbench
@pytest.mark.parametrize("case", CASES)
def test_indices_equal_those_of_main_and_so_do_they_after_an_interruption(tmp_path, case):
    strategy, trainer, noise = CASES[case]
    for folder in ("their data", "our data"):  # LabelBench draws from its generators while it fills its caches
        (tmp_path / folder).mkdir()
    config = tmp_path / "strategy.json"
    config.write_text(json.dumps({"strategy_name": strategy, **({"B1": 20} if strategy == "direct" else {})}))
    run("labelbench", "--device", "cpu", "--wandb", "disabled", "--log", tmp_path / "main", "--", "--seed", 7,
        "--wandb_name", "none", "--dataset", "digits_imb_3", "--data_dir", tmp_path / "their data",
        "--metric", "multi_class",
        "--batch_size", 40, "--num_batch", 3, "--classifier_model_config", "linear_digits.json",
        "--strategy_config", config, "--trainer_config", trainer,
        "--corrupter_config", "noisy_random.json" if noise else "noiseless.json")  # fmt: skip
    (log,) = (tmp_path / "main").rglob("*.jsonl")
    theirs = [line for line in read_lines(log) if line["kind"] == "round"]

    experiment = tmp_path / "experiment.json"
    stated = {**EXPERIMENT, "strategies": [strategy], "trainer": {"name": trainer}, "noise": [noise]}
    experiment.write_text(json.dumps(stated))
    arguments = ("compare", "--experiment", experiment, "--host", "labelbench", "--device", "cpu",
                 "--data-dir", tmp_path / "our data",
                 "--output", tmp_path / "ours", "--workers", 1)  # fmt: skip
    run(*arguments)
    (rounds,) = (tmp_path / "ours").glob("*/rounds.jsonl")
    ours = read_lines(rounds)
    # main.py leaves the generator of FlexMatch's strong augmentation unseeded: no two of its own runs are equal.
    comparable = 1 if case == "flexmatch" else 3
    assert [line["indices"] for line in ours[:comparable]] == [line["indices"] for line in theirs[:comparable]]
    assert [line["labels"] for line in ours[:comparable]] == [line["labels"] for line in theirs[:comparable]]
    if case != "flexmatch":
        assert [line["metrics"]["Pool Loss"] for line in ours] == [line["metrics"]["Pool Loss"] for line in theirs]

    whole = rounds.read_bytes()
    rounds.write_bytes(b"".join(whole.splitlines(keepends=True)[:2]) + b"{half")
    run(*arguments)
    assert rounds.read_bytes() == whole


def refused(experiment, changes, *arguments):
    """What the command says at its end, having run nothing."""
    stated = {
        **EXPERIMENT,
        "strategies": ["margin"],
        "trainer": {"name": CASES["passive"][1]},
        "noise": [0],
        "rounds": 1,
    }
    experiment.write_text(json.dumps({**stated, **changes}))
    command = [sys.executable, "-m", "labelbench_direct.cli", "compare", "--experiment", experiment, "--host",
               "labelbench", "--device", "cpu", "--workers", "1", *arguments]  # fmt: skip
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
    done = subprocess.run(list(map(str, command)), capture_output=True, text=True, env=environment, check=False)
    return done.returncode, done.stderr.splitlines()[-1] if done.returncode else done.stdout


@pytest.mark.labelbench
def test_data_that_labelbench_cannot_use_are_refused_before_any_trial(tmp_path):
    experiment, data = tmp_path / "experiment.json", ("--data-dir", tmp_path / "data", "--output", tmp_path / "out")
    (tmp_path / "data").mkdir()
    status, said = refused(experiment, {"dataset": "cifar11"}, *data)
    assert status == 2
    assert said.startswith("labelbench-direct: unknown data set 'cifar11' (is 'cifar10' meant?); there are ")
    status, said = refused(experiment, {"batch_size": 2000}, *data)
    assert status == 2
    assert "batch_size must be at most 1262, digits_imb_3's pool, got 2000: lower it or" in said
    assert not (tmp_path / "out").exists()
    status, said = refused(experiment, {}, *data)
    assert status == 0, said
    status, said = refused(experiment, {"dataset": "digits_imb_2"}, "--data-dir", tmp_path / "data", "--output",
                           tmp_path / "two")  # fmt: skip
    assert status == 2
    assert "data are of 3 classes, digits_imb_2 has 2: it reads labels_digits_imb_*.pt for every K" in said
    assert not (tmp_path / "two").exists()

    (pool,) = (tmp_path / "out").glob("*/pool.json")
    noted = json.loads(pool.read_text())
    assert sum(noted["class_counts"]) == noted["examples"] == 1262
    pool.write_text(json.dumps({**noted, "checksum": "0" * 32}))
    status, said = refused(experiment, {}, *data)
    assert status == 2
    assert "1 of 1 trials in" in said
    assert "ran on other data than digits_imb_3 now is: as many examples of each class" in said


@pytest.mark.labelbench
def test_their_direct_beside_ours_on_this_packages_data(tmp_path):
    """What their class selects by itself, from the same scores and labels."""
    run("compare", "--dataset", "digits_imb_3", "--seeds", 1, "--rounds", 3, "--model", "linear",
        "--strategies", "direct", "direct_labelbench:B1=20", "--output", tmp_path)  # fmt: skip
    for name in ("direct", "direct_labelbench"):
        (rounds,) = tmp_path.glob(f"{name}-seed0-*/rounds.jsonl")
        asked = [index for line in read_lines(rounds) for index in line["indices"]]
        assert len(set(asked)) == 120
    (header,) = tmp_path.glob("direct_labelbench-*/trial.json")
    assert len(json.loads(header.read_text())["versions"]["LabelBench"]) == 40
