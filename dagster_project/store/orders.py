"""Orders and their lines on their way from `incoming` into the canonical tables, and the history of their moves."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import pyarrow as pa
from sqlalchemy import Connection, text

from dagster_project.store.goods import Put
from dagster_project.store.incoming import Incoming
from dagster_project.store.lines import lines_of
from dagster_project.store.merge import marked, merged
from dagster_project.store.transfer import copy_in


@dataclass(frozen=True)
class Known:
    """Where a stored order stands. `updated_at` None: the vendor tells none, or the order was gone; nothing is late."""

    status: str
    status_raw: str | None
    updated_at: datetime | None


def known(db: Connection, connection: str, external_ids: Sequence[str]) -> dict[str, Known]:
    """By external id, of those that are stored."""
    statement = text(
        "select external_id, status, status_raw, case when deleted_at is null then updated_at end "
        'from canonical."order" '
        "where connection = :connection and external_id = any(:ids)"
    )
    found = db.execute(statement, {"connection": connection, "ids": list(external_ids)})
    return {row[0]: Known(*row[1:]) for row in found}


# ── history ───────────────────────────────────────────────────────────────────────────────────────────────────────────


@dataclass(frozen=True)
class Event:
    """A status that was learnt. `note`: why it did not move the order, None where it did."""

    external_id: str
    at: datetime
    status: str
    status_raw: str | None
    note: str | None
    source: str


def prepare_events(db: Connection) -> None:
    """The temporary table of events, empty."""
    columns = "external_id text, at timestamptz, status text, status_raw text, note text, source jsonb"
    db.execute(text(f"create temp table if not exists incoming_event ({columns}) on commit delete rows"))
    db.execute(text("delete from incoming_event"))


def add_events(db: Connection, events: Sequence[Event]) -> None:
    if events:
        names = ("external_id", "status", "status_raw", "note", "source")
        columns = {name: pa.array([getattr(event, name) for event in events], pa.string()) for name in names}
        columns["at"] = pa.array([event.at for event in events], pa.timestamp("us", "UTC"))
        copy_in(db, "incoming_event", pa.table(columns))


_EVENTS = text("""
insert into canonical.order_event (connection, external_id, at, status, status_raw, note, source)
select :connection, e.external_id, e.at, e.status, e.status_raw, e.note, e.source from incoming_event e
where not exists (select from canonical.order_event o where o.connection = :connection
                  and o.external_id = e.external_id and o.status = e.status and o.at = e.at)
order by e.external_id, e.at
""")

# ── orders ────────────────────────────────────────────────────────────────────────────────────────────────────────────

_ORDER_FIELDS = ", ".join(
    f'i."{name}"' for name in Incoming("order").columns if name not in ("seq", "source", "copy_of", "returns")
)

BUYER = """{0}.connection || ':' || coalesce({0}.customer,
  case when coalesce({0}.contact_phone, {0}.contact_email, {0}.loyalty_id, {0}.contact_name) is not null
       then 'order:' || {0}.external_id end)"""
"""Whose an order is, as identity is told of it; null of one that says nothing of anybody."""
_BUYERS = f"""
  select was from heads union all select {BUYER.format("h")} from heads h
  union all
  select {BUYER.format("t")} from changed c join canonical."order" t using (external_id)
  where t.connection = :connection"""

_LATEST = "select distinct on (i.external_id) i.* from incoming_order i order by i.external_id, i.seq desc"
_NAMED = "{0}.connection = split_part({1}, ':', 1) and {0}.external_id = substr({1}, strpos({1}, ':') + 1)"
_SOLD = f"""canonical."order" sold on {_NAMED.format("sold", "{0}")}"""

# What comes back is of the origin, though a receipt names the copy, or a copy of that, of the system that books it.
_ORIGIN = f"""case when {{0}} is not null then (
  with recursive way (named, step) as (
    select {{0}}, 0
    union all
    select b.our_id, way.step + 1 from way join hub.binding b
      on b.entity = 'order' and {_NAMED.format("b", "way.named")} and way.step < 5
  )
  select named from way order by step desc limit 1) end"""

# A return at any till may name nobody; it is of whoever bought what comes back.
_RETURNED = f"""
  select sold.person_id from latest l join changed using (external_id) join {_SOLD.format("l.sold")}"""

# A copy is known by what it carries, or by the receipt we got when we made it. Its system knew of it before we read it,
# and a count taken in between holds back what it reserves.
_COPIES = text(f"""
insert into hub.binding as b (connection, entity, external_id, our_id, how, since)
select :connection, 'order', external_id, copy_of, 'reference', least(placed_at, cast(:now as timestamptz))
from ({_LATEST}) latest where copy_of is not null
on conflict do nothing
""")
_ORDERS = f"""
with latest as materialized (
  select i.*, {_ORIGIN.format("i.returns")} as sold from ({_LATEST}) i
), {
    merged(
        "order",
        f'''
  select cast(:connection as text) as connection, {_ORDER_FIELDS}, i.sold as returns,
         coalesce(i.copy_of, made.our_id) as copy_of, i.source
  from latest i left join hub.binding made
    on made.connection = :connection and made.entity = 'order' and made.external_id = i.external_id''',
        (*Incoming("order").columns,),
        was=f"case when t.connection is not null then {BUYER.format('t')} end",
        name="heads",
    )
},
{lines_of("order_line")}, {marked("order", "select cast(:connection as text) || ':' || external_id from changed")},
{marked("customer", _BUYERS, name="buyers")},
{marked("person", _RETURNED, name="returned")}
select (select count(*) from changed), (select count(*) from marked), (select count(*) from resolved where unbound)
"""

_BUYER_OF_ORIGIN = f"select sold.person_id from moved join {_SOLD.format('moved.returns')}"
# A copy may be told after what came back of it: both whoever brought that and whoever bought the origin are concerned.
_LATE = f"""
with told as (
  select r.connection, r.external_id, {_ORIGIN.format("r.returns")} as origin
  from incoming_order i
  join hub.binding b on b.connection = :connection and b.entity = 'order' and b.external_id = i.external_id
  join canonical."order" r on r.returns = b.connection || ':' || b.external_id
), moved as (
  update canonical."order" r set returns = told.origin
  from told where r.connection = told.connection and r.external_id = told.external_id
  returning r.person_id, r.returns
), {marked("person", f"select person_id from moved union all {_BUYER_OF_ORIGIN}")}
select count(*) from marked
"""


def put_orders(db: Connection, values: Mapping[str, Any]) -> Put:
    """Heads, lines (replaced where they differ) and history. `unbound` counts lines whose sku no product has."""
    for statement in (_EVENTS, _COPIES):
        db.execute(statement, values)
    put = Put(*db.execute(text(_ORDERS), values).one())
    db.execute(text(_LATE), values)
    return put


_MADE = text("""
insert into hub.binding (connection, entity, external_id, our_id, how, since)
select :connection, 'order', made.receipt, made.subject, 'receipt', made.since
from unnest(cast(:receipts as text[]), cast(:subjects as text[]), cast(:moments as timestamptz[]))
  made(receipt, subject, since)
on conflict do nothing
""")


def remember_copies(db: Connection, connection: str, made: Sequence[tuple[str, str, datetime]]) -> None:
    """Copies that a system confirmed: (its id, `connection:id` of the origin, when the request left).

    From that moment on the system's counts may hold back what the order does.
    """
    if made:
        receipts, subjects, moments = (list(column) for column in zip(*made, strict=True))
        values = {"connection": connection, "receipts": receipts, "subjects": subjects, "moments": moments}
        db.execute(_MADE, values)
