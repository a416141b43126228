"""Tiny data sets in the real on-disk formats of FMoW, iWildCam, ImageNet-LT and iNaturalist, in plain colours.

``python tests/tiny_datasets.py FOLDER`` writes all of them, and what trains on them, for LabelBench's programs.
"""

import csv
import json
import sys
from pathlib import Path

import numpy as np
from PIL import Image

from labelbench_direct.hosts.labelbench.configurations import own_folder
from labelbench_direct.hosts.labelbench.published import OVERRIDE

POOL, HELD_OUT = 8, 4  # images to label; images in each of the other parts
COUNTS = {
    "fmow": {"classes": 62, "pool": POOL, "imbalance": 0.0},
    "iwildcam": {"classes": 14, "pool": POOL, "imbalance": 0.0},  # of 16, the last three merged
    "imagenet_lt": {"classes": 3, "pool": POOL, "imbalance": 0.2},
    "inaturalist": {"classes": 3, "pool": POOL, "imbalance": 0.2},
    "inaturalist_2017": {"classes": 3, "pool": POOL, "imbalance": 0.2},
}
LONG_TAIL = [0] * 5 + [1] * 2 + [2]


def image(path: Path, label: int, mode: str = "RGB") -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    colour = np.random.default_rng(label).integers(0, 256, size=3)
    Image.fromarray(np.full((40, 48, 3), colour, dtype=np.uint8)).convert(mode).save(path)


def table(path: Path, rows: list[dict]) -> None:
    with path.open("w", newline="") as file:
        writer = csv.DictWriter(file, fieldnames=list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)


def write_fmow(folder: Path) -> None:
    """WILDS's FMoW 1.1: metadata, country codes, images by row; parts by column and year."""
    from wilds.datasets.fmow_dataset import categories

    root = folder / "fmow_v1.1"
    parts = ["train"] * POOL + ["val"] * HELD_OUT + ["test"] * HELD_OUT
    rows = [
        {"split": part, "category": categories[i % 9], "country_code": "USA", "timestamp": "2010-05-01T00:00:00Z"}
        for i, part in enumerate(parts)
    ]
    rows += [{**rows[0], "split": part, "timestamp": "2014-05-01T00:00:00Z"} for part in ("train", "val")]
    rows += [{**rows[0], "split": "test", "timestamp": "2017-05-01T00:00:00Z"}, {**rows[0], "split": "seq"}]
    for i, row in enumerate(rows):
        image(root / "images" / f"rgb_img_{i}.png", categories.index(row["category"]))
    table(root / "rgb_metadata.csv", rows)
    table(root / "country_code_mapping.csv", [{"alpha-3": "USA", "region": "Americas"}])
    (root / "RELEASE_v1.1.txt").touch()


def write_iwildcam(folder: Path) -> None:
    """WILDS's iWildCam 2.0: metadata and images in ``train``."""
    root = folder / "iwildcam_v2.0"
    rows = []
    for part, labels in (("train", range(8, 16)), ("id_val", range(HELD_OUT)), ("id_test", range(4, 8))):
        rows += [{"split": part, "y": label, "filename": f"{part}{i}.jpg"} for i, label in enumerate(labels)]
    rows += [{"split": part, "y": 0, "filename": f"{part}.jpg"} for part in ("val", "test")]
    for i, row in enumerate(rows):
        row |= {"location_remapped": i, "sequence_remapped": i, "datetime": "2013-07-01 12:00:00.000"}
        image(root / "train" / row["filename"], row["y"])
    table(root / "metadata.csv", rows)
    (root / "RELEASE_v2.0.txt").touch()


def write_imagenet_lt(folder: Path) -> None:
    """Liu's three lists over ImageNet's folders; one image is grey, as some of ImageNet's are."""
    balanced = [i % 3 for i in range(HELD_OUT)]
    for part, place, labels in (("train", "train", LONG_TAIL), ("val", "train", balanced), ("test", "val", balanced)):
        lines = []
        for i, label in enumerate(labels):
            name = f"{place}/n0000000{label}/{part}_{i}.JPEG"
            image(folder / name, label, "L" if i == 0 else "RGB")
            lines.append(f"{name} {label}\n")
        (folder / f"ImageNet_LT_{part}.txt").write_text("".join(lines))


def write_inaturalist(folder: Path, year: str = "2018") -> None:
    """The challenge's archive as torchvision unpacks it, and the challenge's lists beside it."""
    root = folder / "inaturalist"
    names = ["Aves/0", "Aves/1", "Plantae/2"] if year == "2018" else ["Aves/Pica pica", "Aves/Sturnus", "Fungi/Amanita"]
    for part, labels in (("train", LONG_TAIL), ("val", [i % 3 for i in range(2 * HELD_OUT)])):
        listed = [f"{names[label]}/{part}{i}.jpg" for i, label in enumerate(labels)]
        for file, label in zip(listed, labels, strict=True):
            image(root / year / file, label)
        entries = [{"id": i, "file_name": f"train_val{year}/{file}"} for i, file in enumerate(listed)]
        (root / f"{part}{year}.json").write_text(json.dumps({"images": entries}))
    species = [{"id": 0, "name": "Pica pica"}, {"id": 1, "name": "Sturnus vulgaris"}, {"id": 2, "name": "Bellis"}]
    (root / "categories.json").write_text(json.dumps(species))


WRITERS = {
    "fmow": write_fmow,
    "iwildcam": write_iwildcam,
    "imagenet_lt": write_imagenet_lt,
    "inaturalist": write_inaturalist,
}


def write(name: str, folder: Path) -> Path:
    """Write one data set, and beside it what its counts are instead of the published ones."""
    folder.mkdir(parents=True, exist_ok=True)
    WRITERS[name](folder)
    (folder / OVERRIDE).write_text(json.dumps(COUNTS))
    return folder


def write_training(name: str, trainer: str, folder: Path) -> tuple[Path, Path]:
    """Write a model and a training configuration: this package's, with random weights and batches of two images."""
    head = name if name in ("iwildcam", "inaturalist") else "nohead"  # zero-shot heads from few texts
    model = json.loads((own_folder() / f"model/open_clip_ViTB32_pretrained_{head}.json").read_text())
    training = json.loads((own_folder() / f"trainer/{name}/{trainer}/open_clip_ViTB32_finetune.json").read_text())
    small = {"max_epoch": 1, "train_batch_size": 2, "test_batch_size": 4}
    small |= {"uratio": 1} if trainer == "flexmatch" else {}
    files = folder / f"{name}_model.json", folder / f"{name}_{trainer}.json"
    for file, configuration in zip(files, ({**model, "pretrain": False}, {**training, **small}), strict=True):
        file.write_text(json.dumps(configuration))
    return files


if __name__ == "__main__":
    for name in WRITERS:
        write(name, Path(sys.argv[1]) / name)
        for trainer in ("flexmatch", "passive"):
            write_training(name, trainer, Path(sys.argv[1]))
