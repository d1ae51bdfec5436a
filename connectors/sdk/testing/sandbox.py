"""A vendor on loopback: the manners every simulator shares. Vendor modules bring routes and state and compose this."""

import asyncio
import json
import socket
import threading
from collections.abc import Awaitable, Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field, replace
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from typing import Any, Literal

import orjson
import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import BaseRoute, Route
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from connectors.sdk.testing.faults import Faults

Limits = Literal["contract", "off"]
CONTROLS = "/__sandbox__"
"""Below it a sandbox is talked to as a sandbox: no manners, no journal."""
REMEMBERED = 100_000
"""Requests the journal keeps; a demo may run for weeks."""


class Json(JSONResponse):
    """JSON in a hurry: the time that a simulator takes to answer is easily taken for the hub's."""

    def render(self, content: Any) -> bytes:
        return orjson.dumps(content, option=orjson.OPT_NON_STR_KEYS)


def utc_now() -> datetime:
    return datetime.now(UTC)


@dataclass(frozen=True)
class Demo:
    """How the demo configures a connector against its sandbox. `connection`: further keys of connections.yaml.

    `unlimited`: settings that lift the connector's own pace, for a sandbox whose limits are off. `among`: settings for
    when the other sandboxes stand beside it, so that a sale which one of them tells is not told twice. `people`: it
    comes on stage only with `keruen up --demo --people`, since whole address books make a first sync long.
    """

    settings: dict[str, Any]
    secrets: dict[str, str]
    connection: dict[str, Any] = field(default_factory=dict)
    unlimited: dict[str, Any] = field(default_factory=dict)
    among: dict[str, Any] = field(default_factory=dict)
    people: bool = False


@dataclass(frozen=True)
class Seen:
    """A request that reached the vendor. `status` None: the effect happened, the answer was lost."""

    at: datetime
    method: str
    path: str
    query: str
    status: int | None
    body: bytes = b""

    @property
    def json(self) -> Any:
        return json.loads(self.body)


def _too_many(seconds: float) -> Response:
    return Response("too many requests", 429, {"Retry-After": f"{seconds:g}"})


