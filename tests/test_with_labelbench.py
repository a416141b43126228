"""The real LabelBench, from the checkout that LABELBENCH_HOME names, on the CPU; needs the extra ``labelbench``."""

import json
import os
import pickle
import shutil
import subprocess
import sys
import textwrap
from pathlib import Path

import numpy as np
import pytest
import tiny_datasets

from labelbench_direct.hosts.embedded.data.catalog import load
from labelbench_direct.hosts.labelbench.bridges import BRIDGES
from labelbench_direct.hosts.labelbench.checkout import KNOWN_COMMIT, commit_of, find_checkout, install
from labelbench_direct.hosts.labelbench.configurations import own_folder, read_configuration
from labelbench_direct.hosts.labelbench.launch import environment, launch
from labelbench_direct.hosts.loop import first_batch

pytestmark = pytest.mark.labelbench

DIGITS = len(load("digits").train.labels)


@pytest.fixture(scope="session")
def checkout(tmp_path_factory):
    """A clone of the checkout: nothing is ever written into the one that LABELBENCH_HOME names."""
    clone = tmp_path_factory.mktemp("home") / "LabelBench"
    home = find_checkout(None)
    subprocess.run(["git", "clone", "-q", "--shared", str(home), str(clone)], check=True)
    return find_checkout(str(clone))


@pytest.fixture
def python(checkout):
    """Run code with LabelBench importable; what it prints last, from JSON."""

    def run(code):
        process = subprocess.run(
            [sys.executable, "-c", textwrap.dedent(code)],
            cwd=checkout,
            env=environment(checkout, device="cpu", wandb="disabled"),
            capture_output=True,
            text=True,
            check=False,
        )
        assert process.returncode == 0, process.stderr
        return json.loads(process.stdout.splitlines()[-1])

    return run


def lines_of(folder):
    return [[json.loads(line) for line in path.read_text().splitlines()] for path in sorted(folder.rglob("*.jsonl"))]


def flags(**values):
    return [word for name, value in values.items() for word in (f"--{name}", str(value))]


def words(**values):
    return flags(**{"wandb_name": "nobody", "metric": "multi_class", **values})


def digits(folder, trainer="passive", **changes):
    return words(
        **{
            "dataset": "digits_imb_3",
            "data_dir": folder / "data",
            "batch_size": 40,
            "num_batch": 3,
            "classifier_model_config": "linear_digits.json",
            "trainer_config": f"digits/{trainer}/linear.json",
            "corrupter_config": "noisy_random.json",
            **changes,
        }
    )


@pytest.mark.parametrize("bridge", BRIDGES, ids=lambda bridge: bridge.name)
def test_bridges_name_the_line_that_they_answer(checkout, bridge):
    if commit_of(checkout) != KNOWN_COMMIT:
        pytest.skip("another commit's lines")
    file, line = bridge.answers.split(":")
    assert bridge.code in (checkout / file).read_text().splitlines()[int(line) - 1]


def test_only_labelbenchs_misspelled_keys_are_complained_of(python):
    """Over every configuration there is, LabelBench's and ours."""
    complaints = python(
        """
        import json
        from pathlib import Path
        from labelbench_direct.hosts.labelbench import checks, configurations, plugin
        from labelbench_direct.hosts.labelbench.program import Run
        plugin.activate()
        complaints = []
        for folder in (Path("configs").resolve(), configurations.own_folder()):
            for file in folder.rglob("*.json"):
                kind = file.relative_to(folder).parts[0]
                if kind not in configurations.KINDS:
                    continue  # experiments of the embedded host
                configuration = configurations.read_configuration(kind, str(file))
                if configuration.get("model_name") != "resnet18":  # LabelBench no longer has it
                    run = Run("", 0, 1, 1, {kind: str(file)}, {kind: configuration})
                    complaints += checks.check_keys(run, kind, Path.cwd())
        print(json.dumps(complaints))
        """
    )
    assert len(complaints) == 7
    assert all("unknown key 'use_embedding' in " in complaint for complaint in complaints)


