"""Calls of vendors: who may call, what a call leaves behind, and that the same call twice is one."""

import hmac
import json
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import requests
from pydantic import Field as Setting
from pydantic import SecretStr
from sqlalchemy import Engine, text

from connectors.sdk import (
    Call,
    ConfigError,
    ConnectionConfig,
    ConnectorSpec,
    ContractError,
    Heard,
    Record,
    RejectedError,
    Resource,
    Since,
)
from dagster_project.connections import Hub, parse
from dagster_project.feed_server import feed_app
from dagster_project.hooks import LARGEST
from dagster_project.steps.hear import hear
from dagster_project.steps.hot import tick
from dagster_project.steps.land import land
from dagster_project.steps.sync import sync
from dagster_project.store.people import payloads
from mappings.canonical import Customer
from mappings.tables import Field, FieldMap
from tests.clear import clear
from tests.dagster_project.test_feed_server import running

NOW = datetime(2026, 3, 2, 5, 0, tzinfo=UTC)
KEY = "a long word"
asked: list[Since] = []


class BulletinConfig(ConnectionConfig):
    key: SecretStr | None = Setting(None, description="Signs the calls.")


def signed(body: bytes) -> str:
    return hmac.digest(KEY.encode(), body, "sha256").hex()


def heard(config: BulletinConfig, call: Call) -> Iterator[Heard]:
    if config.key is None:
        raise ConfigError("set the secret `key`")
    if call.path != KEY and not hmac.compare_digest(signed(call.body), call.headers.get("x-signature", "")):
        raise RejectedError("not signed", "signature")
    said = json.loads(call.body)
    if "readers" not in said and "changed" not in said:
        raise ContractError("neither readers nor changes")
    yield Heard("readers", said.get("readers", ()), said.get("changed", ()))


def readers(config: BulletinConfig, since: Since) -> Iterator[list[Record]]:
    """Whoever a call has named."""
    asked.append(since)
    yield [{"id": key, "name": f"read again {key}", "at": "2026-03-02"} for key in since.hinted]


BULLETIN = ConnectorSpec(
    "bulletin",
    "Bulletin",
    BulletinConfig,
    hear=heard,
    resources=(
        Resource(
            "readers", extract=readers, key="id", cursor="at", reads=lambda reply: None, complete=True,
            map=FieldMap(Customer, {"external_id": Field("id"), "name": Field("name")}, ignored=frozenset({"at"})),
        ),
    ),
)  # fmt: skip

CONNECTIONS = """
news: {connector: bulletin, secrets: {key: BULLETIN_KEY}}
open: {connector: bulletin}
mute: {connector: mute}
"""


@pytest.fixture
def hub(monkeypatch: pytest.MonkeyPatch) -> Hub:
    monkeypatch.setenv("BULLETIN_KEY", KEY)
    asked.clear()
    return parse(CONNECTIONS, {"bulletin": BULLETIN, "mute": replace(BULLETIN, name="mute", hear=None)})


@pytest.fixture
def url(store: Engine, hub: Hub) -> Iterator[str]:
    with running(feed_app(lambda: store, lambda: hub, lambda: NOW)) as port:
        yield f"http://127.0.0.1:{port}/hooks"


def post(url: str, said: Any, **headers: str) -> int:
    body = json.dumps(said).encode()
    known = {"X-Signature": signed(body), **headers}
    return requests.post(url, data=body, headers=known, timeout=30).status_code


def call(said: Any) -> Call:
    body = json.dumps(said).encode()
    return Call(body, {"x-signature": signed(body)})


def landed(store: Engine) -> list[tuple[str, str]]:
    with store.connect() as db:
        if not db.execute(text("select to_regclass('raw_news.readers')")).scalar():
            return []
        rows = db.execute(text("select key, payload::text from raw_news.readers order by id"))
        return [(row.key, payloads.reader()(row.payload)["name"]) for row in rows]


def kept_hints(store: Engine) -> list[str]:
    with store.connect() as db:
        return list(db.execute(text("select key from hub.hint order by key")).scalars())


ALIYA = {"id": "7", "name": "Әлия", "at": "2026-03-01"}


def test_a_signed_call_lands_and_becomes_a_customer_and_the_same_call_twice_is_one(store, hub, url):
    assert post(f"{url}/news", {"readers": [ALIYA]}) == 200
    assert post(f"{url}/news", {"readers": [ALIYA]}) == 200
    assert landed(store) == [("7", "Әлия")]
    sync(store, hub, ["news"], clock=lambda: NOW)
    assert clear(store, "select external_id, name from canonical.customer") == [("7", "Әлия")]


