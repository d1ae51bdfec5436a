"""Reservations in the store: which lines ask for units, what became of theirs, and the statement that promises one."""

from collections.abc import Collection, Sequence
from dataclasses import asdict, dataclass, replace
from datetime import datetime
from typing import Any

from sqlalchemy import Connection as Database
from sqlalchemy import Row, text

from dagster_project.connections import Connection, Hub
from dagster_project.store.canonical_tables import reservation
from dagster_project.store.transfer import upsert
from mappings.stock.reservation import GONE, WAITING, Line, Reservation

FIELDS = tuple(column.name for column in reservation.columns if column.name != "expires_at")


@dataclass(frozen=True)
class Scope:
    """What is looked at: lines of these skus, lines of these orders (`connection:id`). Both None: everything."""

    skus: Collection[str] | None = None
    orders: Collection[str] | None = None

    @property
    def everything(self) -> bool:
        return self.skus is None and self.orders is None

    @property
    def names(self) -> dict[str, Any]:
        orders = [order.partition(":") for order in self.orders or ()]
        return {
            "skus": list(self.skus or ()),
            "connections": [connection for connection, _, _ in orders],
            "ids": [external_id for _, _, external_id in orders],
            "waiting": list(WAITING),
            "gone": list(GONE),
        }


_SKUS_OF_ORDERS = text("""
with asked as (
  select * from unnest(cast(:connections as text[]), cast(:ids as text[])) asked(connection, external_id)
)
select sku from asked join canonical.order_line using (connection, external_id) where sku is not null
union
select sku from asked join canonical.reservation using (connection, external_id)
""")


def with_rivals(db: Database, scope: Scope) -> Scope:
    """The scope and every sku in its orders: what one order gives back, another waits for."""
    if scope.everything or not scope.orders:
        return scope
    return replace(scope, skus={*(scope.skus or ()), *db.execute(_SKUS_OF_ORDERS, scope.names).scalars()})


# ── sales that were never promised: tills, and orders that had left before we saw them ────────────────────────────────

# Only what is later than somebody else's count can matter; the counting system's own sales are in its next count.
_SALES = """
insert into canonical.reservation (connection, external_id, line, sku, location, quantity, state, placed_at, changed_at)
select o.connection, o.external_id, l.line, l.sku, c.location,
       case o.kind when 'return' then -l.quantity else l.quantity end,
       'consumed', o.placed_at, o.placed_at
from {orders} join canonical.order_line l using (connection, external_id)
join canonical.stock_level c on c.sku = l.sku and c.location = coalesce(l.location, o.location)
where o.status = any(:gone) and o.copy_of is null and o.deleted_at is null and l.quantity > 0
  and c.connection <> o.connection and o.placed_at > c.as_of
on conflict do nothing
"""
_ALL = """canonical."order" o"""
_THESE = """unnest(cast(:connections as text[]), cast(:ids as text[])) asked(connection, external_id)
join canonical."order" o using (connection, external_id)"""


def remember_sales(db: Database, scope: Scope) -> None:
    """Writes down goods that left or came back without ever being promised."""
    if scope.everything or scope.orders:
        db.execute(text(_SALES.format(orders=_ALL if scope.everything else _THESE)), scope.names)


# ── lines and what they hold ──────────────────────────────────────────────────────────────────────────────────────────

_OPEN = "o.status not in ('completed','cancelled','returned')"  # word for word the condition of the index order_open
# A sale may be off while its goods are still on the road: they can be promised again when they are here.
_TRAVELS = "o.status = 'cancelled' and o.delivery ->> 'goods_travel_back' = 'true'"
_BACK = "o.status = 'cancelled' and o.delivery ->> 'goods_are_back' = 'true'"
_ASKING = f"""
  select l.connection, l.external_id, l.line
  from canonical."order" o join canonical.order_line l using (connection, external_id)
  where {_OPEN} and o.kind = 'sale'
"""
_ALL_KEYS = f"""
  {_ASKING}
  union
  select r.connection, r.external_id, r.line
  from canonical.reservation r left join canonical."order" o using (connection, external_id)
  where r.state in ('active', 'short') or r.state = 'consumed' and (
    o.connection is null or o.deleted_at is not null or o.copy_of is not null or o.status = 'returned' or {_BACK})
"""
_SOME_KEYS = f"""
  {_ASKING} and l.sku = any(:skus)
  union
  select r.connection, r.external_id, r.line from canonical.reservation r
  where r.sku = any(:skus) and r.state in ('active', 'short')
  union
  select r.connection, r.external_id, r.line
  from unnest(cast(:connections as text[]), cast(:ids as text[])) asked(connection, external_id)
  join canonical.reservation r using (connection, external_id)
"""
_LINES = """
with keys as ({keys})
select keys.*, o.kind, o.placed_at, o.updated_at, o.payment,
       coalesce(l.location, o.location) as place, l.sku, coalesce(l.quantity, 0) as quantity,
       case when o.connection is null or o.deleted_at is not null then 'deleted'
            when o.copy_of is not null then 'copy'
            when {travels} then 'returning' when {back} then 'returned' else o.status end as status,
       exists (select from canonical.stock_level c where c.sku = l.sku and c.connection = keys.connection) as own_books,
       r.sku as held_sku, r.location as held_location, r.quantity as held_quantity, r.state as held_state,
       r.placed_at as held_placed_at, r.changed_at as held_changed_at
from keys
left join canonical."order" o using (connection, external_id)
left join canonical.order_line l using (connection, external_id, line)
left join canonical.reservation r using (connection, external_id, line)
where coalesce(o.kind, 'sale') = 'sale' or r.state is not null
"""


