"""Mapped records on their way into the canonical tables: a temporary table per entity, filled by COPY.

The statements of `goods`, `people` and `orders` read these tables. Whoever has records as frames may fill the same
tables. A table lives as long as its session, its rows as long as the transaction.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pyarrow as pa
from pydantic_core import to_json
from sqlalchemy import ARRAY, JSON, BigInteger, Column, Connection, DateTime, Numeric, Text, text
from sqlalchemy.dialects import postgresql
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.types import TypeEngine

from dagster_project.store.people.sealing import sealed
from dagster_project.store.tables import TABLES
from dagster_project.store.transfer import copy_in
from mappings.canonical import ENTITIES, Canonical, CartLine, OrderLine

MODELS: Mapping[str, type[Canonical]] = {**ENTITIES, OrderLine.entity: OrderLine, CartLine.entity: CartLine}
EXTRA: Mapping[str, tuple[Column[Any], ...]] = {
    "product": (Column("skus", ARRAY(Text)), Column("bound", Text), Column("how", Text)),
    "location": (Column("location", Text),),
    "order": (Column("day", TABLES["canonical.order"].c.day.type),),
    "order_line": (Column("external_id", Text),),
    "cart_line": (Column("external_id", Text),),
}
"""What the store has to say of a record beside its fields."""
ENOUGH = 1000
"""Rows from which on the planner wants to know more of a temporary table than its size."""


@dataclass(frozen=True)
class Incoming:
    """The temporary table of an entity. Every row has `seq` (raw id: the later statement) and `source`, but lines."""

    entity: str

    @property
    def name(self) -> str:
        return f"incoming_{self.entity}"

    @property
    def columns(self) -> Mapping[str, TypeEngine[Any]]:
        """Column → type: the fields of the model which the entity's table stores, variant references included."""
        stored = {column.name: column.type for column in TABLES[f"canonical.{self.entity}"].columns}
        references = ("variant", "sku", "barcode")
        fields = {
            name: stored.get(name, Text())
            for name in MODELS[self.entity].model_fields
            if name in stored or name in references
        }
        extra = {column.name: column.type for column in EXTRA.get(self.entity, ())}
        return {"seq": BigInteger(), "source": JSONB(), **fields, **extra}

    def prepare(self, db: Connection) -> None:
        """Makes the table for this connection to the store, empty."""
        dialect = postgresql.dialect()  # type: ignore[no-untyped-call]
        columns = ", ".join(f'"{name}" {kind.compile(dialect)}' for name, kind in self.columns.items())
        db.execute(text(f"create temp table if not exists {self.name} ({columns}) on commit delete rows"))
        db.execute(text(f"delete from {self.name}"))

    def add(self, db: Connection, rows: Sequence[Mapping[str, Any]]) -> None:
        """Appends rows: values by column name, absent ones null."""
        if rows:
            columns = {name: _column([row.get(name) for row in rows], kind) for name, kind in self.columns.items()}
            self.fill(db, pa.table(columns))

    def fill(self, db: Connection, rows: pa.Table) -> None:
        """Appends rows that are a frame already; what tells a person is sealed here, at the door."""
        copy_in(db, self.name, sealed(db, f"canonical.{self.entity}", rows))

    def settled(self, db: Connection) -> None:
        """All rows are there: tells the planner about them."""
        if db.execute(text(f"select count(*) from (select from {self.name} limit {ENOUGH}) x")).scalar() == ENOUGH:
            db.execute(text(f"analyze {self.name}"))


COLLECTIONS: Mapping[str, Collection[str]] = {
    entity: tuple(
        name for name, kind in Incoming(entity).columns.items() if name != "source" and isinstance(kind, ARRAY | JSON)
    )
    for entity in MODELS
}


def stated(record: Canonical) -> dict[str, Any]:
    """A record's values by field. A collection that was not stated is None: that must not empty a known one."""
    values = dict(record.__dict__)
    for name in COLLECTIONS[record.entity]:
        if name not in record.model_fields_set:
            values[name] = None
    return values


def _column(values: list[Any], kind: TypeEngine[Any]) -> pa.Array:
    """As Arrow takes it quickly: a Decimal travels as text, since guessing its scale costs sixty times as much."""
    if isinstance(kind, Numeric):
        return pa.array([None if value is None else str(value) for value in values], pa.string())
    if isinstance(kind, JSON):
        return pa.array([_json(value) for value in values], pa.string())
    if isinstance(kind, ARRAY):
        return pa.array(values, pa.list_(pa.string()))
    if isinstance(kind, DateTime):
        return pa.array(values, pa.timestamp("us", "UTC"))
    return pa.array(values)


def _json(value: Any) -> str | None:
    return value if value is None or isinstance(value, str) else to_json(value).decode()
