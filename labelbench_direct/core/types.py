"""Array types, by what they hold."""

from __future__ import annotations

from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

Floats: TypeAlias = NDArray[np.floating[Any]]
"""Scores: float16, float32 or float64."""

Indices: TypeAlias = NDArray[np.int64]
"""Pool indices, positions along an order, thresholds, labels, votes or losses."""

Order: TypeAlias = NDArray[np.signedinteger[Any]]
"""Pool indices along one class's order, in the smaller of two integers that holds them."""

Mask: TypeAlias = NDArray[np.bool_]
