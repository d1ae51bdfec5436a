"""Reading orders: Kaspi has no updated-since filter, so what is asked for when is the story (contract kaspi 3.1)."""

from datetime import datetime, timedelta
from urllib.parse import parse_qs

import pytest
import requests
import responses
from pydantic import ValidationError

from connectors.kaspi import CONNECTOR
from connectors.kaspi.config import KaspiConfig
from connectors.kaspi.records import to_id
from connectors.kaspi.sandbox import Kaspi, sandbox
from connectors.kaspi.source import Reading, Window, orders
from connectors.sdk import ConfigError, ContractError, Record, RejectedError, Since, TransientError
from connectors.sdk.testing.sandbox import served
from mappings.canonical import Order
from mappings.tables import Mapped, Quarantined

ORDERS = CONNECTOR.resource("orders")
FORTNIGHT = 14 * 86_400_000


def read(config: KaspiConfig, since: Since) -> list[Record]:
    return [record for page in orders(config, since) for record in page.records]


def codes(records: list[Record]) -> list[str]:
    return [ORDERS.key_of(record) for record in records]


def as_order(record: Record, config: KaspiConfig) -> Order:
    match ORDERS.maps["order"](record, config):
        case Mapped((Order() as order,)):
            return order
        case other:
            raise AssertionError(other)


def polled(last: datetime, now: datetime, *open_keys: str) -> Since:
    return Since(value=last.isoformat(), now=now, open_keys=open_keys)


def asked(kaspi: Kaspi) -> list[dict[str, str]]:
    """Parameters of every list request, in the order they came."""
    seen = kaspi.sandbox.requests("GET")
    return [{name: values[0] for name, values in parse_qs(one.query).items()} for one in seen if one.path == "/orders"]


def days_back(now: datetime, request: dict[str, str]) -> float:
    start = int(request["filter[orders][creationDate][$ge]"]) / 1000
    return (now.timestamp() - start) / 86400


# ── the plan of polling ───────────────────────────────────────────────────────────────────────────────────────────────


def test_first_run_reads_ninety_days_in_windows_shorter_than_a_fortnight(kaspi, account, now):
    sold = [kaspi.sell([("SKU-1", 1)], at=now - timedelta(days=age)).code for age in range(90)]
    kaspi.buyer_takes(sold[60])

    found = codes(read(account(), Since(now=now)))

    assert sorted(found) == sorted(sold)
    spans = [
        int(one["filter[orders][creationDate][$le]"]) - int(one["filter[orders][creationDate][$ge]"])
        for one in asked(kaspi)
    ]
    assert max(spans) < FORTNIGHT


def test_an_order_on_the_border_of_two_windows_is_given_once(kaspi, account, now):
    border = now - timedelta(days=90) + timedelta(days=13, hours=23)
    kaspi.sell([("SKU-1", 1)], at=border)

    assert len(read(account(), Since(now=now))) == 1


def test_a_poll_within_the_hour_asks_for_the_last_three_days_of_unfinished_tabs_only(kaspi, account, now):
    read(account(), polled(now + timedelta(minutes=5), now + timedelta(minutes=10)))

    tabs = [one["filter[orders][state]"] for one in asked(kaspi)]
    assert tabs == ["NEW", "SIGN_REQUIRED", "PICKUP", "DELIVERY", "KASPI_DELIVERY"]
    assert all(days_back(now + timedelta(minutes=10), one) == 3 for one in asked(kaspi))


def test_what_was_bought_and_taken_between_two_polls_is_found_with_the_hour(kaspi, account, now):
    sale = kaspi.sell([("SKU-1", 1)], at=now - timedelta(minutes=4))
    kaspi.buyer_takes(sale.code)

    assert codes(read(account(), polled(now - timedelta(minutes=5), now))) == [sale.code]


def test_a_poll_after_five_days_of_silence_starts_where_the_last_one_ended(kaspi, account, now):
    sale = kaspi.sell([("SKU-1", 1)], at=now - timedelta(days=4, hours=20))
    kaspi.buyer_takes(sale.code)

    assert codes(read(account(), polled(now - timedelta(days=5), now))) == [sale.code]


def test_an_order_cancelled_weeks_after_it_was_made_is_read_again_by_its_number(kaspi, account, now):
    sale = kaspi.sell([("SKU-1", 1)], at=now - timedelta(days=20))
    kaspi.buyer_cancels(sale.code)

    found = read(account(), polled(now + timedelta(minutes=5), now + timedelta(minutes=10), sale.code))

    assert as_order(found[0], account()).status == "cancelled"


