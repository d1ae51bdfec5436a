"""Lifetime value against the published figures: CDNOW, the tenth of its buyers that every paper uses.

Data: the package `lifetimes` (of the extra `bench`); only its files are read. Goals: Fader, Hardie and Lee 2005 for
purchases, Fader and Hardie's note of 2013 for amounts.
"""

import time
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pandas as pd

from dagster_project.bench.row import Row
from mappings.segments.clv import cells, expected_purchases, fit_purchasing, fit_spending

NAMES = ("cdnow", "clv_fit", "clv_score")
SEED = 20_261
BUYERS = 1_000_000
PUBLISHED = {"r": 0.243, "alpha": 4.414, "a": 0.793, "b": 2.426, "LL": -9582.4, "E[Y(39)|2, 30.43, 38.86]": 1.226,
             "p": 6.25, "q": 3.74, "gamma": 15.45}  # fmt: skip


def rows() -> Iterator[Row]:
    found = _fitted(_datasets())
    apart = {name: abs(found[name] / value - 1) for name, value in PUBLISHED.items()}
    said = ", ".join(f"{name} {value:.4g}" for name, value in found.items())
    worst = 100 * max(apart.values())
    yield Row("cdnow", worst, "% off", "every published figure within 0.5 %", worst <= 0.5, note=said)
    yield from _million()


def _datasets() -> Path:
    spec = find_spec("lifetimes")
    if spec is None or not spec.submodule_search_locations:
        raise SystemExit("the bench cdnow reads the data of `lifetimes`: pip install 'keruen[bench]'")
    return Path(spec.submodule_search_locations[0]) / "datasets"


def _fitted(folder: Path) -> dict[str, float]:
    buyers = pd.read_csv(folder / "cdnow_customers_summary.csv")
    by = fit_purchasing(cells(buyers["frequency"], buyers["recency"], buyers["T"])[0])
    expected = expected_purchases(by, 39, [2], [30.43], [38.86])[0]
    money = pd.read_csv(folder / "cdnow_customers_summary_with_transactions.csv")
    repeaters = money[money["x"] > 0]
    spent = fit_spending(repeaters["x"], repeaters["zbar"])
    values = (by.r, by.alpha, by.a, by.b, by.log_likelihood, expected, spent.p, spent.q, spent.gamma)
    return dict(zip(PUBLISHED, map(float, values), strict=True))


def _million() -> Iterator[Row]:
    """A million invented buyers who buy and leave as the model says: the time to learn it again, and to score them."""
    x, t_x, age, average = invented(BUYERS, SEED)
    began = time.perf_counter()
    by = fit_purchasing(cells(x, t_x, age)[0])
    fit_spending(x, average)
    fitted = time.perf_counter() - began
    began = time.perf_counter()
    alike, place = cells(x, t_x, age)
    expected = expected_purchases(by, 52, alike.frequency, alike.recency, alike.age)[place]
    scored = time.perf_counter() - began
    assert np.isfinite(expected).all()
    yield Row("clv_fit", fitted, "s", "1 million buyers < 15 s", fitted < 15, seed=SEED)
    yield Row("clv_score", scored, "s", "1 million buyers < 5 s", scored < 5, seed=SEED)


def invented(buyers: int, seed: int) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Repeats, week of the last one, age in weeks, average amount."""
    dice = np.random.default_rng(seed)
    rate, habit = dice.gamma(0.6, 1 / 8, buyers), dice.beta(0.8, 2.4, buyers)
    age = dice.integers(1, 150, buyers).astype(float)
    x, t_x, at, here = np.zeros(buyers), np.zeros(buyers), np.zeros(buyers), np.ones(buyers, bool)
    while here.any():
        at = at + dice.exponential(1 / np.maximum(rate, 1e-12))
        here &= at <= age
        x, t_x = x + here, np.where(here, at, t_x)
        here &= dice.random(buyers) > habit
    often = np.maximum(x, 1)
    average = dice.gamma(6 * often, 1) / (dice.gamma(4, 1 / 15_000, buyers) * often)
    return x, np.round(t_x), age, average
