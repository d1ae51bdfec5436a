"""Lists are read whole, by id, in few requests; what changes meanwhile comes again; both budgets are kept."""

from datetime import UTC, datetime, timedelta
from urllib.parse import parse_qs, unquote

import pytest
import responses

from connectors.bitrix24 import CONNECTOR
from connectors.bitrix24.api import PAGE, Listing, walk
from connectors.bitrix24.config import Bitrix24Config
from connectors.bitrix24.mapping import to_contact
from connectors.bitrix24.notation import in_filters, moment, utc
from connectors.bitrix24.sandbox import sandbox
from connectors.bitrix24.sink import check
from connectors.sdk import ConfigError, ContractError, Since, TransientError, extract
from connectors.sdk.runtime import Runtime, current, using
from mappings.tables import Mapped
from mappings.tables.overrides import overridden
from tests.connectors.bitrix24.conftest import FIRST, pages, push, read, shown
from tests.connectors.bitrix24.writing.changes import person


def test_everything_is_read_once_by_id_with_few_requests(portal, settings, shop):
    stock = read(settings(portal), "stock", FIRST)
    assert len(stock) == len(shop.stock) == 240
    assert [row["id"] for row in stock] == sorted({row["id"] for row in stock})
    assert len(portal.sandbox.journal) == 3, "a page, then chains of two and four pages"
    commands = [command for seen in portal.sandbox.journal for command in seen.json.get("cmd", {}).values()]
    assert portal.sandbox.journal[0].json["start"] == -1
    assert len(commands) == 6
    assert all("start=-1" in command for command in commands)


def test_fifty_pages_travel_in_one_request(empty, settings):
    """However long their commands are."""
    for number in range(PAGE * PAGE - 20):
        empty.add("CONTACT", {"NAME": f"Әлия {number}"})
    select = [f"UF_CRM_{number:024d}" for number in range(40)]
    pages = list(walk(settings(empty), Listing("crm.contact.list", {}, select), length=PAGE))
    [asked] = empty.sandbox.journal
    assert (len(asked.json["cmd"]), sum(map(len, pages))) == (PAGE, PAGE * PAGE - 20)


def test_no_phone_and_no_e_mail_stands_in_an_address(empty, settings):
    """Addresses are logged on the way; the bodies of requests are not."""
    config, facts = settings(empty), ("77000000001", "aliya@example.com")
    push(config, person())
    push(config, person("p-2", first_name="Марат"))
    shown(config, person())
    for resource in CONNECTOR.resources:
        read(config, resource.name, FIRST)
    assert all(any(fact in unquote(seen.body.decode()) for seen in empty.sandbox.journal) for fact in facts)
    assert [seen for seen in empty.sandbox.journal if seen.query or any(fact in seen.path for fact in facts)] == []


@pytest.mark.parametrize("count", [0, 1, 49, 50, 51, 100, 149, 150, 151])
def test_no_page_boundary_loses_or_repeats_a_row(empty, settings, count):
    """Behind a short page a chain begins anew from id 0: those rows are dropped."""
    for number in range(count):
        empty.add("CONTACT", {"NAME": f"Әлия {number}"})
    ids = [row["ID"] for row in read(settings(empty), "contacts", FIRST)]
    assert ids == [str(number) for number in range(1, count + 1)]


def test_gaps_between_ids_are_no_end(empty, settings):
    for number in range(400):
        empty.add("CONTACT", {"NAME": f"Әлия {number}"})
    for gone in range(1, 400, 3):
        empty.delete("CONTACT", gone)
    assert len(read(settings(empty), "contacts", FIRST)) == 400 - len(range(1, 400, 3))


def test_phones_and_fields_of_the_merchants_own_come_with_a_contact(empty, settings):
    empty.add("CONTACT", {"NAME": "Әлия", "PHONE": [{"VALUE": "8 (700) 000-00-01"}], "UF_CRM_CITY": "Алматы"})
    config = settings(empty)
    [contact] = read(config, "contacts", FIRST)
    mapped = overridden(to_contact, {"city": "UF_CRM_CITY"})(contact, config)
    assert isinstance(mapped, Mapped)
    assert (mapped.records[0].phones, mapped.records[0].city) == (("+77000000001",), "Алматы")


