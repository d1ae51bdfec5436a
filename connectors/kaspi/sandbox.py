"""Kaspi on loopback, as its contract tells it: silence instead of refusals, windows of 14 days, lists short of lines.

Its orders are in `sandbox_orders`, lines taken out of them in `sandbox_lines`, who buys them in `sandbox_market`, the
shop front that fetches the price list in `sandbox_front`. Left out: IMEI and the import of product cards, which the
connector does not use.
"""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from datetime import datetime
from typing import Any

from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, PlainTextResponse, Response
from starlette.routing import Route

from connectors.kaspi.cities import CITIES, city_id
from connectors.kaspi.config import SWALLOWED
from connectors.kaspi.records import from_id, to_id
from connectors.kaspi.sandbox_lines import fewer_of_many, fewer_of_one
from connectors.kaspi.sandbox_market import LOGIN, MERCHANT, PASSWORD, POINTS, Kaspi, life, open_shop
from connectors.kaspi.sandbox_orders import (
    Line,
    Refused,
    Sale,
    customer_resource,
    echo,
    entry_id,
    entry_resources,
    master_id,
    milliseconds,
    order_resource,
)  # fmt: skip
from connectors.sdk import Record
from connectors.sdk.testing.sandbox import Demo, Json, Limits, Sandbox, utc_now
from connectors.sdk.testing.shop import Shop

__all__ = ["DEMO", "LOGIN", "MERCHANT", "PASSWORD", "TOKEN", "Kaspi", "life", "sandbox"]

TOKEN = "sandbox-kaspi-token"
PER_SECOND = 5
WINDOW = 14 * 86_400_000
STATES = ("NEW", "SIGN_REQUIRED", "PICKUP", "DELIVERY", "KASPI_DELIVERY", "ARCHIVE")

DEMO = Demo(
    settings={
        "merchant_id": MERCHANT,
        "company": "ТОО «Керуен-демо»",
        "points": {"PP1": "Алматы", "PP2": "Алматы", "PP3": "Астана", "PP4": "Алматы"},
        "feed_login": LOGIN,
    },
    secrets={"token": TOKEN, "feed_password": PASSWORD},
    connection={
        "locations": {point: place for place, point in POINTS.items()},
        "offers": {"status": "active", "has": ["price"]},
        "stock": {"allocation": "shared", "safety": 2},
        "price": {"from": "retail", "markup": 0.05, "round": 10, "floor": "minimum"},
        "push": {"stock": "auto", "price": "auto", "order": "auto", "first": "auto"},
    },
    unlimited={"per_second": 1000},
)


def sandbox(shop: Shop | None = None, *, limits: Limits = "contract", clock: Callable[[], datetime] = utc_now) -> Kaspi:
    """The marketplace with the shop's orders of channel `marketplace`."""
    kaspi = Kaspi(clock)
    kaspi.sandbox = Sandbox("kaspi", _routes(kaspi), limit=_too_fast(clock), limits=limits, clock=clock)
    if shop is not None:
        open_shop(kaspi, shop)
    return kaspi


def _too_fast(clock: Callable[[], datetime]) -> Callable[[Request], Response | None]:
    """More than five requests a second of one token. Kaspi documents no limit; a blog tells this one."""
    recent: dict[str, list[float]] = {}

    def limit(request: Request) -> Response | None:
        now, token = clock().timestamp(), request.headers.get("x-auth-token", "")
        recent[token] = [at for at in recent.get(token, []) if now - at < 1] + [now]
        return Response("", 429, {"Retry-After": "1"}) if len(recent[token]) > PER_SECOND else None

    return limit


# ── the API ───────────────────────────────────────────────────────────────────────────────────────────────────────────

Answer = Callable[[Kaspi, Request], Awaitable[Any]]


