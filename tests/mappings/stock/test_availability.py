"""What a channel may offer of what is there."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mappings.stock.allocation import ALLOCATION
from mappings.stock.availability import Floats, available_to_sell, free, offered, together
from mappings.stock.policy import fresh

NAN = np.nan


def row(*quantities: float) -> Floats:
    return np.array([quantities], dtype=float)


def sold(on_hand: Floats, reserved: Floats, safety: float = 0, allocation: str = "shared", share: float = 1.0) -> float:
    unpromised = free(on_hand, reserved)
    parts = together(offered(unpromised, allocation, share, [()] * on_hand.shape[1]))
    return float(available_to_sell(parts, together(unpromised), safety)[0, 0])


@pytest.mark.parametrize(
    ("on_hand", "reserved", "safety", "expected"),
    [
        (row(5), row(2), 0, 3),
        (row(5), row(2), 2, 1),
        (row(1), row(0), 2, 0),
        (row(3), row(5), 0, 0),
        (row(3, 4), row(5, 0), 0, 4),
        (row(1.5), row(0.25), 0, 1.25),
        (row(0.3), row(0.1), 0, 0.2),
    ],
)
def test_on_hand_less_promised_less_held_back(
    on_hand: Floats, reserved: Floats, safety: float, expected: float
) -> None:
    assert sold(on_hand, reserved, safety) == expected


def test_a_location_that_owes_units_takes_none_from_another() -> None:
    assert sold(row(0, 4), row(3, 0)) == 4


def test_an_uncounted_location_adds_nothing_and_all_uncounted_is_unknown() -> None:
    assert sold(row(NAN, 4), row(NAN, 0)) == 4
    assert np.isnan(sold(row(NAN), row(NAN)))


def test_a_quota_of_whole_units_is_whole_over_all_locations_together() -> None:
    assert sold(row(1, 1, 1), row(0, 0, 0), allocation="quota", share=0.5) == 1
    assert sold(row(100), row(0), allocation="quota", share=0.29) == 29
    assert sold(row(3.5), row(0), allocation="quota", share=0.5) == 1.75


def test_the_last_unit_is_shown_by_the_channel_served_first() -> None:
    first = ALLOCATION["priority"](row(1), 0.5, [])
    second = ALLOCATION["priority"](row(1), 1.0, [0.5])
    assert (first[0, 0], second[0, 0]) == (1, 0)


units = st.integers(0, 1000).map(float)


@given(units, st.lists(st.floats(0.01, 1.0), min_size=1, max_size=5))
def test_channels_served_by_priority_never_show_more_than_there_is(there: float, shares: list[float]) -> None:
    shown = [ALLOCATION["priority"](row(there), share, shares[:turn])[0, 0] for turn, share in enumerate(shares)]
    assert sum(shown) <= there
    assert all(quantity == int(quantity) >= 0 for quantity in shown)


@given(units, units, st.integers(0, 50), st.sampled_from(sorted(ALLOCATION)), st.floats(0, 1))
def test_nothing_is_ever_offered_that_is_not_free(
    on_hand: float, reserved: float, safety: int, allocation: str, share: float
) -> None:
    shown = sold(row(on_hand), row(reserved), safety, allocation, share)
    assert 0 <= shown <= max(on_hand - reserved, 0)
    assert shown == int(shown)


def test_evidence_is_as_old_as_the_oldest_count() -> None:
    counted_at = np.array([[100.0, 50.0], [100.0, NAN], [NAN, NAN]])
    assert fresh(counted_at, now=110, patience=30).tolist() == [False, True, True]
