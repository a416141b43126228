"""What is published: the wheel, alone beside what it requires, does what the README says, in any folder."""

import os
import shutil
import subprocess
import sys
import tarfile
from importlib import metadata
from pathlib import Path

import pytest
from packaging.requirements import Requirement

import labelbench_direct

ROOT = Path(__file__).parents[1]
SESSION = """
import numpy as np
from labelbench_direct import DirectSession

rng = np.random.default_rng(0)
probabilities = rng.dirichlet([5, 1, 1], 500)
truth = probabilities.argmax(axis=1)
session = DirectSession(probabilities, np.arange(30), truth[:30], budget=20, parallel=5, rng=rng)
while not session.done:
    indices = session.ask()
    session.tell(indices, truth[indices])
print(len(session.told))
"""

pytestmark = pytest.mark.skipif(not (ROOT / "setup.cfg").is_file(), reason="there is no source to build here")


def run(folder, *command):
    environment = {name: value for name, value in os.environ.items() if name not in ("PYTHONPATH", "LABELBENCH_HOME")}
    words = list(map(str, command))
    done = subprocess.run(words, cwd=folder, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def built(tmp_path_factory):
    """The source archive and the wheel, as `make dist` builds them, of a copy: building leaves files in the source."""
    folder = tmp_path_factory.mktemp("built")
    ignored = shutil.ignore_patterns(".*", "__pycache__")
    (folder / "source").mkdir()
    for name in ("labelbench_direct", "configs", "docs", "tests"):
        shutil.copytree(ROOT / name, folder / "source" / name, ignore=ignored)
    for path in ROOT.iterdir():
        if path.is_file() and not path.name.startswith("."):
            shutil.copy(path, folder / "source")
    run(folder / "source", sys.executable, "-m", "build", "--no-isolation", "--outdir", folder / "dist")
    (archive,), (wheel,) = (folder / "dist").glob("*.tar.gz"), (folder / "dist").glob("*.whl")
    return archive, wheel


def required(requirements):
    """The distributions that satisfy requirements here, and what they require, without extras."""
    found, waiting = {}, list(map(Requirement, requirements))
    while waiting:
        one = waiting.pop()
        if one.name in found or (one.marker and not one.marker.evaluate({"extra": ""})):
            continue
        found[one.name] = metadata.distribution(one.name)
        assert one.specifier.contains(found[one.name].version, prereleases=True), one
        waiting += map(Requirement, found[one.name].requires or ())
    return found.values()


@pytest.fixture(scope="module")
def installed(built, tmp_path_factory):
    """The programs of an environment with the wheel, and with nothing but what it requires: links to what is here."""
    folder = tmp_path_factory.mktemp("installed") / "of its own"
    run(folder.parent, sys.executable, "-m", "venv", "--without-pip", folder)
    programs = folder / ("Scripts" if os.name == "nt" else "bin")
    site = Path(
        run(folder, programs / "python", "-c", "import sysconfig; print(sysconfig.get_path('purelib'))").strip()
    )
    run(
        folder,
        sys.executable,
        "-m",
        "pip",
        "--python",
        programs / "python",
        "install",
        "--no-deps",
        "--no-index",
        built[1],
    )
    (own,) = metadata.distributions(path=[str(site)])
    for distribution in required(own.requires):
        for name in {file.parts[0] for file in distribution.files} - {"..", "__pycache__"}:
            if not (site / name).exists():
                (site / name).symlink_to(distribution.locate_file(name))
    return programs


def test_the_source_archive_is_whole(built):
    with tarfile.open(built[0]) as archive:
        names = {name.partition("/")[2] for name in archive.getnames()}
    assert {"README.md", "LICENSE", "CHANGELOG.md", "CITATION.cff", "setup.cfg", "Makefile"} <= names
    assert {"labelbench_direct/py.typed", "tests/oracle.py", "configs/experiments/quickstart.json"} <= names
    assert not [name for name in names if name.endswith((".pyc", ".nbi", ".nbc"))]


def test_the_wheel_alone_compares_reports_and_selects(installed, tmp_path):
    """Two seeds, two rounds; no extra is there."""
    where = run(tmp_path, installed / "python", "-c", "import labelbench_direct; print(labelbench_direct.__file__)")
    assert Path(where.strip()).is_relative_to(installed.parent)
    absent = (
        "import importlib.util as i; print([n for n in ('numba', 'torchvision', 'ray', 'pytest') if i.find_spec(n)])"
    )
    assert run(tmp_path, installed / "python", "-c", absent) == "[]\n"
    command = installed / "labelbench-direct"
    assert run(tmp_path, command, "--version") == f"{labelbench_direct.__version__}\n"
    few = ("--seeds", "2", "--rounds", "2", "--strategies", "direct", "random", "--workers", "1")
    run(tmp_path, command, "compare", *few)
    assert len(list(tmp_path.glob("results/mnist5k_imb_3-noise-0.1/*/rounds.jsonl"))) == 4
    assert (tmp_path / "results/mnist5k_imb_3-noise-0.1/curves.png").is_file()
    run(tmp_path, command, "report", "results/mnist5k_imb_3-noise-0.1")
    assert (tmp_path / "report/report.html").is_file()
    assert run(tmp_path, installed / "python", "-c", SESSION) == "20\n"


def test_the_wheel_brings_the_configurations(built, installed, tmp_path):
    """Also to a folder that ``pip install --target`` makes."""
    code = "from labelbench_direct.hosts.labelbench import configurations as c; print(c.read_configuration(*{}))"
    code = code.format(("strategy", "direct.json"))
    assert "'strategy_name': 'direct'" in run(tmp_path, installed / "python", "-c", code)
    target = tmp_path / "target"
    run(tmp_path, sys.executable, "-m", "pip", "install", "--no-deps", "--no-index", "--target", target, built[1])
    code = f"import sys; sys.path.insert(0, {str(target)!r}); {code}; print(c.__file__)"
    answer = run(tmp_path, sys.executable, "-c", code)
    assert "'strategy_name': 'direct'" in answer
    assert str(target) in answer


def test_one_version_is_stated_everywhere():
    version = labelbench_direct.__version__
    assert f"version: {version}\n" in (ROOT / "CITATION.cff").read_text(encoding="utf-8")
    assert f"\n## {version} - " in (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")