def test_a_call_with_a_bad_signature_is_refused_and_leaves_nothing(store, url):
    assert post(f"{url}/news", {"readers": [ALIYA], "changed": ["8"]}, **{"X-Signature": signed(b"other")}) == 403
    assert landed(store) == kept_hints(store) == []


@pytest.mark.parametrize(
    ("where", "said", "status"),
    [("nobody", {}, 404), ("mute", {}, 404), ("open", {"changed": ["8"]}, 503), ("news", {"weather": "fine"}, 400)],
)
def test_what_cannot_be_taken_says_whose_turn_it_is(store, url, where, said, status):
    assert post(f"{url}/{where}", said) == status
    assert kept_hints(store) == []


def test_a_call_that_is_too_long_is_not_read_to_its_end(url):
    assert requests.post(f"{url}/news", data=b" " * (LARGEST + 1), timeout=30).status_code == 413


def test_a_vendor_that_looks_whether_anybody_answers_is_answered(url):
    assert requests.get(f"{url}/news", timeout=10).status_code == 200
    assert requests.post(f"{url}/news", timeout=10).status_code == 200
    assert requests.get(f"{url}/mute", timeout=10).status_code == 404


def test_what_a_call_brings_deletes_nobody_and_moves_neither_cursor_nor_freshness(store, hub):
    """The resource is complete, so by its own reading who is absent would be gone."""
    hear(store, hub["news"], call({"readers": [ALIYA]}), now=NOW)
    hear(store, hub["news"], call({"readers": [{**ALIYA, "id": "8"}]}), now=NOW)
    assert [key for key, _ in landed(store)] == ["7", "8"]
    with store.connect() as db:
        assert list(db.execute(text("select value, fresh_at from hub.cursor"))) == []


def test_hints_of_one_record_are_one_and_the_next_read_is_told_of_it(store, hub):
    for _ in range(3):
        hear(store, hub["news"], call({"changed": ["8", "8", "9"]}), now=NOW)
    assert kept_hints(store) == ["8", "9"]
    land(store, hub["news"], BULLETIN.resource("readers"), now=NOW + timedelta(seconds=1))
    assert asked[-1].hinted == ("8", "9")
    assert landed(store) == [("8", "read again 8"), ("9", "read again 9")]
    assert kept_hints(store) == []


def test_what_is_hinted_while_it_is_read_is_read_again(store, hub):
    hear(store, hub["news"], call({"changed": ["8"]}), now=NOW)
    land(store, hub["news"], BULLETIN.resource("readers"), now=NOW - timedelta(seconds=1))
    assert kept_hints(store) == ["8"]


def test_a_read_that_fails_keeps_its_hints(store, hub):
    def down(config: Any, since: Since) -> Iterator[list[Record]]:
        raise RejectedError("no", "no")
        yield []

    hear(store, hub["news"], call({"changed": ["8"]}), now=NOW)
    with pytest.raises(RejectedError):
        land(store, hub["news"], replace(BULLETIN.resource("readers"), extract=down), now=NOW + timedelta(hours=1))
    assert kept_hints(store) == ["8"]


def test_the_hot_lane_reads_what_a_call_hinted_at_within_its_tick(store, hub):
    hear(store, hub["news"], call({"changed": ["8"]}), now=NOW)
    done = tick(store, hub, hub["news"], clock=lambda: NOW + timedelta(seconds=5))
    assert done.landed["readers"][1].stored == 1
    assert tick(store, hub, hub["news"], clock=lambda: NOW + timedelta(seconds=10)).landed == {}


def test_nothing_of_a_refused_call_is_told(url, caplog):
    post(f"{url}/news", {"readers": [ALIYA]}, **{"X-Signature": "0"})
    assert "Әлия" not in caplog.text
    assert KEY not in caplog.text
    assert "news is not taken" in caplog.text


def test_a_vendor_that_signs_nothing_is_known_by_the_end_of_its_address(url: str) -> None:
    said = {"changed": ["7"]}
    assert post(f"{url}/news/{KEY}", said, **{"X-Signature": "none"}) == 200
    assert post(f"{url}/news/{KEY}?requestId=1", said, **{"X-Signature": "none"}) == 200
    assert post(f"{url}/news/another", said, **{"X-Signature": "none"}) == 403
