"""The report: what it reads, what it refuses, its numbers, its page."""

import csv
import json
import os
import pickle
import re
import shutil
import subprocess
from dataclasses import replace

import numpy as np
import pytest

from labelbench_direct.cli import main
from labelbench_direct.experiment.storage import append_line, write_whole
from labelbench_direct.experiment.trial import Settings, versions
from labelbench_direct.hosts.metrics import BALANCED_TEST, RAREST
from labelbench_direct.report.figures import class_bins
from labelbench_direct.report.groups import families, group, usable
from labelbench_direct.report.pickles import describe_path, read_pickle
from labelbench_direct.report.read import read_results
from labelbench_direct.report.statistics import Curves, interval, lead, saved
from labelbench_direct.report.summary import conclusion, saved_table, sentence
from labelbench_direct.report.write import write_report

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
CLASSES = [100, 20, 20, 5]


def selection(rng):
    """What a DIRECT round leaves, for two of the classes."""

    def seen():
        positions = rng.permutation(145)
        return {
            "threshold": 40,
            "version_spaces": [[10, 90], [30, 60], [38, 41]],
            "known": [positions[:10].tolist(), [1, 0] * 5],
            "asked": [positions[10:20].tolist(), [1, 0] * 5],
            "members": np.linspace(1, 0, 100).tolist(),
            "margin": np.linspace(0, -1, 100).tolist(),
        }  # fmt: skip

    return {"num_examples": 145, "classes": {"1": seen(), "3": seen()}}


def make_trial(folder, name, seed, height, *, noise=0.1, rounds=4, done=None, bad=False, **changes):
    """A trial's folder whose accuracies rise to ``height``."""
    strategy = {"strategy_name": name, **({"B1": 5} if name == "direct" else {}), **changes.pop("strategy", {})}
    # fmt: off
    header = {"dataset": "made_up", "model": {"name": "mlp"}, "trainer": {"name": "passive"}, "strategy": strategy,
              "seed": seed, "noise": noise, "batch_size": 10, "rounds": rounds, "host": "embedded", **changes}
    # fmt: on
    path = folder / f"{name}-seed{seed}-{noise}-{len(list(folder.glob('*')))}"
    path.mkdir(parents=True)
    write_whole(path / "trial.json", {**header, "versions": versions(Settings())})
    write_whole(
        path / "pool.json", {"examples": 145, "classes": list("abcd"), "class_counts": CLASSES, "checksum": "0"}
    )
    rng = np.random.default_rng(seed)
    done = rounds if done is None else done
    for number in range(1, done + 1):
        value = height * number / rounds + 0.01 * rng.normal()
        metrics = {"Num Labeled": 10 * number, BALANCED_TEST: None if bad else value, RAREST: number}
        append_line(path / "times.jsonl", {"round": number, "select": 0.01, "train": 1.0})
        record = {"round": number, "last": number == rounds, "indices": [], "labels": [], "metrics": metrics}
        record |= {"class_accuracies": [value] * 4, "random_state": None}
        append_line(
            path / "rounds.jsonl", record | {"selection": selection(rng) if name == "direct" and number > 1 else None}
        )
    return path


def copy_trials(template, folder, count):
    """So many trials of up to 25 settings, 10 strategies and 4 seeds each, all with one trial's rounds."""
    header = json.loads((template / "trial.json").read_text())
    for number in range(count):
        setting, strategy, seed = number // 40, number // 4 % 10, number % 4
        path = folder / f"{number:04d}"
        shutil.copytree(template, path)
        changed = {"dataset": f"data{setting}", "seed": seed, "strategy": {"strategy_name": f"s{strategy}"}}
        (path / "trial.json").write_text(json.dumps({**header, **changed}))


@pytest.fixture
def made(tmp_path):
    """Two noise levels, three strategies, three seeds."""
    folder = tmp_path / "made"
    folder.mkdir()
    for noise in (0.1, 0.2):
        for seed in (0, 1, 2):
            for name, height in (("direct", 0.9), ("margin", 0.7), ("random", 0.95)):
                make_trial(folder, name, seed, height - noise, noise=noise)
    return folder