def _routes(kaspi: Kaspi) -> list[Route]:
    def guarded(answer: Answer) -> Callable[[Request], Awaitable[Response]]:
        async def endpoint(request: Request) -> Response:
            if SWALLOWED.match(request.headers.get("user-agent", "")):
                await asyncio.sleep(kaspi.hang)
                return Response(status_code=504)
            if request.method != "PUT" and "application/vnd.api+json" not in request.headers.get("accept", ""):
                return _no_page()
            if request.headers.get("x-auth-token") != TOKEN:
                return _error(401, "Token is not valid")
            reply = await answer(kaspi, request)
            return reply if isinstance(reply, Response) else Json(reply)

        return endpoint

    return [
        Route("/orders", guarded(_list), methods=["GET"]),
        Route("/orders", guarded(_write), methods=["POST"]),
        Route("/orders/{id}", guarded(_sale(lambda k, sale: _shown(k, sale)))),
        Route("/orders/{id}/entries", guarded(_sale(lambda k, sale: _entries(k, sale)))),
        Route("/orders/{id}/user", guarded(_sale(lambda k, sale: customer_resource(sale.buyer)))),
        Route("/orderEntryCancelOperation", guarded(_written(fewer_of_one)), methods=["POST"]),
        Route("/orderPartialCancel/{id}", guarded(_written(fewer_of_many)), methods=["PUT"]),
        Route("/orderentries/{id}", guarded(_entry)),
        Route("/orderentries/{id}/product", guarded(_product)),
        Route("/masterproducts/{id}/merchantProduct", guarded(_merchant_product)),
        Route("/pointofservices/{id}", guarded(_point)),
        Route("/cities", guarded(_cities)),
        Route("/waybill/{id}", guarded(_sale(lambda k, sale: Response(b"%PDF-1.4", media_type="application/pdf")))),
        Route("/{rest:path}", guarded(_nowhere)),
    ]


