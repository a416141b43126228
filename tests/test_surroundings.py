"""What the user's machine is like: settings, names, terminals, file systems. No picture or file depends on it."""

import json
import os
import re
import shlex
import subprocess
import sys
import types
import xml.etree.ElementTree
from dataclasses import replace

import pytest
from test_report import make_trial

from labelbench_direct.cli import main
from labelbench_direct.csv_text import csv_text
from labelbench_direct.experiment.names import folder_name
from labelbench_direct.experiment.pools import describe_data
from labelbench_direct.experiment.schema import Experiment
from labelbench_direct.hosts.embedded import load
from labelbench_direct.report.drawing import labels
from labelbench_direct.report.results import Setting
from labelbench_direct.report.write import file_names, write_report


@pytest.fixture
def made(tmp_path):
    """Two noise levels, two strategies, three seeds."""
    for noise in (0.1, 0.2):
        for seed in (0, 1, 2):
            for name, height in (("direct", 0.9), ("margin", 0.7)):
                make_trial(tmp_path / "made", name, seed, height - noise, noise=noise)
    return tmp_path / "made"


NAMES = [
    "$x^2_{i}$",
    "<b>&amp;",
    "a\nb\tc\x00\x1b[31m",
    "c" * 300,
    "猫 😀 שלום",
    "\udcff",
    "\\frac{",
    "%s {0} $",
    "_",
    "",
]


def test_text_is_drawn_as_it_is(tmp_path):
    """Mathematics, markup, other scripts, control characters and lengths: pictures are drawn, and are good XML."""
    (tmp_path / "in").mkdir()
    for name in NAMES[:6]:
        for seed in (0, 1):
            options = {"noise": 0.1, "strategy": {"strategy_name": name or "?", "note": name}}
            path = make_trial(tmp_path / "in", "direct", seed, 0.9, dataset=f"data {name}", **options)
            pool = json.loads((path / "pool.json").read_text())
            (path / "pool.json").write_text(json.dumps({**pool, "classes": [NAMES[i] for i in (6, 0, 1, 2)]}))
    written = write_report([tmp_path / "in"], tmp_path / "report", trial="direct-seed0-0.1-0")
    assert not [note for note in written.notes if "could not be drawn" in note]
    pictures = list((tmp_path / "report").glob("*.svg"))
    assert len(pictures) == 6 * 3 + 6
    for picture in pictures:
        xml.etree.ElementTree.parse(picture)
    text = "".join(picture.read_text() for picture in pictures)
    assert "$x^2_{i}$" in text
    assert "&lt;b&gt;&amp;amp;" in text
    assert max(len(line) for line in re.findall(r"<text[^>]*>([^<]*)", text)) < 130


def test_names_in_pictures_are_short_and_differ():
    names = ["direct B1=1", "_mine", "", "?", *(f"{'x' * 40}{i}{'y' * 40}" for i in range(20))]
    shown = labels(names)
    assert shown["direct B1=1"] == "direct B1=1"
    assert shown["_mine"] == " _mine", "legends leave out what begins with an underscore"
    assert len(set(shown.values())) == len(names)
    assert max(map(len, shown.values())) <= 32


SETTINGS = {
    "MPLBACKEND=nonsense": "",
    "MPLBACKEND=module://matplotlib_inline.backend_inline": "",
    "MATPLOTLIBRC=.": "text.usetex: True\nfont.size: 40\nsavefig.format: pdf\nlines.linewidth: 9\nwhat\nfigure.dpi: x",
    "LC_ALL=xx_YY": "axes.formatter.use_locale: True",
    "PYTHONWARNINGS=error": "\udcff\udcfe",  # no UTF-8
}


