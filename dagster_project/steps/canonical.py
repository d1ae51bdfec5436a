"""Canonical: what is new in raw becomes canonical rows; what cannot is set aside with a reason and comes back later.

Mapping a record again changes nothing unless it says something else now. Only what really changed is marked dirty.
"""

from collections import defaultdict
from collections.abc import Callable, Collection, Sequence
from contextlib import suppress
from dataclasses import dataclass, fields
from datetime import datetime

import psycopg
from sqlalchemy import Engine, text
from sqlalchemy.exc import DataError, IntegrityError

from connectors.sdk.errors import ConfigError
from connectors.sdk.redact import redacted
from connectors.sdk.spec import CAPABILITIES, Resource
from dagster_project import collector
from dagster_project.connections import Connection, Hub
from dagster_project.steps import bindings, goods, orders
from dagster_project.steps.files.lines import replay_lines
from dagster_project.steps.mapping import Found, Pass, Rows, Said, Selected, mapped, read
from dagster_project.steps.people import consents, contacts
from dagster_project.store import deletions, explicit, quarantine, raw, statistics
from dagster_project.store.claims import FILES
from dagster_project.store.goods import Put
from dagster_project.store.incoming import Incoming
from dagster_project.store.locks import in_turn
from dagster_project.store.orders import prepare_events
from dagster_project.store.quarantine import Aside

CHUNK = 20_000
"""Raw rows of one transaction. Products go all at once: whether a sku is unique is asked of the whole assortment."""

REFUSED = (DataError, IntegrityError, psycopg.DataError, psycopg.IntegrityError)
"""How the store says that a value does not fit, inside SQLAlchemy and in a COPY."""


@dataclass(frozen=True)
class Way:
    """How an entity's records reach the store: rows for its tables, then the statements that put them in place."""

    tables: tuple[str, ...]
    rows: Callable[[Pass, Sequence[Said]], Rows]
    put: Callable[[Pass], Put]


WAYS = {
    "location": Way(("location",), goods.place_rows, goods.put_places),
    "product": Way(("product", "listing"), goods.product_rows, goods.put_products),
    "listing": Way(("listing",), goods.listing_rows, goods.put_listings),
    "price": Way(("price",), goods.price_rows, goods.put_prices),
    "stock_level": Way(("stock_level",), goods.count_rows, goods.put_counts),
    "customer": Way(("customer",), goods.customer_rows, goods.put_customers),
    "order": Way(("order", "order_line"), orders.order_rows, orders.put_orders),
    "contact_event": Way(("contact_event",), contacts.contact_rows, contacts.put_contacts),
    "cart": Way(("cart", "cart_line"), contacts.cart_rows, contacts.put_carts),
    "loyalty_entry": Way(("loyalty_entry",), contacts.point_rows, contacts.put_points),
    "consent_event": Way(("consent_event",), consents.consent_rows, consents.put_consents),
}
"""In the order in which they hang on each other."""
BINDING = {"location", "product", "listing", "price", "stock_level"}
"""These bind names of goods and places, which bindings.csv does as well."""


@dataclass(frozen=True)
class Mapped:
    """Raw rows `mapped` = `stored` + `quarantined`. The rest counts canonical rows and what is worth knowing of them.

    `changed`: rows that really changed, `deleted`: of them gone, `dirty`: subjects to be decided anew, `unbound`: order
    lines and listings whose sku no product has, `negative`: counts below zero, stored as 0, and balances of points
    below zero, `ignored`: records of connections without authority, `clock_change`: records with a local time that is
    doubled, or missing, as clocks change.
    """

    mapped: int = 0
    stored: int = 0
    quarantined: int = 0
    changed: int = 0
    deleted: int = 0
    dirty: int = 0
    unbound: int = 0
    negative: int = 0
    ignored: int = 0
    clock_change: int = 0

    def __add__(self, other: "Mapped") -> "Mapped":
        return Mapped(*(getattr(self, part.name) + getattr(other, part.name) for part in fields(Mapped)))