async def _list(kaspi: Kaspi, request: Request) -> Any:
    asked = request.query_params
    for name in ("number", "size"):
        if not asked.get(f"page[{name}]", "").isdigit():
            return PlainTextResponse(f"Required pagination value [{name}] is empty.", 400)
    number, size = int(asked["page[number]"]), int(asked["page[size]"])
    if not 1 <= size <= 100:
        return _error(400, "Page size is not valid")
    try:
        found = _found(kaspi, asked)
    except Refused as error:
        return _error(400, str(error))
    if request.headers.get("x-merchant-uid") != kaspi.merchant:
        found = []
    page = found[number * size : (number + 1) * size]
    by_code = "filter[orders][code]" in asked
    return {
        "data": [_shown(kaspi, sale) if by_code else order_resource(sale, kaspi.merchant) for sale in page],
        "included": _included(kaspi, page, asked.get("include[orders]", "").split(",")),
        "meta": {"pageCount": -(-len(found) // size), "totalCount": len(found)},
    }


def _found(kaspi: Kaspi, asked: Any) -> list[Sale]:
    if (code := asked.get("filter[orders][code]")) is not None:
        return [kaspi.sales[code]] if code in kaspi.sales else []
    start = asked.get("filter[orders][creationDate][$ge]", "")
    end = asked.get("filter[orders][creationDate][$le]") or str(milliseconds(kaspi.sandbox.clock()))
    if not (start.isdigit() and end.isdigit()):
        raise Refused("creationDate is required, in milliseconds")
    if int(end) - int(start) > WINDOW:
        raise Refused("Period between dates is more than 14 days")
    state, status = asked.get("filter[orders][state]"), asked.get("filter[orders][status]")
    if state is not None and state not in STATES:
        raise Refused(f"State {state} is unknown")
    found = kaspi.created_between(int(start), int(end))
    return [sale for sale in found if state in (None, sale.state) and status in (None, sale.status)]


def _included(kaspi: Kaspi, page: list[Sale], kinds: list[str]) -> list[Record]:
    included = []
    if "entries" in kinds:
        for sale in page:
            entries = entry_resources(sale, kaspi.merchant, offers=not kaspi.old_entries)
            included += entries[:-1] if kaspi.short_lists and len(entries) > 1 else entries
    if "user" in kinds:
        included += [customer_resource(buyer) for buyer in dict.fromkeys(sale.buyer for sale in page)]
    return included


async def _write(kaspi: Kaspi, request: Request) -> Any:
    try:
        data = (await request.json())["data"]
        sale, wanted = kaspi.sales.get(from_id(data["id"])), dict(data["attributes"])
    except (ValueError, KeyError, TypeError):
        return _error(400, "Request is not valid")
    if sale is None or data.get("type") != "orders":
        return _error(400, "Order is not found")
    try:
        sale.move(wanted, request.headers)
    except Refused as error:
        return _error(400, str(error))
    return echo(sale, wanted)


def _written(answer: Callable[[Kaspi, Mapping[str, str], Any], Record]) -> Answer:
    """A write that is no order: its body, and what the path names."""

    async def write(kaspi: Kaspi, request: Request) -> Any:
        try:
            return answer(kaspi, request.path_params, await request.json())
        except Refused as error:
            return _error(400, str(error))
        except (ValueError, KeyError, TypeError, IndexError):
            return _error(400, "Request is not valid")

    return write


def _sale(answer: Callable[[Kaspi, Sale], Any]) -> Answer:
    """What hangs on one order; 404 in HTML where there is none."""

    async def one(kaspi: Kaspi, request: Request) -> Any:
        try:
            sale = kaspi.sales[from_id(request.path_params["id"])]
        except (ValueError, KeyError):
            return _no_page()
        given = answer(kaspi, sale)
        return given if isinstance(given, Response) else {"data": given, "included": []}

    return one


def _shown(kaspi: Kaspi, sale: Sale) -> Record:
    """Each read brings the waybill nearer: it is made some seconds after it is asked for."""
    if sale.waybill_in:
        sale.waybill_in -= 1
    return order_resource(sale, kaspi.merchant)


def _entries(kaspi: Kaspi, sale: Sale) -> list[Record]:
    sale.lines_read()
    return entry_resources(sale, kaspi.merchant, offers=not kaspi.old_entries)


def _line_of(kaspi: Kaspi, request: Request) -> tuple[Sale, Line, int]:
    """Raises KeyError, ValueError or IndexError where no such line is."""
    code, _, number = from_id(request.path_params["id"]).partition("##")
    return kaspi.sales[code], kaspi.sales[code].lines[int(number)], int(number)


async def _entry(kaspi: Kaspi, request: Request) -> Any:
    try:
        sale, _, number = _line_of(kaspi, request)
    except (KeyError, ValueError, IndexError):
        return _no_page()
    found = next(entry for entry in _entries(kaspi, sale) if entry["id"] == entry_id(sale, number))
    return {"data": found, "included": []}


async def _product(kaspi: Kaspi, request: Request) -> Any:
    try:
        _, line, _ = _line_of(kaspi, request)
    except (KeyError, ValueError, IndexError):
        return _no_page()
    said = {"code": from_id(master_id(line.sku)).partition("-")[0], "name": line.name}
    return {"data": {"type": "masterproducts", "id": master_id(line.sku), "attributes": said}, "included": []}


async def _merchant_product(kaspi: Kaspi, request: Request) -> Any:
    sku = from_id(request.path_params["id"]).partition("-")[2]
    said = {"code": sku, "name": kaspi.skus.get(sku, (sku, 0))[0]}
    return {"data": {"type": "merchantproducts", "id": to_id(sku), "attributes": said}, "included": []}


async def _point(kaspi: Kaspi, request: Request) -> Any:
    merchant, _, point = from_id(request.path_params["id"]).rpartition("_")
    if merchant != kaspi.merchant or point not in POINTS.values():
        return _no_page()
    city = DEMO.settings["points"][point]
    said = {"displayName": point, "address": {"town": f"г. {city}", "formattedAddress": f"г. {city}"}}
    where = {"city": {"data": {"type": "cities", "id": to_id(city_id(city))}}}
    found = {"type": "pointofservices", "id": to_id(f"{merchant}_{point}"), "attributes": said, "relationships": where}
    return {"data": found, "included": []}


async def _cities(kaspi: Kaspi, request: Request) -> Any:
    named = [
        {"type": "cities", "id": to_id(number), "attributes": {"code": number, "name": name, "active": True}}
        for number, name in CITIES.items()
    ]
    return {"data": named, "included": []}


async def _nowhere(kaspi: Kaspi, request: Request) -> Any:
    return _no_page()


def _no_page() -> Response:
    return HTMLResponse("<!DOCTYPE html><html><body><h1>404</h1>Страница не найдена</body></html>", 404)


def _error(status: int, title: str) -> Response:
    return JSONResponse({"errors": [{"title": title}]}, status)
