"""How wrong a forecast was, exactly as the M4 competition measures it, and what a quantile costs."""

import numpy as np

from mappings.forecast.panel import Panel, Vector, mean_of


def smape(actual: Panel, forecast: Panel) -> Vector:
    """Symmetric mean absolute percentage error of each series: mean of 200 |y − f| / (|y| + |f|), in per cent.

    Nothing asked and nothing forecast is no error; unknown periods do not count.
    """
    sizes = np.abs(actual) + np.abs(forecast)
    parts = np.divide(200 * np.abs(actual - forecast), sizes, out=np.zeros_like(sizes), where=sizes != 0)
    return mean_of(parts, ~np.isnan(actual) & ~np.isnan(forecast))


def mase(actual: Panel, forecast: Panel, history: Panel, season: int = 1) -> Vector:
    """Mean absolute error of each series in units of `scale`; NaN where the series never moved."""
    unit = scale(history, season)
    wrong = mean_of(np.abs(actual - forecast), ~np.isnan(actual) & ~np.isnan(forecast))
    scaled: Vector = np.divide(wrong, unit, out=np.full(len(unit), np.nan), where=unit > 0)
    return scaled


def scale(history: Panel, season: int = 1) -> Vector:
    """Mean absolute difference between periods one season apart, over the history that was known."""
    steps = np.abs(history[:, season:] - history[:, :-season])
    return mean_of(steps, ~np.isnan(steps))


def pinball(actual: Panel, quantile: Panel, level: float) -> Vector:
    """Pinball loss of each series in units of demand: a unit short costs `level`, a unit too many 1 − `level`."""
    short = actual - quantile
    return mean_of(np.where(short > 0, level * short, (level - 1) * short), ~np.isnan(actual) & ~np.isnan(quantile))
