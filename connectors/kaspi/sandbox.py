"""Kaspi on loopback, as its contract tells it: silence instead of refusals, windows of 14 days, lists short of lines.

The orders are `sandbox_orders`, the shop front that fetches the price list is `sandbox_front`. Left out: partial
cancelling, IMEI and the import of product cards, which the connector does not use.
"""

import asyncio
from bisect import bisect_left, bisect_right, insort
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass, field
from datetime import datetime
from itertools import count
from random import Random
from typing import Any

from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, PlainTextResponse, Response
from starlette.routing import Route

from connectors.kaspi.cities import CITIES, city_id
from connectors.kaspi.config import SWALLOWED
from connectors.kaspi.records import from_id, to_id
from connectors.kaspi.sandbox_front import Fetch, Front
from connectors.kaspi.sandbox_orders import (
    Buyer,
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
)
from connectors.sdk import Record
from connectors.sdk.testing.sandbox import Demo, Limits, Sandbox, utc_now
from connectors.sdk.testing.shop import Order, Shop

TOKEN = "sandbox-kaspi-token"
MERCHANT = "30000000"
LOGIN, PASSWORD = "kaspi-feed", "sandbox-feed-password"
PER_SECOND = 5
WINDOW = 14 * 86_400_000
POINTS = {"Almaty-1": "PP1", "Almaty-2": "PP2", "Astana-1": "PP3", "Almaty-W": "PP4"}
STATES = ("NEW", "SIGN_REQUIRED", "PICKUP", "DELIVERY", "KASPI_DELIVERY", "ARCHIVE")
MODES = ((True, "DELIVERY_PICKUP"), (False, "DELIVERY_PICKUP"), (True, "DELIVERY_LOCAL"), (False, "DELIVERY_LOCAL"))
"""(by Kaspi, mode): how orders go out, in turn."""

DEMO = Demo(
    settings={
        "merchant_id": MERCHANT,
        "company": "ТОО «Керуен-демо»",
        "points": {"PP1": "Алматы", "PP2": "Алматы", "PP3": "Астана", "PP4": "Алматы"},
        "feed_login": LOGIN,
        "per_second": 1000,
    },
    secrets={"token": TOKEN, "feed_password": PASSWORD},
    connection={
        "locations": {point: place for place, point in POINTS.items()},
        "offers": {"status": "active", "has": ["price"]},
        "stock": {"allocation": "shared", "safety": 2},
        "price": {"from": "retail", "markup": 0.05, "round": 10, "floor": "minimum"},
        "push": {"stock": "auto", "price": "auto", "order": "auto", "first": "auto"},
    },
)


@dataclass
class Kaspi:
    """The marketplace's state, for tests to change.

    `hang`: seconds a request with a library's User-Agent waits for nothing. `short_lists`: lists include one entry less
    than an order of several has. `old_entries`: entries come without `offer`, as in old answers.
    """

    clock: Callable[[], datetime]
    merchant: str = MERCHANT
    hang: float = 300.0
    short_lists: bool = False
    old_entries: bool = False
    sales: dict[str, Sale] = field(default_factory=dict)
    skus: dict[str, tuple[str, int]] = field(default_factory=dict)
    sandbox: Sandbox = field(init=False)
    front: Front = field(init=False)
    _by_time: list[tuple[int, str]] = field(default_factory=list)
    _codes: Any = field(default_factory=lambda: count(800_000_001))
    _random: Random = field(default_factory=lambda: Random(1))

    def __post_init__(self) -> None:
        self.front = Front(self.merchant)

    def add(self, sale: Sale) -> Sale:
        self.sales[sale.code] = sale
        insort(self._by_time, (sale.created, sale.code))
        return sale

    def sell(self, lines: Iterable[tuple[str, int]] = (), *, at: datetime | None = None, **facts: Any) -> Sale:
        """A buyer orders `(sku, quantity)`; without any, something the shop front has on sale, else any known SKU.

        Prices are the front's. `at`: when, the sandbox's clock by default. `facts`: fields of `Sale`.
        """
        chosen = tuple(self._line(sku, quantity) for sku, quantity in lines or [(self._any_sku(), 1)])
        code = next(self._codes)
        mode = dict(zip(("by_kaspi", "mode"), MODES[code % len(MODES)], strict=True))
        facts = {"buyer": Buyer("Айдана", "Тестова", f"700{code % 10_000_000:07d}", "Алматы"), **mode, **facts}
        return self.add(Sale(str(code), milliseconds(at or self.clock()), lines=chosen, **facts))

    def _line(self, sku: str, quantity: int) -> Line:
        name, price = self.skus.get(sku, (sku, 1000))
        shown = self.front.offers.get(sku)
        if shown:
            price = shown.price if isinstance(shown.price, int) else next(iter(shown.price.values()))
        return Line(sku, name, quantity, price)

    def _any_sku(self) -> str:
        on_sale = [sku for sku, shown in self.front.offers.items() if any(shown.stock.values())]
        return self._random.choice(on_sale or list(self.skus) or ["SKU-1"])

    def courier_takes(self, code: str) -> None:
        """Kaspi's courier has the parcel."""
        self.sales[code].handed_over = milliseconds(self.clock())

    def buyer_takes(self, code: str) -> None:
        self.sales[code].end("COMPLETED")

    def buyer_cancels(self, code: str, reason: str = "TIMEOUT_BUYER_PICKUP") -> None:
        """What the courier has, travels back first."""
        sale = self.sales[code]
        if sale.handed_over:
            sale.status, sale.cancel_reason = "CANCELLING", reason
        else:
            sale.end("CANCELLED", reason)

    def buyer_returns(self, code: str) -> None:
        self.sales[code].end("KASPI_DELIVERY_RETURN_REQUESTED")

    def buyer_signs(self, code: str) -> None:
        self.sales[code].state = "NEW"

    def fetch_feed(self, url: str, login: tuple[str, str] | None = None) -> Fetch:
        """Kaspi's hourly visit to the merchant's price list; the shop front changes by it."""
        return self.front.fetch(url, login)

    def created_between(self, start: int, end: int) -> list[Sale]:
        """Newest first, so that a new order shifts the pages."""
        found = self._by_time[bisect_left(self._by_time, (start, "")) : bisect_right(self._by_time, (end, "~"))]
        return [self.sales[code] for _, code in reversed(found)]


