"""A token that is replaced at each refresh: once, by one, and never lost."""

import stat
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
import requests
from pydantic import SecretStr
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from connectors.sdk import ConfigError, Http, Rotating, TransientError, runtime
from connectors.sdk.testing.sandbox import Sandbox, served


@dataclass
class Vendor:
    """Every refresh voids both tokens that were there before."""

    url: str = ""
    access: str = "a0"
    refresh: str = "r0"
    effects: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.sandbox = Sandbox("vendor", [
            Route("/token", self._token), Route("/orders", self._orders, methods=["GET", "POST"]),
        ])  # fmt: skip

    async def _token(self, request: Request) -> Response:
        if request.query_params["refresh_token"] != self.refresh:
            return JSONResponse({"error": "invalid_grant", "hint": request.query_params["refresh_token"]}, 400)
        number = int(self.refresh[1:]) + 1
        self.access, self.refresh = f"a{number}", f"r{number}"
        return JSONResponse({"access_token": self.access, "refresh_token": self.refresh})

    async def _orders(self, request: Request) -> Response:
        if request.headers.get("X-Token") != self.access:
            return JSONResponse({"error": "expired_token"}, 401)
        self.effects.append((await request.body()).decode())
        return JSONResponse({"seen": True})


@pytest.fixture
def vendor() -> Iterator[Vendor]:
    one = Vendor()
    with served(one.sandbox) as url, runtime.using(runtime.Runtime(sleep=lambda seconds: None)):
        one.url = url
        yield one


@pytest.fixture
def account(vendor: Vendor, tmp_path: Path) -> Callable[..., Http]:
    def place(request: requests.PreparedRequest, token: str) -> None:
        request.headers["X-Token"] = token

    def make(first: str = "r0", **options: Any) -> Http:
        auth = Rotating(
            f"{vendor.url}/token", "app", SecretStr("app-secret"), SecretStr(first), tmp_path / "tokens.json",
            expired=lambda response: response.status_code == 401 and "expired_token" in response.text, place=place,
        )  # fmt: skip
        return Http(vendor.url, account="acme", auth=auth, per_second=1000, **options)

    return make


def refreshes(vendor: Vendor) -> int:
    return len(vendor.sandbox.requests(path="/token"))


def test_the_first_request_gets_a_token_and_the_next_ones_share_it(vendor, account):
    for _ in range(3):
        assert account().get("orders").json() == {"seen": True}
    assert refreshes(vendor) == 1


def test_an_expired_token_is_refreshed_and_the_write_has_one_effect(vendor, account):
    account().get("orders")
    vendor.access = "gone"
    vendor.effects.clear()
    assert account().send("POST", "orders", json={"n": 1}).ok
    assert vendor.effects == ['{"n":1}']
    assert refreshes(vendor) == 2


def test_many_who_find_the_token_expired_refresh_it_once(vendor, account):
    account().get("orders")
    vendor.access = "gone"
    with ThreadPoolExecutor(6) as pool:
        replies = list(pool.map(lambda _: account().get("orders"), range(6)))
    assert all(reply.ok for reply in replies)
    assert refreshes(vendor) == 2


def test_what_is_kept_outlives_the_process_and_is_for_its_owner_only(vendor, account, tmp_path):
    account().get("orders")
    kept = tmp_path / "tokens.json"
    assert stat.S_IMODE(kept.stat().st_mode) == 0o600
    assert account().get("orders").ok
    assert refreshes(vendor) == 1


def test_a_new_refresh_token_in_the_secrets_begins_a_new_chain(vendor, account):
    account().get("orders")
    vendor.refresh, vendor.access = "r50", "other"
    assert account(first="r50").get("orders").ok
    assert vendor.refresh == "r51"


def test_a_refresh_that_is_refused_is_the_merchants_to_mend_and_tells_no_token(vendor, account):
    vendor.refresh = "another-altogether"
    with pytest.raises(ConfigError, match="install the application again") as caught:
        account(first="secret-refresh-token").get("orders")
    assert "secret-refresh-token" not in str(caught.value)
    assert "app-secret" not in str(caught.value)


def test_a_refresh_without_an_answer_is_tried_again_later(vendor, account):
    vendor.sandbox.faults.set("500", match="/token")
    with pytest.raises(TransientError, match="nothing was sent"):
        account(attempts=1).send("POST", "orders", json={})
    assert vendor.effects == []
