"""Counts and orders become positions, and every unit is promised once."""

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

import pytest

At = Callable[[str], datetime]
MARKETS = """
market: {connector: market}
site: {connector: site}
"""


@pytest.fixture
def shop(shop: Any) -> Any:
    return shop.opens(MARKETS)


@pytest.fixture
def on_the_road(shop: Any) -> None:
    """Of five, order A took two: they were shipped an hour later."""
    shop.has("SKU-1", 5)
    shop.order("A", ("SKU-1", 2))
    shop.folds()
    shop.passes(hours=1)
    shop.order("A", ("SKU-1", 2), status="shipped")
    shop.folds(skus=[], orders=["market:A"])


def test_last_unit_goes_to_the_first_paid_order(shop: Any, at: At) -> None:
    shop.has("SKU-1", 1)
    shop.order("first placed", ("SKU-1", 1), placed_at=at("04:00"))
    shop.order("paid at ten", ("SKU-1", 1), paid_at=at("04:59"), placed_at=at("04:10"))
    shop.order("paid a minute earlier", ("SKU-1", 1), at="site", paid_at=at("04:58"), placed_at=at("04:20"))
    shop.folds()
    assert shop.promises("active") == {"paid a minute earlier/1": "active"}
    assert shop.promises("short") == {"first placed/1": "short", "paid at ten/1": "short"}
    assert shop.position("SKU-1") == (1, 1)


def test_a_unit_given_back_goes_to_the_next_in_line(shop: Any, at: At) -> None:
    shop.has("SKU-1", 1)
    shop.order("A", ("SKU-1", 1), placed_at=at("04:00"))
    shop.order("B", ("SKU-1", 1), placed_at=at("04:10"))
    shop.folds()
    shop.order("A", ("SKU-1", 1), status="cancelled")
    folded = shop.folds(skus=[], orders=["market:A"])
    assert shop.promises() == {"A/1": "released", "B/1": "active"}
    assert folded.orders == {"market:A", "market:B"}
    assert shop.position("SKU-1") == (1, 1)


def test_a_line_gets_all_its_units_from_one_place_or_none(shop: Any) -> None:
    shop.has("SKU-1", 2, "Almaty-1")
    shop.has("SKU-1", 3, "Astana-1")
    shop.order("A", ("SKU-1", 4))
    shop.order("B", ("SKU-1", 3))
    shop.folds()
    assert shop.promises() == {"A/1": "short", "B/1": "active"}
    assert shop.position("SKU-1", "Astana-1") == (3, 3)
    assert shop.position("SKU-1", "Almaty-1") == (2, 0)


def test_the_pick_up_point_of_an_order_gives_the_units(shop: Any) -> None:
    shop.opens("market: {connector: market, stock: {from: [Almaty-1, Astana-1]}}")
    shop.has("SKU-1", 9, "Almaty-1")
    shop.has("SKU-1", 1, "Astana-1")
    shop.order("in Astana", ("SKU-1", 1), place="Astana-1")
    shop.order("in Astana again", ("SKU-1", 1), place="Astana-1")
    shop.order("anywhere", ("SKU-1", 1))
    shop.order("a point nobody named", ("SKU-1", 1), place="market:PP7")
    shop.folds()
    assert shop.promises("short") == {"in Astana again/1": "short"}
    assert shop.position("SKU-1", "Astana-1") == (1, 1)
    assert shop.position("SKU-1", "Almaty-1") == (9, 2)


def test_goods_on_the_road_are_promised_to_nobody(shop: Any) -> None:
    shop.say(
        "insert into canonical.location (location, name, kind, connection, external_id, source) "
        "values ('Truck', 'Truck', 'transit', 'erp', 't', '{}')"
    )
    shop.has("SKU-1", 5, "Truck")
    shop.order("A", ("SKU-1", 1))
    shop.folds()
    assert shop.promises() == {"A/1": "short"}


def test_part_of_an_order_cancelled_gives_back_that_part(shop: Any) -> None:
    shop.has("SKU-1", 5)
    shop.has("SKU-2", 5)
    shop.order("A", ("SKU-1", 3), ("SKU-2", 2))
    shop.folds()
    shop.order("A", ("SKU-1", 1))
    shop.folds(skus=[], orders=["market:A"])
    assert shop.promises() == {"A/1": "active", "A/2": "released"}
    assert shop.position("SKU-1") == (5, 1)
    assert shop.position("SKU-2") == (5, 0)


def test_a_line_that_grew_waits_for_all_of_it(shop: Any) -> None:
    shop.has("SKU-1", 3)
    shop.order("A", ("SKU-1", 2))
    shop.folds()
    shop.order("A", ("SKU-1", 4))
    shop.folds(skus=[], orders=["market:A"])
    assert shop.promises() == {"A/1": "short"}
    shop.counts("SKU-1", 4)
    shop.folds(skus=["SKU-1"])
    assert shop.promises() == {"A/1": "active"}


@pytest.mark.usefixtures("on_the_road")
def test_shipped_goods_leave_the_shelf_until_the_next_count_sees_it(shop: Any) -> None:
    assert shop.promises() == {"A/1": "consumed"}
    assert shop.position("SKU-1") == (3, 0)
    shop.passes(hours=1)
    shop.counts("SKU-1", 3)
    shop.folds(skus=["SKU-1"])
    assert shop.position("SKU-1") == (3, 0)