def curves(*values):
    values = np.array(values, dtype=float)
    return Curves(np.array([10.0, 20.0, 30.0]), {"acc": values}, tuple(range(len(values))))


def test_labels_saved_are_counted():
    made = {"ours": curves([0.1, 0.6, 0.7], [0.1, 0.6, 0.9]), "theirs": curves([0.1, 0.4, 0.5], [0.1, 0.4, 0.7])}
    assert made["ours"].labels_to_reach("acc", 0.6) == 20
    assert made["ours"].labels_to_reach("acc", 0.9) is None
    assert made["ours"].standard_error("acc")[2] == pytest.approx(0.1)
    table = saved_table(made, "acc")
    rows = [[cell.strip() for cell in line.strip("|").split("|")] for line in table.splitlines() if "|" in line]
    assert rows[2] == ["ours", "0.800 ± 0.100", "", "", "20 (33%)"]
    assert rows[3] == ["theirs", "0.600 ± 0.100", "-0.133 ± 0.000", "never", ""]
    expected = "ours reaches what 30 labels give theirs with 20; the highest final acc is ours's, 0.800."
    assert conclusion(made, "acc") == expected


def test_losses_are_said_too():
    made = {"ours": curves([0.1, 0.2, 0.3]), "a": curves([0.1, 0.2, 0.4]), "b": curves([0.1, 0.2, 0.2])}
    assert conclusion(made, "acc") == (
        "ours reaches what 30 labels give b with 20 and does not reach what 30 labels give a; "
        "the highest final acc is a's, 0.400."
    )
    assert conclusion({"ours": made["ours"]}, "acc") == "The highest final acc is ours's, 0.300."
    assert "±" not in saved_table(made, "acc").split("final:")[0]


def test_intervals_equal_a_plain_bootstrap():
    values = np.array([0.1, 0.4, 0.2, 0.9])
    rng = np.random.default_rng(5)
    means = [rng.choice(values, 4).mean() for _ in range(4000)]
    by = interval(values)
    assert by.value == pytest.approx(0.4)
    assert (by.low, by.high) == pytest.approx(np.percentile(means, [2.5, 97.5]), abs=0.03)
    assert np.isnan(interval(values[:1]).low)


def test_area_is_the_mean_height():
    assert curves([0.0, 0.5, 1.0]).area("acc").tolist() == [0.5]
    uneven = Curves(np.array([0.0, 10.0, 40.0]), {"acc": np.array([[0.0, 1.0, 1.0]])}, (0,))
    assert uneven.area("acc")[0] == pytest.approx((10 * 0.5 + 30) / 40)


def test_shares_saved_have_intervals_over_paired_seeds():
    ours = curves([0.1, 0.8, 0.9], [0.1, 0.3, 0.9], [0.1, 0.8, 0.9])
    theirs = curves([0.1, 0.2, 0.6], [0.1, 0.2, 0.6], [0.1, 0.2, 0.6])
    by = saved(ours, theirs, "acc")
    assert by.value == pytest.approx(1 - 20 / 30)
    assert (by.low, by.high) == pytest.approx((0, 1 - 20 / 30)), "with the second seed alone it takes all 30"
    assert saved(theirs, ours, "acc").value == -np.inf
    assert lead(ours, theirs, "acc").value > 0
    unpaired = replace(theirs, seeds=(7, 8, 9))
    assert saved(ours, unpaired, "acc") is lead(ours, unpaired, "acc") is None


def test_class_bins_are_by_frequency():
    assert [members.tolist() for members in class_bins(np.array([5, 9, 1]))] == [[1], [0], [2]]
    bins = class_bins(np.arange(12))
    assert [len(members) for members in bins] == [3, 3, 2, 2, 2]
    assert bins[0].tolist() == [11, 10, 9]


