"""Every file of configs/experiments can be used, and twins are like the figures that they stand for."""

import json
import re
from pathlib import Path

import numpy as np
import pytest

from labelbench_direct.hosts.embedded import check_settings, load
from labelbench_direct.hosts.embedded.data import TABLE_1
from labelbench_direct.strategies import STRATEGIES

FOLDER = Path(__file__).parent.parent / "configs" / "experiments"
FIGURES = sorted(path for path in FOLDER.glob("fig*.json") if "twin" not in path.stem)
TWINS = sorted(FOLDER.glob("fig*_twin.json"))
KEYS = ["title", "dataset", "model", "trainer", "strategies", "seeds", "noise", "batch_size", "rounds", "parallel"]


def read(path):
    return json.loads(path.read_text(encoding="utf-8"))


def by_name(path):
    return path.stem


def test_there_is_a_file_for_every_figure_of_appendix_e():
    figures = {int(re.match(r"fig(\d+)", path.stem)[1]) for path in FIGURES}
    assert figures == {*range(8, 26)} - {16}, "16 and 26 are LabelBench's own settings"
    twins = {int(re.match(r"fig(\d+)", path.stem)[1]) for path in TWINS}
    assert twins == {6, *range(8, 27)}


@pytest.mark.parametrize("path", [*FIGURES, *TWINS], ids=by_name)
def test_every_file_can_be_used(path, tmp_path):
    experiment = read(path)
    assert list(experiment) == KEYS
    assert set(experiment["strategies"]) <= set(STRATEGIES)
    _, training, _ = check_settings(experiment["model"], experiment["trainer"])
    if len(experiment["noise"]) == 1:
        assert training.label_smoothing == (0.1 if experiment["noise"][0] else 0)
    if "twin" in path.stem:
        data = load(experiment["dataset"])
        assert experiment["batch_size"] * experiment["rounds"] <= len(data.train.labels)
    else:
        with pytest.raises(FileNotFoundError, match=rf"{re.escape(experiment['dataset'])}.*; get "):
            load(experiment["dataset"], tmp_path)


@pytest.mark.parametrize("path", [path for path in FIGURES if "_imb_" in read(path)["dataset"]], ids=by_name)
def test_twins_have_the_figures_classes_imbalance_and_noise(path):
    figure, twin = read(path), read(path.with_stem(f"{path.stem}_twin"))
    data = load(twin["dataset"])
    assert data.num_classes == int(figure["dataset"].rsplit("_", 1)[1])
    assert data.imbalance_ratio == pytest.approx(TABLE_1[figure["dataset"]][1], rel=0.05)
    assert np.bincount(data.train.labels).argmax() == data.num_classes - 1
    for key in ("noise", "strategies", "seeds", "parallel"):
        assert twin[key] == figure[key]
