"""Class names as people write them: cleaned, and told of where they look like a mistake."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence
from decimal import Decimal

_MISSING = {"nan", "na", "n/a", "#n/a", "<na>", "null"}
"""What spreadsheets and data frames write where there is no label, in lower case."""


def clean(name: str) -> str:
    """The name without blanks around it, and in composed Unicode: one name, one sequence of characters."""
    return unicodedata.normalize("NFC", name.strip())


def is_visible(name: str) -> bool:
    """Whether there is anything to see of it."""
    return any(character.isprintable() and not character.isspace() for character in name)


def doubts(classnames: Sequence[str]) -> list[str]:
    """Notes on classes whose names nobody can tell apart, or only by case, dots, zeros and the like, and on those that
    stand for no label elsewhere.
    """
    groups: dict[str, list[str]] = {}
    for classname in classnames:
        groups.setdefault(_bare(classname), []).append(classname)
    alike = [" and ".join(map(repr, group)) for group in groups.values() if len(group) > 1]
    missing = [repr(classname) for classname in classnames if classname.casefold() in _MISSING]
    notes = (
        [f"these are taken for different classes, though their names are alike: {'; '.join(alike)}"] if alike else []
    )
    if missing:
        notes.append(f"taken for a class, though elsewhere it stands for a missing label: {', '.join(missing)}")
    return notes


def _bare(classname: str) -> str:
    """The name without case, invisible characters, and what people add or leave out at the end and between words; of a
    number its value.
    """
    text = unicodedata.normalize("NFKC", classname).casefold()
    text = "".join(character for character in text if unicodedata.category(character) not in ("Cc", "Cf"))
    text = " ".join(re.sub(r"(?<!^)[-_]", " ", text).split()).rstrip(" .")
    if re.fullmatch(r"-?\d+(\.\d+)?", text):
        text = str(Decimal(text).normalize())
    return text or classname
