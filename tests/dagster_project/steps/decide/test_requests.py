"""What a person asks of an order is desired until the channel confirms it, and is never said twice."""

from typing import Any

import pytest

from connectors.sdk.errors import ConfigError
from dagster_project.steps.ask import ask, withdraw

CANCEL = {"status": "cancelled", "reason": "buyer"}
FEWER = {"keep": {"1": {"quantity": 1}}, "reason": "out_of_stock"}


@pytest.fixture
def shop(shop: Any) -> Any:
    shop.opens("market: {connector: market, push: {order: auto, first: auto}}")
    shop.has("SKU-1", 1)
    return shop


def asked(shop: Any, what: dict[str, Any], order: str = "market:A") -> None:
    ask(shop.store, shop.hub, order, what, who="Dina", why="she called", now=shop.now)


def shown(shop: Any) -> Any:
    return shop.shows("market", "order.status")


def test_an_order_is_cancelled_when_a_person_says_so_and_its_unit_is_free_when_the_channel_does(shop: Any) -> None:
    shop.order("A", ("SKU-1", 1))
    shop.syncs()
    asked(shop, CANCEL)
    shop.decides()
    row = shop.one("select was, becomes, because from ledger.outbox")
    assert (row.was, row.becomes, row.because) == ({"status": "confirmed"}, CANCEL, "asked by Dina: she called")
    shop.delivers()
    assert shown(shop) == {"market:A": CANCEL}
    assert shop.promises() == {"A/1": "active"}, "the channel may still refuse: its list decides"

    shop.order("A", ("SKU-1", 1), status="cancelled")
    shop.syncs()
    assert shop.promises() == {"A/1": "released"}
    assert shop.states("market", "order.status") == {"market:A": ("in_sync", None)}


def test_what_was_asked_is_sent_once_however_often_the_order_is_looked_at(shop: Any) -> None:
    shop.order("A", ("SKU-1", 1))
    shop.syncs()
    asked(shop, FEWER | {"keep": {"1": {"quantity": 0}}})
    assert shop.syncs()["market", "order.status"].planned == 1
    for status in ("confirmed", "assembling", "completed"):
        shop.order("A", ("SKU-1", 1), status=status)
        assert shop.syncs()["market", "order.status"].planned == 0
    assert shop.states("market", "order.status") == {"market:A": ("in_sync", None)}


def test_a_short_order_that_a_person_makes_smaller_is_accepted_in_the_end(shop: Any) -> None:
    shop.order("A", ("SKU-1", 2))
    shop.syncs()
    assert shop.states("market", "order.status") == {"market:A": ("held", "short: 2 of SKU-1")}

    asked(shop, FEWER)
    shop.syncs()
    assert shown(shop) == {"market:A": {"status": "placed", **FEWER}}

    shop.order("A", ("SKU-1", 1))
    shop.syncs()
    assert shown(shop) == {"market:A": {"status": "confirmed", **FEWER}}


def test_an_order_that_was_over_before_we_came_can_still_be_confirmed_as_back(shop: Any) -> None:
    shop.order("A", ("SKU-1", 1), status="cancelled")
    asked(shop, {"status": "returned"})
    shop.syncs()
    assert shown(shop) == {"market:A": {"status": "returned"}}


def test_what_is_withdrawn_in_time_never_leaves(shop: Any) -> None:
    shop.order("A", ("SKU-1", 1))
    shop.syncs()
    asked(shop, CANCEL)
    shop.decides()
    assert withdraw(shop.store, shop.hub, "market:A")
    shop.syncs()
    assert shown(shop) == {"market:A": {"status": "confirmed"}}
    assert not withdraw(shop.store, shop.hub, "market:A")


@pytest.mark.parametrize(
    ("order", "what", "why"),
    [
        ("market:B", CANCEL, "there is no order market:B"),
        ("A", CANCEL, "does not say whose"),
        ("erp:A", CANCEL, "erp cannot be asked for cancelled"),
        ("market:A", {"arrived": True}, "its connector takes: cancelled, keep, returned"),
        ("market:A", {"keep": {"9": {"quantity": 0}}}, r"no line 9; it has 1 \(SKU-1\)"),
        ("market:A", {"keep": {"1": {"quantity": 3}}}, "3 of line 1 cannot stay"),
    ],
)
def test_a_request_that_cannot_be_met_is_refused_with_the_reason(shop: Any, order: str, what: Any, why: str) -> None:
    shop.order("A", ("SKU-1", 2))
    with pytest.raises(ConfigError, match=why):
        asked(shop, what, order)
    assert shop.all("select from hub.order_request") == []


def test_a_channel_whose_orders_are_not_written_is_asked_for_nothing(shop: Any) -> None:
    shop.opens("market: {connector: market}")
    shop.order("A", ("SKU-1", 1))
    with pytest.raises(ConfigError, match="orders are not written there"):
        asked(shop, CANCEL)
