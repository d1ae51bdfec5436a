"""Facts for marts, the days on which they changed, and marts written anew for these days.

Nobody who writes orders, contacts, persons or segments has to tell: each fact has a fingerprint, a day has their sum,
and a day whose sum is not the one a mart was made of is looked at again. So late facts, deletions, merges and splits of
persons and moves between segments are all found by one pass over the facts, a second for a million and a half. Between
two such passes only days are looked at in which a row was written since (`written_days`): PostgreSQL keeps with each
row the transaction that wrote it.
"""

from collections.abc import Collection, Mapping
from datetime import date, timedelta
from decimal import Decimal
from typing import TypeAlias

import pandas as pd
import pyarrow as pa
from sqlalchemy import Connection, Table, text

from dagster_project.store.mart_tables import looked as looks
from dagster_project.store.mart_tables import made
from dagster_project.store.transfer import copy_in, read, upsert

Prints: TypeAlias = Mapping[str, Mapping[date, Decimal]]
"""Kind of facts → day → the sum of its fingerprints."""

_PLACED = "f.kind = 'sale' and f.copy_of is null and f.deleted_at is null"
# What its system calls returned was no sale, as in segments.
_SALES = f"{_PLACED} and f.status not in ('cancelled', 'returned')"
_TABLE = {"orders": 'canonical."order"', "placed": 'canonical."order"', "contacts": "canonical.contact_event"}
_AT = {"orders": "f.placed_at", "placed": "f.placed_at", "contacts": "f.at"}
_TRUE = {"orders": _SALES, "placed": _PLACED, "contacts": "f.deleted_at is null"}
_WRITTEN = "age(f.xmin) <= age(cast(cast(cast(:since as text) as xid8) as xid))"
_PROMISED = "f.delivery ->> 'promised_at'"
_DAY_IF_TRUE = """case when {0} ~ '^[0-9]' and pg_input_is_valid({0}, 'timestamptz')
              then (({0})::timestamptz at time zone :zone)::date end"""
"""PostgreSQL also knows `tomorrow`, which is another day tomorrow."""
_ARRIVED = """(select min(e.at) from canonical.order_event e
              where (e.connection, e.external_id) = (f.connection, f.external_id)
                and e.status in ('delivered', 'completed'))"""
_COLUMNS = {
    "placed": f"""f.connection || ':' || f.external_id as "order", f.person_id, f.channel, f.status,
              {_DAY_IF_TRUE.format(_PROMISED)} as promised, ({_ARRIVED} at time zone :zone)::date as delivered""",
    "orders": """f.connection || ':' || f.external_id as "order", f.person_id, f.channel, f.placed_at as at,
              f.total::float8 as total, f.currency::text as currency""",
    "contacts": "f.person_id, f.channel, f.kind, f.campaign, f.reference, f.value::float8 as value, f.at",
}
_PRINTED = {
    "placed": f"f.connection, f.external_id, f.person_id, f.channel, f.status, {_PROMISED}, {_ARRIVED}",
    "orders": "f.connection, f.external_id, f.person_id, f.channel, f.placed_at, f.total, f.currency",
    "contacts": "f.connection, f.external_id, f.person_id, f.channel, f.kind, f.campaign, f.reference, f.value, f.at",
}
_GOODS = """
with sellable as (select distinct sku from position.stock where on_hand - reserved > 0),
offered as (
  select distinct connection as channel, sku from canonical.listing where sku is not null and deleted_at is null
  union all select 'all', sku from canonical.product where status = 'active' and deleted_at is null)
select channel, count(s.sku) as available, count(*) as n from offered left join sellable s using (sku) group by channel
"""


def prints(db: Connection, zone: str, days: Collection[date] | None = None) -> Prints:
    """What the facts of `days` look like now, of every day without them."""
    return {kind: _prints(db, kind, zone, days) for kind in _TABLE}


def upto(db: Connection) -> int:
    """The oldest transaction that is not over: what it and later ones write is not to be seen yet."""
    return int(db.execute(text("select pg_snapshot_xmin(pg_current_snapshot())::text::bigint")).scalar_one())


def looked(db: Connection, what: str) -> int | None:
    """Up to where `what` was last looked at; None where never, or where the store is a copy that counts anew."""
    query = "select l.upto from mart.looked l where what = :what and l.upto <= :now"
    return db.execute(text(query), {"what": what, "now": upto(db)}).scalar()


def note_looked(db: Connection, what: str, upto: int) -> None:
    upsert(db, looks, [{"what": what, "upto": upto}], ["what"])


def written_days(db: Connection, since: int, zone: str) -> set[date]:
    """Local days of the facts written by transactions from `since` on. A day that a fact has left, and persons who
    moved between segments, are found by the prints of all days only."""
    each = " union ".join(
        f"select ({_AT[kind]} at time zone :zone)::date as day from {table} f where {_WRITTEN}"
        for kind, table in _TABLE.items()
    )
    return {row.day for row in db.execute(text(each), {"zone": zone, "since": since})}


def written(db: Connection, table: Table, since: int) -> bool:
    """Whether a row of `table` was written by a transaction from `since` on."""
    query = f"select exists (select from {table.schema}.{table.name} f where {_WRITTEN})"
    return bool(db.execute(text(query), {"since": since}).scalar_one())


