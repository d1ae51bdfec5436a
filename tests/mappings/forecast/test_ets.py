"""AutoETS, where the extra `forecast` is installed: gaps are bridged, the unknown is 0, only a head is tried."""

import numpy as np
import pytest

from mappings.forecast import choice
from mappings.forecast.ets import HEAD, auto_ets

pytest.importorskip("statsforecast", reason="the extra `forecast` is not installed")


def test_a_level_is_carried_on_over_weeks_that_were_not_known():
    weeks = np.full(40, 10.0)
    weeks[20:24] = np.nan
    assert auto_ets(weeks[None, :], 4)[0] == pytest.approx([10.0] * 4, abs=0.5)


def test_a_season_is_carried_on():
    weeks = np.tile([5.0, 10.0, 20.0, 10.0], 12) + np.linspace(0, 1, 48)
    assert auto_ets(weeks[None, :], 4, season=4)[0] == pytest.approx([6.0, 11.0, 21.0, 11.0], abs=1.0)


def test_what_was_never_known_is_0_and_nothing_falls_below():
    falling = np.linspace(20, 0.5, 30)
    ahead = auto_ets(np.vstack([np.full(30, np.nan), falling]), 6)
    assert (ahead[0] == 0).all()
    assert (ahead >= 0).all()


def test_it_is_tried_for_a_head_of_steady_sellers_and_not_for_everybody():
    dice = np.random.default_rng(1)
    history = dice.poisson(20, (HEAD + 1, 30)).astype(float)
    assert "auto_ets" in choice.choose(history[:5], 4, 1)["smooth"].losses
    assert "auto_ets" not in choice.choose(history, 4, 1)["smooth"].losses
