"""What a vendor no longer has, or no longer says: its canonical rows get `deleted_at`; nothing is removed."""

from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import Connection, text

from dagster_project.store.merge import marked
from dagster_project.store.orders import BUYER
from dagster_project.store.raw import Raw

SUBJECTS: Mapping[str, tuple[str, str]] = {
    "product": ("product", "t.sku"),
    "listing": ("listing", "t.sku"),
    "stock_level": ("stock", "t.sku"),
    "price": ("price", "t.sku"),
    "order": ("order", "t.connection || ':' || t.external_id"),
    "location": ("location", "null::text"),
    "customer": ("customer", "t.connection || ':' || t.external_id"),
    "contact_event": ("customer", "t.connection || ':' || coalesce(t.customer, 'contact_event:' || t.external_id)"),
    "cart": ("customer", "t.connection || ':' || t.customer"),
    "loyalty_entry": ("customer", "t.connection || ':' || coalesce(t.customer, 'loyalty_entry:' || t.external_id)"),
}
"""Table → entity in hub.dirty and its subject; places are no subjects there. What is not here is never deleted: what
somebody once said of consent stays said, wherever the contact went."""


def prepare(db: Connection) -> None:
    """The temporary table of raw rows that have nothing to say of an entity."""
    db.execute(text("create temp table if not exists silent (seq bigint, entity text) on commit delete rows"))
    db.execute(text("delete from silent"))


def add_silent(db: Connection, rows: Sequence[tuple[int, str]]) -> None:
    if rows:
        statement = "insert into silent select * from unnest(cast(:seqs as bigint[]), cast(:entities as text[]))"
        values = {"seqs": [seq for seq, _ in rows], "entities": [entity for _, entity in rows]}
        db.execute(text(statement), values)


# A record gone from a complete listing, or one that spoke of the entity before and now does not (a document unposted).
_GONE = """
select r.key from {table} r
where {selected} and r.payload is null and not exists (select from {table} l where l.key = r.key and l.id > r.id)
union
select r.key from silent s join {table} r on r.id = s.seq
where s.entity = :entity and exists (select from {table} earlier where earlier.key = r.key and earlier.id < r.id)
"""

_DELETE = """
with gone as ({gone}), deleted as (
  update canonical."{entity}" t set deleted_at = :now from gone g
  where t.connection = :connection and t.deleted_at is null
    and t.source ->> 'resource' = :resource and t.source ->> 'key' = g.key
  returning {subject} as subject
), {marks}
select (select count(*) from deleted), (select count(*) from marked)
"""

# What is sold to nobody any more changes what its buyer is worth.
_TELL_BUYERS = f"""
with {
    marked(
        "customer",
        f'select {BUYER.format("t")} from canonical."order" t where t.connection = :connection and t.deleted_at = :now',
    )
}
select count(*) from marked
"""

# A variant that is gone claims no name any more, whether it ever got one or not.
_FREE_NAMES = """
delete from hub.sku_claim k where k.connection = :connection and k.external_id in (
  select t.external_id from canonical.product t where t.connection = :connection and t.deleted_at = :now
  union
  select q.waits_for ->> 'variant' from ledger.quarantine q
  where q.connection = :connection and q.resource = :resource and q.entity = 'product' and q.key in ({gone}))
"""


def delete(
    db: Connection, raw: Raw, entity: str, table: str, selected: str, values: Mapping[str, Any]
) -> tuple[int, int]:
    """Rows of canonical `table` deleted because their record is gone from `entity`, and subjects made dirty."""
    if table not in SUBJECTS:
        return 0, 0
    gone = _GONE.format(table=raw.table, selected=selected)
    values = {**values, "entity": entity}
    if not db.execute(text(f"select exists ({gone})"), values).scalar():
        return 0, 0
    dirty, subject = SUBJECTS[table]
    marks = marked(dirty, "select subject from deleted")
    statement = _DELETE.format(gone=gone, entity=table, subject=subject, marks=marks)
    deleted, made_dirty = db.execute(text(statement), values).one()
    if table == "order":
        db.execute(text(_TELL_BUYERS), values)
    if table == "product":
        db.execute(text(_FREE_NAMES.format(gone=gone)), values)
    return deleted, made_dirty
