"""What became dirty, as subjects to fold and to decide. Nobody names a channel: each is asked what it could show."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import datetime

import pyarrow as pa
import pyarrow.compute as pc
from sqlalchemy import Connection as Database
from sqlalchemy import text

from dagster_project.connections import Connection, Hub
from dagster_project.steps.order_wishes import keeper_of

MANY = 50_000
"""From so many subjects on, looking at all of them costs less than naming them."""
ENTITIES = ("stock", "price", "product", "listing", "order", "source", "member", "buyer")
"""Kinds of dirt that decisions about channels take; who people are, and where they belong, is settled before."""
Subjects = frozenset[str] | None
"""None: all of them."""
FAMILIES = ("goods", "orders", "members", "buyers")
"""What subjects can be: skus, orders as `connection:id`, memberships as `segment/person_id`, persons."""
_FAMILY = {"stock": "goods", "price": "goods", "order": "orders", "segment": "members", "customer": "buyers"}


@dataclass(frozen=True)
class Dirt:
    """`counts` and `prices`: skus with such a change; `goods`: all skus to decide; `orders`: as `connection:id`;
    `members`: as `segment/person_id`; `buyers`: persons; `sources`: connections that answer again. `causes`: subject →
    what made it dirty."""

    counts: Subjects
    prices: Subjects
    goods: Subjects
    orders: Subjects
    members: Subjects
    buyers: Subjects
    sources: Subjects
    causes: Mapping[str, str]

    def of(self, family: str) -> Subjects:
        found: Subjects = getattr(self, family)
        return found


def family_of(capability: str) -> str:
    """What a capability's subjects are."""
    return _FAMILY[capability.partition(".")[0]]


def dirt(taken: pa.Table) -> Dirt:
    """`taken`: entity, subject, because, as `store.dirty.take` gives them."""
    goods = _subjects(taken, "stock", "price", "product", "listing")
    said = taken.filter(pc.is_valid(taken["because"])) if taken.num_rows <= MANY else taken.slice(0, 0)
    causes = dict(zip(said["subject"].to_pylist(), said["because"].to_pylist(), strict=True))
    counts, prices, orders = (_subjects(taken, name) for name in ("stock", "price", "order"))
    members, buyers, sources = (_subjects(taken, name) for name in ("member", "buyer", "source"))
    return Dirt(counts, prices, goods, orders, members, buyers, sources, causes)


def _subjects(taken: pa.Table, *entities: str) -> Subjects:
    found = taken.filter(pc.is_in(taken["entity"], pa.array(entities)))["subject"]
    return None if len(found) > MANY else frozenset(found.to_pylist())


def both(some: Subjects, others: Collection[str]) -> Subjects:
    """All subjects of either, None where they are too many to name."""
    together = None if some is None else some.union(others)
    return None if together is None or len(together) > MANY else together


def concerns(hub: Hub, connection: Connection, capability: str, found: Dirt) -> bool:
    """Whether anything dirty could change what this capability of the connection shows."""
    subjects = found.of(family_of(capability))
    if not capability.startswith("order.") or not subjects:
        return subjects is None or bool(subjects)
    moved = {order.partition(":")[0] for order in subjects}
    if capability == "order.status":
        return connection.name in moved
    return any(name in hub.connections and keeper_of(hub, hub[name]) == connection.name for name in moved)


# ── what else they touch ──────────────────────────────────────────────────────────────────────────────────────────────

_ORIGINS = text("""
select o.copy_of from unnest(cast(:connections as text[]), cast(:ids as text[])) asked(connection, external_id)
join canonical."order" o using (connection, external_id) where o.copy_of is not null
""")
_HELD_STALE = text(
    "select subject from ledger.item where capability = 'stock.push' and state = 'held' and reason = 'stale'"
)
# One row a window's edge: it makes the price dirty when the moment comes.
_EDGES = """
insert into hub.dirty (entity, subject, because, due)
select distinct 'price', p.sku, edge.what, edge.at
from canonical.price p
cross join lateral (values (p.valid_from, 'a price window opens'), (p.valid_to, 'a price window ends')) edge(at, what)
where {these} and p.deleted_at is null
  and edge.at > :now and isfinite(edge.at)
  and not exists (select from hub.dirty d where d.entity = 'price' and d.subject = p.sku and d.due = edge.at)
"""


def origins(db: Database, orders: Subjects) -> Subjects:
    """The orders, and for those that are copies the orders they are copies of: these follow how the copy goes on."""
    if not orders:
        return orders
    keys = [order.partition(":") for order in orders]
    names = {"connections": [key[0] for key in keys], "ids": [key[2] for key in keys]}
    return both(orders, db.execute(_ORIGINS, names).scalars().all())


def held_stale(db: Database) -> list[str]:
    """Skus whose rise waits for fresh evidence."""
    return list(db.execute(_HELD_STALE).scalars())


def set_alarms(db: Database, skus: Subjects, now: datetime) -> None:
    """A price whose window opens or ends later is dirty at that moment, though nothing arrives."""
    these = "true" if skus is None else "p.sku = any(:skus)"
    db.execute(text(_EDGES.format(these=these)), {"skus": list(skus or ()), "now": now})
