"""A Ray cluster of three nodes on this machine, one of which is removed in the middle of a sweep."""

import json
import sys
import tempfile
import time
from dataclasses import replace
from pathlib import Path

import ray
from ray.cluster_utils import Cluster
from sweeps import SMALL, results

from labelbench_direct.experiment.leases import is_leased
from labelbench_direct.experiment.ray_engine import RayEngine
from labelbench_direct.experiment.sweep import run_sweep
from labelbench_direct.experiment.trial import Settings, run_trial

TRIALS = replace(SMALL, rounds=30, trainer={"name": "passive", "steps": 200}).trials()


def main():
    with tempfile.TemporaryDirectory() as folder:
        single, many = Path(folder) / "single", Path(folder) / "many"
        for path in (single, many):
            path.mkdir()
        for trial in TRIALS:
            run_trial(trial, single, Settings())
        common = {"num_cpus": 1, "node_ip_address": "127.0.0.1", "object_store_memory": 80_000_000}
        cluster = Cluster(initialize_head=True, head_node_args={**common, "include_dashboard": False})
        nodes = [cluster.add_node(**common) for _ in range(2)]
        cluster.wait_for_nodes()
        try:
            print("nodes at first:", sweep(many, cluster, nodes))
            print("nodes at last:", alive())
        finally:
            ray.shutdown()
            cluster.shutdown()
        if results(many) != results(single):
            sys.exit("the results differ from those of a single process")
        print(f"{len(TRIALS)} trials, every result equal")


def alive():
    return len([node for node in ray.nodes() if node["Alive"]])


def sweep(folder, cluster, nodes):
    """Run the sweep; take a node away while all three are at work, and see another take its trial over."""
    ray.init(address=cluster.address, log_to_driver=False)
    count, owners = alive(), {}
    for progress in run_sweep(TRIALS, folder, RayEngine(folder, Settings())):
        for note in progress.notes:
            print(note)
        if nodes and progress.running == 3 and progress.rounds:
            busy = [path.name for path in folder.iterdir() if path.is_dir() and is_leased(path)]
            cluster.remove_node(nodes.pop(0), allow_graceful=False)
            print("a node was removed while these ran:", ", ".join(busy))
            nodes.clear()
        for lease in folder.glob("*/lease.*"):
            try:
                owners.setdefault(lease.parent.name, set()).add(json.loads(lease.read_text())["pid"])
            except (OSError, ValueError):  # gone or given back by now
                continue
    print("taken over:", ", ".join(name for name, pids in owners.items() if len(pids) > 1))
    deadline = time.monotonic() + 60
    while alive() == count and time.monotonic() < deadline:
        time.sleep(1)
    return count


if __name__ == "__main__":
    main()