def test_a_deal_comes_with_all_its_rows(empty, settings):
    key = empty.add("DEAL", {"TITLE": "Опт"})
    empty.set_rows(key, [{"productName": f"Шай {n}", "price": 10, "quantity": 1} for n in range(120)])
    config = settings(empty)
    [deal] = read(config, "deals", FIRST)
    [order] = CONNECTOR.resource("deals").maps["order"](deal, config).records
    assert (len(order.lines), order.total) == (120, 1200)


def test_variations_know_their_parent_and_headings_are_no_goods(portal, settings, shop):
    config = settings(portal)
    products = read(config, "products", FIRST)
    mapped = [CONNECTOR.resource("products").maps["product"](product, config) for product in products]
    made = [record for result in mapped for record in result.records]
    assert {product.sku for product in made} == set(shop.by_sku)
    headings = {str(product["id"]) for product in products if product["type"] == 3}
    assert {product.parent_sku for product in made} == headings


def test_only_deals_of_the_named_pipelines_are_asked_for(portal, settings):
    every = read(settings(portal), "deals", FIRST)
    second = read(settings(portal, pipelines=[1]), "deals", FIRST)
    assert 0 < len(second) < len(every)
    assert {deal["CATEGORY_ID"] for deal in second} == {"1"}


def test_orders_of_the_online_store_are_read_only_where_they_are_the_orders(portal, settings):
    known = len(portal.catalogue["orders"])
    assert len(read(settings(portal, orders_from=["shop"]), "shop_orders", FIRST)) == known > 0
    assert read(settings(portal, orders_from=["shop"]), "deals", FIRST) == []
    assert read(settings(portal, orders_from=["deals"]), "shop_orders", FIRST) == []


def test_what_there_still_is_costs_ids_only(portal, settings):
    """Fifty ids a page, up to fifty pages a request; no row of a product is read for it."""
    config = settings(portal)
    there = CONNECTOR.resource("deals").complete
    assert list(there(config)) == [str(key) for key in portal.crm["DEAL"]]
    assert not any(b"productrow" in seen.body or "productrow" in seen.path for seen in portal.sandbox.journal)
    assert list(there(settings(portal, orders_from=["shop"]))) == []
    second = [key for key, deal in portal.crm["DEAL"].items() if deal["CATEGORY_ID"] == "1"]
    assert list(there(settings(portal, pipelines=[1]))) == list(map(str, second))
    orders = CONNECTOR.resource("shop_orders").complete
    assert list(orders(config)) == [str(order["id"]) for order in portal.catalogue["orders"]]


# ── what has changed ──────────────────────────────────────────────────────────────────────────────────────────────────


def later(config: Bitrix24Config, name: str, cursor: str | None) -> Since:
    return extract.since(CONNECTOR.resource(name), cursor, FIRST)


def test_what_changed_since_comes_again_and_nothing_else(portal, settings, clock):
    config = settings(portal)
    cursor = pages(config, "contacts", FIRST)[-1].cursor
    clock.passes(hours=1)
    portal.change("CONTACT", 7, {"LAST_NAME": "Ахметова"})
    assert [row["ID"] for row in read(config, "contacts", later(config, "contacts", cursor))] == ["7"]


def test_whoever_changes_behind_our_back_while_we_read_is_not_lost(portal, settings, clock):
    """The first page is read, then its contact changes, then an hour passes until the last page: the position is the
    moment of the first page, not the largest time seen."""
    config = settings(portal)
    reading = CONNECTOR.resource("contacts").extract(config, FIRST)
    next(reading)
    clock.passes(minutes=1)
    portal.change("CONTACT", 1, {"LAST_NAME": "Ахметова"})
    clock.passes(hours=1)
    portal.change("CONTACT", len(portal.crm["CONTACT"]), {"LAST_NAME": "Иванова"})
    cursors = [page.cursor for page in reading]
    assert "1" in {row["ID"] for row in read(config, "contacts", later(config, "contacts", cursors[-1]))}


def test_catalogues_that_are_read_one_after_the_other_share_the_first_ones_position(portal, settings, clock):
    reading = CONNECTOR.resource("products").extract(settings(portal), FIRST)
    first = next(reading)
    clock.passes(hours=1)
    later_ones = list(reading)
    assert {row["iblockId"] for page in later_ones for row in page.records} == {24}
    assert {page.cursor for page in later_ones} == {first.cursor}


