"""The ways into LabelBench, what is said before a run, and the JSON lines: on a stand-in for a checkout."""

import json
import os
import subprocess
import sys
import time

import numpy as np
import pytest
import torch
from fake_labelbench import write_checkout
from sweeps import wait_for_end

from labelbench_direct import cli
from labelbench_direct.hosts.labelbench import bridges, configurations, datasets, doctor
from labelbench_direct.hosts.labelbench import checkout as checkouts
from labelbench_direct.hosts.labelbench.bridges import BRIDGES
from labelbench_direct.hosts.labelbench.checks import check_features
from labelbench_direct.hosts.labelbench.corrupters import noisy_random
from labelbench_direct.hosts.labelbench.launch import environment
from labelbench_direct.hosts.labelbench.program import read_run
from labelbench_direct.hosts.labelbench.published import check_counts
from labelbench_direct.hosts.labelbench.run import child_command
from labelbench_direct.hosts.labelbench.sink import Sink
from labelbench_direct.hosts.loop import first_batch
from labelbench_direct.report.read import read_results

ARGUMENTS = {
    "seed": "7",
    "wandb_name": "nobody",
    "dataset": "sixty",
    "data_dir": "data",
    "metric": "multi_class",
    "batch_size": "10",
    "num_batch": "3",
    "classifier_model_config": "linear.json",
    "strategy_config": "direct.json",
    "trainer_config": "passive.json",
    "corrupter_config": "noisy_random.json",
}


@pytest.fixture
def checkout(tmp_path):
    return write_checkout(tmp_path / "LabelBench")


def words(**changes):
    return [word for name, value in {**ARGUMENTS, **changes}.items() for word in (f"--{name}", value)]


@pytest.fixture
def run(checkout, tmp_path, monkeypatch, capfd):
    """Run a command line in the checkout; its exit status, standard error, and what wandb logged."""
    log = tmp_path / "wandb.jsonl"
    monkeypatch.setenv("FAKE_WANDB", str(log))
    monkeypatch.setenv("LABELBENCH_HOME", str(checkout))
    monkeypatch.setenv("LABELBENCH_DIRECT_LOG", str(tmp_path / "lines"))
    monkeypatch.chdir(tmp_path)

    def start(*command, plain=False):
        if plain:
            status = subprocess.run([sys.executable, *command], cwd=checkout, check=False).returncode
        else:
            status = cli.main(["labelbench", "--device", "cpu", "--wandb", "disabled", "--", *command])
        logged = [json.loads(line) for line in log.read_text().splitlines()] if log.exists() else []
        return status, capfd.readouterr().err, logged

    return start


def lines_of(folder):
    return [[json.loads(line) for line in path.read_text().splitlines()] for path in sorted(folder.rglob("*.jsonl"))]


def test_launched_run_uses_ours_and_writes_lines_beside_labelbenchs_log(run, tmp_path):
    status, errors, logged = run(*words())
    assert status == 0, errors
    ((trial, *rounds),) = lines_of(tmp_path / "lines" / "sixty")
    assert trial["strategy"] == {"strategy_name": "direct", "B1": 20, "min_budget_per_class": 60}
    assert trial["corrupter"] == {"name": "noisy_random", "p": 0.1}
    assert (trial["seed"], trial["dataset"], trial["commit"]) == (7, "sixty", None)
    assert [line["round"] for line in rounds] == [1, 2, 3]
    assert rounds[0]["indices"] == first_batch(60, 10, 7).tolist(), "nothing of ours drew before the first batch"
    indices = [index for line in rounds for index in line["indices"]]
    assert len(set(indices)) == 30
    assert [int(line["Label index"]) for line in logged if "i" in line] == indices
    labels = np.array([label for line in rounds for label in line["labels"]])
    assert 0 < (labels != np.array(indices) % 3).sum() <= 6, "labels are those that training sees"
    assert [line["data"]["class_counts"] for line in rounds if "data" in line] == [[20, 20, 20]], "the true ones, once"
    ((trial,), _) = read_results([tmp_path / "lines"])
    assert trial.metrics["Balanced Test Accuracy"].tolist() == [0.5] * 3
    assert trial.pool["checksum"] == rounds[0]["data"]["checksum"]


