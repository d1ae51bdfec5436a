"""A read is repeated until it comes, or until it is somebody else's turn to act."""

from time import monotonic

import pytest
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from connectors.sdk import ConfigError, ContractError, RejectedError, TransientError, runtime
from connectors.sdk.runtime import Runtime
from tests.sdk.http.vendor import client


@pytest.mark.parametrize("fault", ["429", "500", "cut", "lost_reply"])
def test_a_read_is_tried_again_until_it_comes(vendor, hub, fault):
    vendor.sandbox.faults.set(fault, times=2)
    assert client(vendor).get("orders").json() == {"ok": True}
    assert len(vendor.sandbox.journal) == 3


@pytest.mark.parametrize("fault", ["500", "429", "lost_reply", "cut"])
def test_a_read_that_is_a_post_is_tried_again_too(vendor, hub, fault):
    vendor.sandbox.faults.set(fault, times=2)
    assert client(vendor).ask("orders/search", json={"limit": 1}).json() == {"ok": True}
    assert [(seen.method, seen.json) for seen in vendor.sandbox.journal] == [("POST", {"limit": 1})] * 3


def test_a_read_gives_up_after_its_attempts(vendor, hub):
    vendor.sandbox.faults.set("500")
    with pytest.raises(TransientError, match="the vendor fails"):
        client(vendor, attempts=3).get("orders")
    assert len(vendor.sandbox.journal) == 3


def test_what_the_vendor_asks_for_wins_over_the_back_off(vendor, hub):
    vendor.sandbox.faults.set("429", size=11, times=1)
    client(vendor).get("orders")
    assert hub.slept == [11]


def test_a_vendor_with_a_unit_of_its_own_is_understood(vendor, hub):
    answers = iter([Response("", 429, {"X-Retry-After-Ms": "2500"}), JSONResponse({})])
    vendor.answer = lambda request: next(answers)
    client(vendor, retry_after=lambda response: float(response.headers["X-Retry-After-Ms"]) / 1000).get("orders")
    assert hub.slept == [2.5]


def test_a_429_without_a_time_still_lets_the_account_rest(vendor, hub):
    vendor.says(429)
    with pytest.raises(TransientError):
        client(vendor, attempts=1).get("orders")
    assert hub.paused == [("acme", 1.0)]


def test_an_hour_is_the_schedulers_to_wait(vendor, hub):
    vendor.sandbox.faults.set("429", size=3600)
    with pytest.raises(TransientError) as caught:
        client(vendor).get("orders")
    assert caught.value.retry_after == 3600
    assert hub.slept == []


def test_no_read_is_begun_or_waited_for_past_the_deadline(vendor, hub):
    with runtime.using(Runtime(bucket=hub, deadline=monotonic() - 1)), pytest.raises(TransientError, match="not sent"):
        client(vendor).get("orders")
    assert vendor.sandbox.journal == []
    vendor.sandbox.faults.set("429", size=30)
    late = Runtime(bucket=hub, deadline=monotonic() + 10, sleep=hub.slept.append)
    with runtime.using(late), pytest.raises(TransientError):
        client(vendor).get("orders")
    assert hub.slept == []


def test_a_turn_in_the_shared_bucket_is_waited_for(vendor, hub):
    hub.wait = 1.5
    client(vendor, per_second=3.0, burst=9.0).get("orders", cost=4)
    assert hub.slept == [1.5]
    assert hub.taken == [("acme", 4, 3.0, 9.0)]


@pytest.mark.parametrize("status", [400, 403, 404, 410])
def test_a_refused_read_is_not_repeated(vendor, hub, status):
    vendor.says(status, "no such filter")
    with pytest.raises(RejectedError, match="no such filter") as caught:
        client(vendor).get("orders")
    assert caught.value.code == str(status)
    assert len(vendor.sandbox.journal) == 1


def test_the_vendors_own_words_come_before_the_standard_rules(vendor, hub):
    vendor.says(403, "slow down")
    busy = lambda response: TransientError("busy", 3) if "slow down" in response.text else None
    with pytest.raises(TransientError, match="busy"):
        client(vendor, classify=busy, attempts=2).get("orders")
    assert hub.slept == [3]
    assert hub.paused == [("acme", 3), ("acme", 3)]


def test_a_wrong_token_is_the_merchants_to_mend(vendor, hub):
    vendor.says(401)
    with pytest.raises(ConfigError, match="credentials not accepted"):
        client(vendor).get("orders")
    assert len(vendor.sandbox.journal) == 1


def test_pages_follow_absolute_links_to_the_end(vendor, hub):
    def page(request: Request) -> Response:
        number = int(request.query_params.get("page", 1))
        link = f"{vendor.url}/api/orders?page={number + 1}" if number < 3 else None
        return JSONResponse({"data": [number], "links": {"next": link}})

    vendor.answer = page
    assert list(client(vendor).pages("orders", {"size": 1}, items="data", next="links.next")) == [[1], [2], [3]]


def test_a_page_that_links_to_itself_is_the_last(vendor, hub):
    vendor.says(200, '{"data": [1], "next": "orders?page=1"}')
    assert list(client(vendor).pages("orders", items="data", next="next")) == [[1], [1]]


def test_pages_without_a_list_are_no_empty_success(vendor, hub):
    vendor.says(200, '{"items": []}')
    with pytest.raises(ContractError, match="no list at 'data'"):
        list(client(vendor).pages("orders", items="data", next="next"))


def test_credentials_do_not_follow_a_link_to_another_host(vendor, hub):
    with pytest.raises(ContractError, match=r"links to another host, elsewhere\.example"):
        client(vendor).get("https://elsewhere.example/orders?page=2")
    assert hub.attempts == []


def test_credentials_do_not_follow_a_redirect(vendor, hub):
    vendor.says(301, Location="https://elsewhere.example/api")
    with pytest.raises(ConfigError, match="check base_url"):
        client(vendor).get("orders")
