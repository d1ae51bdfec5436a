"""Available to sell: what a channel may offer. Quantities are matrices, rows × locations; NaN: nobody has counted."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from mappings.stock.allocation import ALLOCATION

Floats = NDArray[np.float64]


def free(on_hand: Floats, reserved: Floats) -> Floats:
    """What is promised to nobody. A missing count stays missing: it is not zero."""
    return np.maximum(on_hand - reserved, 0)


def offered(free: Floats, allocation: str, share: float, before: Sequence[Sequence[float]]) -> Floats:
    """What a channel gets of each location's free units. `before[location]`: shares of those served first there."""
    strategy, parts = ALLOCATION[allocation], np.empty_like(free)
    for place, earlier in enumerate(before):
        parts[:, place] = strategy(free[:, place], share, earlier)
    return parts


def together(quantities: Floats) -> Floats:
    """The sum over the counted locations, as one column."""
    counted = ~np.isnan(quantities).all(axis=1, keepdims=True)
    return np.where(counted, np.nansum(quantities, axis=1, keepdims=True), np.nan)


def available_to_sell(offered: Floats, free: Floats, safety: float) -> Floats:
    """What is offered less the units held back, never below zero.

    Where whole units are free, whole units are sold: half of 7 pieces are 3, half of 3.5 kg are 1.75.
    """
    left = np.maximum(np.round(offered - safety, 3), 0)
    return np.where(free % 1 == 0, np.floor(left), left)