def map_new(engine: Engine, hub: Hub, connection: Connection, resource: Resource, *, now: datetime) -> Mapped:
    """Maps the raw rows that came since the last time, a transaction per chunk, then what was waiting for them.

    Raises ConfigError where a setting, a secret or bindings.csv must be mended; what was mapped before stays.
    """
    bindings.apply(engine, hub, now=now)
    done = Mapped()
    while True:
        with engine.begin() as db:
            work = Pass(db, hub, connection, resource, now)
            chunk = _next_chunk(work)
            if chunk is None:
                break
            done += _map(work, chunk)
            _remember(work, chunk)
        statistics.refresh(engine)
    return done + _replay_ready(engine, hub, now)


_NEXT = """
with place as (
  select coalesce(max(mapped_through), 0) as after from hub.cursor
  where connection = :connection and resource = :resource
), following as (select r.id from {table} r, place where r.id > place.after order by r.id limit :chunk)
select after, (select max(id) from following) from place
"""


def _next_chunk(work: Pass) -> Selected | None:
    """The rows to map next, with the right to map them until the transaction ends."""
    in_turn(work.db, f"map:{work.connection.name}.{work.resource.name}")
    if not work.raw.exists(work.db):
        return None
    chunk = None if "product" in work.maps else CHUNK
    statement = text(_NEXT.format(table=work.raw.table))
    after, upto = work.db.execute(statement, {**work.values, "chunk": chunk}).one()
    return None if upto is None else Selected(after, upto)


def _remember(work: Pass, chunk: Selected) -> None:
    statement = """
insert into hub.cursor (connection, resource, mapped_through) values (:connection, :resource, :upto)
on conflict (connection, resource) do update set mapped_through = excluded.mapped_through"""
    work.db.execute(text(statement), {**work.values, "upto": chunk.upto})


# ── one transaction ───────────────────────────────────────────────────────────────────────────────────────────────────


def _map(work: Pass, chunk: Selected) -> Mapped:
    """Maps the chunk. A value that the store refuses, a sum of twenty digits, costs its own record and no other."""
    try:
        with work.db.begin_nested():
            return _map_whole(work, chunk)
    except REFUSED as error:
        fresh = Pass(work.db, work.hub, work.connection, work.resource, work.now)
        if chunk.upto - chunk.after == 1:
            return _set_aside(fresh, chunk, error)
        first, second = chunk.halves()
        return _map(fresh, first) + _map(fresh, second)


def _map_whole(work: Pass, chunk: Selected) -> Mapped:
    tables = _prepare(work)
    goods.follow_settings(work)
    read_rows = 0
    with collector.seldom():
        for page in read(work.db, work.raw, chunk):
            read_rows += len(page)
            _fill(work, mapped(work, page))
    for table in tables:
        Incoming(table).settled(work.db)
    if work.maps.keys() & BINDING:
        in_turn(work.db, explicit.LOCK)
    put = sum((WAYS[entity].put(work) for entity in WAYS if _concerned(work, entity)), Put())
    deleted, withdrawn = _delete(work, chunk)
    quarantined = quarantine.settle(work.db, work.raw, chunk.where, {**work.values, **chunk.values})
    return Mapped(
        mapped=read_rows,
        stored=read_rows - quarantined,
        quarantined=quarantined,
        changed=put.changed + deleted,
        deleted=deleted,
        dirty=put.dirty + withdrawn,
        unbound=put.unbound,
        negative=work.counts["negative"],
        ignored=work.counts["ignored"],
        clock_change=work.counts["clock_change"],
    )


def _concerned(work: Pass, entity: str) -> bool:
    """A connection without authority over products brings them as listings."""
    return entity in work.maps or (entity == "listing" and "product" in work.maps)


def _prepare(work: Pass) -> list[str]:
    tables = dict.fromkeys(table for entity in WAYS if _concerned(work, entity) for table in WAYS[entity].tables)
    for table in tables:
        Incoming(table).prepare(work.db)
    for module in (quarantine, deletions):
        module.prepare(work.db)
    prepare_events(work.db)
    return list(tables)


