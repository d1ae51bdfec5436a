"""Whom a channel's audiences concern: members of its segments, and whoever the ledger knows there already."""

from collections.abc import Sequence

import pyarrow as pa
from sqlalchemy import Connection, text

from dagster_project.store.ledger import Queue
from dagster_project.store.transfer import read

# Whoever was merged into a person of the slice may still stand in the audience under his old id.
_WIDENED = text("""
with recursive asked as (
  select split_part(subject, '/', 1) as segment, substr(subject, strpos(subject, '/') + 1) as person_id
  from unnest(cast(:subjects as text[])) subject
), meant(segment, person_id) as (
  select segment, person_id from asked
  union select m.segment, p.person_id from meant m join identity.person p on p.merged_into = m.person_id
)
select segment || '/' || person_id from meant order by 1
""")


def widened(db: Connection, subjects: Sequence[str]) -> list[str]:
    """The subjects, and the same memberships of everybody who was merged into their persons."""
    return list(db.execute(_WIDENED, {"subjects": list(subjects)}).scalars())


_ALL = """
select segment, person_id from segment.membership where segment = any(:segments)
union select split_part(subject, '/', 1), substr(subject, strpos(subject, '/') + 1)
from ledger.item where connection = :connection and capability = :capability
"""
_SOME = """
select split_part(subject, '/', 1) as segment, substr(subject, strpos(subject, '/') + 1) as person_id
from unnest(cast(:subjects as text[])) subject
"""
# Who is not a member and never was anything to this channel gives nothing.
_CONCERNED = """
with recursive asked as materialized ({asked}), up(person_id, survivor) as (
  select a.person_id, p.merged_into from (select distinct person_id from asked) a
  join identity.person p using (person_id) where p.merged_into is not null
  union all
  select u.person_id, p.merged_into from up u join identity.person p on p.person_id = u.survivor
  where p.merged_into is not null
), retired as (
  select u.person_id, u.survivor from up u
  where not exists (select from identity.person p where p.person_id = u.survivor and p.merged_into is not null)
), known as (
  select a.*, a.segment || '/' || a.person_id as subject, coalesce(r.survivor, a.person_id) as survivor,
         r.survivor is not null as retired
  from asked a left join retired r using (person_id)
), peopled as (
  select segment, exists (select from segment.membership m where m.segment = s.segment) as peopled
  from (select distinct segment from asked) s
)
select k.subject, k.segment, k.person_id, k.survivor, k.retired, m.person_id is not null as member,
       coalesce(m.hold_out, false) as hold_out, to_char(m.since at time zone 'UTC', 'YYYY-MM-DD') as since,
       i.acknowledged::text as told, o.becomes::text as unanswered, p.peopled,
       coalesce(whoever.status = 'erased', false) as erased, {there} as there
from known k join peopled p using (segment) left join identity.person whoever using (person_id)
left join segment.membership m
  on m.segment = k.segment and m.person_id = k.survivor and m.segment = any(:segments)
left join ledger.item i
  on i.connection = :connection and i.capability = :capability and i.subject = k.subject
left join ledger.outbox o
  on o.connection = :connection and o.capability = :capability and o.subject = k.subject
     and o.state in ('sending', 'unknown')
where i.subject is not null or (m.person_id is not null and not k.retired)
order by k.subject
"""
_THERE = """exists (
  select from identity.membership here join identity.source_record r using (record)
  where here.person_id = k.survivor and r.connection = :connection and r.kind = 'customer' and r.deleted_at is null)"""


def concerned(
    db: Connection, queue: Queue, segments: Sequence[str], subjects: Sequence[str] | None, *, listed: bool = False
) -> pa.Table:
    """subject, segment, person_id, survivor (who the person is now), retired (was merged), member (the survivor is),
    hold_out, since, told (JSON text of what the channel confirmed), unanswered (of what may have left), peopled (the
    segment has any member), erased (the person was, on demand), there (the connection knows him; asked only of those
    who must be `listed` on it).

    Of `subjects` (None: all), for these active `segments` of a connection.
    """
    query = _CONCERNED.format(asked=_ALL if subjects is None else _SOME, there=_THERE if listed else "true")
    values = {**queue._asdict(), "segments": list(segments), "subjects": list(subjects or ())}
    return read(db, query, values)
