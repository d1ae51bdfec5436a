"""The ERP answers 500 for hours while buyers go on buying."""

import pytest

from tests.scenarios.town import CHANNEL, a_small_shop


@pytest.fixture
def goods(town):
    """Two skus, ten units each, and an order of two units that was taken while the ERP still answered."""
    shop = a_small_shop(10, 10)
    town.opens("erp", "moysklad", shop, push={})
    town.opens("site", "satu", shop, **CHANNEL)
    town.opens("market", "kaspi", shop, **CHANNEL)
    town.owns(product="erp", price="erp", on_hand="erp")
    town.syncs()
    first, second = (variant.sku for variant in shop.variants)
    town.order = town.vendors["site"].sell([(second, 2)])
    town.passes_and_syncs(minutes=5)
    town.is_visited()
    assert town.shows("site") == town.shows("market") == {first: 10, second: 8}
    return first, second


def test_a_silent_erp_lowers_what_is_sold_and_raises_nothing(town, goods):
    first, second = goods
    erp, site, market = (town.vendors[name] for name in ("erp", "site", "market"))
    erp.sandbox.faults.set("500")

    site.sell([(first, 1)])
    market.sell([(first, 2)], point="PP1")
    town.passes_and_syncs("erp", minutes=30)
    town.is_visited()
    assert town.shows("site") == town.shows("market") == {first: 7, second: 8}

    site.sell([(first, 3)])
    town.order |= {"status": "canceled", "date_modified": site.stamp()}
    town.passes_and_syncs("erp", hours=4)
    town.is_visited()
    assert town.shows("site") == {first: 4, second: 8}, "what is sold goes down, what is given back waits"
    assert town.item("site", "stock.push", second).reason == "stale"
    assert town.shows("market") == {first: 4, second: 8}, "a file made of old counts says less, never more"

    erp.sandbox.faults.clear()
    town.passes_and_syncs(minutes=10)
    town.is_visited()
    assert town.shows("site") == town.shows("market") == {first: 4, second: 10}
