"""One channel answers 500 to everything; the same syncs serve the other."""

from collections import Counter

import pytest

from tests.scenarios.town import CHANNEL, PLACE, a_small_shop


@pytest.fixture
def goods(town):
    shop = a_small_shop(50, 50)
    town.opens("erp", "moysklad", shop, push={})
    town.opens("broken", "satu", shop, **CHANNEL)
    town.opens("healthy", "satu", shop, **CHANNEL)
    town.owns(product="erp", price="erp", on_hand="erp")
    town.syncs()
    return [variant.sku for variant in shop.variants]


def written(town, name):
    """How often each value was written to each product."""
    changes = [change for seen in town.writes(name) for change in seen.json]
    return Counter((change["id"], change.get("quantity_in_stock")) for change in changes)


def test_one_keeps_its_pace_and_the_other_catches_up_without_a_double_write(town, goods):
    for name in ("broken", "healthy"):
        town.vendors[name].sandbox.journal.clear()
    town.vendors["broken"].sandbox.faults.set("500")
    for left in range(49, 44, -1):
        for sku in goods:
            town.vendors["erp"].sell(sku, PLACE)
        report = town.passes_and_syncs("broken", minutes=10)
        assert town.shows("healthy") == dict.fromkeys(goods, left)
        assert {part.connection for part in report.resources if part.error} == {"broken"}
    assert town.shows("broken") == dict.fromkeys(goods, 50)
    assert town.writes("broken") == []

    town.vendors["broken"].sandbox.faults.clear()
    for _ in range(2):
        town.passes_and_syncs(minutes=20)
    assert town.shows("broken") == dict.fromkeys(goods, 45)
    assert set(written(town, "broken").values()) == set(written(town, "healthy").values()) == {1}
    assert {row.state for row in town.all("select state from ledger.item")} == {"in_sync"}
