"""The budget of 45 units, the lock-out, and whom a refusal concerns."""

from datetime import date, datetime
from typing import Any
from urllib.parse import quote

import pytest
import responses
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from connectors.moysklad import CONNECTOR, api
from connectors.moysklad.config import MoySkladConfig, TokenKind, weight
from connectors.moysklad.sandbox import LOGIN, PASSWORD, TOKEN, sandbox
from connectors.moysklad.simulator.account import Account
from connectors.moysklad.simulator.door import User
from connectors.sdk import ConfigError, ContractError, HubError, RejectedError, Since, TransientError
from connectors.sdk.runtime import LocalBucket, Runtime, using
from connectors.sdk.testing.sandbox import served
from connectors.sdk.testing.shop import Shop
from tests.clock import Clock
from tests.connectors.moysklad.conftest import Settings, read

ROOT = "https://api.moysklad.ru/api/remap/1.2"
CONFIG = MoySkladConfig(token="not-a-real-token").named("moysklad")


@pytest.mark.parametrize(
    ("kind", "on", "units"),
    [
        ("solution", date(2027, 1, 1), 1),
        ("draft", date(2026, 4, 12), 1),
        ("draft", date(2026, 4, 13), 4),
        ("user", date(2026, 5, 11), 1),
        ("user", date(2026, 5, 12), 2),
        ("user", date(2026, 9, 1), 3),
        ("password", date(2026, 11, 30), 3),
        ("user", date(2026, 12, 1), 4),
    ],
)
def test_a_request_costs_what_the_price_list_of_the_day_says(kind: TokenKind, on: date, units: int) -> None:
    assert weight(kind, on) == units