def test_open_orders_that_a_window_shows_are_not_asked_for_one_by_one(kaspi, account, now):
    sale = kaspi.sell([("SKU-1", 1)], at=now - timedelta(days=1))

    read(account(), polled(now, now, sale.code))

    assert kaspi.sandbox.requests("GET", path=f"/orders/{sale.id}") == []


def test_a_thousand_open_orders_are_reread_once_an_hour_and_forty_of_them_in_between(kaspi, account, now):
    old = [kaspi.sell([("SKU-1", 1)], at=now - timedelta(days=60)).code for _ in range(1000)]

    between = read(account(), polled(now + timedelta(minutes=1), now + timedelta(minutes=2), *old))
    hourly = read(account(), polled(now - timedelta(minutes=1), now, *old))

    assert (len(between), len(hourly)) == (40, 1000)


def test_an_order_that_kaspi_no_longer_shows_stops_nobody(kaspi, account, now, caplog):
    sale = kaspi.sell([("SKU-1", 1)], at=now - timedelta(days=20))

    found = codes(read(account(), polled(now, now, "900000999", sale.code)))

    assert found == [sale.code]
    assert "900000999" in caplog.text


def test_cursor_is_the_moment_the_poll_began(kaspi, account, now):
    kaspi.sell([("SKU-1", 1)], at=now)

    assert {page.cursor for page in orders(account(), Since(now=now))} == {"2026-03-02T05:00:00.000+00:00"}


# ── pages ─────────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_pages_begin_with_zero_and_end_with_the_count(kaspi, account, now):
    for minute in range(250):
        kaspi.sell([("SKU-1", 1)], at=now - timedelta(minutes=minute))

    found = [code for page in Reading(account()).window(last_day("NEW", now)) for code in codes(page)]

    assert len(found) == len(set(found)) == 250
    assert [one["page[number]"] for one in asked(kaspi)] == ["0", "1", "2", "0"]


def test_orders_that_shift_the_pages_while_they_are_read_hide_none(kaspi, account, now):
    waiting = [kaspi.sell([("SKU-1", 1)], at=now - timedelta(minutes=m)).code for m in range(1, 351)]
    pages = Reading(account()).window(last_day("NEW", now))

    found = codes(next(pages)) + codes(next(pages))
    for code in waiting[:60]:
        kaspi.sales[code].move({"status": "ACCEPTED_BY_MERCHANT"}, {})
    newcomer = kaspi.sell([("SKU-1", 1)], at=now).code
    found += [code for page in pages for code in codes(page)]

    assert set(found) == {*waiting, newcomer}


def last_day(state: str, now: datetime) -> Window:
    end = int(now.timestamp() * 1000)
    return Window(state, end - 86_400_000, end)


# ── whole orders ──────────────────────────────────────────────────────────────────────────────────────────────────────


def test_a_list_that_brings_all_lines_costs_no_further_request(kaspi, account, now):
    kaspi.sell([("SKU-1", 1), ("SKU-2", 3)], at=now)

    (record,) = read(account(), polled(now, now))

    assert [line.sku for line in as_order(record, account()).lines] == ["SKU-1", "SKU-2"]
    assert {one.path for one in kaspi.sandbox.journal} == {"/orders"}


def test_lines_that_a_list_leaves_out_are_asked_for(kaspi, account, now):
    kaspi.short_lists = True
    kaspi.sell([("SKU-1", 1), ("SKU-2", 3)], at=now)

    (record,) = read(account(), polled(now, now))

    assert [line.sku for line in as_order(record, account()).lines] == ["SKU-1", "SKU-2"]


def test_an_old_answer_without_offer_gives_the_sellers_sku_and_never_kaspis(kaspi, account, now):
    kaspi.old_entries = True
    kaspi.sell([("KR00001A", 2)], at=now)
    kaspi.sell([("KR00001A", 1)], at=now)

    first, second = read(account(), polled(now, now))

    assert as_order(first, account()).lines[0].sku == as_order(second, account()).lines[0].sku == "KR00001A"
    assert len(kaspi.sandbox.requests("GET", path="merchantProduct")) == 1


@responses.activate
def test_lines_that_do_not_make_up_the_total_set_the_order_aside_with_the_difference(account, now):
    config = account()
    order = {"type": "orders", "id": to_id("900000001"),
             "attributes": {"code": "900000001", "totalPrice": 3000.0, "state": "NEW", "status": "APPROVED_BY_BANK",
                            "creationDate": 1_772_000_000_000}}  # fmt: skip
    line = {"type": "orderentries", "id": to_id("900000001##0"),
            "attributes": {"entryNumber": 0, "quantity": 1, "basePrice": 1000, "totalPrice": 1000,
                           "offer": {"code": "SKU-1"}}}  # fmt: skip
    responses.get(f"{config.base_url}orders/{order['id']}", json={"data": order, "included": []})
    responses.get(f"{config.base_url}orders/{order['id']}/entries", json={"data": [line]})

    (record,) = Reading(config).order("900000001")

    match ORDERS.maps["order"](record, config):
        case Quarantined(rule, reason):
            assert rule == "does_not_add_up"
            assert "-2000" in reason
        case other:
            raise AssertionError(other)


