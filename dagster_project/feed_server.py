"""The feed server: `/feeds/<connection>.xml` for channels that fetch a price list, and the hooks of vendors who call.

Bind it to 127.0.0.1.

Every request is logged in hub.feed_fetch. A version fetched whole is what confirms its rows, so an answer counts as
complete only if its last byte was handed over while the client was still there.
"""

import asyncio
import base64
import binascii
import hmac
import logging
import re
from collections.abc import Awaitable, Callable, Mapping
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime, parsedate_to_datetime
from pathlib import Path

from sqlalchemy import Engine
from sqlalchemy.exc import SQLAlchemyError
from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route
from starlette.types import Receive, Scope, Send

from connectors.sdk.errors import ConfigError
from connectors.sdk.spec import Sink
from dagster_project import clock
from dagster_project.connections import Connection, Hub
from dagster_project.hooks import hook_route
from dagster_project.store import feed_files
from dagster_project.store.feed import log_fetch
from dagster_project.store.feed_files import FeedFile

log = logging.getLogger(__name__)
CHUNK = 2**16


def feed_app(
    engine: Callable[[], Engine], load: Callable[[], Hub], now: Callable[[], datetime] = clock.now
) -> Starlette:
    """The ASGI application. `load` is asked once: a changed connections.yaml counts after a restart."""
    hub = load()

    async def feed(request: Request) -> "Response | _Whole":
        connection = hub.connections.get(request.path_params["connection"])
        sink = _snapshot(connection)
        if connection is None or sink is None:
            return PlainTextResponse("no such feed", 404)

        async def note(status: int, version: str | None = None, complete: bool = False) -> None:
            await run_in_threadpool(_log, engine, connection.name, now(), status, version, complete)

        if refusal := _refusal(connection, sink, request):
            await note(refusal.status_code)
            return refusal
        file = feed_files.served(connection.name)
        answer = _answer(file, request, note)
        if not isinstance(answer, _Whole):
            await note(answer.status_code, file and file.version)
        return answer

    feeds = Route("/feeds/{connection}.xml", feed, methods=["GET", "HEAD"])
    return Starlette(routes=[feeds, hook_route(engine, hub, now)])


def _snapshot(connection: Connection | None) -> Sink | None:
    if connection is None or connection.spec is None:
        return None
    return next((sink for sink in connection.spec.sinks if sink.mode == "snapshot"), None)


def _refusal(connection: Connection, sink: Sink, request: Request) -> Response | None:
    """Without the login that the connector names, nobody learns even whether there is a feed."""
    try:
        login = sink.login(connection.config)
    except ConfigError as error:
        log.warning("the feed of %s cannot be served: %s", connection.name, error)
        return PlainTextResponse("the feed is not set up", 503)
    if login is None or _is(login, request.headers.get("authorization", "")):
        return None
    return PlainTextResponse("login required", 401, {"WWW-Authenticate": f'Basic realm="{connection.name}"'})


def _is(login: tuple[str, str], header: str) -> bool:
    """Takes as long for a wrong login as for the right one, whichever half is wrong."""
    scheme, _, credentials = header.partition(" ")
    try:
        name, _, password = base64.b64decode(credentials, validate=True).partition(b":")
    except (binascii.Error, ValueError):
        name = password = b""
    same_name = hmac.compare_digest(name, login[0].encode())
    same_password = hmac.compare_digest(password, login[1].encode())
    return scheme.lower() == "basic" and same_name & same_password


def _answer(file: FeedFile | None, request: Request, note: Callable[..., Awaitable[None]]) -> "Response | _Whole":
    if file is None:
        return PlainTextResponse("nothing is published yet", 404)
    packed = _takes_gzip(request.headers.get("accept-encoding", ""))
    path, tag = (file.packed, f'"{file.version}-gzip"') if packed else (file.path, f'"{file.version}"')
    made = feed_files.moment_of(file.version)
    headers = {
        "etag": tag,
        "last-modified": format_datetime(made, usegmt=True),
        "cache-control": "no-cache",
        "vary": "Accept-Encoding",
    }
    if _has_it(request.headers, tag, made):
        return Response(None, 304, headers)
    headers |= {"content-type": "application/xml", **({"content-encoding": "gzip"} if packed else {})}
    if request.method == "HEAD":
        return Response(None, 200, {**headers, "content-length": str(path.stat().st_size)})
    return _Whole(path, headers, lambda complete: note(200, file.version, complete))


def _takes_gzip(accepted: str) -> bool:
    weights = {
        name.strip(): rest.replace(" ", "") for name, _, rest in (one.partition(";") for one in accepted.split(","))
    }
    return "gzip" in weights and not re.fullmatch(r"q=0(\.0*)?", weights["gzip"])


def _has_it(headers: Mapping[str, str], tag: str, made: datetime) -> bool:
    """Whether the client says it has this version. A tag, where given, decides alone (RFC 9110 13.2.2)."""
    tags = headers.get("if-none-match")
    if tags is not None:
        return tags.strip() == "*" or tag in (one.strip().removeprefix("W/") for one in tags.split(","))
    try:
        since = parsedate_to_datetime(headers.get("if-modified-since", ""))
    except (ValueError, TypeError):
        return False
    since = since if since.tzinfo else since.replace(tzinfo=UTC)
    return made < since + timedelta(seconds=1)


class _Whole:
    """The file as the answer, chunk by chunk; `done` hears whether all of it went out."""

    def __init__(self, path: Path, headers: Mapping[str, str], done: Callable[[bool], Awaitable[None]]):
        self._path, self._headers, self._done = path, headers, done

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        complete = False
        gone = asyncio.create_task(_disconnected(receive))
        try:
            with self._path.open("rb") as file:
                size = self._path.stat().st_size
                head = {**self._headers, "content-length": str(size)}
                encoded = [(name.encode("latin-1"), value.encode("latin-1")) for name, value in head.items()]
                await send({"type": "http.response.start", "status": 200, "headers": encoded})
                complete = await _sent(file.read, size, send, gone)
        finally:
            gone.cancel()
            await self._done(complete)


async def _sent(read: Callable[[int], bytes], size: int, send: Send, gone: "asyncio.Task[None]") -> bool:
    left = size
    while left > 0:
        body = await run_in_threadpool(read, CHUNK)
        left -= len(body)
        if gone.done() or not body:
            return False
        await send({"type": "http.response.body", "body": body, "more_body": True})
    # a client that hung up is noticed by the server only when the loop runs
    await asyncio.sleep(0)
    if gone.done():
        return False
    await send({"type": "http.response.body", "body": b"", "more_body": False})
    return True


async def _disconnected(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass


def _log(
    engine: Callable[[], Engine], connection: str, at: datetime, status: int, version: str | None, complete: bool
) -> None:
    """A store that is down does not keep a channel from its feed; the next fetch will confirm."""
    try:
        log_fetch(engine(), connection, at=at, status=status, version=version, complete=complete)
    except (SQLAlchemyError, ConfigError) as error:
        log.warning("a fetch of the feed of %s could not be logged: %s", connection, type(error).__name__)
