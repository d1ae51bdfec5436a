"""A buyer against his own rhythm, told in days."""

from itertools import pairwise
from statistics import median

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mappings.segments.lifecycle import lifecycle

NONE = float("nan")


def state(bought: list[int], today: int) -> tuple[str, float]:
    """State and the day it ends, of somebody who bought on these days."""
    days = sorted(set(bought))
    gaps = [later - earlier for earlier, later in pairwise(days)]
    told = (
        median(gaps) if gaps else NONE,
        gaps[-1] if gaps else NONE,
        median(gaps[:-1]) if gaps[:-1] else NONE,
    )
    found = lifecycle([len(days)], [days[-1]], *([one] for one in told), today)
    return str(found.state[0]), float(found.until[0])


@pytest.mark.parametrize(
    ("today", "expected"),
    [(0, "new"), (30, "new"), (31, "active"), (90, "active"), (91, "slipping"), (180, "slipping"), (181, "lapsed")],
)
def test_who_bought_once_has_a_month_a_quarter_and_a_half_year(today: int, expected: str):
    assert state([0], today)[0] == expected


@pytest.mark.parametrize(
    ("today", "expected"), [(47, "active"), (54, "active"), (55, "slipping"), (61, "slipping"), (62, "lapsed")]
)
def test_who_comes_every_week_is_missed_after_three(today: int, expected: str):
    bought = [5, 12, 19, 26, 33, 40]
    assert state(bought, today)[0] == expected


def test_two_purchases_far_apart_widen_the_limits_but_never_narrow_them():
    assert state([0, 100], 100 + 290)[0] == "slipping"
    assert state([0, 5], 5 + 60)[0] == "active"


def test_who_comes_back_after_he_had_lapsed_is_won_back_for_one_gap():
    bought = [0, 10, 20, 30, 100]
    assert state(bought, 100) == ("won_back", 111)
    assert state(bought, 111)[0] == "active"


def test_a_late_purchase_within_three_gaps_wins_nobody_back():
    assert state([0, 10, 20, 30, 58], 58)[0] == "active"


def test_who_has_lapsed_stays_so_until_he_buys():
    found, until = state([0], 500)
    assert found == "lapsed"
    assert until != until


@given(st.lists(st.integers(0, 400), min_size=1, max_size=8), st.integers(0, 600))
def test_a_state_lasts_until_its_day_and_not_longer(bought: list[int], later: int):
    today = max(bought) + later
    now, until = state(bought, today)
    if until == until:
        assert until > today
        assert state(bought, int(until) - 1)[0] == now
        assert state(bought, int(until))[0] != now
