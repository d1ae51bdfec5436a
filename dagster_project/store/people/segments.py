"""Who belongs where: memberships against what a segment's query gives, with each coming and going written down.

All of it works on the persons staged in `among_persons` (store.people.among), with why they are looked at.
"""

import json
from collections.abc import Collection, Mapping
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, text

from dagster_project.store.people.among import MEMBERSHIPS
from mappings.segments.compile import AMONG

# A share of people by a hash of their id: the same ones in every run, others in every segment.
HELD_OUT = """case when :hold_out > 0 then
  ('x' || substr(md5(:segment || '/' || {0}), 1, 8))::bit(32)::bigint < :hold_out * 4294967296 else false end"""
# change: entered, left, or waits (would enter, but not at this hour)
_TABLE = "create temp table if not exists moves (person_id text, change text, cause text) on commit drop"

# {why} of a row n: because of what somebody is looked at; {person}, {was}: of those who are looked at, or all
_COMPARED = """
insert into moves
with belongs as materialized (
  {query}
), was as materialized (select person_id from {was} where segment = :segment)
select n.person_id, case when :may_enter then 'entered' else 'waits' end, {why}
from belongs n {looked_at}
where not exists (select from was where was.person_id = n.person_id)
union all
select n.person_id, 'left', coalesce('merged into ' || p.merged_into, {why})
from was n {looked_at}
left join {person} p on p.person_id = n.person_id and p.status = 'merged'
where not exists (select from belongs b where b.person_id = n.person_id)
"""
_LEAVE = text("""
delete from segment.membership m using moves n
where n.change = 'left' and m.segment = :segment and m.person_id = n.person_id
""")
_ENTER = text(f"""
insert into segment.membership (segment, person_id, since, hold_out, why)
select :segment, n.person_id, :now, {HELD_OUT.format("n.person_id")}, n.cause
from moves n where n.change = 'entered' order by n.person_id
""")
_NOTE = text("""
insert into segment.change (segment, person_id, change, at, cause)
select :segment, person_id, change, :now, cause from moves where change <> 'waits' order by change desc, person_id
""")
# Of a live segment channels are told.
_TELL = text("""
insert into hub.dirty (entity, subject, because)
select 'member', :segment || '/' || person_id, 'segment ' || :segment from moves
where change <> 'waits' and exists (select from segment.definition where segment = :segment and live_since is not null)
""")
_WAIT = text("""
insert into hub.dirty (entity, subject, because, due)
select 'person', person_id, :segment || ' waited for a polite hour', :opens from moves where change = 'waits'
""")
# Who is held out from now on stands in audiences still, and who is not any more in none.
_SHARES = text(f"""
with shared as (
  update segment.membership m set hold_out = not hold_out
  where segment = :segment and hold_out is distinct from ({HELD_OUT.format("m.person_id")})
  returning m.person_id
)
insert into hub.dirty (entity, subject, because)
select 'member', :segment || '/' || person_id, 'hold-out of segment ' || :segment from shared
where exists (select from segment.definition where segment = :segment and live_since is not null)
""")


def settle(
    db: Connection,
    segment: str,
    query: str,
    values: Mapping[str, Any],
    *,
    opens: datetime | None = None,
    everybody: str | None = None,
) -> int:
    """Makes the memberships say what `query` gives: of the persons gathered, or of everybody, because of that. How many
    entered or left.

    `values`: the query's own, and now, hold_out (a share). `opens`: nobody may enter before; who would is dirty then.
    """
    looked_at = "left join among_persons y on y.person_id = n.person_id"
    parts = {"was": MEMBERSHIPS, "person": AMONG["identity.person"], "looked_at": looked_at, "why": "y.why"}
    if everybody:
        why = "cast(:everybody as text)"
        parts = {"was": "segment.membership", "person": "identity.person", "looked_at": "", "why": why}
    said = {**values, "segment": segment, "everybody": everybody, "opens": opens, "may_enter": opens is None}
    moved = _written(db, _COMPARED.format(query=query, **parts), said)
    if opens:
        db.execute(_WAIT, said)
    if everybody:
        share(db, segment, hold_out=values["hold_out"])
    return moved


def share(db: Connection, segment: str, *, hold_out: Any) -> None:
    """Keeps that share of the members aside, and nobody else; channels are told of a live segment."""
    db.execute(_SHARES, {"segment": segment, "hold_out": hold_out})


def _written(db: Connection, moves: str, values: Mapping[str, Any]) -> int:
    """What the statement `moves` finds, put into memberships and their history, and to be told where it is awaited."""
    db.execute(text(_TABLE))
    db.execute(text("truncate moves"))
    if not db.execute(text(moves), values).rowcount:
        return 0
    for statement in (_LEAVE, _ENTER, _TELL):
        db.execute(statement, values)
    return int(db.execute(_NOTE, values).rowcount)


