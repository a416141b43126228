"""A small sweep for tests, and what of its results must be equal to the byte."""

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
