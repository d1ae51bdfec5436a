"""Orders to decide about: what each should show at its origin, and what its copies elsewhere should say."""

import json
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import UTC
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
from sqlalchemy import Connection as Database
from sqlalchemy import CursorResult, Row, text

from dagster_project.connections import Connection, Hub
from dagster_project.steps.slices import Slice
from dagster_project.store.ledger import Queue
from mappings.orders.copy import copy_of
from mappings.orders.status import Standing, Wish, wished
from mappings.sync.diff import Faced
from mappings.sync.values import as_json

DESIRED = pa.schema(
    [
        (name, pa.string())
        for name in ("subject", "value", "excluded", "hold", "withdrawal", "external_id", "because", "about")
    ]
)
ORDER_KEYS = {"connections": "connection", "ids": "external_id"}
NEVER_MIND = ("cancelled", "returning", "returned")

_SALE = "o.kind = 'sale' and o.copy_of is null and o.deleted_at is null and {these}"
# Orders that were over before they were ever ours to move have no row in the ledger.
_OURS = """
(o.status not in ('completed','cancelled','returned')
 or exists (select from ledger.item i where i.connection = :queue and i.capability = :capability
            and i.subject = o.connection || ':' || o.external_id))
"""


def keeper_of(hub: Hub, connection: Connection) -> str | None:
    """The connection that keeps copies of this channel's orders, and says how they go on."""
    if connection.entry.orders_to:
        return connection.entry.orders_to
    keeper = next(iter(hub.authority("order")), None)
    is_channel = connection.spec is not None and connection.spec.channel is not None
    return keeper if is_channel and keeper != connection.name else None


def _asked(
    db: Database, query: str, queue: Queue, slice: Slice, origins: Sequence[str], **values: Any
) -> CursorResult[Any]:
    """Rows of a query about the slice's orders of these connections."""
    subjects = [subject.partition(":") for subject in slice.subjects or ()]
    ids = [external_id for origin, _, external_id in subjects if origin in origins]
    asked = {"queue": queue.connection, "capability": queue.capability, "origins": list(origins), "ids": ids}
    these = "true" if slice.subjects is None else "o.external_id = any(:ids)"
    return db.execute(text(query.replace("{these}", these)), {**asked, **values})


# ── the status at the origin ──────────────────────────────────────────────────────────────────────────────────────────

# The lines of a system that counts its own stock are promised by its own books.
_STANDING = f"""
select o.external_id, o.status, lines.number, lines.promised, lines.short, copy.status as copied, r.asked,
       r.asked_by || case when r.why <> '' then ': ' || r.why else '' end as asked_by
from canonical."order" o
left join hub.order_request r using (connection, external_id)
cross join lateral (
  select count(*) as number,
         count(*) filter (where r.state in ('active', 'consumed') or own_books) as promised,
         array_agg(trim_scale(l.quantity) || ' of ' || coalesce(l.sku, l.name, 'something unknown') order by l.line)
           filter (where coalesce(r.state, '') not in ('active', 'consumed') and not own_books) as short
  from canonical.order_line l
  left join canonical.reservation r using (connection, external_id, line)
  cross join lateral (select exists (select from canonical.stock_level c
                                     where c.sku = l.sku and c.connection = o.connection) as own_books) books
  where l.connection = o.connection and l.external_id = o.external_id and l.quantity > 0
) lines
left join lateral (
  select c.status
  from hub.binding b join canonical."order" c on c.connection = b.connection and c.external_id = b.external_id
  where b.connection = :keeper and b.entity = 'order' and b.our_id = o.connection || ':' || o.external_id
  order by c.placed_at limit 1
) copy on true
where o.connection = any(:origins) and {_SALE} and (r.asked is not null or {_OURS})
"""


def statuses(hub: Hub, connection: Connection, queue: Queue, slice: Slice) -> Faced:
    """The connection's own orders. What they show counts as confirmed, as far as it goes beyond what they were told."""
    items = slice.confirmed(queue)
    told = dict(zip(*(items[name].to_pylist() for name in ("subject", "acknowledged")), strict=True))
    keeper = keeper_of(hub, connection)
    with slice.engine.connect() as db:
        orders = _asked(db, _STANDING, queue, slice, [connection.name], keeper=keeper).all()
    desired, shown = [], {}
    for order in orders:
        subject = f"{connection.name}:{order.external_id}"
        wish = _wish(order, told.get(subject), keeper)
        shown[subject] = as_json(wish.seen)
        desired.append(
            {"subject": subject, "value": None if wish.hold else as_json(wish.value), "hold": wish.hold,
             "external_id": order.external_id, "because": wish.because}
        )  # fmt: skip
    return Faced(_table(desired), items, slice.restless(queue), _values(shown))


