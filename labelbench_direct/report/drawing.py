"""What pictures are drawn with: matplotlib by its own defaults, whatever the user's settings are, and text as it is."""

from __future__ import annotations

import contextlib
import importlib
import io
import logging
import os
import sys
import tempfile
import textwrap
import unicodedata
import warnings
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from matplotlib.figure import Figure

MISSING_LETTERS = (
    "letters that matplotlib's font lacks are boxes in PNG pictures; a report's SVG pictures and its page have them"
)
_LOOK: dict[Any, Any] = {
    "text.parse_math": False,  # a name is a name, also with $ in it
    "axes.spines.top": False,
    "axes.spines.right": False,
    "legend.frameon": False,
    "svg.fonttype": "none",  # text stays text
    "svg.hashsalt": "labelbench_direct",  # equal figures are equal files
}


@contextlib.contextmanager
def drawing(notes: list[str], font_size: int = 10) -> Iterator[None]:
    """The common look, for figures that are made and saved within; ``notes`` gets what a reader should hear.

    Raises ImportError where matplotlib cannot be imported.
    """
    with _quiet() as warned:
        mpl = _import_matplotlib()
        look: dict[Any, Any] = {key: value for key, value in mpl.rcParamsDefault.items() if key != "backend"}
        with mpl.rc_context({**look, **_LOOK, "font.size": font_size}):
            yield
    if MISSING_LETTERS not in notes and any("missing from" in str(warning.message) for warning in warned):
        notes.append(MISSING_LETTERS)


@contextlib.contextmanager
def _quiet() -> Iterator[list[warnings.WarningMessage]]:
    """Neither warnings, which some users make errors, nor words on settings that have no effect here."""
    log = logging.getLogger("matplotlib")
    level = log.level
    log.setLevel(logging.CRITICAL)
    try:
        with warnings.catch_warnings(record=True) as warned:
            warnings.simplefilter("always")
            yield warned
    finally:
        log.setLevel(level)


def _import_matplotlib() -> Any:
    """Import it although the user's settings, which are read then, may be such that the import fails."""
    try:
        return importlib.import_module("matplotlib")
    except ImportError:
        raise
    except Exception:  # an unknown MPLBACKEND, a matplotlibrc in another encoding, a locale that is not there
        for name in [name for name in sys.modules if name.partition(".")[0] == "matplotlib"]:
            del sys.modules[name]
        with _without_settings():
            return importlib.import_module("matplotlib")


@contextlib.contextmanager
def _without_settings() -> Iterator[None]:
    """The first settings that matplotlib looks for are a matplotlibrc in the working directory: an empty one."""
    backend, before = os.environ.pop("MPLBACKEND", None), Path.cwd()
    with tempfile.TemporaryDirectory() as folder:
        (Path(folder) / "matplotlibrc").touch()
        os.chdir(folder)
        try:
            yield
        finally:
            os.chdir(before)
            if backend is not None:
                os.environ["MPLBACKEND"] = backend


def png_bytes(figure: Figure, dpi: int = 150) -> bytes:
    """The figure as PNG."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg

    buffer = io.BytesIO()
    FigureCanvasAgg(figure).print_figure(buffer, format="png", dpi=dpi)
    return buffer.getvalue()


def svg_text(figure: Figure) -> str:
    """The figure as SVG."""
    from matplotlib.backends.backend_svg import FigureCanvasSVG

    buffer = io.StringIO()
    FigureCanvasSVG(figure).print_figure(buffer, format="svg", metadata={"Date": None})
    return buffer.getvalue()


def plain(text: str) -> str:
    """One line of what can be shown, without the rest: control characters, halves of characters, directions."""
    kept = (letter if letter.isprintable() else " " for letter in text if unicodedata.category(letter) != "Cf")
    return " ".join("".join(kept).split())


def shortened(text: str, most: int) -> str:
    """Plain, and the middle left out where it is longer."""
    text = plain(text)
    return text if len(text) <= most else f"{text[: most // 2]}…{text[len(text) - (most - 1) // 2 :]}"


def wrapped(text: str, width: int, lines: int = 3) -> str:
    """Plain, on so many lines of this width at most."""
    return textwrap.fill(shortened(text, width * lines - width // 2), width)


def labels(names: Sequence[str], most: int = 30) -> dict[str, str]:
    """What stands for each name in a picture: short, and no two the same."""
    found: dict[str, str] = {}
    for name in names:
        short, number = shortened(name, most) or "?", 2
        while short in found.values():
            short, number = f"{shortened(name, most - 4)} ({number})", number + 1
        found[name] = short if short[0] != "_" else f" {short}"  # legends leave out what begins with it
    return found