def test_what_labelbench_has_stays_its_own(python):
    """In every registry: other than it, entries of these names do what is said in the documentation."""
    changed, added = python(
        """
        import json
        from labelbench_direct.hosts.labelbench import checks, plugin
        kinds = ("strategy", "trainer", "model", "corrupter", "dataset")
        before = {kind: dict(checks.registry(kind)) for kind in kinds}
        plugin.activate()
        after = {kind: checks.registry(kind) for kind in kinds}
        changed = [name for kind in kinds for name in before[kind] if after[kind].get(name) != before[kind][name]]
        added = {kind: sorted(after[kind].keys() - before[kind].keys()) for kind in kinds}
        print(json.dumps([changed, added]))
        """
    )
    assert sorted(changed) == ["direct", "fmow", "iwildcam"]
    own = [name for name in added.pop("strategy") if not name.startswith("labelbench_direct.")]
    assert own == ["base", "cluster_margin", "direct_explore", "direct_labelbench", "most_likely_positive", "similar"]
    small = [f"{name}{ending}" for name in ("digits", "mnist5k") for ending in ("", "_imb", "_lt")]
    assert added == {
        "trainer": [],
        "model": ["open_clip_vitb32"],
        "corrupter": ["noisy_random"],
        "dataset": sorted(["imagenet_lt", "inaturalist", "inaturalist_2017", *small]),
    }


@pytest.mark.parametrize("name", ["fmow", "iwildcam"])
def test_settings_are_labelbenchs_where_it_has_them(checkout, name):
    files = sorted((checkout / "configs/trainer" / name).glob("*/clip_ViTB32_[fl]*"))
    compared = 0
    for file in files:
        ours = own_folder() / "trainer" / name / file.parent.name / f"open_{file.name}"
        if ours.exists():
            theirs = json.loads(file.read_text())
            theirs.setdefault("use_embeddings", theirs.pop("use_embedding", False))
            assert json.loads(ours.read_text()) == theirs
            compared += 1
    assert compared >= 6


@pytest.mark.parametrize("trainer", ["passive", "flexmatch"])
def test_main_on_real_digits(checkout, tmp_path, trainer):
    """DIRECT and LabelBench's own strategies, by its own launcher, on the same noisy digits."""
    strategies = ["direct.json", *(f"{name}_sampling.json" for name in ("margin", "galaxy", "badge", "random"))]
    arguments = ["mp_launcher.py", *digits(tmp_path, trainer), "--num_runs", "1", "--gpu_masks", "0"]
    assert (
        launch(checkout, [*arguments, "--strategies", *strategies], device="cpu", wandb="disabled", log=tmp_path) == 0
    )
    trials = lines_of(tmp_path / "digits_imb_3")
    assert {lines[0]["strategy"]["strategy_name"] for lines in trials} == {
        "direct",
        "margin",
        "galaxy",
        "badge",
        "random",
    }
    first = first_batch(DIGITS, 40, 1234).tolist()
    for header, *rounds in trials:
        assert [line["metrics"]["Num Labeled"] for line in rounds] == [40, 80, 120]
        assert rounds[0]["indices"] == first, header["strategy"]
        assert len({index for line in rounds for index in line["indices"]}) == 120
        assert rounds[-1]["metrics"]["Test Accuracy"] > 0.75
    assert len({json.dumps(lines[1]["labels"]) for lines in trials}) == 1, "the same noise for every strategy"


