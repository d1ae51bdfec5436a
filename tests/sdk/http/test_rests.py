"""When an account rests: as long as the vendor asks, after too many mistakes, and only where it must."""

from collections.abc import Iterator
from email.utils import format_datetime
from time import monotonic

import pytest
import requests

from connectors.sdk import Breaker, Http, RejectedError, TransientError, UnansweredError, runtime, standard_retry_after
from connectors.sdk.breaker import failures_of
from connectors.sdk.runtime import LocalBucket, Runtime
from tests.sdk.http.vendor import client


def said(**headers: str) -> requests.Response:
    answer = requests.Response()
    answer.headers.update({name.replace("_", "-"): value for name, value in headers.items()})
    return answer


@pytest.mark.parametrize(
    ("header", "seconds"),
    [("120", 120), ("0.5", 0.5), ("-3", 0), ("", None), ("soon", None), ("nan", None), ("inf", None)],
)
def test_retry_after_in_seconds(header, seconds):
    assert standard_retry_after(said(Retry_After=header)) == seconds


def test_retry_after_as_a_date_is_read_by_the_vendors_own_clock():
    """The vendor's clock may be hours off; the difference of its two dates is not."""
    answer = said(Retry_After="Mon, 02 Mar 2020 10:00:30 GMT", Date="Mon, 02 Mar 2020 10:00:00 GMT")
    assert standard_retry_after(answer) == 30


def test_retry_after_as_a_date_without_another_is_read_by_ours(now):
    from datetime import UTC, datetime, timedelta

    until = format_datetime(datetime.now(UTC) + timedelta(minutes=10), usegmt=True)
    assert 500 < (standard_retry_after(said(Retry_After=until)) or 0) <= 600


@pytest.fixture
def breaker() -> Iterator[Breaker]:
    yield Breaker(failures=3, window=60, rest=300)
    failures_of("acme").forget()


def refused(account: Http, path: str = "orders") -> None:
    with pytest.raises(RejectedError):
        account.get(path)


def test_a_client_that_repeats_the_same_mistake_stops(vendor, hub, breaker):
    vendor.says(404)
    account = client(vendor, breaker=breaker)
    for _ in range(3):
        refused(account)
    with pytest.raises(TransientError, match="identical failures") as caught:
        account.get("orders")
    assert 290 < (caught.value.retry_after or 0) <= 300
    assert len(vendor.sandbox.journal) == 3
    assert hub.paused == [("acme", 300)]


def test_different_mistakes_do_not_add_up(vendor, hub, breaker):
    vendor.says(404)
    account = client(vendor, breaker=breaker)
    for number in range(6):
        refused(account, f"orders/{number}")
    assert len(vendor.sandbox.journal) == 6


def test_after_its_rest_the_account_is_called_again(vendor, hub, breaker, monkeypatch):
    vendor.says(404)
    account = client(vendor, breaker=breaker)
    for _ in range(3):
        refused(account)
    monkeypatch.setattr("connectors.sdk.breaker.monotonic", lambda: monotonic() + 301)
    refused(account)


def test_mistakes_spread_over_time_are_forgiven(vendor, hub, breaker, monkeypatch):
    vendor.says(404)
    account = client(vendor, breaker=breaker)
    for minute in range(6):
        monkeypatch.setattr("connectors.sdk.breaker.monotonic", lambda minute=minute: minute * 61.0)
        refused(account)
    assert len(vendor.sandbox.journal) == 6


def test_the_write_that_opens_the_breaker_is_still_unanswered(vendor, hub, breaker):
    """It may have had its effect; calling it deferred would send it again."""
    vendor.says(500)
    account = client(vendor, breaker=breaker)
    for _ in range(3):
        with pytest.raises(UnansweredError):
            account.send("PUT", "stock", json={})
    with pytest.raises(TransientError) as caught:
        account.send("PUT", "stock", json={})
    assert not isinstance(caught.value, UnansweredError)


def test_a_lane_that_rests_holds_up_its_own_requests_only(vendor):
    bucket, slept = LocalBucket(clock=lambda: 0.0), []
    with runtime.using(Runtime(bucket=bucket, sleep=slept.append)):
        account = client(vendor, per_second=1000, burst=1000)
        account.rest(9.0, "report/slow")
        account.get("orders", lanes=["report/quick"])
        account.ask("orders/search", json={}, lanes=["report/quick"])
        assert slept == []
        account.get("orders", lanes=["report/quick", "report/slow"])
        assert slept == [9.0]
        account.ask("orders/search", json={}, lanes=["report/slow"])
        assert slept == [9.0, 9.0]


def test_a_refusal_that_names_its_lane_lets_the_account_go_on(vendor, hub):
    vendor.says(429, "{}")
    busy = TransientError("this report only", 7.0, lane="report")
    with pytest.raises(TransientError):
        client(vendor, classify=lambda response: busy, attempts=1).get("orders", lanes=["report"])
    assert hub.paused == [("acme/report", 7.0)]