def test_trials_write_where_the_command_is_given_whatever_is_relative(checkout, tmp_path):
    """One worker for all, LabelBench changing the working directory in each trial; odd names."""
    (checkout / "configs/trainer/passive.json").write_text('{"trainer_name": "pytorch_passive"}')
    start = tmp_path / "a b\N{SNOWMAN}"
    start.mkdir()
    (tmp_path / "linked").symlink_to(checkout)
    before = [path for path in sorted(checkout.rglob("*")) if "__pycache__" not in path.parts]
    stated = {"dataset": "sixty", "model": {"name": "linear.json"}, "trainer": {"name": "passive.json"}, "rounds": 2}
    stated |= {"strategies": ["direct", "margin"], "seeds": [0, 1], "noise": [0], "batch_size": 10, "parallel": [5]}
    (start / "experiment.json").write_text(json.dumps(stated))
    command = ["compare", "--experiment", "experiment.json", "--host", "labelbench", "--home", "../linked"]
    command += ["--device", "cpu", "--workers", "1", "--output", "out/put", "--data-dir", "own data"]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(map(str, filter(None, sys.path)))}
    command = [sys.executable, "-m", "labelbench_direct.cli", *command]
    process = subprocess.run(command, cwd=start, env=environment, capture_output=True, text=True, check=False)
    assert process.returncode == 0, process.stdout + process.stderr
    assert [path for path in sorted(checkout.rglob("*")) if "__pycache__" not in path.parts] == before
    assert sorted(path.name for path in start.iterdir()) == ["experiment.json", "out", "own data"]
    assert [path.name for path in (start / "own data").iterdir()] == ["labels_sixty.pt"]
    assert [len(path.read_bytes().splitlines()) for path in (start / "out/put").glob("*/rounds.jsonl")] == [2] * 4
    assert (start / "out/put/curves.png").is_file()


def test_what_was_logged_is_read_back_without_an_account(run, checkout, tmp_path):
    """In the folder in which LabelBench fetches results, by its ``wandb.Api``."""
    _, _, (init, *logged) = run(*words())
    for number, content in enumerate((b"", b"[1, 2]\n", b"hello\n", b"\x00\x05\xff", b"1\n")):
        (tmp_path / "lines" / f"{number}.jsonl").write_bytes(content)  # other programs'
    status, errors, _ = run("results/fetch_wandb_training.py", "Active Learning, sixty, Batch Size=10")
    assert status == 0, errors
    assert errors.count("bridge ") == errors.count("bridge wandb") == 1
    ((name, config, rows, labels),) = json.loads((checkout / "results/fetched.json").read_text())
    assert name == "a run"
    assert str(config) == init["config"]
    assert [row.pop("_step") for row in rows] == list(range(33))
    as_logged = [{key: float(value) for key, value in row.items()} for row in logged]
    assert rows == as_logged
    assert labels == 30


def test_a_project_without_runs_is_named(run):
    run(*words())
    status, errors, _ = run("results/fetch_wandb_training.py", "Active Learning, sixtie, Batch Size=10")
    assert status == 1
    assert "no finished run of 'Active Learning, sixtie, Batch Size=10'" in errors
    assert "there are 'Active Learning, sixty, Batch Size=10'" in errors


def test_evaluations_of_several_strategies_have_files_of_their_own(checkout, tmp_path, monkeypatch):
    monkeypatch.chdir(checkout)
    arguments = {
        "wandb_project": "Active Learning, sixty, Batch Size=10",
        "eval_batch_size": "10",
        "eval_num_batch": "2",
        "eval_classifier_model_config": "linear.json",
        "eval_trainer_config": "passive.json",
    }
    changes = [{"strategy_config": "direct"}, {"strategy_config": "margin_sampling"}]
    changes.append({"strategy_config": "direct", "classifier_model_config": "shallow"})
    names = []
    for change in changes:
        sink = Sink(read_run(words(**arguments, **change)), tmp_path, checkout)
        sink.finish()
        names.append(sink.path.name)
    assert [name.rpartition("-seed7")[0] for name in names] == [
        "evaluation-direct",
        "evaluation-margin_sampling",
        "evaluation-direct",
    ]
    assert len(set(names)) == 3, "another proxy's is another file"
    del arguments["wandb_project"]
    assert read_run(words(**arguments)) is None, "LabelBench cannot do without it"