def sandbox(shop: Shop | None = None, *, limits: Limits = "contract", clock: Callable[[], datetime] = utc_now) -> Kaspi:
    """The marketplace with the shop's orders of channel `marketplace`."""
    kaspi = Kaspi(clock)
    kaspi.sandbox = Sandbox("kaspi", _routes(kaspi), limit=_too_fast(clock), limits=limits, clock=clock)
    if shop is not None:
        kaspi.skus = {variant.sku: (variant.name, int(variant.retail)) for variant in shop.variants}
        for number, order in enumerate(one for one in shop.orders if one.channel == "marketplace"):
            kaspi.add(_past(shop, order, number))
    return kaspi


def _past(shop: Shop, order: Order, number: int) -> Sale:
    """An order of the shop's past; ways of delivery take turns, one new order in twenty waits for a signature."""
    person = shop.by_person[order.person or ""]
    by_kaspi, mode = MODES[number % len(MODES)]
    sale = Sale(
        order.number,
        milliseconds(order.placed_at),
        Buyer(person.first_name, person.last_name, person.phone[-10:], person.city),
        tuple(Line(line.sku, shop.by_sku[line.sku].name, line.quantity, int(line.price)) for line in order.lines),
        point=POINTS[order.place],
        mode=mode,
        by_kaspi=by_kaspi,
        months=3 if number % 5 == 0 else None,
    )
    if order.status in {"completed", "cancelled", "returned"}:
        sale.end(order.status.upper(), "MERCHANT_OUT_OF_STOCK" if order.status == "cancelled" else None)
        return sale
    if order.status == "placed":
        sale.state = "SIGN_REQUIRED" if number % 20 == 0 else "NEW"
        return sale
    sale.move({"status": "ACCEPTED_BY_MERCHANT"}, {})
    if by_kaspi and order.status in {"ready", "shipped", "delivered"}:
        sale.assembled, sale.waybill_in = True, 0
        sale.handed_over = sale.created + 86_400_000 if order.status != "ready" else None
    return sale


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
            if "application/vnd.api+json" not in request.headers.get("accept", ""):
                return _no_page()
            if request.headers.get("x-auth-token") != TOKEN:
                return _error(401, "Token is not valid")
            reply = await answer(kaspi, request)
            return reply if isinstance(reply, Response) else JSONResponse(reply)

        return endpoint

    return [
        Route("/orders", guarded(_list), methods=["GET"]),
        Route("/orders", guarded(_write), methods=["POST"]),
        Route("/orders/{id}", guarded(_sale(lambda k, sale: _shown(k, sale)))),
        Route("/orders/{id}/entries", guarded(_sale(lambda k, sale: _entries(k, sale)))),
        Route("/orders/{id}/user", guarded(_sale(lambda k, sale: customer_resource(sale.buyer)))),
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