@pytest.mark.parametrize("reverse", [False, True])
def test_installed_plugin_wins_in_any_directory_order(checkout, tmp_path, reverse):
    installed = tmp_path / "LabelBench"
    subprocess.run(["git", "clone", "-q", "--shared", str(checkout), str(installed)], check=True)
    install(installed)
    (installed / "sitecustomize.py").write_text(
        f"import glob\nreal = glob.glob\nglob.glob = lambda *a, **k: sorted(real(*a, **k), reverse={reverse})\n"
    )
    process = subprocess.run(
        [sys.executable, "main.py", *digits(tmp_path, num_batch=2, seed=5, strategy_config="direct.json")],
        cwd=installed,
        env=environment(installed, device="cpu", wandb="disabled", log=tmp_path),
        capture_output=True,
        text=True,
        check=False,
    )
    assert process.returncode == 0, process.stderr
    ((header, *rounds),) = lines_of(tmp_path / "digits_imb_3")
    assert header["strategy"] == read_configuration("strategy", str(own_folder() / "strategy/direct.json"))
    assert len(rounds[1]["indices"]) == 40
    code = """if True:
        from LabelBench.strategy.strategies import strategies
        print([strategies[name].__module__ for name in ("direct", "margin")])
    """
    answer = subprocess.run([sys.executable, "-c", code], cwd=installed, capture_output=True, text=True, check=True)
    assert answer.stdout.split("'")[1::2] == [
        "labelbench_direct.strategies.direct",
        "LabelBench.strategy.strategy_impl.margin_sampling",
    ]


def test_point_evaluation_trains_on_selected_indices(checkout, tmp_path):
    """On indices in the place and form of LabelBench's published results."""
    selected = first_batch(DIGITS, 80, 0)
    place = checkout / "results/digits/bs_40/embed_none/model_linear/trainer_passive"
    place.mkdir(parents=True)
    with (place / "direct_5.pkl").open("wb") as file:
        pickle.dump([{}, selected.tolist()], file)
    arguments = flags(
        seed=5,
        wandb_name="nobody",
        wandb_project="Active Learning, digits, Batch Size=40",
        dataset="digits",
        data_dir=tmp_path,
        embed_model_config="none",
        classifier_model_config="linear",
        strategy_config="direct",
        trainer_config="passive",
        corrupter_config="noisy_random.json",
        eval_metric="multi_class",
        eval_batch_size=40,
        eval_num_batch=2,
        eval_classifier_model_config="linear_digits.json",
        eval_trainer_config="digits/passive/linear.json",
    )
    assert launch(checkout, ["point_evaluation.py", *arguments], device="cpu", wandb="disabled", log=tmp_path) == 0
    ((_, *rounds),) = lines_of(tmp_path / "digits")
    assert [index for line in rounds for index in line["indices"]] == selected.tolist()


SELECTED = {"dataset": "digits_imb_3", "classifier_model": "linear", "trainer_config": "passive"}
EVALUATED = {"eval_batch_size": 80, "eval_classifier_model": "linear_digits", "eval_trainer_config": "passive"}
TWO_SEEDS = ["--num_runs", "2", "--gpu_masks", "0"]


@pytest.fixture(scope="session")
def fetched(checkout, tmp_path_factory):
    """LabelBench's folder of results, and the JSON lines, after runs of two strategies, the evaluation of what they
    selected, and LabelBench's own scripts that fetch results; without an account.
    """
    folder = tmp_path_factory.mktemp("fetched")
    evaluation = flags(
        wandb_name="nobody",
        wandb_project="Active Learning, digits_imb_3, Batch Size=40",
        dataset="digits_imb_3",
        data_dir=folder / "data",
        embed_model_config="none",
        classifier_model_config="linear",
        trainer_config="passive",
        corrupter_config="noisy_random.json",
        eval_metric="multi_class",
        eval_batch_size=80,
        eval_num_batch=1,
        eval_classifier_model_config="linear_digits.json",
        eval_trainer_config="digits/passive/linear.json",
    )
    what = flags(wandb_name="nobody", corrupter_config="random", **SELECTED)
    for arguments in (
        [
            "mp_launcher.py",
            *digits(folder, num_batch=2),
            "--strategies",
            "direct.json",
            "random_sampling.json",
            *TWO_SEEDS,
        ],
        ["mp_eval_launcher.py", *evaluation, "--strategies", "direct", "random_sampling", *TWO_SEEDS],
        ["results/fetch_wandb_training.py", *what, *flags(batch_size=40, embed_model="none")],
        ["results/fetch_wandb_eval.py", *what, *flags(**EVALUATED)],
    ):
        assert launch(checkout, arguments, device="cpu", wandb="disabled", log=folder) == 0
    return checkout / "results", lines_of(folder / "digits_imb_3")


