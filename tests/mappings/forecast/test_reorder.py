"""When to order, how much, and from where."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as some

from mappings.forecast.reorder import demand_quantile, lead_time_need, replenish, transfers

places = some.lists(
    some.tuples(some.sampled_from("ab"), some.integers(0, 40), some.integers(0, 20), some.integers(0, 20)), max_size=8
)


def stock(rows: list[tuple[str, float, float, float]]) -> pd.DataFrame:
    """Sku, available, reorder point, what the order up to adds to it."""
    frame = pd.DataFrame(rows, columns=["sku", "available", "reorder_point", "more"]).astype({"sku": "str"})
    numbers = {name: frame[name].astype(float) for name in ("available", "reorder_point")}
    return frame.assign(
        **numbers,
        order_up_to=numbers["reorder_point"] + frame["more"].astype(float),
        location=[f"shop-{n}" for n in range(len(frame))],
    )


def test_the_quantile_suffices_as_often_as_the_service_level_says() -> None:
    dice = np.random.default_rng(7)
    asked = dice.negative_binomial(2, 2 / (2 + 12), 200_000)
    enough = float(demand_quantile(np.array([12.0]), 0.5, 0.95)[0])
    assert 0.95 <= (asked <= enough).mean() < 0.97


def test_demand_that_strays_needs_more_on_the_shelf_than_demand_that_does_not() -> None:
    steady, straying = (demand_quantile(np.array([20.0]), a, 0.95)[0] for a in (0.0, 0.8))
    assert straying > steady > 20


def test_a_longer_way_needs_more_and_the_last_week_holds_on() -> None:
    weekly = np.array([[4.0, 6.0]])
    needs = [lead_time_need(weekly, weeks, 0.0, 0.5)[0] for weeks in (1, 1.5, 2, 4)]
    assert needs == pytest.approx([4, 7, 10, 22], abs=1)
    assert needs == sorted(needs)


def test_the_shop_next_door_is_asked_before_the_supplier() -> None:
    found = replenish(stock([("sofa", 1, 4, 6), ("sofa", 14, 2, 6)]))
    assert found["need"].tolist() == [9, 0]
    assert found["transfer_in"].tolist() == [6, 0]
    assert found["transfer_out"].tolist() == [0, 6]
    assert found["purchase"].tolist() == [3, 0]


def test_enough_on_the_shelf_orders_nothing() -> None:
    found = replenish(stock([("sofa", 5, 4, 6)]))
    assert found[["need", "purchase"]].to_numpy().tolist() == [[0, 0]]


@given(places)
def test_moves_meet_needs_as_far_as_spares_go_and_nobody_gives_what_he_needs(rows: list) -> None:
    found = replenish(stock(rows))
    assert (found["purchase"] >= 0).all()
    assert (found["transfer_out"] <= (found["available"] - found["order_up_to"]).clip(lower=0)).all()
    for _, sku in found.groupby("sku"):
        spare = (sku["available"] - sku["order_up_to"]).clip(lower=0).sum()
        assert sku["transfer_in"].sum() == sku["transfer_out"].sum() == min(sku["need"].sum(), spare)


def test_goods_move_between_places_of_one_sku_only() -> None:
    given = stock([("sofa", 0, 4, 6), ("lamp", 40, 4, 6)]).assign(need=[10.0, 0.0], spare=[0.0, 30.0])
    assert transfers(given).empty
