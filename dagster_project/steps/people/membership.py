"""Segments as people look at them: what there is, who would be in, who is in, and making one live."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from typing import Any

from sqlalchemy import Connection as Database
from sqlalchemy import Engine, text

from connectors.sdk.errors import ConfigError
from dagster_project.connections import Hub
from dagster_project.segment_files import FIELDS, mistakes, reaches, segment, segments, with_references
from dagster_project.steps.people.segments import EVERYBODY, answered, is_filled, stopped
from dagster_project.store.dirty import mark
from dagster_project.store.people import consent
from dagster_project.store.people import segments as store
from dagster_project.store.transfer import read
from mappings.segments.compile import Compiled

SAMPLE = 10

_TODAY = "(select count(*) from segment.change c where c.segment = d.segment and c.change = '{}' and c.at >= :day)"
_IN = "(select count(*) from segment.membership m where m.segment = d.segment{})"
_LISTED = text(f"""
select d.segment, d.live_since, d.evaluated_at, {_IN.format("")} as members,
       {_IN.format(" and m.hold_out")} as held_out,
       {_TODAY.format("entered")} as entered, {_TODAY.format("left")} as went
from segment.definition d
""")


def listed(engine: Engine, hub: Hub, *, now: datetime) -> list[dict[str, Any]]:
    """Each segment with its members, and who entered and left since the local midnight; `state` says which must be
    mended first."""
    midnight = hub.local(now).replace(hour=0, minute=0, second=0, microsecond=0)
    with engine.connect() as db:
        rows = {row.segment: row for row in db.execute(_LISTED, {"day": midnight})}
    wrong, written = stopped(engine, hub), {one.name: one for one in segments(hub)}
    names = [*written, *(name for name in wrong if name not in written and name != FIELDS)]
    return [_line(name, written.get(name), rows.get(name), wrong.get(name)) for name in names]


def _line(name: str, one: Compiled | None, row: Any, why: str | None) -> dict[str, Any]:
    state = "live" if row and row.live_since else "not activated"
    return {
        "segment": name,
        "title": one and one.segment.title.en,
        "owner": one and one.segment.owner,
        "refresh": one and one.segment.refresh,
        "state": f"{state}, to be mended: {why}" if why else state,
        "members": row.members if row else None,
        "held_out": row.held_out if row else None,
        "entered_today": row.entered if row else None,
        "left_today": row.went if row else None,
        "evaluated_at": row.evaluated_at if row else None,
        "shown_to": [f"{shown.channel}/{shown.audience}" for shown in one.segment.activate] if one else [],
    }


def preview(engine: Engine, hub: Hub, name: str, *, now: datetime, sample: int = SAMPLE) -> dict[str, Any]:
    """What activating a segment would do, by its file as it is now. Writes nothing.

    `members`: would be in; `entering`, `leaving`: against the stored members; `held_out`; `reachable`: agreed to what
    is asked when something that they read leaves; `sample`: person ids, which are pseudonyms, with what they bought.
    """
    one = segment(hub, name)
    with _would_be(engine, hub, one, now=now) as db:
        counts = dict(db.execute(_COUNTED, _said(one)).mappings().one())
        reached = _reachable(db, hub, one, now)
        rows = read(db, _SAMPLED, {"sample": sample}).to_pylist()
    shown = [f"{shown.channel}/{shown.audience}" for shown in one.segment.activate]
    return {"segment": name, **counts, "reachable": reached, "shown_to": shown, "sample": rows}


@contextmanager
def _would_be(engine: Engine, hub: Hub, one: Compiled, *, now: datetime) -> Iterator[Database]:
    """The table `would_be` (person_id) of everybody who would be in, with whatever it refers to evaluated first; a
    static list that was filled keeps its members. All of it is undone at the end."""
    local = hub.local(now)
    with engine.connect() as db, db.begin() as transaction:
        known = store.definitions(db)
        for other in with_references(hub, one.name)[:-1]:
            if not is_filled(other, known.get(other.name)):
                said = {**other.parameters(local), "now": now, "hold_out": other.segment.hold_out}
                with answered(other):
                    store.settle(db, other.name, other.query, said, everybody=EVERYBODY)
        query = _MEMBERS_NOW if is_filled(one, known.get(one.name)) else one.query
        made = text(f"create temp table would_be on commit drop as {query}")
        with answered(one):
            db.execute(made, {**one.parameters(local), "segment": one.name})
        yield db
        transaction.rollback()


def _said(one: Compiled) -> dict[str, Any]:
    return {"segment": one.name, "hold_out": one.segment.hold_out}


_MEMBERS_NOW = "select person_id from segment.membership where segment = :segment"
_HELD_OUT = store.HELD_OUT.format("w.person_id")
_COUNTED = text(f"""
select count(w.person_id) as members,
       count(*) filter (where w.person_id is not null and m.person_id is null) as entering,
       count(*) filter (where w.person_id is null) as leaving,
       count(*) filter (where w.person_id is not null and {_HELD_OUT}) as held_out
