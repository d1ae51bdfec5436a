"""Carts of one person in several channels are one intention: what he still means to buy.

One text for both places where it is asked: PostgreSQL, as the view `mart.cart`, and frames in memory. The latest cart
that holds some goods says how many (two devices that show the same kettle do not mean two kettles), and whether they
are still wanted: goods whose latest cart was ordered or emptied are not. Nor are goods that the person has bought
since, in whatever channel: nobody is reminded of what he has, or has brought back.
"""

from datetime import datetime, timedelta

import pyarrow as pa

from mappings.relations import select

WANTED = """
with held as (
  select c.person_id, l.sku, l.quantity, c.channel, c.connection, c.external_id as cart, c.updated_at, c.state
  from {cart} c join {cart_line} l on l.connection = c.connection and l.external_id = c.external_id
  where c.person_id is not null and l.sku is not null and c.deleted_at is null
), latest as (
  select distinct on (person_id, sku) * from held order by person_id, sku, updated_at desc, connection, cart
), touched as (
  select person_id, max(updated_at) as touched_at from {cart}
  where person_id is not null and deleted_at is null group by person_id
)
select l.person_id, l.sku, l.quantity, l.channel, l.connection, l.cart, l.updated_at, t.touched_at
from latest l join touched t on t.person_id = l.person_id
where l.state = 'open' and not exists (
  select 1 from {order} o join {order_line} b on b.connection = o.connection and b.external_id = o.external_id
  where o.person_id = l.person_id and b.sku = l.sku and o.kind = 'sale' and o.status <> 'cancelled'
    and o.deleted_at is null and o.placed_at >= l.updated_at)
"""
"""person_id, sku, quantity, channel, connection and cart that say so, updated_at (of that cart), touched_at (when the
person last did anything to any cart)."""
ABANDONED = "select * from {wanted} where touched_at <= {now} - {idle} order by person_id, sku"
"""A person who still fills another cart has left none behind."""

_TABLES = {name: f'"{name}"' for name in ("cart", "cart_line", "order", "order_line")}
_WANTED = WANTED.format(**_TABLES)


def wanted(**tables: pa.Table) -> pa.Table:
    """WANTED of rows of the canonical tables cart, cart_line, order and order_line."""
    return select(f"{_WANTED} order by person_id, sku", **tables)


def abandoned(*, idle: timedelta, now: datetime, **tables: pa.Table) -> pa.Table:
    """Of what is wanted that which its person has left alone for `idle`."""
    asked = ABANDONED.format(wanted=f"({_WANTED}) wanted", now="$now::timestamptz", idle="$idle::interval")
    return select(asked, {"now": now, "idle": idle}, **tables)