def test_fetched_results_have_the_place_and_form_of_the_published_ones(fetched):
    results, runs = fetched
    published = results / "fmow_random/bs_3000/embed_none/model_clip_ViTB32/trainer_passive/direct_sampling_1234.pkl"
    keys = pickle.loads(published.read_bytes())[0].keys() - {"_runtime", "_timestamp", "i", "Label index"}
    place = "digits_imb_3_random/bs_40/embed_none/model_linear/trainer_passive"
    evaluated = "digits_imb_3_random_eval/bs_80/proxy_linear/model_linear_digits/trainer_passive_eval_trainer_passive"
    for header, *rounds in runs:
        if "selected_by" in header:
            name = f"{evaluated}/{header['selected_by']['strategy_config']}_{header['seed']}.pkl"
            metrics = pickle.loads((results / name).read_bytes())
        else:
            name = f"{place}/{header['files']['strategy'].removesuffix('.json')}_{header['seed']}.pkl"
            metrics, indices = pickle.loads((results / name).read_bytes())
            assert indices == [index for line in rounds for index in line["indices"]]
        assert metrics.keys() == keys
        for i, line in enumerate(rounds):
            assert {key: metrics[key][i] for key in line["metrics"]} == line["metrics"]
    assert sorted("selected_by" in header for header, *_ in runs) == [False] * 4 + [True] * 4


@pytest.mark.skipif(shutil.which("latex") is None, reason="LabelBench's plots are set by LaTeX, which is not here")
def test_labelbenchs_own_plots_are_drawn(fetched):
    results, _ = fetched
    (results / "plots").mkdir()
    curves = ["--metrics", "Balanced Test Accuracy", "--strategies", "direct", "random", "--smoothing", "none"]
    curves += ["--colors", "tab:blue", "tab:orange"]
    training = flags(**SELECTED, batch_size=40, embed_model="none", corrupter_config="random")
    evaluation = flags(**{**SELECTED, "dataset": "digits_imb_3_random"}, **EVALUATED)  # it knows nothing of corrupters
    for script, arguments in (("plot_training.py", training), ("plot_eval.py", evaluation)):
        process = subprocess.run(
            [sys.executable, script, *arguments, *curves],
            cwd=results,
            env={**os.environ, "MPLBACKEND": "agg"},
            capture_output=True,
            text=True,
            check=False,
        )
        assert process.returncode == 0, process.stderr
    assert sorted(path.name for path in (results / "plots").iterdir()) == [
        "digits_imb_3_random_40_none_linear_passive_Balanced_Test_Accuracy.pdf",
        "eval_digits_imb_3_random_80_linear_linear_digits_passive_passive_Balanced_Test_Accuracy.pdf",
    ]


@pytest.mark.parametrize(
    ("name", "trainer", "strategy"),
    [
        ("fmow", "flexmatch", "direct.json"),
        ("iwildcam", "passive", "direct.json"),
        ("imagenet_lt", "flexmatch", "direct.json"),
        ("inaturalist", "passive", "direct.json"),
        ("fmow", "passive", "margin_sampling.json"),
        ("iwildcam", "flexmatch", "galaxy_sampling.json"),
        ("imagenet_lt", "passive", "badge_sampling.json"),
    ],
)
def test_main_with_the_real_vit_b32_on_the_real_formats(checkout, tmp_path, name, trainer, strategy):
    model, training = tiny_datasets.write_training(name, trainer, tmp_path)
    arguments = words(
        dataset=name,
        data_dir=tiny_datasets.write(name, tmp_path / "data"),
        seed=1,
        batch_size=2,
        num_batch=2,
        classifier_model_config=model,
        strategy_config=strategy,
        trainer_config=training,
    )
    assert launch(checkout, arguments, device="cpu", wandb="disabled", log=tmp_path) == 0
    ((_, *rounds),) = lines_of(tmp_path / name)
    assert [len(line["indices"]) for line in rounds] == [2, 2]
    assert rounds[0]["indices"] == first_batch(tiny_datasets.POOL, 2, 1).tolist()
    assert np.isfinite(rounds[-1]["metrics"]["Test Loss"])
    if name == "iwildcam":
        assert {label for line in rounds for label in line["labels"]} <= set(range(8, 14)), "clipped to 14 classes"


