"""Forecasts that know a season: the same period last time round, and Theta on deseasonalised demand.

Both follow the benchmarks of the M4 competition (Mcompetitions/M4-methods), whose published figures pin them. The Theta
of statsforecast 2.1.1 says the same on M4 (weekly sMAPE 9.143 for 9.093, hourly 18.133 for 18.138) at fourteen times
the cost, compiling included, so it is not taken from there; its AutoETS is (see `ets`).
"""

import numpy as np
from numpy.typing import NDArray

from mappings.forecast.panel import Panel, Vector, mean_of
from mappings.forecast.smoothing import ses_level

LIMIT = 1.645
"""Standard errors (90 %) by which a seasonal autocorrelation must differ from nothing."""


def seasonal_naive(history: Panel, horizon: int, season: int = 1) -> Panel:
    """What was last known of the same period of the season; a season of 1 repeats the last value."""
    last = np.full((len(history), season), np.nan)
    periods = history.shape[1]
    for back in range(min(periods, season * 3), 0, -1):
        now = history[:, periods - back]
        place = (season - back) % season
        last[:, place] = np.where(np.isnan(now), last[:, place], now)
    fallback = _last_known(history)
    filled = np.where(np.isnan(last), fallback[:, None], last)
    return filled[:, np.arange(horizon) % season]


def theta(history: Panel, horizon: int, season: int = 1) -> Panel:
    """Half a straight line, half SES of the series bent away from it (θ = 2), deseasonalised; at least 0."""
    index = _seasonal_index(history, season)
    periods = history.shape[1]
    level = history / index[:, np.arange(-periods, 0) % season]
    start, slope = _line(level)
    line = start[:, None] + slope[:, None] * np.arange(periods)
    ahead = start[:, None] + slope[:, None] * np.arange(periods, periods + horizon)
    forecast = (ses_level(2 * level - line)[:, None] + ahead) / 2
    return np.maximum(forecast * index[:, np.arange(horizon) % season], 0.0)


def _last_known(history: Panel) -> Vector:
    known = ~np.isnan(history)
    last = history.shape[1] - 1 - known[:, ::-1].argmax(axis=1)
    value: Vector = history[np.arange(len(history)), last]
    return value


def _line(panel: Panel) -> tuple[Vector, Vector]:
    """Start and slope of the straight line through each row."""
    known = ~np.isnan(panel)
    time = np.broadcast_to(np.arange(panel.shape[1], dtype=float), panel.shape)
    mean_time, mean = mean_of(time, known), mean_of(panel, known)
    off_time = np.where(known, time - mean_time[:, None], 0.0)
    off = np.where(known, panel - mean[:, None], 0.0)
    spread = (off_time**2).sum(axis=1)
    slope = np.divide((off_time * off).sum(axis=1), spread, out=np.zeros(len(panel)), where=spread > 0)
    return mean - slope * mean_time, slope


def _seasonal_index(history: Panel, season: int) -> Panel:
    """Multiplicative index of each place in the season, the next period first; 1 for a series without a season."""
    index = np.ones((len(history), season))
    seasonal = _is_seasonal(history, season)
    if not seasonal.any():
        return index
    ratio = history[seasonal] / _trend(history[seasonal], season)
    periods = history.shape[1]
    for place in range(season):
        column = ratio[:, [at for at in range(periods) if (at - periods) % season == place]]
        index[seasonal, place] = mean_of(column, np.isfinite(column))
    index[seasonal] /= np.nanmean(index[seasonal], axis=1, keepdims=True)
    return np.where(np.isfinite(index) & (index > 0), index, 1.0)


def _trend(history: Panel, season: int) -> Panel:
    """Centred moving average over one season; NaN at the ends."""
    weights = np.ones(season) / season
    if season % 2 == 0:
        weights = np.r_[0.5, np.ones(season - 1), 0.5] / season
    half = len(weights) // 2
    trend = np.full_like(history, np.nan)
    windows = np.lib.stride_tricks.sliding_window_view(history, len(weights), axis=1)
    trend[:, half : history.shape[1] - half] = windows @ weights
    return trend


def _is_seasonal(history: Panel, season: int) -> NDArray[np.bool_]:
    """Three seasons long, positive, and alike one season apart beyond what chance gives (Bartlett's limit)."""
    known = ~np.isnan(history)
    count = known.sum(axis=1)
    if season == 1 or history.shape[1] < 3 * season:
        return np.zeros(len(history), dtype=bool)
    off = np.where(known, history - mean_of(history, known)[:, None], 0.0)
    power = (off**2).sum(axis=1)
    alike = np.stack([(off[:, lag:] * off[:, :-lag]).sum(axis=1) for lag in range(1, season + 1)], axis=1)
    alike = np.divide(alike, power[:, None], out=np.zeros_like(alike), where=power[:, None] > 0)
    limit = LIMIT * np.sqrt((1 + 2 * (alike[:, :-1] ** 2).sum(axis=1)) / np.maximum(count, 1))
    positive = np.where(known, history, 1.0).min(axis=1) > 0
    seasonal: NDArray[np.bool_] = (np.abs(alike[:, -1]) > limit) & (count >= 3 * season) & positive
    return seasonal