def test_labelbenchs_own_configurations_come_first(run, checkout, tmp_path):
    (checkout / "configs/strategy/direct.json").write_text('{"strategy_name": "direct", "B1": 1}')
    status, errors, _ = run("main.py", *words())
    assert status == 0, errors
    assert lines_of(tmp_path / "lines")[0][0]["strategy"] == {"strategy_name": "direct", "B1": 1}


@pytest.mark.parametrize("reverse", ["", "1"])
def test_installed_plugin_serves_plain_main_in_any_directory_order(run, tmp_path, monkeypatch, reverse):
    monkeypatch.setenv("REVERSE", reverse)
    assert cli.main(["install"]) == 0
    status, errors, _ = run("main.py", *words(), plain=True)
    assert status == 0, errors
    ((trial, *rounds),) = lines_of(tmp_path / "lines")
    assert trial["strategy"]["B1"] == 20
    assert rounds[0]["indices"] == first_batch(60, 10, 7).tolist()
    status, errors, _ = run(*words())
    assert status == 0, f"both ways in at once: {errors}"
    assert cli.main(["uninstall"]) == 0
    status, errors, _ = run("main.py", *words(), plain=True)
    assert "FileNotFoundError" in errors, "direct.json is ours"


def test_launchers_children_are_registered(run, tmp_path):
    status, errors, _ = run("mp_launcher.py", *words()[2:])
    assert status == 0, errors
    assert [lines[0]["seed"] for lines in lines_of(tmp_path / "lines")] == [1, 2]


def test_a_launcher_fails_when_its_children_do(run):
    status, errors, _ = run("mp_launcher.py", *words(strategy_config="nobody.json")[2:])
    assert status == 1
    assert "2 of 2 runs failed" in errors


def test_launched_programs_end_with_the_command(checkout, tmp_path):
    """Killed hard, it cannot end them; the launcher cannot end its own children either."""
    (checkout / "main.py").write_text(
        "import os, sys, time\nopen(os.path.join(sys.argv[2], str(os.getpid())), 'w').close()\ntime.sleep(600)"
    )
    (checkout / "mp_launcher.py").write_text(
        "import subprocess, sys\n"
        "for child in [subprocess.Popen(['python3', 'main.py', *sys.argv[1:]]) for _ in range(2)]:\n    child.wait()"
    )
    pids = tmp_path / "pids"
    pids.mkdir()
    command = ["labelbench", "--home", str(checkout), "--wandb", "disabled", "--", "mp_launcher.py", "--ids", str(pids)]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
    process = subprocess.Popen([sys.executable, "-m", "labelbench_direct.cli", *command], env=environment)
    deadline = time.monotonic() + 120
    while len(list(pids.iterdir())) < 2 and time.monotonic() < deadline:
        time.sleep(0.2)
    process.kill()
    process.wait()
    assert [wait_for_end(int(path.name)) for path in pids.iterdir()] == [True, True]


def test_only_labelbenchs_programs_are_wrapped():
    for program in ("main.py", "point_evaluation.py"):
        expected = ["-m", "labelbench_direct.hosts.labelbench.run", program, "--seed"]
        assert child_command(["python3", program, "--seed"])[1:] == expected
    assert child_command(["python3", "other.py"]) == ["python3", "other.py"]
    assert child_command(["git"]) == ["git"]


def test_an_unknown_program_is_refused(run):
    status, errors, _ = run("train.py")
    assert status == 2
    assert "'train.py' is not one of LabelBench's programs; there are main.py" in errors


