"""Contacts, carts and points on their way from `incoming` into the canonical tables.

Each marks its buyer dirty, so that identity looks again at whom it belongs to: `connection:customer`, and of what names
no customer but a contact or a card `connection:<entity>:<id>`.
"""

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

import pyarrow as pa
from sqlalchemy import Connection, text

from dagster_project.store.goods import Put
from dagster_project.store.incoming import Incoming
from dagster_project.store.lines import lines_of
from dagster_project.store.merge import marked, merged
from dagster_project.store.people import suppression
from dagster_project.store.people.statements import mark_holders
from dagster_project.store.transfer import read
from mappings.carts.merging import ABANDONED

Values = Mapping[str, Any]
CHANGED = "changed_entry"
"""Rule of an entry of points that says otherwise than it did: the ledger is append-only."""


def buyer(
    entity: str, rows: str = "n", known: str = "n.loyalty_id", connection: str = "cast(:connection as text)"
) -> str:
    """Whose a row is, as identity is told of it; null of a row that says nothing of anybody."""
    named = f"{rows}.customer, case when {known} is not null then '{entity}:' || {rows}.external_id end"
    return f"{connection} || ':' || coalesce({named})"


def _fields(entity: str) -> str:
    names = (name for name in Incoming(entity).columns if name not in ("seq", "source"))
    return ", ".join(f'i."{name}"' for name in names)


# ── contacts ──────────────────────────────────────────────────────────────────────────────────────────────────────────

_CONTACT_ROWS = f"""
  select distinct on (i.external_id) cast(:connection as text) as connection, {_fields("contact_event")}, i.source
  from incoming_contact_event i order by i.external_id, i.seq desc"""
_CONTACT_WAS = f"case when t.connection is not null then {buyer('contact_event', 't', 't.identifier')} end"
_CONTACTS = f"""
with {merged("contact_event", _CONTACT_ROWS, Incoming("contact_event").columns, was=_CONTACT_WAS)},
{
    marked(
        "customer",
        f"select {buyer('contact_event', 'n', 'n.identifier')} from merged n union all select was from merged",
    )
}
select (select count(*) from merged), (select count(*) from marked)
"""


def put_contacts(db: Connection, values: Values) -> Put:
    """Whoever unsubscribed or complained is suppressed at once, and so is an address that is dead."""
    if left_alone := suppression.from_contacts(db, values):
        mark_holders(db, left_alone, values["because"])
    return Put(*db.execute(text(_CONTACTS), values).one())


# ── carts ─────────────────────────────────────────────────────────────────────────────────────────────────────────────

_CART_ROWS = f"select cast(:connection as text) as connection, {_fields('cart')}, i.source from latest i"
# A cart told late, as it was before, changes nothing: neither its head nor its lines.
_CARTS = f"""
with newest as materialized (
  select distinct on (i.external_id) i.* from incoming_cart i order by i.external_id, i.updated_at desc, i.seq desc
), latest as materialized (
  select n.* from newest n
  where not exists (select from canonical.cart t where t.connection = :connection and t.external_id = n.external_id
                    and t.deleted_at is null and t.updated_at > n.updated_at)
), {merged("cart", _CART_ROWS, Incoming("cart").columns, was="t.customer", name="heads")},
{lines_of("cart_line")}, buyers as (
  select l.customer from latest l join changed using (external_id)
  union select t.customer from canonical.cart t join changed using (external_id) where t.connection = :connection
  union select was from heads
), {marked("customer", "select cast(:connection as text) || ':' || customer from buyers")}
select (select count(*) from changed), (select count(*) from marked), (select count(*) from resolved where unbound)
"""


def put_carts(db: Connection, values: Values) -> Put:
    """Heads, and lines where they differ. `unbound` counts lines whose sku no product has."""
    return Put(*db.execute(text(_CARTS), values).one())


def abandoned(db: Connection, *, idle: timedelta, now: datetime) -> pa.Table:
    """What persons left in carts, untouched for `idle`, and have not bought since anywhere; columns of mart.cart."""
    asked = ABANDONED.format(wanted="mart.cart", now="cast(:now as timestamptz)", idle="cast(:idle as interval)")
    return read(db, asked, {"now": now, "idle": idle})


