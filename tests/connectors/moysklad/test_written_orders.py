"""Orders of other channels in MoySklad: made once, moved on, never in people's way."""

from collections.abc import Callable
from dataclasses import replace
from decimal import Decimal
from typing import Any

import pytest

from connectors.moysklad import CONNECTOR
from connectors.moysklad.api import uuid_of
from connectors.moysklad.config import MoySkladConfig
from connectors.moysklad.lookup import spellings
from connectors.moysklad.simulator.account import Account
from connectors.moysklad.simulator.books import Fields
from connectors.moysklad.simulator.seed import uid
from connectors.sdk import Accepted, Change, Deferred, Outcome, Rejected, Since, Unknown, outcomes
from connectors.sdk.testing.builders import a_line, an_order
from connectors.sdk.testing.shop import Shop
from mappings.canonical import Order
from mappings.tables import convert
from tests.clock import Clock
from tests.connectors.moysklad.conftest import Settings, mapped, read

SINK = CONNECTOR.sink("order.push")
Sale = Callable[..., Order]


def push(config: MoySkladConfig, *orders: Order, about: dict[str, Any] | None = None) -> list[Outcome]:
    return [*outcomes(SINK, config, changes(*orders, about=about))]


def changes(*orders: Order, about: dict[str, Any] | None = None) -> list[Change]:
    return [
        Change(
            "order.push",
            f"market:{order.external_id}",
            "",
            order.model_dump(mode="json") | {"connection": "market"},
            key=f"order.push:{order.external_id}:1",
            about=about or {},
        )
        for order in orders
    ]


def copies(vendor: Account) -> list[Fields]:
    rows = vendor.books.tables["customerorder"].rows.values()
    return [row.fields for row in rows if row.fields["externalCode"].startswith("keruen:")]


def state_of(vendor: Account, order: Fields) -> str:
    return vendor.state_of(vendor.books.find("customerorder", order["id"]))


@pytest.fixture
def sale(shop: Shop) -> Sale:
    """An order of the marketplace: two of one good, one of another."""

    def make(number: str = "700001", **facts: Any) -> Order:
        first, second = shop.variants[0], shop.variants[1]
        lines = a_line(first.sku, 2, int(first.retail)), a_line(second.sku, 1, int(second.retail))
        known = {"contact_phone": "+77000009001", "contact_name": "Әлия Бейсенова", "location": "Almaty-1"}
        return an_order(number, facts.pop("lines", lines), **{**known, **facts})

    return make


# ── made once ─────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_an_order_arrives_with_its_goods_its_buyer_and_its_reserve(
    settings: Settings, vendor: Account, shop: Shop, sale: Sale
) -> None:
    order = sale()
    [outcome] = push(settings(), order)
    [copy] = copies(vendor)
    assert outcome == Accepted(outcome.change, copy["id"])
    assert copy["sum"] == float(order.total * 100)
    assert copy["name"] == "700001"
    assert [position["reserve"] for position in copy["positions"]] == [2, 1]
    assert uuid_of(copy["store"]) == uid("store", "Almaty-1")
    buyer = vendor.books.find("counterparty", str(uuid_of(copy["agent"]))).fields
    assert (buyer["name"], buyer["phone"], buyer["companyType"]) == ("Әлия Бейсенова", "+77000009001", "individualKZ")


def test_the_copy_read_back_knows_whose_copy_it_is(settings: Settings, clock: Clock, sale: Sale) -> None:
    config, order = settings(), sale()
    push(config, order)
    orders = mapped(config, "customer_orders", read(config, "customer_orders", Since(now=clock())))
    [copy] = [one for one in orders if one.copy_of]
    assert copy.copy_of == "market:700001"
    assert (copy.total, copy.status, copy.placed_at) == (order.total, "placed", order.placed_at)


def test_the_same_change_twice_makes_one_order_and_one_buyer(settings: Settings, vendor: Account, sale: Sale) -> None:
    first, second = push(settings(), sale()), push(settings(), sale())
    assert isinstance(first[0], Accepted)
    assert isinstance(second[0], Accepted)
    assert first[0].receipt == second[0].receipt
    assert len(copies(vendor)) == 1
    phones = [row.fields.get("phone") for row in vendor.books.tables["counterparty"].rows.values()]
    assert phones.count("+77000009001") == 1


def test_a_lost_answer_is_unknown_and_the_next_try_finds_what_was_made(
    settings: Settings, vendor: Account, sale: Sale
) -> None:
    config = settings()
    vendor.sandbox.faults.set("lost_reply", match="POST /entity/customerorder", times=1)
    [lost] = push(config, sale())
    assert isinstance(lost, Unknown)
    shown = SINK.read_back(config, changes(sale())) if SINK.read_back else {}
    assert shown == {"market:700001": changes(sale())[0].value}
    [again] = push(config, sale())
    assert isinstance(again, Accepted)
    assert len(copies(vendor)) == 1