# A list that was filled once follows its people: to whoever they are merged into, and back.
_FOLLOWED = """
insert into moves
with gone as (
  select m.person_id, p.merged_into from among_persons a join identity.person p using (person_id)
  join segment.membership m on m.segment = :segment and m.person_id = a.person_id
  where p.status <> 'active'
), last_word as (
  select distinct on (c.person_id) c.person_id, c.change, c.cause
  from among_persons a join segment.change c on c.person_id = a.person_id and c.segment = :segment
  order by c.person_id, c.seq desc
), undone as (
  select w.person_id, substr(w.cause, length('merged into ') + 1) as survivor
  from last_word w join identity.person p on p.person_id = w.person_id and p.status = 'active'
  where w.change = 'left' and w.cause like 'merged into %'
), comes as (
  select merged_into as person_id, 'merged from ' || person_id as cause from gone where merged_into is not null
  union all select person_id, 'merge undone' from undone
)
select person_id, 'left', 'merged into ' || coalesce(merged_into, 'nobody') from gone
union all
select m.person_id, 'left', 'merge undone' from undone u
join segment.membership m on m.segment = :segment and m.person_id = u.survivor
where m.why = 'merged from ' || u.person_id
union all
select person_id, 'entered', min(cause) from comes c
where not exists (select from segment.membership m where m.segment = :segment and m.person_id = c.person_id)
group by person_id
"""


def follow(db: Connection, segment: str, *, hold_out: Any, now: datetime) -> int:
    """A static segment follows merges and their undoing, of the staged persons; how many entered or left."""
    return _written(db, _FOLLOWED, {"segment": segment, "hold_out": hold_out, "now": now})


_EMPTIED = """
insert into moves select person_id, 'left', 'the segment is no more' from segment.membership where segment = :segment
"""


def end(db: Connection, segment: str, *, now: datetime) -> int:
    """A segment whose file is gone is forgotten, its history is not; how many left."""
    moved = _written(db, _EMPTIED, {"segment": segment, "hold_out": 0, "now": now})
    db.execute(text("delete from segment.definition where segment = :segment"), {"segment": segment})
    return moved


# ── definitions ───────────────────────────────────────────────────────────────────────────────────────────────────────

_KEEP = text("""
insert into segment.definition as d (segment, body, seen_at) values (:segment, cast(:body as jsonb), :now)
on conflict (segment) do update set body = excluded.body, seen_at = excluded.seen_at, version = d.version + 1,
  full_at = case when not :anew then d.full_at end
where d.body is distinct from excluded.body
""")
_LOOKED = text("""
update segment.definition set evaluated_at = coalesce(cast(:looked as timestamptz), evaluated_at),
  full_at = coalesce(cast(:whole as timestamptz), full_at)
where segment = :segment
""")


# Who is a member of a live segment that was mended is told of again: meanwhile nobody was added to its audiences.
_STOP = text("""
with changed as (
  update segment.definition set stopped_by = cast(:why as jsonb) ->> segment
  where stopped_by is distinct from cast(:why as jsonb) ->> segment
  returning segment, live_since is not null and stopped_by is null as told
)
insert into hub.dirty (entity, subject, because)
select 'member', segment || '/' || person_id, 'segment ' || segment || ' was mended'
from changed join segment.membership using (segment) where told
""")


def stop(db: Connection, why: Mapping[str, str]) -> None:
    """Writes down which segments nobody was looked at for, and why; all others are not stopped, or no more."""
    db.execute(_STOP, {"why": json.dumps(why)})


def definitions(db: Connection) -> dict[str, Any]:
    """Segment → its row: body, evaluated_at, full_at, live_since, stopped_by …"""
    return {row.segment: row for row in db.execute(text("select * from segment.definition"))}


def keep(db: Connection, segment: str, body: Mapping[str, Any], now: datetime, *, anew: bool) -> None:
    """`anew`: everybody is to be looked at by what it says now."""
    said = json.dumps(body, ensure_ascii=False, default=str, sort_keys=True)
    db.execute(_KEEP, {"segment": segment, "body": said, "now": now, "anew": anew})


def looked(db: Connection, segment: str, *, at: datetime | None = None, whole: datetime | None = None) -> None:
    """Up to when the passing of time was looked at, and when everybody was."""
    db.execute(_LOOKED, {"segment": segment, "looked": at, "whole": whole})


def live(db: Connection) -> frozenset[str]:
    """Segments that a person activated: only of these anything leaves the hub."""
    rows = db.execute(text("select segment from segment.definition where live_since is not null"))
    return frozenset(rows.scalars())


def memberships_of(db: Connection, persons: Collection[str]) -> list[str]:
    """`segment/person_id` of these persons, in segments that are live."""
    if not (persons and live(db)):
        return []
    found = db.execute(
        text(
            "select segment || '/' || person_id from segment.membership join segment.definition using (segment) "
            "where live_since is not null and person_id = any(:persons) order by 1"
        ),
        {"persons": list(persons)},
    )
    return list(found.scalars())
