"""Which method forecasts which kind of demand: tried on the past, the usual one stays unless another is better."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from typing import Protocol

import numpy as np

from mappings.forecast.demand import dispersion, kinds
from mappings.forecast.errors import mase, pinball
from mappings.forecast.ets import NAME as AUTO_ETS
from mappings.forecast.ets import auto_ets, few, installed
from mappings.forecast.panel import Panel, Vector, mean_of
from mappings.forecast.reorder import demand_quantile
from mappings.forecast.seasonal import seasonal_naive, theta
from mappings.forecast.smoothing import sba, ses, tsb


class Method(Protocol):
    """(history, periods ahead, periods of a season) → forecast."""

    def __call__(self, history: Panel, horizon: int, season: int = 1) -> Panel: ...


FALLBACK = "seasonal_naive"
STEADY: Mapping[str, Method] = {FALLBACK: seasonal_naive, "ses": ses, "theta": theta}
SPORADIC: Mapping[str, Method] = {
    FALLBACK: seasonal_naive,
    "tsb": tsb,
    "tsb_slow": partial(tsb, alpha=0.1, beta=0.1),
    "tsb_quick": partial(tsb, alpha=0.3, beta=0.3),
    "sba": sba,
}
CANDIDATES = {"smooth": STEADY, "erratic": STEADY, "intermittent": SPORADIC, "lumpy": SPORADIC}
USUAL = {"smooth": "ses", "erratic": "ses", "intermittent": "tsb", "lumpy": "tsb"}
"""What forecasts a kind as long as nothing is known to be better: the last week repeated, rare goods would be bought
every week after the one in which they were asked for."""
METHODS: Mapping[str, Method] = {**STEADY, **SPORADIC, AUTO_ETS: auto_ets}
SAMPLE = 2_000
"""Series of a kind that are tried: their mean loss settles long before all of them are."""


@dataclass(frozen=True)
class Choice:
    """`losses`: method → its loss over that of seasonal naive (1): the geometric mean of the two ratios of MASE and of
    pinball loss at the service level, so that a method which calls rare demand 0 does not win by it."""

    method: str
    dispersion: float
    losses: Mapping[str, float]


def forecast(history: Panel, horizon: int, season: int, choices: Mapping[str, Choice]) -> Panel:
    """Each series by the method chosen for its kind; 0 for one that was never asked for. Never below 0."""
    result = np.zeros((len(history), horizon))
    kind = kinds(history)
    for name, choice in choices.items():
        rows = kind == name
        if rows.any():
            result[rows] = np.maximum(np.nan_to_num(METHODS[choice.method](history[rows], horizon, season)), 0.0)
    return result


def choose(history: Panel, horizon: int, season: int, *, level: float = 0.95, origins: int = 3) -> dict[str, Choice]:
    """The method of each kind found in `history`, by rolling origins: `origins` times a cut of `horizon` periods is
    forecast from what was known before it. `level`: the service level at which running short is weighed.

    A kind whose past is too short to be tried, or in whose past none did better, keeps its usual method.
    """
    kind = kinds(history)
    return {
        str(name): _chosen(_sample(found), str(name), _candidates(str(name), found), horizon, season, level, origins)
        for name in np.unique(kind)
        if name in CANDIDATES and len(found := history[kind == name])
    }


def _candidates(kind: str, history: Panel) -> Mapping[str, Method]:
    usual = CANDIDATES[kind]
    return {**usual, AUTO_ETS: auto_ets} if usual is STEADY and few(history) and installed() else usual


def _sample(history: Panel) -> Panel:
    return history[:: max(1, len(history) // SAMPLE)]


def _chosen(
    history: Panel, kind: str, candidates: Mapping[str, Method], horizon: int, season: int, level: float, origins: int
) -> Choice:
    spread = dispersion(history)
    cuts = [history.shape[1] - horizon * back for back in range(origins, 0, -1)]
    cuts = [cut for cut in cuts if cut >= season + horizon]
    if not cuts:
        return Choice(USUAL[kind], spread, {})
    tried = {
        name: np.array([_errors(history, cut, method, horizon, season, level, spread) for cut in cuts])
        for name, method in candidates.items()
    }
    mean = {name: mean_of(errors.T, np.isfinite(errors.T)) for name, errors in tried.items()}
    losses = {name: _relative(errors, mean[FALLBACK]) for name, errors in mean.items()}
    return Choice(min(losses, key=lambda name: (losses[name], name != USUAL[kind])), spread, losses)


def _errors(
    history: Panel, cut: int, method: Method, horizon: int, season: int, level: float, spread: float
) -> tuple[float, float]:
    """MASE and pinball loss over the series that were known on both sides of the cut; NaN where there is none."""
    past, actual = history[:, :cut], history[:, cut : cut + horizon]
    ahead = np.maximum(np.nan_to_num(method(past, horizon, season)), 0.0)
    short = pinball(actual, demand_quantile(ahead, spread, level), level)
    return _mean(mase(actual, ahead, past, season)), _mean(short)


def _mean(values: Vector) -> float:
    known = values[np.isfinite(values)]
    return float(known.mean()) if known.size else float("nan")


def _relative(errors: Vector, base: Vector) -> float:
    """Geometric mean of the ratios that can be formed; 1 where none can."""
    sure = np.isfinite(errors) & np.isfinite(base) & (base > 0)
    return float(np.exp(np.log(np.maximum(errors[sure] / base[sure], 1e-9)).mean())) if sure.any() else 1.0
