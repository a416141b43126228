"""Who answers: numpy, or for large pools, where numba is installed (the extra "fast"), what it compiles. Both say the
same, bit for bit, and nothing but this module knows that there are two.
"""

from __future__ import annotations

import importlib
import math
import warnings
from functools import cache
from types import ModuleType
from typing import NamedTuple

from labelbench_direct.core import passes
from labelbench_direct.core.class_line import ClassLine

WORTH_COMPILING = 2**20
"""With fewer scores numpy is done before compiled code is loaded."""


class Engine(NamedTuple):
    """Who answers."""

    passes: ModuleType
    """``core.passes``, or what is compiled by the same names."""
    line: type[ClassLine]


NUMPY = Engine(passes, ClassLine)


def engine_for(shape: tuple[int, ...]) -> Engine:
    """The engine for scores of shape (N, K)."""
    is_possible = shape[0] < 2**31  # compiled orders hold indices of 32 bits
    return _compiled_if_possible() if is_possible and math.prod(shape) >= WORTH_COMPILING else NUMPY


@cache
def _compiled_if_possible() -> Engine:
    try:
        class_line = importlib.import_module("labelbench_direct.core.compiled.class_line")
        return Engine(importlib.import_module("labelbench_direct.core.compiled.passes"), class_line.CompiledLine)
    except (ImportError, RuntimeError) as error:  # numba raises either where it cannot work
        if not (isinstance(error, ModuleNotFoundError) and error.name in ("numba", "labelbench_direct.core.compiled")):
            warnings.warn(f"numba cannot compile here, so numpy does it, slower: {error}", stacklevel=2)
        return NUMPY
