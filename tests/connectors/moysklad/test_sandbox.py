"""The simulator answers as the contract says, to any client: here a plain one, which knows nothing of our connector."""

from collections.abc import Callable, Iterator
from typing import Any
from uuid import uuid4

import pytest
import requests

from connectors.moysklad.sandbox import LOGIN, PASSWORD, TOKEN, life
from connectors.moysklad.simulator.account import Account
from connectors.moysklad.simulator.books import ref
from connectors.moysklad.simulator.seed import ORGANIZATION, uid
from connectors.sdk.testing.sandbox import served
from connectors.sdk.testing.shop import Shop
from tests.clock import Clock

GOOD = {"Authorization": f"Bearer {TOKEN}", "Accept": "application/json;charset=utf-8", "Accept-Encoding": "gzip"}
Ask = Callable[..., requests.Response]


@pytest.fixture
def ask(vendor: Account) -> Iterator[Ask]:
    """`ask("entity/store", limit=1)` reads; `send=` a body writes it."""
    with served(vendor.sandbox) as url:

        def request(path: str, method: str = "GET", send: Any = None, headers: Any = None, **params: Any) -> Any:
            known = {name: value for name, value in {**GOOD, **(headers or {})}.items() if value is not None}
            method = "POST" if send is not None and method == "GET" else method
            address = f"{url}/api/remap/1.2/{path}"
            return requests.request(method, address, params=params, json=send, headers=known, timeout=10)

        yield request


def rows(reply: requests.Response) -> list[Any]:
    assert reply.status_code == 200, reply.text
    return list(reply.json()["rows"])


def code(reply: requests.Response) -> int:
    return int(reply.json()["errors"][0]["code"])


# ── manners ───────────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("coding", ["identity", "deflate, br"])
def test_without_gzip_there_is_415_and_no_body(ask: Ask, coding: str) -> None:
    reply = ask("entity/store", headers={"Accept-Encoding": coding})
    assert (reply.status_code, reply.content) == (415, b"")


def test_answers_are_packed(ask: Ask) -> None:
    assert ask("entity/store").headers["Content-Encoding"] == "gzip"


@pytest.mark.parametrize("accept", ["*/*", "text/html", "application/xml"])
def test_an_accept_that_is_not_json_is_refused(ask: Ask, accept: str) -> None:
    reply = ask("entity/store", headers={"Accept": accept})
    assert (reply.status_code, code(reply)) == (400, 1062)


def test_a_wrong_token_is_refused_and_a_new_one_ends_the_old(ask: Ask, vendor: Account) -> None:
    assert code(ask("entity/store", headers={"Authorization": "Bearer wrong"})) == 1056
    with served(vendor.sandbox) as url:
        reply = requests.post(f"{url}/security/token", auth=(LOGIN, PASSWORD), timeout=10)
    token = reply.json()["access_token"]
    assert ask("entity/store").status_code == 401
    assert ask("entity/store", headers={"Authorization": f"Bearer {token}"}).status_code == 200


def test_fields_of_kazakhstan_need_the_region(ask: Ask) -> None:
    there = rows(ask("entity/counterparty", headers={"X-Lognex-Accept-Region": "kz"}))[-1]
    here = rows(ask("entity/counterparty"))[-1]
    assert (there["companyType"], "mod__requisites__kz" in there) == ("individualKZ", True)
    assert (here["companyType"], "mod__requisites__kz" in here) == ("individual", False)


def test_every_answer_tells_the_budget(ask: Ask, vendor: Account) -> None:
    vendor.sandbox.limits = "contract"
    first, second = ask("entity/store").headers, ask("entity/store").headers
    assert (first["X-RateLimit-Limit"], first["X-Lognex-Retry-TimeInterval"]) == ("45", "3000")
    assert int(second["X-RateLimit-Remaining"]) == int(first["X-RateLimit-Remaining"]) - 1


def test_five_at_a_time_is_the_most(ask: Ask, vendor: Account) -> None:
    vendor.sandbox.limits, vendor.door.busy = "contract", 5
    reply = ask("entity/store")
    assert (reply.status_code, code(reply)) == (429, 1073)


# ── lists ─────────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_a_list_goes_on_until_there_is_no_next(ask: Ask, shop: Shop) -> None:
    first = ask("entity/counterparty", limit=10).json()
    last = ask("entity/counterparty", limit=10, offset=20).json()
    assert first["meta"]["size"] == len(shop.people) + 1
    assert "nextHref" in first["meta"]
    assert "nextHref" not in last["meta"]
    assert len(last["rows"]) == len(shop.people) + 1 - 20
    assert ask("entity/counterparty", limit=1001).status_code == 400