@pytest.mark.parametrize("variable", SETTINGS)
def test_pictures_depend_on_nothing_of_the_users(tmp_path, variable):
    """In a process whose working directory, environment and matplotlibrc are the user's."""
    make_trial(tmp_path / "in", "direct", 0, 0.9)
    expected = write_report([tmp_path / "in"], tmp_path / "expected")
    (tmp_path / "matplotlibrc").write_bytes(SETTINGS[variable].encode(errors="surrogateescape"))
    name, _, value = variable.partition("=")
    paths = os.pathsep.join(filter(None, [os.getcwd(), *sys.path]))  # noqa: PTH109
    # fmt: off
    done = subprocess.run([sys.executable, "-m", "labelbench_direct.cli", "report", "in", "--output", "out"],
                          cwd=tmp_path, env={**os.environ, "PYTHONPATH": paths, name: value}, capture_output=True,
                          text=True, check=False)
    # fmt: on
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""
    assert done.stdout.startswith(expected.sentence)
    for file in (tmp_path / "expected").glob("*.*g"):
        assert (tmp_path / "out" / file.name).read_bytes() == file.read_bytes(), file.name


def test_settings_of_a_notebook_are_left_alone(made, tmp_path):
    import matplotlib as mpl

    with mpl.rc_context({"text.usetex": True, "font.size": 33.0}):
        before = dict(mpl.rcParams)
        written = write_report([made], tmp_path / "report")
        assert dict(mpl.rcParams) == before
    assert written.notes == []
    assert "33px" not in next((tmp_path / "report").glob("*curves.svg")).read_text()


def test_a_picture_that_fails_costs_nothing_else(made, tmp_path, monkeypatch, capsys):
    def fail(*_):
        raise MemoryError("no room")

    monkeypatch.setattr("labelbench_direct.report.figures.leads", fail)
    assert main(["report", str(made), "--output", str(tmp_path / "report")]) == 0
    assert "note: 2 pictures could not be drawn" in capsys.readouterr().out
    page = (tmp_path / "report" / "report.html").read_text()
    assert "MemoryError: no room" in page
    assert page.count("<figure>") == 2 * 3 + 2 + 3 * 2


@pytest.fixture
def compare(made, monkeypatch):
    """``compare`` on trials that are there: what it does when all have run."""
    trials = [types.SimpleNamespace(identifier=path.name, needs_labelbench=False) for path in made.iterdir()]
    for path in made.iterdir():
        (path / "pool.json").write_text(json.dumps(describe_data(load("digits"))))
    monkeypatch.setattr("labelbench_direct.commands.compare.run_trials", lambda *_: None)
    monkeypatch.setattr(Experiment, "trials", lambda _: trials)
    return lambda: main(["compare", "--dataset", "digits", "--output", str(made)])


@pytest.mark.parametrize("name", ["saved.md", "curves.png"])
def test_the_table_is_printed_whatever_becomes_of_the_files(made, compare, capsys, name):
    """As on a full disk, or in a folder that is read-only: here a folder has the file's name."""
    assert compare() == 0
    (made / name).unlink()
    (made / name).mkdir()
    assert compare() == 2
    said = capsys.readouterr()
    assert name in said.err
    assert said.out.count("lead: mean over the rounds") == 2 * 2


def test_the_table_is_written_before_the_picture_is_drawn(made, compare, capsys, monkeypatch):
    def fail(*_, **__):
        raise ValueError("no such font")

    monkeypatch.setattr("labelbench_direct.report.figures.comparison", fail)
    assert compare() == 1
    said = capsys.readouterr()
    assert "the picture could not be drawn (ValueError: no such font); the table is in" in said.err
    assert "±" in said.out
    assert "±" in (made / "saved.md").read_text(encoding="utf-8")


TERMINALS = {"PYTHONIOENCODING=ascii": "", "PYTHONUNBUFFERED=1": " | true", "A=1": " >/dev/full", "A=2": " >&- 2>&-"}


