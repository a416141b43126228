"""Sinks: fed from the lines, never needed, never able to stop a trial."""

import importlib.util
import os
import subprocess
import sys
import threading
from pathlib import Path

import pytest
from sweeps import SMALL, results

from labelbench_direct.experiment import sinks
from labelbench_direct.experiment.storage import read_lines
from labelbench_direct.experiment.trial import Settings, run_trial

TRIAL = SMALL.trials()[1]


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


@pytest.mark.parametrize(
    ("name", "files"), [("tensorboard", "tensorboard/*/events*"), ("wandb", "wandb/*run*/*.wandb")]
)
def test_real_sinks_write_their_files(tmp_path, plain, name, files):
    """In a process of its own: what they import warns a lot."""
    if importlib.util.find_spec(name) is None:
        pytest.skip(f"{name} is not installed: pip install 'labelbench-direct[logging]'")
    code = (
        "import sys; from pathlib import Path; from sweeps import SMALL\n"
        "from labelbench_direct.experiment.trial import Settings, run_trial\n"
        f"outcome = run_trial(SMALL.trials()[1], Path({str(tmp_path / 'out')!r}), Settings(sinks=({name!r},)))\n"
        "assert outcome.notes == (), outcome.notes"
    )
    paths = [str(Path(__file__).parent), *filter(None, sys.path)]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(paths), "WANDB_MODE": "offline"}
    done = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert list((tmp_path / "out").glob(files))
    assert results(tmp_path / "out") == plain