def test_expand_is_silently_ignored_beyond_a_hundred(ask: Ask) -> None:
    within, beyond = (rows(ask("entity/retaildemand", limit=n, expand="positions"))[0] for n in (100, 101))
    assert "rows" in within["positions"]
    assert "rows" not in beyond["positions"]
    assert within["positions"]["meta"]["size"] == beyond["positions"]["meta"]["size"]


def test_expand_follows_three_steps(ask: Ask) -> None:
    [back, *_] = rows(ask("entity/salesreturn", limit=1, expand="demand.customerOrder,positions.assortment"))
    assert back["demand"]["customerOrder"]["name"] == back["name"]
    assert back["positions"]["rows"][0]["assortment"]["name"]
    assert code(ask("entity/salesreturn", limit=1, expand="demand.customerOrder.agent.group")) == 1089


def test_archived_rows_are_hidden_unless_both_are_asked_for(ask: Ask, vendor: Account, shop: Shop) -> None:
    item = vendor.item(shop.variants[0].sku)
    vendor.books.change(item.kind, item.id, archived=True)
    asked = ("", "archived=true", "archived=true;archived=false")
    size = {one: ask(f"entity/{item.kind}", filter=one).json()["meta"]["size"] for one in asked}
    assert size["archived=true"] == 1
    assert size["archived=true;archived=false"] == size[""] + 1


def test_changed_since_is_in_moscow_time_and_in_order(ask: Ask, vendor: Account, shop: Shop, clock: Clock) -> None:
    """At 05:00 UTC it is 08:00 in Moscow."""
    for person in shop.people[:3][::-1]:
        clock.passes(minutes=1)
        vendor.books.change("counterparty", uid("person", person.id), phone="1")
    found = rows(ask("entity/counterparty", filter="updated>=2026-03-02 08:00:30", order="updated,asc;id,asc"))
    assert [row["externalCode"] for row in found] == [person.id for person in shop.people[:3][::-1]]
    assert found[0]["updated"] == "2026-03-02 08:01:00.000"


@pytest.mark.parametrize(
    ("condition", "count"),
    [
        ("externalCode=P000001;externalCode=P000002", 2),
        ("externalCode=P000001;name=никто", 0),
        ("externalCode!=P000001;externalCode!=P000002", 24),
        ("externalCode~=P00000", 9),
        ("externalCode=~01", 1),
        ("externalCode~P0000", 25),
        ("email=", None),
        ("updated>=2027-01-01 00:00:00;updated>=2000-01-01 00:00:00", 0),
        ("description=точка\\; с запятой", 0),
    ],
)
def test_conditions_join_as_the_contract_says(ask: Ask, shop: Shop, condition: str, count: int | None) -> None:
    expected = 1 + sum(person.email is None for person in shop.people) if count is None else count
    assert len(rows(ask("entity/counterparty", filter=condition))) == expected


@pytest.mark.parametrize("condition", ["updated=2026-01-01 00:00;updated>=2026-01-01 00:00", "name", "updated>=завтра"])
def test_a_broken_filter_is_refused(ask: Ask, condition: str) -> None:
    assert code(ask("entity/counterparty", filter=condition)) in (1034, 1035)


def test_the_new_assortment_knows_no_stock(ask: Ask) -> None:
    new = {"X-Lognex-Remap-Beta-Feature": "assortmentWithoutStock"}
    assert "stock" not in rows(ask("entity/assortment", limit=1, headers=new))[0]
    assert "stock" in rows(ask("entity/assortment", limit=1))[0]
    assert code(ask("entity/assortment", filter="article=1", headers=new)) == 1034


# ── stock ─────────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_the_short_report_is_one_plain_array_without_zeros(ask: Ask, shop: Shop) -> None:
    filled = ask("report/stock/bystore/current").json()
    everything = ask("report/stock/bystore/current", include="zeroLines").json()
    assert len(filled) == sum(count > 0 for count in shop.stock.values())
    assert len(everything) == len(shop.stock)
    assert set(everything[0]) == {"assortmentId", "storeId", "stock"}
    assert "freeStock" in ask("report/stock/all/current", stockType="freeStock").json()[0]


def test_the_short_report_looks_back_a_day_at_most(ask: Ask, clock: Clock) -> None:
    assert ask("report/stock/all/current", changedSince="2026-03-01 08:00:01").json() == []
    assert ask("report/stock/all/current", changedSince="2026-03-01 07:59:59").status_code == 400


def test_the_heavy_reports_hide_what_is_empty(ask: Ask, vendor: Account, shop: Shop) -> None:
    sku = shop.variants[0].sku
    for place in shop.places:
        vendor.books.counts[uid("item", sku), uid("store", place.code)].__init__()
    for path in ("all", "bystore"):
        found = rows(ask(f"report/stock/{path}"))
        assert len(found) == len(shop.variants) - 1
        assert "?expand=" in found[0]["meta"]["href"]