def facts(db: Connection, kind: str, first: date, last: date, zone: str, only: Collection[str] = ()) -> pd.DataFrame:
    """Orders or contacts of the local days from `first` to `last`, as `mappings.metrics` describes them. `only`: of
    contacts those of these kinds."""
    query = f"""
      select {_COLUMNS[kind]}, ({_AT[kind]} at time zone :zone)::date as day
      from {_TABLE[kind]} f
      where {_TRUE[kind]} and {_AT[kind]} >= cast(:first as timestamp) at time zone :zone
        and {_AT[kind]} < cast(:after as timestamp) at time zone :zone {"and f.kind = any(:only)" if only else ""}"""
    given = {"zone": zone, "first": first, "after": last + timedelta(days=1)}
    return _frame(db, query, given | ({"only": [*only]} if only else {}))


def contacts_of_who_was_met(db: Connection, days: Collection[date], zone: str) -> pd.DataFrame:
    """All contacts of the persons who had one on `days`."""
    query = f"""
      with met as (select distinct f.person_id from canonical.contact_event f
                   where {_TRUE["contacts"]} and f.person_id is not null and {_on("contacts")})
      select {_COLUMNS["contacts"]}, (f.at at time zone :zone)::date as day
      from met join canonical.contact_event f using (person_id) where {_TRUE["contacts"]}"""
    return _frame(db, query, {"zone": zone, "days": [*days]})


def members(db: Connection) -> pd.DataFrame:
    """`person_id, segment` of everybody who is in one now."""
    return _frame(db, "select person_id, segment from segment.membership", {})


def values(db: Connection) -> pd.DataFrame:
    """`person_id, clv` of everybody whose value is known."""
    return _frame(db, "select person_id, clv::float8 as clv from segment.person_value", {})


def goods(db: Connection) -> pd.DataFrame:
    """`channel, available, n`: goods on offer now, and those of which a place has something to sell; `all`: of all
    active products."""
    return _frame(db, _GOODS, {})


def changed_days(
    db: Connection, mart: str, now: Prints, kinds: Collection[str], among: Collection[date] | None = None
) -> set[date]:
    """Days (`among` these) whose facts are not those that `mart` was made of, days that have none any more included."""
    query, given = _made_of(mart, among)
    rows = db.execute(text(f"select facts, day, print {query}"), given)
    then = {(row.facts, row.day): row.print for row in rows}
    today = {(kind, day): print_ for kind in kinds for day, print_ in now[kind].items()}
    return {day for kind, day in then.keys() | today.keys() if then.get((kind, day)) != today.get((kind, day))}


def remember(
    db: Connection, mart: str, now: Prints, kinds: Collection[str], among: Collection[date] | None = None
) -> None:
    """Notes what (of the days `among`) `mart` was made of."""
    query, given = _made_of(mart, among)
    db.execute(text(f"delete {query}"), given)
    rows = [
        {"mart": mart, "facts": kind, "day": day, "print": print_}
        for kind in kinds
        for day, print_ in now[kind].items()
    ]
    copy_in(db, made, rows)


def replace(
    db: Connection, mart: Table, rows: pd.DataFrame | pa.Table, first: date | None = None, last: date | None = None
) -> int:
    """Writes `rows` in the place of those of the days from `first` to `last` (of all, without them).

    A table that is written whole is emptied first, not deleted from: so millions of rows go in without a journal, and
    none are left to clean up. Who reads it meanwhile waits.
    """
    if first is None:
        db.execute(text(f"truncate mart.{mart.name}"))
    else:
        days = {"first": first, "last": last}
        db.execute(text(f"delete from mart.{mart.name} where day between :first and :last"), days)
    given = rows.column_names if isinstance(rows, pa.Table) else rows.columns
    shared = [column.name for column in mart.columns if column.name in given]
    if first is not None and "day" not in mart.primary_key.columns:
        return put(db, mart, rows[shared])
    return copy_in(db, mart, rows.select(shared) if isinstance(rows, pa.Table) else rows[shared])


def put(db: Connection, mart: Table, rows: pd.DataFrame) -> int:
    """Writes rows over those with their keys; gives how many differed."""
    keys = [column.name for column in mart.primary_key]
    return upsert(db, mart, rows, keys).num_rows


def all_of(db: Connection, mart: Table, columns: str = "*") -> pd.DataFrame:
    return _frame(db, f"select {columns} from mart.{mart.name}", {})


def _made_of(mart: str, among: Collection[date] | None) -> tuple[str, dict[str, object]]:
    query, given = "from mart.made where mart = :mart", {"mart": mart}
    return (query, given) if among is None else (f"{query} and day = any(:days)", given | {"days": [*among]})


def _on(kind: str) -> str:
    """Whether a fact is of one of `:days`; bounds first, since an index on its time serves these."""
    return (
        f"{_AT[kind]} >= (select min(d)::timestamp at time zone :zone from unnest(cast(:days as date[])) d) and "
        f"{_AT[kind]} < (select (max(d) + 1)::timestamp at time zone :zone from unnest(cast(:days as date[])) d) and "
        f"({_AT[kind]} at time zone :zone)::date = any(:days)"
    )


def _prints(db: Connection, kind: str, zone: str, days: Collection[date] | None) -> Mapping[date, Decimal]:
    query = f"""
      with belongs as (
        select person_id, sum(hashtextextended(segment, 0)) as segments from segment.membership group by person_id)
      select ({_AT[kind]} at time zone :zone)::date as day,
             sum(hashtextextended(json_build_array({_PRINTED[kind]}, coalesce(b.segments, 0))::text, 0)) as print
      from {_TABLE[kind]} f left join belongs b using (person_id)
      where {_TRUE[kind]} {"" if days is None else f"and {_on(kind)}"} group by 1"""
    given = {"zone": zone} | ({} if days is None else {"days": [*days]})
    return {row.day: row.print for row in db.execute(text(query), given)}


def _frame(db: Connection, query: str, given: Mapping[str, object]) -> pd.DataFrame:
    frame: pd.DataFrame = read(db, query, given).to_pandas()
    return frame
