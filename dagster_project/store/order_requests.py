"""What people asked of orders, in the store: one standing request an order."""

from datetime import datetime
from typing import Any

from sqlalchemy import Connection as Database
from sqlalchemy import text

from dagster_project.store.hub_tables import order_request
from dagster_project.store.transfer import upsert

KEY = ("connection", "external_id")

_LINES = text("""
select l.line, l.sku, l.quantity
from canonical."order" o left join canonical.order_line l using (connection, external_id)
where o.connection = :connection and o.external_id = :external_id and o.kind = 'sale' and o.deleted_at is null
""")
_STANDING = text("""
select asked from hub.order_request where connection = :connection and external_id = :external_id for update
""")
_WITHDRAW = text("delete from hub.order_request where connection = :connection and external_id = :external_id")


def lines_of(db: Database, connection: str, external_id: str) -> dict[str, Any] | None:
    """Line → its row (line, sku, quantity) of a sale; None where there is no such sale."""
    rows = db.execute(_LINES, {"connection": connection, "external_id": external_id}).all()
    return {row.line: row for row in rows if row.line is not None} if rows else None


def standing(db: Database, connection: str, external_id: str) -> dict[str, Any]:
    """What is asked of the order so far; locked until the end of the transaction."""
    found = db.execute(_STANDING, {"connection": connection, "external_id": external_id}).scalar()
    return dict(found or {})


def put(
    db: Database, connection: str, external_id: str, asked: dict[str, Any], *, who: str, why: str, now: datetime
) -> None:
    """Writes the request down in place of the one before."""
    row = {"connection": connection, "external_id": external_id, "asked": asked, "asked_by": who, "why": why, "at": now}
    upsert(db, order_request, [row], KEY)


def withdraw(db: Database, connection: str, external_id: str) -> bool:
    """Whether there was a request to take back."""
    return bool(db.execute(_WITHDRAW, {"connection": connection, "external_id": external_id}).rowcount)
