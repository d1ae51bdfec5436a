"""The models against values worked out by hand, by integration, and by what must hold for anybody."""

from math import exp, lgamma, log

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.integrate import quad
from scipy.stats import beta, gamma

from mappings.segments.clv import (
    Cells,
    Purchasing,
    Spending,
    alive,
    amounts_grow_with_purchases,
    cells,
    expected_amount,
    expected_purchases,
    fit_purchasing,
    fit_spending,
    log_likelihood,
    spending_log_likelihood,
)

SHOP = Purchasing(r=0.243, alpha=4.414, a=0.793, b=2.426, log_likelihood=0.0)

positive = st.floats(0.05, 20)


def likelihood(*at: float, x: float, t_x: float, age: float, count: float = 1) -> float:
    return log_likelihood(at, Cells(*(np.array([one], float) for one in (x, t_x, age, count))))[0]


def test_somebody_who_never_came_back_is_as_likely_as_his_silence():
    """x = 0: only (alpha / (alpha + T)) ** r is left of the formula."""
    assert likelihood(2, 10, 1, 3, x=0, t_x=0, age=30) == pytest.approx(2 * log(10 / 40))


def test_one_repeat_is_either_followed_by_silence_or_by_leaving():
    """r = 1, a = 1, b = 1, x = 1: both terms in simple fractions.

    stays: B(1, 2)/B(1, 1) · α/(α + T)² = 10/(2 · 40²); left: B(2, 1)/B(1, 1) · α/(α + t_x)² = 10/(2 · 20²).
    """
    assert likelihood(1, 10, 1, 1, x=1, t_x=10, age=30) == pytest.approx(log(10 / 2 / 1600 + 10 / 2 / 400))


def test_a_cell_of_seven_counts_seven_times():
    one = likelihood(0.3, 5, 0.8, 2.5, x=3, t_x=12, age=20)
    assert likelihood(0.3, 5, 0.8, 2.5, x=3, t_x=12, age=20, count=7) == pytest.approx(7 * one)


def test_the_likelihood_is_the_average_over_all_rates_and_habits():
    """Integrated over Gamma and Beta: λ^x [(1-p)^x e^{-λT} + p (1-p)^(x-1) e^{-λ t_x}]."""
    r, alpha, a, b, x, t_x, age = 1.5, 4.0, 1.2, 2.5, 2, 6.0, 9.0

    def by_habit(p: float) -> float:
        def by_rate(rate: float) -> float:
            seen = (1 - p) ** x * exp(-rate * age) + p * (1 - p) ** (x - 1) * exp(-rate * t_x)
            return float(rate**x * seen * gamma.pdf(rate, r, scale=1 / alpha))

        return quad(by_rate, 0, 12)[0] * float(beta.pdf(p, a, b))

    assert likelihood(r, alpha, a, b, x=x, t_x=t_x, age=age) == pytest.approx(log(quad(by_habit, 0, 1)[0]), rel=1e-6)


@given(st.tuples(positive, positive, positive, positive))
def test_the_slope_is_the_slope(at: tuple[float, ...]):
    buyers = Cells(*(np.array(one, float) for one in ([0, 1, 5], [0, 3, 20], [10, 10, 30], [4, 2, 1])))
    slopes = log_likelihood(at, buyers)[1]
    for place in range(4):
        step = [0.0] * 4
        step[place] = at[place] * 1e-6
        ahead, behind = (log_likelihood([p + d * s for p, s in zip(at, step, strict=True)], buyers)[0] for d in (1, -1))
        assert slopes[place] == pytest.approx((ahead - behind) / (2 * step[place]), rel=1e-3, abs=1e-4)


@given(st.tuples(positive, positive, positive))
def test_the_slope_of_spending_is_the_slope(at: tuple[float, ...]):
    bought = tuple(np.array(one, float) for one in ([1, 2, 7], [0.4, 1.0, 2.5], [3, 1, 1]))
    slopes = spending_log_likelihood(at, *bought)[1]
    for place in range(3):
        step = [0.0] * 3
        step[place] = at[place] * 1e-6
        ahead, behind = (
            spending_log_likelihood([p + d * s for p, s in zip(at, step, strict=True)], *bought)[0] for d in (1, -1)
        )
        assert slopes[place] == pytest.approx((ahead - behind) / (2 * step[place]), rel=1e-3, abs=1e-4)


