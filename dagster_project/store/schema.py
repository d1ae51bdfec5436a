"""How tables are declared: one metadata, the types of columns, the parts that tables share."""

from sqlalchemy import Column, DateTime, MetaData, Numeric, Table, Text
from sqlalchemy.dialects.postgresql import JSONB

SCHEMAS = ("canonical", "position", "identity", "segment", "privacy", "ledger", "hub", "mart", "dagster")
metadata = MetaData()

AMOUNT = Numeric(18, 2)
QUANTITY = Numeric(18, 3)
MOMENT = DateTime(timezone=True)


def table(name: str, schema: str, *parts: object, doc: str, fill: int = 100) -> Table:
    """`fill`: per cent of a page that inserts fill. Where room is left, and no index names a changed column, an update
    stays in its page and touches no index: that is four times cheaper."""
    storage = {"fillfactor": fill} if fill < 100 else None
    return Table(name, metadata, *parts, schema=schema, comment=doc, postgresql_with=storage)  # type: ignore[arg-type]


def key(name: str, kind: object = Text) -> Column[object]:
    return Column(name, kind, primary_key=True)  # type: ignore[arg-type]


def source() -> Column[object]:
    """Who said so, and when."""
    return Column("source", JSONB, nullable=False)
