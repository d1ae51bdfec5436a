"""Bindings that a person wrote down, in the store: what is new, changed or gone since the last time."""

from collections.abc import Sequence
from datetime import datetime
from typing import NamedTuple

import pyarrow as pa
from sqlalchemy import Connection, text

from dagster_project.store import renames
from dagster_project.store.quarantine import RENAMED
from dagster_project.store.transfer import copy_in

FILE = "bindings.csv"
RULE = "bound_twice"
LOCK = "bindings"
"""Held by whoever changes which sku an external id stands for."""


class Explicit(NamedTuple):
    """A connection's external id of a variant is our `sku`."""

    connection: str
    external_id: str
    sku: str


class Conflict(NamedTuple):
    """An external id that is said to be several skus."""

    connection: str
    external_id: str
    skus: tuple[str, ...]


_PREPARE = text("""
create temp table if not exists explicit (connection text, external_id text, sku text) on commit delete rows
""")

_CHANGED = text("""
select distinct e.connection from explicit e
left join hub.binding b on b.connection = e.connection and b.entity = 'variant' and b.external_id = e.external_id
where b.our_id is null or b.how <> 'explicit' or b.our_id <> e.sku
""")

_RENAMED = text("""
insert into renamed (external_id, was, becomes)
select e.external_id, b.our_id, e.sku from explicit e
left join hub.binding b on b.connection = e.connection and b.entity = 'variant' and b.external_id = e.external_id
where e.connection = :connection and b.our_id is distinct from e.sku
""")

_BIND = text("""
insert into hub.binding as b (connection, entity, external_id, our_id, how, since)
select e.connection, 'variant', e.external_id, e.sku, 'explicit', :now from explicit e where e.connection = :connection
on conflict (connection, entity, external_id) do update
  set our_id = excluded.our_id, how = excluded.how, since = excluded.since
where b.how <> 'explicit' or b.our_id <> excluded.our_id
""")

# What a person no longer says is found out again from the records themselves: they are mapped anew. A product stays
# bound until then, so that its change of name is seen.
_WITHDRAWN = text(f"""
with withdrawn as materialized (
  select b.connection, b.external_id,
         exists (select from hub.sku_claim k
                 where k.connection = b.connection and k.external_id = b.external_id) as named
  from hub.binding b where b.entity = 'variant' and b.how = 'explicit'
    and not exists (select from explicit e where e.connection = b.connection and e.external_id = b.external_id)
    and not b.connection || ' ' || b.external_id = any(:disputed)
), kept as (
  update hub.binding b set how = 'sku' from withdrawn w
  where b.connection = w.connection and b.entity = 'variant' and b.external_id = w.external_id and w.named
), gone as (
  delete from hub.binding b using withdrawn w
  where b.connection = w.connection and b.entity = 'variant' and b.external_id = w.external_id and not w.named
), speaking as (
  select p.connection, 'product' as entity, p.source
  from canonical.product p join withdrawn using (connection, external_id)
  union all
  select l.connection, 'listing', l.source from canonical.listing l join withdrawn w
    on w.connection = l.connection and w.external_id in (l.variant, l.external_id)
)
insert into ledger.quarantine (connection, resource, entity, key, rule, reason, state, at)
select distinct connection, source ->> 'resource', entity, source ->> 'key', '{RENAMED}',
       'its explicit binding was withdrawn; it is mapped again', 'open', cast(:now as timestamptz)
from speaking
on conflict (connection, resource, entity, key, line) do update
  set rule = excluded.rule, reason = excluded.reason, state = 'open', at = excluded.at
""")

_SETTLED = text(f"""
update ledger.quarantine set state = 'replayed'
where rule = '{RULE}' and state = 'open' and not connection || ' ' || key = any(:disputed)
""")

_DISPUTED = text(f"""
insert into ledger.quarantine as q (connection, resource, entity, key, rule, reason, state, at)
values (:connection, '{FILE}', 'binding', :external_id, '{RULE}', :reason, 'open', :now)
on conflict (connection, resource, entity, key, line) do update
  set reason = excluded.reason, state = 'open', at = case when q.state = 'open' then q.at else excluded.at end
""")


def replace(db: Connection, rows: Sequence[Explicit], conflicts: Sequence[Conflict], *, now: datetime) -> None:
    """The explicit bindings are `rows` from now on; a disputed external id keeps the binding it has."""
    db.execute(_PREPARE)
    db.execute(text("delete from explicit"))
    columns = zip(*rows, strict=True) if rows else ((), (), ())
    copy_in(db, "explicit", pa.table([pa.array(c, pa.string()) for c in columns], names=list(Explicit._fields)))
    disputed = [f"{one.connection} {one.external_id}" for one in conflicts]
    db.execute(_WITHDRAWN, {"disputed": disputed, "now": now})
    _bind(db, now)
    db.execute(_SETTLED, {"disputed": disputed})
    for one in conflicts:
        reason = f"{FILE} binds it to {' and to '.join(one.skus)}; keep one of these rows"
        values = {"connection": one.connection, "external_id": one.external_id, "reason": reason, "now": now}
        db.execute(_DISPUTED, values)


def _bind(db: Connection, now: datetime) -> None:
    """Connection by connection, because a variant's facts follow it within its own connection."""
    for connection in list(db.execute(_CHANGED).scalars()):
        values = {"connection": connection, "now": now, "because": FILE}
        renames.prepare(db)
        db.execute(_RENAMED, values)
        db.execute(_BIND, values)
        renames.follow(db, values)