def _wish(order: Row[Any], told: str | None, keeper: str | None) -> Wish:
    heard = json.loads(told) if told else {}
    standing = Standing(
        order.status, heard.get("status"), order.number, order.promised, order.short or (), order.copied, keeper
    )
    return wished(replace(standing, asked=order.asked or {}, by=order.asked_by or "", heard=heard))


# ── copies elsewhere ──────────────────────────────────────────────────────────────────────────────────────────────────

_ORDERS = f"""
select o.*, copy.external_id as copied_as from canonical."order" o
left join lateral (
  select b.external_id from hub.binding b
  where b.connection = :queue and b.entity = 'order' and b.our_id = o.connection || ':' || o.external_id
  order by b.since limit 1
) copy on true
where o.connection = any(:origins) and {_SALE} and {_OURS}
"""
_LINES = text("""
select l.*, v.external_id as bound_to
from unnest(cast(:connections as text[]), cast(:ids as text[])) asked(connection, external_id)
join canonical.order_line l using (connection, external_id)
left join lateral (
  select min(b.external_id) as external_id from hub.binding b
  where b.connection = :queue and b.entity = 'variant' and b.our_id = l.sku
) v on true
order by l.connection, l.external_id, l.line
""")


def copies(hub: Hub, connection: Connection, queue: Queue, slice: Slice) -> Faced:
    """Orders of every channel whose copies the connection keeps. A copy that it made by itself counts as confirmed."""
    origins = [one.name for one in hub.connections.values() if keeper_of(hub, one) == connection.name]
    items = slice.confirmed(queue)
    known = set(items["subject"].to_pylist())
    told = set(items.filter(pc.is_valid(items["acknowledged"]))["subject"].to_pylist())
    with slice.engine.connect() as db:
        orders = _asked(db, _ORDERS, queue, slice, origins).mappings().all()
        lines = _lines_of(db, queue, orders)
    desired, made = [], {}
    for order in orders:
        copy = _copy(order, lines[order["connection"], order["external_id"]])
        if order["copied_as"] and copy["subject"] not in known:
            made[copy["subject"]] = copy["value"]
        elif order["status"] in NEVER_MIND and copy["subject"] not in told:
            copy["excluded"] = f"{order['status']} before it was copied"
        desired.append(copy)
    return Faced(_table(desired), items, slice.restless(queue), _values(made))


def _lines_of(
    db: Database, queue: Queue, orders: Sequence[Mapping[str, Any]]
) -> Mapping[tuple[str, str], list[Mapping[str, Any]]]:
    keys = {name: [order[column] for order in orders] for name, column in ORDER_KEYS.items()}
    found = defaultdict(list)
    for line in db.execute(_LINES, {**keys, "queue": queue.connection}).mappings():
        found[line["connection"], line["external_id"]].append(line)
    return found


def _copy(order: Mapping[str, Any], lines: list[Mapping[str, Any]]) -> dict[str, Any]:
    bound = {line["sku"]: line["bound_to"] for line in lines if line["bound_to"]}
    placed_at = order["placed_at"].astimezone(UTC).isoformat()
    return {
        "subject": f"{order['connection']}:{order['external_id']}",
        "value": as_json(copy_of({**order, "placed_at": placed_at}, lines)),
        "external_id": order["copied_as"],
        "because": f"{order['connection']}: order {order['number']} is {order['status']}",
        "about": as_json({"variants": bound}),
    }


def _table(rows: Sequence[Mapping[str, Any]]) -> pa.Table:
    return pa.table({name: [row.get(name) for row in rows] for name in DESIRED.names}, schema=DESIRED)


def _values(observed: Mapping[str, str]) -> pa.Table:
    return pa.table({"subject": pa.array(observed, pa.string()), "value": pa.array(observed.values(), pa.string())})