def test_the_position_is_the_portals_time_not_ours(portal, settings, clock):
    portal.sandbox.faults.set("clock")
    [first, *_] = pages(settings(portal), "contacts", Since(now=clock() + timedelta(days=1)))
    assert abs(moment(first.cursor) - clock()) < timedelta(hours=3)


def test_dates_are_written_in_the_portals_zone(settings, empty):
    at = datetime(2026, 3, 1, 7, 0, tzinfo=UTC)
    iso, space = (settings(empty, timezone="Europe/Berlin", dates=dates) for dates in ("iso", "space"))
    assert in_filters(iso, at) == "2026-03-01T08:00:00+01:00"
    assert in_filters(space, at) == "2026-03-01 08:00:00"
    assert utc(at) == "2026-03-01T07:00:00+00:00"


def test_a_portal_that_ignores_dates_in_filters_is_found_out(empty, settings, monkeypatch):
    from connectors.bitrix24.simulator import lists

    empty.add("CONTACT", {"NAME": "Әлия"})
    check(settings(empty))
    monkeypatch.setattr(lists, "_condition", lambda name, wanted: lambda row: True)
    with pytest.raises(ConfigError, match="set `dates: space`"):
        check(settings(empty))


def test_leads_are_left_alone_where_the_crm_has_none(portal, settings):
    assert read(settings(portal, leads=False), "leads", FIRST) == []
    assert portal.sandbox.journal == []


def test_calls_are_contacts_with_whom_they_were_and_other_kinds_come_where_the_settings_name_them(empty, settings):
    empty.called("15", "8 700 000 00 01", incoming=False)
    empty.called("15", "8 700 000 00 01", TYPE_ID="4", PROVIDER_ID="CRM_EMAIL")
    [call] = read(settings(empty), "activities", FIRST)
    [event] = CONNECTOR.resource("activities").maps["contact_event"](call, settings(empty)).records
    assert (event.kind, event.direction, event.customer, event.identifier) == ("call", "out", "15", "+77000000001")
    assert len(read(settings(empty, activities=["call", "email"]), "activities", FIRST)) == 2
    empty.sandbox.journal.clear()
    assert read(settings(empty, activities=[]), "activities", FIRST) == empty.sandbox.journal == []


def test_a_portal_without_a_method_for_calls_is_read_all_the_same(empty, settings, monkeypatch, caplog):
    from connectors.bitrix24.simulator import methods

    monkeypatch.delitem(methods.METHODS, "crm.activity.list")
    assert read(settings(empty), "activities", FIRST) == []
    assert "set `activities: []`" in caplog.text
    monkeypatch.delitem(methods.METHODS, "crm.contact.list")
    with pytest.raises(ContractError, match="no such method"):
        read(settings(empty), "contacts", FIRST)


# ── both budgets ──────────────────────────────────────────────────────────────────────────────────────────────────────


def test_the_portals_bucket_never_overflows(shop, settings, clock, naps):
    """At the rate of the settings; the sandbox refuses with 503 where the kit only looks for 429."""
    portal = sandbox(shop, clock=clock)
    config = settings(portal, per_second=2, burst=25)
    for resource in CONNECTOR.resources:
        read(config, resource.name, FIRST)
    assert {seen.status for seen in portal.sandbox.journal} == {200}


def test_a_full_bucket_is_waited_for(shop, settings, clock, naps):
    """Another program on our address has emptied it."""
    portal = sandbox(shop, clock=clock)
    portal.door.limit()
    portal.door.level = 50
    assert len(read(settings(portal), "stores", FIRST)) == 4
    assert portal.sandbox.journal[0].status == 503
    assert 1 <= sum(naps) <= 10


def test_a_method_that_works_much_is_slowed_down_and_the_others_are_not(shop, settings, clock, naps):
    """A hundred calls of five seconds are more than ten minutes allow; spread over them nobody is ever blocked."""
    portal = sandbox(shop, clock=clock)
    config = settings(portal, per_second=2, burst=25)
    portal.door.cost["catalog.store.list"] = 5.0
    began = clock()
    for _ in range(67):
        read(config, "stores", FIRST)
    assert max(naps) < 1, "up to 70 % nobody waits longer than the rate asks"
    for _ in range(43):
        read(config, "stores", FIRST)
    assert {seen.status for seen in portal.sandbox.journal} == {200}
    assert clock() - began > timedelta(minutes=9)
    naps.clear()
    read(config, "contacts", FIRST)
    assert sum(naps) < 1