def test_the_answers_headers_win_over_the_price_list(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(api, "_weights", {})
    config = CONFIG.model_copy(update={"token_kind": "solution"}).named("moysklad")
    with responses.RequestsMock() as vendor:
        vendor.get(f"{ROOT}/entity/store", json={"rows": []}, headers={"X-RateLimit-Limit": "11"})
        assert api.cost(config, "entity/store") == 1
        api.read(config, "entity/store")
    assert api.cost(config, "entity/store") == pytest.approx(45 / 11)
    assert api.cost(config, "report/stock/all") == 5


@given(st.lists(st.floats(0, 2), min_size=1, max_size=60), st.sampled_from([1.0, 2.0, 3.0, 45 / 11, 5.0]))
def test_no_three_seconds_ever_hold_more_than_the_budget(pauses: list[float], cost: float) -> None:
    """Whenever requests are wanted, they leave so that any window of MoySklad's holds at most 45 units."""
    at, left = 0.0, []
    bucket = LocalBucket(clock=lambda: at)
    for pause in pauses * 3:
        at += pause
        at += bucket.take("moysklad", cost, 45 * (1 - api.BURST) / api.WINDOW, 45 * api.BURST)
        left.append(at)
    for start in left:
        assert sum(cost for moment in left if start <= moment < start + 3 - 1e-9) <= 45 + 1e-6


@given(st.lists(st.text(min_size=1, max_size=80).filter(lambda part: ";" not in part), max_size=200))
def test_long_filters_are_cut_into_addresses_that_fit_and_lose_nothing(parts: list[str]) -> None:
    pieces = list(api.packed(parts))
    assert [part for piece in pieces for part in piece.split(";")] == parts
    assert all(len(quote(piece)) <= api.LONGEST for piece in pieces)


def test_a_whole_read_at_our_own_pace_meets_no_refusal(shop: Shop, now: datetime) -> None:
    clock, slept = Clock(now), []

    def sleep(seconds: float) -> None:
        slept.append(seconds)
        clock.passes(seconds=seconds)

    vendor = sandbox(shop, limits="contract", clock=clock)
    with served(vendor.sandbox) as url, using(Runtime(LocalBucket(clock=lambda: clock().timestamp()), sleep=sleep)):
        config = MoySkladConfig(base_url=url, token=TOKEN).named("moysklad")
        for resource in CONNECTOR.resources:
            read(config, resource.name, Since(now=clock()))
    assert {seen.status for seen in vendor.sandbox.journal} == {200}
    assert sum(slept) > 0


@responses.activate
@pytest.mark.parametrize("code", [1049, 1073])
def test_too_many_requests_wait_milliseconds_not_seconds(naps: list[float], code: int) -> None:
    refusal = {"errors": [{"error": "Превышено ограничение", "code": code}]}
    responses.get(f"{ROOT}/entity/store", json=refusal, status=429, headers={"X-Lognex-Retry-After": "1500"})
    responses.get(f"{ROOT}/entity/store", json={"rows": []})
    assert api.rows(CONFIG, "entity/store") == ([], False)
    assert 1.0 < max(naps) < 2.0


def test_the_breaker_stops_long_before_the_lock_out(settings: Settings, vendor: Account, shop: Shop) -> None:
    """The token died; whatever the hub tries, MoySklad sees fifty failures and then nobody."""
    vendor.sandbox.limits = "contract"
    vendor.door.new_token()
    config, errors = settings(), []
    for _ in range(300):
        with pytest.raises(HubError) as error:
            api.read(config, "entity/product")
        errors.append(type(error.value))
    assert errors == [ConfigError] * 50 + [TransientError] * 250
    assert len(vendor.sandbox.journal) == 50


# ── whom a refusal concerns ───────────────────────────────────────────────────────────────────────────────────────────

REFUSALS: dict[str, tuple[int, Any, type[HubError], str]] = {
    "wrong token": (401, 1056, ConfigError, "Make a new token"),
    "no right": (403, 1016, ConfigError, "lacks a permission"),
    "no access to the API": (403, 1061, ConfigError, "no access to the API"),
    "the tariff": (403, 1070, ConfigError, "tariff"),
    "gone": (404, 1021, RejectedError, "1021"),
    "a broken rule": (412, 3006, RejectedError, "3006"),
    "in use": (409, 1028, RejectedError, "1028"),
    "our filter": (400, 1034, ContractError, "report it"),
    "our Accept": (400, 1062, ContractError, "report it"),
    "our address": (414, None, ContractError, "report it"),
    "our encoding": (415, None, ContractError, "report it"),
    "a version that is gone": (410, None, ContractError, "report it"),
    "maintenance": (503, 1074, TransientError, "tried again later"),
    "an accident": (500, None, TransientError, "fails"),
}


@responses.activate
@pytest.mark.parametrize("why", REFUSALS)
def test_a_refusal_reaches_who_can_mend_it(why: str, naps: list[float]) -> None:
    status, code, error, words = REFUSALS[why]
    body = {"errors": [{"error": "Сообщение", "code": code}]} if code else None
    answer: dict[str, Any] = {"json": body} if body else {"body": b""}
    responses.get(f"{ROOT}/entity/product", status=status, **answer)
    with pytest.raises(error, match=words):
        api.read(CONFIG, "entity/product")
    assert (len(responses.calls) > 1) is (error is TransientError), "only what may pass is tried again"


@responses.activate
def test_a_refusal_tells_nobodys_phone(naps: list[float]) -> None:
    words = {"errors": [{"error": "Телефон +7 700 000-90-01 уже занят (buyer@example.com)", "code": 3006}]}
    responses.get(f"{ROOT}/entity/counterparty", json=words, status=412)
    with pytest.raises(RejectedError) as refusal:
        api.read(CONFIG, "entity/counterparty")
    assert "000-90-01" not in str(refusal.value)
    assert "buyer@example.com" not in str(refusal.value)


# ── settings ──────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_a_login_with_its_password_works_too(settings: Settings) -> None:
    assert CONNECTOR.check is not None
    CONNECTOR.check(settings(token_kind="password", login=LOGIN, token=PASSWORD))


def test_a_published_solution_asks_for_itself(settings: Settings, vendor: Account) -> None:
    assert CONNECTOR.check is not None
    CONNECTOR.check(settings(token_kind="solution"))
    assert [seen.path for seen in vendor.sandbox.journal] == ["/context/application"]


@pytest.mark.parametrize(
    "wrong",
    [
        {"token_kind": "password"},
        {"login": "admin@shop"},
        {"price_types": {"Цена продажи": "retail", "Оптовая": "retail"}},
        {"price_types": {"Закупочная": "purchase"}},
        {"sku": []},
        {"timezone": "Mars/Olympus"},
    ],
    ids=str,
)
def test_settings_that_cannot_be_meant_are_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        MoySkladConfig(token="not-a-real-token", **wrong)


# ── the simulator's own door ──────────────────────────────────────────────────────────────────────────────────────────


@pytest.fixture
def door(shop: Shop, clock: Clock) -> Account:
    """Limits as in the contract, on the test's clock. In March 2026 a user's request costs one unit."""
    return sandbox(shop, limits="contract", clock=clock)


def test_the_door_counts_per_user_and_window(door: Account, clock: Clock) -> None:
    user = User("user")
    for _ in range(45):
        door.door.spend(user, "entity/store", "GET")
    assert door.door.headers(user, "entity/store", refused=False)["X-RateLimit-Remaining"] == "0"
    with pytest.raises(Exception, match="количество запросов"):
        door.door.spend(user, "entity/store", "GET")
    assert door.door.headers(user, "entity/store", refused=True)["X-Lognex-Retry-After"] == "3000"
    door.door.spend(User("user"), "entity/store", "GET")
    clock.passes(seconds=3)
    door.door.spend(user, "entity/store", "GET")


def test_a_heavy_report_costs_five_whatever_the_token(door: Account) -> None:
    user = User("solution")
    for _ in range(9):
        door.door.spend(user, "report/stock/all", "GET")
    with pytest.raises(Exception, match="количество запросов"):
        door.door.spend(user, "entity/store", "GET")


@pytest.mark.parametrize(("kind", "allowed"), [("failure", 200), ("429", 200), ("PUT", 100)])
def test_the_door_locks_a_spinning_client_out(door: Account, clock: Clock, kind: str, allowed: int) -> None:
    user = User("user")
    for _ in range(allowed):
        door.door.trouble(user, kind, "the same")
    assert not user.locked
    door.door.trouble(user, kind, "the same")
    assert user.locked
    clock.passes(hours=5)
    with pytest.raises(Exception, match="отключён"):
        door.door.spend(user, "entity/store", "GET")
