"""Counts and what happened since → what is there and what is promised, per variant and location."""

import pyarrow as pa

from mappings.relations import select

_POSITIONS = """
with moved as (
  select c.sku, c.location, sum(m.quantity) as quantity
  from moves m join counts c using (sku, location)
  where m.at > c.as_of and not list_contains(m.known_to, c.connection)
  group by all
), promised as (
  select c.sku, c.location, sum(p.quantity) as ours,
         sum(p.quantity) filter (list_contains(p.known_to, c.connection)) as seen_by_the_counter
  from promises p join counts c using (sku, location)
  group by all
)
select c.sku, c.location, c.as_of, c.connection,
       greatest(c.on_hand + coalesce(m.quantity, 0), 0)::decimal(18, 3) as on_hand,
       (coalesce(p.ours, 0)
        + greatest(coalesce(c.reserved_by_source, 0) - coalesce(p.seen_by_the_counter, 0), 0))::decimal(18, 3)
         as reserved
from counts c left join moved m using (sku, location) left join promised p using (sku, location)
"""


def positions(counts: pa.Table, moves: pa.Table, promises: pa.Table) -> pa.Table:
    """One row per count: sku, location, on_hand, reserved, as_of, connection.

    `counts`: the last count of each place: sku, location, on_hand, reserved_by_source, as_of, connection (whose it is).
    `moves`: goods that left (quantity < 0) or came back: sku, location, quantity, at, known_to. A move counts when it
    is later than the count and not in the counting system's own books (`known_to`: connections that have it).
    `promises`: our active reservations: sku, location, quantity, known_to. The counting system's own reserves are
    subtracted beside ours, less those it keeps for its copies of our orders: every promise counts once.
    """
    return select(_POSITIONS, counts=counts, moves=moves, promises=promises)


_CHANGED = """
select n.* from recounted n left join stored s using (sku, location)
where s.sku is null or (n.on_hand, n.reserved, n.as_of, n.connection)
  is distinct from (s.on_hand, s.reserved, s.as_of, s.connection)
"""


def changed(recounted: pa.Table, stored: pa.Table) -> pa.Table:
    """The positions that differ from those stored."""
    return select(_CHANGED, recounted=recounted, stored=stored)
