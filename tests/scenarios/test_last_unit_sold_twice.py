"""One unit, two buyers on two channels, minutes apart."""

import pytest

from tests.scenarios.town import CHANNEL, a_small_shop


@pytest.fixture
def last(town):
    """The sku of which one unit is left, on display in a web shop and at a marketplace."""
    shop = a_small_shop(1, 7)
    town.opens("erp", "moysklad", shop, push={})
    town.opens("site", "satu", shop, **CHANNEL)
    town.opens("market", "kaspi", shop, **CHANNEL)
    town.owns(product="erp", price="erp", on_hand="erp")
    town.syncs()
    town.is_visited()
    sku = shop.variants[0].sku
    assert town.shows("site")[sku] == town.shows("market")[sku] == 1
    return sku


@pytest.fixture
def both(town, last):
    """The web shop's order came first, the marketplace's is paid."""
    town.clock.passes(minutes=1)
    unpaid = town.vendors["site"].sell([(last, 1)])
    town.clock.passes(minutes=4)
    paid = town.vendors["market"].sell([(last, 1)], point="PP1")
    town.passes_and_syncs(minutes=1)
    town.is_visited()
    return unpaid, paid


def promises(town):
    return dict(town.all("select connection, state from canonical.reservation"))


def test_last_unit_goes_to_the_first_paid_order_and_is_on_sale_nowhere(town, last, both):
    unpaid, paid = both
    assert promises(town) == {"market": "active", "site": "short"}
    assert (paid.status, unpaid["status"]) == ("ACCEPTED_BY_MERCHANT", "pending")
    held = town.item("site", "order.status", f"site:{unpaid['id']}")
    assert held.state == "held"
    assert held.reason.startswith("short")
    assert last in held.reason
    assert town.shows("site")[last] == town.shows("market")[last] == 0


def test_a_unit_given_back_goes_to_the_buyer_who_waits_and_then_on_sale_again(town, last, both):
    unpaid, paid = both
    town.vendors["market"].buyer_cancels(paid.code)
    town.passes_and_syncs(minutes=10)
    assert promises(town) == {"market": "released", "site": "active"}
    assert unpaid["status"] == "received"
    assert town.shows("site")[last] == 0

    unpaid |= {"status": "canceled", "date_modified": town.vendors["site"].stamp()}
    town.passes_and_syncs(minutes=10)
    town.is_visited()
    assert set(promises(town).values()) == {"released"}
    assert town.shows("site")[last] == town.shows("market")[last] == 1
