"""What a buyer is still worth: BG/NBD (Fader, Hardie, Lee 2005) for purchases, Gamma-Gamma for their amounts.

Both are fitted on cells, buyers who look alike with their number as weight: a million people who bought on whole days
of the last years are some ten thousand cells. Time is in weeks. The first purchase is not a repeat, and two on one day
are one.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.optimize import minimize
from scipy.special import betaln, expit, gammaln, hyp2f1, psi

Floats = NDArray[np.float64]
Score = Callable[[Sequence[float]], tuple[float, Floats]]

FARTHEST = 12.0
"""Logarithm of a parameter, time and money being measured in their largest and average value: a bound, not a guess."""
TOO_CORRELATED = 0.3
"""Gamma-Gamma holds only where those who buy often do not spend more each time."""


@dataclass(frozen=True)
class Purchasing:
    """BG/NBD: rates of purchase are Gamma(r, alpha) over buyers, the chance to leave after each one Beta(a, b)."""

    r: float
    alpha: float
    a: float
    b: float
    log_likelihood: float


@dataclass(frozen=True)
class Spending:
    """Gamma-Gamma: an amount is Gamma(p, ν) for each buyer, ν is Gamma(q, gamma) over them."""

    p: float
    q: float
    gamma: float
    log_likelihood: float


@dataclass(frozen=True)
class Cells:
    """Buyers who look alike: repeat purchases, weeks from the first to the last one, weeks since the first; `count` of
    them."""

    frequency: Floats
    recency: Floats
    age: Floats
    count: Floats


def cells(frequency: ArrayLike, recency: ArrayLike, age: ArrayLike) -> tuple[Cells, NDArray[np.intp]]:
    """The distinct buyers with their number, and for every one given the place of his cell."""
    columns = [np.unique(np.asarray(one, np.float64), return_inverse=True) for one in (frequency, recency, age)]
    shape = tuple(len(values) for values, _ in columns)
    code = np.ravel_multi_index([place.reshape(-1) for _, place in columns], shape)
    distinct, place, count = np.unique(code, return_inverse=True, return_counts=True)
    x, t_x, t = (values[at] for (values, _), at in zip(columns, np.unravel_index(distinct, shape), strict=True))
    return Cells(x, t_x, t, count.astype(np.float64)), place


def log_likelihood(at: Sequence[float], buyers: Cells) -> tuple[float, Floats]:
    """Of r, alpha, a, b, summed over all buyers (equation 6 of the paper), and its slope by each of them."""
    r, alpha, a, b = at
    x, t_x, age = buyers.frequency, buyers.recency, buyers.age
    again = x > 0
    stays = betaln(a, b + x) - (r + x) * np.log(alpha + age)
    left = betaln(a + 1, np.where(again, b + x - 1, 1)) - (r + x) * np.log(alpha + t_x)
    left = np.where(again, left, -np.inf)
    each = gammaln(r + x) - gammaln(r) + r * np.log(alpha) - betaln(a, b) + np.logaddexp(stays, left)
    gone = expit(left - stays)
    both = psi(a + b) - psi(a + b + x)
    slopes = (
        psi(r + x) - psi(r) + np.log(alpha) - (1 - gone) * np.log(alpha + age) - gone * np.log(alpha + t_x),
        r / alpha - (r + x) * ((1 - gone) / (alpha + age) + gone / (alpha + t_x)),
        both + gone / a,
        both - psi(b) + (1 - gone) * psi(b + x) + gone * psi(np.where(again, b + x - 1, 1)),
    )
    return float(buyers.count @ each), np.array([buyers.count @ one for one in slopes])


def fit_purchasing(buyers: Cells) -> Purchasing:
    """Raises ValueError where nobody bought twice: there is nothing to learn from."""
    if not np.any(buyers.frequency > 0):
        raise ValueError("nobody bought on two days: how often people buy cannot be learnt yet")
    scale = float(buyers.age.max())
    found, value = _highest(lambda at: log_likelihood(at, _scaled(buyers, scale)), 4, buyers.count.sum())
    r, alpha, a, b = found
    repeats = float(buyers.count @ buyers.frequency)
    return Purchasing(r, alpha * scale, a, b, value - repeats * float(np.log(scale)))


def _scaled(buyers: Cells, scale: float) -> Cells:
    """Time in units in which all parameters are of one size; it moves the likelihood by a constant."""
    return Cells(buyers.frequency, buyers.recency / scale, buyers.age / scale, buyers.count)


def alive(by: Purchasing, frequency: ArrayLike, recency: ArrayLike, age: ArrayLike) -> Floats:
    """P(alive): the chance that somebody has not left for good. Who bought once cannot have left after a repeat: 1."""
    x, t_x, t = (np.asarray(one, np.float64) for one in (frequency, recency, age))
    return 1 / (1 + _odds_of_leaving(by, x, t_x, t))


def expected_purchases(
    by: Purchasing, weeks: float, frequency: ArrayLike, recency: ArrayLike, age: ArrayLike
) -> Floats:
    """E[Y(t) | x, t_x, T]: purchases in the next `weeks` (equation 10 of the paper)."""
    x, t_x, t = (np.asarray(one, np.float64) for one in (frequency, recency, age))
    r, alpha, b = by.r, by.alpha, by.b
    a = by.a if abs(by.a - 1) > 1e-6 else 1 + 1e-6  # the formula has a hole at 1, and is smooth around it
    tail = hyp2f1(r + x, b + x, a + b + x - 1, weeks / (alpha + t + weeks))
    coming = 1 - ((alpha + t) / (alpha + t + weeks)) ** (r + x) * tail
    expected: Floats = (a + b + x - 1) / (a - 1) * coming / (1 + _odds_of_leaving(by, x, t_x, t))
    return expected


def _odds_of_leaving(by: Purchasing, x: Floats, t_x: Floats, t: Floats) -> Floats:
    longer = (by.r + x) * (np.log(by.alpha + t) - np.log(by.alpha + t_x))
    chance = np.log(by.a) - np.log(np.where(x > 0, by.b + x - 1, 1)) + longer
    return np.where(x > 0, np.exp(np.minimum(chance, 700)), 0.0)


# ── amounts ───────────────────────────────────────────────────────────────────────────────────────────────────────────


def spending_log_likelihood(at: Sequence[float], x: Floats, m: Floats, count: Floats) -> tuple[float, Floats]:
    """Of p, q, gamma for buyers with `x` repeats and an average amount `m` above 0, and its slope by each of them."""
    p, q, gamma = at
    weight, spread = p * x + q, np.log(gamma + x * m)
    each = gammaln(weight) - gammaln(p * x) - gammaln(q) + q * np.log(gamma)
    each = each + (p * x - 1) * np.log(m) + p * x * np.log(x) - weight * spread
    slopes = (
        x * (psi(weight) - psi(p * x) + np.log(m) + np.log(x) - spread),
        psi(weight) - psi(q) + np.log(gamma) - spread,
        q / gamma - weight / (gamma + x * m),
    )
    return float(count @ each), np.array([count @ one for one in slopes])


def fit_spending(frequency: ArrayLike, average: ArrayLike, count: ArrayLike | None = None) -> Spending:
    """Of buyers with repeats and an average amount above 0; `count` where one row stands for several.

    Raises ValueError where there is none.
    """
    x, m = np.asarray(frequency, np.float64), np.asarray(average, np.float64)
    n = np.ones_like(x) if count is None else np.asarray(count, np.float64)
    told = (x > 0) & (m > 0)
    if not told.any():
        raise ValueError("nobody bought twice: what people spend cannot be learnt yet")
    x, m, n = x[told], m[told], n[told]
    scale = float(np.average(m, weights=n))
    found, value = _highest(lambda at: spending_log_likelihood(at, x, m / scale, n), 3, n.sum())
    return Spending(found[0], found[1], found[2] * scale, value - float(np.log(scale) * n.sum()))


def expected_amount(by: Spending, frequency: ArrayLike, average: ArrayLike) -> Floats:
    """E[M | x, m]: what the next purchase is worth: his own average, pulled to everybody's the less he bought.

    `average` counts for nothing where there was no repeat.
    """
    x, m = np.asarray(frequency, np.float64), np.nan_to_num(np.asarray(average, np.float64))
    # q < 1: the mean over all buyers does not exist, and only those who bought again are told apart
    expected: Floats = by.p * (by.gamma + x * m) / np.maximum(by.p * x + by.q - 1, 1e-12)
    return expected


def amounts_grow_with_purchases(frequency: ArrayLike, average: ArrayLike) -> float:
    """The correlation of how often and how much, over buyers with repeats; from 0.3 on Gamma-Gamma misleads."""
    x, m = np.asarray(frequency, np.float64), np.asarray(average, np.float64)
    told = (x > 0) & (m > 0)
    if told.sum() < 2 or not x[told].std() or not m[told].std():
        return 0.0
    return float(np.corrcoef(x[told], m[told])[0, 1])


def _highest(score: Score, parameters: int, weight: float) -> tuple[list[float], float]:
    """Where the likelihood of positive parameters is highest, and its value there."""

    def loss(logs: Floats) -> tuple[float, Floats]:
        at = np.exp(logs)
        value, slopes = score(at.tolist())
        return -value / weight, -slopes * at / weight

    options = {"ftol": 1e-11, "gtol": 1e-7, "maxiter": 500}
    bounds = [(-FARTHEST, FARTHEST)] * parameters
    found = minimize(loss, np.zeros(parameters), method="L-BFGS-B", jac=True, bounds=bounds, options=options)
    return [float(one) for one in np.exp(found.x)], float(-found.fun * weight)
