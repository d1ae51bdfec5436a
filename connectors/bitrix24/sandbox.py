"""Bitrix24 on loopback: methods, batches and lists behind both budgets, with the traps of the contract."""

from collections.abc import Callable
from datetime import datetime
from itertools import count
from random import Random
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from connectors.bitrix24.simulator.door import Door, Refusal, answered, as_map, asked, lowered, too_many
from connectors.bitrix24.simulator.methods import METHODS
from connectors.bitrix24.simulator.portal import Portal
from connectors.bitrix24.simulator.seed import seed
from connectors.bitrix24.simulator.trial import trial
from connectors.sdk.testing.sandbox import Demo, Limits, Sandbox, Seen, utc_now
from connectors.sdk.testing.shop import PLACES, Shop

USER, CODE = "1", "q4w7sandboxcode0"
SEGMENTS = "UF_CRM_SEGMENTS"
READS = {"list", "get", "fields", "findbycomm", "time", "status"}
"""The last word of methods that change nothing; only the queue of events is emptied by those who ask."""

DEMO = Demo(
    people=True,
    settings={
        "base_url": "http://127.0.0.1",
        "orders_from": ["deals", "shop"],
        "segment_field": SEGMENTS,
        "shops": [str(place) for place, one in enumerate(PLACES, 1) if one.kind == "store"],
    },
    secrets={"webhook": f"{USER}/{CODE}"},
    connection={
        "locations": {str(place): one.code for place, one in enumerate(PLACES, 1)},
        "push": {"customer": "auto", "segment": "auto", "first": "auto"},
        "country": "KZ",
    },
    unlimited={"per_second": 1000, "burst": 1000},
    among={"orders_from": []},
)


class Sandboxed(Portal):
    """A portal that is served. `changes(capability)`: what the conformance kit may send to it."""

    sandbox: Sandbox
    door: Door
    shop: Shop | None = None

    def changes(self, capability: str) -> list[Any]:
        return trial(self.shop, capability)


def sandbox(
    shop: Shop | None = None, *, limits: Limits = "contract", clock: Callable[[], datetime] = utc_now
) -> Sandboxed:
    """A portal with the shop's goods, its buyers as contacts, and its orders of channel `site` as deals."""
    portal = Sandboxed(clock)
    portal.door = Door(f"{USER}/{CODE}", clock)
    portal.shop = shop
    routes = [
        Route("/oauth/token/", _token(portal)),
        Route("/rest/{method}", _call(portal), methods=["GET", "POST"]),
        Route("/rest/{user}/{code}/{method}", _call(portal), methods=["GET", "POST"]),
    ]
    portal.sandbox = Sandbox(
        "bitrix24", routes, limit=lambda request: portal.door.limit(), limits=limits, clock=clock,
        too_many=lambda seconds: too_many(seconds, portal.sandbox.clock()), reads=_reads,
    )  # fmt: skip
    if shop is not None:
        seed(portal, shop)
    return portal


def _reads(seen: Seen) -> bool:
    """Every method may come as a POST. A batch changes nothing where none of its commands does."""
    method = seen.path.rpartition("/")[2].removesuffix(".json").lower()
    try:
        commands = as_map(lowered(seen.json).get("cmd")).values() if method == "batch" else [method]
    except (ValueError, AttributeError):
        return False
    return all(str(one).partition("?")[0].rpartition(".")[2].lower() in READS for one in commands)


def _call(portal: Sandboxed) -> Callable[[Request], Any]:
    async def serve(request: Request) -> Response:
        method = request.path_params["method"].removesuffix(".json").lower()
        try:
            params = await asked(request)
        except Refusal as no:
            return JSONResponse(no.said, no.status)
        if refusal := portal.door.refuses(request, params):
            return refusal
        portal.door.counting = portal.sandbox.limits == "contract"
        blocked = portal.door.blocked
        answer = answered(portal, portal.door, METHODS, method, params)
        portal.sandbox.too_fast += portal.door.blocked - blocked
        return answer

    return serve


def _token(portal: Sandboxed) -> Callable[[Request], Any]:
    async def serve(request: Request) -> Response:
        status, said = portal.door.refreshed(dict(request.query_params))
        return JSONResponse(said, status)

    return serve


def life(portal: Sandboxed, shop: Shop, *, feeds: str | None = None, seed: int = 1) -> Callable[[], None]:
    """The demo's days: each call one deal goes on; now and then somebody writes to us and becomes a lead."""
    random, calls = Random(f"bitrix24 {seed}"), count(1)

    def pulse() -> None:
        portal.advance(random)
        if next(calls) % 5 == 0:
            person = random.choice(shop.people)
            portal.add_lead({"NAME": person.first_name, "LAST_NAME": person.last_name}, person.phone, person.email)

    return pulse
