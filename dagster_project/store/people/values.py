"""What people bought, on its way from orders into sums and scores, and the dated models behind the scores."""

import json
from collections.abc import Mapping
from datetime import date
from typing import Any

import pyarrow as pa
from sqlalchemy import Connection, text

from dagster_project.store.tables import TABLES
from dagster_project.store.transfer import read, upsert
from mappings.segments.value import ORDERS

VALUE = TABLES["segment.person_value"]


# ── orders ────────────────────────────────────────────────────────────────────────────────────────────────────────────

# A return is of whoever bought what comes back, whoever brings it. A sale that its system calls returned, and of which
# no return tells, came back whole.
_SIGNED = """
with mine as (
  select o.* from among_persons a cross join lateral (
    select connection, external_id, kind, channel, placed_at, status, returns, person_id,
           case when currency = :currency then total end as total
    from canonical."order" o where o.person_id = a.person_id and status <> 'cancelled' and deleted_at is null
      and copy_of is null
    offset 0  -- by index, as in store.people.among
  ) o where a.person_id between :first and :last
), back as (
  select r.person_id as brought_by, s.person_id, 'return' as kind, r.channel, r.placed_at,
         case when r.currency = :currency then r.total end as total,
         s.connection, s.external_id
  from mine s join canonical."order" r on r.returns = s.connection || ':' || s.external_id
  where s.kind = 'sale' and r.kind = 'return' and r.status <> 'cancelled' and r.deleted_at is null
    and r.copy_of is null
), signed as (
  select person_id, kind, channel, placed_at, total from mine where kind = 'sale'
  union all
  select m.person_id, m.kind, m.channel, m.placed_at, m.total from mine m
  where m.kind = 'return' and not exists (
    select from canonical."order" s where s.connection = split_part(m.returns, ':', 1)
      and s.external_id = substr(m.returns, strpos(m.returns, ':') + 1) and s.person_id is not null)
  union all
  select person_id, kind, channel, placed_at, total from back
  union all
  select m.person_id, 'return', m.channel, m.placed_at, m.total from mine m
  where m.kind = 'sale' and m.status = 'returned'
    and not exists (select from back b where (b.connection, b.external_id) = (m.connection, m.external_id))
)
select person_id, kind, channel, placed_at as at, cast(placed_at at time zone :zone as date) as day, total as amount
from signed
"""


def orders(db: Connection, between: tuple[str, str], currency: str, zone: str) -> pa.Table:
    """ORDERS of the staged persons from one to another. What was paid in another currency than the hub's does not add
    up; that something was bought counts."""
    first, last = between
    return read(db, _SIGNED, {"first": first, "last": last, "currency": currency, "zone": zone}).cast(ORDERS)


# ── values ────────────────────────────────────────────────────────────────────────────────────────────────────────────


def put(db: Connection, values: pa.Table) -> pa.ChunkedArray:
    """Writes values or some of their columns; the persons for whom they really changed, the day of scoring aside."""
    compared = [name for name in values.column_names if name not in ("person_id", "as_of")]
    return upsert(db, VALUE, values, ["person_id"], compared)["person_id"]


def forget(db: Connection, persons: pa.ChunkedArray | pa.Array) -> None:
    """Who has no orders has no value."""
    if len(persons):
        gone = text("delete from segment.person_value where person_id = any(:persons)")
        db.execute(gone, {"persons": persons.to_pylist()})


def stored(db: Connection, condition: str = "true", **values: Any) -> pa.Table:
    """Values for which an SQL condition of ours holds."""
    return read(db, f"select * from segment.person_value where {condition}", values)


# ── models ────────────────────────────────────────────────────────────────────────────────────────────────────────────

_LATEST = text(
    "select parameters, fitted_on from segment.model where kind = :kind and fitted_on <= :today "
    "order by fitted_on desc limit 1"
)
_KEEP = text("""
insert into segment.model (kind, fitted_on, parameters, people)
values (:kind, :day, cast(:parameters as jsonb), :people)
on conflict (kind, fitted_on) do update set parameters = excluded.parameters, people = excluded.people
""")


def model(db: Connection, kind: str, today: date) -> tuple[dict[str, Any] | None, date | None]:
    """What was learnt last, and when."""
    found = db.execute(_LATEST, {"kind": kind, "today": today}).one_or_none()
    return (found.parameters, found.fitted_on) if found else (None, None)


def keep_model(db: Connection, kind: str, day: date, parameters: Mapping[str, Any], people: int) -> None:
    said = {"kind": kind, "day": day, "parameters": json.dumps(parameters), "people": people}
    db.execute(_KEEP, said)


# Buyers alike are counted where they are: a million of them are some thousand cells.
_CELLS = """
select days - 1 as frequency, round((last_day - first_day) / 7.0) as recency, round((:today - first_day) / 7.0) as age,
       count(*) as count
from segment.person_value where days > 0 group by 1, 2, 3
"""
_AMOUNTS = """
select summed_days as frequency, sum / summed_days as average from segment.person_value
where summed_days > 1 and sum > 0 order by md5(person_id) limit 200000
"""


def buyers(db: Connection, today: date) -> pa.Table:
    """frequency, recency, age (in weeks), count."""
    return read(db, _CELLS, {"today": today})


def amounts(db: Connection) -> pa.Table:
    """frequency and average of those who bought for the hub's currency on several days, at most 200,000 of them."""
    return read(db, _AMOUNTS)
