"""An image folder of one's own with a CSV of labels."""

from __future__ import annotations

import hashlib
import os
import unicodedata
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

import numpy as np

from labelbench_direct.core.checks import check_count
from labelbench_direct.hosts.embedded.config import at_home, check_flag
from labelbench_direct.hosts.embedded.data.classnames import clean, doubts, is_visible
from labelbench_direct.hosts.embedded.data.parts import Data, Part, split
from labelbench_direct.hosts.embedded.data.pictures import Picture, UnusableError, read_picture
from labelbench_direct.hosts.embedded.data.table import read_table

LABELS = "labels.csv"
_PARTS = ("train", "val", "test")
_NAMED = 5  # files named in a message


class Row(NamedTuple):
    """An example, as a line of the CSV states it; ``part`` is empty where there is no such column."""

    line: int
    file: str
    label: str
    part: str
    path: Path


def folder(name: str, data_dir: Path, path: str = "", size: int | None = None, skip_bad: bool = False) -> Data:
    """The images that ``labels.csv`` in ``data_dir / path`` lists: columns ``file`` and ``label``, and if wanted
    ``part`` (train, val or test; without it 70, 10 and 20% of every class).

    Images are turned upright as EXIF says; grey ones become RGB; transparency is dropped. All are held in memory, 8
    bits a channel. ``size``: scale the shorter side to so many pixels and cut out the middle square; without it all
    images must be of one size. ``skip_bad``: leave out broken images, and those of another size than most;
    ``Data.notes`` names them.

    Raises FileNotFoundError without folder or CSV; ValueError for a CSV that cannot be used, by line, and naming and
    counting bad images.
    """
    if size is not None:
        check_count(size, "size", least=1)
    check_flag(skip_bad, "skip_bad")
    root = data_dir / at_home(path)
    rows, notes = _rows(root)
    pictures, problems = _read([row.path for row in rows], size)
    bad = _few([f"{rows[i].file}: {problem}" for i, problem in problems.items()])
    if problems and not skip_bad:
        raise ValueError(
            f"{len(problems)} of {len(rows)} images in {root} cannot be used: {bad}. Mend them, "
            "pass size=PIXELS if they differ in size, or skip_bad=true to go on without them"
        )
    if not pictures:
        raise ValueError(f"none of the {len(rows)} images in {root} can be used: {bad}")
    kept = [rows[i] for i in pictures]
    if problems:
        notes.append(f"{len(problems)} of {len(rows)} images are left out: {bad}{_lost_classes(rows, kept)}")
    if animated := [rows[i].file for i, picture in pictures.items() if picture.is_animated]:
        notes.append(f"{len(animated)} images have several frames, of which the first is taken: {_few(animated)}")
    return replace(_data(name, kept, list(pictures.values())), notes=tuple(notes))


def _few(said: Sequence[str]) -> str:
    return "; ".join(said[:_NAMED]) + (f" and {len(said) - _NAMED} more" if len(said) > _NAMED else "")


def _lost_classes(rows: Sequence[Row], kept: Sequence[Row]) -> str:
    lost = sorted({row.label for row in rows} - {row.label for row in kept})
    return f"; with them no image is left of the class {', '.join(lost)}" if lost else ""


def _rows(root: Path) -> tuple[list[Row], list[str]]:
    """What the CSV states, checked, and notes for the user."""
    table = root / LABELS
    if not table.is_file():
        raise FileNotFoundError(
            f"there is no {table}; put there a CSV file with the columns file (relative to {root}) and label"
        )
    stated = read_table(table, ("file", "label"))
    if not stated:
        raise ValueError(f"{table} needs at least one row below the columns' names")
    rows = [_row(root, f"{table}, line {line}", line, fields) for line, fields in stated]
    _check_distinct(table, rows)
    unused = sorted(set(stated[0][1]) - {"file", "label", "part", ""})
    notes = [f"{LABELS} has columns that are not used: {', '.join(unused)}"] if unused else []
    return rows, notes + doubts(sorted({row.label for row in rows}))


def _row(root: Path, where: str, line: int, fields: Mapping[str, str]) -> Row:
    file, label = fields["file"], clean(fields["label"])
    if not is_visible(file) or not is_visible(label):
        raise ValueError(f"{where}: file and label must not be empty")
    if "part" in fields and fields["part"] not in _PARTS:
        raise ValueError(f"{where}: part must be one of {', '.join(_PARTS)}, got {fields['part']!r}")
    return Row(line, file, label, fields.get("part", ""), _located(root, file))


def _located(root: Path, file: str) -> Path:
    """The file of that name, in whichever of Unicode's forms the system keeps it, and with Windows' separators."""
    forms = [file, *(unicodedata.normalize(form, file) for form in ("NFC", "NFD"))]
    names = dict.fromkeys([*forms, *(form.replace("\\", "/") for form in forms)])
    return next((root / name for name in names if os.path.lexists(root / name)), root / file)


def _check_distinct(table: Path, rows: Sequence[Row]) -> None:
    """Raise ValueError where one image is there twice, by whatever names."""
    seen: dict[object, Row] = {}
    for row in rows:
        try:
            status = row.path.stat()
            identity: object = (status.st_dev, status.st_ino)
        except (OSError, ValueError):  # no such file: said later, of all of them
            identity = os.path.normpath(row.path)
        first = seen.setdefault(identity, row)
        if first is not row:
            other = f", there by the name {first.file}" if first.file != row.file else ""
            swapped = "" if os.path.lexists(row.path) else " (there is no such file: are the columns swapped?)"
            raise ValueError(
                f"{table}, line {row.line}: {row.file} has a label already, in line {first.line}{other}; an example "
                f"has one{swapped}"
            )


def _read(paths: Sequence[Path], size: int | None) -> tuple[dict[int, Picture], dict[int, str]]:
    """Images and problems, by their place in ``paths``."""
    pictures: dict[int, Picture] = {}
    problems: dict[int, str] = {}
    for i, path in enumerate(paths):
        try:
            pictures[i] = read_picture(path, size)
        except UnusableError as error:
            problems[i] = str(error)
    if pictures:
        common = Counter(picture.pixels.shape for picture in pictures.values()).most_common(1)[0][0]
        for i in [i for i, picture in pictures.items() if picture.pixels.shape != common]:
            height, width, _ = pictures.pop(i).pixels.shape
            problems[i] = f"{width} x {height} pixels, most have {common[1]} x {common[0]}"
    return pictures, dict(sorted(problems.items()))


def _data(name: str, rows: Sequence[Row], pictures: Sequence[Picture]) -> Data:
    classnames = tuple(sorted({row.label for row in rows}))
    if len(classnames) < 2:
        raise ValueError(f"{name!r}: at least 2 classes are needed, got {', '.join(classnames)}")
    number = {classname: k for k, classname in enumerate(classnames)}
    images = np.stack([picture.pixels for picture in pictures])
    whole = Part(images, np.array([number[row.label] for row in rows], dtype=np.int64))
    if rows[0].part:
        parts = np.array([row.part for row in rows])
        train, val, test = (whole.of(np.flatnonzero(parts == part)) for part in _PARTS)
        data = Data(name, train, val, test, classnames)
    else:
        data = split(name, whole, classnames)
    return replace(data, content=hashlib.blake2b(b"".join(picture.digest for picture in pictures)).hexdigest())
