"""Who belongs to which segment, for the persons that changed and those whose day has come."""

import re
from collections.abc import Callable, Container, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import datetime
from functools import partial
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
from sqlalchemy import Connection as Database
from sqlalchemy import Engine
from sqlalchemy.exc import DataError, ProgrammingError

from connectors.sdk.errors import ConfigError
from dagster_project.connections import Hub
from dagster_project.segment_files import FIELDS, mistakes, segments
from dagster_project.steps.people.value import refresh
from dagster_project.store.dirty import mark, take
from dagster_project.store.people import among
from dagster_project.store.people import segments as store
from dagster_project.store.people.statements import ENDS, losing
from dagster_project.store.traits import TRAITS, stage_buyers
from mappings.segments.compile import Compiled
from mappings.segments.language import polite

MANY = 200_000
"""From so many persons on, looking at everybody costs less than naming them."""
CHANGED, DAY_CAME, EVERYBODY = "what is known of the person changed", "the day came", "everybody was looked at"
MENDED = "the segment was mended"
UNREAD = "segment {0} kept its members at the last look, as its file had to be mended; `keruen sync` looks again"


@dataclass(frozen=True)
class Look:
    """One look at the segments, inside a transaction. `whole`: at everybody, not only at the persons staged.

    `stopped`: segments that keep their members → why; what the database cannot answer joins them.
    """

    db: Database
    now: datetime
    local: datetime
    whole: bool
    stopped: dict[str, str] = field(default_factory=dict)


def segments_due(engine: Engine, hub: Hub, *, now: datetime, full: bool = False) -> int:
    """Evaluates the dirty persons, and those whose day has come since the last time, and marks memberships dirty.

    `full`: everybody, not only these; the result is the same, the cost is not. Gives how many entered or left. A
    segment with a mistake keeps its members, and is looked at as a whole once it is mended; `stopped` names it.
    """
    with engine.begin() as db:
        taken = take(db, ("person", "consent", ENDS, *TRAITS))
        persons = taken.filter(pc.equal(taken["entity"], "person")).sort_by("subject")
        among.stage(db, persons["subject"], pc.fill_null(persons["because"], CHANGED))
        by_value = refresh(db, hub, persons["subject"], now=now)
        others = by_value.filter(pc.invert(pc.is_in(by_value, persons["subject"]))).to_pylist()
        among.stage_more(db, "select unnest(cast(:others as text[])) as person_id", DAY_CAME, others=others)
        written = segments(hub)
        if not full:
            _stage_buyers(db, taken, written)
        unread = {name: UNREAD.format(name) for name in mistakes(hub)}
        moved = evaluated(Look(db, now, hub.local(now), full, unread), written)
        agreed = taken.filter(pc.equal(taken["entity"], "consent"))["subject"].to_pylist()
        ended = taken.filter(pc.equal(taken["entity"], ENDS))["subject"].to_pylist()
        mark(db, "member", store.memberships_of(db, {*agreed, *losing(db, ended)}), "consent")
    return moved


def stopped(engine: Engine, hub: Hub) -> dict[str, str]:
    """Segments that keep their members until something is mended → what, and in which file."""
    with engine.connect() as db:
        found = {name: row.stopped_by for name, row in store.definitions(db).items() if row.stopped_by}
    return {**found, **mistakes(hub)}


def _stage_buyers(db: Database, taken: pa.Table, all_segments: Iterable[Compiled]) -> None:
    """Who bought what is described otherwise now, as far as a segment asks for it."""
    asked = frozenset[str]().union(*(one.traits for one in all_segments))
    for trait in TRAITS:
        skus = taken.filter(pc.equal(taken["entity"], trait))["subject"]
        if trait in asked and len(skus):
            stage_buyers(db, trait, skus.to_pylist())


def evaluated(look: Look, all_segments: tuple[Compiled, ...]) -> int:
    """How many entered or left any segment; those whose file is gone are emptied."""
    known = store.definitions(look.db)
    new = {one.name for one in all_segments if _is_new(look, one, known.get(one.name))}
    for one in all_segments:
        _asked(look, one, partial(_stage_turn, look, one, known.get(one.name), new))
    if not look.whole:
        look = replace(look, whole=among.staged(look.db) > MANY)
    asks = frozenset(table for one in all_segments for table in one.asks)
    if not look.whole:
        among.gather(look.db, asks)
    referred = frozenset[str]().union(*(one.refers for one in all_segments))
    moved = 0
    for one in all_segments:
        moved += _asked(look, one, partial(_settled, look, one, asks, new))
        if one.name in referred and one.name not in look.stopped and not look.whole:
            among.keep_up(look.db, one.name)
    gone = known.keys() - {one.name for one in all_segments} - look.stopped.keys()
    store.stop(look.db, look.stopped)
    return moved + sum(store.end(look.db, name, now=look.now) for name in gone)