def test_results_are_grouped_and_ordered(made):
    trials, notes = read_results([made])
    groups = group(trials, notes)
    assert notes == []
    assert [one.setting.noise for one in groups] == [0.1, 0.2]
    assert [list(one.curves) for one in groups] == [["direct", "margin", "random"]] * 2
    assert groups[0].curves["margin"].labels.tolist() == [10, 20, 30, 40]
    assert [len(family) for family in families(groups)] == [2]
    said = sentence(groups)
    assert "the highest final balanced test accuracy is that of random in 2" in said
    assert "ahead of margin, margin" in said
    assert "behind random, random" in said


def test_strategies_of_one_name_are_told_apart(tmp_path):
    for b1 in (1, 5):
        make_trial(tmp_path, "direct", 0, 0.9, strategy={"B1": b1})
    trials, notes = read_results([tmp_path])
    assert set(group(trials, notes)[0].curves) == {"direct B1=1", "direct B1=5"}


def test_what_does_not_fit_is_left_out_and_said(tmp_path):
    for seed in (0, 1, 2):
        make_trial(tmp_path, "direct", seed, 0.9, done=2 if seed == 2 else None)
        make_trial(tmp_path, "margin", seed, 0.7, bad=seed == 1)
    make_trial(tmp_path, "random", 5, 0.5)
    make_trial(tmp_path, "random", 6, 0.5, done=0)
    make_trial(tmp_path, "random", 7, 0.5, dataset="another")
    written = write_report([tmp_path], tmp_path / "report")
    said = "\n".join(written.notes)
    assert "direct (made_up, noise 0.1): unfinished with seed 2; drawn up to round 2" in said
    assert "Balanced Test Accuracy is not a number with seed 1: left out" in said
    assert "has no seed" in said
    assert "no finished round yet: left out" in said
    assert "more than one experiment" in said
    assert "no common seed" in written.page.read_text()


@pytest.mark.parametrize("content", [{}, {"notes.txt": "hello"}, {"deep/er/data.csv": "1,2"}, {"x_1.pkl": "?"}])
def test_folders_without_results_are_refused(tmp_path, content, capsys):
    for name, text in content.items():
        (tmp_path / "in" / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "in" / name).write_text(text)
    (tmp_path / "in").mkdir(exist_ok=True)
    assert main(["report", str(tmp_path / "in"), "--output", str(tmp_path / "out")]) == 2
    error = capsys.readouterr().err
    assert "there are no results in" in error
    assert error.count("\n") == 1
    assert not (tmp_path / "out").exists()


def test_missing_paths_metrics_and_trials_are_refused(made, tmp_path, capsys):
    assert main(["report", str(tmp_path / "nowhere")]) == 2
    assert "no such file or folder" in capsys.readouterr().err
    assert main(["report", str(made), "--metric", "Accuracy of Mind", "--output", str(tmp_path / "out")]) == 2
    assert "there are Balanced Test Accuracy, Min Class Number of Positive" in capsys.readouterr().err
    assert main(["report", str(made), "--trial", "direct-", "--output", str(tmp_path / "out")]) == 2
    assert "must name one trial, it names 6" in capsys.readouterr().err


def published(folder, strategy="margin", seed=1234, height=0.5, dataset="made_up_random"):
    path = (
        folder / dataset / "bs_10" / "embed_none" / "model_MLP" / "trainer_passive" / f"{strategy}_sampling_{seed}.pkl"
    )
    path.parent.mkdir(parents=True, exist_ok=True)
    metrics = {
        "Num Labeled": [10, 20, 30, 41, None],
        BALANCED_TEST: [height * i / 4 for i in range(1, 5)] + [None],
        "Label index": [None] * 4 + [7],
    }
    path.write_bytes(pickle.dumps([metrics, [7, 8, 9]]))
    return path


