"""Calls of vendors: POST to `/hooks/<connection>`, with whatever the vendor needs behind it.

Bind it to 127.0.0.1; what faces the internet is a proxy of yours.

A call is proven by its connector before anything is kept. It is answered once it has landed, so a vendor that gets no
answer may repeat it; what it changes is worked out afterwards, and by the next run where that fails.
"""

import logging
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import datetime

from sqlalchemy import Engine
from sqlalchemy.exc import SQLAlchemyError
from starlette.background import BackgroundTask
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route

from connectors.sdk.calls import Call
from connectors.sdk.errors import ConfigError, ContractError, HubError, RejectedError
from connectors.sdk.runtime import current, using
from connectors.sdk.spec import Resource
from dagster_project.connections import Connection, Hub
from dagster_project.steps.canonical import map_new
from dagster_project.steps.hear import hear

log = logging.getLogger(__name__)
LARGEST = 10 * 2**20
"""Bytes of a call."""
PATIENCE = 3.0
"""Seconds a vendor waits for our answer: a call that would wait longer for its turn is asked to come again."""


def hook_route(engine: Callable[[], Engine], hub: Hub, now: Callable[[], datetime]) -> Route:
    async def hook(request: Request) -> Response:
        connection = hub.connections.get(request.path_params["connection"])
        if connection is None or connection.spec is None or connection.spec.hear is None:
            return PlainTextResponse("no such hook", 404)
        body, told = await _body(request), request.path_params["told"].lstrip("/")
        if body is None:
            return PlainTextResponse(f"more than {LARGEST} bytes", 413)
        if request.method != "POST" or not body:
            # a vendor looks whether anybody answers before it takes the address, and says nothing by it
            return PlainTextResponse("calls are taken here")
        call = Call(body, {name.lower(): value for name, value in request.headers.items()}, told)
        return await run_in_threadpool(_answer, engine, hub, connection, call, now)

    return Route("/hooks/{connection}{told:path}", hook, methods=["GET", "HEAD", "POST"])


async def _body(request: Request) -> bytes | None:
    body = b""
    async for chunk in request.stream():
        body += chunk
        if len(body) > LARGEST:
            return None
    return body


def _answer(
    engine: Callable[[], Engine], hub: Hub, connection: Connection, call: Call, now: Callable[[], datetime]
) -> Response:
    """A caller who proves nothing learns nothing; the reason is in the log, without what was said."""
    try:
        with using(replace(current(), deadline=time.monotonic() + PATIENCE)):
            landed = hear(engine(), connection, call, now=now())
    except (HubError, SQLAlchemyError) as error:
        why = error if isinstance(error, HubError) else type(error).__name__
        log.warning("a call to the hook of %s is not taken: %s", connection.name, why)
        return PlainTextResponse("not taken", _status(error))
    return PlainTextResponse("ok", background=BackgroundTask(_map, engine, hub, connection, landed, now))


def _status(error: Exception) -> int:
    """Errors of ours are 503: the vendor is to call again."""
    if isinstance(error, ConfigError) or not isinstance(error, RejectedError | ContractError):
        return 503
    return 403 if isinstance(error, RejectedError) else 400


def _map(
    engine: Callable[[], Engine],
    hub: Hub,
    connection: Connection,
    landed: Sequence[Resource],
    now: Callable[[], datetime],
) -> None:
    for resource in landed:
        try:
            map_new(engine(), hub, connection, resource, now=now())
        except (HubError, SQLAlchemyError) as error:
            log.warning("%s of %s is mapped by the next run: %s", resource.name, connection.name, type(error).__name__)
