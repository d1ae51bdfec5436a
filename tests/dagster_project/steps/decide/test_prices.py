"""From base prices to what channels ask."""

from datetime import timedelta
from typing import Any

import pytest

AUTO = "push: {price: auto, first: auto}"


@pytest.fixture
def shop(shop: Any) -> Any:
    return shop.opens(f"market: {{connector: market, {AUTO}, price: {{markup: 0.05, round: 10, floor: minimum}}}}")


def prices(shop: Any) -> Any:
    return shop.shows("market", "price.push")


def test_markup_and_rounding_make_the_channels_price(shop: Any) -> None:
    shop.product("SKU-1")
    shop.prices("SKU-1", 1234)
    shop.syncs()
    assert prices(shop) == {"SKU-1": 1300}
    because = shop.one("select because from ledger.change where outcome = 'accepted'").because
    assert because == "retail 1234 + 5 %"


def test_a_blank_price_holds_the_row_and_leaves_the_channel_alone(shop: Any) -> None:
    shop.product("SKU-1")
    shop.prices("SKU-1", 1000)
    shop.syncs()
    shop.prices("SKU-1", None)
    shop.syncs()
    assert prices(shop) == {"SKU-1": 1050}
    assert shop.states("market", "price.push") == {"SKU-1": ("held", "blank: no retail price")}
    assert [(row["becomes"], row["guard"]) for row in shop.looks("market", "price.push")] == [(None, "blank")]
    shop.prices("SKU-1", 1000)
    shop.syncs()
    assert shop.states("market", "price.push") == {"SKU-1": ("in_sync", None)}


def test_a_price_of_zero_waits_for_a_person(shop: Any) -> None:
    shop.product("SKU-1")
    shop.prices("SKU-1", 1000)
    shop.syncs()
    shop.prices("SKU-1", 0)
    shop.syncs()
    assert prices(shop) == {"SKU-1": 1050}
    assert shop.states("market", "price.push") == {"SKU-1": ("held", "zero")}


def test_one_digit_too_many_waits_though_the_channels_price_is_rounded(shop: Any) -> None:
    """1234 is shown as 1300 and 12340 as 12960: less than ten times as much only because they were rounded."""
    shop.product("SKU-1")
    shop.prices("SKU-1", 1234)
    shop.syncs()
    shop.prices("SKU-1", 12_340)
    shop.syncs()
    assert prices(shop) == {"SKU-1": 1300}
    assert shop.states("market", "price.push") == {"SKU-1": ("held", "step")}


def test_a_leap_is_held_though_the_channel_has_not_confirmed_the_price_before_it(shop: Any) -> None:
    shop.product("SKU-1")
    shop.prices("SKU-1", 1000)
    shop.decides()
    shop.prices("SKU-1", 100_000)
    shop.decides()
    assert shop.states("market", "price.push") == {"SKU-1": ("held", "step")}
    assert [row["guard"] for row in shop.looks("market", "price.push")] == ["step"]
    shop.prices("SKU-1", 101_000)
    shop.syncs()
    assert (prices(shop), shop.states("market", "price.push")) == ({}, {"SKU-1": ("held", "step")})
    shop.prices("SKU-1", 1100)
    shop.syncs()
    assert prices(shop) == {"SKU-1": 1160}


def test_a_price_below_its_floor_is_held_and_never_lifted_by_us(shop: Any) -> None:
    shop.product("SKU-1")
    shop.prices("SKU-1", 900, "minimum")
    shop.prices("SKU-1", 800)
    shop.syncs()
    assert shop.states("market", "price.push") == {"SKU-1": ("held", "floor")}
    shop.prices("SKU-1", 800, "minimum")
    shop.syncs()
    assert prices(shop) == {"SKU-1": 840}


def test_a_price_in_another_currency_is_never_converted(shop: Any) -> None:
    shop.product("SKU-1")
    shop.prices("SKU-1", 10, currency="USD")
    shop.syncs()
    assert shop.states("market", "price.push")["SKU-1"] == ("held", "currency: the retail price is in USD")


def test_thirty_seven_prices_a_hundredfold_are_held_while_the_others_pass(shop: Any) -> None:
    shop.opens(f"market: {{connector: market, {AUTO}}}")
    rows = 12_000
    shop.say(
        "insert into canonical.product (sku, connection, external_id, name, status, source) "
        "select 'SKU-' || n, 'erp', n, 'Good', 'active', '{}' from generate_series(1, :rows) n", rows=rows,
    )  # fmt: skip
    shop.say(
        "insert into canonical.price (sku, price_type, connection, valid_from, amount, currency, source) "
        "select 'SKU-' || n, 'retail', 'erp', '-infinity', 1000 + n, 'KZT', '{}' from generate_series(1, :rows) n",
        rows=rows,
    )
    shop.dirty("price", *(f"SKU-{n}" for n in range(1, rows + 1)))
    shop.syncs()
    assert len(prices(shop)) == rows
    typo, honest = range(1, 38), range(38, 538)
    shop.say("update canonical.price set amount = amount * 100 where sku = any(:s)", s=[f"SKU-{n}" for n in typo])
    shop.say("update canonical.price set amount = amount + 5 where sku = any(:s)", s=[f"SKU-{n}" for n in honest])
    shop.dirty("price", *(f"SKU-{n}" for n in (*typo, *honest)))
    plan = shop.syncs()["market", "price.push"]
    assert (plan.planned, plan.held) == (537, 37)
    shown = prices(shop)
    assert {shown[f"SKU-{n}"] - n for n in typo} == {1000}
    assert {shown[f"SKU-{n}"] - n for n in honest} == {1005}
    held = {subject for subject, (_, state) in shop.waits("market", "price.push").items() if state == "held"}
    assert held == {f"SKU-{n}" for n in typo}


def test_a_promotion_counts_while_its_window_is_open_though_nothing_arrives(shop: Any) -> None:
    shop.opens(f"market: {{connector: market, {AUTO}}}")
    shop.product("SKU-1")
    shop.prices("SKU-1", 1000)
    shop.prices("SKU-1", 700, opens=shop.now + timedelta(days=1), ends=shop.now + timedelta(days=3))
    shop.syncs()
    assert prices(shop) == {"SKU-1": 1000}
    for days, price in ((1, 700), (2, 1000)):
        shop.passes(days=days)
        shop.say(
            "update hub.dirty set due = '2020-01-01' where due <= :now", now=shop.now
        )  # the server's clock is not ours
        shop.syncs()
        assert prices(shop) == {"SKU-1": price}


def test_the_merchants_first_source_of_prices_wins(shop: Any) -> None:
    shop.opens(f"market: {{connector: market, {AUTO}}}", hub="authority: {price: [erp, market]}")
    shop.product("SKU-1")
    shop.prices("SKU-1", 900, by="market")
    shop.prices("SKU-1", 1000, by="erp")
    shop.syncs()
    assert prices(shop) == {"SKU-1": 1000}