def test_a_blocked_method_waits_until_its_reset_and_the_others_go_on(shop, settings, clock):
    portal = sandbox(shop, clock=clock)
    config = settings(portal)
    portal.door.worked["catalog.store.list"] = {int(clock().timestamp() // 60): 480.0}
    with pytest.raises(TransientError, match="OPERATION_TIME_LIMIT") as blocked:
        read(config, "stores", FIRST)
    assert 500 < (blocked.value.retry_after or 0) <= 600
    assert read(config, "contacts", FIRST)
    asked = len(portal.sandbox.journal)
    with using(Runtime(bucket=current().bucket, sleep=current().sleep)), pytest.raises(TransientError):
        read(config, "stores", FIRST)
    assert len(portal.sandbox.journal) == asked, "it is not even asked"


@responses.activate
def test_a_429_of_a_gateway_is_waited_for_as_it_says(empty, settings):
    config = settings(empty)
    responses.post(f"{str(config.base_url).rstrip('/')}/rest/1/q4w7sandboxcode0/catalog.store.list", status=429,
                   headers={"Retry-After": "600"}, body="slow down")  # fmt: skip
    with pytest.raises(TransientError) as asked:
        read(config, "stores", FIRST)
    assert (asked.value.retry_after, asked.value.lane) == (600, None)


# ── trouble ───────────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("fault", ["500", "cut", "lost_reply"])
def test_a_failure_in_the_middle_of_a_chain_loses_nothing(portal, settings, fault):
    portal.sandbox.faults.set(fault, match="batch", times=2)
    assert len(read(settings(portal), "stock", FIRST)) == 240


def test_an_error_inside_a_batch_is_no_empty_page(portal, settings, clock):
    portal.sandbox.limits = "contract"
    portal.door.worked["crm.item.productrow.list"] = {int(clock().timestamp() // 60): 480.0}
    with pytest.raises(TransientError, match=r"crm\.item\.productrow\.list"):
        read(settings(portal), "deals", FIRST)


def test_a_removed_webhook_is_the_merchants_to_mend(portal, settings):
    with pytest.raises(ConfigError, match=r"NO_AUTH_FOUND.*make a new one") as refused:
        read(settings(portal, webhook="1/anothercode"), "contacts", FIRST)
    assert "anothercode" not in str(refused.value)


def test_an_address_pasted_whole_is_understood(portal, settings):
    whole = f"https://example.bitrix24.kz/rest/{portal.door.hook}/"
    assert len(read(settings(portal, webhook=whole), "stores", FIRST)) == 4


def test_half_an_address_is_refused_in_words(portal, settings):
    with pytest.raises(ConfigError, match="whole address of the webhook"):
        check(settings(portal, webhook="q4w7sandboxcode0"))


def test_a_list_without_a_list_is_no_empty_success(settings, empty, monkeypatch):
    from connectors.bitrix24.simulator import methods

    monkeypatch.setitem(methods.METHODS, "catalog.store.list", lambda portal, params: {"shops": "none"})
    with pytest.raises(ContractError):
        read(settings(empty), "stores", FIRST)


def test_a_question_is_json_and_a_command_carries_brackets_as_php_reads_them(portal, settings):
    read(settings(portal), "contacts", FIRST)
    alone, batch, *_ = portal.sandbox.journal
    assert (alone.json["filter"][">ID"], alone.json["select"][2]) == ("0", "PHONE")
    command = parse_qs(batch.json["cmd"]["p0"].partition("?")[2])
    assert (command["filter[>ID]"], command["select[2]"]) == (["50"], ["PHONE"])


def test_certification_sees_both_budgets_the_bucket_and_the_time_of_a_method(portal, settings, clock):
    """The bucket's refusal is a 503, that of a method inside a batch stands in a 200: the kit counts both."""
    config = settings(portal)
    portal.sandbox.limits = "contract"
    portal.door.worked["crm.item.productrow.list"] = {int(clock().timestamp() // 60): 480.0}
    with pytest.raises(TransientError):
        read(config, "deals", FIRST)
    blocked = portal.sandbox.too_fast
    assert blocked > 0
    portal.door.level, portal.door.at = 50.0, portal.door.now()
    read(config, "stores", FIRST)
    assert portal.sandbox.too_fast > blocked