# ── points ────────────────────────────────────────────────────────────────────────────────────────────────────────────

_SAID = "customer, loyalty_id, at, points, reason, reference"
_SAME = """(t.at, t.points, t.reason) = (i.at, i.points, i.reason)
  and coalesce(t.customer = i.customer, true) and coalesce(t.loyalty_id = i.loyalty_id, true)
  and coalesce(t.reference = i.reference, true)"""
# What is there stands; what came first of two that differ stands too. Only whose it is may be learnt later.
_POINTS = f"""
with told as materialized (
  select i.seq, i.external_id, i.customer, i.loyalty_id, i.at, cast(i.points as numeric(18,3)) as points,
         coalesce(i.reason, 'purchase') as reason, i.reference, i.source from incoming_loyalty_entry i
), first as materialized (
  select distinct on (external_id) * from told order by external_id, seq
), standing as materialized (
  select t.external_id, t.{_SAID.replace(", ", ", t.")}, t.deleted_at is not null as gone, true as stored
  from canonical.loyalty_entry t join first f using (external_id) where t.connection = :connection
  union all
  select f.external_id, f.{_SAID.replace(", ", ", f.")}, false, false from first f
  where not exists (select from canonical.loyalty_entry t
                    where t.connection = :connection and t.external_id = f.external_id)
), aside as (
  insert into set_aside (seq, entity, rule, reason)
  select i.seq, 'loyalty_entry', '{CHANGED}',
         'this entry was told before with other content; entries never change: correct it by a further entry'
  from told i join standing t using (external_id) where not ({_SAME})
), fresh as materialized (
  select distinct on (i.external_id) i.external_id, coalesce(i.customer, t.customer) as customer,
         coalesce(i.loyalty_id, t.loyalty_id) as loyalty_id, t.at, t.points, t.reason,
         coalesce(i.reference, t.reference) as reference, i.source
  from told i join standing t using (external_id)
  where {_SAME} and (not t.stored or t.gone
    or (t.customer, t.loyalty_id, t.reference) is distinct from (coalesce(i.customer, t.customer),
        coalesce(i.loyalty_id, t.loyalty_id), coalesce(i.reference, t.reference)))
  order by i.external_id, i.seq
), put as (
  insert into canonical.loyalty_entry (connection, external_id, {_SAID}, source)
  select :connection, external_id, {_SAID}, source from fresh order by external_id
  on conflict (connection, external_id) do update set customer = excluded.customer, loyalty_id = excluded.loyalty_id,
    reference = excluded.reference, source = excluded.source, deleted_at = null
), {marked("customer", f"select {buyer('loyalty_entry')} from fresh n")}
select (select count(*) from fresh), (select count(*) from marked)
"""
# Of a person, else of the buyer as the source names him, else of a card.
_OVERDRAWN = text("""
with told as materialized (
  select distinct t.person_id, t.customer, t.loyalty_id from canonical.loyalty_entry t
  where t.connection = :connection and t.external_id in (select external_id from incoming_loyalty_entry)
), spent as (
  select from canonical.loyalty_entry t
  where t.deleted_at is null and t.person_id in (select person_id from told)
  group by t.person_id having sum(t.points) < 0
  union all
  select from canonical.loyalty_entry t
  where t.deleted_at is null and t.person_id is null and t.connection = :connection
    and t.customer in (select customer from told where person_id is null)
  group by t.customer having sum(t.points) < 0
  union all
  select from canonical.loyalty_entry t
  where t.deleted_at is null and t.person_id is null and t.customer is null and t.connection = :connection
    and t.loyalty_id in (select loyalty_id from told where person_id is null and customer is null)
  group by t.loyalty_id having sum(t.points) < 0
)
select count(*) from spent
""")


def put_points(db: Connection, values: Values) -> Put:
    """Appends entries. One that is told again is nothing new; one that says otherwise now is set aside."""
    return Put(*db.execute(text(_POINTS), values).one())


def overdrawn(db: Connection, values: Values) -> int:
    """Holders among those just told of who have spent more points than they had: kept, and flagged in the balance."""
    return int(db.execute(_OVERDRAWN, values).scalar_one())