def test_published_pickles_are_laid_under_own_trials(tmp_path):
    make_trial(tmp_path / "own", "margin", 0, 0.9)
    published(tmp_path / "results")
    published(tmp_path / "results", seed=9999999, height=0.6)
    trials, notes = read_results([tmp_path])
    (one,) = group(trials, notes)
    assert set(one.curves) == {"margin", "margin (published)"}
    theirs = one.curves["margin (published)"]
    assert theirs.seeds == (1234, 9999999)
    assert theirs.labels.tolist() == [10, 20, 30, 41]
    assert theirs.mean(BALANCED_TEST)[-1] == pytest.approx(0.55)
    assert "Label index" not in theirs.metrics


def test_paths_of_published_results():
    from pathlib import Path

    folder = Path("results/fmow/bs_3000/embed_clip_ViTB32/model_shallow/trainer_flexmatch")
    about = describe_path(folder / "direct_sampling_3334155.pkl")
    assert about["strategy"] == "direct"
    assert about["seed"] == 3334155
    assert about["model"] == "shallow on clip_ViTB32"
    assert about["noise"] == 0
    assert describe_path(folder / "x.pkl") is None
    assert describe_path(Path("results/cifar10_eval/bs_200/proxy_shallow/model_x/trainer_y/badge_1.pkl")) is None


class Evil:
    def __reduce__(self):
        return exec, ("raise SystemExit('ran')",)


@pytest.mark.parametrize("content", [Evil(), [{"Num Labeled": [Evil()]}, []], [np.zeros(3), []]])
def test_pickles_that_want_to_run_code_are_refused(tmp_path, content, capsys):
    path = published(tmp_path)
    path.write_bytes(pickle.dumps(content))
    assert main(["report", str(tmp_path), "--output", str(tmp_path / "out")]) == 2
    error = capsys.readouterr().err
    assert "margin_sampling_1234.pkl is refused: it wants to import" in error
    assert error.count("\n") == 1


@pytest.mark.parametrize("content", [b"", b"no pickle", pickle.dumps({"a": 1}), pickle.dumps([1, 2])])
def test_files_that_are_no_results_are_refused(tmp_path, content):
    path = published(tmp_path)
    path.write_bytes(content)
    with pytest.raises(ValueError, match=r"margin_sampling_1234.pkl is (refused|not one of LabelBench's results)"):
        read_pickle(path)


@pytest.mark.labelbench
def test_labelbenchs_own_results_are_read(tmp_path):
    """The last balanced accuracy of DIRECT on FMoW, as LabelBench's repository publishes it."""
    from pathlib import Path

    trials, notes = read_results([Path(os.environ["LABELBENCH_HOME"]) / "results" / "fmow"])
    (one,) = [one for one in usable(group(trials, notes), BALANCED_TEST, notes) if one.setting.model == "clip_vitb32"]
    assert one.curves["direct"].mean(BALANCED_TEST)[-1] == pytest.approx(0.5613, abs=5e-5)
    assert one.curves["direct"].mean(RAREST)[-1] == 26.5


def test_lines_written_beside_labelbench_are_read(tmp_path):
    path = tmp_path / "run.jsonl"
    header = {"kind": "trial", "host": "labelbench", "dataset": "fmow", "seed": 3, "batch_size": 10, "rounds": 2,
              "model": {"model_name": "CLIP"}, "trainer": {"trainer_name": "pytorch_passive"},
              "strategy": {"strategy_name": "direct"}, "corrupter": {"name": "noisy_random", "p": 0.1}}  # fmt: skip
    append_line(path, header)
    line = {"kind": "round", "round": 1, "metrics": {"Num Labeled": 10, BALANCED_TEST: 0.5}}
    append_line(path, line)
    del header["strategy"]
    append_line(tmp_path / "evaluation.jsonl", {**header, "selected_by": {"strategy_config": "direct"}})
    append_line(tmp_path / "evaluation.jsonl", line)
    ((trial,), _) = read_results([tmp_path])
    assert (trial.setting.noise, trial.setting.model, trial.setting.trainer) == (0.1, "clip", "passive")
    assert trial.metrics[BALANCED_TEST].tolist() == [0.5]


