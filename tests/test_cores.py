"""One answer to how many cores may be used, for workers, for threads and for LabelBench's data loaders."""

import os
import subprocess
import sys

import numpy as np
import pytest

from labelbench_direct.core import cores, scores
from labelbench_direct.experiment.local import LocalEngine
from labelbench_direct.experiment.trial import Settings
from labelbench_direct.hosts.labelbench import bridges

BOUND = "process_cpu_count" if hasattr(os, "process_cpu_count") else "sched_getaffinity"


@pytest.fixture
def machine(tmp_path, monkeypatch):
    """A machine of 128 cores, all of which the process is bound to unless ``bound`` says less, and control groups."""

    def make(memberships="", files=(), bound=128):
        monkeypatch.setattr(os, "cpu_count", lambda: 128)
        answer = bound if BOUND == "process_cpu_count" else set(range(bound))
        monkeypatch.setattr(os, BOUND, lambda *_: answer, raising=False)
        monkeypatch.setattr(cores, "_MEMBERSHIP", tmp_path / "membership")
        monkeypatch.setattr(cores, "_CGROUPS", tmp_path / "cgroup")
        (tmp_path / "membership").write_text(memberships)
        for name, text in dict(files).items():
            (tmp_path / "cgroup" / name).parent.mkdir(parents=True, exist_ok=True)
            (tmp_path / "cgroup" / name).write_text(text)
        cores._quota.cache_clear()

    yield make
    cores._quota.cache_clear()


V1 = "9:name=systemd:/x\n4:cpu,cpuacct:/docker/ab\n0::/\n"


@pytest.mark.parametrize(
    ("memberships", "files", "bound", "expected"),
    [
        ("", {}, 128, 128),
        ("", {}, 3, 3),
        ("0::/\n", {}, 5, 5),
        ("0::/\n", {"cpu.max": "150000 100000\n"}, 128, 2),
        ("0::/\n", {"cpu.max": "20000 100000\n"}, 128, 1),
        ("0::/\n", {"cpu.max": "max 100000\n"}, 128, 128),
        ("0::/\n", {"cpu.max": "800000 100000\n"}, 3, 3),
        ("0::/a/b\n", {"a/cpu.max": "400000 100000\n", "a/b/cpu.max": "max 100000\n"}, 128, 4),
        ("0::/a/b\n", {"a/cpu.max": "400000 100000\n", "a/b/cpu.max": "600000 100000\n"}, 128, 4),
        ("0::/of/the/host\n", {"cpu.max": "300000 100000\n"}, 128, 3),
        ("0::/a b: c\n", {"a b: c/cpu.max": "300000 100000\n"}, 128, 3),
        (V1, {"cpu/cpu.cfs_quota_us": "250000\n", "cpu/cpu.cfs_period_us": "100000\n"}, 128, 3),
        (V1, {"cpu/docker/ab/cpu.cfs_quota_us": "-1\n", "cpu/docker/ab/cpu.cfs_period_us": "100000\n"}, 128, 128),
        ("0::/\n", {"cpu.max": "nonsense"}, 7, 7),
    ],
)
def test_cores_are_those_that_the_process_may_use(machine, memberships, files, bound, expected):
    machine(memberships, files, bound)
    assert cores.usable_cores() == expected


def test_without_control_groups_or_affinity_all_cores_count(machine, monkeypatch, tmp_path):
    machine()
    (tmp_path / "membership").unlink()
    monkeypatch.delattr(os, "process_cpu_count", raising=False)
    monkeypatch.delattr(os, "sched_getaffinity", raising=False)
    assert cores.usable_cores() == 128


def test_workers_threads_and_loaders_ask_the_same(machine, tmp_path):
    machine("0::/\n", {"cpu.max": "250000 100000\n"})
    engine = LocalEngine(tmp_path, Settings())
    engine.close()
    assert engine.capacity == 3
    parts: list[slice] = []
    scores.on_all_cores(parts.append, np.broadcast_to(np.float32(0), (2**14, 2**10)))
    assert len(parts) == 3
    (bridge,) = (bridge for bridge in bridges.BRIDGES if bridge.name == "workers")
    assert bridge.is_needed(tmp_path)


def test_windows_waits_for_61_processes_at_most(machine, tmp_path, monkeypatch):
    machine()
    monkeypatch.setattr(sys, "platform", "win32")
    engine = LocalEngine(tmp_path, Settings())
    engine.close()
    assert engine.capacity == 61
    with pytest.raises(ValueError, match="workers must be at most 61 on Windows, got 62"):
        LocalEngine(tmp_path, Settings(), workers=62)


@pytest.mark.skipif(not hasattr(os, "sched_setaffinity"), reason="this system binds no process to cores")
def test_a_bound_process_uses_what_it_is_bound_to():
    code = (
        "import os; os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})\n"
        "from labelbench_direct.core.cores import usable_cores; print(usable_cores())"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "1\n"
