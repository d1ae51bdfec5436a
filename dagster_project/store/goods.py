"""Products, places, listings, counts and prices on their way from `incoming` into the canonical tables.

Each function gives what it changed. `values` of all of them: connection, resource, now, because, stronger.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, text

from dagster_project.store import bindings, renames, traits
from dagster_project.store.incoming import Incoming
from dagster_project.store.merge import marked, merged
from dagster_project.store.quarantine import UNBOUND

Values = Mapping[str, Any]


@dataclass(frozen=True)
class Put:
    """Canonical rows `changed`, subjects made `dirty`, rows whose sku no product has (`unbound`)."""

    changed: int = 0
    dirty: int = 0
    unbound: int = 0

    def __add__(self, other: "Put") -> "Put":
        return Put(self.changed + other.changed, self.dirty + other.dirty, self.unbound + other.unbound)


NOT_OVERRULED = "t.connection is null or t.deleted_at is not null or not t.connection = any(:stronger)"
"""A weaker connection fills what is missing or gone; it does not overwrite a stronger one."""


def _stored(entity: str, *more: str) -> tuple[str, ...]:
    return (*Incoming(entity).columns, "connection", *more)


# ── products ──────────────────────────────────────────────────────────────────────────────────────────────────────────

_OWN = {"seq", "sku", "skus", "bound", "how", "source"}
_PRODUCT_ROWS = f"""
  select distinct on (i.bound) i.bound as sku, cast(:connection as text) as connection, i.source,
         {", ".join(f'i."{name}"' for name in Incoming("product").columns if name not in _OWN)}
  from incoming_product i where i.bound is not null order by i.bound, i.seq desc"""
_PRODUCTS = f"""
with {merged("product", _PRODUCT_ROWS, _stored("product"), allowed=NOT_OVERRULED, was=traits.WAS)},
{marked("product", "select sku from merged")}, {traits.marked(traits.CHANGED)}
select (select count(*) from merged), (select count(*) from marked)
"""


def put_products(db: Connection, values: Values) -> Put:
    """Binds each variant to the sku it goes by, then stores it under that sku."""
    bound = bindings.bind_products(db, values)
    followed = renames.follow(db, values)
    changed, dirty = db.execute(text(_PRODUCTS), values).one()
    waiting = bindings.bind_waiting(db, values) if bound or changed else 0
    return Put(changed, dirty + followed + waiting)


# ── places ────────────────────────────────────────────────────────────────────────────────────────────────────────────

_PLACE_ROWS = """
  select distinct on (i.location) i.location, cast(:connection as text) as connection, i.external_id, i.name, i.kind,
         i.city, i.address, i.source
  from incoming_location i order by i.location, i.seq desc"""
_PLACES = f"""
with {merged("location", _PLACE_ROWS, _stored("location"), allowed=NOT_OVERRULED)}
select count(*) from merged
"""


def put_places(db: Connection, values: Values) -> Put:
    return Put(db.execute(text(_PLACES), values).scalar_one())


# ── listings ──────────────────────────────────────────────────────────────────────────────────────────────────────────

_JOINS, _SKU = bindings.resolved("i")
_LISTING_ROWS = """
  select distinct on (external_id) cast(:connection as text) as connection, external_id, variant,
         coalesce(bound, sku) as sku, barcode, title, url, status, observed_price, observed_stock, currency,
         cast(source ->> 'observed_at' as timestamptz) as observed_at, source
  from resolved order by external_id, seq desc"""
_LISTINGS = f"""
with resolved as materialized (
  select i.*, {_SKU} as bound, case when p.sku is null then 'barcode' else 'sku' end as how
  from incoming_listing i {_JOINS}
), bind as (
  insert into hub.binding as b (connection, entity, external_id, our_id, how, since)
  select distinct on (variant) :connection, 'variant', variant, bound, how, cast(:now as timestamptz)
  from resolved where bound is not null and variant is not null order by variant, seq desc
  on conflict do nothing
), {merged("listing", _LISTING_ROWS, _stored("listing", "observed_at"), was="t.sku")},
{marked("listing", "select sku from merged union all select was from merged")}
select (select count(*) from merged), (select count(*) from marked), (select count(*) from resolved where bound is null)
"""


def put_listings(db: Connection, values: Values) -> Put:
    """One that no product fits keeps the sku it named, and is bound when the product comes."""
    return Put(*db.execute(text(_LISTINGS), values).one())


# ── counts and prices ─────────────────────────────────────────────────────────────────────────────────────────────────

_ASIDE = f"""
aside as (
  insert into set_aside (seq, entity, rule, reason, waits_for)
  select seq, '{{entity}}', '{UNBOUND}',
         'no product is known for ' || concat_ws(', ', 'variant ' || variant, 'sku ' || sku, 'barcode ' || barcode)
         || '; it is used as soon as one is, or when bindings.csv names it',
         jsonb_build_object('variant', variant, 'sku', sku, 'barcode', barcode)
  from resolved where bound is null
)"""

_COUNT_ROWS = """
  select distinct on (bound, location) bound as sku, location, cast(:connection as text) as connection, on_hand,
         reserved_by_source, as_of, source
  from resolved where bound is not null order by bound, location, as_of desc, seq desc"""
# Whose word counts hangs on the place: `places` and `owners` pair a place with a connection that is stronger there.
_NEWER_OR_STRONGER = """t.connection is null or t.deleted_at is not null
  or case when t.connection = n.connection then t.as_of <= n.as_of
     else not exists (select from overruled o where o.place = n.location and o.owner = t.connection) end"""
_COUNTS = f"""
with resolved as materialized (select i.*, {_SKU} as bound from incoming_stock_level i {_JOINS}),
{_ASIDE.format(entity="stock_level")},
overruled as (select * from unnest(cast(:places as text[]), cast(:owners as text[])) as o(place, owner)),
{merged("stock_level", _COUNT_ROWS, _stored("stock_level"), allowed=_NEWER_OR_STRONGER)},
{marked("stock", "select sku from merged")}
select (select count(*) from merged), (select count(*) from marked)
"""


def put_counts(db: Connection, values: Values) -> Put:
    """`values` also: places, owners. A count older than the known one of the same connection is left aside."""
    return Put(*db.execute(text(_COUNTS), values).one())


_PRICE_ROWS = """
  select distinct on (bound, price_type, valid_from) bound as sku, price_type, cast(:connection as text) as connection,
         valid_from, amount, currency, valid_to, source
  from resolved where bound is not null order by bound, price_type, valid_from, seq desc"""
# A record that names fewer prices than before withdraws the others.
_PRICES = f"""
with resolved as materialized (
  select i.seq, i.price_type, i.amount, i.currency, coalesce(i.valid_from, '-infinity') as valid_from, i.valid_to,
         i.variant, i.sku, i.barcode, i.source, {_SKU} as bound
  from incoming_price i {_JOINS}
), {_ASIDE.format(entity="price")},
{merged("price", _PRICE_ROWS, _stored("price"))},
withdrawn as (
  update canonical.price t set deleted_at = :now
  from (select distinct bound, source ->> 'key' as key from resolved where bound is not null) g
  where t.connection = :connection and t.sku = g.bound and t.deleted_at is null
    and t.source ->> 'resource' = :resource and t.source ->> 'key' = g.key
    and not exists (select from resolved r where r.bound = t.sku and r.price_type = t.price_type
                    and r.valid_from = t.valid_from)
  returning t.sku
), {marked("price", "select sku from merged union all select sku from withdrawn")}
select (select count(*) from merged) + (select count(*) from withdrawn), (select count(*) from marked)
"""


def put_prices(db: Connection, values: Values) -> Put:
    return Put(*db.execute(text(_PRICES), values).one())
