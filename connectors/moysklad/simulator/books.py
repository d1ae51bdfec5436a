"""The sandbox's account: its rows and counts, what may be written to it, and the life that goes on in it."""

from bisect import bisect_left, insort
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from decimal import ROUND_HALF_UP, Decimal
from typing import Any
from uuid import uuid4

from connectors.moysklad.api import uuid_of
from connectors.moysklad.source import moscow

Fields = dict[str, Any]
Place = tuple[str, str | None]
"""Item and store; store None holds promises only."""

ROOT = "https://api.moysklad.ru/api/remap/1.2"
"""Stands in every reference."""
REQUIRED = {"counterparty": ("name",), "customerorder": ("organization", "agent"), "product": ("name",)}
"""What can be written, and the fields each needs."""
DOCUMENTS = ("customerorder", "demand", "retaildemand", "retailsalesreturn", "salesreturn")
"""They are not archived but thrown into the recycle bin."""
REFERENCES = ("organization", "agent", "store", "salesChannel", "assortment")


class Refusal(Exception):
    """MoySklad says no, in its own shape."""

    def __init__(self, status: int, code: int, text: str, parameter: str | None = None):
        super().__init__(text)
        self.status = status
        self.body = {"errors": [{"error": text, "code": code} | ({"parameter": parameter} if parameter else {})]}


def meta(kind: str, path: str, **more: Any) -> Fields:
    return {"href": f"{ROOT}/{path}", "type": kind, "mediaType": "application/json", **more}


def ref(kind: str, uuid: str) -> Fields:
    return {"meta": meta(kind, f"entity/{kind}/{uuid}")}


def told(fields: Mapping[str, Any], path: str) -> str:
    """The text at a path; of a reference its id, of nothing an empty one."""
    value: Any = fields
    for step in path.split("."):
        value = value.get(step) if isinstance(value, Mapping) else None
    return str((uuid_of(value) if isinstance(value, Mapping) else value) or "")


@dataclass(slots=True)
class Row:
    """An entity. Fields are built when they are asked for, until something changes them."""

    id: str
    kind: str
    updated: str
    build: Callable[[], Fields]
    archived: bool = False
    deleted: str | None = None

    @property
    def fields(self) -> Fields:
        marks: Fields = {"deleted": self.deleted} if self.deleted else {}
        if self.kind not in DOCUMENTS:
            marks["archived"] = self.archived
        return {**self.build(), "updated": self.updated, **marks}

    @property
    def hidden(self) -> bool:
        """Default lists leave it out."""
        return self.archived or self.deleted is not None

    def changed(self, updated: str, fields: Mapping[str, Any]) -> "Row":
        """None clears a field, as in the vendor's own updates."""
        merged = {name: value for name, value in {**self.fields, **fields}.items() if value is not None}
        return Row(self.id, self.kind, updated, lambda: merged, bool(merged.get("archived")), merged.get("deleted"))


class Table:
    """Rows of one kind by id, and in the order of `updated`, then id.

    The demo's life writes from another thread than the one that serves: whatever is in `order` is in `rows`.
    """

    def __init__(self, rows: Iterable[Row] = ()) -> None:
        self.rows = {row.id: row for row in rows}
        self.order = sorted((row.updated, row.id) for row in self.rows.values())
        self.hidden = sum(row.hidden for row in self.rows.values())
        self._indexes: dict[str, dict[str, set[str]]] = {}

    def put(self, row: Row) -> None:
        self.drop(row.id)
        self.rows[row.id] = row
        insort(self.order, (row.updated, row.id))
        self.hidden += row.hidden
        for name, index in self._indexes.items():
            index[told(row.fields, name)].add(row.id)

    def drop(self, uuid: str) -> None:
        if row := self.rows.get(uuid):
            del self.order[bisect_left(self.order, (row.updated, uuid))]
            del self.rows[uuid]
            self.hidden -= row.hidden
            for name, index in self._indexes.items():
                index[told(row.fields, name)].discard(uuid)

    def bearing(self, name: str, values: Iterable[str]) -> list[Row]:
        """Rows with one of the values in a field, by an index that is made when it is first asked for."""
        if name not in self._indexes:
            index = self._indexes[name] = defaultdict(set)
            for row in self.rows.values():
                index[told(row.fields, name)].add(row.id)
        ids = {uuid for value in values for uuid in self._indexes[name].get(value, ())}
        return [self.rows[uuid] for uuid in ids]

    def since(self, updated: str) -> int:
        """Place in `order` of the first row changed at or after `updated`."""
        return bisect_left(self.order, (updated, ""))


