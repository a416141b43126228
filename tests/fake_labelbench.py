"""A tiny stand-in for a LabelBench checkout, with its layout, names and contract, for tests without LabelBench."""

from pathlib import Path

SKELETONS = {
    "active_learning_skeleton": """
from enum import IntEnum
class ALInput(IntEnum):
    TRAIN_PRED = 0
    TEST_PRED = 2
    TRAIN_LABEL = 3
    VAL_LABEL = 4
    TEST_LABEL = 5
    TRAIN_EMBEDDING = 9
strategies = {}
class Strategy:
    def __init__(self, strategy_config, dataset):
        self.dataset = dataset
    def __init_subclass__(cls, **kwargs):
        strategies[cls.strategy_name] = cls
""",
    "dataset_skeleton": """
from enum import Enum
import numpy as np
class LabelType(Enum):
    MULTI_CLASS = 1
    MULTI_LABEL = 2
datasets = {}
def register_dataset(name, type):
    return lambda get: datasets.setdefault(name, (type, get))[1]
class ALDataset:
    label_type, num_classes = LabelType.MULTI_CLASS, 3
    def __init__(self):
        self._labels, self._labeled, self._clean = np.eye(3, dtype=np.int64)[np.arange(60) % 3], None, False
        self.train_dataset = range(60)
    def get_classnames(self):
        return list("abc")
    def get_input_datasets(self):
        return self.train_dataset, range(5), range(7)
    def __len__(self):
        return len(self._labels)
    def get_num_classes(self):
        return 3
    def get_classnames(self):
        return ["a", "b", "c"]
    def set_corrupter(self, corrupter):
        self._noisy = corrupter(self._labels)
    def train(self):
        self._clean = False
    def eval(self):
        self._clean = True
    def labeled_idxs(self):
        return np.array(self._labeled)
    def update_labeled_idxs(self, new):
        self._labeled = np.array(new) if self._labeled is None else np.concatenate([self._labeled, np.array(new)])
    def get_train_labels(self):
        return (self._labels if self._clean else self._noisy)[self.labeled_idxs()]
""",
    "model_skeleton": """
model_fns = {}
def register_model(name):
    return lambda make: model_fns.setdefault(name, make)
""",
    "corrupter_skeleton": """
corrupter_fns = {}
def register_corrupter(name):
    return lambda corrupt: corrupter_fns.setdefault(name, corrupt)
""",
    "trainer_skeleton": "trainers = {}",
}
OTHERS = {
    "strategy/strategies": """
import LabelBench.strategy.strategy_impl
from LabelBench.skeleton.active_learning_skeleton import strategies
def get_strategy(name, strategy_config, dataset):
    return strategies[name](strategy_config, dataset)
""",
    "strategy/strategy_impl/__init__": """
import glob, importlib, os
names = sorted(glob.glob(os.path.join(os.path.dirname(__file__), "[a-z]*.py")), reverse=bool(os.environ.get("REVERSE")))
for name in names:
    importlib.import_module(f"{__name__}.{os.path.basename(name)[:-3]}")
""",
    "strategy/strategy_impl/direct": """
from LabelBench.skeleton.active_learning_skeleton import Strategy
class Own(Strategy):
    strategy_name = "direct"
""",
    "strategy/strategy_impl/margin_sampling": """
import numpy as np
from LabelBench.skeleton.active_learning_skeleton import Strategy
class Margin(Strategy):
    strategy_name = "margin"
    def select(self, trainer, budget):
        return np.setdiff1d(np.arange(60), self.dataset.labeled_idxs())[:budget]
""",
    "dataset/datasets": """
import os
from LabelBench.skeleton.dataset_skeleton import ALDataset, LabelType, datasets, register_dataset
register_dataset("sixty", LabelType.MULTI_CLASS)(None)
register_dataset("tags", LabelType.MULTI_LABEL)(None)
def get_dataset(name, data_dir):
    os.makedirs(data_dir, exist_ok=True)
    os.chdir(data_dir)  # as coco_dataset.py does while it downloads
    with open("labels_%s.pt" % name, "w"):
        return ALDataset()
""",
    "dataset/feature_extractor": """
import torch
class FeatureExtractor:
    def get_feature(self, dataset, dataset_split, epoch, use_strong):
        torch.load("never")
""",
    "model/model": """
from LabelBench.skeleton.model_skeleton import register_model
@register_model("linear")
def make(model_config):
    return model_config["model_name"], model_config["ret_emb"]
def get_model_fn(name):
    return make
""",
    "corrupter/corrupter": """
from LabelBench.skeleton.corrupter_skeleton import corrupter_fns, register_corrupter
register_corrupter("noiseless")(lambda corrupter_config, labels: labels)
def get_corrupter_fn(name, corrupter_config):
    return lambda labels: corrupter_fns[name](corrupter_config, labels)
""",
    "metric/metrics": "def get_metric(name): pass",
    "trainer/trainer_impl/pytorch_semi_trainer": "class PyTorchSemiTrainer: pass",
    "trainer/trainer": """
import numpy as np
from LabelBench.skeleton.trainer_skeleton import trainers
from LabelBench.trainer.trainer_impl.pytorch_semi_trainer import PyTorchSemiTrainer
class Passive:
    def __init__(self, dataset=None):
        self.dataset = dataset
    def train(self):
        pass
    evaluate_on_train = evaluate_on_val = evaluate_on_test = lambda self, model: None
    def compute_metric(self, epoch):
        return {"Num Labeled": 10 * epoch, "Balanced Test Accuracy": 0.5, "Min Class Number of Positive": 1}
    def retrieve_inputs(self, kinds):
        scores = np.random.RandomState(0).dirichlet(np.ones(3), 60)
        return [self.dataset._labels if int(kind) in (3, 4, 5) else scores for kind in kinds]
class FlexMatch(PyTorchSemiTrainer): pass
trainers.update(pytorch_passive=Passive, flexmatch=FlexMatch, sklearn_passive=Passive)
def get(trainer_config):
    return trainer_config["trainer_name"], trainer_config["train_batch_size"], trainer_config["uratio"]
def get_fns(trainer_config):
    return trainer_config
get_optimizer_fn = get_scheduler_fn = get_fns
def get_trainer(name, trainer_config, dataset, *_):
    return trainers[name](dataset)
def embeddings(trainer_config):
    return trainer_config["use_embeddings"]
""",
}
MAIN = """
import argparse, json, os
import numpy as np, torch, wandb
import LabelBench.trainer.trainer, LabelBench.dataset.datasets, LabelBench.dataset.feature_extractor
import LabelBench.model.model, LabelBench.strategy.strategies
from LabelBench.corrupter.corrupter import corrupter_fns
from LabelBench.skeleton.active_learning_skeleton import strategies
from LabelBench.skeleton.dataset_skeleton import ALDataset
parser = argparse.ArgumentParser()
for name in ("seed", "batch_size", "num_batch"):
    parser.add_argument(f"--{name}", type=int)
for name in ("wandb_name", "dataset", "metric", "data_dir", "embed_model_config", "classifier_model_config",
             "strategy_config", "trainer_config", "corrupter_config"):
    parser.add_argument(f"--{name}", default={"embed_model_config": "none.json",
                                              "corrupter_config": "noiseless.json"}.get(name))
args = parser.parse_args()
torch.manual_seed(args.seed)
np.random.seed(args.seed + 42)
def read(kind, name):
    with open(os.path.join("./configs", kind, name), "r") as f:
        return json.load(f)
strategy_config, corrupter_config = read("strategy", args.strategy_config), read("corrupter", args.corrupter_config)
corrupter_config["name"], strategy_config["strategy_name"]
wandb.init(project="Active Learning, %s, Batch Size=%d" % (args.dataset, args.batch_size), name="a run",
           config=vars(args))
dataset = ALDataset()
dataset.set_corrupter(lambda labels: corrupter_fns[corrupter_config["name"]](corrupter_config, labels))
strategy = strategies[strategy_config["strategy_name"]](strategy_config, dataset)
class Trainer:
    def retrieve_inputs(self, kinds):
        return [np.random.RandomState(0).dirichlet(np.ones(3), 60)]
for number in range(1, args.num_batch + 1):
    first = np.random.choice(np.arange(len(dataset)), size=args.batch_size, replace=False) if number == 1 else None
    dataset.update_labeled_idxs(first if number == 1 else strategy.select(Trainer(), args.batch_size))
    wandb.log({"Epoch": number, "Num Labeled": len(dataset.labeled_idxs()), "Balanced Test Accuracy": np.float64(0.5)})
for i, index in enumerate(dataset.labeled_idxs()):
    wandb.log({"i": i, "Label index": index})
wandb.finish()
"""
LAUNCHER = """
import os, subprocess, sys
children = [subprocess.Popen(["python3", "main.py", "--seed", seed, *sys.argv[1:]], env=os.environ.copy())
            for seed in ("1", "2")]
for child in children:
    child.wait()
"""
WANDB = """
import json, os
def init(project, name, config):
    global log
    log = _log  # as the real one puts the run's own log here
    log({"config": config})
def log(data):
    raise RuntimeError("init first")
def _log(data):
    with open(os.environ["FAKE_WANDB"], "a") as file:
        file.write(json.dumps({name: str(value) for name, value in data.items()}) + "\\n")
def finish():
    pass
"""
FETCHER = """
import json, sys, wandb
runs = wandb.Api(timeout=100).runs("nobody/" + sys.argv[1])
fetched = [[run.name, run.config, list(run.scan_history()), len(list(run.scan_history(keys=["i"])))] for run in runs]
with open("fetched.json", "w") as file:
    json.dump(fetched, file)
"""
CONFIGURATIONS = {
    "strategy/margin_sampling": '{"strategy_name": "margin"}',
    "strategy/nobody": '{"strategy_name": "direkt"}',
    "model/linear": '{"model_name": "linear"}',
    "embed_model/none": '{"model_name": "none"}',
    "corrupter/noiseless": '{"name": "noiseless"}',
    "trainer/passive": '{"trainer_name": "pytorch_passive", "train_batch_size": 5, "use_embedding": false}',
    "trainer/large": '{"trainer_name": "pytorch_passive", "train_batch_size": 50}',
    "trainer/flexmatch": '{"trainer_name": "flexmatch", "train_batch_size": 5, "uratio": 9}',
    "trainer/on_embeddings": '{"trainer_name": "flexmatch", "use_embeddings": true, "train_batch_size": 5}',
    "trainer/sklearn": '{"trainer_name": "sklearn_passive"}',
}


def write_checkout(folder: Path) -> Path:
    """Write the stand-in, and a module ``wandb`` beside it that appends what it logs to the file FAKE_WANDB."""
    files = {f"LabelBench/skeleton/{name}.py": text for name, text in SKELETONS.items()}
    files |= {f"LabelBench/{name}.py": text for name, text in OTHERS.items()}
    files |= {f"configs/{name}.json": text for name, text in CONFIGURATIONS.items()}
    files |= {"main.py": MAIN, "mp_launcher.py": LAUNCHER, "wandb.py": WANDB}
    files["results/fetch_wandb_training.py"] = FETCHER
    for name, text in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text)
    for package in {path.parent for path in (folder / "LabelBench").rglob("*.py")} | {folder / "LabelBench"}:
        (package / "__init__.py").touch()
    (folder / "LabelBench/trainer/__init__.py").touch()
    return folder
