"""What an asset shows of its rows: counts, and a small table of columns that name no person."""

from collections.abc import Sequence
from typing import Any

from dagster import MetadataValue
from sqlalchemy import Engine, text

SAFE = {
    "product": "sku, name, brand, category, status",
    "location": "location, name, kind, city",
    "stock_level": "sku, location, on_hand, as_of",
    "price": "sku, price_type, amount, currency",
    "listing": "connection, external_id, sku, observed_price, observed_stock",
    "customer": "connection, cardinality(phones) as phones, cardinality(emails) as emails, city",
    "order": "connection, number, kind, channel, placed_at, status, total, currency",
    "contact_event": "connection, at, channel, kind, direction, campaign",
    "consent_event": "connection, at, channel, purpose, state",
    "cart": "connection, channel, updated_at, state",
    "loyalty_entry": "connection, at, points, reason",
    "reservation": "connection, line, sku, location, quantity, state",
}
"""Columns that may appear in run metadata: none of them is personal data."""


def markdown(rows: Sequence[Any], columns: Sequence[str]) -> str:
    """A Markdown table; a word instead of one when there is nothing."""
    if not rows:
        return "_no rows_"
    lines = ["| " + " | ".join(columns) + " |", "|" + " --- |" * len(columns)]
    lines += ["| " + " | ".join(_cell(value) for value in row) + " |" for row in rows]
    return "\n".join(lines)


def _cell(value: Any) -> str:
    return "" if value is None else str(value).replace("|", "\\|").replace("\n", " ")[:80]


def preview(engine: Engine, sql: str, **parameters: Any) -> MetadataValue:
    """The rows of a query as Markdown."""
    with engine.connect() as connection:
        result = connection.execute(text(sql), parameters)
        return MetadataValue.md(markdown(result.fetchall(), list(result.keys())))


def of_entity(engine: Engine, entity: str) -> dict[str, MetadataValue]:
    """Row count and the first rows of a canonical entity."""
    table = f'canonical."{entity}"'
    with engine.connect() as connection:
        total = connection.execute(text(f"select count(*) from {table}")).scalar_one()
    return {
        "dagster/row_count": MetadataValue.int(total),
        "preview": preview(engine, f"select {SAFE[entity]} from {table} limit 8"),
    }
