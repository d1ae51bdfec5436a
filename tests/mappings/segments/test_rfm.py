"""Quintiles that are drawn once and then stand still."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mappings.segments.rfm import Borders, borders, scores

numbers = st.lists(st.integers(1, 50), min_size=5, max_size=60)


def test_a_hundred_different_buyers_make_five_groups_of_twenty():
    values = np.arange(100)
    found = scores(borders(values, values, values), values, values, values)
    assert [np.bincount(one).tolist() for one in found] == [[0, 20, 20, 20, 20, 20]] * 3


def test_buyers_alike_have_one_score_even_where_they_fill_a_border():
    """Most bought once: nobody of them is better than another."""
    orders = [1] * 70 + [2] * 20 + [9] * 10
    _, frequency, _ = scores(borders(orders, orders, orders), orders, orders, orders)
    assert len(set(frequency[:70].tolist())) == 1
    assert frequency[0] < frequency[75] < frequency[95]


def test_who_buys_later_than_the_last_border_is_best_without_moving_anybody():
    stand = Borders((10, 20, 30, 40), (1, 1, 2, 4), (100, 200, 300, 400))
    recency, frequency, money = scores(stand, [999, 10, 11], [1, 2, 5], [100, 101, 5000])
    assert recency.tolist() == [5, 1, 2]
    assert frequency.tolist() == [1, 3, 5]
    assert money.tolist() == [1, 2, 5]


@given(numbers)
def test_more_is_never_scored_less(values: list[int]):
    ordered = sorted(values)
    _, _, money = scores(borders(values, values, values), ordered, ordered, ordered)
    assert money.tolist() == sorted(money.tolist())
    assert set(money.tolist()) <= {1, 2, 3, 4, 5}


def test_there_are_no_quintiles_of_nobody():
    with pytest.raises(ValueError, match="no buyers yet"):
        borders([], [], [])
