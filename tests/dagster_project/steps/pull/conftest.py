"""A vendor of a few lines: whatever it holds is what its resources give."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from functools import reduce
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from pydantic import SecretStr
from sqlalchemy import Engine, text

from connectors.sdk import ConnectionConfig, ConnectorSpec, Page, Resource, Since, extract
from dagster_project.connections import Hub, parse
from dagster_project.steps.canonical import Mapped, map_new, replay
from dagster_project.steps.land import Landed, _append, _pages, land
from dagster_project.store import quarantine
from dagster_project.store.raw import Raw
from dagster_project.store.transfer import copy_in
from mappings.canonical import (
    Cart,
    CartLine,
    ConsentEvent,
    ContactEvent,
    Customer,
    Listing,
    Location,
    LoyaltyEntry,
    Order,
    OrderLine,
    Price,
    Product,
    StockLevel,
)
from mappings.tables import Constant, Derived, Field, FieldMap, Unusable, convert

Record = dict[str, Any]


class ToyConfig(ConnectionConfig):
    timezone: str = "Asia/Almaty"
    token: SecretStr | None = None


STATES = {"NEW": "placed", "OK": "confirmed", "SENT": "shipped", "DONE": "completed", "NO": "cancelled"}


def lines(order: Record, config: Any) -> tuple[OrderLine, ...]:
    return tuple(
        OrderLine(
            line="1" if order.get("same_line") else str(place),
            sku=line.get("sku"),
            variant=line.get("variant"),
            barcode=line.get("barcode"),
            quantity=Decimal(line["qty"]),
            unit_price=Decimal(line["price"]),
            total=Decimal(line["qty"]) * Decimal(line["price"]),
        )
        for place, line in enumerate(order["lines"], 1)
    )


def total(order: Record, config: Any) -> Decimal:
    return sum((line.total for line in lines(order, config)), Decimal(0))


def sku(product: Record, config: Any) -> str:
    names = candidates(product)
    if not names:
        raise Unusable("neither code nor article is filled", "no_unique_sku")
    return names[0]


def candidates(product: Record) -> list[str]:
    return [product[name] for name in ("code", "article") if product.get(name)]


TO_PRODUCT = FieldMap(
    Product,
    {
        "external_id": Field("id"),
        "sku": Derived(sku),
        "name": Field("name", convert.text),
        "brand": Field("brand", convert.text),
        "barcodes": Field("barcodes", tuple),
        "status": Derived(lambda product, config: "archived" if product.get("archived") else "active"),
        "attributes": Derived(lambda product, config: {"sku_candidates": candidates(product)}),
    },
)
TO_PRICES = FieldMap(
    Price,
    {
        "variant": Field("variant"),
        "price_type": Field("type"),
        "amount": Field("amount", Decimal),
        "currency": Constant("KZT"),
    },
    each=lambda product, config: [
        {"variant": product["id"], "type": name, "amount": amount} for name, amount in product.get("prices", {}).items()
    ],
)
TO_COUNT = FieldMap(
    StockLevel,
    {
        "variant": Field("variant"),
        "sku": Field("sku"),
        "barcode": Field("barcode"),
        "location": Field("place"),
        "on_hand": Field("count", Decimal),
        "as_of": Field("at", convert.aware),
    },
)
TO_PLACE = FieldMap(Location, {"external_id": Field("id"), "name": Field("name")})
TO_LISTING = FieldMap(
    Listing,
    {
        "external_id": Field("id"),
        "variant": Field("id"),
        "sku": Field("sku"),
        "barcode": Field("barcode"),
        "title": Field("title"),
        "observed_price": Field("price", Decimal),
        "observed_stock": Field("stock", Decimal),
    },
)
TO_CUSTOMER = FieldMap(
    Customer,
    {"external_id": Field("id"), "name": Field("name"), "phones": Field("phones", tuple), "city": Field("city")},
)
TO_ORDER = FieldMap(
    Order,
    {
        "external_id": Field("id"),
        "number": Field("id"),
        "channel": Constant("toy"),
        "placed_at": Field("placed", convert.local("Asia/Almaty")),
        "updated_at": Field("updated", convert.aware),
        "status": Derived(lambda order, config: STATES[order["state"]]),
        "status_raw": Field("state"),
        "total": Derived(total),
        "currency": Constant("KZT"),
        "location": Field("place"),
        "copy_of": Field("copy_of"),
        "returns": Field("returns"),
        "lines": Derived(lines),
    },
    when=lambda order, config: not order.get("draft"),
)
TO_CONTACT = FieldMap(
    ContactEvent,
    {
        "external_id": Field("id"),
        "customer": Field("buyer"),
        "identifier_kind": Derived(lambda event, config: "email" if event.get("email") else None),
        "identifier": Field("email"),
        "at": Field("at", convert.aware),
        "channel": Field("channel"),
        "kind": Field("kind"),
        "value": Field("value", Decimal),
        "payload": Field("details"),
    },
)
TO_CART = FieldMap(
    Cart,
    {
        "external_id": Field("id"),
        "customer": Field("buyer"),
        "channel": Constant("app"),
        "updated_at": Field("at", convert.aware),
        "state": Field("state"),
        "lines": Derived(
            lambda cart, config: tuple(
                CartLine(line=line, sku=sku, quantity=Decimal(count)) for line, sku, count in cart["lines"]
            )
        ),
    },
)
TO_POINTS = FieldMap(
    LoyaltyEntry,
    {
        "external_id": Field("id"),
        "customer": Field("buyer"),
        "loyalty_id": Field("card"),
        "at": Field("at", convert.aware),
        "points": Field("points", Decimal),
        "reason": Field("reason"),
    },
)
TO_CONSENT = FieldMap(
    ConsentEvent,
    {
        "external_id": Field("id"),
        "customer": Field("buyer"),
        "identifier_kind": Field("of"),
        "identifier": Field("contact"),
        "channel": Field("channel"),
        "state": Field("state"),
        "by": Field("by"),
        "at": Field("at", convert.aware),
        "evidence": Field("form"),
    },
)
MAPS: dict[str, FieldMap | dict[str, FieldMap]] = {
    "goods": {"product": TO_PRODUCT, "price": TO_PRICES},
    "places": TO_PLACE,
    "counts": TO_COUNT,
    "offers": TO_LISTING,
    "people": TO_CUSTOMER,
    "sales": TO_ORDER,
    "contacts": TO_CONTACT,
    "baskets": TO_CART,
    "points": TO_POINTS,
    "consents": TO_CONSENT,
}


@dataclass
class Vendor:
    """`holds`: resource → records by key. `asked`: the Since of every run. `breaks_after`: records until it fails."""

    holds: dict[str, dict[str, Record]] = field(default_factory=lambda: {name: {} for name in MAPS})
    asked: list[Since] = field(default_factory=list)
    breaks_after: int | None = None
    error: Exception = field(default_factory=lambda: RuntimeError("not asked for"))
    page: int = 2

    def says(self, resource: str, *records: Record) -> None:
        """The vendor holds these, in place of what it held under their keys."""
        for record in records:
            self.holds[resource][self.key(resource, record)] = record

    def forgets(self, resource: str, *keys: str) -> None:
        for key in keys:
            del self.holds[resource][key]

    def key(self, resource: str, record: Record) -> str:
        if resource != "counts":
            return str(record["id"])
        return f"{record.get('variant') or record.get('sku') or record.get('barcode')}:{record['place']}"

    def resource(self, name: str) -> Resource:
        def extract(config: ToyConfig, since: Since) -> Iterator[Page | Sequence[Record]]:
            self.asked.append(since)
            yield from self._pages(list(self.holds[name].values()))

        return Resource(
            name,
            extract=extract,
            key=lambda record: self.key(name, record),
            map=MAPS[name],
            reads=lambda reply: None,
            cursor="updated",
            lag=timedelta(minutes=10),
            parse_cursor=datetime.fromisoformat,
            format_cursor=datetime.isoformat,
            complete="full",
            open_orders=name == "sales",
        )

    def _pages(self, records: list[Record]) -> Iterator[Sequence[Record]]:
        for start in range(0, len(records), self.page):
            if self.breaks_after is not None and start >= self.breaks_after:
                raise self.error
            yield records[start : start + self.page]

    def spec(self, name: str) -> ConnectorSpec:
        return ConnectorSpec(name, name.title(), ToyConfig, tuple(self.resource(one) for one in MAPS))


@dataclass
class Shop:
    """A hub with toy vendors, by connection; `now` stands still until a test moves it."""

    store: Engine
    hub: Hub
    vendors: dict[str, Vendor]
    now: datetime

    def __getitem__(self, connection: str) -> Vendor:
        return self.vendors[connection]

    def land(self, connection: str, resource: str, *, full: bool = False) -> Landed:
        return land(self.store, self.hub[connection], self._resource(connection, resource), now=self.now, full=full)

    def map(self, connection: str, resource: str) -> Mapped:
        return map_new(self.store, self.hub, self.hub[connection], self._resource(connection, resource), now=self.now)

    def reads(self, connection: str, *resources: str, full: bool = False) -> Mapped:
        """Lands and maps, a second after the last time."""
        done = Mapped()
        for resource in resources:
            self.now += timedelta(seconds=1)
            self._land_quickly(connection, resource, full)
            done += self.map(connection, resource)
        return done

    def _land_quickly(self, connection: str, resource: str, full: bool) -> None:
        """As `land`, with the stage filled here: dlt takes a second to meet a new database."""
        spoken, place = self._resource(connection, resource), Raw(connection, resource)
        asked = Since(full=full, now=self.now)
        batches = list(_pages(self.hub[connection], spoken, asked))
        if batches:
            with self.store.begin() as db:
                db.execute(text(f"create schema if not exists stage_{connection}"))
                db.execute(text(f"drop table if exists {place.stage}"))
                columns = "key text, cursor text, payload text, payload_hash text, landed_at timestamptz"
                db.execute(text(f"create table {place.stage} ({columns})"))
                copy_in(db, f"stage_{connection}.{resource}", pa.Table.from_batches(batches))
        cursor = reduce(lambda known, batch: extract.greatest_cursor(batch, known), batches, None)
        stage = extract.Landed("load-1" if batches else None, sum(batch.num_rows for batch in batches), cursor)
        _append(self.store, self.hub[connection], spoken, asked, stage)

    def _resource(self, connection: str, resource: str) -> Resource:
        spec = self.hub[connection].spec
        assert spec
        return spec.resource(resource)

    def rows(self, statement: str) -> list[tuple[Any, ...]]:
        with self.store.connect() as db:
            return [tuple(row) for row in db.execute(text(statement))]

    def dirty(self) -> set[tuple[str, str]]:
        """What is dirty, and from now on is not."""
        with self.store.begin() as db:
            return {tuple(row) for row in db.execute(text("delete from hub.dirty returning entity, subject"))}  # type: ignore[misc]

    def replays(self, **chosen: Any) -> tuple[int, int, int]:
        done = replay(self.store, self.hub, now=self.now, **chosen)
        return done.mapped, done.stored, done.quarantined

    def drops(self) -> None:
        quarantine.drop(self.store)

    def aside(self) -> set[tuple[str, str, str]]:
        """Open records of the quarantine: (resource, key, rule)."""
        return set(self.rows("select resource, key, rule from ledger.quarantine where state = 'open'"))  # type: ignore[arg-type]


TWO_SYSTEMS = """
hub: {authority: {product: erp, price: erp, on_hand: {default: erp, Almaty-1: tills}}}
erp: {connector: erp, locations: {W1: Main}}
market: {connector: market}
tills: {connector: tills, locations: {T1: Almaty-1}}
"""


@pytest.fixture
def a_shop(store: Engine, tmp_path: Path) -> Callable[..., Shop]:
    """Makes a shop from the text of a connections.yaml whose connectors are named as they please."""

    def make(connections: str = TWO_SYSTEMS) -> Shop:
        names = {
            line.split("connector: ")[1].split(",")[0].split("}")[0]
            for line in connections.splitlines()
            if "connector" in line
        }
        vendors = {name: Vendor() for name in sorted(names)}
        hub = parse(connections, {name: vendor.spec(name) for name, vendor in vendors.items()}, folder=tmp_path)
        by_connection = {name: vendors[one.entry.connector] for name, one in hub.connections.items()}
        return Shop(store, hub, by_connection, datetime(2026, 3, 2, 5, 0, tzinfo=UTC))

    return make


@pytest.fixture
def shop(a_shop: Callable[..., Shop]) -> Shop:
    """An ERP that owns the goods, a marketplace, and tills that own the counts of their store."""
    return a_shop()


@pytest.fixture
def states() -> dict[str, str]:
    """The vendors' statuses as the connector knows them."""
    return STATES
