"""Satu.kz on loopback, as its contract has it: errors inside a 200, `last_id` paging, silently ignored fields."""

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from datetime import datetime
from itertools import count
from typing import Any
from zoneinfo import ZoneInfo

from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.routing import Route

from connectors.sdk.testing.sandbox import Demo, Json, Limits, Sandbox, utc_now
from connectors.sdk.testing.shop import Order as Sale
from connectors.sdk.testing.shop import Shop

TOKEN = "sandbox-satu-token"
ZONE = ZoneInfo("Asia/Almaty")
FILTER = "%Y-%m-%dT%H:%M:%S"
FIRST_PRODUCT, FIRST_ORDER, FIRST_CLIENT = 1_000_001, 500_001, 700_001

STATUSES = {"pending": "Новый", "received": "Принят", "delivered": "Выполнен", "canceled": "Отменён", "paid": "Оплачен"}
WRITABLE = {"received", "delivered", "paid", "canceled"}
REASONS = {
    "not_available", "price_changed", "buyers_request", "not_enough_fields", "duplicate", "invalid_phone_number",
    "less_than_minimal_price", "another",
}  # fmt: skip
TEXT_NEEDED = {"price_changed", "not_enough_fields", "another"}
PRESENCES = {"available", "not_available", "order", "waiting", "service"}
EDITABLE = {
    "price", "presence", "quantity_in_stock", "in_stock", "presence_sure", "status", "discount", "prices", "name",
    "keywords", "description",
}  # fmt: skip
FROM_CANONICAL = {
    "placed": "pending", "confirmed": "received", "assembling": "received", "ready": "received", "shipped": "received",
    "delivered": "delivered", "completed": "delivered", "cancelled": "canceled",
}  # fmt: skip

DEMO = Demo(
    settings={},
    secrets={"token": TOKEN},
    connection={
        "offers": {"status": "active", "has": ["price"]},
        "stock": {"allocation": "shared", "safety": 1},
        "price": {"from": "retail", "round": 10, "floor": "minimum"},
        "push": {"stock": "auto", "price": "auto", "order": "auto", "first": "auto"},
    },
    unlimited={"per_second": 1000},
)


@dataclass
class Satu:
    """The platform's state. Keys are its own ids; records are what its API shows."""

    clock: Callable[[], datetime]
    products: dict[int, dict[str, Any]] = field(default_factory=dict)
    orders: dict[int, dict[str, Any]] = field(default_factory=dict)
    clients: dict[int, dict[str, Any]] = field(default_factory=dict)
    inclusive: bool = True
    sandbox: Sandbox = field(init=False)

    def product(self, sku: str, **facts: Any) -> dict[str, Any]:
        """Puts a product on display; returns it."""
        number = FIRST_PRODUCT + len(self.products)
        self.products[number] = {
            "id": number, "external_id": sku, "sku": sku, "name": sku, "price": 0, "currency": "KZT",
            "presence": "not_available", "quantity_in_stock": 0, "status": "on_display", "measure_unit": "шт.",
            "date_modified": self.stamp(), **facts,
        }  # fmt: skip
        return self.products[number]

    def sell(self, lines: Iterable[tuple[str, int]], *, status: str = "pending", **facts: Any) -> dict[str, Any]:
        """A buyer orders `(sku, quantity)` at the prices on display; returns the order."""
        by_sku = {product["sku"]: product for product in self.products.values()}
        return self.order([(by_sku[sku], quantity, by_sku[sku]["price"]) for sku, quantity in lines], status, **facts)

    def order(self, lines: list[tuple[dict[str, Any], int, Any]], status: str, **facts: Any) -> dict[str, Any]:
        number = FIRST_ORDER + len(self.orders)
        total = sum(quantity * price for _, quantity, price in lines)
        self.orders[number] = {
            "id": number, "date_created": self.stamp(), "date_modified": self.stamp(), "phone": "+77000000001",
            "email": "", "price": tenge(total), "full_price": tenge(total), "delivery_cost": 0, "status": status,
            "status_name": STATUSES.get(status, "Свой статус"), "source": "portal",
            "products": [line(product, quantity, price) for product, quantity, price in lines], **facts,
        }  # fmt: skip
        return self.orders[number]

    def stamp(self) -> str:
        return self.clock().astimezone(ZONE).isoformat()


def tenge(amount: Any) -> str:
    """Money as the platform writes it: blanks between thousands, do not break, and the sign."""
    return f"{amount:,.0f}".replace(",", "\u00a0") + "\u00a0₸"