def test_an_unchanged_order_is_the_same_record_by_list_and_by_number(kaspi, account, now):
    sale = kaspi.sell([("SKU-1", 1), ("SKU-2", 1)], at=now, by_kaspi=False)

    (listed,) = read(account(), polled(now, now))

    assert Reading(account()).order(sale.code) == [listed]


# ── Kaspi's manners ───────────────────────────────────────────────────────────────────────────────────────────────────


def test_a_librarys_user_agent_is_never_answered(kaspi, account):
    kaspi.hang = 1

    with pytest.raises(requests.ReadTimeout):
        requests.get(f"{account().base_url}orders", timeout=0.2)


@pytest.mark.parametrize("name", ["python-requests/2.32", "httpx/0.28", "", "Python-urllib/3.11"])
def test_a_librarys_user_agent_is_refused_before_it_is_sent(name):
    with pytest.raises(ValidationError, match="User-Agent"):
        KaspiConfig(token="not-a-real-token", user_agent=name)


def test_without_the_merchants_id_a_login_over_several_stores_sees_nothing(kaspi, account, now):
    kaspi.sell([("SKU-1", 1)], at=now)

    assert read(account(merchant_id=None), polled(now, now)) == []
    assert len(read(account(), polled(now, now))) == 1


def test_silence_is_explained_to_the_merchant(kaspi, account, now):
    kaspi.sandbox.faults.set("slow", size=0.6)

    with pytest.raises(TransientError, match=r"API access is activated.*Kazakhstan"):
        read(account(timeout=0.2), Since(now=now))
    with pytest.raises(ConfigError, match="user_agent"):
        CONNECTOR.check(account(timeout=0.2))


def test_a_wrong_token_says_who_makes_a_new_one_and_does_not_show_itself(account):
    with pytest.raises(ConfigError, match="head of the company") as refusal:
        CONNECTOR.check(account(token="wrong-not-a-real-token"))
    assert "wrong-not-a-real-token" not in str(refusal.value)


def test_a_good_account_passes_the_check_with_one_request(kaspi, account):
    CONNECTOR.check(account())

    assert len(kaspi.sandbox.journal) == 1


def test_a_window_of_fifteen_days_is_refused_and_not_tried_again(kaspi, account, now):
    end = int(now.timestamp() * 1000)

    with pytest.raises(RejectedError) as refusal:
        list(Reading(account()).window(Window("NEW", end - 15 * 86_400_000, end)))

    assert refusal.value.code == "400"
    assert len(kaspi.sandbox.journal) == 1


def test_a_request_without_page_number_is_told_so_in_plain_text(account):
    headers = {"User-Agent": "Keruen/0.1", "Accept": "application/vnd.api+json", "X-Auth-Token": "sandbox-kaspi-token"}

    answer = requests.get(f"{account().base_url}orders", headers=headers, timeout=5)

    assert (answer.status_code, answer.text) == (400, "Required pagination value [number] is empty.")


@responses.activate
def test_an_html_page_where_json_belongs_is_the_authors_problem(account, now):
    config = account()
    responses.get(f"{config.base_url}orders", body="<html><body>Технические работы</body></html>")

    with pytest.raises(ContractError, match="not JSON"):
        read(config, Since(now=now))


@responses.activate
def test_a_list_without_its_extent_is_not_taken_for_an_empty_one(account, now):
    config = account()
    responses.get(f"{config.base_url}orders", json={"data": []})

    with pytest.raises(ContractError, match="pages"):
        read(config, Since(now=now))


def test_a_pause_that_kaspi_asks_for_is_kept(kaspi, account, naps):
    kaspi.sandbox.faults.set("429", times=1, size=7)

    CONNECTOR.check(account())

    assert max(naps) >= 6
    assert len(kaspi.sandbox.journal) == 2


def test_the_sandbox_refuses_the_sixth_request_of_a_second(now):
    kaspi = sandbox(clock=lambda: now)
    headers = {"User-Agent": "Keruen/0.1", "Accept": "application/vnd.api+json", "X-Auth-Token": "sandbox-kaspi-token"}

    with served(kaspi.sandbox) as url, requests.Session() as session:
        answers = [session.get(f"{url}/cities", headers=headers, timeout=5) for _ in range(6)]

    assert [answer.status_code for answer in answers] == [200] * 5 + [429]
    assert answers[-1].headers["Retry-After"] == "1"
