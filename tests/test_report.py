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
from labelbench_direct.experiment.trial import versions
from labelbench_direct.hosts.metrics import BALANCED_TEST, RAREST, multi_class_metrics
from labelbench_direct.report.figures import class_bins, frequency_bins, styles
from labelbench_direct.report.groups import families, group, usable
from labelbench_direct.report.metrics import HIGHER_IS_BETTER, LOWER_IS_BETTER, NO_DIRECTION
from labelbench_direct.report.pickles import describe_path, read_pickle
from labelbench_direct.report.pictures import Pictures
from labelbench_direct.report.read import read_results
from labelbench_direct.report.selection_figure import draw_selection
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
    write_whole(path / "trial.json", {**header, "versions": versions(None)})
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
    assert "Over the whole curve direct is ahead of margin in 2 of 2; behind random in 2 of 2 (settings" in said


def test_the_sentence_says_each_name_once(tmp_path):
    """Three settings; badge in two of them, ahead in one and behind in the other."""
    for number, heights in enumerate(({"badge": 0.3, "margin": 0.4}, {"badge": 0.95, "margin": 0.4}, {"margin": 0.4})):
        for name, height in {"direct": 0.8, **heights}.items():
            for seed in (0, 1, 2):
                make_trial(tmp_path, name, seed, height, noise=number / 10)
    trials, notes = read_results([tmp_path])
    said = sentence(group(trials, notes))
    assert said.endswith(
        "direct is ahead of badge in 1 of 2, margin in 3 of 3; behind badge in 1 of 2 "
        "(settings that have both; 95% intervals of paired seeds)."
    )
    one = sentence(group([trial for trial in trials if trial.setting.noise == 0], notes))
    assert one.endswith("direct is ahead of badge, margin (95% intervals of paired seeds).")


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
    for name, dataset, noise in (
        ("fmow_random", "fmow", 0.1),
        ("digits_imb_3_noisy_random", "digits_imb_3", 0.1),
        ("fmow_noisy_random.json", "fmow", 0.1),
        ("random", "random", 0),
        ("made_up", "made_up", 0),
    ):
        about = describe_path(Path(name, *folder.parts[-4:], "direct_1.pkl"))
        assert (about["dataset"], about["noise"]) == (dataset, noise)
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


@pytest.mark.parametrize("metric", ["Test Loss", "Validation Loss", "Pool Loss", "STD Test Accuracy"])
def test_less_is_better_of_losses(metric):
    """Mirror images: what is said of a loss is what is said of the accuracy that is 1 less it."""
    rows = {"ours": [[0.1, 0.6, 0.7], [0.1, 0.7, 0.8]], "theirs": [[0.1, 0.2, 0.6], [0.1, 0.3, 0.6]]}
    accuracies = {name: curves(*values) for name, values in rows.items()}
    losses = {
        name: replace(
            own, metrics={metric: 1 - own.metrics["acc"]}, lower_is_better=Curves(own.labels, {}).lower_is_better
        )
        for name, own in accuracies.items()
    }
    assert lead(*losses.values(), metric) == pytest.approx(lead(*accuracies.values(), "acc"))
    assert saved(*losses.values(), metric) == saved(*accuracies.values(), "acc")
    assert saved(*reversed(losses.values()), metric).value == -np.inf
    assert losses["ours"].labels_to_reach(metric, 0.4) == 20
    assert losses["theirs"].labels_to_reach(metric, 0.3) is None
    said = conclusion(losses, metric)
    assert (
        said == f"ours reaches what 30 labels give theirs with 20; the lowest final {metric.lower()} is ours's, 0.250."
    )
    assert "| +0." not in saved_table(losses, metric), "theirs lags"
    assert "less is better" in saved_table(losses, metric)


def give_metric(folder, name, value):
    """Put a metric of (strategy, round) into every line of the trials in a folder."""
    for file in folder.glob("*/rounds.jsonl"):
        lines = [json.loads(line) for line in file.read_text().splitlines()]
        for line in lines:
            line["metrics"][name] = value(file.parent.name.split("-")[0], line["round"])
        file.write_text("".join(f"{json.dumps(line)}\n" for line in lines))


