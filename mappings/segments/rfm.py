"""How recently, how often and for how much: scores 1 to 5 by borders that are dated and then stand still.

A border of recency is the moment of a purchase, not a number of days: nobody's score moves because a day passes or
others buy, only when new borders are drawn.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

Scores = NDArray[np.int64]
SHARES = (0.2, 0.4, 0.6, 0.8)


@dataclass(frozen=True)
class Borders:
    """Four of each, rising: seconds since 1970 of the last purchase, number of orders, money."""

    recency: tuple[float, ...]
    frequency: tuple[float, ...]
    monetary: tuple[float, ...]


def borders(last: ArrayLike, orders: ArrayLike, money: ArrayLike) -> Borders:
    """Quintiles of the buyers given, or of a sample of them. Raises ValueError where there are none."""
    return Borders(_quintiles(last), _quintiles(orders), _quintiles(money))


def scores(by: Borders, last: ArrayLike, orders: ArrayLike, money: ArrayLike) -> tuple[Scores, Scores, Scores]:
    """R, F, M of each buyer, 5 the best. Who stands on a border belongs below it, so equals have one score."""
    return _score(by.recency, last), _score(by.frequency, orders), _score(by.monetary, money)


def _quintiles(values: ArrayLike) -> tuple[float, ...]:
    known = np.asarray(values, np.float64)
    if not known.size:
        raise ValueError("quintiles of nobody: there are no buyers yet")
    return tuple(float(one) for one in np.quantile(known, SHARES, method="inverted_cdf"))


def _score(edges: tuple[float, ...], values: ArrayLike) -> Scores:
    return np.searchsorted(edges, np.asarray(values, np.float64), side="left") + 1