def _fill(work: Pass, found: Found) -> None:
    for entity, said in found.records.items():
        for table, rows in WAYS[entity].rows(work, said).items():
            Incoming(table).add(work.db, rows)
    quarantine.add(work.db, found.aside)
    deletions.add_silent(work.db, found.silent)


def _delete(work: Pass, chunk: Selected) -> tuple[int, int]:
    values = {**work.values, **chunk.values}
    pairs = [
        deletions.delete(work.db, work.raw, entity, goods.table_of(work, entity), chunk.where, values)
        for entity in work.maps
    ]
    return sum(deleted for deleted, _ in pairs), sum(dirty for _, dirty in pairs)


def _set_aside(work: Pass, chunk: Selected, error: Exception) -> Mapped:
    """The one row of the chunk that the store cannot hold. The server's first words name no values."""
    words = str(getattr(error, "orig", error)).splitlines()[0]
    aside = Aside(chunk.upto, next(iter(work.maps)), "not_storable", f"the store refuses it: {redacted(words)}")
    quarantine.prepare(work.db)
    quarantine.add(work.db, [aside])
    count = quarantine.settle(work.db, work.raw, chunk.where, {**work.values, **chunk.values})
    return Mapped(mapped=count, quarantined=count)


# ── again ─────────────────────────────────────────────────────────────────────────────────────────────────────────────


def replay(
    engine: Engine,
    hub: Hub,
    *,
    now: datetime,
    ids: Collection[int] | None = None,
    connection: str | None = None,
    rule: str | None = None,
) -> Mapped:
    """Maps open records of the quarantine again as they are now, after a fix of a mapping, a setting or a binding.

    Changes that a channel refused are decided anew.
    """
    with engine.connect() as db:
        records = quarantine.chosen(db, ids=ids, connection=connection, rule=rule)
    by_resource: dict[tuple[str, str], list[quarantine.Record]] = defaultdict(list)
    for record in records:
        by_resource[record.connection, record.resource].append(record)
    done = Mapped()
    for (name, resource), group in by_resource.items():
        if spoken := _resource(hub, name, resource):
            done += _replay(engine, hub, hub[name], spoken, group, now)
        elif resource == FILES and name in hub.connections:
            stored, aside = replay_lines(engine, hub, hub[name], [record.id for record in group], now=now)
            done += Mapped(mapped=stored + aside, stored=stored, quarantined=aside)
        elif resource in CAPABILITIES:
            with engine.begin() as db:
                done += Mapped(dirty=quarantine.send_again(db, name, resource, group))
    return done


def _resource(hub: Hub, connection: str, resource: str) -> Resource | None:
    """None for what is no resource: a refused change, a line of bindings.csv, a line of a file."""
    spec = hub.connections[connection].spec if connection in hub.connections else None
    return next((one for one in spec.resources if one.name == resource), None) if spec else None


def _replay(
    engine: Engine,
    hub: Hub,
    connection: Connection,
    resource: Resource,
    records: Sequence[quarantine.Record],
    now: datetime,
) -> Mapped:
    with engine.begin() as db:
        work = Pass(db, hub, connection, resource, now)
        in_turn(db, f"map:{connection.name}.{resource.name}")
        latest = raw.latest_ids(db, work.raw, [record.key for record in records]) if work.raw.exists(db) else {}
        quarantine.close(db, [record.id for record in records if record.key not in latest])
        ids = sorted(latest.values())
        return _map(work, Selected(ids[0] - 1, ids[-1], tuple(ids))) if ids else Mapped()


def _replay_ready(engine: Engine, hub: Hub, now: datetime) -> Mapped:
    """A connection that cannot run, for want of a secret, keeps its records waiting and nobody else's."""
    with engine.connect() as db:
        ready = quarantine.ready(db)
    done = Mapped()
    for name in sorted({record.connection for record in ready}):
        with suppress(ConfigError):
            done += replay(engine, hub, ids=[record.id for record in ready if record.connection == name], now=now)
    return done
