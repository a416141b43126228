"""How many cores this process may use, which on shared machines is less than there are."""

from __future__ import annotations

import math
import os
from collections.abc import Iterator
from functools import cache
from pathlib import Path, PurePosixPath

_MEMBERSHIP, _CGROUPS = Path("/proc/self/cgroup"), Path("/sys/fs/cgroup")


def usable_cores() -> int:
    """The cores that the process is bound to (``taskset``, Slurm; from Python 3.13 on PYTHON_CPU_COUNT), or fewer where
    its control group has a quota of their time (Docker, Kubernetes, systemd); a part of a core counts as one.
    """
    return max(1, math.ceil(min(_bound_to(), _quota())))


def _bound_to() -> int:
    if hasattr(os, "process_cpu_count"):  # Python 3.13
        count = os.process_cpu_count()
    else:
        count = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    return count or 1


@cache
def _quota() -> float:
    """The strictest quota, in cores, of the process's control group and of those around it; infinite without one."""
    try:
        memberships = _MEMBERSHIP.read_text(encoding="utf-8").splitlines()
    except OSError:  # not Linux
        return math.inf
    return min((quota for line in memberships for quota in _quotas(line)), default=math.inf)


def _quotas(membership: str) -> Iterator[float]:
    """The quotas along one hierarchy, from a line ``ID:CONTROLLERS:PATH``; without controllers it is of version 2."""
    _, controllers, path = membership.split(":", 2)
    if controllers and "cpu" not in controllers.split(","):
        return
    names = ("cpu.cfs_quota_us", "cpu.cfs_period_us") if controllers else ("cpu.max",)
    root = _CGROUPS / "cpu" if controllers else _CGROUPS
    for group in (PurePosixPath(path), *PurePosixPath(path).parents):  # in a container often only the last is there
        try:
            texts = [(root / group.relative_to("/") / name).read_text(encoding="ascii") for name in names]
            quota, period = map(int, " ".join(texts).split())
        except (OSError, ValueError):  # no such group, or "max": no quota
            continue
        if quota > 0:  # -1: none
            yield quota / period
