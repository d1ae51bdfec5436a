"""What kind of demand a series has, and how far it strays from its mean."""

from typing import Literal, TypeAlias

import numpy as np
from numpy.typing import NDArray

from mappings.forecast.panel import Panel, Vector, mean_of

Kind: TypeAlias = Literal["smooth", "erratic", "intermittent", "lumpy", "none"]
INTERVAL, VARIATION = 1.32, 0.49
"""Syntetos, Boylan and Croston 2005: where Croston-like methods begin to win."""


def mean_interval(history: Panel) -> Vector:
    """Known periods per period with a demand; infinite for a series without any."""
    known = (~np.isnan(history)).sum(axis=1)
    asked = (history > 0).sum(axis=1)
    interval: Vector = np.divide(known, asked, out=np.full(len(history), np.inf), where=asked > 0)
    return interval


def squared_variation(history: Panel) -> Vector:
    """(standard deviation / mean)² of the sizes of demands; 0 where there are fewer than two."""
    asked = history > 0
    mean = mean_of(history, asked)
    spread = mean_of((history - mean[:, None]) ** 2, asked)
    return np.nan_to_num(np.divide(spread, mean**2, out=np.zeros(len(history)), where=mean > 0))


def kinds(history: Panel) -> NDArray[np.str_]:
    """The kind of each series: smooth, erratic, intermittent, lumpy, or none where nothing was ever asked for."""
    often, steady = mean_interval(history) < INTERVAL, squared_variation(history) < VARIATION
    kind = np.select([often & steady, often, steady], ["smooth", "erratic", "intermittent"], "lumpy")
    return np.where((history > 0).any(axis=1), kind, "none")


def dispersion(history: Panel) -> float:
    """What a class of series strays beyond chance: a in variance = mean + a × mean², pooled; at least 0 (Poisson)."""
    known = ~np.isnan(history)
    mean = mean_of(history, known)
    count = known.sum(axis=1)
    squares = np.where(known, history - mean[:, None], 0.0) ** 2
    variance = np.divide(squares.sum(axis=1), count - 1, out=np.full(len(history), np.nan), where=count > 1)
    sure = np.isfinite(variance) & (mean > 0)
    return max(0.0, float((variance - mean)[sure].sum() / (mean[sure] ** 2).sum())) if sure.any() else 0.0
