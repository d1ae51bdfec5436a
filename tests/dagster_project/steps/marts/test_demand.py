"""What will be asked for and what to order, from sales, counts and days without stock."""

from collections.abc import Callable
from datetime import date, datetime, timedelta

import numpy as np
import pandas as pd
import pytest
from sqlalchemy import Engine

from dagster_project.connections import Hub, parse
from dagster_project.steps.demand import WEEKS, demand_due, panel, plan_demand
from tests.dagster_project.steps.marts.conftest import Facts

MONDAY = date(2026, 3, 2)


@pytest.fixture
def plans(store: Engine, hub: Hub, now: datetime) -> Callable[[], dict[str, int]]:
    return lambda: plan_demand(store, hub, now=now)


def sells(shop: Facts, sku: str, place: str, units: list[float]) -> None:
    """Units a week, the last one the week before this."""
    for weeks_ago, sold in enumerate(reversed(units), 1):
        if sold:
            shop.buys(None, f"{sku}-{place}-{weeks_ago}", 7 * weeks_ago, 0, lines={sku: sold}, location=place)


def lies(shop: Facts, sku: str, place: str, on_hand: float, reserved: float = 0) -> None:
    shop.does(
        "insert into position.stock (sku, location, on_hand, reserved, as_of, connection) "
        "values (:sku, :place, :on_hand, :reserved, now(), 'erp')",
        sku=sku, place=place, on_hand=on_hand, reserved=reserved,
    )  # fmt: skip


def test_goods_that_sell_are_taken_from_the_other_shop_first_and_then_bought(shop: Facts, plans: Callable) -> None:
    sells(shop, "lamp", "almaty", [5, 6, 5, 4, 5, 6, 5, 5, 4, 5, 6, 5])
    lies(shop, "lamp", "almaty", 9, reserved=6)
    lies(shop, "lamp", "astana", 8)
    assert plans() == {"forecast": 8, "reorder": 2}
    [(kind, value)] = shop.sees("select distinct kind, value from mart.forecast")
    assert kind == "smooth"
    assert 4.5 < value < 5.6
    orders = {row[0]: row[1:] for row in shop.sees(
        "select location, available, transfer_in, transfer_out, need, purchase, value from mart.reorder")}  # fmt: skip
    available, arrives, _, need, purchase, value = orders["almaty"]
    assert (available, arrives, orders["astana"][2]) == (3, 8, 8)  # nobody asks for lamps in Astana
    assert purchase == value == need - 8 > 0


def test_goods_nobody_asks_for_are_not_ordered(shop: Facts, plans: Callable) -> None:
    sells(shop, "lamp", "almaty", [5, 6, 5, 4])
    lies(shop, "vase", "almaty", 0)
    plans()
    assert shop.sees("select purchase from mart.reorder where sku = 'vase'") == [(0,)]


def test_an_empty_shelf_is_remembered_day_by_day(shop: Facts, plans: Callable) -> None:
    lies(shop, "lamp", "almaty", 2, reserved=2)
    lies(shop, "vase", "almaty", 1)
    plans()
    plans()
    assert shop.sees("select sku, location, day from mart.stock_out") == [("lamp", "almaty", MONDAY)]


def test_an_empty_shelf_is_forgotten_once_its_week_is_looked_at_no_more(shop: Facts, plans: Callable) -> None:
    lies(shop, "lamp", "almaty", 0)
    oldest = MONDAY - timedelta(weeks=WEEKS)
    for day in (oldest, oldest - timedelta(days=1)):
        shop.does("insert into mart.stock_out values ('lamp', 'almaty', :day)", day=day)
    plans()
    assert shop.sees("select day from mart.stock_out order by day") == [(oldest,), (MONDAY,)]


def test_a_week_on_an_empty_shelf_is_missing_and_a_week_unwanted_is_zero() -> None:
    weeks = [MONDAY - timedelta(weeks=back) for back in (4, 3, 2, 1)]
    sold = pd.DataFrame({"sku": "lamp", "location": "almaty", "week": [weeks[0], weeks[2]], "units": [5.0, 1.0]})
    out = pd.DataFrame({"sku": "lamp", "location": "almaty", "week": weeks[2:], "days": [6, 2]})
    (row,) = panel(sold, out, MONDAY).to_numpy()
    assert row[[0, 1, 3]].tolist() == [5, 0, 0]  # two days without stock leave the last week known
    assert np.isnan(row[2])


def test_before_the_first_sale_nothing_is_known_of_a_place() -> None:
    weeks = [MONDAY - timedelta(weeks=back) for back in (3, 1)]
    sold = pd.DataFrame({"sku": ["a", "b"], "location": "almaty", "week": weeks, "units": [2.0, 3.0]})
    none = pd.DataFrame(columns=["sku", "location", "week", "days"])
    table = panel(sold, none, MONDAY)
    assert table.loc[("a", "almaty")].to_list() == [2, 0, 0]
    assert table.loc[("b", "almaty")].isna().to_list() == [True, True, False]


def test_a_sale_without_a_place_counts_where_most_of_the_goods_lie(shop: Facts, plans: Callable) -> None:
    lies(shop, "lamp", "almaty", 2)
    lies(shop, "lamp", "astana", 20)
    for weeks_ago in range(1, 6):
        shop.buys(None, f"o{weeks_ago}", 7 * weeks_ago, 0, "site", lines={"lamp": 2})
    plans()
    assert shop.sees("select distinct location from mart.forecast") == [("astana",)]


def test_what_to_order_is_worked_out_once_a_day(shop: Facts, store: Engine, hub: Hub, now: datetime) -> None:
    sells(shop, "lamp", "almaty", [5, 6, 5, 4])
    lies(shop, "lamp", "almaty", 9)
    assert demand_due(store, hub, now=now) == {"forecast": 8, "reorder": 1}
    assert demand_due(store, hub, now=now) == {}
    assert demand_due(store, hub, now=now + timedelta(days=1)) == {"forecast": 8, "reorder": 1}


LONG = "hub: {reorder: {lead_days: 56, review_days: 28}}"


def test_goods_that_take_long_to_come_are_ordered_earlier_and_in_larger_numbers(
    shop: Facts, store: Engine, now: datetime
) -> None:
    sells(shop, "lamp", "almaty", [5, 6, 5, 4, 5, 6, 5, 5, 4, 5, 6, 5])
    lies(shop, "lamp", "almaty", 30)
    for said, least, most in (("", 0, 0), (LONG, 30, 60)):
        shop.does("truncate mart.reorder")
        demand_due(store, parse(said, {}), now=now)
        [(purchase,)] = shop.sees("select purchase from mart.reorder")
        assert least <= purchase <= most


def test_a_hub_without_orders_and_goods_has_nothing_to_work_out(store: Engine, hub: Hub, now: datetime) -> None:
    assert demand_due(store, hub, now=now) == {}


def test_without_any_sale_there_is_nothing_to_forecast(plans: Callable) -> None:
    assert plans() == {"forecast": 0, "reorder": 0}
