"""Receipts in bulk: straight into the tables where they are new, compared first where a file replaces what stands."""

from collections.abc import Sequence
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
from sqlalchemy import Connection, text

from dagster_project.store.canonical_tables import order, order_line
from dagster_project.store.orders import BUYER
from dagster_project.store.people.sealing import sealed
from dagster_project.store.transfer import copy_in, read

UNSAID = ("connection", "external_id", "source", "person_id", "deleted_at", "updated_at")
"""Of an order: what a file does not say of it. A file that says the same again changes nothing."""
_SAID = [f'"{column.name}"' for column in order.columns if column.name not in UNSAID]
_LINE = [f'"{column.name}"' for column in order_line.columns if column.name != "connection"]
_THERE, _COME = (", ".join(f"{table}.{column}" for column in _SAID) for table in "os")
_GIVEN, _STORED = ", ".join(_LINE), ", ".join(f"l.{column}" for column in _LINE)


def standing(db: Connection, connection: str, come: pa.Table) -> pa.Table:
    """external_id, location, till and day of stored orders of the days of `come`, and of those with its ids."""
    days = pc.min_max(come["day"]).as_py()
    asked: dict[str, Any] = {"connection": connection, "first": days["min"], "last": days["max"]}
    columns = "o.external_id, o.location, o.till, o.day"
    mine = 'from canonical."order" o where o.connection = :connection and o.deleted_at is null'
    if not db.execute(text(f"select exists (select {mine})"), asked).scalar():
        return read(db, f"select {columns} {mine} and false", asked)
    in_days, of_ids = "o.day between :first and :last", "o.external_id = any(:ids)"
    query = f"select {columns} {mine} and {in_days} union select {columns} {mine} and {of_ids}"
    return read(db, query, {**asked, "ids": come["external_id"].to_pylist()})


def add(db: Connection, orders: pa.Table, lines: pa.Table) -> None:
    """New receipts; both tables sorted by their keys, so that their indexes only grow at the end."""
    copy_in(db, order, sealed(db, "canonical.order", orders))
    copy_in(db, order_line, lines)


_CHANGED = f"""
insert into touched
select s.external_id, true from stage_order s
left join canonical."order" o on o.connection = s.connection and o.external_id = s.external_id
where o.external_id is null or o.deleted_at is not null
   or row({_THERE}) is distinct from row({_COME})
union
select external_id, true from (
  (select {_GIVEN} from stage_line except
   select {_STORED} from canonical.order_line l join stage_order using (connection, external_id))
  union all
  (select {_STORED} from canonical.order_line l join stage_order using (connection, external_id)
   except select {_GIVEN} from stage_line)
) d
"""
# who bought does not change because the till sent its day again
_SAME_PERSON = """
update stage_order s set person_id = o.person_id from canonical."order" o
where o.connection = s.connection and o.external_id = s.external_id and o.customer is not distinct from s.customer
"""
_DELETE = """
delete from canonical.{table} t using touched x where t.connection = :connection and t.external_id = x.external_id
"""
_INSERT = """
insert into canonical.{table} select s.* from {stage} s join touched using (external_id) where comes order by {keys}"""


# whose receipts go, and whose come: both are worth another sum now
_TELL = f"""
insert into hub.dirty (entity, subject, because)
select distinct 'customer', subject, cast(:because as text) from (
  select {BUYER.format("t")} from canonical."order" t join touched using (external_id) where t.connection = :connection
  union all
  select {BUYER.format("s")} from stage_order s join touched using (external_id)) b(subject)
where subject is not null
"""


def replace(
    db: Connection, connection: str, orders: pa.Table, lines: pa.Table, removed: Sequence[str], because: str
) -> list[str]:
    """Makes the tables say what these receipts say, and nothing of `removed`; gives the ids that really changed. Their
    buyers are marked dirty."""
    for name, table in (("stage_order", 'canonical."order"'), ("stage_line", "canonical.order_line")):
        db.execute(text(f"create temp table {name} (like {table} including defaults) on commit drop"))
    db.execute(text("create temp table touched (external_id text, comes boolean) on commit drop"))
    copy_in(db, "stage_order", sealed(db, "canonical.order", orders))
    copy_in(db, "stage_line", lines)
    copy_in(
        db,
        "touched",
        pa.table({"external_id": pa.array(removed, pa.string()), "comes": pa.repeat(False, len(removed))}),
    )
    for statement in (_SAME_PERSON, "analyze stage_order", "analyze stage_line", _CHANGED):
        db.execute(text(statement))
    db.execute(text(_TELL), {"connection": connection, "because": because})
    for name in ("order_line", '"order"'):
        db.execute(text(_DELETE.format(table=name)), {"connection": connection})
    db.execute(text(_INSERT.format(table='"order"', stage="stage_order", keys="external_id")))
    db.execute(text(_INSERT.format(table="order_line", stage="stage_line", keys="external_id, line")))
    return list(db.execute(text("select external_id from touched")).scalars())