@pytest.mark.usefixtures("on_the_road")
def test_a_later_status_of_shipped_goods_takes_nothing_twice(shop: Any) -> None:
    shop.passes(hours=1)
    shop.counts("SKU-1", 3)
    shop.passes(hours=1)
    shop.order("A", ("SKU-1", 2), status="delivered")
    shop.folds(skus=["SKU-1"], orders=["market:A"])
    assert shop.position("SKU-1") == (3, 0)


@pytest.mark.usefixtures("on_the_road")
def test_an_order_cancelled_on_the_road_is_back_when_somebody_counts_it(shop: Any) -> None:
    shop.order("A", ("SKU-1", 2), status="cancelled")
    shop.folds(skus=[], orders=["market:A"])
    assert shop.position("SKU-1") == (3, 0)
    shop.order("A", ("SKU-1", 2), status="returned")
    shop.folds(skus=[], orders=["market:A"])
    assert shop.position("SKU-1") == (5, 0)


def test_a_till_that_another_system_counts_for_lowers_the_count(shop: Any) -> None:
    shop.has("SKU-1", 5)
    shop.passes(minutes=10)
    sold = {"at": "tills", "status": "completed", "channel": "store", "place": "Almaty-1"}
    shop.order("R-1", ("SKU-1", 2), **sold)
    shop.order("R-0", ("SKU-1", 2), placed_at=shop.now - timedelta(hours=1), **sold)
    shop.order("back", ("SKU-1", 1), kind="return", **sold)
    shop.folds(skus=[], orders=["tills:R-1", "tills:R-0", "tills:back"])
    assert shop.position("SKU-1") == (4, 0), (
        "two sold after the count, one brought back; the earlier sale is in the count"
    )
    shop.folds()
    assert shop.position("SKU-1") == (4, 0)


def test_a_sale_at_a_till_of_the_counting_system_is_in_its_count(shop: Any) -> None:
    shop.has("SKU-1", 5)
    shop.passes(minutes=10)
    shop.order("R-1", ("SKU-1", 2), at="erp", status="completed", channel="store", place="Almaty-1")
    shop.folds(skus=[], orders=["erp:R-1"])
    assert shop.position("SKU-1") == (5, 0)


def test_an_order_copied_into_the_counting_system_leaves_its_count_once(shop: Any) -> None:
    shop.has("SKU-1", 5, reserved=0)
    shop.order("A", ("SKU-1", 2))
    shop.order("copy of A", ("SKU-1", 2), at="erp", copy_of="market:A", place="Almaty-1")
    shop.folds()
    shop.passes(hours=1)
    shop.order("A", ("SKU-1", 2), status="shipped")
    shop.folds(skus=[], orders=["market:A"])
    assert shop.promises() == {"A/1": "consumed"}
    assert shop.position("SKU-1") == (5, 0), "the counting system takes the units from its own count"


def test_every_promise_is_subtracted_once(shop: Any) -> None:
    shop.has("SKU-1", 10, reserved=1)
    shop.order("A", ("SKU-1", 2))
    shop.order("copy of A", ("SKU-1", 2), at="erp", copy_of="market:A", place="Almaty-1")
    shop.folds()
    assert shop.position("SKU-1") == (10, 3), "one of the counting system's, two of ours that it has not counted yet"
    shop.passes(minutes=5)
    shop.counts("SKU-1", 10, reserved=3)
    shop.folds(skus=["SKU-1"])
    assert shop.position("SKU-1") == (10, 3), "its three reserves hold the two of ours"


def test_orders_born_in_the_counting_system_are_in_its_own_reserves(shop: Any) -> None:
    shop.has("SKU-1", 10, reserved=4)
    shop.order("wholesale", ("SKU-1", 4), at="erp", place="Almaty-1")
    shop.folds()
    assert shop.promises() == {}
    assert shop.position("SKU-1") == (10, 4)


def test_a_receipt_taken_back_by_a_corrected_file_takes_its_sale_back(shop: Any) -> None:
    shop.has("SKU-1", 5)
    shop.passes(minutes=10)
    shop.order("R-1", ("SKU-1", 2), at="tills", status="completed", channel="store", place="Almaty-1")
    shop.folds(skus=[], orders=["tills:R-1"])
    shop.say("update canonical.\"order\" set deleted_at = now() where external_id = 'R-1'")
    shop.folds(skus=[], orders=["tills:R-1"])
    assert shop.position("SKU-1") == (5, 0)


def test_a_count_that_a_complete_listing_withdrew_leaves_nothing_to_promise(shop: Any) -> None:
    shop.has("SKU-1", 5)
    shop.folds()
    shop.say("update canonical.stock_level set deleted_at = :now", now=shop.now + timedelta(minutes=1))
    shop.folds(skus=["SKU-1"])
    assert shop.position("SKU-1") == (0, 0)


def test_folding_again_changes_nothing(shop: Any) -> None:
    shop.has("SKU-1", 5)
    shop.order("A", ("SKU-1", 2))
    first = shop.folds()
    assert first.skus == {"SKU-1"}
    assert first.causes == {"SKU-1": "order market:A reserved 2"}
    before = shop.all("select * from position.stock")
    again = shop.folds()
    assert (again.skus, again.orders) == (frozenset(), frozenset())
    assert shop.all("select * from position.stock") == before
