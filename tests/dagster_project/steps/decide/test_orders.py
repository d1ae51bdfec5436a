"""Orders: accepted when every line is promised, then following their copy; and the copies themselves."""

from typing import Any

import pytest

AUTO = "push: {order: auto, first: auto}"


@pytest.fixture
def shop(shop: Any) -> Any:
    return shop.opens(f"market: {{connector: market, {AUTO}}}")


def asked(shop: Any) -> Any:
    return {order: value["status"] for order, (value, _) in shop.waits("market", "order.status").items()}


def test_an_order_is_accepted_once_every_line_is_promised(shop: Any) -> None:
    shop.has("SKU-1", 5)
    shop.has("SKU-2", 0)
    shop.order("A", ("SKU-1", 1), ("SKU-2", 1))
    shop.decides()
    assert asked(shop) == {}
    assert shop.states("market", "order.status") == {"market:A": ("held", "short: 1 of SKU-2")}
    shop.counts("SKU-2", 1)
    shop.decides()
    assert asked(shop) == {"market:A": "confirmed"}
    row = shop.one("select external_id, was, because from ledger.outbox where capability = 'order.status'")
    assert (row.external_id, row.was, row.because) == ("A", {"status": "placed"}, "every line is reserved")


def test_an_accepted_order_stays_so_until_the_channel_shows_it(shop: Any) -> None:
    shop.has("SKU-1", 5)
    shop.order("A", ("SKU-1", 1))
    shop.syncs()
    shop.dirty("order", "market:A")
    assert shop.syncs()["market", "order.status"].planned == 0
    shop.order("A", ("SKU-1", 1), status="confirmed")
    shop.syncs()
    assert shop.states("market", "order.status") == {"market:A": ("in_sync", None)}


def test_the_origin_follows_its_copy_forward_and_never_back(shop: Any) -> None:
    shop.has("SKU-1", 5)
    shop.order("A", ("SKU-1", 1), status="confirmed")
    shop.order("copy", ("SKU-1", 1), at="erp", copy_of="market:A", status="assembling")
    shop.decides()
    assert asked(shop) == {"market:A": "assembling"}
    shop.delivers()
    shop.order("A", ("SKU-1", 1), status="shipped")
    shop.decides()
    assert asked(shop) == {}
    assert shop.states("market", "order.status") == {"market:A": ("in_sync", None)}


def test_a_cancelled_copy_cancels_nothing(shop: Any) -> None:
    shop.has("SKU-1", 5)
    shop.order("A", ("SKU-1", 1), status="confirmed")
    shop.order("copy", ("SKU-1", 1), at="erp", copy_of="market:A", status="cancelled")
    shop.decides()
    assert asked(shop) == {}


def test_orders_that_were_over_before_we_came_are_nobodys_business(shop: Any) -> None:
    shop.has("SKU-1", 5)
    shop.order("old", ("SKU-1", 1), status="completed")
    shop.decides()
    assert shop.states("market", "order.status") == {}


def test_orders_of_a_channel_that_counts_by_itself_are_promised_by_its_own_books(shop: Any) -> None:
    shop.has("SKU-1", 5, by="market")
    shop.order("A", ("SKU-1", 1))
    shop.decides()
    assert shop.promises() == {}
    assert asked(shop) == {"market:A": "confirmed"}


# ── copies ────────────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.fixture
def with_copies(shop: Any) -> Any:
    return shop.opens("market: {connector: market}", erp=f"{{connector: warehouse, {AUTO}}}")


def test_a_channels_order_is_copied_to_the_keeper_of_orders(with_copies: Any) -> None:
    shop = with_copies
    shop.has("SKU-1", 5)
    shop.order("A", ("SKU-1", 2))
    shop.say(
        "insert into hub.binding (connection, entity, external_id, our_id, how) "
        "values ('erp', 'variant', 'uuid-1', 'SKU-1', 'sku')"
    )
    shop.order("receipt", ("SKU-1", 1), at="erp", status="completed", channel="store")
    shop.decides()
    row = shop.one("select subject, becomes, about from ledger.outbox where capability = 'order.push'")
    assert row.subject == "market:A"
    assert row.about == {"variants": {"SKU-1": "uuid-1"}}
    assert (row.becomes["connection"], row.becomes["external_id"], row.becomes["number"]) == ("market", "A", "A")
    assert [(line["sku"], line["quantity"]) for line in row.becomes["lines"]] == [("SKU-1", 2)]


def test_a_copy_is_sent_again_only_when_it_has_something_new_to_say(with_copies: Any) -> None:
    shop = with_copies
    shop.has("SKU-1", 5)
    shop.order("A", ("SKU-1", 2))
    shop.syncs()
    shop.passes(hours=1)
    shop.order("A", ("SKU-1", 2))
    assert shop.syncs()["erp", "order.push"].planned == 0
    shop.order("copy", ("SKU-1", 2), at="erp", copy_of="market:A")
    assert shop.syncs()["erp", "order.push"].planned == 0, "what we wrote came back with the next pull"
    shop.order("A", ("SKU-1", 2), status="cancelled")
    assert shop.syncs()["erp", "order.push"].planned == 1
    assert shop.one("select becomes from ledger.change order by id desc limit 1").becomes["status"] == "cancelled"


def test_an_order_that_the_keeper_copied_by_itself_is_not_copied_twice(with_copies: Any) -> None:
    shop = with_copies
    shop.has("SKU-1", 5)
    shop.order("A", ("SKU-1", 2))
    shop.order("its own copy", ("SKU-1", 2), at="erp", copy_of="market:A")
    shop.decides()
    assert shop.waits("erp", "order.push") == {}
    assert shop.states("erp", "order.push") == {"market:A": ("in_sync", None)}


def test_looking_at_copies_shows_no_buyer(with_copies: Any) -> None:
    shop = with_copies
    shop.has("SKU-1", 5)
    shop.order("A", ("SKU-1", 2))
    shop.say("update canonical.\"order\" set contact_phone = '+77000000001'")
    assert "+7700" not in str(shop.looks("erp", "order.push"))
