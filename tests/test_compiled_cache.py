"""Compiled code on disk: found again, made again where it is damaged, done without where it cannot be written."""

import errno
import importlib.util
import os
import warnings

import pytest

numba = pytest.importorskip("numba", reason="numba is not installed (the extra 'fast')")
SOURCE = """
from labelbench_direct.core.compiled.cache import compile_and_keep
@compile_and_keep(nogil=True)
def add(a, b):
    return a + b
"""


@pytest.fixture
def load(tmp_path, monkeypatch):
    """Import a module of one compiled function, each time as a new process would."""
    monkeypatch.delenv("NUMBA_CACHE_DIR", raising=False)
    monkeypatch.setattr(numba.config, "CACHE_DIR", "")  # which is read from there now and then
    path = tmp_path / "compiled_sum.py"
    path.write_text(SOURCE)

    def load():
        spec = importlib.util.spec_from_file_location("compiled_sum", path)
        module = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
        return module.add

    return load


def hits(function):
    """Whether each call's code came from disk, and that the call answers."""
    assert function(1, 2) == 3
    assert function(1.5, 2.0) == 3.5
    return sum(function.stats.cache_hits.values())


def test_what_was_compiled_is_found_again(load):
    assert hits(load()) == 0
    assert hits(load()) == 2


def cut(content):
    return content[: len(content) // 2]


def blank(content):
    return content[:100] + bytes(len(content) - 100)


def change(content):
    middle = len(content) // 2
    return content[:middle] + bytes([content[middle] ^ 1]) + content[middle + 1 :]


@pytest.mark.parametrize("damage", [lambda content: b"", cut, blank, change], ids=["empty", "cut", "blank", "changed"])
@pytest.mark.parametrize("suffix", ["nbi", "nbc"])
def test_what_is_damaged_is_said_and_made_again(load, tmp_path, damage, suffix):
    hits(load())
    damaged = sorted(tmp_path.rglob(f"*.{suffix}"))
    assert len(damaged) == {"nbi": 1, "nbc": 2}[suffix]
    for path in damaged:
        path.write_bytes(damage(path.read_bytes()))
    with pytest.warns(UserWarning, match="is damaged: what was compiled is compiled again") as said:
        assert hits(load()) == 0
    assert len(said) == len(damaged), "each once"
    assert hits(load()) == 2, "mended, and nothing is said any more"


def test_a_full_disk_costs_the_next_start_and_not_this_one(load, tmp_path, monkeypatch):
    def fsync(_):
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as full:
        full.setattr(os, "fsync", fsync)
        with pytest.warns(UserWarning, match="cannot be kept .* No space left on device"):
            assert hits(load()) == 0
    assert not [path for path in tmp_path.rglob("*") if ".nb" in path.name], "nothing half-written is left"
    assert hits(load()) == 0
    assert hits(load()) == 2


def test_code_that_may_not_be_read_is_compiled(load, tmp_path):
    hits(load())
    (index,) = tmp_path.rglob("*.nbi")
    index.unlink()
    index.mkdir()  # not even root can read that
    with pytest.warns(UserWarning, match=r"cannot be (read|kept)"):
        assert hits(load()) == 0


def test_without_compilation_the_function_stays_as_it_is(load, monkeypatch):
    monkeypatch.setattr(numba.config, "DISABLE_JIT", True)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert load()(1, 2) == 3
