"""The commands on docs/annotation.md, run as they are printed."""

import csv
import json
import os
import re
import socket
import sqlite3
import subprocess
import sys
import urllib.request
from contextlib import closing
from pathlib import Path

import pytest

import labelbench_direct
from labelbench_direct.__main__ import main

PAGE = Path(__file__).parents[1] / "docs" / "annotation.md"


def blocks(language):
    return re.findall(rf"^```{language}\n(.*?)^```$", PAGE.read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Where everything on the page was run."""
    folder = tmp_path_factory.mktemp("page")
    commands = folder / "bin"
    commands.mkdir()
    for name, arguments in (("python", ""), ("labelbench-direct", "-m labelbench_direct")):
        (commands / name).write_text(f'#!/bin/sh\nexec "{sys.executable}" {arguments} "$@"\n')
        (commands / name).chmod(0o755)
    (example,) = blocks("python")
    (folder / "example.py").write_text(example)
    (folder / "printed.txt").write_text(shell(folder, "set -ex\n" + "".join(blocks("console"))))
    return folder


def shell(folder, script):
    """What a script prints, once it has done all."""
    source = Path(labelbench_direct.__file__).parents[1]
    environment = os.environ | {"PATH": f"{folder / 'bin'}:{os.environ['PATH']}", "PYTHONPATH": str(source)}
    ran = subprocess.run(["bash", "-c", script], cwd=folder, env=environment, capture_output=True, text=True)
    assert ran.returncode == 0, ran.stderr
    return ran.stdout


def test_people_who_annotate_do_not_wait_for_torch():
    code = (
        "import sys, labelbench_direct.annotate.cli\n"
        "heavy = {'torch', 'scipy', 'sklearn', 'matplotlib', 'tqdm', 'mlxtend', 'numba', 'pyarrow'}\n"
        "heavy &= set(sys.modules)\n"
        "assert not heavy, heavy"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def test_the_whole_job(folder):
    with (folder / "labels.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert len(rows) in (120, 121)  # two rounds, of 80 and 40, and digit-0 by correction
    assert {row["label"] for row in rows} == set("0123456789")
    with (folder / "answers.csv").open(newline="") as file:
        answers = list(csv.DictReader(file))
    assert [row["kind"] for row in answers].count("answer") == 120
    printed = (folder / "printed.txt").read_text()
    assert "Round 2: 40 of 40 labels; 120 in all, 0 waiting for answers" in printed
    assert "This round is done." in printed
    with closing(sqlite3.connect(folder / "digits.db")) as connection:
        kinds = dict(connection.execute("SELECT kind, count(*) FROM events GROUP BY kind"))
    assert (kinds["start"], kinds["retrain"], kinds["answer"], kinds["correct"], kinds["release"]) == (1, 2, 4, 1, 1)


def test_it_finds_the_rare_digits(folder):
    """DIRECT's round of 40 has more of the rare classes than the random one of 80."""
    with (folder / "answers.csv").open(newline="") as file:
        labels = [row["label"] for row in csv.DictReader(file) if row["kind"] == "answer"]
    rare = [label in "89" for label in labels]
    assert sum(rare[80:]) > sum(rare[:80])


def run(monkeypatch, capsys, *arguments):
    monkeypatch.setattr(sys, "argv", ["labelbench-direct", "annotate", *map(str, arguments)])
    status = main()
    return status, *capsys.readouterr()


def test_every_action_prints_json(folder, tmp_path, monkeypatch, capsys):
    job = tmp_path / "job.db"
    common = ("--annotator", "ann", "--json", job)
    files = ("--scores", folder / "scores.npy", "--items", folder / "items.csv", "--classes", folder / "classes.txt")

    def json_of(*arguments):
        status, out, _ = run(monkeypatch, capsys, *arguments)
        assert status == 0
        return json.loads(out)

    assert json_of("start", *files, "--budget", 30, "--json", job)["items"] == 1488
    items = [one["item"] for one in json_of("ask", "--count", 3, *common)["items"]]
    assert json_of("tell", "--item", items[0], "--label", "3", *common) == {"new": 1, "repeated": 0, "spare": 0}
    assert json_of("cannot-tell", *common, items[1])["new"] == 1
    assert json_of("release", *common, items[2]) == {"released": 1}
    assert json_of("correct", *common, items[0], "4") == {"item": items[0], "label": "4"}
    assert json_of("status", "--json", job)["labeled"] == 1
    assert json_of("status", "--suspicious", "--json", job) == []
    assert json_of("export", "--json", job)[0]["label"] == "4"
    assert (
        "<Image" in json_of("labeling-config", "--column", "picture", "--kind", "Image", "--json", job)["label_config"]
    )
    assert json_of("retrain", "--scores", folder / "scores2.npy", "--json", job) == {"round": 2, "budget": 30}


@pytest.mark.parametrize(
    ("arguments", "match"),
    [
        (("ask", "nowhere.db"), "there is no job nowhere.db"),
        (("tell", "--item", "digit-0", "JOB"), "tell --item ITEM --label CLASS, or --labels FILE"),
        (("tell", "--item", "digit-0", "--label", "10", "JOB"), "no class '10'|was not asked for"),
        (("tell", "--labels", "none.csv", "JOB"), "there is no file none.csv"),
        (("correct", "JOB", "digit-99999", "1"), "no item 'digit-99999'"),
        (("retrain", "--scores", "none.npy", "JOB"), "there is no file none.npy"),
        (("serve", "--project", "1", "JOB"), "go together"),
        (("start", "--classes", "classes.txt", "--budget", "5", "new.db"), "needs --items or --scores"),
    ],
)
def test_errors_are_one_line(folder, monkeypatch, capsys, arguments, match):
    monkeypatch.chdir(folder)
    status, out, error = run(monkeypatch, capsys, *["digits.db" if one == "JOB" else one for one in arguments])
    assert (status, out) == (2, "")
    assert re.fullmatch(rf"labelbench-direct: .*({match}).*\n", error), error
    assert not (folder / "new.db").exists()


def test_over_http(folder):
    with closing(socket.create_server(("127.0.0.1", 0))) as free:
        port = free.getsockname()[1]
    script = "".join(blocks("bash")).replace("8090", str(port))
    printed = shell(folder, f"set -e\ntrap 'kill $!' EXIT\n{script}")
    assert len(json.loads(printed[printed.index("{") :])["items"]) == 2


def test_who_answers_is_nothing_that_the_items_say(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    Path("items.csv").write_text("id,text,Annotator,Label\nx,a,Homer,poem\ny,b,Plato,prose\n")
    Path("classes.txt").write_text("cat\ndog\n")
    run(monkeypatch, capsys, "start", "--items", "items.csv", "--classes", "classes.txt", "--budget", 2, "job.db")
    run(monkeypatch, capsys, "ask", "--annotator", "ann", "--count", 2, "--output", "batch.csv", "job.db")
    Path("batch.csv").write_text(Path("batch.csv").read_text().replace(",,", ",cat,"))
    run(monkeypatch, capsys, "tell", "--annotator", "ann", "--labels", "batch.csv", "job.db")
    _, out, _ = run(monkeypatch, capsys, "export", "--answers", "--json", "job.db")
    assert [(one["annotator"], one["label"]) for one in json.loads(out)] == [("ann", "cat")] * 2


def test_labels_of_the_start_that_contradict_each_other(folder, tmp_path, monkeypatch, capsys):
    (tmp_path / "labels.csv").write_text("item,label\ndigit-0,0\ndigit-1,1\ndigit-0,2\n")
    files = ("--items", folder / "items.csv", "--classes", folder / "classes.txt", "--labels", tmp_path / "labels.csv")
    status, _, error = run(monkeypatch, capsys, "start", *files, "--budget", 5, tmp_path / "job.db")
    assert (status, "'digit-0' has two labels, 0 and 2" in error) == (2, True)


@pytest.mark.parametrize(
    ("options", "given", "pattern"),
    [
        (["--json"], {}, r'{"url": "(.*)", "token": "(.*)"}'),
        ([], {"LABELBENCH_DIRECT_TOKEN": ""}, r"digits.db is served at (.*) with the token (.*); Ctrl\+C ends it."),
    ],
)
def test_serve_says_where_and_with_which_token(folder, options, given, pattern):
    command = [sys.executable, "-m", "labelbench_direct", "annotate", "serve", "--port", "0", *options, "digits.db"]
    environment = {name: value for name, value in os.environ.items() if name != "LABELBENCH_DIRECT_TOKEN"} | given
    environment["PYTHONPATH"] = str(Path(labelbench_direct.__file__).parents[1])
    with subprocess.Popen(command, cwd=folder, env=environment, stdout=subprocess.PIPE, text=True) as process:
        try:
            where, token = re.fullmatch(pattern, process.stdout.readline().rstrip()).groups()
            assert where.startswith("http://127.0.0.1:")
            request = urllib.request.Request(f"{where}/status", headers={"Authorization": f"Bearer {token}"})
            with urllib.request.urlopen(request) as response:
                assert json.load(response)["round"] == 3
        finally:
            process.terminate()