def line(product: dict[str, Any], quantity: int, price: Any) -> dict[str, Any]:
    return {
        "id": product["id"], "external_id": product["external_id"], "sku": product["sku"], "name": product["name"],
        "quantity": quantity, "price": tenge(price), "total_price": tenge(quantity * price), "measure_unit": "шт.",
    }  # fmt: skip


def sandbox(shop: Shop | None = None, *, limits: Limits = "contract", clock: Callable[[], datetime] = utc_now) -> Satu:
    """A platform with the shop's goods on display and its orders of channel `bazaar`."""
    state = Satu(clock)
    state.sandbox = Sandbox("satu", _routes(state), limits=limits, clock=clock)
    if shop is not None:
        _open(state, shop)
    return state


def _open(state: Satu, shop: Shop) -> None:
    by_sku = {
        variant.sku: state.product(
            variant.sku, name=variant.name, price=int(variant.retail), group={"name": variant.category}
        )
        for variant in shop.variants
    }
    clients: dict[str, int] = {}
    for sale in shop.orders:
        if sale.channel == "bazaar":
            _past_order(state, shop, sale, by_sku, clients)


def _past_order(state: Satu, shop: Shop, sale: Sale, by_sku: dict[str, Any], clients: dict[str, int]) -> None:
    person = shop.by_person.get(sale.person or "")
    placed = sale.placed_at.astimezone(ZONE).isoformat()
    facts: dict[str, Any] = {"date_created": placed, "date_modified": placed}
    if person:
        if person.id not in clients:
            clients[person.id] = FIRST_CLIENT + len(clients)
            state.clients[clients[person.id]] = {
                "id": clients[person.id], "client_full_name": f"{person.last_name} {person.first_name}",
                "phones": [person.phone], "emails": [person.email] if person.email else [], "comment": None,
                "skype": None, "orders_count": 1, "total_payout": "0",
            }  # fmt: skip
        facts |= {
            "client_id": clients[person.id], "client_first_name": person.first_name,
            "client_last_name": person.last_name, "phone": person.phone, "email": person.email or "",
        }  # fmt: skip
    lines = [(by_sku[one.sku], one.quantity, one.price) for one in sale.lines]
    state.order(lines, FROM_CANONICAL.get(sale.status, "received"), **facts)


# ── the API ───────────────────────────────────────────────────────────────────────────────────────────────────────────


def _routes(state: Satu) -> list[Route]:
    def guarded(answer: Callable[[Satu, Request], Any], *methods: str) -> Callable[[Request], Any]:
        async def endpoint(request: Request) -> Response:
            if request.headers.get("authorization") != f"Bearer {TOKEN}":
                return PlainTextResponse("Forbidden", 403)
            reply = await answer(state, request)
            return reply if isinstance(reply, Response) else Json(reply)

        return endpoint

    return [
        Route("/orders/list", guarded(_list_orders)),
        Route("/orders/set_status", guarded(_set_status), methods=["POST"]),
        Route("/orders/{id:int}", guarded(_one("orders", "order"))),
        Route("/products/list", guarded(_list_products)),
        Route("/products/edit", guarded(_edit_by("id")), methods=["POST"]),
        Route("/products/edit_by_external_id", guarded(_edit_by("external_id")), methods=["POST"]),
        Route("/products/by_external_id/{id}", guarded(_by_external_id)),
        Route("/products/{id:int}", guarded(_one("products", "product"))),
        Route("/clients/list", guarded(_list_clients)),
        Route("/groups/list", guarded(_list_groups)),
    ]


def _page(state: Satu, rows: Iterable[dict[str, Any]], request: Request) -> list[dict[str, Any]]:
    """Newest first; ids not higher than `last_id`, with it or without it as `state.inclusive` says."""
    limit = min(int(request.query_params.get("limit", 20)), 100)
    last = request.query_params.get("last_id")
    if last is not None:
        highest = int(last) if state.inclusive else int(last) - 1
        rows = (row for row in rows if row["id"] <= highest)
    return sorted(rows, key=lambda row: row["id"], reverse=True)[:limit]


def _between(
    rows: Iterable[dict[str, Any]], request: Request, field_name: str, prefix: str
) -> Iterable[dict[str, Any]]:
    """The date filters. Any notation but `YYYY-MM-DDTHH:MM:SS` silently finds nothing."""
    for bound, keeps in (("from", lambda at, limit: at >= limit), ("to", lambda at, limit: at <= limit)):
        text = request.query_params.get(f"{prefix}_{bound}")
        if text is None:
            continue
        if not re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d", text):
            return []
        limit = datetime.strptime(text, FILTER).replace(tzinfo=ZONE)
        rows = [row for row in rows if keeps(datetime.fromisoformat(row[field_name]), limit)]
    return rows


