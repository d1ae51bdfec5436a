"""The feed as a channel fetches it: who may, what it gets, and what the hub remembers of it."""

import gzip
import socket
import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from typing import Any

import pytest
import requests
import uvicorn
from pydantic import Field, SecretStr
from sqlalchemy import Engine, text

from connectors.sdk import ConnectionConfig, ConnectorSpec, Sink
from dagster_project.connections import Hub, parse
from dagster_project.feed_server import feed_app
from dagster_project.store import feed_files

BODY = "<feed><offer sku='TEA'>Шай әсем</offer></feed>".encode() * 100
MADE = datetime(2026, 3, 2, 5, 0, 0, 250_000, tzinfo=UTC)


class GazetteConfig(ConnectionConfig):
    user: str | None = Field(None, description="Login of the fetching channel.")
    password: SecretStr | None = Field(None, description="Its password.")


def login(config: GazetteConfig) -> tuple[str, str] | None:
    return (config.user, config.password.get_secret_value()) if config.user and config.password else None


GAZETTE = ConnectorSpec(
    "gazette",
    "Gazette",
    GazetteConfig,
    sinks=(Sink("price.push", mode="snapshot", render=lambda config, snapshot: BODY, login=login),),
)
PLAIN = ConnectorSpec("plain", "Plain", GazetteConfig, sinks=(Sink("price.push"),))
CONNECTIONS = """
open_shop: {connector: gazette}
closed_shop: {connector: gazette, settings: {user: "бот"}, secrets: {password: FEED_PASSWORD}}
forgetful_shop: {connector: gazette, settings: {user: bot}, secrets: {password: FEED_PASSWORD_NOBODY_SET}}
plain_shop: {connector: plain}
"""


class Served:
    """The server on a free port, and what it has logged."""

    def __init__(self, url: str, port: int, store: Engine):
        self.url, self.port, self.store = url, port, store

    def get(self, connection: str = "open_shop", method: str = "GET", **options: Any) -> requests.Response:
        options.setdefault("headers", {})
        options["headers"].setdefault("Accept-Encoding", "identity")
        return requests.request(method, f"{self.url}/feeds/{connection}.xml", timeout=10, **options)

    def log(self, lines: int) -> list[tuple[int, str | None, bool]]:
        """The log, once it has that many lines: a line follows the last byte of its answer."""
        deadline = time.monotonic() + 10
        query = text("select status, version, complete from hub.feed_fetch order by id")
        while True:
            with self.store.connect() as db:
                rows = [tuple(row) for row in db.execute(query)]
            if len(rows) >= lines or time.monotonic() > deadline:
                return rows
            time.sleep(0.01)


@pytest.fixture
def hub(monkeypatch: pytest.MonkeyPatch) -> Hub:
    monkeypatch.setenv("FEED_PASSWORD", "құпия: сөз")
    return parse(CONNECTIONS, {"gazette": GAZETTE, "plain": PLAIN})


@pytest.fixture
def server(store: Engine, hub: Hub) -> Iterator[Served]:
    with running(feed_app(lambda: store, lambda: hub)) as port:
        yield Served(f"http://127.0.0.1:{port}", port, store)


@contextmanager
def running(app: Any) -> Iterator[int]:
    listener = socket.create_server(("127.0.0.1", 0))
    server = uvicorn.Server(uvicorn.Config(app, log_config=None, lifespan="off", timeout_graceful_shutdown=1))
    thread = threading.Thread(target=server.run, args=([listener],), daemon=True)
    thread.start()
    yield listener.getsockname()[1]
    server.should_exit = True
    thread.join(10)
    listener.close()


def published(connection: str = "open_shop", body: bytes = BODY, at: datetime = MADE) -> str:
    version = feed_files.version_at(at)
    feed_files.serve(connection, feed_files.write(connection, version, body))
    return version


def test_a_whole_fetch_is_logged_with_its_version(server):
    version = published()
    reply = server.get()
    assert (reply.status_code, reply.content) == (200, BODY)
    assert reply.headers["Content-Type"] == "application/xml"
    assert server.log(1) == [(200, version, True)]


def test_before_the_first_version_there_is_nothing(server):
    assert server.get().status_code == 404
    assert server.log(1) == [(404, None, False)]


@pytest.mark.parametrize("connection", ["plain_shop", "nobody", "..%2Fopen_shop"])
def test_what_is_no_feed_is_not_found_and_not_logged(server, connection):
    published()
    assert server.get(connection).status_code == 404
    assert server.get().status_code == 200
    assert len(server.log(1)) == 1


def test_only_the_login_that_was_agreed_is_let_in(server):
    version = published("closed_shop")
    assert server.get("closed_shop", auth=("бот".encode(), "құпия: сөз".encode())).content == BODY
    wrong = [("бот", "сөз"), ("bot", "құпия: сөз"), ("бот", ""), ("", "")]
    for name, password in wrong:
        reply = server.get("closed_shop", auth=(name.encode(), password.encode()))
        assert (reply.status_code, reply.headers["WWW-Authenticate"]) == (401, 'Basic realm="closed_shop"')
    for header in ["", "Basic", "Basic !!!", "Bearer 0J/RgNC+", "Basic 0LHQvtGC"]:
        assert server.get("closed_shop", headers={"Authorization": header}).status_code == 401
    assert Counter(server.log(10)) == {(200, version, True): 1, (401, None, False): 9}


