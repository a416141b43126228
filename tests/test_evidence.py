"""The evidence: its experiment files, the order of its trials, its page."""

import json
import re
import shutil
from collections import Counter
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from scipy import stats
from sweeps import SMALL

from labelbench_direct import __version__
from labelbench_direct.cli import main
from labelbench_direct.experiment.evidence import FIRST, ordered_trials, read_settings
from labelbench_direct.experiment.storage import read_lines
from labelbench_direct.experiment.trial import Settings, run_trial
from labelbench_direct.hosts.metrics import BALANCED_TEST as METRIC
from labelbench_direct.hosts.metrics import RAREST
from labelbench_direct.report.cases import Case, read_cases
from labelbench_direct.report.evidence import write_evidence
from labelbench_direct.report.evidence_verdicts import goals
from labelbench_direct.report.statistics import Curves, t_interval

FOLDER = Path(__file__).parent.parent / "configs" / "evidence"


def test_there_are_the_settings_that_the_evidence_is_to_have():
    settings = read_settings(FOLDER, None)
    cases = {(one.dataset, level) for one in settings.values() for level in one.noise}
    assert len(cases) >= 20
    cifar = {dataset for dataset, _ in cases if "cifar10n" in dataset}
    assert len(cifar) == 4
    assert {level for dataset, level in cases if dataset in cifar} == {0, 0.1, 0.2, "given"}
    unseen = settings.pop("digits_unseen")
    assert (unseen.dataset, unseen.rounds, len(unseen.seeds)) == ("mnist5k_imb_2:ratio=0.0101", 8, 20)
    for name, one in settings.items():
        assert (one.batch_size, one.rounds) == (100, 20)
        assert len(one.seeds) == (5 if name.endswith("_few") else 20)
        if name.endswith("_few"):
            assert one.title == settings[name.removesuffix("_few")].title
        else:
            assert one.strategies[0] == "direct"
        assert "; " in one.title, "data, then head"


def test_the_parts_of_direct_explore_run_in_every_setting_once():
    """Those of one half and of the other are all of the evidence's, and what both name is the same trials."""
    evidence = read_settings(FOLDER, None).values()
    halves = [read_settings(FOLDER.parent / "explore" / half, None).values() for half in ("choosing", "confirming")]
    stated = Counter((one.title, level) for half in halves for one in half for level in one.noise)
    assert stated == Counter({(one.title, level): 1 for one in evidence for level in one.noise})
    explore = {trial.identifier for half in halves for one in half for trial in one.trials()}
    for one in evidence:
        usual = [trial for trial in one.trials() if trial.strategy in _IN_BOTH]
        assert {trial.identifier for trial in usual} <= explore


_IN_BOTH = (
    {"strategy_name": "direct", "B1": 5},
    {"strategy_name": "direct_explore", "B1": 5},
    {"strategy_name": "random"},
)


