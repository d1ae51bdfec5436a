"""Fold: counts and orders become positions and promises. One fold at a time, or two would add up different halves."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime

import pyarrow as pa
from sqlalchemy import Connection as Database
from sqlalchemy import Engine, text

from dagster_project.connections import Hub
from dagster_project.steps.reserve import Scope, lines, promise, remember_sales, store, with_rivals
from dagster_project.store.locks import in_turn
from dagster_project.store.transfer import copy_in, read
from mappings.stock.position import changed, positions
from mappings.stock.reservation import Line, Reservation, settled
from mappings.sync.values import plain

WORDS = {"active": "reserved", "consumed": "took", "released": "gave back"}


@dataclass(frozen=True)
class Folded:
    """`skus` whose position changed, `orders` (`connection:id`) whose promises did; `causes`: sku → the order."""

    skus: frozenset[str] = frozenset()
    orders: frozenset[str] = frozenset()
    causes: Mapping[str, str] = field(default_factory=dict)


def fold(
    engine: Engine,
    hub: Hub,
    *,
    skus: Collection[str] | None = None,
    orders: Collection[str] | None = None,
    now: datetime,
) -> Folded:
    """Brings positions and reservations of these skus, and of the skus in these orders, up to date. Neither: of all.

    First what orders gave back or took away, then what is there, then who gets the units that are free.
    """
    with engine.begin() as db:
        in_turn(db, "fold")
        scope = with_rivals(db, Scope(skus, orders))
        remember_sales(db, scope)
        asked = lines(db, hub, scope, now)
        moved = settled(asked, now)
        store(db, moved)
        counted = _recount(db, None if scope.everything else scope.skus or set())
        promised = _promise(db, asked, moved, now)
    settled_now = [one for one in moved if one.state != "short"] + promised
    return Folded(
        frozenset(counted.union(one.sku for one in promised)),
        frozenset(f"{one.connection}:{one.external_id}" for one in (*moved, *promised)),
        {one.sku: _words(one) for one in settled_now},
    )


def _words(one: Reservation) -> str:
    return f"order {one.connection}:{one.external_id} {WORDS[one.state]} {plain(one.quantity)}"


def _promise(
    db: Database, asked: Sequence[tuple[Line, Reservation | None]], moved: Sequence[Reservation], now: datetime
) -> list[Reservation]:
    """The reservations of lines that got their units, in the order in which they were served."""
    held = {one.key: one for _, one in asked if one} | {one.key: one for one in moved}
    waiting = [line for line, _ in asked if line.key in held and held[line.key].state == "short"]
    served = ((line, promise(db, line, now)) for line in sorted(waiting, key=lambda line: line.turn))
    return [replace(held[line.key], state="active", location=place) for line, place in served if place]


# ── positions ─────────────────────────────────────────────────────────────────────────────────────────────────────────

_COUNTS = """
select c.sku, c.location, case when c.deleted_at is null then c.on_hand else 0 end as on_hand,
       case when c.deleted_at is null then c.reserved_by_source end as reserved_by_source,
       coalesce(c.deleted_at, c.as_of) as as_of, c.connection
from canonical.stock_level c where {these}
"""
# older moves are in the count: no need to fetch them
_MOVES = """
select r.sku, r.location, -r.quantity as quantity, r.changed_at as at, {known_to}
from canonical.reservation r join canonical.stock_level c using (sku, location)
where r.state = 'consumed' and r.changed_at > c.as_of and {these}
"""
# a copy made after the count is not in the count's reserves yet
_PROMISES = """
select r.sku, r.location, r.quantity, {known_to}
from canonical.reservation r join canonical.stock_level c using (sku, location)
where r.state = 'active' and {these}
"""
_KNOWN_TO = """
array_cat(array[r.connection], array(
  select b.connection from hub.binding b where b.connection = c.connection and b.entity = 'order'
  and b.our_id = r.connection || ':' || r.external_id {condition})) as known_to
"""
_STORED = "select sku, location, on_hand, reserved, as_of, connection from position.stock c where {these}"


def _recount(db: Database, skus: Collection[str] | None) -> set[str]:
    """Adds up again what is there and what is promised; the skus for which that gave something new."""

    these = "true" if skus is None else "c.sku = any(:skus)"

    def rows(query: str, **parts: str) -> pa.Table:
        return read(db, query.format(these=these, **parts), {"skus": list(skus or ())})

    in_time = _KNOWN_TO.format(condition="and b.since <= c.as_of")
    recounted = positions(
        rows(_COUNTS),
        rows(_MOVES, known_to=_KNOWN_TO.format(condition="")),
        rows(_PROMISES, known_to=in_time),
    )
    different = changed(recounted, rows(_STORED))
    return _store(db, different) if different.num_rows else set()


_PUT = text("""
insert into position.stock as p (sku, location, on_hand, reserved, as_of, connection)
select sku, location, on_hand, reserved, as_of, connection from recounted order by sku, location
on conflict (sku, location) do update set
  on_hand = excluded.on_hand, reserved = excluded.reserved, as_of = excluded.as_of, connection = excluded.connection,
  version = p.version + 1
""")


def _store(db: Database, different: pa.Table) -> set[str]:
    db.execute(text("create temporary table recounted (like position.stock) on commit drop"))
    db.execute(text("alter table recounted drop column version"))
    copy_in(db, "recounted", different)
    db.execute(_PUT)
    return set(different["sku"].to_pylist())