def test_the_report_of_a_loss_has_the_lower_one_win(made, tmp_path):
    give_metric(made, "Test Loss", lambda name, number: (2 if name == "direct" else 1) / number)
    written = write_report([made], tmp_path / "report", metric="Test Loss")
    assert "the lowest final test loss is that of margin in 2" in written.sentence
    assert "direct is behind margin in 2 of 2, random in 2 of 2" in written.sentence
    rows = list(csv.DictReader((tmp_path / "report" / "saved.csv").read_text().splitlines()))
    (ours,) = [row for row in rows if (row["strategy"], row["other"], row["noise"]) == ("direct", "margin", "0.1")]
    assert ours["saved"] == "-inf"
    assert float(ours["lead_high"]) < 0
    assert "less is better" in next((tmp_path / "report").glob("*curves.svg")).read_text()


def test_the_table_of_metrics_is_whole():
    """Every metric of the two hosts has one way, or a reason to have none."""
    parts = {part: (np.eye(3), np.arange(3)) for part in ("train", "val", "test")}
    names = set(multi_class_metrics(parts, dict.fromkeys(parts, 0.0), np.arange(2)))
    assert not HIGHER_IS_BETTER & LOWER_IS_BETTER
    assert not NO_DIRECTION.keys() & (HIGHER_IS_BETTER | LOWER_IS_BETTER)
    assert names <= HIGHER_IS_BETTER | LOWER_IS_BETTER | NO_DIRECTION.keys()


@pytest.mark.labelbench
@pytest.mark.parametrize("file", ["multi_class_metric.py", "multi_label_metric.py"])
def test_labelbenchs_metrics_are_in_the_table(file):
    from pathlib import Path

    source = (Path(os.environ["LABELBENCH_HOME"]) / "LabelBench" / "metric" / "metric_impl" / file).read_text()
    names = set(re.findall(r'"([A-Z][\w ]+)":', source))
    assert len(names) > 10
    assert names <= HIGHER_IS_BETTER | LOWER_IS_BETTER | NO_DIRECTION.keys()


def test_metrics_without_a_direction_are_refused_or_asked_for(made, tmp_path, capsys):
    give_metric(made, "My Distance", lambda name, number: (2 if name == "direct" else 1) / number)

    def report(*options):
        status = main(["report", str(made), "--output", str(tmp_path / "out"), *options])
        said = capsys.readouterr()
        return status, said.out + said.err

    status, said = report("--metric", "Num Labeled", "--better", "higher")
    assert status == 2
    assert "it is what the curves are drawn against" in said
    status, said = report("--metric", "My Distance")
    assert status == 2
    assert "say --better higher, or --better lower" in said
    assert not (tmp_path / "out").exists()
    status, said = report("--metric", "My Distance", "--better", "lower")
    assert status == 0
    assert "the lowest final my distance is that of margin" in said
    assert (
        "the highest final my distance is that of direct" in report("--metric", "My Distance", "--better", "higher")[1]
    )
    status, said = report("--better", "lower")
    assert status == 2
    assert "better the higher" in said


SEEN = {"threshold": 40, "version_spaces": [[10, 90], [38, 41]], "known": [[3, 50], [1, 0]], "asked": [[40], [1]]}


@pytest.mark.parametrize(
    "missing",
    [
        {"known": [[3, 50], [0, 0]], "asked": [[40], [0]]},
        {"known": [[], []], "asked": [[], []]},
        {"threshold": None, "version_spaces": []},
        {"threshold": None, "version_spaces": [], "known": [[], []], "asked": [[], []], "members": [0], "margin": [-1]},
    ],
)
@pytest.mark.parametrize("size", [1, 145, 100_000])
def test_rounds_without_labels_or_thresholds_are_pictured(tmp_path, missing, size):
    bins = np.linspace(1, 0, 100).tolist()
    seen = {**SEEN, "members": bins, "margin": bins, **missing}
    pictures = Pictures(tmp_path)
    found = {"num_examples": size, "classes": {"1": seen}}
    assert pictures.draw("one", "caption", lambda: draw_selection(found, "1", "class b"))
    assert pictures.notes == []


OTHERS = {
    **dict.fromkeys(
        (".DS_Store", "Thumbs.db", "._rounds.jsonl", "._trial.json", "._direct_1.pkl"), b"\x00\x05\x16\x07"
    ),
    **dict.fromkeys(("._direct-seed0-0123456789.jsonl", "rounds.jsonl~", "other/other.pkl"), b"\x00\x05\x16\x07"),
    **{"arrays.jsonl": b"[1, 2]\n[3]\n", "numbers.jsonl": b"1\n2\n", "blank.jsonl": b"\n\n{}\n", "empty.jsonl": b""},
    **{"words.jsonl": b"hello\n", "null.jsonl": b"null\n", "deep.jsonl": b"[" * 5000, "report.jsonl.part": b"half"},
    **{"empty/trial.json": b"", "list/trial.json": b"[1]", "other/trial.json": b'{"trial_id": "0", "score": 1}'},
    ".ipynb_checkpoints/trial.json": b"x",
}