def _asked(look: Look, one: Compiled, work: Callable[[], int]) -> int:
    """What the work gives. Where an engineer's field asks for what is not there, or divides by nothing, the segment is
    stopped, and with it those that refer to it: only the database can tell."""
    if other := next((name for name in one.refers if name in look.stopped), None):
        look.stopped.setdefault(one.name, f"segment {one.name}: it refers to {other}, which must be mended first")
    if one.name in look.stopped:
        return 0
    try:
        with look.db.begin_nested(), answered(one):
            return work()
    except ConfigError as error:
        look.stopped[one.name] = str(error)
        return 0


@contextmanager
def answered(one: Compiled) -> Iterator[None]:
    """Raises ConfigError, which says what to mend, where the database cannot answer."""
    try:
        yield
    except (ProgrammingError, DataError) as error:
        said = str(error.orig).splitlines()[0]
        if isinstance(error, DataError):  # it quotes what it found, which may be somebody's
            said = re.sub('".*"', "…", said)
        raise ConfigError(f"segment {one.name} cannot be asked: {said}; mend segments/{FIELDS}") from None


def _is_new(look: Look, one: Compiled, row: Any) -> bool:
    """Whether the segment's file, or what its words mean, is another than was last looked at, or it was stopped then;
    it is kept."""
    body = {"segment": one.segment.model_dump(mode="json", by_alias=True), "query": one.query}
    if row is not None and row.body == body and not row.stopped_by:
        return False
    anew = not is_filled(one, row)
    store.keep(look.db, one.name, body, look.now, anew=anew)
    if not anew:
        store.share(look.db, one.name, hold_out=one.segment.hold_out)
    return anew


def is_filled(one: Compiled, row: Any) -> bool:
    """A static list is filled once: another title, or an audience it is shown to from now on, does not fill it anew,
    nor does the hub when it asks the same in other words. Other conditions do. `row`: what is stored of it, if it is.
    """
    was = row.body.get("segment") if row and row.full_at else None
    now = one.segment.model_dump(mode="json", by_alias=True)
    return bool(was) and was["refresh"] == now["refresh"] == "once" and was["where"] == now["where"]


_EVER_IN = "select person_id from segment.change where segment = :segment"


def _stage_turn(look: Look, one: Compiled, row: Any, new: Container[str]) -> int:
    """Stages whose turn it is though nothing of them changed: whom the time brought in or out, and of a static list
    that was mended whoever was ever in it, for the merges that it did not follow. How many that were not staged yet."""
    if one.name in new:
        return 0
    if one.segment.refresh == "once":
        return among.stage_more(look.db, _EVER_IN, MENDED, segment=one.name) if row.stopped_by else 0
    return 0 if look.whole else _stage_ripe(look, one, row.evaluated_at)


def _stage_ripe(look: Look, one: Compiled, then: datetime) -> int:
    """Persons whom the time brought in or out since `then`."""
    then = then.astimezone(look.local.tzinfo)
    if one.segment.refresh == "daily" and then.date() == look.local.date():
        return 0
    turns = [(ripening, ripening.between(then, look.local)) for ripening in one.ripenings]
    store.looked(look.db, one.name, at=look.now)
    return sum(
        among.stage_more(look.db, ripening.query, DAY_CAME, **turn)
        for ripening, turn in turns
        if turn["since"] < turn["until"]
    )


def _settled(look: Look, one: Compiled, asks: Iterable[str], new: Container[str]) -> int:
    if one.segment.refresh == "once" and one.name not in new:
        return store.follow(look.db, one.name, hold_out=one.segment.hold_out, now=look.now)
    whole = look.whole or one.name in new
    if not whole and sum(_stage_moved(look, other) for other in one.refers if other in new):
        among.gather(look.db, asks)
    return _settle(look, one, whole=whole)


def _stage_moved(look: Look, other: str) -> int:
    """Those who moved in a segment that is referred to; how many of them were not looked at yet."""
    query = "select person_id from segment.change where segment = :other and at = :now"
    return among.stage_more(look.db, query, f"membership of {other} changed", other=other, now=look.now)


def _settle(look: Look, one: Compiled, *, whole: bool) -> int:
    said = {**one.parameters(look.local), "now": look.now, "hold_out": one.segment.hold_out}
    # a static list is filled at once, at night too: nobody looks again, and channels are shown nobody before the hour
    opens = None if one.segment.refresh == "once" else polite(one.segment.hours, look.local)
    if not whole:
        return store.settle(look.db, one.name, one.among, said, opens=opens)
    moved = store.settle(look.db, one.name, one.query, said, opens=opens, everybody=EVERYBODY)
    store.looked(look.db, one.name, at=look.now, whole=look.now)
    return moved
