"""The shape that everything here works on."""

from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

Panel: TypeAlias = NDArray[np.float64]
"""One series a row, one period a column, oldest first; NaN where it is not known what would have been sold.

Shorter series are aligned at their end. A period in which goods were out of stock is NaN, not zero: nobody could buy.
"""
Vector: TypeAlias = NDArray[np.float64]
"""One number a series."""


def flat(level: Vector, horizon: int) -> Panel:
    """The same forecast for every period ahead."""
    return np.repeat(level[:, None], horizon, axis=1)


def mean_of(panel: Panel, where: NDArray[np.bool_]) -> Vector:
    """Mean of each row over the cells `where`; NaN for a row that has none."""
    count = where.sum(axis=1)
    total = np.where(where, panel, 0.0).sum(axis=1)
    mean: Vector = np.divide(total, count, out=np.full(len(panel), np.nan), where=count > 0)
    return mean