def test_the_report_is_whole_and_loads_nothing(made, tmp_path, capsys):
    out = tmp_path / "report"
    assert main(["report", str(made), "--output", str(out)]) == 0
    assert "Of 2 settings" in capsys.readouterr().out
    page = (out / "report.html").read_text()
    assert page.index("Of 2 settings") < page.index("<section>")
    assert not re.findall(r'(?:src|href)="(?!data:)', page)
    assert "url(" not in page
    assert "@import" not in page
    assert page.count("<figure>") == 2 * 4 + 2 + 3 * 2, "per setting 4, noise levels 2, three rounds of two classes"
    for suffix in ("png", "svg"):
        assert len(list(out.glob(f"*.{suffix}"))) == page.count("<figure>")
    rows = list(csv.DictReader((out / "curves.csv").read_text().splitlines()))
    assert {row["strategy"] for row in rows} == {"direct", "margin", "random"}
    line = next(row for row in rows if row["seed"] == "1" and row["labels"] == "40" and row["metric"] == RAREST)
    assert float(line["value"]) == 4
    pairs = list(csv.DictReader((out / "saved.csv").read_text().splitlines()))
    assert len(pairs) == 2 * 6
    direct = next(row for row in pairs if (row["strategy"], row["other"]) == ("direct", "margin"))
    assert float(direct["saved"]) > 0
    assert float(direct["lead_low"]) > 0


def test_one_strategy_alone_is_shown_alone(tmp_path):
    make_trial(tmp_path, "margin", 0, 0.7)
    written = write_report([tmp_path], tmp_path / "report")
    assert written.sentence == "The highest final balanced test accuracy is margin's, 0.701."
    assert "Labels saved" not in written.page.read_text()


def test_names_are_escaped(tmp_path):
    make_trial(tmp_path, "direct", 0, 0.9, dataset="<script>alert(1)</script>")
    assert "<script>" not in write_report([tmp_path], tmp_path / "report").page.read_text()


def test_a_thousand_trials_make_one_report(tmp_path):
    """25 settings, 10 strategies, 4 seeds. How long that takes: benchmarks/report.py."""
    template = make_trial(tmp_path / "one", "direct", 0, 0.9, rounds=10)
    copy_trials(template, tmp_path / "many", 1000)
    assert "Of 25 settings" in write_report([tmp_path / "many"], tmp_path / "report").sentence


@pytest.mark.skipif(CHROMIUM is None, reason="no Chromium here to open the report in")
@pytest.mark.parametrize("width", [1280, 390])
def test_a_browser_shows_all_of_it_at_any_width(made, tmp_path, width):
    """Headless Chromium, without a network: every picture is drawn and nothing is wider than the page."""
    page = write_report([made], tmp_path / "report").page
    probe = tmp_path / "report" / "probe.html"
    script = """<script>addEventListener("load", () => {
        const images = [...document.images];
        document.title = JSON.stringify({
          width: innerWidth, page: document.documentElement.scrollWidth, images: images.length,
          drawn: images.filter(image => image.naturalWidth > 0).length,
          narrowest: Math.min(...images.filter(image => !image.closest("details")).map(image => image.clientWidth)),
        });});</script></body>"""
    probe.write_text(page.read_text().replace("</body>", script))
    # fmt: off
    command = [CHROMIUM, "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
               "--disable-background-networking", "--disable-component-update", "--disable-sync",
               f"--user-data-dir={tmp_path / 'profile'}", f"--window-size={width},1000",
               "--host-resolver-rules=MAP * ~NOTFOUND", "--virtual-time-budget=10000", "--dump-dom", probe.as_uri()]
    # fmt: on
    dom = subprocess.run(command, capture_output=True, text=True, timeout=120, check=True).stdout
    seen = json.loads(re.search(r"<title>(\{.*?\})</title>", dom)[1])
    assert seen["images"] == seen["drawn"] == 16
    assert seen["page"] <= seen["width"]
    assert seen["narrowest"] > 0.3 * seen["width"]