@dataclass
class Count:
    """Numbers of an item in a store, and when each last changed."""

    stock: Decimal = Decimal(0)
    reserve: Decimal = Decimal(0)
    since: dict[str, str] = field(default_factory=dict)

    def add(self, kind: str, quantity: Decimal, now: str) -> None:
        setattr(self, kind, getattr(self, kind) + quantity)
        self.since[kind] = self.since["quantity"] = self.since["freeStock"] = now


class Books:
    """Everything the account holds. `conflicts`: how many writes will yet meet a parallel change (1065)."""

    def __init__(self, clock: Callable[[], datetime]):
        self.clock = clock
        self.tables: dict[str, Table] = defaultdict(Table)
        self.states: dict[str, Fields] = {}
        self.counts: dict[Place, Count] = defaultdict(Count)
        self.recalculating: set[str] = set()
        self.conflicts = 0
        self._synced: dict[tuple[str, str], str] = {}
        self._numbers: Counter[str] = Counter()

    @property
    def now(self) -> str:
        return moscow(self.clock())

    def find(self, kind: str, uuid: str) -> Row:
        """Raises Refusal where there is no such row."""
        row = self.tables[kind].rows.get(uuid) if kind in self.tables else None
        if row is None:
            raise Refusal(404, 1021, f"Объект с указанным id не найден: {kind} {uuid}")
        return row

    # ── life ──────────────────────────────────────────────────────────────────────────────────────────────────────────

    def add(self, kind: str, build: Callable[[], Fields], uuid: str | None = None) -> Row:
        row = Row(uuid or str(uuid4()), kind, self.now, build)
        self.tables[kind].put(row)
        return row

    def change(self, kind: str, uuid: str, **fields: Any) -> Row:
        """Somebody edits a row."""
        row = self.find(kind, uuid).changed(self.now, fields)
        self.tables[kind].put(row)
        return row

    def delete(self, kind: str, uuid: str) -> None:
        """For good: lists and audits apart, nothing tells of it."""
        self._reserve(self.find(kind, uuid), -1)
        self.tables[kind].drop(uuid)

    def trash(self, kind: str, uuid: str) -> None:
        """Into the recycle bin: what was reserved is free again."""
        self._reserve(self.find(kind, uuid), -1)
        self.change(kind, uuid, deleted=self.now)

    def move_stock(self, item: str, store: str, by: Decimal | int) -> None:
        self.counts[item, store].add("stock", Decimal(by), self.now)

    # ── writes ────────────────────────────────────────────────────────────────────────────────────────────────────────

    def write(self, kind: str, body: Fields) -> Row:
        """An update where the body bears a reference to itself, else a creation; a known syncId gives what it made."""
        if self.conflicts:
            self.conflicts -= 1
            raise Refusal(409, 1065, "Объект изменён параллельным запросом")
        if "meta" in body:
            return self.update(kind, str(uuid_of(body)), body)
        made = self._synced.get((kind, body.get("syncId", "")))
        return self.tables[kind].rows[made] if made in self.tables[kind].rows else self.create(kind, body)

    def by_sync_id(self, kind: str, sync_id: str) -> str:
        """Raises Refusal where nothing was created under it."""
        if (kind, sync_id) not in self._synced:
            raise Refusal(404, 1021, f"Объект с указанным syncId не найден: {sync_id}")
        return self._synced[kind, sync_id]

    def create(self, kind: str, body: Fields) -> Row:
        for name in REQUIRED[kind]:
            if not body.get(name):
                raise Refusal(412, 3000, f"Ошибка сохранения объекта: поле '{name}' не может быть пустым", name)
        uuid, now = str(uuid4()), self.now
        fields = self._checked(kind, body) | {"id": uuid, "meta": meta(kind, f"entity/{kind}/{uuid}"), "created": now}
        fields.setdefault("externalCode", uuid4().hex[:22])
        if kind == "customerorder":
            fields = self._order_defaults(fields)
        row = self.add(kind, lambda: fields, uuid)
        self._reserve(row, +1)
        if "syncId" in body:
            self._synced[kind, body["syncId"]] = uuid
        return row

    def update(self, kind: str, uuid: str, body: Fields) -> Row:
        """Given fields replace the row's; a given collection replaces the whole collection."""
        row = self.find(kind, uuid)
        own = ("meta", "id", "syncId")
        given = self._checked(kind, {name: value for name, value in body.items() if name not in own})
        self._reserve(row, -1)
        if "positions" in given:
            given |= totals(given["positions"])
        row = self.change(kind, uuid, **given)
        self._reserve(row, +1)
        return row

    def _checked(self, kind: str, body: Fields) -> Fields:
        """Every reference leads somewhere, positions are whole. Raises Refusal."""
        for name in REFERENCES:
            self._exists(body.get(name))
        if uuid_of(body.get("state")) not in (None, *self.states):
            raise Refusal(404, 1021, "Статус не найден", "state")
        if "positions" not in body:
            return dict(body)
        if len(body["positions"]) > 1000:
            raise Refusal(413, 1044, "Слишком много позиций")
        return body | {"positions": [self._position(kind, position) for position in body["positions"]]}

    def _exists(self, given: Fields | None) -> None:
        if given is not None:
            self.find(given["meta"]["type"], str(uuid_of(given)))

    def _position(self, kind: str, position: Fields) -> Fields:
        if "assortment" not in position:
            raise Refusal(412, 3000, "Поле 'assortment' не может быть пустым или отсутствовать", "assortment")
        if position.get("quantity", 1) < 0 or position.get("price", 0) < 0:
            raise Refusal(412, 3002, "Значение не может быть отрицательным", "quantity")
        self._exists(position["assortment"])
        defaults = {"quantity": 1, "price": 0.0, "discount": 0, "vat": 0, "vatEnabled": False}
        return {"id": str(uuid4()), **defaults, **position}

    def _order_defaults(self, fields: Fields) -> Fields:
        self._numbers["customerorder"] += 1
        first_state, state = next(iter(self.states)), uuid_of(fields.get("state"))
        defaults: Fields = {
            "name": f"{self._numbers['customerorder']:05d}", "moment": self.now, "applicable": True, "positions": [],
            "vatEnabled": True, "vatIncluded": True, "payedSum": 0, "shippedSum": 0, "invoicedSum": 0,
        }  # fmt: skip
        merged = defaults | fields | {"rate": {"currency": {"meta": self._account_currency()}}}
        merged["state"] = {"meta": self.states[state or first_state]["meta"]}
        return merged | totals(merged["positions"]) | {"moment": f"{merged['moment'][:16]}:00.000"}

    def _account_currency(self) -> Fields:
        return next(row.fields["meta"] for row in self.tables["currency"].rows.values() if row.fields["default"])

    def _reserve(self, row: Row, sign: int) -> None:
        """A posted order's positions promise goods in its store, or in no store."""
        fields = row.fields
        if row.kind != "customerorder" or not fields.get("applicable") or row.deleted:
            return
        store = uuid_of(fields.get("store"))
        for position in fields["positions"]:
            if quantity := Decimal(str(position.get("reserve", 0))):
                self.counts[str(uuid_of(position["assortment"])), store].add("reserve", sign * quantity, self.now)


def totals(positions: Iterable[Fields]) -> Fields:
    """Sums in minor units, each position rounded half-up (contract moysklad, trap 13)."""
    parts = [(position_sum(position), bool(position.get("reserve"))) for position in positions]
    kept = sum(part for part, reserved in parts if reserved)
    return {"sum": float(sum(part for part, _ in parts)), "reservedSum": float(kept)}


def position_sum(position: Fields) -> Decimal:
    quantity, price, discount = (Decimal(str(position.get(name, 0))) for name in ("quantity", "price", "discount"))
    return (quantity * price * (1 - discount / 100)).quantize(Decimal(1), ROUND_HALF_UP)