OWN_FILES = {
    "typo": '{"strategy_name": "direct", "b1": 20}',
    "list": "[]",
    "broken": "{",
    "anonymous": "{}",
    "embedding": '{"trainer_name": "pytorch_passive", "use_embedding": true}',
    "percent": '{"name": "noisy_random", "percent": 10}',
}
REFUSED = [
    (
        {"strategy_config": "nobody.json"},
        "unknown strategy name 'direkt' (is 'direct' meant?); there are base, cluster_margin, direct, ",
    ),
    ({"strategy_config": "absent.json"}, "no strategy configuration 'absent.json', neither in LabelBench's"),
    ({"strategy_config": "OWN/typo.json"}, "unknown key 'b1' in "),
    ({"strategy_config": "OWN/list.json"}, "must be a JSON object, got list"),
    ({"strategy_config": "OWN/broken.json"}, "is not JSON"),
    ({"strategy_config": "OWN/anonymous.json"}, "has no 'strategy_name'"),
    ({"trainer_config": "OWN/embedding.json"}, "unknown key 'use_embedding' in "),
    ({"corrupter_config": "OWN/percent.json"}, "unknown key 'percent' in "),
    ({"dataset": "sixtie"}, "unknown data set 'sixtie' (is 'sixty' meant?)"),
    ({"dataset": "tags"}, "strategy 'direct' needs one class for each example; 'tags' is multi-label"),
    ({"trainer_config": "sklearn.json"}, "needs graded scores, and trainer 'sklearn_passive'"),
    ({"trainer_config": "large.json"}, "rounds 1 to 3 would train nothing"),
    (
        {"trainer_config": "flexmatch.json"},
        "in round 2 only 40 of 60 examples are unlabeled, fewer than one batch of 45",
    ),
    ({"trainer_config": "on_embeddings.json"}, "needs num_transform_seeds of at least 2"),
]
CHECK = """
import json, sys
from pathlib import Path
from labelbench_direct.hosts.labelbench import checks, plugin, program
plugin.activate()
answers = []
for words in json.loads(sys.argv[1]):
    try:
        run = program.read_run(words)
        checks.check_run(run, Path.cwd())
        checks.check_loaded(run, 60)
        answers.append("nothing")
    except (ValueError, OSError) as error:
        answers.append(str(error))
print(json.dumps(answers))
"""


@pytest.fixture(scope="module")
def complaints(tmp_path_factory):
    """What is said of each of ``REFUSED``, by one process for all."""
    folder = tmp_path_factory.mktemp("refused")
    for name, text in OWN_FILES.items():
        (folder / f"{name}.json").write_text(text)
    checkout = write_checkout(folder / "LabelBench")
    runs = [words(**{name: value.replace("OWN", str(folder)) for name, value in case.items()}) for case, _ in REFUSED]
    command = [sys.executable, "-c", CHECK, json.dumps(runs)]
    process = subprocess.run(command, cwd=checkout, capture_output=True, text=True, check=False)
    assert process.returncode == 0, process.stderr
    return json.loads(process.stdout)


@pytest.mark.parametrize("number", range(len(REFUSED)), ids=[message for _, message in REFUSED])
def test_bad_input_is_refused(complaints, number):
    assert REFUSED[number][1] in complaints[number]


@pytest.mark.parametrize("changes", [{"strategy_config": "nobody.json"}, {"trainer_config": "large.json"}])
def test_refusing_comes_before_training(run, changes):
    status, errors, logged = run(*words(**changes))
    assert status == 1
    assert "direkt" in errors or "would train nothing" in errors
    assert not [line for line in logged if "Epoch" in line]


def test_a_run_says_once_what_is_bridged_and_what_is_odd(run, checkout):
    status, errors, logged = run(*words())
    assert status == 0
    weights = next(bridge for bridge in BRIDGES if bridge.name == "weights-only")  # torch 2.6 and newer
    assert errors.count(f"(answers {weights.answers})") == weights.is_needed(checkout)
    for line in (
        "bridge cpu: CUDA is hard-coded",
        "warning: unknown key 'use_embedding' in",  # in LabelBench's own file, which is to be used as it is
        "(is 'use_embeddings' meant?)",
        "warning: cannot tell which LabelBench commit",
    ):
        assert errors.count(line) == 1, line
    assert "'strategy_config': 'direct.json'" in logged[0]["config"], "names of result files are made from it"


def test_a_bridge_goes_when_labelbench_needs_it_no_longer(run, checkout):
    with (checkout / "LabelBench/dataset/datasets.py").open("a") as file:
        file.write("# torch.load(..., weights_only=False)\n")
    _, errors, _ = run(*words())
    assert "bridge cpu" in errors
    assert "bridge weights-only" not in errors


@pytest.mark.parametrize(
    ("platform", "method", "needed"),
    [("linux", "fork", False), ("linux", "forkserver", True), ("linux", "spawn", True), ("darwin", "spawn", False)],
)
def test_workers_are_forked_where_they_would_be_started_afresh(monkeypatch, tmp_path, platform, method, needed):
    (bridge,) = (bridge for bridge in BRIDGES if bridge.name == "fork")
    monkeypatch.setattr(sys, "platform", platform)
    monkeypatch.setattr("multiprocessing.get_start_method", lambda allow_none: method)
    assert bridge.is_needed(tmp_path) == needed


