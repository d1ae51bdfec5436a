"""Facts for marts, the days on which they changed, and marts written anew for these days.

Nobody who writes orders, contacts, persons or segments has to tell: each fact has a fingerprint, a day has their sum,
and a day whose sum is not the one a mart was made of is looked at again. So late facts, deletions, merges and splits of
persons and moves between segments are all found by one pass over the facts, a second for a million and a half.
"""

from collections.abc import Collection, Mapping
from datetime import date, timedelta
from decimal import Decimal
from typing import TypeAlias

import pandas as pd
from sqlalchemy import Connection, Table, text

from dagster_project.store.mart_tables import made
from dagster_project.store.transfer import copy_in, read, upsert

Prints: TypeAlias = Mapping[str, Mapping[date, Decimal]]
"""Kind of facts → day → the sum of its fingerprints."""

_SALES = "f.kind = 'sale' and f.status <> 'cancelled' and f.copy_of is null and f.deleted_at is null"
_TABLE = {"orders": 'canonical."order"', "contacts": "canonical.contact_event"}
_AT = {"orders": "f.placed_at", "contacts": "f.at"}
_TRUE = {"orders": _SALES, "contacts": "f.deleted_at is null"}
_COLUMNS = {
    "orders": """f.connection || ':' || f.external_id as "order", f.person_id, f.channel, f.placed_at as at,
              f.total::float8 as total, f.currency::text as currency""",
    "contacts": "f.person_id, f.channel, f.kind, f.campaign, f.reference, f.value::float8 as value, f.at",
}
_PRINTED = {
    "orders": "f.connection, f.external_id, f.person_id, f.channel, f.placed_at, f.total, f.currency",
    "contacts": "f.connection, f.external_id, f.person_id, f.channel, f.kind, f.campaign, f.reference, f.value, f.at",
}


def prints(db: Connection, zone: str) -> Prints:
    """What the facts of every day look like now."""
    return {kind: _prints(db, kind, zone) for kind in _TABLE}


def facts(db: Connection, kind: str, first: date, last: date, zone: str) -> pd.DataFrame:
    """Orders or contacts of the local days from `first` to `last`, as `mappings.metrics` describes them."""
    query = f"""
      select {_COLUMNS[kind]}, ({_AT[kind]} at time zone :zone)::date as day
      from {_TABLE[kind]} f
      where {_TRUE[kind]} and {_AT[kind]} >= cast(:first as timestamp) at time zone :zone
        and {_AT[kind]} < cast(:after as timestamp) at time zone :zone"""
    given = {"zone": zone, "first": first, "after": last + timedelta(days=1)}
    return _frame(db, query, given)


def members(db: Connection) -> pd.DataFrame:
    """`person_id, segment` of everybody who is in one now."""
    return _frame(db, "select person_id, segment from segment.membership", {})


def values(db: Connection) -> pd.DataFrame:
    """`person_id, clv` of everybody whose value is known."""
    return _frame(db, "select person_id, clv::float8 as clv from segment.person_value", {})


def changed_days(db: Connection, mart: str, now: Prints, kinds: Collection[str]) -> set[date]:
    """Days whose facts are not those that `mart` was made of, days that have none any more included."""
    rows = db.execute(text("select facts, day, print from mart.made where mart = :mart"), {"mart": mart})
    then = {(row.facts, row.day): row.print for row in rows}
    today = {(kind, day): print_ for kind in kinds for day, print_ in now[kind].items()}
    return {day for kind, day in then.keys() | today.keys() if then.get((kind, day)) != today.get((kind, day))}


def remember(db: Connection, mart: str, now: Prints, kinds: Collection[str]) -> None:
    """Notes what `mart` was made of."""
    db.execute(text("delete from mart.made where mart = :mart"), {"mart": mart})
    rows = [
        {"mart": mart, "facts": kind, "day": day, "print": print_}
        for kind in kinds
        for day, print_ in now[kind].items()
    ]
    copy_in(db, made, rows)


def replace(
    db: Connection, mart: Table, rows: pd.DataFrame, first: date | None = None, last: date | None = None
) -> int:
    """Writes `rows` in the place of those of the days from `first` to `last` (of all, without them)."""
    where = "" if first is None else " where day between :first and :last"
    db.execute(text(f"delete from mart.{mart.name}{where}"), {} if first is None else {"first": first, "last": last})
    return copy_in(db, mart, rows[[column.name for column in mart.columns if column.name in rows]])


def put(db: Connection, mart: Table, rows: pd.DataFrame) -> int:
    """Writes rows over those with their keys; gives how many differed."""
    keys = [column.name for column in mart.primary_key]
    return upsert(db, mart, rows, keys).num_rows


def all_of(db: Connection, mart: Table, columns: str = "*") -> pd.DataFrame:
    return _frame(db, f"select {columns} from mart.{mart.name}", {})


def _prints(db: Connection, kind: str, zone: str) -> Mapping[date, Decimal]:
    query = f"""
      with belongs as (
        select person_id, sum(hashtextextended(segment, 0)) as segments from segment.membership group by person_id)
      select ({_AT[kind]} at time zone :zone)::date as day,
             sum(hashtextextended(json_build_array({_PRINTED[kind]}, coalesce(b.segments, 0))::text, 0)) as print
      from {_TABLE[kind]} f left join belongs b using (person_id)
      where {_TRUE[kind]} group by 1"""
    return {row.day: row.print for row in db.execute(text(query), {"zone": zone})}


def _frame(db: Connection, query: str, given: Mapping[str, object]) -> pd.DataFrame:
    frame: pd.DataFrame = read(db, query, given).to_pandas()
    return frame