def test_a_repeated_create_gives_the_earlier_order_even_unseen(settings: Settings, vendor: Account, sale: Sale) -> None:
    """The list does not show it yet; syncId does."""
    push(settings(), sale())
    [copy] = copies(vendor)
    vendor.books.change("customerorder", copy["id"], externalCode="changed by a person")
    [outcome] = push(settings(), sale())
    assert outcome == Accepted(outcome.change, copy["id"])
    assert not copies(vendor)


def test_a_lost_answer_about_the_buyer_defers_the_order(settings: Settings, vendor: Account, sale: Sale) -> None:
    """Nothing was said of the order yet, and the buyer is found again by his syncId."""
    vendor.sandbox.faults.set("lost_reply", match="POST /entity/counterparty", times=1)
    [outcome] = push(settings(), sale())
    assert isinstance(outcome, Deferred)
    [outcome] = push(settings(), sale())
    assert isinstance(outcome, Accepted)
    phones = [row.fields.get("phone") for row in vendor.books.tables["counterparty"].rows.values()]
    assert phones.count("+77000009001") == 1


# ── the buyer ─────────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("written", ["+77000009001", "8 (700) 000-90-01", "+7 700 000 90 01", "87000009001"])
def test_a_buyer_is_found_however_people_wrote_the_phone(
    settings: Settings, vendor: Account, sale: Sale, written: str
) -> None:
    known = vendor.books.write("counterparty", {"name": "Бейсенова Әлия", "phone": written})
    push(settings(), sale())
    [copy] = copies(vendor)
    assert copy["agent"]["meta"]["href"].endswith(known.id)


def test_every_spelling_is_the_same_phone() -> None:
    assert {convert.phone(spelling) for spelling in spellings("+77000009001")} == {"+77000009001"}


def test_of_two_rows_with_one_phone_the_older_is_taken(
    settings: Settings, vendor: Account, clock: Clock, sale: Sale
) -> None:
    older = vendor.books.write("counterparty", {"name": "Первая", "phone": "+77000009001"})
    clock.passes(days=1)
    vendor.books.write("counterparty", {"name": "Вторая", "phone": "+77000009001"})
    push(settings(), sale())
    assert copies(vendor)[0]["agent"]["meta"]["href"].endswith(older.id)


def test_a_buyer_whose_phone_the_channel_hides_is_known_by_the_channels_id(
    settings: Settings, vendor: Account, sale: Sale
) -> None:
    facts = {"contact_phone": None, "contact_name": None, "customer": "h-17"}
    push(settings(), sale("700001", **facts), sale("700002", **facts))
    first, second = copies(vendor)
    assert first["agent"]["meta"]["href"] == second["agent"]["meta"]["href"]


# ── amounts ───────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_discounts_and_delivery_come_out_to_the_tenge(
    settings: Settings, vendor: Account, shop: Shop, sale: Sale
) -> None:
    """333 off a line and 100 off the whole; the delivery costs 1500, and a service stands for it."""
    plain = sale()
    first = plain.lines[0].model_copy(update={"discount": Decimal(333), "total": plain.lines[0].total - 333})
    sums = {"delivery_cost": Decimal(1500), "discount": Decimal(100)}
    order = sale("700002", lines=(first, plain.lines[1]), **sums)
    assert isinstance(push(settings(), order)[0], Accepted)
    assert copies(vendor)[0]["sum"] == float(order.total * 100)
    push(settings(delivery_service=None), sale("700003", delivery_cost=Decimal(1500)))
    assert copies(vendor)[1]["sum"] == float(plain.total * 100), "no service stands for the delivery"


def test_an_order_in_another_currency_is_refused(settings: Settings, vendor: Account, sale: Sale) -> None:
    [outcome] = push(settings(), sale(currency="USD"))
    assert isinstance(outcome, Rejected)
    assert (outcome.code, copies(vendor)) == ("currency", [])


# ── one of many ───────────────────────────────────────────────────────────────────────────────────────────────────────


def test_an_unknown_sku_stops_its_own_order_only(settings: Settings, vendor: Account, sale: Sale) -> None:
    strange = an_order("700009", (a_line("NO-SUCH-SKU"),), contact_phone="+77000009001")
    bad, good = push(settings(), sale(), strange)
    assert isinstance(good, Accepted)
    assert isinstance(bad, Rejected)
    assert bad.code == "unknown_sku"
    assert "NO-SUCH-SKU" in bad.message
    assert len(copies(vendor)) == 1


