"""A read is repeated until it comes; a write leaves once; and nobody hears a secret."""

import gzip
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from email.utils import format_datetime
from time import monotonic
from typing import Any

import pytest
import requests
import responses
from pydantic import SecretStr
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from connectors.sdk import (
    ApiKey,
    Basic,
    Bearer,
    Breaker,
    ConfigError,
    ContractError,
    Http,
    RejectedError,
    TransientError,
    UnansweredError,
    runtime,
    standard_retry_after,
)  # fmt: skip
from connectors.sdk.breaker import failures_of
from connectors.sdk.runtime import Attempt, LocalBucket, Runtime
from connectors.sdk.testing.sandbox import Sandbox, served

TOKEN = SecretStr("s3cret-token")


@dataclass
class Shared:
    """A bucket as the store gives one: it says how long to wait, and remembers who was paused."""

    wait: float = 0.0
    taken: list[tuple[Any, ...]] = field(default_factory=list)
    paused: list[tuple[str, float]] = field(default_factory=list)
    slept: list[float] = field(default_factory=list)
    attempts: list[Attempt] = field(default_factory=list)

    def take(self, account: str, cost: float, per_second: float, burst: float) -> float:
        self.taken.append((account, cost, per_second, burst))
        return self.wait

    def pause(self, account: str, seconds: float) -> None:
        self.paused.append((account, seconds))


@pytest.fixture
def hub() -> Iterator[Shared]:
    """A runtime that sleeps in no time."""
    shared = Shared()
    with runtime.using(Runtime(bucket=shared, note=shared.attempts.append, sleep=shared.slept.append)):
        yield shared


@dataclass
class Vendor:
    """One route that says what it is told to say, and the effects it had."""

    answer: Callable[[Request], Response] = lambda request: JSONResponse({"ok": True})
    effects: list[Any] = field(default_factory=list)
    sandbox: Sandbox = field(init=False)
    url: str = ""

    def __post_init__(self) -> None:
        async def anything(request: Request) -> Response:
            if request.method != "GET":
                self.effects.append(await request.json())
            return self.answer(request)

        self.sandbox = Sandbox("vendor", [Route("/{path:path}", anything, methods=["GET", "POST", "PUT"])])

    def says(self, status: int, body: str | bytes = "{}", **headers: str) -> None:
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        self.answer = lambda request: Response(body, status, named)


@pytest.fixture
def vendor() -> Iterator[Vendor]:
    one = Vendor()
    with served(one.sandbox) as url:
        one.url = url
        yield one


def client(vendor: Vendor, **options: Any) -> Http:
    return Http(f"{vendor.url}/api", **{"account": "acme", "auth": Bearer(TOKEN), **options})


# ── writes ────────────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(("fault", "had_effect"), [("lost_reply", True), ("cut", True), ("500", False)])
def test_a_write_without_an_answer_is_unanswered_and_left_once(vendor, hub, fault, had_effect):
    vendor.sandbox.faults.set(fault)
    with pytest.raises(UnansweredError, match="read back"):
        client(vendor).send("POST", "orders", json={"n": 1})
    assert len(vendor.sandbox.journal) == 1
    assert bool(vendor.effects) is had_effect


def test_a_write_that_is_answered_too_late_is_unanswered(vendor, hub):
    vendor.sandbox.faults.set("slow", size=3)
    with pytest.raises(UnansweredError):
        client(vendor, timeout=(1, 0.2)).send("PUT", "stock", json={})
    assert len(vendor.effects) == 1


def test_a_write_that_was_refused_for_a_while_did_not_happen(vendor, hub):
    vendor.sandbox.faults.set("429", size=7)
    with pytest.raises(TransientError) as caught:
        client(vendor).send("POST", "orders", json={})
    assert not isinstance(caught.value, UnansweredError)
    assert caught.value.retry_after == 7
    assert hub.paused == [("acme", 7)]
    assert vendor.effects == []


def test_a_write_that_found_nobody_did_not_happen(hub):
    with pytest.raises(TransientError, match="nothing was sent") as caught:
        Http("http://127.0.0.1:9", account="acme").send("POST", "orders", json={})
    assert not isinstance(caught.value, UnansweredError)


@pytest.mark.parametrize("status", [400, 403, 404, 409, 422])
def test_a_definite_no_is_a_reply_to_read(vendor, hub, status):
    vendor.says(status, '{"error": "too long"}')
    reply = client(vendor).send("POST", "orders", json={})
    assert (reply.ok, reply.status, reply.json()) == (False, status, {"error": "too long"})


def test_a_write_is_not_begun_when_it_could_not_be_finished(vendor, hub):
    with runtime.using(Runtime(bucket=hub, deadline=monotonic() + 1)), pytest.raises(TransientError, match="not sent"):
        client(vendor).send("POST", "orders", json={})
    assert vendor.sandbox.journal == []


def test_a_redirected_write_is_nobodys_success(vendor, hub):
    vendor.says(302, Location="https://elsewhere.example/login")
    with pytest.raises(ContractError, match=r"elsewhere\.example"):
        client(vendor).send("POST", "orders", json={})


# ── reads ─────────────────────────────────────────────────────────────────────────────────────────────────────────────


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


# ── answers ───────────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("body", ["<html>Login</html>", '{"half": ', "", '{"n": NaN}'])
def test_an_answer_that_is_no_json_is_named_with_a_sample(vendor, hub, body):
    vendor.says(200, body)
    with pytest.raises(ContractError, match="is not JSON") as caught:
        client(vendor).get("orders").json()
    assert caught.value.sample == body.strip()