def test_spending_of_one_purchase_by_hand():
    """p = 1, q = 2, γ = 3, x = 1, m = 5: Γ(3)/(Γ(1)Γ(2)) · 3² · 5⁰ · 1 / (3 + 5)³ = 18/512."""
    value = spending_log_likelihood((1, 2, 3), *(np.array([one], float) for one in (1, 5, 1)))[0]
    assert value == pytest.approx(log(18 / 512))
    assert value == pytest.approx(lgamma(3) - lgamma(1) - lgamma(2) + 2 * log(3) - 3 * log(8))


def test_parameters_that_made_the_buyers_are_found_again():
    """Forty thousand people who buy and leave as the model says."""
    dice = np.random.default_rng(7)
    rate, habit, age = dice.gamma(0.6, 1 / 8, 40_000), dice.beta(0.8, 2.4, 40_000), dice.integers(20, 150, 40_000)
    x, t_x, at = np.zeros(40_000), np.zeros(40_000), np.zeros(40_000)
    here = np.ones(40_000, bool)
    while here.any():
        at = at + dice.exponential(1 / np.maximum(rate, 1e-12))
        here &= at <= age
        x, t_x = x + here, np.where(here, at, t_x)
        here &= dice.random(40_000) > habit
    found = fit_purchasing(cells(x, np.round(t_x), age)[0])
    assert (found.r, found.alpha) == pytest.approx((0.6, 8), rel=0.06)
    assert found.a / (found.a + found.b) == pytest.approx(0.8 / 3.2, rel=0.06)


def test_amounts_that_made_the_buyers_are_found_again():
    dice = np.random.default_rng(11)
    often = dice.integers(1, 12, 30_000)
    money = dice.gamma(6 * often, 1) / (dice.gamma(4, 1 / 15_000, 30_000) * often)
    found = fit_spending(often, money)
    assert (found.p, found.q, found.gamma) == pytest.approx((6, 4, 15_000), rel=0.06)


def test_nobody_who_bought_twice_is_nothing_to_learn_from():
    with pytest.raises(ValueError, match="nobody bought on two days"):
        fit_purchasing(cells([0, 0], [0, 0], [5, 9])[0])
    with pytest.raises(ValueError, match="nobody bought twice"):
        fit_spending([0, 2], [100, 0])


@given(st.integers(1, 60), st.floats(0, 1), st.floats(1, 300), st.floats(1, 60))
def test_silence_never_makes_anybody_more_alive(x: int, share: float, age: float, silence: float):
    was, then = alive(SHOP, [x, x], [share * age] * 2, [age, age + silence])
    assert 0 <= then <= was <= 1


@given(st.integers(0, 60), st.floats(0, 1), st.floats(1, 300))
def test_more_weeks_bring_no_fewer_purchases(x: int, share: float, age: float):
    t_x = share * age if x else 0.0
    month, year = (float(expected_purchases(SHOP, weeks, [x], [t_x], [age])[0]) for weeks in (4, 52))
    assert 0 <= month <= year


def test_who_bought_once_has_had_no_chance_to_leave():
    assert alive(SHOP, [0], [0], [200])[0] == 1


def test_one_purchase_says_little_and_thirty_say_all():
    crowd = Spending(p=6.25, q=3.74, gamma=15.45, log_likelihood=0)
    mean = 6.25 * 15.45 / 2.74
    once, often = expected_amount(crowd, [1, 30], [100, 100])
    assert mean < once < often < 100
    assert expected_amount(crowd, [0], [np.nan])[0] == pytest.approx(mean)


def test_whether_amounts_grow_with_purchases_is_asked_of_repeaters_only():
    assert amounts_grow_with_purchases([0, 1, 2, 3], [900, 1, 2, 3]) == pytest.approx(1)
    assert amounts_grow_with_purchases([0, 1], [5, 5]) == 0
