"""MoySklad on loopback: lists, reports and writes behind a door that counts (contract moysklad 1-7 and 10)."""

import json
from collections.abc import Awaitable, Callable
from datetime import datetime
from gzip import compress
from itertools import count
from random import Random
from typing import Any

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Mount, Route

from connectors.moysklad.simulator.account import Account, Asked
from connectors.moysklad.simulator.books import Refusal
from connectors.moysklad.simulator.door import Door, User, identity, manners
from connectors.moysklad.simulator.seed import ORGANIZATION, PARCEL, uid
from connectors.sdk.testing.sandbox import Demo, Json, Limits, Sandbox, utc_now
from connectors.sdk.testing.shop import PLACES, Shop, a_shop

TOKEN = "0cbfc512618efa7d5fa306250bca064c1169b37c"
LOGIN, PASSWORD = "admin@keruen", "sandbox-password"

DEMO = Demo(
    settings={
        "organization": ORGANIZATION,
        "store": uid("store", PLACES[0].code),
        "stores": {place.code: uid("store", place.code) for place in PLACES},
        "shops": [place.name for place in PLACES if place.kind == "store"],
        "delivery_service": PARCEL,
    },
    secrets={"token": TOKEN},
    connection={
        "locations": {uid("store", place.code): place.code for place in PLACES},
        "push": {"order": "auto", "first": "auto"},
        "country": "KZ",
    },
    unlimited={"budget": 1_000_000},
)

ROUTES: dict[str, dict[str, Callable[[Account, Asked], Any]]] = {
    "GET": {
        "/context/employee": Account.employee,
        "/context/application": Account.application,
        "/context/companysettings/pricetype": Account.price_types,
        "/entity/customerorder/metadata": Account.order_states,
        "/entity/assortment/settings": Account.assortment_settings,
        "/report/stock/all/current": Account.current_stock,
        "/report/stock/bystore/current": Account.current_stock_by_store,
        "/report/stock/all": Account.stock,
        "/report/stock/bystore": Account.stock_by_store,
        "/entity/{kind}": Account.listed,
        "/entity/{kind}/{id}": Account.one,
        "/entity/{kind}/{id}/positions": Account.positions,
    },
    "POST": {
        "/entity/{kind}": Account.posted,
        "/entity/{kind}/delete": Account.deleted_many,
        "/entity/{kind}/{id}/trash": Account.trashed,
    },
    "PUT": {"/entity/{kind}/{id}": Account.put},
    "DELETE": {"/entity/{kind}/syncid/{id}": Account.deleted_by_sync_id, "/entity/{kind}/{id}": Account.deleted},
}


def sandbox(
    shop: Shop | None = None, *, limits: Limits = "contract", clock: Callable[[], datetime] = utc_now
) -> Account:
    """A MoySklad account that holds `shop`. It is mutable: tests and the demo live in it."""
    vendor = Sandbox("moysklad", [], limits=limits, clock=clock, too_many=_too_many)
    door = Door(LOGIN, PASSWORD, {TOKEN: User("user")}, vendor.clock)
    account = Account(shop or a_shop(), vendor, door)
    routes = [
        Route(path, _edge(account, action), methods=[method])
        for method, actions in ROUTES.items()
        for path, action in actions.items()
    ]
    vendor.control("price", lambda sku, times: {"sku": sku, "price": account.misprice(sku, times)})
    routes.append(Route("/security/token", _issue(account), methods=["POST"]))
    vendor.app.router.routes += [Mount("/api/remap/1.2", routes=list(routes)), *routes]
    return account


def life(account: Account, shop: Shop, *, feeds: str | None = None, seed: int = 1) -> Callable[[], None]:
    """The demo's days: each call is a sale at a till; now and then an order moves on, or goods arrive."""
    random, calls = Random(f"moysklad {seed}"), count(1)
    tills = [place.code for place in shop.places if place.kind == "store"]

    def pulse() -> None:
        number = next(calls)
        sku, place = random.choice(shop.variants).sku, random.choice(tills)
        person = random.choice(shop.people).id if random.random() < 0.4 else None
        if account.in_stock(sku, place):
            account.sell(sku, place, person=person)
        if number % 4 == 0:
            account.move_on(random)
        if number % 10 == 0:
            account.books.move_stock(uid("item", sku), uid("store", place), random.randint(1, 12))

    return pulse


def _edge(account: Account, action: Callable[[Account, Asked], Any]) -> Callable[[Request], Awaitable[Response]]:
    """One route: manners, the door, the action; refusals take the same way out."""

    async def serve(request: Request) -> Response:
        body = await request.body()
        path = request.url.path.removeprefix("/api/remap/1.2").strip("/")
        counting, user = account.sandbox.limits == "contract", None
        try:
            manners(request.headers)
            user = account.door.user(request.headers.get("authorization", ""))
            if counting:
                account.door.spend(user, path, request.method)
            status, answer = action(account, asked_by(request, body))
        except Refusal as no:
            status, answer = no.status, no.body
        if user and counting and status >= 400 and status != 429:
            account.door.trouble(user, "failure", identity(request.method, str(request.url), body))
        budget = account.door.headers(user, path, status == 429) if user and counting else {}
        region = request.headers.get("x-lognex-accept-region", "ru")
        return _response(status, answer, budget | {"X-Lognex-Content-Region": region})

    return serve


def asked_by(request: Request, body: bytes) -> Asked:
    """Raises Refusal on broken JSON."""
    return Asked(request.path_params, request.query_params, request.headers, _parsed(body))


def _parsed(body: bytes) -> Any:
    try:
        return json.loads(body) if body else None
    except ValueError:
        raise Refusal(400, 1004, "Ошибка формата: неправильный JSON") from None


def _response(status: int, answer: Any, headers: dict[str, str]) -> Response:
    """gzip always; 415 and deletions have no body."""
    if status == 415 or answer is None:
        return Response(b"", status, headers)
    packed = compress(bytes(Json(answer).body), compresslevel=1)
    return Response(packed, status, headers | {"Content-Encoding": "gzip"}, media_type="application/json;charset=utf-8")


def _too_many(seconds: float) -> Response:
    """The wait is told in milliseconds (contract moysklad 2)."""
    no = Refusal(429, 1049, "Превышено ограничение на количество запросов")
    return _response(no.status, no.body, {"X-Lognex-Retry-After": f"{seconds * 1000:.0f}"})


def _issue(account: Account) -> Callable[[Request], Awaitable[Response]]:
    """`POST /security/token` with login and password: every earlier token of the user is void at once."""

    async def serve(request: Request) -> Response:
        try:
            account.door.user(request.headers.get("authorization", ""))
        except Refusal as no:
            return _response(no.status, no.body, {"X-Lognex-Auth": str(no.body["errors"][0]["code"])})
        return _response(200, {"access_token": account.door.new_token()}, {})

    return serve
