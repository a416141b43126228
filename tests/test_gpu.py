"""The checks for a GPU, on the CPU and small, so that they cannot rot; what they say of a machine that is not fit."""

import importlib.metadata
import importlib.util
import json
import os
import select
import subprocess
import sys
from pathlib import Path

import pytest

from labelbench_direct.strategies import STRATEGIES

CHECKS = Path(__file__).parent / "gpu"
pytest.importorskip("torchvision", reason="the extra vision is not installed")


def run(folder, *arguments, **variables):
    command = [sys.executable, str(CHECKS), "--output", str(folder), *arguments]
    environment = {**os.environ, "OMP_NUM_THREADS": "1", **variables}
    return subprocess.run(command, capture_output=True, text=True, env=environment, cwd=folder, check=False)


def rows(folder):
    return [json.loads(line) for line in (folder / "rows.jsonl").read_text().splitlines()]


def test_right_and_fast_on_the_cpu(tmp_path):
    pytest.importorskip("open_clip", reason="the extra clip is not installed")
    names = ("warm_up", "train", "scores", "memory", "trial", "speed", "round", "paper")
    process = run(tmp_path, *names, "--device", "cpu", "--here")
    assert process.returncode == 0, process.stderr
    found = rows(tmp_path)
    assert {row["check"] for row in found} == set(names)
    assert [row for row in found if row["ok"] is False] == []
    kinds = [row["what"] for row in found if row["check"] == "train"]
    assert {"linear, FlexMatch", "ResNet-18, pseudo-labels", "ViT-B/32, passive"} <= set(kinds)
    assert sum(row["ok"] is True for row in found) == 11 + 3 + len(STRATEGIES) + 2 + 1


@pytest.mark.labelbench
def test_labelbench_itself_on_the_cpu(tmp_path):
    process = run(tmp_path, "labelbench", "--device", "cpu", "--here")
    assert process.returncode == 0, process.stderr
    assert [row["ok"] for row in rows(tmp_path)] == [True, True], rows(tmp_path)


def test_each_check_runs_apart_and_a_table_ends_it(tmp_path):
    process = run(tmp_path, "trial", "--device", "cpu")
    assert process.returncode == 0, process.stdout + process.stderr
    table = (tmp_path / "table.md").read_text()
    assert "| trial | interrupted and resumed | 4 of 4 rounds have the same examples" in table
    assert "| yes |" in table
    assert table.endswith("1 rows, 0 fall short; " + table.rsplit("; ", 1)[1])
    assert "sizes: tiny, for the CPU" in process.stdout


def test_without_labelbench_the_status_is_1_and_says_why(tmp_path):
    process = run(tmp_path, "labelbench", "--device", "cpu", LABELBENCH_HOME=str(tmp_path / "nowhere"))
    assert process.returncode == 1, process.stdout + process.stderr
    assert "**NO**" in process.stdout
    assert "no LabelBench checkout at" in process.stdout or "missing: " in process.stdout


@pytest.mark.parametrize(
    ("arguments", "message"), [(["--device", "cuda"], "no CUDA device: torch "), (["sped"], "there is no check 'sped'")]
)
def test_what_cannot_start_says_so(tmp_path, arguments, message):
    process = run(tmp_path, *arguments, CUDA_VISIBLE_DEVICES="")
    assert process.returncode == 2
    assert message in process.stderr
    assert "Traceback" not in process.stderr


@pytest.fixture
def checks(monkeypatch):
    """The program's module, and with it those that it imports from its own folder."""
    monkeypatch.setattr(sys, "path", [str(CHECKS), *sys.path])
    spec = importlib.util.spec_from_file_location("gpu_checks", CHECKS / "__main__.py")
    module = importlib.util.module_from_spec(spec)
    monkeypatch.setitem(sys.modules, "gpu_checks", module)
    spec.loader.exec_module(module)
    return module


