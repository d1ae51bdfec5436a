"""Points that are too old, and the entries that end them."""

from datetime import datetime, timedelta

import pyarrow as pa
from sqlalchemy import Connection, text

from dagster_project.store.merge import marked
from dagster_project.store.people.contact_views import HOLDER
from dagster_project.store.people.contacts import buyer
from dagster_project.store.transfer import copy_in, read

RESOURCE = "expiry"
"""Stands in `source` of an entry that the hub booked itself, so that no vendor's listing takes it for gone."""

_LEDGER = f"""
with told as (
  select {HOLDER} as holder, connection || ':' || external_id as entry, at, points, reason
  from canonical.loyalty_entry where deleted_at is null
)
select holder, entry, at, points from told
where holder in (select holder from told where points > 0 and at <= cast(:now as timestamptz) - cast(:life as interval))
"""
_BOOK = f"""
with ended as materialized (
  select t.*, substr(e.name, strpos(e.name, ':') + 1) as name, e.ends, e.left_over from ended_points e
  join canonical.loyalty_entry t on t.connection = split_part(e.entry, ':', 1)
    and t.external_id = substr(e.entry, strpos(e.entry, ':') + 1)
), fresh as (
  insert into canonical.loyalty_entry
    (connection, external_id, customer, person_id, loyalty_id, at, points, reason, reference, source)
  select connection, name, customer, person_id, loyalty_id, ends, left_over, 'expiry', external_id,
         jsonb_build_object('connection', connection, 'resource', '{RESOURCE}', 'key', external_id)
  from ended on conflict (connection, external_id) do update
    set at = excluded.at, points = excluded.points, deleted_at = null where loyalty_entry.deleted_at is not null
  returning *
), {marked("customer", f"select {buyer('loyalty_entry', connection='n.connection')} from fresh n")}
select count(*) from fresh
"""
_TAKE_BACK = f"""
with fresh as (
  update canonical.loyalty_entry n set deleted_at = :now
  from canonical.loyalty_entry t
  where n.source ->> 'resource' = '{RESOURCE}' and n.deleted_at is null and n.connection = t.connection
    and n.reference = t.external_id and t.deleted_at is not null
  returning n.*
), {marked("customer", f"select {buyer('loyalty_entry', connection='n.connection')} from fresh n")}
select count(*) from fresh
"""


def ledger(db: Connection, life: timedelta, now: datetime) -> pa.Table:
    """holder, entry (`connection:external_id`), at, points of whoever was given points longer ago than `life`."""
    return read(db, _LEDGER, {"life": life, "now": now})


def book(db: Connection, ended: pa.Table) -> int:
    """Appends the entries that end others (`mappings.loyalty.expired`), each once; gives how many are new."""
    columns = "entry text, name text, ends timestamptz, left_over numeric"
    db.execute(text(f"create temp table ended_points ({columns}) on commit drop"))
    rows = {
        "entry": pa.array([name.rpartition("/expiry")[0] for name in ended["entry"].to_pylist()], pa.string()),
        "name": ended.column("entry"),
        "ends": ended.column("at"),
        "left_over": ended.column("points"),
    }
    copy_in(db, "ended_points", pa.table(rows))
    return int(db.execute(text(_BOOK), {"because": "points were too old"}).scalar_one())


def take_back(db: Connection, now: datetime) -> int:
    """Entries that ended others which their source has withdrawn since count no more."""
    return int(db.execute(text(_TAKE_BACK), {"now": now, "because": "points were withdrawn"}).scalar_one())
