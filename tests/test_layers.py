"""Imports run one way: core <- session <- strategies <- hosts <- experiment <- report <- commands <- cli."""

import ast
import graphlib
import subprocess
import sys
from pathlib import Path

import pytest

import labelbench_direct

PACKAGE = Path(labelbench_direct.__file__).parent
LAYERS = [
    *("core", "session", "labelbench", "strategies", "console", "csv_text", "annotate", "hosts", "experiment"),
    *("report", "commands", "cli", "__main__"),
]


def imports(place):
    """The modules that a file, or a part of its tree, imports, also inside functions."""
    tree = place if isinstance(place, ast.AST) else ast.parse(place.read_text(encoding="utf-8"))
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"relative import in {place}"
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


def own_imports(path):
    """The modules of this package that a file imports, by name; a package's own names stand for the package."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.ImportFrom):
            for alias in node.names:
                whole = f"{node.module}.{alias.name}"
                yield whole if whole in NAMES else node.module
        elif isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)


def name_of(path):
    return ".".join(path.relative_to(PACKAGE.parent).with_suffix("").parts).removesuffix(".__init__")


NAMES = {name_of(path): path for path in PACKAGE.rglob("*.py")}


def test_no_circle():
    """Not even one that is hidden inside a function."""
    graph = {name: set(own_imports(path)) & NAMES.keys() - {name} for name, path in NAMES.items()}
    assert len(list(graphlib.TopologicalSorter(graph).static_order())) == len(NAMES)


ENGINE = "core/engine.py"


@pytest.mark.parametrize("path", modules(), ids=lambda path: path.relative_to(PACKAGE).as_posix())
def test_imports_stand_at_the_top(path):
    """Inside functions are those of packages that need not be there, and in a host of its rooms that need one; and the
    one that chooses the engine, which is by name. ``__main__`` loads what a command needs.
    """
    place = path.relative_to(PACKAGE).as_posix()
    tree = ast.parse(path.read_text(encoding="utf-8"))
    inside = {
        module for function in ast.walk(tree) if isinstance(function, ast.FunctionDef) for module in imports(function)
    }
    assert "numba" not in {module.split(".")[0] for module in inside}
    if not place.startswith("hosts/") and place != "__main__.py":
        assert not {module for module in inside if module.startswith("labelbench_direct")}
    calls = [
        node for node in ast.walk(tree) if isinstance(node, ast.Call) and "import_module" in ast.unparse(node.func)
    ]
    by_name = {argument.value for call in calls for argument in call.args if isinstance(argument, ast.Constant)}
    assert place == ENGINE or not {module for module in by_name if module.startswith("labelbench_direct")}


def test_core_imports_numpy_and_nothing_else_installed():
    allowed = {"numpy", "labelbench_direct", *sys.stdlib_module_names}
    for path in (PACKAGE / "core").rglob("*.py"):
        extra = {"numba"} if path.parent.name == "compiled" else set()
        assert {module.split(".")[0] for module in imports(path)} <= allowed | extra, path


def test_nothing_knows_what_is_compiled():
    for path in PACKAGE.rglob("*.py"):
        if path.parent.name != "compiled":
            assert not any(module.startswith("labelbench_direct.core.compiled") for module in imports(path)), path


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
        assert path.name == "cli.py" or path.parent.name == "commands" or not printing, path


def test_library_imports_without_heavy_packages():
    """A fresh process: the session, the strategies and the registration need numpy alone."""
    code = (
        "import sys, labelbench_direct\n"
        "heavy = {'torch', 'sklearn', 'matplotlib', 'tqdm', 'mlxtend', 'numba'} & set(sys.modules)\n"
        "assert not heavy, heavy"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
