"""A small sweep for tests, what of its results must be equal to the byte, and whether a process has ended."""

import os
import time
from pathlib import Path

from labelbench_direct.experiment.schema import Experiment

SMALL = Experiment(
    dataset="digits_imb_3",
    model={"name": "mlp", "hidden": 8},
    trainer={"name": "passive", "steps": 20},
    strategies=("direct", "margin", "random"),
    seeds=(0, 1),
    batch_size=12,
    rounds=5,
)


def results(folder: Path) -> dict[str, bytes]:
    """Every result of a folder, times aside."""
    names = ("trial.json", "pool.json", "rounds.jsonl")
    return {str(path.relative_to(folder)): path.read_bytes() for name in names for path in folder.glob(f"*/{name}")}


def wait_for_end(pid: int, seconds: float = 10) -> bool:
    """Whether a process ends in time, with all its threads: until then its files stay open, and its locks with them."""
    deadline, status = time.monotonic() + seconds, Path(f"/proc/{pid}/stat")
    while time.monotonic() < deadline:
        try:
            os.kill(pid, 0)
            ended = status.exists() and status.read_text().rpartition(")")[2].split()[0] == "Z"
            if ended and len(list(status.with_name("task").iterdir())) == 1:
                return True  # it waits for its parent's notice only
        except (ProcessLookupError, FileNotFoundError):
            return True
        time.sleep(0.2)
    return False