def test_what_matters_most_comes_first_and_nothing_twice():
    settings = list(read_settings(FOLDER, None).values())
    trials = ordered_trials(settings)
    assert len({trial.identifier for trial in trials}) == len(trials) == sum(len(one.trials()) for one in settings)
    first = trials[: len(trials) // 10]
    assert {trial.strategy["strategy_name"] for trial in first} <= set(FIRST)
    assert {trial.seed for trial in first[:100]} <= set(range(5)), "few seeds of all settings before many of one"


def test_t_intervals_are_students():
    values = np.array([0.3, 0.5, 0.1, 0.9])
    expected = stats.t.interval(0.95, 3, loc=values.mean(), scale=stats.sem(values))
    assert t_interval(values)[1:] == pytest.approx(expected)
    assert np.isnan(t_interval(values[:1]).low)


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    """A small experiment with three seeds, all but one of its trials finished."""
    folder = tmp_path_factory.mktemp("evidence")
    strategies = ("direct", "direct:B1=1", "random", "margin")
    experiment = replace(SMALL, title="Digits; MLP head", strategies=strategies, seeds=(0, 1, 2), noise=(0, 0.2))
    experiment = replace(experiment, rounds=3)
    for trial in experiment.trials():
        if (trial.seed, trial.noise, trial.strategy["strategy_name"]) != (2, 0.2, "margin"):
            run_trial(trial, folder, Settings(selections=False))
    return experiment, folder


def test_the_pages_numbers_are_those_of_the_lines(finished, tmp_path):
    experiment, folder = finished
    write_evidence({"digits": experiment}, folder, tmp_path / "evidence.md", ["a note"])
    text = (tmp_path / "evidence.md").read_text()
    final, rarest, rounds = {}, {}, {}
    for trial in experiment.trials():
        lines = read_lines(folder / trial.identifier / "rounds.jsonl")
        if trial.noise == 0.2 and lines:
            key = (trial.strategy["strategy_name"], trial.strategy.get("B1"), trial.seed)
            final[key] = lines[-1]["metrics"][METRIC]
            rarest[key] = lines[-1]["metrics"][RAREST]
            rounds[key] = sum(line["metrics"][METRIC] for line in lines) / len(lines)
    noisy = text[text.index("### Digits; MLP head; 20% wrong labels") :]
    noisy = noisy[: noisy.index("## What is missing")]
    rows = (("direct", "direct", 5, 3), ("direct B1=1", "direct", 1, 3), ("margin", "margin", None, 2))
    for name, strategy, parallel, seeds in rows:
        cells = next(line for line in noisy.splitlines() if line.startswith(f"| {name} ")).replace("*", "").split("|")
        own = [final[strategy, parallel, seed] for seed in range(seeds)]
        assert [cell.strip() for cell in cells[2:5]] == [str(seeds), f"{sum(own) / seeds:.3f}", f"{min(own):.3f}"]
        assert cells[9].strip() == f"{sum(rarest[strategy, parallel, seed] for seed in range(seeds)) / seeds:.0f}"
        if name != "direct" and seeds > 2:
            leads = [rounds[strategy, parallel, seed] - rounds["direct", 5, seed] for seed in range(seeds)]
            assert cells[6].strip().startswith(f"{sum(leads) / seeds:+.3f} [")
        else:
            assert not cells[6].strip(), "two seeds have no interval"
    assert "1 of the 24 trials" in text
    assert re.search(r"\| margin +\| 5 +\| 6 +\| 0 of 2 +\|", text), "what is missing is said"
    assert "a note" in text
    for picture in re.findall(r"\]\((\S+\.png)\)", text):
        assert (tmp_path / picture).stat().st_size > 1000


def test_verdicts_follow_the_intervals(finished):
    experiment, folder = finished
    cases, _ = read_cases({"digits": experiment}, folder, [])
    for case in cases:
        by = case.lead("random", "direct")
        back = case.lead("direct", "random")
        assert by.value == pytest.approx(-back.value)
        direct = case.curves["direct"].metrics[METRIC].mean(axis=1)
        means = {name: (own.metrics[METRIC].mean(axis=1) - direct[: len(own.seeds)]).mean()
                 for name, own in case.curves.items()}  # fmt: skip
        assert case.best()[0] == max(means, key=means.get)


def test_a_goal_that_is_missed_says_where_and_why():
    def curves(height, found):
        """Three seeds, two rounds."""
        values = np.array([[height, height + 0.01 * seed] for seed in range(3)])
        return Curves(np.array([10.0, 20.0]), {METRIC: values, RAREST: np.full((3, 2), found)}, (0, 1, 2))

    def case(title, others):
        own = {"direct": curves(0.7, 12), "random": curves(0.6, 3)} | others
        return Case(title, f"{title}; a head", 0.1, "a head", title, own, dict.fromkeys(own), dict.fromkeys(own, 3))

    won, lost = case("Won", {"margin": curves(0.65, 5)}), case("Lost", {"margin": curves(0.75, 5)})
    only_won, both = goals([won]), goals([won, lost])
    assert "- **Yes**: `direct` best or level" in only_won[1]
    assert "In the one setting." in only_won[1]
    verdict, where, _, why, *_ = both[1].splitlines()
    assert verdict.startswith("- **No**: `direct` best or level")
    assert verdict.endswith("Not so in 1 of 2:")
    assert where == "  - Lost, 10% wrong labels (a head): -0.050 against margin (12, 5)"
    assert why.startswith("  Why: ")
    assert "no trials of it are finished" in both[2], "there is no direct_explore"


def test_all_settings_together_are_those_of_the_lines(finished, tmp_path):
    """A setting doesn't count where a strategy has two seeds, as margin with wrong labels: there is no interval."""
    experiment, folder = finished
    write_evidence({"digits": experiment}, folder, tmp_path / "evidence.md", [])
    text = (tmp_path / "evidence.md").read_text()
    text = text[text.index("## Each against DIRECT") : text.index("## Goals")]
    curves = {}
    for trial in experiment.trials():
        if lines := read_lines(folder / trial.identifier / "rounds.jsonl"):
            key = (trial.strategy["strategy_name"], trial.strategy.get("B1"), trial.noise, trial.seed)
            curves[key] = [line["metrics"][METRIC] for line in lines]
    rows = (
        ("direct B1=1", "direct", 1, (0, 0.2)),
        ("random", "random", None, (0, 0.2)),
        ("margin", "margin", None, (0,)),
    )
    for name, strategy, parallel, noises in rows:
        leads, stuck, direct_stuck, below, direct_below = [], 0, 0, 0, 0
        for noise in noises:
            pairs = [(curves[strategy, parallel, noise, seed], curves["direct", 5, noise, seed]) for seed in range(3)]
            leads.append(sum(sum(own) - sum(direct) for own, direct in pairs) / 9)
            stuck += sum(own[-1] < 1 / 3 + 0.1 for own, _ in pairs)
            direct_stuck += sum(direct[-1] < 1 / 3 + 0.1 for _, direct in pairs)
            bar = sum(curves["random", None, noise, seed][-1] for seed in range(3)) / 3
            if noise:
                below += sum(own[-1] < bar for own, _ in pairs)
                direct_below += sum(direct[-1] < bar for _, direct in pairs)
        row = next(line for line in text.splitlines() if line.startswith(f"| {name} "))
        cells = [cell.strip() for cell in row.split("|")[2:-1]]
        assert cells[:3] == [str(len(noises)), "3", f"{sum(leads) / len(leads):+.4f}"]
        assert sum(map(int, cells[3].split(", "))) == len(noises)
        assert cells[4].startswith(f"{max(leads):+.3f} [")
        assert cells[5].startswith(f"{min(leads):+.3f} [")
        assert cells[6:] == [f"{stuck} ({direct_stuck})", f"{below} ({direct_below})"]


def test_the_page_says_what_its_trials_ran_with(finished, tmp_path):
    experiment, folder = finished
    shutil.copytree(folder, tmp_path / "results")
    mixed = "trials of different versions are compared"

    def page():
        write_evidence({"digits": experiment}, tmp_path / "results", tmp_path / "evidence.md", [])
        return (tmp_path / "evidence.md").read_text()

    assert f"labelbench_direct {__version__}, " in page()
    header = tmp_path / "results" / experiment.trials()[1].identifier / "trial.json"
    stated = json.loads(header.read_text())
    stated["versions"]["LabelBench"] = "a commit"  # which only trials have that need it
    header.write_text(json.dumps(stated))
    assert mixed not in page()
    stated["versions"]["labelbench_direct"] = "0.0.1"
    header.write_text(json.dumps(stated))
    assert f"{mixed} (labelbench_direct " in page()
    assert "labelbench_direct 0.0.1" in page()


def test_trials_of_different_contents_of_one_file_are_not_mixed(finished, tmp_path):
    experiment, folder = finished
    results = tmp_path / "results"
    for trial in experiment.trials():
        source = folder / trial.identifier
        if source.exists():
            (results / trial.identifier).mkdir(parents=True)
            for file in source.glob("*.json*"):
                (results / trial.identifier / file.name).write_bytes(file.read_bytes())
    pool = results / experiment.trials()[0].identifier / "pool.json"
    pool.write_text(json.dumps({**json.loads(pool.read_text()), "checksum": "0123"}))
    with pytest.raises(ValueError, match="saw different data by the name digits_imb_3"):
        read_cases({"digits": experiment}, results, [])


def test_the_command_runs_writes_and_says_what_is_missing(tmp_path, capsys, monkeypatch):
    monkeypatch.delenv("LABELBENCH_HOME", raising=False)
    stated = json.loads((FOLDER / "cifar10_k3.json").read_text())
    (tmp_path / "experiments").mkdir()
    (tmp_path / "experiments" / "absent.json").write_text(json.dumps(stated))
    small = {**stated, "title": "Digits; linear head", "dataset": "digits_imb_3",
             "strategies": ["direct", "random", "direct_labelbench"], "seeds": [0, 1],
             "noise": [0.1], "batch_size": 10, "rounds": 2}  # fmt: skip
    run = ["evidence", "--experiments", str(tmp_path / "experiments"), "--output", str(tmp_path / "results"), "--page",
           str(tmp_path / "page.md"), "--data-dir", str(tmp_path), "--workers", "1"]  # fmt: skip
    assert main(run) == 2
    assert "no experiment's data are there" in capsys.readouterr().err
    (tmp_path / "experiments" / "small.json").write_text(json.dumps(small))
    slow = {**small, "strategies": ["direct", "margin"], "seeds": [1]}
    (tmp_path / "experiments" / "small_few.json").write_text(json.dumps({**slow, "rounds": 3}))
    assert main(run) == 2
    assert "small_few.json have the same title, and another rounds: give each its own title" in capsys.readouterr().err
    (tmp_path / "experiments" / "small_few.json").write_text(json.dumps(slow))
    assert main(run) == 0
    said = capsys.readouterr()
    assert "absent was not run: " in said.err
    assert "cifar10n_features.npz; it is an .npz file with arrays x and y (docs/features.md shows how)" in said.err
    page = (tmp_path / "page.md").read_text()
    assert page.count("### Digits; linear head; 10% wrong labels") == 1
    assert "\n| margin | 1     |" in page
    assert "\n| direct | 2     |" in page, "which both files state"
    assert "absent was not run" in page
    assert "LabelBench's own direct was not run: no LabelBench checkout" in page
    assert main([*run, "--page-only"]) == 0
    assert main(["evidence", "--experiments", str(tmp_path / "nowhere")]) == 2
    assert "there are no experiment files in" in capsys.readouterr().err


def test_the_page_needs_no_title_and_takes_any(finished, tmp_path):
    experiment, folder = finished
    named = {"untitled": replace(experiment, title=""), "odd": replace(experiment, title="a\ud800\nb; $x^2$")}
    write_evidence(named, folder, tmp_path / "evidence.md", [])
    text = (tmp_path / "evidence.md").read_text(encoding="utf-8")
    assert "### untitled; mlp, passive; no wrong labels" in text
    assert "### a b; $x^2$; no wrong labels" in text
    assert "**Mlp, passive, wrong labels** (1 setting)" in text
    assert "Every trial: 3 rounds of 12 labels, the first" in text
    assert "could not be drawn" not in text


def test_one_round_and_a_confusion_matrix_make_a_page(tmp_path):
    matrix = ((0.9, 0.1, 0.0), (0.1, 0.9, 0.0), (0.0, 0.0, 1.0))
    experiment = replace(SMALL, title="Digits; MLP head", strategies=("direct",), seeds=(0,), noise=(matrix,), rounds=1)
    for trial in experiment.trials():
        run_trial(trial, tmp_path, Settings())
    assert write_evidence({"digits": experiment}, tmp_path, tmp_path / "page.md", []).startswith("Nothing")
    text = (tmp_path / "page.md").read_text()
    assert re.search(r"### Digits; MLP head; wrong labels by confusion matrix [0-9a-f]{6}", text)
    assert "nan" not in text


def test_the_page_comes_without_a_picture_that_fails_and_a_trial_that_is_damaged(finished, tmp_path, monkeypatch):
    experiment, folder = finished
    shutil.copytree(folder, tmp_path / "results")
    damaged = tmp_path / "results" / experiment.trials()[0].identifier
    (damaged / "pool.json").write_text("{}")
    lines = tmp_path / "results" / experiment.trials()[1].identifier / "rounds.jsonl"
    lines.write_text(lines.read_text().replace(METRIC, "Accuracy of Mind"))

    def fail(_):
        raise ValueError("no such font")

    monkeypatch.setattr("labelbench_direct.report.evidence.draw_leads", fail)
    write_evidence({"digits": experiment}, tmp_path / "results", tmp_path / "evidence.md", [])
    text = (tmp_path / "evidence.md").read_text()
    assert "evidence-leads.png could not be drawn: ValueError: no such font" in text
    assert f"{damaged / 'pool.json'} is damaged" in text
    assert f"{lines.parent} has rounds without 'Balanced Test Accuracy': left out" in text
    assert "3 of the 24 trials" in text


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"host": "labelbench"}, "b.json: the evidence is of the host embedded"),
        ({"rounds": 3}, "a.json and .*b.json have the same title, and another rounds: give each its own title"),
        ({"title": "b", "batch_size": 10**6}, "b.json: batch_size must be at most"),
        ({"title": "b", "model": {"name": "mlp", "hiden": 8}}, "b.json: unknown key 'hiden'"),
    ],
)
def test_experiments_that_cannot_be_on_the_page_are_named(tmp_path, capsys, changes, message):
    stated = json.loads((FOLDER / "digits_unseen.json").read_text())
    stated = {**stated, "title": "a; b", "dataset": "digits_imb_3", "noise": [0.1]}
    (tmp_path / "a.json").write_text(json.dumps(stated))
    (tmp_path / "b.json").write_text(json.dumps({**stated, **changes}))
    results = tmp_path / "results"
    assert main(["evidence", "--experiments", str(tmp_path), "--output", str(results)]) == 2
    assert re.search(message, capsys.readouterr().err)
    assert main(["evidence", "--experiments", str(FOLDER), "--page", str(tmp_path)]) == 2
    assert "is a folder: --page names the file that is written" in capsys.readouterr().err
    assert not results.exists()