def test_other_programs_files_are_none_of_ours(made, tmp_path):
    (trial,) = made.glob("direct-seed0-0.1-*")
    for folder in (made, trial):
        for name, content in OTHERS.items():
            (folder / name).parent.mkdir(exist_ok=True)
            (folder / name).write_bytes(content)
    for name in ("x.jsonl", "y/rounds.jsonl", "z/trial.json", "direct_1.pkl"):
        (made / name).mkdir(parents=True)
    lines = (trial / "rounds.jsonl").read_text()
    (trial / "rounds.jsonl").write_text(lines.replace("\n", "\n\n", 1) + " \n")
    shutil.copytree(trial, trial.parent / ".hidden")
    trials, notes = read_results([made])
    assert notes == []
    assert len(trials) == 18


def test_one_damaged_trial_is_named_and_left_out(made, tmp_path, capsys):
    broken = sorted(made.iterdir())[:7]
    lines = (broken[0] / "rounds.jsonl").read_text().splitlines(keepends=True)
    (broken[0] / "rounds.jsonl").write_text(lines[0] + "what?\n" + "".join(lines[1:]))
    (broken[1] / "rounds.jsonl").write_text("[1]\n")
    (broken[2] / "trial.json").write_bytes(b"\xff\xfe")
    (broken[3] / "trial.json").write_text('{"dataset": "d", "strategy": 1, "seed": 1, "batch_size": 10}')
    (broken[4] / "pool.json").unlink()
    (broken[5] / "rounds.jsonl").unlink()
    (broken[5] / "rounds.jsonl").mkdir()
    (broken[6] / "rounds.jsonl").write_text('{"round": 1, "last": true, "metrics": {}, "class_accuracies": []}\n')
    trials, notes = read_results([made])
    assert len(trials) == 11
    assert len(notes) == 7
    for path, note in zip(broken, notes, strict=True):
        assert path.name in note
        assert note.endswith(": left out")
    for path in set(made.iterdir()) - set(broken):
        shutil.rmtree(path)
    assert main(["report", str(made), "--output", str(tmp_path / "out")]) == 2
    assert "; and 2 more" in capsys.readouterr().err


def test_runs_that_stopped_half_way_are_said(made):
    folder = made / "fmow"
    folder.mkdir()
    append_line(
        folder / "a.jsonl.part", {"kind": "trial", "host": "labelbench", "strategy": {"strategy_name": "direct"}}
    )
    (folder / "direct-seed1-0123456789.jsonl").touch()
    (folder / "direct-seed2-0123456789.jsonl.part").touch()
    (folder / "download.part").write_text("half")
    _, (first, second, third) = read_results([made])
    assert "a.jsonl.part is a LabelBench run that is not finished" in first
    assert "direct-seed1-0123456789.jsonl has no finished round yet" in second
    assert "direct-seed2-0123456789.jsonl.part is a LabelBench run that is not finished" in third


def test_equal_curves_are_level():
    """The same numbers added in another order differ in their last digit."""
    for seed in range(30):
        rng = np.random.default_rng(seed)
        values = np.sort(rng.random((5, 3)).round(3), axis=1)
        ours = curves(*values)
        theirs = replace(ours, metrics={"acc": values.copy()})
        assert saved(ours, theirs, "acc").low >= 0, "it is reached with the last labels at the latest"
        assert ours.labels_to_reach("acc", values[rng.permutation(5)].mean(axis=0)[-1]) is not None
        assert lead(ours, theirs, "acc")[1:] == (0, 0)
    assert conclusion({"a": ours, "b": theirs}, "acc").endswith("the highest final acc is a's and b's, 0.590.")


def test_strategies_are_compared_where_both_have_been():
    """One goes on longer, and with a seed more in which all is easy; the other has stopped half-way."""
    made = {
        "ours": Curves(np.array([10.0, 20.0]), {"acc": np.array([[0.2, 0.4]])}, (0,)),
        "longer": curves([0.1, 0.3, 0.9], [0.9, 0.9, 0.9]),
        "same": Curves(np.array([10.0, 20.0]), {"acc": np.array([[0.1, 0.6]])}, (0,)),
        "shorter": Curves(np.array([10.0]), {"acc": np.array([[0.1]])}, (0,)),
        "elsewhere": Curves(np.array([10.0]), {"acc": np.array([[0.1]])}, (7,)),
    }
    names = ("ours", "longer", "same", "shorter")
    said = conclusion({name: made[name] for name in names}, "acc")
    assert said == (
        "ours reaches what 20 labels give longer with 20, what 10 labels give shorter with 10 and does not reach what "
        "20 labels give same; the highest acc after the last round that all have is ours's, 0.200."
    )
    table = saved_table(made, "acc")
    rows = [[cell.strip() for cell in line.strip("|").split("|")] for line in table.splitlines() if "|" in line]
    assert rows[2][3:] == ["", "20 (0%)", "never", "10 (0%)", "no common seed"]
    assert [row[2] for row in rows[3:]] == ["-0.100", "+0.050", "-0.100", ""]


