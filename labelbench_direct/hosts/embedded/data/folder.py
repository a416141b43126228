"""An image folder of one's own with a CSV of labels."""

from __future__ import annotations

import csv
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from labelbench_direct.core.checks import check_count
from labelbench_direct.hosts.embedded.config import check_flag
from labelbench_direct.hosts.embedded.data.parts import Data, Part, split

LABELS = "labels.csv"
_PARTS = ("train", "val", "test")
_MODES = {"1", "L", "LA", "P", "PA", "RGB", "RGBA", "CMYK", "YCbCr"}  # 8 bits a channel: RGB holds all they have
_NAMED = 5  # files named in an error


def folder(name: str, data_dir: Path, path: str = "", size: int | None = None, skip_bad: bool = False) -> Data:
    """The images that ``labels.csv`` in ``data_dir / path`` lists: columns ``file`` and ``label``, and if wanted
    ``part`` (train, val or test; without it 70, 10 and 20% of every class).

    Grey images become RGB; transparency is dropped. All are held in memory, 8 bits a channel.
    ``size``: scale the shorter side to so many pixels and cut out the middle square; without it all images must be of
    one size. ``skip_bad``: leave out broken images, and those of another size than most; ``Data.notes`` names them.

    Raises FileNotFoundError without folder or CSV; ValueError for a CSV that cannot be used, and naming and counting
    bad images.
    """
    if size is not None:
        check_count(size, "size", least=1)
    check_flag(skip_bad, "skip_bad")
    root = data_dir / str(path)
    rows = _rows(root)
    images, problems = _read([root / row["file"] for row in rows], size)
    count = f"{len(problems)} of {len(rows)} images in {root}"
    if problems and not skip_bad:
        raise ValueError(
            f"{count} cannot be used: {_named(rows, problems)}. Mend them, "
            "pass size=PIXELS if they differ in size, or skip_bad=true to go on without them"
        )
    good = [i for i in range(len(rows)) if i not in problems]
    if not good:
        raise ValueError(f"none of the {len(rows)} images in {root} can be used")
    data = _data(name, [rows[i] for i in good], np.stack([images[i] for i in good]))
    return replace(data, notes=(f"{count} are left out: {_named(rows, problems)}",)) if problems else data


def _named(rows: Sequence[dict[str, str]], problems: dict[int, str]) -> str:
    """The first few bad images with their problems."""
    shown = "; ".join(f"{rows[i]['file']}: {problem}" for i, problem in list(problems.items())[:_NAMED])
    return shown + (f" and {len(problems) - _NAMED} more" if len(problems) > _NAMED else "")


def _rows(root: Path) -> list[dict[str, str]]:
    table = root / LABELS
    if not table.is_file():
        raise FileNotFoundError(
            f"there is no {table}; put there a CSV file with the columns file (relative to {root}) and label"
        )
    with table.open(newline="", encoding="utf-8-sig") as lines:
        reader = csv.DictReader(lines)
        columns = set(reader.fieldnames or ())
        rows = list(reader)
    if not {"file", "label"} <= columns or not rows:
        raise ValueError(f"{table} needs the columns file and label and at least one row, got {sorted(columns)}")
    for number, row in enumerate(rows, 2):
        if not row["file"] or not row["label"]:
            raise ValueError(f"{table}, line {number}: file and label must not be empty")
        if "part" in columns and row["part"] not in _PARTS:
            raise ValueError(f"{table}, line {number}: part must be one of {', '.join(_PARTS)}, got {row['part']!r}")
    file, times = Counter(row["file"] for row in rows).most_common(1)[0]
    if times > 1:
        raise ValueError(f"{table}: {file} is there {times} times; an example has one label")
    return rows


def _read(paths: Sequence[Path], size: int | None) -> tuple[dict[int, NDArray[Any]], dict[int, str]]:
    """Images (H, W, 3) uint8 and problems, by their place in ``paths``."""
    images: dict[int, NDArray[Any]] = {}
    problems: dict[int, str] = {}
    for i, path in enumerate(paths):
        try:
            images[i] = _image(path, size)
        except (OSError, ValueError, SyntaxError) as error:  # what Pillow raises for broken files
            problems[i] = str(error) if path.exists() else "there is no such file"
    if images:
        common = Counter(image.shape for image in images.values()).most_common(1)[0][0]
        for i in [i for i, image in images.items() if image.shape != common]:
            height, width, _ = images.pop(i).shape
            problems[i] = f"{width} x {height} pixels, most have {common[1]} x {common[0]}"
    return images, dict(sorted(problems.items()))


def _image(path: Path, size: int | None) -> NDArray[Any]:
    from PIL import Image, ImageOps

    with Image.open(path) as image:
        if image.mode not in _MODES:
            raise ValueError(f"its mode {image.mode} does not fit 8 bits a channel")
        opaque = image.convert("RGBA") if "transparency" in image.info else image  # else Pillow warns of palettes
        rgb = opaque.convert("RGB")
    if size is not None:
        rgb = ImageOps.fit(rgb, (size, size), Image.Resampling.BICUBIC)
    return np.asarray(rgb)


def _data(name: str, rows: list[dict[str, str]], images: NDArray[Any]) -> Data:
    classnames = tuple(sorted({row["label"] for row in rows}))
    if len(classnames) < 2:
        raise ValueError(f"{name!r}: at least 2 classes are needed, got {', '.join(classnames)}")
    number = {classname: k for k, classname in enumerate(classnames)}
    whole = Part(images, np.array([number[row["label"]] for row in rows], dtype=np.int64))
    if "part" not in rows[0]:
        return split(name, whole, classnames)
    parts = np.array([row["part"] for row in rows])
    train, val, test = (whole.of(np.flatnonzero(parts == part)) for part in _PARTS)
    return Data(name, train, val, test, classnames)
