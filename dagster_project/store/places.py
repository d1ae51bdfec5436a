"""Which of our places a vendor's place is, and what follows it when that changes."""

from collections.abc import Mapping
from typing import Any, NamedTuple

from sqlalchemy import Connection, text

from dagster_project.store.merge import marked


class Place(NamedTuple):
    """Our name of it, and the vendor's where it was told."""

    ours: str
    name: str | None


_BOUND = text("""
select b.external_id, b.our_id, l.name from hub.binding b
left join canonical.location l on l.connection = b.connection and l.external_id = b.external_id
where b.connection = :connection and b.entity = 'location'
""")


def bound(db: Connection, connection: str) -> dict[str, Place]:
    """By external id, as bound so far."""
    return {row[0]: Place(row[1], row[2]) for row in db.execute(_BOUND, {"connection": connection})}


_BIND = text("""
insert into hub.binding as b (connection, entity, external_id, our_id, how, since)
values (:connection, 'location', :external_id, :becomes, 'settings', :now)
on conflict (connection, entity, external_id) do update set our_id = excluded.our_id, since = excluded.since
where b.our_id <> excluded.our_id
""")

_MOVE_PLACE = text("""
update canonical.location set location = :becomes where connection = :connection and external_id = :external_id
  and not exists (select from canonical.location o where o.location = :becomes)
""")

_MOVE_COUNTS = f"""
with moved as (
  update canonical.stock_level t set location = :becomes where t.connection = :connection and t.location = :was
    and not exists (select from canonical.stock_level o where o.sku = t.sku and o.location = :becomes)
  returning t.sku
), {marked("stock", "select sku from moved")}
select count(*) from marked
"""

_MOVE_ORDERS = f"""
with moved as (
  update canonical."order" set location = :becomes where connection = :connection and location = :was
  returning connection || ':' || external_id as subject
), lines as (
  update canonical.order_line set location = :becomes where connection = :connection and location = :was
  returning connection || ':' || external_id as subject
), {marked("order", "select subject from moved union all select subject from lines")}
select count(*) from marked
"""


def bind(db: Connection, values: Mapping[str, Any]) -> None:
    """Binds a place; its counts and orders follow it. `values`: connection, external_id, was, becomes, now, because."""
    db.execute(_BIND, values)
    if values["was"] != values["becomes"]:
        for statement in (_MOVE_PLACE, text(_MOVE_COUNTS), text(_MOVE_ORDERS)):
            db.execute(statement, values)