def change(path, **changes):
    path.write_text(json.dumps({**json.loads(path.read_text()), **changes}))


DAMAGE = {
    "rounds 1 to 2, each once, got [1, 3]": lambda lines: [lines[0], lines[2]],
    "rounds 1 to 5, each once, got [1, 2, 2, 3, 4]": lambda lines: [*lines[:2], *lines[1:]],
    "'Num Labeled' to rise": lambda lines: [lines[0].replace('"Num Labeled":10', '"Num Labeled":20'), *lines[1:]],
    "a selection of other classes": lambda lines: [lines[0], lines[1].replace('{"1"', '{"4"'), *lines[2:]],
}


@pytest.mark.parametrize("message", DAMAGE)
def test_rounds_that_do_not_fit_together_are_left_out(made, message):
    (path,) = made.glob("direct-seed1-0.1-*")
    lines = (path / "rounds.jsonl").read_text().splitlines(keepends=True)
    (path / "rounds.jsonl").write_text("".join(DAMAGE[message](lines)))
    trials, (note,) = read_results([made])
    assert len(trials) == 17
    assert message in note
    assert path.name in note


@pytest.mark.parametrize(
    "changes", [{"classes": None}, {"classes": ["a"]}, {"examples": "many"}, {"notes": 5}, {"class_counts": True}]
)
def test_data_that_are_not_described_are_left_out(made, tmp_path, changes):
    (path,) = made.glob("direct-seed1-0.1-*")
    change(path / "pool.json", **changes)
    written = write_report([made], tmp_path / "report")
    assert f"{path / 'pool.json'} is damaged: restore it, or move its folder away: left out" in written.notes
    assert "17 trials" in written.page.read_text()


def test_versions_that_differ_are_said(made):
    (path,) = made.glob("direct-seed1-0.1-*")
    change(path / "trial.json", versions={**versions(None), "labelbench_direct": "0.0.1"})
    trials, notes = read_results([made])
    assert notes == []
    group(trials, notes)
    (note,) = notes
    assert "noise 0.1: trials of different versions are compared (labelbench_direct 0." in note


def test_accuracies_by_class_are_those_of_the_last_drawn_round(tmp_path):
    for seed in (0, 1):
        make_trial(tmp_path, "margin", seed, 0.9, done=4 - 2 * seed)
    trials, notes = read_results([tmp_path])
    (one,) = group(trials, notes)
    axes = frequency_bins(one, styles(["margin"])).axes[0]
    points = [line.get_ydata()[0] for line in axes.lines if line.get_linestyle() == "None"]
    assert points == pytest.approx([one.curves["margin"].mean(BALANCED_TEST)[1]] * 4)


def test_trials_that_were_trained_otherwise_are_shown_apart(tmp_path):
    """On another host, or with other options of LabelBench's model and trainer, whose names are the same."""
    for seed, options in enumerate(({"lr": 0.1}, {"lr": 0.3}, {"lr": 0.3, "epochs": 2})):
        names = {"model": {"model_name": "mlp"}, "trainer": {"trainer_name": "pytorch_passive", **options}}
        make_trial(tmp_path, "margin", seed, 0.7, host="labelbench", **names)
    make_trial(tmp_path, "margin", 0, 0.9)
    trials, notes = read_results([tmp_path])
    assert [one.setting.trainer for one in group(trials, notes)] == [
        "passive host=labelbench trainer.lr=0.1",
        "passive host=embedded",
        "passive host=labelbench trainer.lr=0.3",
        "passive host=labelbench trainer.lr=0.3 trainer.epochs=2",
    ]


def test_an_option_that_is_null_is_one(tmp_path):
    make_trial(tmp_path, "margin", 0, 0.7)
    make_trial(tmp_path, "margin", 0, 0.7, strategy={"share": None})
    trials, notes = read_results([tmp_path])
    assert set(group(trials, notes)[0].curves) == {"margin", "margin share=None"}
