"""Names made from texts that people choose, for places that don't take every text: folders, files, W&B's projects."""

from __future__ import annotations

import hashlib
import re
import unicodedata

_MOST_BYTES = 120
"""File systems take 255, and endings come behind."""
_NOT_IN_FILES = re.compile(r'[<>:"/\\|?*]+')  # Windows forbids them
_RESERVED = re.compile(r"(con|prn|aux|nul|com\d|lpt\d)(\..*)?", re.IGNORECASE)  # Windows' devices
_NOT_IN_PROJECTS = re.compile(r"[/\\#?%:]+")
_MOST_IN_PROJECTS = 128


def folder_name(text: str) -> str:
    """The text itself where every file system takes it, else one like it that no other text has."""
    fitted = _without(text, _NOT_IN_FILES).strip("-. ") or "results"
    if reserved := _RESERVED.fullmatch(fitted):  # with whatever ending
        fitted = f"{reserved[1]}-{reserved[2] or ''}"
    return _told_apart(fitted, text, _MOST_BYTES)


def project_name(text: str) -> str:
    """The text itself where Weights & Biases takes it for a project, else one like it that no other text has."""
    return _told_apart(_without(text, _NOT_IN_PROJECTS), text, _MOST_IN_PROJECTS)


def file_stem(text: str) -> str:
    """Small ASCII letters, digits, dots and dashes, 80 at most; other texts may have the same, see ``digest``."""
    ascii_text = unicodedata.normalize("NFKD", text).encode("ascii", "ignore").decode()
    return re.sub(r"[^a-z0-9.]+", "-", ascii_text.casefold())[:80].strip("-.")


def digest(text: str) -> str:
    """Eight hexadecimal digits that stand for a text."""
    return hashlib.sha256(text.encode("utf-8", "backslashreplace")).hexdigest()[:8]


def _without(text: str, refused: re.Pattern[str]) -> str:
    """In composed Unicode, with dashes instead of what is refused, and blanks instead of what is not printable."""
    printable = "".join(letter if letter.isprintable() else " " for letter in unicodedata.normalize("NFC", text))
    return refused.sub("-", printable)


def _told_apart(fitted: str, text: str, most_bytes: int) -> str:
    """The same where it is the text and short enough; otherwise cut, and with the text's digest at its end."""
    if fitted == text and len(fitted.encode()) <= most_bytes:
        return fitted
    cut = fitted.encode()[: most_bytes - 9].decode(errors="ignore").rstrip("-. ")
    return f"{cut}-{digest(text)}"