def test_missing_arguments_are_left_to_labelbench(run):
    status, errors, _ = run("--seed", "one")
    assert status == 2
    assert "argument --seed: invalid int value: 'one'" in errors


@pytest.mark.parametrize("pair", [False, True])
def test_embeddings_that_do_not_vary_are_refused(pair):
    features = np.random.default_rng(0).random((9, 5))
    check_features((features, features) if pair else features)
    features[:, 3] = 0.25
    with pytest.raises(ValueError, match=r"1 columns of the pool's embeddings do not vary \(column 3 is the first\)"):
        check_features((features, features) if pair else features)


def test_no_checkout(tmp_path, monkeypatch, capsys):
    monkeypatch.delenv("LABELBENCH_HOME", raising=False)
    for home, message in (
        ([], "no LabelBench checkout: pass --home CHECKOUT or set LABELBENCH_HOME"),
        (["--home", str(tmp_path / "absent")], "there is no such folder"),
        (["--home", str(tmp_path)], "is not a LabelBench checkout: it has no main.py"),
    ):
        for command in ("labelbench", "install", "uninstall", "doctor"):
            assert cli.main([command, *home]) == 2
            assert message in capsys.readouterr().err


def test_another_commit_and_changed_files_are_named(checkout):
    def git(*arguments):
        identity = ("-c", "user.name=a", "-c", "user.email=a@example.org")
        command = ["git", "-C", str(checkout), *identity, *arguments]
        return subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip()

    assert "cannot tell which LabelBench commit" in checkouts.commit_warning(checkout)
    git("init", "-q")
    git("add", "-A")
    git("commit", "-qm", "a")
    commit = git("rev-parse", "HEAD")
    assert f"is at commit {commit}; this package was tested with 9e23393" in checkouts.commit_warning(checkout)


def test_changed_files_of_the_known_commit_are_named(checkout, monkeypatch):
    subprocess.run(["git", "init", "-q", str(checkout)], check=True)
    answers = {"rev-parse": checkouts.KNOWN_COMMIT, "status": " M main.py"}
    monkeypatch.setattr(checkouts, "_git", lambda folder, *arguments: answers[arguments[0]])
    assert checkouts.commit_warning(checkout).endswith("has changed files: main.py")
    answers["status"] = ""
    assert checkouts.commit_warning(checkout) is None


def test_install_and_uninstall_say_what_they_did(checkout, capsys):
    home, plugin = ["--home", str(checkout)], checkout / "LabelBench/strategy/strategy_impl/labelbench_direct_plugin.py"
    before = sorted(checkout.rglob("*"))
    for command, answer in (
        ("uninstall", "nothing to take out"),
        ("install", "wrote "),
        ("install", "already there"),
        ("uninstall", "removed "),
    ):
        assert cli.main([command, *home]) == 0
        out = capsys.readouterr().out
        assert answer in out
        assert str(plugin) in out
    assert sorted(checkout.rglob("*")) == before
    plugin.write_text("somebody else's")
    for command in ("install", "uninstall"):
        assert cli.main([command, *home]) == 2
        assert "was not written by this package" in capsys.readouterr().err
    assert plugin.read_text() == "somebody else's"


def test_doctor_says_what_is_missing_and_what_mends_it(checkout, capsys, monkeypatch):
    monkeypatch.setattr(doctor, "_PACKAGES", {"json": "nobody", "no_such_module": "no-such-package"})
    assert cli.main(["doctor", "--home", str(checkout)]) == 1
    out = capsys.readouterr().out
    for line in (
        "note     cannot tell which LabelBench commit",
        "note     for plain `python main.py` in the checkout: labelbench-direct install",
        "ok       this package's configurations are there",
        "missing  module no_such_module: pip install 'labelbench-direct[labelbench]'",
    ):
        assert line in out


@pytest.mark.parametrize("breaks", [False, True])
def test_doctor_starts_labelbench_for_real(checkout, monkeypatch, breaks):
    if breaks:
        (checkout / "LabelBench/model/model.py").write_text("import no_such_module")
    found = doctor.start(checkout)
    assert (found.status, "No module named 'no_such_module'" in found.text) == (
        ("missing", True) if breaks else ("ok", False)
    )