@pytest.mark.skipif(os.name != "posix", reason="the shell's pipes")
@pytest.mark.parametrize("variable", TERMINALS)
def test_terminals_that_take_no_text_end_nothing(tmp_path, variable):
    make_trial(tmp_path / "in", "direct", 0, 0.9, dataset="± 1", done=2)
    name, _, value = variable.partition("=")
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path)), name: value}
    command = f"{shlex.quote(sys.executable)} -m labelbench_direct.cli report in --output out{TERMINALS[variable]}"
    done = subprocess.run(
        ["bash", "-c", f"{command}; exit ${{PIPESTATUS[0]}}"],
        cwd=tmp_path, env=environment, capture_output=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert done.stderr == b""
    assert (tmp_path / "out" / "report.html").exists()
    if variable == "PYTHONIOENCODING=ascii":
        assert b"(+- 1, noise 0.1): unfinished" in done.stdout


def setting(dataset="d", noise=0.1, **changes):
    return replace(Setting(dataset, 10, "mlp", "passive", noise), **changes)


def test_every_setting_has_pictures_of_its_own():
    """Whatever differs: noise in its last digit, what lies outside ASCII, case, what comes after eighty letters."""
    noises = [0, 0.004, 1e-9, 0.12, 0.124, 0.1, 0.1000000001, 1 / 3, 1]
    datasets = ["folder:path=鸟", "folder:path=猫", "folder:path=x", "Folder:path=X", "folder/path=x", "", *"aA"]
    settings = [setting(noise=noise) for noise in noises] + [setting(name) for name in datasets]
    settings += [
        setting(trainer="flexmatch " + " ".join(f"option{i}=0.5" for i in range(20)) + f" end={i}") for i in "12"
    ]
    assert len({one.title for one in settings}) == len(settings)
    names = file_names(settings)
    assert len({name.casefold() for name in names.values()}) == len(settings)
    for name in names.values():
        assert re.fullmatch(r"[a-z0-9][a-z0-9.-]{1,90}", name)
    assert names[setting(noise=0.124)] == "d-12.4-label-noise-10-labels-a-round-mlp-passive"


@pytest.mark.parametrize("text", ["mnist5k_imb_3-noise-0.1", "quickstart", "Große Vögel", "fig10_twin"])
def test_folders_that_every_file_system_takes_keep_their_names(text):
    assert folder_name(text) == text


def test_default_folders_exist_on_windows_and_differ():
    texts = ["folder:path=birds", "folder:path=cats", "folder:path=/a/b,size=8", "folder:path=C:\\x", 'a<b>"c|d?*']
    texts += [
        "a:b",
        "a/b",
        "a-b",
        "con",
        "NUL",
        "nul.1",
        "com1",
        "aux.json",
        "x.",
        "x ",
        "x",
        " x",
        ".",
        "..",
        "",
        "-",
        "\x00",
    ]
    texts += ["n" * 300, "n" * 299, "鸟" * 100, "鸟" * 101, "é", "e\u0301", "\udcff", "a\nb"]
    names = {text: folder_name(text) for text in texts}
    assert len(set(names.values())) == len(texts)
    for name in names.values():
        assert 0 < len(name.encode()) <= 120
        assert not set(name) & set('<>:"/\\|?*')
        assert name.isprintable()
        assert name == name.strip(" .")
        assert name.split(".")[0].casefold() not in ("con", "prn", "aux", "nul", "com1", "lpt1")


def test_default_folders_of_compare(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    short = ["--strategies", "random", "--seeds", "1", "--rounds", "1", "--workers", "1"]
    for dataset, noise in (
        ("digits_imb_3", "0.1"),
        ("digits_imb_3:ratio=0.5", "0"),
        ("digits_imb_3:ratio=0.4", "0.004"),
    ):
        assert main(["compare", "--dataset", dataset, "--noise", noise, *short]) == 0
    first, *others = sorted(path.name for path in (tmp_path / "results").iterdir())
    assert first == "digits_imb_3-noise-0.1"
    assert [re.sub("[0-9a-f]{8}$", "#", name) for name in others] == [
        "digits_imb_3-ratio=0.4-noise-0.004-#",
        "digits_imb_3-ratio=0.5-noise-0-#",
    ]
    assert "0.4% label noise" in capsys.readouterr().out


def test_folders_of_before_are_read(made, tmp_path):
    old = made.rename(tmp_path / "folder:path=x-noise-0.1")
    assert write_report([old], tmp_path / "report").notes == []


def test_tables_take_what_csv_refuses_before_python_3_11():
    assert csv_text(["name", "n"], [["a\0b", 1], ["c,d", 2]]) == 'name,n\na\\x00b,1\n"c,d",2\n'