def test_a_sku_that_two_items_bear_is_looked_for_in_the_next_field(
    settings: Settings, vendor: Account, shop: Shop, sale: Sale
) -> None:
    """Code 1 is the code of two; as an article only one has it."""
    one, other = vendor.item(shop.variants[0].sku), vendor.item(shop.variants[5].sku)
    sku = shop.variants[0].sku
    vendor.books.change(other.kind, other.id, code=sku)
    vendor.books.change(one.kind, one.id, article=sku)
    [outcome] = push(settings(), sale())
    assert isinstance(outcome, Accepted), outcome
    assert copies(vendor)[0]["positions"][0]["assortment"]["meta"]["href"].endswith(one.id)


def test_a_binding_of_the_hub_wins_over_the_fields(settings: Settings, vendor: Account, shop: Shop) -> None:
    item = vendor.item(shop.variants[3].sku)
    order = an_order("700010", (a_line("OUR-OWN"),), contact_phone="+77000009001")
    [outcome] = push(settings(), order, about={"variants": {"OUR-OWN": item.id}})
    assert isinstance(outcome, Accepted), outcome
    assert copies(vendor)[0]["positions"][0]["assortment"]["meta"]["href"].endswith(item.id)


@pytest.mark.parametrize("status", [200, 400])
def test_a_bulk_answer_is_walked_whatever_its_status(
    settings: Settings, vendor: Account, sale: Sale, status: int
) -> None:
    """One of three meets a store that is gone; whether the answer is 200 or 400 is not documented."""
    vendor.mixed_status = status
    gone = {"Astana-1": "00000000-0000-0000-0000-000000000001"}
    config = settings(stores=gone)
    results = push(config, sale("1"), sale("2", location="Astana-1"), sale("3"))
    assert [type(one) for one in results] == [Accepted, Rejected, Accepted]
    assert isinstance(results[1], Rejected)
    assert results[1].code == "1021"
    assert len(vendor.sandbox.requests("POST", "/entity/customerorder")) == 1


def test_fifty_orders_of_fifty_buyers_take_ten_requests(settings: Settings, vendor: Account, sale: Sale) -> None:
    """Of these one makes the buyers and one the orders; at four units each they fit in one window of three seconds."""
    assert SINK.batch == 50
    orders = [sale(str(700_000 + n), contact_phone=f"+770000091{n:02}", contact_name=f"Буып {n}") for n in range(50)]
    assert {type(one) for one in push(settings(), *orders)} == {Accepted}
    assert len(vendor.sandbox.requests("POST", "/entity/customerorder")) == 1
    assert len(vendor.sandbox.requests("POST", "/entity/counterparty")) == 1
    assert len(vendor.sandbox.journal) <= 10
    assert max(len(seen.query) for seen in vendor.sandbox.journal) < 8000, "an address holds 8 KB"


def test_a_row_changed_by_somebody_meanwhile_is_tried_once_more(
    settings: Settings, vendor: Account, sale: Sale
) -> None:
    config = settings()
    push(config, sale("1"), sale("2"))
    vendor.books.conflicts = 1
    moved = push(config, sale("1", status="confirmed"), sale("2", status="confirmed"))
    assert {type(one) for one in moved} == {Accepted}
    assert {state_of(vendor, copy) for copy in copies(vendor)} == {"Подтвержден"}
    vendor.books.conflicts = 2
    [stuck] = push(config, sale("1", status="shipped"))
    assert isinstance(stuck, Deferred), "later it will work"


# ── moved on ──────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_a_copy_follows_the_origin_forward(settings: Settings, vendor: Account, sale: Sale) -> None:
    config, seen = settings(), []
    for status in ("placed", "confirmed", "assembling", "ready", "shipped", "completed"):
        [outcome] = push(config, sale(status=status))
        assert isinstance(outcome, Accepted)
        seen.append(state_of(vendor, copies(vendor)[0]))
    assert seen == ["Новый", "Подтвержден", "Подтвержден", "Собран", "Отгружен", "Доставлен"]
    assert not vendor.sandbox.requests("PUT"), "a hundred PUTs a minute lock the user out"


def test_a_manager_who_is_ahead_is_not_pulled_back(settings: Settings, vendor: Account, sale: Sale) -> None:
    config = settings()
    push(config, sale())
    vendor.move(copies(vendor)[0]["id"], "Собран")
    before = len(vendor.sandbox.requests("POST"))
    [outcome] = push(config, sale(status="confirmed"))
    assert isinstance(outcome, Accepted)
    assert state_of(vendor, copies(vendor)[0]) == "Собран"
    assert len(vendor.sandbox.requests("POST")) == before, "nothing had to be written"