def test_children_inherit_the_flags(checkout, tmp_path, monkeypatch):
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join(("elsewhere", "")))
    monkeypatch.chdir(tmp_path)
    variables = environment(checkout, device="cpu", wandb="offline", log=tmp_path)
    assert variables["PYTHONPATH"].split(os.pathsep) == [str(checkout), str(tmp_path / "elsewhere")]
    assert variables["LABELBENCH_DIRECT_DEVICE"] == "cpu"
    assert variables["WANDB_MODE"] == "offline"
    assert variables["LABELBENCH_DIRECT_LOG"] == str(tmp_path)


def iwildcam_labels(rarest):
    """As many labels as iWildCam has, 65,646 of the most common class."""
    counts = [65_646, rarest, *[5_346] * 12]
    counts[-1] += 129_809 - sum(counts)
    return np.repeat(np.arange(14), counts)


def test_counts_as_published_pass(tmp_path):
    check_counts("iwildcam", iwildcam_labels(3), 14, str(tmp_path))


@pytest.mark.parametrize(
    ("labels", "num_classes"),
    [(iwildcam_labels(4), 14), (iwildcam_labels(3)[1:], 14), (iwildcam_labels(3), 15)],
    ids=["imbalance", "N", "K"],
)
def test_other_counts_are_refused_and_say_how_to_allow_them(tmp_path, labels, num_classes):
    with pytest.raises(ValueError, match=r"expected: K = 14, N = 129809, imbalance ratio 4\.57e-05") as refusal:
        check_counts("iwildcam", labels, num_classes, str(tmp_path))
    (tmp_path / "expected_counts.json").write_text(str(refusal.value).split("expected_counts.json: ")[1])
    check_counts("iwildcam", labels, num_classes, str(tmp_path))
    with pytest.raises(ValueError, match="expected: K = 62"):
        check_counts("fmow", labels, num_classes, str(tmp_path))


def test_a_wilds_data_set_that_is_not_there_is_named_with_where_it_is_published(tmp_path):
    def get(data_dir):
        return (tmp_path / "metadata.csv").open()

    with pytest.raises(FileNotFoundError, match=r"metadata\.csv is not there: fmow in .* https://wilds\.stanford\.edu"):
        datasets._with_counts("fmow", get)(str(tmp_path))


def test_bad_counts_of_ones_own_are_refused(tmp_path):
    (tmp_path / "expected_counts.json").write_text('{"fmow": {"classes": 62}}')
    with pytest.raises(ValueError, match="'fmow' needs classes, imbalance, pool, got"):
        check_counts("fmow", np.zeros(1, dtype=int), 62, str(tmp_path))


@pytest.mark.parametrize(
    ("config", "error", "message"),
    [
        ({}, ValueError, "needs p, the share"),
        ({"p": 2}, ValueError, "between 0 and 1"),
        ({"p": 0.1, "sede": 3}, ValueError, "unknown key 'sede'"),
        ({"p": 0.1, "seed": "3"}, TypeError, "seed must be an integer"),
    ],
)
def test_bad_noise_is_refused(config, error, message):
    with pytest.raises(error, match=message):
        noisy_random({"name": "noisy_random", **config}, np.eye(3))


def test_every_configuration_is_json_under_a_kind():
    own = configurations.own_folder()
    experiments = {own / name for name in ("experiments", "evidence", "explore")}  # of another form, for `compare`
    files = [file for file in own.rglob("*.json") if not experiments & set(file.parents)]
    assert files
    for file in files:
        kind, *rest = file.relative_to(own).parts
        assert kind in configurations.KINDS
        assert configurations.read_configuration(kind, "/".join(rest))


@pytest.mark.parametrize("content", [b"", b"PK\3\4 half of it"])
def test_labelbenchs_damaged_caches_are_named(tmp_path, monkeypatch, content):
    cache = tmp_path / "labels_sixty_train.pt"
    cache.write_bytes(content)
    monkeypatch.setattr(torch, "load", torch.load)
    bridges._load_own_caches()
    with pytest.raises(ValueError, match=r"cache .*labels_sixty_train.pt cannot be read .*: delete it, and LabelBench"):
        eval("load(path)", {"__name__": "LabelBench.dataset.datasets", "load": torch.load, "path": cache})  # its module
    with pytest.raises((EOFError, RuntimeError)):
        torch.load(cache)
