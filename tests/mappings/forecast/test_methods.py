"""How each method reads a past: what was missing is missing, what fades out fades out."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as some
from hypothesis.extra import numpy as arrays

from mappings.forecast.choice import SPORADIC, STEADY, choose, forecast
from mappings.forecast.demand import dispersion, kinds
from mappings.forecast.errors import mase, pinball, smape
from mappings.forecast.panel import Panel
from mappings.forecast.seasonal import seasonal_naive, theta
from mappings.forecast.smoothing import sba, ses, tsb

OUT = np.nan


def panel(*series: list[float]) -> Panel:
    return np.array(series, dtype=float)


def test_a_week_without_stock_is_not_a_week_without_demand() -> None:
    sold_out, unwanted = panel([6, 6, 6, 6, OUT, OUT, OUT]), panel([6, 6, 6, 6, 0, 0, 0])
    for method in (ses, tsb, sba):
        assert method(sold_out, 1) == pytest.approx(panel([6]) * (0.9 if method is sba else 1))
        assert method(unwanted, 1)[0, 0] < 5


def test_goods_that_nobody_asks_for_any_more_fade_out_under_tsb_and_never_under_sba() -> None:
    died = panel([3, 0, 3, 0, 3, 0, *[0] * 40])
    assert tsb(died, 1)[0, 0] < 0.01
    assert sba(died, 1)[0, 0] > 0.1


def test_tsb_by_hand() -> None:
    size, chance = 3.0, 0.5
    for now in (0, 4, 0, 2):
        size = size + 0.2 * (now - size) if now else size
        chance += 0.2 * ((now > 0) - chance)
    assert tsb(panel([0, 4, 0, 2]), 2)[0] == pytest.approx([size * chance] * 2)


def test_seasonal_naive_skips_a_season_whose_goods_were_out() -> None:
    assert seasonal_naive(panel([1, 2, 3, OUT, 5, 6]), 4, season=3).tolist() == [[1, 5, 6, 1]]


def test_a_straight_line_goes_on_under_theta_at_half_its_slope() -> None:
    """Theta is SES with a drift of half the slope."""
    ahead = theta(panel([*range(10, 60)]), 3)
    assert np.diff(ahead[0]) == pytest.approx([0.5, 0.5])


def test_kinds_of_demand() -> None:
    smooth, erratic = [5.0, 6, 5, 6] * 5, [1.0, 30, 1, 1] * 5
    intermittent, lumpy = [0.0, 0, 5, 0] * 5, [0.0, 0, 1, 0, 0, 40] * 3 + [0, 0]
    found = kinds(panel(smooth, erratic, intermittent, lumpy, [0.0] * 20))
    assert found.tolist() == ["smooth", "erratic", "intermittent", "lumpy", "none"]


def test_weeks_out_of_stock_do_not_make_demand_intermittent() -> None:
    assert kinds(panel([5, OUT, OUT, 6, OUT, OUT, 5, OUT, 6])).tolist() == ["smooth"]


def test_rare_demand_gets_a_method_for_rare_demand_and_a_clear_season_keeps_the_naive() -> None:
    dice = np.random.default_rng(3)
    rare = np.where(dice.random((60, 60)) < 0.25, dice.poisson(3, (60, 60)) + 1.0, 0.0)
    chosen = choose(rare, 4, 4)["intermittent"]
    assert chosen.method in ("tsb", "tsb_slow", "tsb_quick", "sba")
    assert chosen.losses[chosen.method] < 1
    once_a_month = np.tile([0.0, 0, 0, 30], (60, 15)) + np.tile([0.0, 0, 0, 1], (60, 15)) * dice.integers(
        -2, 3, (60, 60)
    )
    assert choose(once_a_month, 4, 4)["intermittent"].method == "seasonal_naive"


def test_a_past_too_short_to_try_gets_the_usual_method_of_its_kind() -> None:
    """Rare demand that was met last week is not asked for every week from now on: that would be bought."""
    steady, rare = panel([3.0, 4, 3]), panel([10.0, 0, 0, 0, 0, 0, 0, 10])
    assert choose(steady, 4, 1)["smooth"].method == "ses"
    found = choose(rare, 4, 1)
    assert found["intermittent"].method == "tsb"
    assert forecast(rare, 1, 1, found)[0] == pytest.approx(tsb(rare, 1)[0])
    assert forecast(rare, 1, 1, found)[0, 0] < 5


def test_where_no_method_can_be_told_from_another_the_usual_one_stays() -> None:
    """Asked for once, long ago: the weeks by which methods are tried say the same of all that call them 0."""
    once = panel([10.0, *[0.0] * 12])
    found = choose(once, 4, 1)["intermittent"]
    assert found.losses[found.method] == found.losses["seasonal_naive"]
    assert found.method == "tsb"


def test_what_was_never_asked_for_is_forecast_as_zero() -> None:
    history = panel([0.0] * 20, [5.0, 6] * 10)
    ahead = forecast(history, 2, 1, choose(history, 2, 1))
    assert ahead[0].tolist() == [0, 0]
    assert ahead[1].min() > 4


def test_dispersion_of_poisson_is_about_nothing_and_of_a_mixture_is_not() -> None:
    dice = np.random.default_rng(5)
    assert dispersion(dice.poisson(4, (400, 100)).astype(float)) < 0.02
    mixed = dice.negative_binomial(2, 2 / (2 + 4), (400, 100)).astype(float)
    assert dispersion(mixed) == pytest.approx(0.5, abs=0.05)


def test_a_unit_short_costs_what_the_service_level_says() -> None:
    assert pinball(panel([5.0]), panel([4.0]), 0.95) == pytest.approx([0.95])
    assert pinball(panel([3.0]), panel([4.0]), 0.95) == pytest.approx([0.05])


histories = arrays.arrays(
    float, some.tuples(some.integers(1, 4), some.integers(8, 30)), elements=some.integers(0, 50).map(float)
)


OURS = {**STEADY, **SPORADIC}
"""Those that are always there: AutoETS comes with an extra and is tried in test_ets."""


@given(histories, some.sampled_from(sorted(OURS)))
def test_a_series_is_forecast_the_same_in_any_company(history: Panel, name: str) -> None:
    together = OURS[name](history, 3, 4)
    order = np.random.default_rng(1).permutation(len(history))
    assert OURS[name](history[order], 3, 4) == pytest.approx(together[order], nan_ok=True)
    alone = np.vstack([OURS[name](row[None, :], 3, 4) for row in history])
    assert alone == pytest.approx(together, nan_ok=True)


@given(histories, some.sampled_from(["tsb", "ses", "sba", "seasonal_naive", "theta"]), some.integers(1, 5))
def test_what_lies_before_the_first_known_period_changes_nothing(history: Panel, name: str, empty: int) -> None:
    longer = np.hstack([np.full((len(history), empty * 4), np.nan), history])
    assert OURS[name](longer, 3, 1) == pytest.approx(OURS[name](history, 3, 1), nan_ok=True, abs=1e-6)


@given(histories)
def test_a_perfect_forecast_has_no_error(history: Panel) -> None:
    assert smape(history, history) == pytest.approx(np.zeros(len(history)))
    assert np.nan_to_num(mase(history, history, history)) == pytest.approx(np.zeros(len(history)))