# ── writes ────────────────────────────────────────────────────────────────────────────────────────────────────────────

ORDER = {"organization": ref("organization", ORGANIZATION), "agent": ref("counterparty", uid("buyer"))}


def test_a_created_order_has_a_number_a_state_and_no_seconds(ask: Ask) -> None:
    made = ask("entity/customerorder", send={**ORDER, "moment": "2026-03-02 10:11:12"}).json()
    assert made["moment"] == "2026-03-02 10:11:00.000"
    assert (made["name"], made["sum"], made["applicable"]) == ("00001", 0, True)
    assert made["state"]["meta"]["href"].endswith(uid("state", "Новый"))
    assert len(made["externalCode"]) == 22


def test_a_required_field_is_named(ask: Ask) -> None:
    reply = ask("entity/counterparty", send={"phone": "+7 700 000 00 01"})
    assert reply.status_code == 412
    assert reply.json()["errors"][0] | {"error": ""} == {"error": "", "code": 3000, "parameter": "name"}


def test_the_same_sync_id_gives_the_same_order(ask: Ask) -> None:
    body = {**ORDER, "syncId": str(uuid4())}
    first, second = (ask("entity/customerorder", send=body).json()["id"] for _ in range(2))
    assert first == second
    assert ask(f"entity/customerorder/syncid/{body['syncId']}", method="DELETE").status_code == 200
    assert ask(f"entity/customerorder/{first}").status_code == 404


def test_a_bulk_call_can_fail_in_part(ask: Ask, vendor: Account) -> None:
    reply = ask("entity/counterparty", send=[{"name": "Бар"}, {}, {"name": "Да"}])
    assert reply.status_code == vendor.mixed_status
    assert ["errors" in one for one in reply.json()] == [False, True, False]
    assert ask("entity/counterparty", send=[{}]).status_code == 412
    assert code(ask("entity/counterparty", send=[{"name": "x"}] * 1001)) == 1044


def test_an_update_leaves_what_it_does_not_name_and_replaces_collections(ask: Ask, vendor: Account, shop: Shop) -> None:
    line = {"quantity": 1, "price": 1000.0, "assortment": vendor.ref(shop.variants[0].sku)}
    made = ask("entity/customerorder", send={**ORDER, "description": "хрупкое", "positions": [line, line]}).json()
    assert made["sum"] == 2000
    [moved] = ask("entity/customerorder", send=[{"meta": made["meta"], "code": "A-1"}]).json()
    assert (moved["description"], moved["sum"]) == ("хрупкое", 2000)
    put = ask(f"entity/customerorder/{made['id']}", "PUT", {"positions": [line], "description": None}).json()
    assert (put["sum"], put["positions"]["meta"]["size"], "description" in put) == (1000, 1, False)


def test_a_document_in_the_recycle_bin_is_hidden(ask: Ask) -> None:
    made = ask("entity/customerorder", send=ORDER).json()
    before = ask("entity/customerorder", limit=1).json()["meta"]["size"]
    assert ask(f"entity/customerorder/{made['id']}/trash", "POST").status_code == 200
    assert ask("entity/customerorder", limit=1).json()["meta"]["size"] == before - 1
    [thrown] = rows(ask("entity/customerorder", filter="isDeleted=true"))
    assert thrown["deleted"]


def test_a_position_sum_is_rounded_half_up(ask: Ask, vendor: Account, shop: Shop) -> None:
    line = {"quantity": 1.5, "price": 333.0, "discount": 7.5, "assortment": vendor.ref(shop.variants[0].sku)}
    assert ask("entity/customerorder", send={**ORDER, "positions": [line]}).json()["sum"] == 462


def test_goods_of_a_negative_number_are_refused(ask: Ask, vendor: Account, shop: Shop) -> None:
    line = {"quantity": -1, "assortment": vendor.ref(shop.variants[0].sku)}
    assert code(ask("entity/customerorder", send={**ORDER, "positions": [line]})) == 3002


# ── life ──────────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_in_the_demo_people_buy_and_orders_move(vendor: Account, shop: Shop, clock: Clock) -> None:
    sales = len(vendor.books.tables["retaildemand"].rows)
    stock = sum(count.stock for count in vendor.books.counts.values())
    pulse = life(vendor, shop)
    for _ in range(9):
        clock.passes(seconds=30)
        pulse()
    assert len(vendor.books.tables["retaildemand"].rows) > sales
    assert sum(count.stock for count in vendor.books.counts.values()) < stock