def test_gzip_a_byte_order_mark_and_kazakh_letters_are_read(vendor, hub):
    vendor.says(200, gzip.compress('\ufeff{"name": "Әлия Ұлы"}'.encode()), content_encoding="gzip")
    assert client(vendor).get("orders").json() == {"name": "Әлия Ұлы"}


def test_an_old_encoding_is_read_where_it_is_stated(vendor, hub):
    vendor.says(200, "Алматы".encode("cp1251"), content_type="text/plain; charset=windows-1251")
    assert client(vendor).get("city").text == "Алматы"


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


def test_the_account_proves_who_it_is(vendor, hub):
    seen: list[dict[str, str]] = []
    vendor.answer = lambda request: seen.append(dict(request.headers)) or JSONResponse({})  # type: ignore[func-returns-value]
    for auth in (Bearer(TOKEN), Bearer(TOKEN, "X-Token", ""), ApiKey("X-Key", TOKEN), Basic("әлия", TOKEN)):
        client(vendor, auth=auth).get("orders")
        assert "s3cret" not in repr(auth)
    assert seen[0]["authorization"] == "Bearer s3cret-token"
    assert seen[1]["x-token"] == "s3cret-token"
    assert seen[2]["x-key"] == "s3cret-token"
    assert seen[3]["authorization"] == "Basic " + "05nQu9C40Y86czNjcmV0LXRva2Vu"
    assert seen[0]["accept-encoding"] == "gzip"


# ── what is told ──────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("status", [200, 400, 401, 404, 429, 500])
def test_no_error_tells_what_it_must_not(vendor, hub, status):
    vendor.says(status, "no: s3cret-token +7 700 000 00 01 buyer@example.com 87000000001")
    for call in (
        lambda account: account.get("clients/+77000000001", {"api_key": "s3cret-token"}).json(),
        lambda account: account.send("POST", "clients?token=s3cret-token", json={}).json(),
    ):
        with pytest.raises((RejectedError, ConfigError, TransientError, ContractError)) as caught:
            call(client(vendor, attempts=1))
        told = str(caught.value) + repr(caught.value) + getattr(caught.value, "sample", "")
        assert caught.value.__cause__ is None
        for secret in ("s3cret", "7000000001", "000 00 01", "buyer@"):
            assert secret not in told
    for attempt in hub.attempts:
        assert "s3cret" not in attempt.path
        assert "7000000001" not in attempt.path


def test_a_lost_connection_does_not_quote_the_address_with_its_query(hub):
    with pytest.raises(TransientError) as caught:
        Http("http://127.0.0.1:9", account="acme", attempts=1).get("orders", {"token": "s3cret-token"})
    assert "s3cret" not in str(caught.value)
    assert caught.value.__suppress_context__


@pytest.mark.parametrize("token", ["with-newline\n", "құпия"])
def test_a_token_that_cannot_be_sent_is_not_shown(vendor, hub, token):
    with pytest.raises(ConfigError, match="characters of the credentials") as caught:
        client(vendor, auth=Bearer(SecretStr(token))).get("orders")
    assert token.strip() not in str(caught.value)


def test_every_request_is_noted_once(vendor, hub):
    vendor.sandbox.faults.set("500", times=1)
    account = client(vendor)
    account.get("orders", {"page": 1})
    account.send("POST", "orders", json={})
    noted = [(one.method, one.path, one.status, one.outcome) for one in hub.attempts]
    assert noted == [
        ("GET", "/api/orders", 500, "TransientError"),
        ("GET", "/api/orders", 200, "ok"),
        ("POST", "/api/orders", 200, "ok"),
    ]


@responses.activate
def test_a_certificate_nobody_trusts_is_a_matter_of_settings(hub):
    broken = requests.exceptions.SSLError("[SSL: CERTIFICATE_VERIFY_FAILED] self-signed")
    responses.get("https://api.example.com/orders", body=broken)
    with pytest.raises(ConfigError, match=r"certificate of api\.example\.com is not trusted"):
        Http("https://api.example.com", account="acme").get("orders")


# ── Retry-After ───────────────────────────────────────────────────────────────────────────────────────────────────────


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


# ── the breaker ───────────────────────────────────────────────────────────────────────────────────────────────────────


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


# ── lanes ─────────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_a_lane_that_rests_holds_up_its_own_requests_only(vendor):
    bucket, slept = LocalBucket(clock=lambda: 0.0), []
    with runtime.using(Runtime(bucket=bucket, sleep=slept.append)):
        account = client(vendor, per_second=1000, burst=1000)
        account.rest(9.0, "report/slow")
        account.get("orders", lanes=["report/quick"])
        assert slept == []
        account.get("orders", lanes=["report/quick", "report/slow"])
        assert slept == [9.0]


def test_a_refusal_that_names_its_lane_lets_the_account_go_on(vendor, hub):
    vendor.says(429, "{}")
    busy = TransientError("this report only", 7.0, lane="report")
    with pytest.raises(TransientError):
        client(vendor, classify=lambda response: busy, attempts=1).get("orders", lanes=["report"])
    assert hub.paused == [("acme/report", 7.0)]


def test_the_library_tells_no_address_whatever_the_log_level(vendor, hub, caplog):
    """Some vendors have the key in the path, others a phone in the query."""
    with caplog.at_level("DEBUG"):
        client(vendor).get("orders", {"phone": "+77000000001"})
    assert "orders" not in caplog.text
