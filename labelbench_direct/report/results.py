"""One trial's results, and what two trials must share to be compared."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from labelbench_direct.experiment.noise import GIVEN, percent

Series = NDArray[np.float64]
NUM_LABELED = "Num Labeled"


@dataclass(frozen=True, order=True)
class Setting:
    """What two trials must share for their strategies to be compared."""

    dataset: str
    batch_size: int
    model: str
    trainer: str
    noise: float
    """The share of wrong labels, of a confusion matrix or of annotators the expected one."""
    confusion: str = ""
    """A name for the confusion matrix, if there is one; ``given`` for annotators."""
    data: str = ""
    """A name for the data themselves, where trials on others have the same ``dataset``."""

    @property
    def _what(self) -> str:
        return f"{self.dataset}{f', data {self.data}' if self.data else ''}"

    @property
    def title(self) -> str:
        """For people."""
        parts = [self._what, self.noise_title, f"{self.batch_size:,} labels a round", self.model, self.trainer]
        return ", ".join(parts)

    @property
    def noise_title(self) -> str:
        """The level of noise alone."""
        share = f"{self.noise:.0%}" if self.confusion else percent(self.noise)
        return f"{share} label noise{self._source}"

    @property
    def place(self) -> str:
        """Data set and noise, for notes."""
        return f"{self._what}, noise {self.noise:g}{self._source}"

    @property
    def _source(self) -> str:
        if self.confusion == GIVEN:
            return " by annotators"
        return f" by confusion matrix {self.confusion}" if self.confusion else ""


@dataclass(frozen=True)
class TrialResult:
    """One trial's rounds. ``metrics``: (rounds,) each, NaN where there was no number."""

    setting: Setting
    strategy: dict[str, Any]
    seed: int
    metrics: dict[str, Series]
    select_seconds: Series
    path: Path
    rounds: int | None = None
    """As stated; None where nobody stated it."""
    class_accuracies: Series | None = None
    """(rounds, K) of the test part."""
    class_counts: Series | None = None
    """(K,) true examples of each class in the pool."""
    published: bool = False
    pool: dict[str, Any] | None = None
    """What ``pool.json`` says of the data; None where nothing does."""
    host: str = ""
    options: dict[str, Any] = field(default_factory=dict)
    """How it was trained, as far as the setting doesn't say it."""
    versions: dict[str, str] = field(default_factory=dict)
    """Of what the results depend on; empty where nothing says it."""

    @property
    def labels(self) -> Series:
        """(rounds,): how many examples were labeled."""
        return self.metrics[NUM_LABELED]