def test_a_cancelled_sale_gives_back_its_reserve(settings: Settings, vendor: Account, shop: Shop, sale: Sale) -> None:
    config, place = settings(), (uid("item", shop.variants[0].sku), uid("store", "Almaty-1"))
    before = vendor.books.counts[place].reserve
    push(config, sale(status="confirmed"))
    assert vendor.books.counts[place].reserve == before + 2
    push(config, sale(status="cancelled"))
    [copy] = copies(vendor)
    assert vendor.books.counts[place].reserve == before
    assert state_of(vendor, copy) == "Отменен"
    assert len(copy["positions"]) == 2, "the positions are all still there"


def test_a_cancelled_order_of_many_goods_keeps_them_all(
    settings: Settings, vendor: Account, shop: Shop, sale: Sale
) -> None:
    """A list shows the first hundred positions, and what is written replaces them all."""
    config, one = settings(), shop.variants[0]
    lines = tuple(a_line(one.sku, 1, int(one.retail), line=str(number)) for number in range(130))
    push(config, sale(lines=lines))
    push(config, sale(lines=lines, status="cancelled"))
    [copy] = copies(vendor)
    assert len(copy["positions"]) == 130
    assert {position["reserve"] for position in copy["positions"]} == {0}


def test_a_return_on_its_way_waits_for_a_state_of_that_meaning(settings: Settings, vendor: Account, sale: Sale) -> None:
    push(settings(), sale(status="completed"))
    [kept] = push(settings(), sale(status="returning"))
    assert isinstance(kept, Accepted)
    assert state_of(vendor, copies(vendor)[0]) == "Доставлен", "the account has no state for it"
    named = settings(states={"Доставлен": "delivered", "Возврат": "returning"})
    push(named, sale(status="returning"))
    assert state_of(vendor, copies(vendor)[0]) == "Возврат"


def test_a_copy_that_was_thrown_away_is_not_made_again(settings: Settings, vendor: Account, sale: Sale) -> None:
    config = settings()
    push(config, sale())
    [copy] = copies(vendor)
    vendor.books.trash("customerorder", copy["id"])
    [outcome] = push(config, sale(status="confirmed"))
    assert outcome == Accepted(outcome.change, copy["id"])
    assert len(copies(vendor)) == 1


def test_a_copy_that_the_hub_knows_by_its_id_is_moved_on(
    settings: Settings, vendor: Account, shop: Shop, sale: Sale
) -> None:
    """A manager typed it in, or changed its external code: it is still the copy that the hub has bound."""
    typed = vendor.order(shop.variants[0].sku, "Almaty-1")
    change = replace(changes(sale(status="confirmed"))[0], external_id=typed)
    assert [*outcomes(SINK, settings(), [change])] == [Accepted(change, typed)]
    assert vendor.state_of(vendor.books.find("customerorder", typed)) == "Подтвержден"
    assert copies(vendor) == []


def test_read_back_tells_what_a_copy_still_lacks(settings: Settings, vendor: Account, sale: Sale) -> None:
    config = settings()
    push(config, sale())
    assert SINK.read_back is not None
    wanted = changes(sale(status="shipped"))
    shown = SINK.read_back(config, wanted)
    assert shown == {"market:700001": {"status": "placed"}}
    assert not SINK.same(wanted[0].value, shown["market:700001"])
    assert SINK.read_back(config, changes(sale("999999"))) == {}


def test_our_own_webhooks_are_not_woken(settings: Settings, vendor: Account, sale: Sale) -> None:
    """The header goes with writes only; the simulator keeps no headers, so the request is looked at on its way."""
    import requests

    sent: list[tuple[str, str | None]] = []
    real = requests.Session.request

    def spy(session: requests.Session, method: str, url: str, **more: Any) -> requests.Response:
        sent.append((method, more["headers"].get("X-Lognex-WebHook-DisableByPrefix")))
        return real(session, method, url, **more)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(requests.Session, "request", spy)
        push(settings(webhook_prefix="https://hub.example.com/hooks"), sale())
    assert {prefix for method, prefix in sent if method == "POST"} == {"https://hub.example.com/hooks"}
    assert {prefix for method, prefix in sent if method == "GET"} == {None}


def test_without_an_organization_orders_wait_for_the_merchant(settings: Settings, vendor: Account, sale: Sale) -> None:
    [outcome] = push(settings(organization=None), sale())
    assert isinstance(outcome, Deferred)
    assert "set `organization`" in outcome.why


def test_an_order_names_its_buyer_by_reference_only(settings: Settings, vendor: Account, sale: Sale) -> None:
    push(settings(), sale())
    [seen] = vendor.sandbox.requests("POST", "/entity/customerorder")
    assert b"7000009001" not in seen.body
