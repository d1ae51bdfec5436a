"""External id ↔ our id. An explicit row wins, then our own sku, then a barcode of one product only; never a name."""

from collections.abc import Mapping
from typing import Any

from sqlalchemy import Connection, text

from dagster_project.store import renames
from dagster_project.store.merge import marked
from dagster_project.store.quarantine import NO_SKU


def resolved(row: str, connection: str = ":connection") -> tuple[str, str]:
    """The joins after a table `row` with variant, sku and barcode, and the expression of the sku they name, or null."""
    joins = f"""
left join hub.binding b on b.connection = {connection} and b.entity = 'variant' and b.external_id = {row}.variant
left join canonical.product p on p.sku = {row}.sku
left join lateral (
  select min(m.sku) as sku from canonical.product m
  where {row}.barcode is not null and b.our_id is null and p.sku is null
    and m.barcodes @> array[{row}.barcode] and m.deleted_at is null
  having count(*) = 1
) m on true"""
    return joins, "coalesce(b.our_id, p.sku, m.sku)"


# ── products: which of its names a variant goes by ────────────────────────────────────────────────────────────────────

_CLAIM = text("""
with gone as (
  delete from hub.sku_claim k using incoming_product i
  where k.connection = :connection and k.external_id = i.external_id and not k.sku = any(i.skus)
)
insert into hub.sku_claim as k (connection, external_id, sku, place, active)
select :connection, i.external_id, c.sku, c.place, i.status = 'active'
from incoming_product i cross join unnest(i.skus) with ordinality as c(sku, place)
on conflict (connection, external_id, sku) do update set place = excluded.place, active = excluded.active
where (k.place, k.active) is distinct from (excluded.place, excluded.active)
""")

# A variant keeps the name it is bound to when another one comes to claim it; a new one takes only what nobody claims.
# An archived variant does not stand in the way of an active one.
_FREE = """
select k.sku from hub.sku_claim k
where k.connection = :connection and k.external_id = i.external_id
  and (k.sku = b.our_id or not exists (
    select from hub.sku_claim o where o.connection = k.connection and o.sku = k.sku and o.external_id <> k.external_id
      and (o.active or not k.active)))
order by k.place limit 1"""

_CHOOSE = text(f"""
update incoming_product i set bound = c.sku, how = c.how
from (
  select i.ctid as at,
         coalesce(case when b.how = 'explicit' then b.our_id end, p.sku, m.sku, own.sku) as sku,
         case when b.how = 'explicit' then 'explicit' when p.sku is null and m.sku is not null then 'barcode'
              else 'sku' end as how
  from incoming_product i
  left join hub.binding b on b.connection = :connection and b.entity = 'variant' and b.external_id = i.external_id
  left join lateral ({_FREE}) own on true
  left join canonical.product p on p.sku = own.sku
  left join lateral (
    select min(m.sku) as sku from canonical.product m
    where p.sku is null and m.barcodes && i.barcodes and m.connection = any(:stronger) and m.deleted_at is null
    having count(*) = 1
  ) m on true
) c where c.at = i.ctid
""")

_NAMELESS = text(f"""
insert into set_aside (seq, entity, rule, reason, waits_for)
select i.seq, 'product', '{NO_SKU}',
       'no unique sku: ' || array_to_string(i.skus, ', ') || ' belongs to more than one variant of '
       || cast(:connection as text) || '; give each variant a code of its own',
       jsonb_build_object('variant', i.external_id)
from incoming_product i where i.bound is null
""")

_RENAMED = text("""
insert into renamed (external_id, was, becomes)
select i.external_id, b.our_id, i.bound from incoming_product i
join hub.binding b on b.connection = :connection and b.entity = 'variant' and b.external_id = i.external_id
where b.our_id <> i.bound
""")

_BIND = text("""
insert into hub.binding as b (connection, entity, external_id, our_id, how, since)
select :connection, 'variant', external_id, bound, how, :now from incoming_product where bound is not null
on conflict (connection, entity, external_id) do update
  set our_id = excluded.our_id, how = excluded.how, since = excluded.since
where b.how <> 'explicit' and (b.our_id, b.how) is distinct from (excluded.our_id, excluded.how)
""")


def bind_products(db: Connection, values: Mapping[str, Any]) -> int:
    """Gives each row of incoming_product the sku it is `bound` to; how many bindings are new or changed.

    `values`: connection, stronger (connections whose word on products counts more), now. A variant without a free name
    is set aside. Variants that got another sku are left in the temporary table of `renames`.
    """
    renames.prepare(db)
    for statement in (_CLAIM, _CHOOSE, _NAMELESS, _RENAMED):
        db.execute(statement, values)
    return db.execute(_BIND, values).rowcount


# ── what was named before its product was known ───────────────────────────────────────────────────────────────────────

_JOINS, _SKU = resolved("l", "l.connection")

_BIND_LISTINGS = f"""
with found as (
  select l.connection, l.external_id, l.variant, l.sku as was, {_SKU} as becomes,
         case when p.sku is null then 'barcode' else 'sku' end as how
  from canonical.listing l {_JOINS}
  where l.sku is null or not exists (select from canonical.product known where known.sku = l.sku)
), moved as (
  update canonical.listing l set sku = f.becomes from found f
  where l.connection = f.connection and l.external_id = f.external_id
    and f.becomes is not null and f.becomes is distinct from f.was
  returning f.was, f.becomes
), bound as (
  insert into hub.binding (connection, entity, external_id, our_id, how, since)
  select distinct on (connection, variant) connection, 'variant', variant, becomes, how, cast(:now as timestamptz)
  from found where becomes is not null and variant is not null
  on conflict do nothing
), {marked("listing", "select was from moved union all select becomes from moved")}
select count(*) from marked
"""

_BIND_LINES = f"""
with found as (
  select l.connection, l.external_id, l.line, {_SKU} as becomes, o.person_id
  from canonical."order" o join canonical.order_line l using (connection, external_id) {_JOINS}
  where o.status not in ('completed', 'cancelled', 'returned')
    and (l.sku is null or not exists (select from canonical.product known where known.sku = l.sku))
), moved as (
  update canonical.order_line l set sku = f.becomes from found f
  where l.connection = f.connection and l.external_id = f.external_id and l.line = f.line
    and f.becomes is not null and f.becomes is distinct from l.sku
  returning l.connection || ':' || l.external_id as subject, f.person_id
), {marked("order", "select subject from moved")}, {marked("person", "select person_id from moved", name="buyers")}
select count(*) from marked
"""


def bind_waiting(db: Connection, values: Mapping[str, Any]) -> int:
    """Listings and lines of open orders find the products that came after them; subjects made dirty."""
    return sum(db.execute(text(statement), values).scalar_one() for statement in (_BIND_LISTINGS, _BIND_LINES))