def lines(db: Database, hub: Hub, scope: Scope, now: datetime) -> list[tuple[Line, Reservation | None]]:
    """Every line that holds units or may ask for some, with what it has."""
    keys = _ALL_KEYS if scope.everything else _SOME_KEYS
    query = text(_LINES.format(keys=keys, travels=_TRAVELS, back=_BACK))
    return [(_line(hub, row, now), _held(row)) for row in db.execute(query, scope.names)]


def _line(hub: Hub, row: Row[Any], now: datetime) -> Line:
    moved_at = row.updated_at or now
    # a system that counts its own stock keeps its own promises: its counts already say so
    known = None if row.own_books and row.held_state is None else row.sku
    return Line(
        row.connection, row.external_id, row.line, row.status, row.placed_at or now, moved_at, known, row.quantity,
        places(hub.connections.get(row.connection), row.place), _paid_at(row),
    )  # fmt: skip


def _held(row: Row[Any]) -> Reservation | None:
    if row.held_state is None:
        return None
    return Reservation(
        row.connection, row.external_id, row.line, row.held_sku, row.held_location, row.held_quantity, row.held_state,
        row.held_placed_at, row.held_changed_at,
    )  # fmt: skip


def places(connection: Connection | None, stated: str | None) -> tuple[str, ...]:
    """Where units may come from: the point that the order names, if it is ours, else the channel's `stock.from`."""
    if stated is not None and (connection is None or not stated.startswith(f"{connection.name}:")):
        return (stated,)
    return connection.entry.stock.from_ if connection else ()


def _paid_at(row: Row[Any]) -> datetime | None:
    payment = row.payment or {}
    for name in ("paid_at", "approved_at"):
        try:
            return datetime.fromisoformat(payment[name]).astimezone()
        except (KeyError, TypeError, ValueError):
            continue
    return row.placed_at if payment.get("state") == "paid" else None


def store(db: Database, reservations: Sequence[Reservation]) -> None:
    """Writes reservations as they are now."""
    upsert(db, reservation, [asdict(one) for one in reservations], ["connection", "external_id", "line"])


# ── the promise ───────────────────────────────────────────────────────────────────────────────────────────────────────

# One statement: the unit is taken only if it is still free when its row is locked, so two who want the last one cannot
# both get it, whatever locks they hold or forgot.
_PROMISE = text("""
with waiting as (
  select * from canonical.reservation
  where connection = :connection and external_id = :external_id and line = :line and state = 'short' for update
), place as (
  select s.sku, s.location, w.quantity
  from waiting w join position.stock s on s.sku = w.sku and s.on_hand - s.reserved >= w.quantity
  where (cardinality(cast(:places as text[])) = 0 or s.location = any(cast(:places as text[])))
    and not exists (select from canonical.location l where l.location = s.location and l.kind = 'transit')
  order by array_position(cast(:places as text[]), s.location), s.on_hand - s.reserved desc, s.location limit 1
), promised as (
  update position.stock s set reserved = s.reserved + place.quantity, version = s.version + 1
  from place
  where s.sku = place.sku and s.location = place.location and s.on_hand - s.reserved >= place.quantity
  returning s.location
)
update canonical.reservation r set state = 'active', location = promised.location, changed_at = :now
from promised where r.connection = :connection and r.external_id = :external_id and r.line = :line
returning r.location
""")


def promise(db: Database, line: Line, now: datetime) -> str | None:
    """Promises the units a short line waits for, from the first of its places that has them all, None: none has."""
    key = {"connection": line.connection, "external_id": line.external_id, "line": line.line}
    place: str | None = db.execute(_PROMISE, {**key, "places": list(line.places), "now": now}).scalar_one_or_none()
    return place