@pytest.mark.parametrize(("name", "size"), [("fmow", 76_863), ("iwildcam", 129_809)])
def test_published_runs_have_the_first_batch_that_ours_have(checkout, name, size):
    """The formula against what LabelBench published: both were drawn from seed + 42."""
    files = sorted((checkout / "results" / name / "bs_3000").rglob("*_1234.pkl"))
    assert files
    for file in files:
        with file.open("rb") as opened:
            _, indices = pickle.load(opened)
        assert indices[:3000] == first_batch(size, 3000, 1234).tolist(), file


def test_labelbenchs_direct_sees_clean_labels_and_ours_what_training_sees(python):
    seen = python(
        """
        import json
        import numpy as np
        import torch
        from labelbench_direct.hosts.labelbench import corrupters, datasets, plugin
        from labelbench_direct.hosts.labelbench.bridges import apply_bridges
        from labelbench_direct.strategies import STRATEGIES
        from pathlib import Path
        plugin.activate()
        apply_bridges(Path.cwd())
        from LabelBench.metric.metrics import get_metric
        from LabelBench.model.model import get_model_fn
        from LabelBench.skeleton.dataset_skeleton import ALDataset, LabelType
        from LabelBench.strategy.strategies import get_strategy
        from LabelBench.trainer.trainer import get_fns, get_optimizer_fn, get_trainer
        from labelbench_direct.hosts.labelbench.configurations import read_configuration

        torch.manual_seed(3)
        np.random.seed(45)
        train, val, test, *_, K, names = datasets.get_small("digits")
        clean = np.array(train.dataset.labels)
        one_hot = [np.eye(K)[part.dataset.labels] for part in (train, val, test)]
        dataset = ALDataset(train, val, test, *one_hot, LabelType.MULTI_CLASS, K, names)
        dataset.set_corrupter(lambda labels: corrupters.noisy_random({"name": "noisy_random", "p": 0.3}, labels))
        dataset.update_labeled_idxs(np.arange(200))
        noisy = np.array([label.argmax() for _, label in (train[i] for i in range(len(train)))])
        config = get_optimizer_fn(get_fns(read_configuration("trainer", "digits/passive/linear.json")))
        config["max_epoch"] = 2
        model_config = {**read_configuration("model", "linear_digits.json"), "num_output": K}
        trainer = get_trainer("pytorch_passive", config, dataset, get_model_fn("linear"), model_config,
                              get_metric("multi_class"), None)
        trainer.evaluate_on_train(trainer.train())

        def select(name, config):
            strategy = get_strategy(name, {"strategy_name": name, **config}, dataset)
            handed, retrieve = {}, trainer.retrieve_inputs
            trainer.retrieve_inputs = lambda kinds: [
                handed.setdefault(int(kind), values) for kind, values in zip(kinds, retrieve(kinds))
            ]
            chosen = strategy.select(trainer, 100)
            trainer.retrieve_inputs = retrieve
            return strategy, np.array(chosen), handed

        options = {"B1": 5, "min_budget_per_class": 20}
        _, _, handed = select("direct_labelbench", options)
        theirs = handed[3].argmax(axis=1)
        ours, chosen, handed = select("direct", options)
        assert list(handed) == [0], handed.keys()
        told = np.array(list(ours.session.told.values()))
        others = {}
        for name, cls in STRATEGIES.items():
            class Spy(cls):
                def choose(self, pool, budget, rng):
                    others[cls.strategy_name] = pool.labels
                    return super().choose(pool, budget, rng)
            Spy({"strategy_name": name}, dataset).select(trainer, 100)
        print(json.dumps({
            "wrong": int((noisy != clean).sum()),
            "size": len(clean),
            "theirs": [(theirs == clean).all().item(), (theirs == noisy).all().item()],
            "told": [(told == clean[chosen]).all().item(), (told == noisy[chosen]).all().item()],
            "others": [(labels == noisy[:200]).all().item() for labels in others.values()],
            "names": sorted(others) == sorted(STRATEGIES),
        }))
        """
    )
    assert seen["wrong"] == int(0.3 * seen["size"])
    assert seen["theirs"] == [True, False], "LabelBench's own is handed clean labels"
    assert seen["told"] == [False, True], "ours asks and is told the corrupted ones"
    assert all(seen["others"])
    assert seen["names"]