class Sandbox:
    """Faults, limits and a journal around a vendor's routes.

    `limit(request)` gives the vendor's refusal of a client that is too fast; it is asked only while `limits` is
    "contract"; `too_fast` counts those refusals, whatever they look like, and a vendor with a further limit inside its
    answers counts there too. `too_many(seconds)`: the vendor's 429, where it does not say `Retry-After` in seconds.
    `clock()` is the vendor's clock, wrong when that fault is on: routes and `limit` read the time here, so that a test
    moves it. `reads(seen)`: whether a request changes nothing, for vendors who take their reads as POSTs. Write routes
    as `async`
    functions: then requests are served one after another and the state needs no locks.
    """

    def __init__(
        self,
        name: str,
        routes: Sequence[BaseRoute],
        *,
        limit: Callable[[Request], Response | None] | None = None,
        limits: Limits = "contract",
        clock: Callable[[], datetime] = utc_now,
        too_many: Callable[[float], Response] = _too_many,
        reads: Callable[[Seen], bool] = lambda seen: seen.method == "GET",
    ):
        self.name = name
        self.reads = reads
        self.faults = Faults()
        self.journal: list[Seen] = []
        self.too_fast = 0
        self.limits: Limits = limits
        self._limit = limit
        self._too_many = too_many
        self._clock = clock
        self.app = Starlette(routes=[Route(f"{CONTROLS}/journal", _journal(self)), *routes])
        self.app.add_middleware(_Manners, sandbox=self)
        self.control("faults", self._fault)

    def clock(self) -> datetime:
        """The vendor's time."""
        wrong = self.faults.strikes("clock")
        return self._clock() + timedelta(seconds=wrong.size if wrong else 0)

    def requests(self, method: str | None = None, path: str = "") -> list[Seen]:
        """What was received, by method and part of the path: for counting in tests."""
        return [seen for seen in self.journal if method in (None, seen.method) and path in seen.path]

    def _fault(self, *, clear: bool = False, **asked: Any) -> Any:
        if clear:
            self.faults.clear(asked.get("kind"))
        else:
            self.faults.set(**asked)
        return self.faults.told()

    def refusal(self, request: Request, asked: str) -> Response | None:
        """A fault's or the limit's answer in place of the vendor's own."""
        if fault := self.faults.strikes("429", asked):
            return self._too_many(fault.size)
        if self.faults.strikes("500", asked):
            return Response("<html><body>Internal Server Error</body></html>", 500, media_type="text/html")
        limited = self._limit(request) if self._limit and self.limits == "contract" else None
        self.too_fast += limited is not None
        return limited

    def control(self, name: str, action: Callable[..., Any]) -> None:
        """Something that may happen at this vendor, for `keruen sandbox`: `action` takes words and gives JSON.

        Its ValueError or TypeError is the answer 400.
        """

        async def happen(request: Request) -> Response:
            try:
                return JSONResponse(action(**await request.json()))
            except (ValueError, TypeError) as error:
                return JSONResponse({"error": str(error)}, 400)

        self.app.router.routes.append(Route(f"{CONTROLS}/{name}", happen, methods=["POST"]))

    def remember(self, seen: Seen) -> None:
        self.journal.append(seen)
        if len(self.journal) > REMEMBERED:
            del self.journal[: REMEMBERED // 2]


class _Manners:
    """ASGI middleware: journal, refusals, and answers that come late, cut or not at all."""

    def __init__(self, app: ASGIApp, sandbox: Sandbox):
        self.app = app
        self.sandbox = sandbox

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or scope["path"].startswith(CONTROLS):
            await self.app(scope, receive, send)
            return
        query = scope["query_string"].decode()
        seen = Seen(utc_now(), scope["method"], scope["path"], query, None, await _whole(receive))
        asked = f"{'read' if self.sandbox.reads(seen) else 'write'} {seen.method} {seen.path}"
        answer = await self._answer(scope, seen.body, asked)
        lost = self.sandbox.faults.strikes("lost_reply", asked)
        status = None if lost else next(part["status"] for part in answer if part["type"] == "http.response.start")
        self.sandbox.remember(replace(seen, at=self.sandbox.clock(), status=status))
        if late := self.sandbox.faults.strikes("slow", asked):
            await asyncio.sleep(late.size)
        if lost:
            await _hang_up(receive, at_once=True)
        elif self.sandbox.faults.strikes("cut", asked):
            await _send_half(answer, receive, send)
        else:
            for part in answer:
                await send(part)

    async def _answer(self, scope: Scope, body: bytes, asked: str) -> list[Message]:
        """What the vendor would say; nothing is sent yet."""
        answer: list[Message] = []

        async def collect(part: Message) -> None:
            if part["type"] == "http.response.start":
                date = format_datetime(self.sandbox.clock().astimezone(UTC), usegmt=True)
                part = {**part, "headers": [*part["headers"], (b"date", date.encode())]}
            answer.append(part)

        async def replay() -> Message:
            return {"type": "http.request", "body": body, "more_body": False}

        refusal = self.sandbox.refusal(Request(scope, replay), asked)
        await (refusal or self.app)(scope, replay, collect)
        return answer


async def _whole(receive: Receive) -> bytes:
    body, more = b"", True
    while more:
        part = await receive()
        body += part.get("body", b"")
        more = part.get("more_body", False)
    return body


async def _send_half(answer: list[Message], receive: Receive, send: Send) -> None:
    """The head of the answer promises its full length; the body breaks off half-way."""
    content = b"".join(part.get("body", b"") for part in answer[1:])
    await send(answer[0])
    await send({"type": "http.response.body", "body": content[: len(content) // 2], "more_body": True})
    await _hang_up(receive, at_once=False)


async def _hang_up(receive: Receive, *, at_once: bool) -> None:
    """ASGI has no word for a broken connection, so the server's transport is taken from the bound `receive`."""
    transport = receive.__self__.transport  # type: ignore[attr-defined]
    if at_once:
        transport.abort()
    else:
        transport.close()
    while (await receive())["type"] != "http.disconnect":
        pass


def _journal(sandbox: Sandbox) -> Callable[[Request], Awaitable[Response]]:
    async def journal(request: Request) -> Response:
        start = int(request.query_params.get("from", 0))
        seen = [{**asdict(one), "at": one.at.isoformat(), "body": one.body.decode(errors="replace")}
                for one in sandbox.journal[start:]]  # fmt: skip
        return JSONResponse(seen)

    return journal


class _Server(uvicorn.Server):
    """Stops when told to: uvicorn's own loop looks up every 0.1 s, and tests open hundreds of sandboxes."""

    def __init__(self, config: uvicorn.Config):
        super().__init__(config)
        self._up = threading.Event()

    async def main_loop(self) -> None:
        self._loop, self._told = asyncio.get_running_loop(), asyncio.Event()
        self._up.set()
        await self._told.wait()

    def stop(self) -> None:
        """Connections in the middle of an answer are dropped, as by a vendor that goes away."""
        self._up.wait(10)
        self.force_exit = True
        self._loop.call_soon_threadsafe(self._told.set)


@contextmanager
def served(sandbox: Sandbox, port: int = 0) -> Iterator[str]:
    """The sandbox on 127.0.0.1, in a thread of this process; yields its base url. Port 0 takes a free one."""
    listener = socket.create_server(("127.0.0.1", port))
    # asyncio does this for sockets it opens itself; without it every answer waits 40 ms for the client's ACK.
    listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    # Connections stay alive longer than any client's pause, so that none is closed under a request.
    config = uvicorn.Config(
        sandbox.app, log_config=None, log_level="critical", access_log=False, lifespan="off", ws="none", loop="asyncio",
        date_header=False, server_header=False, proxy_headers=False, timeout_keep_alive=75, timeout_graceful_shutdown=1,
    )  # fmt: skip
    server = _Server(config)
    thread = threading.Thread(target=server.run, args=([listener],), name=f"sandbox {sandbox.name}", daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"
    finally:
        server.stop()
        thread.join(10)
        listener.close()
