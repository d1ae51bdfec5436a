"""A variant goes by another sku from now on: what is known of it follows.

Vendors repeat neither counts nor prices when only a code changed. Where the new name is taken already (two variants
changed places), what was said is withdrawn and its raw record mapped again: a row of the quarantine asks for that, so
that a crash in between loses nothing.
"""

from collections.abc import Mapping
from typing import Any

from sqlalchemy import Connection, text

from dagster_project.store import traits
from dagster_project.store.merge import marked
from dagster_project.store.quarantine import RENAMED


def prepare(db: Connection) -> None:
    """The temporary table `renamed` (external_id, was, becomes), empty."""
    columns = "external_id text, was text, becomes text, alone boolean"
    db.execute(text(f"create temp table if not exists renamed ({columns}) on commit delete rows"))
    db.execute(text("delete from renamed"))


# Alone: nobody else leaves for the same new name, and nobody stays behind under the old one.
_ALONE = text("""
update renamed r set alone = not exists (select from renamed o where o.becomes = r.becomes and o.ctid <> r.ctid)
  and not exists (select from hub.binding b where b.connection = :connection and b.entity = 'variant'
                  and b.our_id = r.was)
""")

_MOVE = """
with chosen as (
  select t.ctid as at, r.was, r.becomes, t.source,
         r.alone and not exists (select from canonical.{entity} o where o.sku = r.becomes {same}) as free
  from canonical.{entity} t join renamed r on t.sku = r.was {mine}
  where t.connection = :connection and t.deleted_at is null
), moved as (
  update canonical.{entity} t set sku = c.becomes from chosen c where t.ctid = c.at and c.free
), withdrawn as (
  update canonical.{entity} t set deleted_at = :now from chosen c where t.ctid = c.at and not c.free
), again as (
  insert into ledger.quarantine (connection, resource, entity, key, rule, reason, state, at)
  select distinct :connection, source ->> 'resource', '{entity}', source ->> 'key', '{rule}',
         'its variant goes by another sku; it is mapped again', 'open', cast(:now as timestamptz)
  from chosen where not free
  on conflict (connection, resource, entity, key, line) do update
    set rule = excluded.rule, reason = excluded.reason, state = 'open', at = excluded.at
), {marks}
select count(*) from marked
"""

_MOVE_LISTING = f"""
with moved as (
  update canonical.listing t set sku = r.becomes from renamed r
  where t.connection = :connection and r.external_id in (t.variant, t.external_id) and t.sku is distinct from r.becomes
  returning r.was, r.becomes
), {marked("listing", "select was from moved union all select becomes from moved")}
select count(*) from marked
"""

_MOVE_LINES = f"""
with moved as (
  update canonical.order_line t set sku = r.becomes from renamed r, canonical."order" o
  where t.connection = :connection and t.variant = r.external_id and t.sku is distinct from r.becomes
    and o.connection = t.connection and o.external_id = t.external_id
    and o.status not in ('completed', 'cancelled', 'returned')
  returning o.connection || ':' || o.external_id as subject, o.person_id
), {marked("order", "select subject from moved")}, {marked("person", "select person_id from moved", name="buyers")}
select count(*) from marked
"""

_TRAITS = text(f"with {traits.marked(traits.RENAMED)} select")


def _facts(entity: str, subject: str, same: str = "", mine: str = "") -> str:
    marks = marked(subject, "select was from chosen union all select becomes from chosen")
    return _MOVE.format(entity=entity, same=same, mine=mine, marks=marks, rule=RENAMED)


_STATEMENTS = (
    _facts("product", "product", mine="and t.external_id = r.external_id"),
    _facts("stock_level", "stock", "and o.location = t.location"),
    _facts(
        "price",
        "price",
        "and o.price_type = t.price_type and o.connection = t.connection and o.valid_from = t.valid_from",
    ),
    _MOVE_LISTING,
    _MOVE_LINES,
)


def follow(db: Connection, values: Mapping[str, Any]) -> int:
    """Product, counts, prices, listings and open order lines follow the variants in `renamed`; subjects made dirty.

    `values`: connection, now, because.
    """
    if not db.execute(text("select exists (select from renamed)")).scalar():
        return 0
    db.execute(_ALONE, values)
    db.execute(_TRAITS, values)
    return sum(db.execute(text(statement), values).scalar_one() for statement in _STATEMENTS)
