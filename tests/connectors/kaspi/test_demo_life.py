"""What goes on in the sandbox while the demo runs."""

from collections import Counter

from connectors.kaspi.sandbox import life, sandbox
from connectors.sdk.testing.shop import a_shop

NOBODY = "http://127.0.0.1:9/feeds"


def test_buyers_buy_couriers_come_and_kaspi_looks_for_the_price_list(now):
    shop = a_shop(variants=20, people=30, orders=200, days=10, now=now)
    kaspi = sandbox(shop, limits="off", clock=lambda: now)
    before, ended = len(kaspi.sales), Counter(sale.state for sale in kaspi.sales.values())["ARCHIVE"]

    pulse = life(kaspi, shop, feeds=NOBODY)
    for _ in range(31):
        pulse()

    assert len(kaspi.sales) == before + 31
    assert Counter(sale.state for sale in kaspi.sales.values())["ARCHIVE"] > ended
    assert [visit.status for visit in kaspi.front.fetches] == [None, None, None]


def test_the_shops_past_shows_every_stage_an_order_can_be_in(now):
    shop = a_shop(variants=50, people=200, orders=4000, days=30, now=now)
    kaspi = sandbox(shop, limits="off", clock=lambda: now)

    assert {sale.state for sale in kaspi.sales.values()} == {
        "NEW", "SIGN_REQUIRED", "PICKUP", "DELIVERY", "KASPI_DELIVERY", "ARCHIVE",
    }  # fmt: skip
    assert {"COMPLETED", "CANCELLED", "RETURNED"} < {sale.status for sale in kaspi.sales.values()}