from would_be w full join ({_MEMBERS_NOW}) m using (person_id)
""")
_WRITTEN_TO = text(f"select w.person_id from would_be w where not {_HELD_OUT}")
_SAMPLED = """
select w.person_id, v.orders, v.sum, v.last_day, v.lifecycle
from would_be w left join segment.person_value v using (person_id) order by md5(w.person_id) limit :sample
"""


def _reachable(db: Database, hub: Hub, one: Compiled, now: datetime) -> int | None:
    """How many of them, but for the held-out, may be written to there where they are shown; None where the segment says
    nothing of consent. Shown nowhere yet, they are counted by the channel that it names; shown only where a mere record
    is kept about them, which takes no consent, they all are."""
    if one.segment.consent is None:
        return None
    said = one.segment.consent
    people = db.execute(_WRITTEN_TO, _said(one)).scalars().all()
    asked = set(reaches(hub, one).values()) or {said.channel}
    if asked == {None}:
        return len(people)
    found = (consent.reachable(db, people, channel, said.purpose, now=now) for channel in asked if channel)
    return len(set().union(*(rows["person_id"].to_pylist() for rows in found)))


_LIVE = text("""
update segment.definition set live_since = coalesce(live_since, :now), live_by = coalesce(live_by, :who)
where segment = :segment
""")


def activate(engine: Engine, hub: Hub, name: str, *, who: str, now: datetime) -> int:
    """Makes a segment live: its members, and from now on its comings and goings, go to the channels it names, through
    plans, guards and consent. Gives the number of members. Raises ConfigError where it names no channel, or one that
    cannot take it, or was never evaluated."""
    one = segment(hub, name)
    if not one.segment.activate:
        raise ConfigError(
            f"segment {name} names no channel: add `activate: [{{channel: …, audience: …}}]` and `consent` to "
            f"segments/{name}.yaml"
        )
    _are_taken(hub, one)
    with engine.begin() as db:
        if not db.execute(_LIVE, {"segment": name, "who": who, "now": now}).rowcount:
            raise ConfigError(f"segment {name} was not evaluated yet; run `keruen sync` first")
        members = db.execute(text("select person_id from segment.membership where segment = :s"), {"s": name})
        subjects = [f"{name}/{person}" for person in members.scalars()]
        mark(db, "member", subjects, f"segment {name} was activated")
    return len(subjects)


def _are_taken(hub: Hub, one: Compiled) -> None:
    for channel in dict.fromkeys(shown.channel for shown in one.segment.activate):
        spec = hub.connections[channel].spec
        if spec and "segment.push" not in spec.capabilities:
            raise ConfigError(
                f"segment {one.name} would reach nobody through {channel}: {spec.title} takes no segments; name "
                f"another connection in `activate` of segments/{one.name}.yaml"
            )


_MEMBERS = text("""
select person_id, entered_at, left_at, why from canonical.segment_member
where segment = :segment and (left_at is null or :past) order by entered_at desc, person_id limit :limit
""")


def members(engine: Engine, hub: Hub, name: str, *, past: bool, limit: int) -> list[dict[str, Any]]:
    """Stays in a segment, the newest first; with `past` also those that are over. One that must be mended keeps its
    own. Raises ConfigError where there is none of this name."""
    if name not in mistakes(hub):
        segment(hub, name)
    with engine.connect() as db:
        found = db.execute(_MEMBERS, {"segment": name, "past": past, "limit": limit})
        return [dict(row) for row in found.mappings()]
