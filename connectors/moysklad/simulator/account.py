"""The account as its API shows it: what each address answers, and what people do in it meanwhile."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import pairwise
from random import Random
from typing import Any

from connectors.moysklad.api import uuid_of
from connectors.moysklad.simulator.books import ROOT, Books, Fields, Refusal, Row, meta, ref
from connectors.moysklad.simulator.door import Door
from connectors.moysklad.simulator.query import Query, parse, rendered, select
from connectors.moysklad.simulator.reports import current_report, heavy_report
from connectors.moysklad.simulator.seed import ORGANIZATION, PARCEL, opened, price_types, receipt_row, row_of, uid
from connectors.sdk.testing.sandbox import Sandbox
from connectors.sdk.testing.shop import Line, Order, Shop

ASSORTMENT = ("product", "variant", "bundle", "service")
NEW_ASSORTMENT = "assortmentWithoutStock"
ASSORTMENT_EXPANDS = {"product", "images", "components"}
WRITABLE = ("counterparty", "customerorder", "product")
BULK = 1000
RECENT = 200
"""Orders among which people look for one to work on."""

Answer = tuple[int, Any]


@dataclass(frozen=True)
class Asked:
    """One request: parts of its path, its query, its headers (lower case), its body."""

    path: Mapping[str, str]
    params: Mapping[str, str]
    headers: Mapping[str, str]
    body: Any = None

    @property
    def region(self) -> str:
        return self.headers.get("x-lognex-accept-region", "ru")


class Account:
    """`books` holds the data; `door` counts requests; `mixed_status` answers a bulk call that failed in part."""

    def __init__(self, shop: Shop, sandbox: Sandbox, door: Door):
        self.shop = shop
        self.sandbox = sandbox
        self.door = door
        self.books = opened(Books(sandbox.clock), shop)
        self.mixed_status = 200

    # ── life ──────────────────────────────────────────────────────────────────────────────────────────────────────────

    def sell(self, sku: str, place: str, quantity: int = 1, person: str | None = None) -> str:
        """Somebody buys at a till of `place`, now; gives the receipt's id."""
        now = self.sandbox.clock()
        number = f"{place}-{now:%y%m%d%H%M%S}-{len(self.books.tables['retaildemand'].rows)}"
        line = Line(sku, quantity, self.shop.by_sku[sku].retail)
        row = receipt_row(
            Order(number, "store", person, place, now, "completed", (line,)), {uid("item", sku): self.ref(sku)}
        )
        row.updated = self.books.now
        self.books.tables["retaildemand"].put(row)
        self.books.move_stock(uid("item", sku), uid("store", place), -quantity)
        return row.id

    def order(self, sku: str, place: str | None = None, quantity: int = 1, person: str | None = None) -> str:
        """Somebody at the shop types in an order and reserves the goods; gives its id."""
        price = float(self.shop.by_sku[sku].retail * 100)
        position = {"quantity": quantity, "price": price, "assortment": self.ref(sku), "reserve": quantity}
        body = {
            "organization": ref("organization", ORGANIZATION),
            "agent": ref("counterparty", uid("person", person) if person else uid("buyer")),
            "positions": [position],
        }
        return self.books.write(
            "customerorder", body | ({"store": ref("store", uid("store", place))} if place else {})
        ).id

    def move(self, order: str, state: str) -> None:
        """Somebody moves an order to the state of that name."""
        where = next(one["meta"] for one in self.books.states.values() if one["name"] == state)
        self.books.update("customerorder", order, {"state": {"meta": where}})

    def move_on(self, random: Random) -> None:
        """Somebody takes an order in hand and moves it to the next state."""
        names = [state["name"] for state in self.books.states.values() if state["stateType"] != "Unsuccessful"]
        moves = dict(pairwise(names))
        table = self.books.tables["customerorder"]
        lately = [table.rows[uuid] for _, uuid in table.order[-RECENT:]]
        open_ = [row for row in lately if self.state_of(row) in moves and not row.deleted]
        if open_:
            chosen = random.choice(open_)
            self.move(chosen.id, moves[self.state_of(chosen)])

    def state_of(self, order: Row) -> str:
        return str(self.books.states[str(uuid_of(order.fields["state"]))]["name"])

    def bundle(self, sku: str, parts: Mapping[str, int]) -> str:
        """Somebody sells these (SKU → how many) as one; gives the bundle's id. A part without a SKU is a service."""
        rows = [
            {"assortment": self.ref(part) if part else ref("service", PARCEL), "quantity": float(quantity)}
            for part, quantity in parts.items()
        ]
        said = {"name": f"Комплект {sku}", "code": sku, "externalCode": sku, "components": rows}
        self.books.tables["bundle"].put(row_of("bundle", uid("item", sku), self.books.now, partial(dict, said)))
        return uid("item", sku)

    def misprice(self, sku: str, times: float) -> float:
        """Somebody mistypes the first price of an item; gives it as it is now, in units of the currency."""
        row = self.item(sku)
        first, *others = row.fields["salePrices"]
        wrong = round(first["value"] * times, 2)
        self.books.change(row.kind, row.id, salePrices=[{**first, "value": wrong}, *others])
        return wrong / 100

    def in_stock(self, sku: str, place: str) -> int:
        return int(self.books.counts[uid("item", sku), uid("store", place)].stock)

    def item(self, sku: str) -> Row:
        """The product or variant of a SKU of the shop."""
        uuid = uid("item", sku)
        found = (self.books.tables[kind].rows.get(uuid) for kind in ASSORTMENT)
        if row := next(filter(None, found), None):
            return row
        raise ValueError(f"nothing has the SKU {sku}")

    def ref(self, sku: str) -> Fields:
        row = self.item(sku)
        return ref(row.kind, row.id)

    # ── reading ───────────────────────────────────────────────────────────────────────────────────────────────────────

    def employee(self, asked: Asked) -> Answer:
        return 200, {"meta": meta("employee", "context/employee"), "id": uid("employee"), "name": "Администратор"}

    def application(self, asked: Asked) -> Answer:
        return 200, {"meta": meta("application", "context/application"), "id": uid("application")}

    def price_types(self, asked: Asked) -> Answer:
        return 200, price_types()

    def assortment_settings(self, asked: Asked) -> Answer:
        return 200, {"uniqueCodeRules": {"checkUniqueCode": False, "fillUniqueCode": False}}

    def order_states(self, asked: Asked) -> Answer:
        return 200, {
            "meta": {"href": f"{ROOT}/entity/customerorder/metadata"},
            "states": list(self.books.states.values()),
        }

    def current_stock(self, asked: Asked) -> Answer:
        return 200, current_report(self.books, asked.params, by_store=False)

    def current_stock_by_store(self, asked: Asked) -> Answer:
        return 200, current_report(self.books, asked.params, by_store=True)

    def stock(self, asked: Asked) -> Answer:
        return 200, heavy_report(self.books, asked.params, by_store=False)

    def stock_by_store(self, asked: Asked) -> Answer:
        return 200, heavy_report(self.books, asked.params, by_store=True)

    def listed(self, asked: Asked) -> Answer:
        kind, query = asked.path["kind"], parse(asked.params)
        new = asked.headers.get("x-lognex-remap-beta-feature") == NEW_ASSORTMENT
        if kind == "assortment":
            found = select(self.books, ASSORTMENT, query, kind if new else "")
            expand = [path for path in query.expand if path in ASSORTMENT_EXPANDS] if new else query.expand
        else:
            self._known(kind)
            found, expand = select(self.books, [kind], query, kind), query.expand
        rows = [regional(rendered(self.books, row, expand), asked.region) for row in found.rows]
        if kind == "assortment" and not new:
            rows = [row | self._stock_of(row["id"]) for row in rows]
        return 200, envelope(kind, f"entity/{kind}", query, found.size, rows)

    def one(self, asked: Asked) -> Answer:
        kind = asked.path["kind"]
        self._known(kind)
        row = self.books.find(kind, asked.path["id"])
        return 200, regional(rendered(self.books, row, parse({"limit": "1", **asked.params}).expand), asked.region)

    def positions(self, asked: Asked) -> Answer:
        kind, query = asked.path["kind"], parse(asked.params)
        self._known(kind)
        row = self.books.find(kind, asked.path["id"])
        rows = row.fields["positions"]
        page = rows[query.offset : query.offset + query.limit]
        return 200, envelope(f"{kind}position", f"entity/{kind}/{row.id}/positions", query, len(rows), page)

    def _known(self, kind: str) -> None:
        if kind not in self.books.tables:
            raise Refusal(404, 1005, f"Неизвестный тип: {kind}")

    def _stock_of(self, item: str) -> Fields:
        """What the old assortment says of stock, over all stores."""
        counts = [count for (one, _), count in self.books.counts.items() if one == item]
        stock, reserve = sum(count.stock for count in counts), sum(count.reserve for count in counts)
        return {"stock": float(stock), "reserve": float(reserve), "inTransit": 0.0, "quantity": float(stock - reserve)}

    # ── writing ───────────────────────────────────────────────────────────────────────────────────────────────────────

    def posted(self, asked: Asked) -> Answer:
        """One entity, or up to a thousand; of several each gets its own answer, in the order they came."""
        kind = self._writable(asked)
        if not isinstance(asked.body, list):
            return 200, self._written(kind, asked.body, asked.region)
        if len(asked.body) > BULK:
            raise Refusal(413, 1044, "Превышен допустимый размер массива: 1000 элементов")
        answers, failed = [], 0
        for body in asked.body:
            try:
                answers.append(self._written(kind, body, asked.region))
            except Refusal as no:
                answers.append(no.body)
                failed += 1
        return (self.mixed_status if failed and failed < len(answers) else 412 if failed else 200), answers

    def put(self, asked: Asked) -> Answer:
        kind = self._writable(asked)
        row = self.books.update(kind, asked.path["id"], _given(asked.body, asked.region))
        return 200, rendered(self.books, row)

    def deleted(self, asked: Asked) -> Answer:
        self.books.delete(self._writable(asked), asked.path["id"])
        return 200, None

    def deleted_by_sync_id(self, asked: Asked) -> Answer:
        kind = self._writable(asked)
        self.books.delete(kind, self.books.by_sync_id(kind, asked.path["id"]))
        return 200, None

    def deleted_many(self, asked: Asked) -> Answer:
        kind = self._writable(asked)
        ids = [one["meta"]["href"].rpartition("/")[2] for one in asked.body]
        for uuid in ids:
            self.books.delete(kind, uuid)
        return 200, [{"info": f"Сущность '{kind}' с UUID: {uuid} успешно удалена"} for uuid in ids]

    def trashed(self, asked: Asked) -> Answer:
        self.books.trash(self._writable(asked), asked.path["id"])
        return 200, None

    def _written(self, kind: str, body: Fields, region: str) -> Fields:
        return regional(rendered(self.books, self.books.write(kind, _given(body, region))), region)

    def _writable(self, asked: Asked) -> str:
        kind = asked.path["kind"]
        if kind not in WRITABLE:
            raise Refusal(405, 1006, f"Метод не поддерживается: {kind}")
        return kind


def envelope(kind: str, path: str, query: Query, size: int, rows: Sequence[Fields]) -> Fields:
    """A list answer; `nextHref` stands there as long as there is more."""
    pages: Fields = {"size": size, "limit": query.limit, "offset": query.offset}
    if query.offset + query.limit < size:
        pages["nextHref"] = f"{ROOT}/{path}?limit={query.limit}&offset={query.offset + query.limit}"
    employee = {"employee": {"meta": meta("employee", "context/employee")}}
    return {"context": employee, "meta": meta(kind, path, **pages), "rows": rows}


def regional(fields: Fields, region: str) -> Fields:
    """Fields of Kazakhstan are shown to those who ask for that region."""
    if region == "kz" or "companyType" not in fields:
        return fields
    shown = {name: value for name, value in fields.items() if not name.endswith("__kz")}
    return shown | {"companyType": fields["companyType"].removesuffix("KZ")}


def _given(body: Any, region: str) -> Fields:
    """What of a body counts. Raises Refusal where it is no entity."""
    if not isinstance(body, dict):
        raise Refusal(400, 1004, "Ошибка формата: ожидается объект")
    return body if region == "kz" else {name: value for name, value in body.items() if not name.endswith("__kz")}