def test_open_clip_vitb32_stands_in_for_labelbenchs_clip(python, tmp_path):
    """The same weights in OpenAI's architecture and in ours: the same features, zero-shot head and transform."""
    answer = python(
        f"""
        import json
        import clip, numpy as np, torch
        from pathlib import Path
        from PIL import Image
        from clip.clip import _transform
        from clip.model import CLIP
        from torchvision import transforms
        from labelbench_direct.hosts.labelbench import models, plugin
        from labelbench_direct.hosts.labelbench.bridges import apply_bridges
        apply_bridges(Path.cwd())
        import LabelBench.model.model as registry
        plugin.activate()

        torch.manual_seed(0)
        openai = CLIP(512, 224, 12, 768, 32, 77, 49408, 512, 8, 12).float().eval()
        file = {str(tmp_path / "weights.pt")!r}
        torch.save(openai.state_dict(), file)
        clip.load = lambda name: (openai, _transform(224))
        theirs = registry.get_model_fn("clip_vitb32")({{"num_output": 2, "ret_emb": True}})
        np.random.seed(1)
        states = torch.get_rng_state(), np.random.get_state()[1].tolist()
        embed = registry.get_model_fn("open_clip_vitb32")({{"num_output": 0, "ret_emb": True, "checkpoint": file}})
        untouched = torch.equal(states[0], torch.get_rng_state()) and states[1] == np.random.get_state()[1].tolist()
        ours = registry.get_model_fn("open_clip_vitb32")({{"num_output": 2, "checkpoint": file}})
        image = Image.fromarray(np.random.randint(0, 255, (300, 260, 3), dtype=np.uint8))
        batch = [model.get_preprocess("train")(image)[None] for model in (theirs, ours)]
        names = ["cat", "dog"]
        for model in (theirs, ours):
            model.eval()
            model.init_head_withzeroshot(names, "simple_template")
        with torch.no_grad():
            logits, features = theirs(batch[0], ret_features=True)
            own_logits, own_features = ours(batch[0], ret_features=True)
            nothing, embedding = embed.eval()(batch[0])
        frozen = ours(batch[0], freeze=True)
        frozen.sum().backward()
        grads = [ours.classifier.weight.grad is not None, ours.image_encoder_model.visual.proj.grad is None]
        print(json.dumps({{
            "features": float((features - own_features).abs().max() / features.abs().max()),
            "logits": float((logits - own_logits).abs().max()),
            "pixels": float((batch[0] - batch[1]).abs().max()),
            "embedding": float((features - embedding).abs().max() / features.abs().max()),
            "dims": [theirs.get_embedding_dim(), ours.get_embedding_dim(), own_features.shape[1]],
            "tensor": any(isinstance(t, transforms.ToTensor) for t in ours.get_preprocess("train").transforms),
            "untouched": untouched,
            "grads": grads,
            "shape": [list(logits.shape), list(own_logits.shape), list(nothing.shape)],
        }}))
        """
    )
    assert answer["features"] < 1e-4
    assert answer["embedding"] < 1e-4
    assert answer["logits"] < 1e-3
    assert answer["pixels"] < 1e-5
    assert answer["dims"] == [512, 512, 512]
    assert answer["tensor"], "FlexMatch puts its strong views before a ToTensor"
    assert answer["untouched"], "nothing drawn from the global random states"
    assert answer["grads"] == [True, True]
    assert answer["shape"] == [[1, 2], [1, 2], [1, 512]]


def test_absent_weights_say_what_to_do(python, tmp_path):
    answer = python(
        f"""
        import json
        from labelbench_direct.hosts.labelbench.models import _init_open_clip
        try:
            _init_open_clip({{"num_output": 2, "checkpoint": {str(tmp_path / "absent.pt")!r}}})
        except FileNotFoundError as error:
            print(json.dumps(str(error)))
        """
    )
    assert "absent.pt' is not there" in answer