async def _list_orders(state: Satu, request: Request) -> Any:
    status = request.query_params.get("status")
    if status is not None and status not in {*STATUSES, "draft"}:
        return {"error": f"Unknown status {status}"}
    rows: Iterable[dict[str, Any]] = state.orders.values()
    rows = _between(rows, request, "date_created", "date")
    rows = _between(rows, request, "date_modified", "last_modified")
    return {"orders": _page(state, [row for row in rows if status in (None, row["status"])], request)}


async def _list_products(state: Satu, request: Request) -> Any:
    rows = _between(state.products.values(), request, "date_modified", "last_modified")
    return {"products": _page(state, rows, request)}


async def _list_clients(state: Satu, request: Request) -> Any:
    return {"clients": _page(state, state.clients.values(), request)}


async def _list_groups(state: Satu, request: Request) -> Any:
    names = sorted({product["group"]["name"] for product in state.products.values() if product.get("group")})
    return {"groups": [{"id": number, "name": name} for number, name in enumerate(names, 1)]}


def _one(items: str, item: str) -> Callable[[Satu, Request], Any]:
    async def answer(state: Satu, request: Request) -> Any:
        found = getattr(state, items).get(request.path_params["id"])
        return {item: found} if found else JSONResponse({"error": "Not found"}, 404)

    return answer


async def _by_external_id(state: Satu, request: Request) -> Any:
    wanted = request.path_params["id"]
    found = next((product for product in state.products.values() if product["external_id"] == wanted), None)
    return {"product": found} if found else JSONResponse({"error": "Not found"}, 404)


def _edit_by(kind: str) -> Callable[[Satu, Request], Any]:
    """Edits a bare array; unknown fields, `quantity` among them, are ignored without a word."""

    async def answer(state: Satu, request: Request) -> Any:
        body = await request.json()
        if not isinstance(body, list):
            return {"errors": {"error": "Ожидается список товаров"}}
        known = {product[kind]: product for product in state.products.values()}
        processed, errors = [], {}
        for change in body:
            product = known.get(change.get("id"))
            problem = "Товар не найден" if product is None else _refusal(change)
            if problem:
                errors[str(change.get("id"))] = {"error": problem}
                continue
            product.update({name: value for name, value in change.items() if name in EDITABLE})
            product["date_modified"] = state.stamp()
            processed.append(change["id"])
        return {"processed_ids": processed, "errors": errors}

    return answer


def _refusal(change: dict[str, Any]) -> str | None:
    if "presence" in change and change["presence"] not in PRESENCES:
        return "Недопустимое значение presence"
    price = change.get("price", 1)
    if isinstance(price, bool) or not isinstance(price, int | float) or price <= 0:
        return "Недопустимая цена"
    return None


async def _set_status(state: Satu, request: Request) -> Any:
    body = await request.json()
    status, reason = body.get("status"), body.get("cancellation_reason")
    if status not in WRITABLE:
        return {"error": "This status value is not allowed"}
    if status == "canceled" and reason is None:
        return {"error": "This status value is not allowed"}
    if status == "canceled" and reason not in REASONS:
        return JSONResponse({"error": "Unknown cancellation reason"}, 400)
    if status == "canceled" and reason in TEXT_NEEDED and not body.get("cancellation_text"):
        return {"error": "cancellation_text is required"}
    processed = []
    for number in body.get("ids", []):
        order = state.orders.get(number)
        if order is not None and order["status"] != status:
            order |= {"status": status, "status_name": STATUSES[status], "date_modified": state.stamp()}
            processed.append(number)
    return {"processed_ids": processed}


def life(state: Satu, shop: Shop, *, feeds: str | None = None, seed: int = 1) -> Callable[[], None]:
    """The demo's sales: each call places one order of something on display."""
    from random import Random

    random, numbers = Random(f"satu {seed}"), count(1)

    def sale() -> None:
        on_sale = [product for product in state.products.values() if product["presence"] == "available"]
        if not on_sale:
            return
        person = random.choice(shop.people)
        state.sell(
            [(random.choice(on_sale)["sku"], 1 + next(numbers) % 2)],
            phone=person.phone, client_first_name=person.first_name, client_last_name=person.last_name,
        )  # fmt: skip

    return sale


__all__ = ["DEMO", "TOKEN", "Satu", "life", "sandbox"]