def test_without_the_login_nobody_learns_whether_there_is_a_feed(server):
    assert server.get("closed_shop").status_code == 401


def test_a_feed_whose_password_is_not_set_is_closed_not_open(server):
    published("forgetful_shop")
    assert server.get("forgetful_shop").status_code == 503


def test_an_unchanged_version_is_not_sent_again(server):
    version = published()
    first = server.get()
    by_tag = server.get(headers={"If-None-Match": f'"other", W/{first.headers["ETag"]}'})
    by_time = server.get(headers={"If-Modified-Since": first.headers["Last-Modified"]})
    assert (by_tag.status_code, by_time.status_code) == (304, 304)
    assert by_tag.content == b""
    assert Counter(server.log(3)) == {(200, version, True): 1, (304, version, False): 2}


def test_a_newer_version_is_sent_whatever_the_channel_had(server):
    published()
    first = server.get()
    published(body=b"<feed/>", at=MADE + timedelta(seconds=2))
    newer = server.get(headers={"If-None-Match": first.headers["ETag"]})
    assert (newer.status_code, newer.content) == (200, b"<feed/>")
    since = server.get(headers={"If-Modified-Since": first.headers["Last-Modified"]})
    assert since.status_code == 200
    tag_wins = {"If-None-Match": '"another"', "If-Modified-Since": format_datetime(datetime.now(UTC), usegmt=True)}
    assert server.get(headers=tag_wins).status_code == 200
    assert server.get(headers={"If-Modified-Since": "yesterday"}).status_code == 200


def test_gzip_is_for_those_who_take_it_under_a_tag_of_its_own(server):
    published()
    plain, packed = server.get(), server.get(headers={"Accept-Encoding": "br, gzip;q=0.5"})
    assert packed.headers["Content-Encoding"] == "gzip"
    assert packed.content == BODY
    assert int(packed.headers["Content-Length"]) < len(BODY)
    assert packed.headers["ETag"] != plain.headers["ETag"]
    assert "Content-Encoding" not in server.get(headers={"Accept-Encoding": "gzip;q=0"}).headers


def test_head_tells_the_size_and_confirms_nothing(server):
    version = published()
    reply = server.get(method="HEAD")
    assert (reply.status_code, int(reply.headers["Content-Length"])) == (200, len(BODY))
    assert server.log(1) == [(200, version, False)]


def test_nothing_but_reading_is_possible(server):
    assert server.get(method="POST").status_code == 405


def test_a_channel_that_hangs_up_in_the_middle_has_not_got_the_feed(server):
    version = published(body=b"x" * 64_000_000)
    with socket.create_connection(("127.0.0.1", server.port)) as client:
        client.sendall(b"GET /feeds/open_shop.xml HTTP/1.1\r\nHost: hub\r\n\r\n")
        assert client.recv(1000).startswith(b"HTTP/1.1 200")
    assert server.log(1) == [(200, version, False)]


def test_a_slow_reader_gets_the_version_it_began_with(server):
    version = published(body=b"a" * 20_000_000)
    with requests.get(f"{server.url}/feeds/open_shop.xml", stream=True, timeout=10) as reply:
        reply.raw.decode_content = True
        first = reply.raw.read(10)
        published(body=b"b" * 10, at=MADE + timedelta(minutes=1))
        assert set(first + reply.raw.read()) == {ord("a")}
    assert server.log(1) == [(200, version, True)]


def test_a_store_that_is_down_keeps_nobody_from_the_feed(hub, store, caplog):
    def no_store() -> Engine:
        from connectors.sdk import ConfigError

        raise ConfigError("the store does not answer")

    published()
    with running(feed_app(no_store, lambda: hub)) as port:
        assert requests.get(f"http://127.0.0.1:{port}/feeds/open_shop.xml", timeout=10).content == BODY
    assert "could not be logged" in caplog.text


def test_a_version_on_disk_is_whole_or_absent(store):
    published(body=b"old")
    served = feed_files.served("open_shop")
    assert served is not None
    assert served.path.read_bytes() == b"old"
    assert gzip.decompress(served.packed.read_bytes()) == b"old"
    stray = served.path.with_suffix(".xml.1.tmp")
    stray.write_bytes(b"half")
    for minute in range(5):
        published(body=b"new", at=MADE + timedelta(minutes=minute + 1))
    assert not stray.exists()
    assert len(list(served.path.parent.glob("*.xml"))) == feed_files.KEPT


def test_versions_grow_even_when_the_clock_does_not():
    first = feed_files.version_at(MADE)
    second = feed_files.version_at(MADE - timedelta(hours=1), first)
    assert second > first
    assert feed_files.moment_of(second) == MADE + timedelta(microseconds=1)
