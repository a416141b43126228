"""Pictures as files and for the page. One that cannot be drawn is left out, and said, so that the rest is not lost."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from labelbench_direct.report.drawing import drawing, png_bytes, svg_text
from labelbench_direct.report.page import Picture, write_bytes, write_text

if TYPE_CHECKING:
    from matplotlib.figure import Figure


class Pictures:
    """Draws into a folder, each picture as PNG and SVG."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._remarks: list[str] = []
        self._failed: dict[str, list[str]] = {}

    @property
    def notes(self) -> list[str]:
        """What a reader should hear: which pictures are missing, and why."""
        missing = []
        for why, names in self._failed.items():
            which = ", ".join(names[:3]) + (", ..." if len(names) > 3 else "")
            missing.append(f"{len(names)} pictures could not be drawn ({which}): {why}")
        return [*self._remarks, *missing]

    def draw(self, name: str, caption: str, make: Callable[[], Figure | None]) -> list[Picture]:
        """One picture; none where ``make`` has nothing to show, or fails.

        Raises OSError where the folder cannot be written to.
        """
        try:
            with drawing(self._remarks):
                figure = make()
                if figure is None:
                    return []
                svg = svg_text(figure)
                figure.set_layout_engine("none")  # laid out by now; doing so again takes a third of the time
                png = png_bytes(figure)
        except Exception as error:
            self._failed.setdefault(f"{type(error).__name__}: {error}", []).append(name)
            return []
        write_text(self._folder / f"{name}.svg", svg)
        write_bytes(self._folder / f"{name}.png", png)
        return [Picture(svg, caption)]
