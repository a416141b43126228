"""Imports run one way: core <- session <- strategies <- hosts <- experiment <- report <- console <- cli."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

import labelbench_direct

PACKAGE = Path(labelbench_direct.__file__).parent
LAYERS = [
    *("core", "session", "labelbench", "strategies", "console", "annotate", "hosts", "experiment", "report", "cli"),
    "__main__",
]


def imports(path):
    """The modules that a file imports, also inside functions."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"relative import in {path}"
            yield node.module


def modules():
    return [path for path in PACKAGE.rglob("*.py") if path != PACKAGE / "__init__.py"]


def layer_of(path):
    return LAYERS.index(path.relative_to(PACKAGE).parts[0].removesuffix(".py"))


@pytest.mark.parametrize("path", modules(), ids=lambda path: path.relative_to(PACKAGE).as_posix())
def test_imports_run_one_way(path):
    for module in imports(path):
        package, _, rest = module.partition(".")
        if package == "labelbench_direct" and rest:
            assert LAYERS.index(rest.split(".")[0]) <= layer_of(path), f"{path} imports {module}"


def test_core_imports_numpy_and_nothing_else_installed():
    allowed = {"numpy", "labelbench_direct", *sys.stdlib_module_names}
    for path in (PACKAGE / "core").glob("*.py"):
        extra = {"numba"} if path.name.startswith("compiled") else set()
        assert {module.split(".")[0] for module in imports(path)} <= allowed | extra, path


@pytest.mark.parametrize(
    ("package", "only"), [("LabelBench", {"labelbench", "hosts/labelbench"}), ("matplotlib", {"report"})]
)
def test_one_place_knows(package, only):
    for path in modules():
        if package in {module.split(".")[0] for module in imports(path)}:
            place = path.relative_to(PACKAGE).with_suffix("").as_posix()
            assert any(place == one or place.startswith(f"{one}/") for one in only), place


def test_only_the_command_line_prints():
    for path in modules():
        calls = [node for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))) if isinstance(node, ast.Call)]
        printing = any(isinstance(call.func, ast.Name) and call.func.id == "print" for call in calls)
        assert path.name == "cli.py" or not printing, path


def test_library_imports_without_heavy_packages():
    """A fresh process: the session, the strategies and the registration need numpy alone."""
    code = (
        "import sys, labelbench_direct\n"
        "heavy = {'torch', 'sklearn', 'matplotlib', 'tqdm', 'mlxtend', 'numba'} & set(sys.modules)\n"
        "assert not heavy, heavy"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
