"""The Ray engine, on a real cluster of three nodes, all of them on this machine."""

import importlib.util
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from labelbench_direct.cli import main
from labelbench_direct.experiment.ray_engine import LOOPBACK_ONLY

HAS_RAY = importlib.util.find_spec("ray") is not None


@pytest.mark.ray
@pytest.mark.skipif(not HAS_RAY, reason="Ray is not installed: pip install 'labelbench-direct[ray]'")
def test_a_node_lost_in_the_middle_changes_no_result():
    script = Path(__file__).with_name("ray_cluster.py")
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(path for path in sys.path if path)}
    environment.update([LOOPBACK_ONLY])
    command = [sys.executable, str(script)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=400, env=environment, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "nodes at first: 3" in done.stdout
    assert "a node was removed while these ran" in done.stdout
    assert re.search("taken over: .*-seed", done.stdout)
    assert "nodes at last: 2" in done.stdout
    assert "6 trials, every result equal" in done.stdout


@pytest.mark.skipif(HAS_RAY, reason="Ray is installed")
def test_without_ray_the_engine_says_how_to_get_it(tmp_path, capsys):
    assert main(["compare", "--dataset", "digits", "--engine", "ray", "--output", str(tmp_path)]) == 2
    assert "pip install 'labelbench-direct[ray]'" in capsys.readouterr().err
