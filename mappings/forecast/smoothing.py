"""Exponential smoothing: SES for demand that comes every week, TSB and SBA for demand that comes now and then.

All series of a panel take each step together, so the cost is one pass over time however many there are. Sources:
Syntetos and Boylan 2005 (SBA), Teunter, Syntetos and Babai 2011 (TSB).
"""

import numpy as np

from mappings.forecast.panel import Panel, Vector, flat, mean_of

ALPHA_GRID = np.array([0.0001, 0.02, 0.05, 0.1, 0.15, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 0.9999])
GOLDEN = (np.sqrt(5) - 1) / 2
REFINEMENTS = 18


def ses(history: Panel, horizon: int, season: int = 1) -> Panel:
    """Simple exponential smoothing; pace and starting level of each series are those with the least squared error."""
    return flat(ses_level(history), horizon)


def tsb(history: Panel, horizon: int, season: int = 1, *, alpha: float = 0.2, beta: float = 0.2) -> Panel:
    """Chance of a demand × its size. The chance falls in every period without one, so dead goods fade out."""
    asked = history > 0
    size, chance = mean_of(history, asked), mean_of(asked.astype(float), ~np.isnan(history))
    for now in history.T:
        seen = ~np.isnan(now)
        size = np.where(now > 0, size + alpha * (now - size), size)
        chance = np.where(seen, chance + beta * ((now > 0) - chance), chance)
    return flat(np.nan_to_num(size) * chance, horizon)


def sba(history: Panel, horizon: int, season: int = 1, *, alpha: float = 0.2) -> Panel:
    """Croston's size / interval, less the bias that Syntetos and Boylan found: × (1 − α/2)."""
    asked = history > 0
    size, interval = mean_of(history, asked), 1 / np.maximum(_share_asked(history), 1e-12)
    waited = np.zeros(len(history))
    for now in history.T:
        waited += ~np.isnan(now)
        hit = now > 0
        size = np.where(hit, size + alpha * (now - size), size)
        interval = np.where(hit, interval + alpha * (waited - interval), interval)
        waited[hit] = 0
    rate = (1 - alpha / 2) * np.nan_to_num(size) / interval
    return flat(np.where(np.isnan(history).all(axis=1), np.nan, rate), horizon)


def ses_level(history: Panel) -> Vector:
    """The level after the last period under the best pace of each series: a grid, then a golden section around it."""
    errors = np.stack([_smoothed(history, np.full(len(history), alpha))[1] for alpha in ALPHA_GRID])
    best = errors.argmin(axis=0)
    low, high = ALPHA_GRID[np.maximum(best - 1, 0)], ALPHA_GRID[np.minimum(best + 1, len(ALPHA_GRID) - 1)]
    for _ in range(REFINEMENTS):
        span = GOLDEN * (high - low)
        left, right = high - span, low + span
        to_left = _smoothed(history, left)[1] < _smoothed(history, right)[1]
        low, high = np.where(to_left, low, left), np.where(to_left, right, high)
    return _smoothed(history, (low + high) / 2)[0]


def _smoothed(history: Panel, alpha: Vector) -> tuple[Vector, Vector]:
    """Last level and squared error of one-step forecasts, under the best starting level.

    Every error is linear in the start: e = (error from a start of 0) − (weight the start still has) × start. So the
    best start comes by least squares, and one pass finds it, its error and its level.
    """
    count = len(history)
    level, weight = np.zeros(count), np.ones(count)
    squares, cross, weights = np.zeros(count), np.zeros(count), np.zeros(count)
    for now in history.T:
        seen = ~np.isnan(now)
        error, share = np.where(seen, now - level, 0.0), np.where(seen, weight, 0.0)
        squares += error * error
        cross += error * share
        weights += share * share
        level += alpha * error
        weight -= alpha * share
    start = np.divide(cross, weights, out=np.full(count, np.nan), where=weights > 0)
    return level + weight * start, np.where(weights > 0, squares - cross * start, 0.0)


def _share_asked(history: Panel) -> Vector:
    return np.nan_to_num(mean_of((history > 0).astype(float), ~np.isnan(history)))