def test_a_step_that_fails_does_not_stop_the_next(checks, monkeypatch):
    import setting

    def steps(_):
        yield "raises", lambda: 1 // 0
        yield "falls short", lambda: setting.Finding("1", "2", False)
        yield "holds", lambda: setting.Finding("2", "2", True)
        raise setting.MissingError("missing: wilds")

    monkeypatch.setattr(checks, "find", lambda name: steps)
    found = list(checks.rows_of("some", None))
    assert [(row.what, row.ok) for row in found] == [
        ("raises", False),
        ("falls short", False),
        ("holds", True),
        ("", False),
    ]
    assert found[0].value.startswith("ZeroDivisionError")
    assert found[3].value == "missing: wilds"
    assert checks.table(found).count("**NO**") == 3


def test_a_check_that_takes_too_long_or_dies_is_a_row(checks, tmp_path):
    (tmp_path / "log").write_text("")
    (row,) = checks.run_apart("trial", ["--device", "cpu"], tmp_path / "log", tmp_path / "rows", 0.1)
    assert row.ok is False
    assert row.value == "stopped after its 0 s"
    (row,) = checks.run_apart("trial", ["--device", "tpu"], tmp_path / "log", tmp_path / "rows", 60)
    assert row.ok is False
    assert "ended with status 2" in row.value
    assert "invalid choice: 'tpu'" in row.value


def test_what_a_stopped_check_started_is_stopped_too(checks, tmp_path, monkeypatch):
    """Here: a sleeper that would hold its end of a pipe for a minute."""
    program = tmp_path / "gpu" / "__main__.py"
    program.parent.mkdir()
    program.write_text("import subprocess; subprocess.run(['sleep', '60'], close_fds=False)")
    monkeypatch.setattr(checks, "TESTS", tmp_path)
    (tmp_path / "log").write_text("")
    reading, writing = os.pipe()
    os.set_inheritable(writing, True)
    popen = checks.subprocess.Popen
    monkeypatch.setattr(checks.subprocess, "Popen", lambda *a, **k: popen(*a, **{**k, "pass_fds": (writing,)}))
    (row,) = checks.run_apart("trial", [], tmp_path / "log", tmp_path / "rows", 5)
    os.close(writing)
    assert row.value == "stopped after its 5 s"
    assert select.select([reading], [], [], 20)[0], "nobody holds the other end any more"
    os.close(reading)


def test_a_smaller_card_gets_smaller_sizes_that_say_so(checks):
    import setting

    sizes = [setting.sizes_for("cuda", gib * setting.GIB) for gib in (80, 16, 15, 4)]
    assert sizes == [setting.FULL, setting.FULL, setting.SMALL, setting.LEAST]
    assert "less than 16 GiB" in setting.SMALL.name
    assert setting.sizes_for("cpu", 0) is setting.TINY


def test_what_is_missing_is_named_with_what_it_needs(checks, monkeypatch):
    import setting

    installed = {"wilds": "2.0", "torch": "2.11", "old": "0.9"}
    needs = {"wilds": ["torch>=1.7", "ogb", "old>=1; python_version>'3'", "never; extra == 'test'", "!!"]}

    def version(name):
        if name not in installed:
            raise importlib.metadata.PackageNotFoundError(name)
        return installed[name]

    monkeypatch.setattr(importlib.metadata, "version", version)
    monkeypatch.setattr(importlib.metadata, "requires", needs.get)
    assert setting.missing(["wilds", "wandb"]) == ["ogb", "old>=1 (0.9 is installed)", "wandb"]


def test_the_wheels_are_those_wanted():
    lines = (CHECKS / "wheels.txt").read_text().splitlines()
    names = {line.partition("==")[0] for line in lines if not line.startswith("#")}
    assert {"open_clip_torch", "clip-anytorch", "wilds", "wandb", "mlxtend"} <= names
    assert not names & {"torch", "torchvision", "timm", "numba", "scikit-learn", "matplotlib", "pandas", "numpy"}