@pytest.mark.parametrize("name", ["imagenet_lt", "inaturalist", "inaturalist_2017"])
def test_absent_data_are_named_with_where_they_are_published(python, tmp_path, name):
    code = f"""
        import json
        from labelbench_direct.hosts.labelbench import plugin
        plugin.activate()
        from LabelBench.dataset.datasets import datasets
        try:
            datasets[{name!r}][1]({str(tmp_path)!r})
        except (FileNotFoundError, ValueError) as error:
            print(json.dumps(str(error)))
        """
    publisher = "OpenLongTailRecognition" if name == "imagenet_lt" else "visipedia/inat_comp"
    answer = python(code)
    assert "there" in answer
    assert publisher in answer
    tiny_datasets.write(name.split("_2017")[0], tmp_path)
    if name == "inaturalist_2017":
        return
    image = next(path for path in tmp_path.rglob("train*0.*") if path.suffix != ".json")
    image.unlink()
    answer = python(code)
    assert answer.startswith("1 images that "), answer
    assert image.name in answer
    tiny_datasets.write(name, tmp_path)
    (tmp_path / "expected_counts.json").unlink()
    assert "K = 3, N = 8, imbalance ratio 0.2; expected: K = " in python(code) or name == "imagenet_lt"


def test_inaturalist_of_2017_is_read_by_name(python, tmp_path):
    tiny_datasets.write("inaturalist", tmp_path)
    tiny_datasets.write_inaturalist(tmp_path, "2017")
    answer = python(
        f"""
        import json
        from labelbench_direct.hosts.labelbench import plugin
        plugin.activate()
        from LabelBench.dataset.datasets import datasets
        pool, val, test, *_, K, names = datasets["inaturalist_2017"][1]({str(tmp_path)!r})
        print(json.dumps([len(pool), len(val), len(test), K, names, pool.dataset.labels.tolist()]))
        """
    )
    assert answer == [8, 2, 6, 3, ["Pica pica", "Sturnus", "Amanita"], tiny_datasets.LONG_TAIL]


def test_noise_differs_between_trials_and_draws_from_no_global_state(python):
    answer = python(
        """
        import json
        import numpy as np, torch
        from labelbench_direct.hosts.labelbench import corrupters, plugin
        plugin.activate()
        from LabelBench.corrupter.corrupter import get_corrupter_fn
        clean = np.eye(5, dtype=np.int64)[np.arange(1000) % 5]

        def noise(name, trial, **config):
            torch.manual_seed(trial)
            np.random.seed(trial)
            labels = get_corrupter_fn(name, {"name": name, "p": 0.1, **config})(clean).argmax(axis=1)
            state = np.random.get_state()[1].tolist(), torch.get_rng_state().tolist()
            torch.manual_seed(trial)
            np.random.seed(trial)
            assert state == (np.random.get_state()[1].tolist(), torch.get_rng_state().tolist())
            assert (labels != np.arange(1000) % 5).sum() == 100
            return labels.tolist()

        ours = [noise("noisy_random", seed) for seed in (1, 1, 2)]
        fixed = [noise("noisy_random", seed, seed=9) for seed in (1, 2)]
        theirs = [noise("random", seed) for seed in (1, 2)]
        print(json.dumps([ours[0] == ours[1], ours[0] == ours[2], fixed[0] == fixed[1], theirs[0] == theirs[1]]))
        """
    )
    assert answer == [True, False, True, True]


def test_doctor_finds_nothing_missing(checkout):
    process = subprocess.run(
        [sys.executable, "-m", "labelbench_direct.cli", "doctor", "--home", str(checkout)],
        capture_output=True,
        text=True,
        env={**os.environ, "COLUMNS": "200"},
        check=False,
    )
    assert process.returncode == 0, process.stdout
    assert "LabelBench's main.py starts, with this package registered" in process.stdout
    assert Path(checkout / "main.py").exists()
