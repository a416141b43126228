"""Sinks: fed from the lines, never needed, never able to stop a trial."""

import importlib.util
import os
import subprocess
import sys
import threading
import types
from dataclasses import replace
from pathlib import Path

import pytest
from sweeps import SMALL, results

from labelbench_direct.cli import main
from labelbench_direct.experiment import sinks
from labelbench_direct.experiment.storage import read_lines
from labelbench_direct.experiment.trial import Settings, run_trial

TRIAL = SMALL.trials()[1]
OPTION = "digits_imb_3:ratio=0.5"


@pytest.fixture
def plain(tmp_path):
    folder = tmp_path / "plain"
    run_trial(TRIAL, folder, Settings())
    return results(folder)


def test_a_sink_is_fed_every_line_also_those_of_before(tmp_path, plain, monkeypatch):
    fed = []
    monkeypatch.setitem(sinks.SINKS, "mine", lambda trial, path: fed.append)
    path = tmp_path / "out" / TRIAL.identifier
    path.mkdir(parents=True)
    kept = plain[f"{TRIAL.identifier}/rounds.jsonl"].splitlines(keepends=True)[:2]
    (path / "rounds.jsonl").write_bytes(b"".join(kept))
    (path / "trial.json").write_bytes(plain[f"{TRIAL.identifier}/trial.json"])
    outcome = run_trial(TRIAL, tmp_path / "out", Settings(sinks=("mine",)))
    assert outcome.notes == ()
    assert [line and line["round"] for line in fed] == [1, 2, 3, 4, 5, None]
    assert fed[0]["metrics"] == read_lines(path / "rounds.jsonl")[0]["metrics"]
    assert results(tmp_path / "out") == plain


def fails_at_once(trial, path):
    raise RuntimeError("no account")


def fails_later(trial, path):
    def feed(line):
        raise SystemExit("gone")

    return feed


def is_missing(trial, path):
    raise ModuleNotFoundError("No module named 'wandb'")


def hangs(trial, path):
    threading.Event().wait(60)


@pytest.mark.parametrize(
    ("sink", "note"),
    [
        (fails_at_once, "mine stopped: RuntimeError('no account')"),
        (fails_later, "mine stopped: SystemExit('gone')"),
        (is_missing, "pip install 'labelbench-direct[logging]'"),
        (hangs, "mine did not finish within 0 s"),
    ],
)
def test_a_broken_sink_is_noted_and_changes_nothing(tmp_path, plain, monkeypatch, sink, note):
    monkeypatch.setitem(sinks.SINKS, "mine", sink)
    monkeypatch.setattr(sinks, "_PATIENCE", 0.1)
    outcome = run_trial(TRIAL, tmp_path / "out", Settings(sinks=("mine",)))
    assert note in outcome.notes[0]
    assert results(tmp_path / "out") == plain


class UsageError(Exception):
    """As wandb's."""


class StandIn(types.ModuleType):
    """wandb, which refuses the projects that the real one refuses."""

    def __init__(self, disabled=False):
        super().__init__("wandb")
        self.disabled, self.projects, self.modes, self.lines = disabled, [], [], []

    def Settings(self, **options):  # noqa: N802
        return options

    def init(self, *, project, mode, **options):
        if len(project) > 128 or set(project) & set("/\\#?%:"):
            raise UsageError(f"Invalid project name {project!r}")
        self.projects.append(project)
        self.modes.append(mode)
        return self

    def log(self, line, step):
        self.lines.append(step)

    def finish(self):
        self.lines.append(None)


def feed_wandb(dataset, tmp_path):
    with sinks.Sinks(("wandb",), replace(TRIAL, dataset=dataset), tmp_path, []) as fed:
        fed.write({"round": 1, "metrics": {"Num Labeled": 12}})
    return fed.notes


DATASETS = ["digits_imb_3:ratio=0.1", "digits_imb_3:ratio=0.2", "folder:path=C:\\a#b?", "folder:path=/birds,size=8%"]
DATASETS += [f"folder:path={letter * 300}" for letter in "ab猫狗"]


def test_wandb_takes_every_data_set_for_a_project_of_its_own(tmp_path, monkeypatch):
    wandb = StandIn()
    monkeypatch.setitem(sys.modules, "wandb", wandb)
    for dataset in ["digits", *DATASETS]:
        assert feed_wandb(dataset, tmp_path) == []
    assert wandb.projects[0] == "labelbench-direct digits"
    assert len(set(wandb.projects)) == 1 + len(DATASETS)
    assert wandb.lines == [1, None] * (1 + len(DATASETS))


def test_wandb_that_keeps_nothing_is_said(tmp_path, monkeypatch):
    wandb = StandIn(disabled=True)
    monkeypatch.setitem(sys.modules, "wandb", wandb)
    (note,) = feed_wandb("digits", tmp_path)
    assert note == "nothing is logged to wandb: it is disabled, by WANDB_MODE or its own settings; the results are " \
        "whole without it"  # fmt: skip
    assert wandb.lines == []


def test_wandb_is_offline_where_nothing_else_is_said(tmp_path, monkeypatch):
    wandb = StandIn()
    monkeypatch.setitem(sys.modules, "wandb", wandb)
    for mode in ("", "online"):
        monkeypatch.setenv("WANDB_MODE", mode)
        feed_wandb("digits", tmp_path)
    assert wandb.modes == ["offline", "online"]


def test_trials_of_before_are_not_said_to_be_logged(tmp_path, capsys):
    command = ["compare", "--dataset", "digits_imb_3", "--strategies", "random", "--seeds", "1", "--rounds", "1"]
    command += ["--workers", "1", "--output", str(tmp_path)]
    assert main(command) == 0
    assert "logged" not in capsys.readouterr().err
    assert main([*command, "--sinks", "wandb"]) == 0
    assert "1 trials were finished before: nothing of them is logged to wandb now" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("name", "files"), [("tensorboard", "tensorboard/*/events*"), ("wandb", "wandb/*run*/*.wandb")]
)
def test_real_sinks_write_their_files(tmp_path, name, files):
    """In a process of its own: what they import warns a lot. The data set is one whose name W&B refuses."""
    if importlib.util.find_spec(name) is None:
        pytest.skip(f"{name} is not installed: pip install 'labelbench-direct[logging]'")
    code = (
        "import sys; from dataclasses import replace; from pathlib import Path; from sweeps import SMALL\n"
        "from labelbench_direct.experiment.trial import Settings, run_trial\n"
        f"trial = replace(SMALL.trials()[1], dataset={OPTION!r})\n"
        f"outcome = run_trial(trial, Path({str(tmp_path / 'out')!r}), Settings(sinks=({name!r},)))\n"
        "assert outcome.notes == (), outcome.notes"
    )
    paths = [str(Path(__file__).parent), *filter(None, sys.path)]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(paths), "WANDB_MODE": "offline"}
    done = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert list((tmp_path / "out").glob(files))
    run_trial(replace(TRIAL, dataset=OPTION), tmp_path / "plain", Settings())
    assert results(tmp_path / "out") == results(tmp_path / "plain")
