"""Every file of configs/experiments can be used, and twins are like the figures that they stand for."""

import json
import re
from pathlib import Path

import numpy as np
import pytest

from labelbench_direct.experiment.schema import read_experiment
from labelbench_direct.hosts.embedded import check_settings, load
from labelbench_direct.hosts.embedded.data.catalog import TABLE_1
from labelbench_direct.hosts.labelbench.published import PUBLISHED
from labelbench_direct.strategies import STRATEGIES

FOLDER = Path(__file__).parent.parent / "configs" / "experiments"
FIGURES = sorted(path for path in FOLDER.glob("fig*.json") if "twin" not in path.stem)
IN_LABELBENCH = [path for path in FIGURES if re.match("fig(16|26)", path.stem)]
EMBEDDED = [path for path in FIGURES if path not in IN_LABELBENCH]
TWINS = sorted(FOLDER.glob("fig*_twin.json"))
KEYS = ["title", "dataset", "model", "trainer", "strategies", "seeds", "noise", "batch_size", "rounds", "parallel"]


def read(path):
    return json.loads(path.read_text(encoding="utf-8"))


def by_name(path):
    return path.stem


def test_there_is_a_file_for_every_figure_of_appendix_e():
    figures = {int(re.match(r"fig(\d+)", path.stem)[1]) for path in FIGURES}
    assert figures == {*range(8, 27)}
    assert [path.stem[3:] for path in FIGURES if path.stem[-1].isalpha()] == [
        *("16a", "16b", "16c", "16d"), *("25a", "25b"), *("26a", "26b")
    ]  # fmt: skip
    twins = {int(re.match(r"fig(\d+)", path.stem)[1]) for path in TWINS}
    assert twins == {6, *range(8, 27)}


@pytest.mark.parametrize("path", [*EMBEDDED, *TWINS], ids=by_name)
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


@pytest.mark.parametrize("path", IN_LABELBENCH, ids=by_name)
def test_labelbenchs_figures_are_the_published_data_in_the_authors_setting(path, tmp_path):
    """The name's model and trainer are files of this package: the folder given as LabelBench's has none."""
    stated = read(path)
    assert list(stated) == [KEYS[0], "host", *KEYS[1:]]
    experiment = read_experiment(path).for_labelbench(tmp_path)
    assert {trial.host for trial in experiment.trials()} == {"labelbench"}
    noisy = stated["noise"] == [0.1]
    assert noisy == (path.stem[:5] == "fig26")
    assert experiment.trainer["name"] == ("pytorch_passive" if noisy else "flexmatch")
    assert experiment.trainer.get("smoothing", 0) == (0.1 if noisy else 0)
    for key in ("model", "trainer"):
        assert experiment.dataset in stated[key]["name"]
    assert experiment.batch_size * experiment.rounds < PUBLISHED[experiment.dataset].pool
    assert experiment.batch_size >= experiment.trainer["train_batch_size"], "LabelBench would train nothing"
    direct = experiment.trials()[0].strategy
    settings = json.loads((FOLDER.parent / "strategy" / "direct.json").read_text(encoding="utf-8"))
    assert direct == settings


@pytest.mark.parametrize("path", [path for path in EMBEDDED if "_lt" in read(path)["dataset"]], ids=by_name)
def test_long_tailed_twins_have_the_figures_classes_ratio_and_noise(path):
    figure, twin = read(path), read(path.with_stem(f"{path.stem}_twin"))
    data = load(twin["dataset"])
    assert data.num_classes == {"cifar10_lt:ratio=0.01": 10, "cifar100_lt:ratio=0.01": 100}[figure["dataset"]]
    assert data.imbalance_ratio == pytest.approx(0.01, rel=0.2)
    for key in ("noise", "strategies", "seeds", "parallel"):
        assert twin[key] == figure[key]


@pytest.mark.parametrize("path", [path for path in FIGURES if "_imb_" in read(path)["dataset"]], ids=by_name)
def test_twins_have_the_figures_classes_imbalance_and_noise(path):
    figure, twin = read(path), read(path.with_stem(f"{path.stem}_twin"))
    data = load(twin["dataset"])
    assert data.num_classes == int(figure["dataset"].rsplit("_", 1)[1])
    assert data.imbalance_ratio == pytest.approx(TABLE_1[figure["dataset"]][1], rel=0.05)
    assert np.bincount(data.train.labels).argmax() == data.num_classes - 1
    for key in ("noise", "strategies", "seeds", "parallel"):
        assert twin[key] == figure[key]
