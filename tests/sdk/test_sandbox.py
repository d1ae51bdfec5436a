"""Vendors on loopback: their faults are real ones, their clock can be moved, their journal counts."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pytest
import requests
from hypothesis import given
from hypothesis import strategies as st
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from connectors.sdk.runtime import LocalBucket
from connectors.sdk.testing.faults import Faults
from connectors.sdk.testing.sandbox import Sandbox, served
from connectors.sdk.testing.shop import a_shop
from mappings.canonical import STATUSES
from mappings.tables import convert

NOW = datetime(2026, 3, 2, 5, 0, tzinfo=UTC)


@pytest.fixture
def vendor() -> Sandbox:
    async def stock(request: Request) -> Response:
        return JSONResponse({"path": request.url.path, "sent": (await request.body()).decode()})

    routes = [Route("/stock", stock, methods=["GET", "PUT"]), Route("/price", stock)]
    return Sandbox("vendor", routes, limit=lambda request: Response("slow down", 429), limits="off", clock=lambda: NOW)


@pytest.fixture
def url(vendor: Sandbox) -> Iterator[str]:
    with served(vendor) as base_url:
        yield base_url


def get(url: str) -> requests.Response:
    return requests.get(url, timeout=5)


def test_everything_that_arrives_is_in_the_journal(vendor, url):
    requests.put(f"{url}/stock?dry=1", json={"n": 1}, timeout=5)
    [seen] = vendor.journal
    assert (seen.at, seen.method, seen.path, seen.query, seen.status) == (NOW, "PUT", "/stock", "dry=1", 200)
    assert seen.json == {"n": 1}
    assert vendor.requests("GET") == []


def test_a_lost_reply_breaks_the_connection_after_the_effect(vendor, url):
    vendor.faults.set("lost_reply")
    with pytest.raises(requests.ConnectionError):
        get(f"{url}/stock")
    assert [seen.status for seen in vendor.journal] == [None]


def test_a_cut_answer_promises_more_than_it_gives(vendor, url):
    vendor.faults.set("cut")
    with pytest.raises(requests.exceptions.ChunkedEncodingError):
        get(f"{url}/stock")


def test_a_fault_hits_only_what_it_is_meant_for(vendor, url):
    vendor.faults.set("500", match="/stock")
    assert (get(f"{url}/stock").status_code, get(f"{url}/price").status_code) == (500, 200)


def test_a_fault_hits_writes_alone_where_reads_have_the_same_method_and_path(vendor, url):
    vendor.reads = lambda seen: seen.body == b"look"
    vendor.faults.set("500", match="write PUT /stock")
    assert [requests.put(f"{url}/stock", data=body, timeout=5).status_code for body in ("look", "do")] == [200, 500]


def test_a_fault_ends_after_so_many_requests_or_so_much_time():
    clock = iter([0.0, 59.0, 60.0])
    faults = Faults(_monotonic=lambda: next(clock))
    faults.set("500", seconds=60)
    assert faults.strikes("500") is not None
    assert faults.strikes("500") is None
    faults.set("429", times=2)
    assert [faults.strikes("429") is not None for _ in range(3)] == [True, True, False]


def test_a_fault_of_some_share_is_the_same_share_every_time():
    faults = Faults()
    faults.set("500", rate=0.25)
    assert 220 < sum(faults.strikes("500") is not None for _ in range(1000)) < 280


def test_a_wrong_clock_shows_in_the_date_and_in_the_vendors_records(vendor, url):
    vendor.faults.set("clock", size=3600)
    assert get(f"{url}/stock").headers["Date"] == "Mon, 02 Mar 2026 06:00:00 GMT"
    assert vendor.clock() == NOW + timedelta(hours=1)


def test_limits_hold_only_where_they_are_asked_for(vendor, url):
    assert get(f"{url}/stock").status_code == 200
    vendor.limits = "contract"
    assert get(f"{url}/stock").status_code == 429


def test_faults_are_switched_from_outside(vendor, url):
    control = f"{url}/__sandbox__/faults"
    assert requests.post(control, json={"kind": "500", "rate": 1, "seconds": 60}, timeout=5).json()[0]["kind"] == "500"
    assert get(f"{url}/stock").status_code == 500
    assert "no fault" in requests.post(control, json={"kind": "flood"}, timeout=5).json()["error"]
    assert requests.post(control, json={"clear": True}, timeout=5).json() == []
    assert [seen["status"] for seen in get(f"{url}/__sandbox__/journal").json()] == [500]


def test_a_sandbox_that_is_gone_refuses_connections(vendor):
    with served(vendor) as base_url:
        get(f"{base_url}/stock")
    with pytest.raises(requests.ConnectionError):
        get(f"{base_url}/stock")


# ── the invented shop ─────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.fixture(scope="module")
def shop():
    return a_shop(seed=3, variants=300, people=200, orders=900, days=30, now=NOW)


def test_the_same_seed_is_the_same_shop(shop):
    assert a_shop(seed=3, variants=300, people=200, orders=900, days=30, now=NOW) == shop
    assert a_shop(seed=4, variants=300, people=200, orders=900, days=30, now=NOW).orders != shop.orders


def test_the_shop_is_coherent(shop):
    assert len(shop.by_sku) == 300
    assert len({order.number for order in shop.orders}) == 900
    assert {sku for sku, _ in shop.stock} == set(shop.by_sku)
    for order in shop.orders:
        assert order.person is None or order.person in shop.by_person
        assert all(line.sku in shop.by_sku for line in order.lines)
        assert NOW - timedelta(days=31) <= order.placed_at <= NOW
        assert order.status in STATUSES
    assert [order.placed_at for order in shop.orders] == sorted(order.placed_at for order in shop.orders)


def test_goods_are_sold_above_cost_and_carry_in_store_barcodes(shop):
    for variant in shop.variants:
        assert variant.cost < variant.minimum < variant.retail
        assert variant.retail == int(variant.retail)
        assert variant.barcode.startswith("2")
        assert convert.barcode(variant.barcode) == variant.barcode


def test_nobody_in_the_shop_is_real(shop):
    assert all(person.phone.startswith("+77000") for person in shop.people)
    assert all(person.email is None or person.email.endswith("@example.com") for person in shop.people)


# ── the bucket of one process ─────────────────────────────────────────────────────────────────────────────────────────


@given(st.lists(st.floats(0, 3), min_size=1, max_size=60), st.floats(0.5, 20), st.floats(1, 10))
def test_no_window_holds_more_than_the_rate_and_the_burst(gaps: list[float], per_second: float, burst: float):
    now, left = 0.0, []
    bucket = LocalBucket(clock=lambda: now)
    for gap in gaps:
        now += gap
        left.append(now + bucket.take("acme", 1, per_second, burst))
    for first in left:
        held = sum(first <= at < first + 1 for at in left)
        assert held <= burst + per_second + 1


def test_a_paused_account_is_not_called_until_its_pause_is_over():
    now = 100.0
    bucket = LocalBucket(clock=lambda: now)
    bucket.pause("acme", 30)
    assert bucket.take("acme", 1, 10, 5) == pytest.approx(30.1)
    assert bucket.take("other", 1, 10, 5) == 0
    now = 140.0
    assert bucket.take("acme", 1, 10, 5) == 0
