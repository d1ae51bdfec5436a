"""Persons: which record is whom, what became of them, who lives with whom."""

import os
from datetime import datetime

import pyarrow as pa
from sqlalchemy import Connection, text

from dagster_project.store.people.source_records import replace, stage
from dagster_project.store.tables import TABLES
from dagster_project.store.transfer import copy_in, read
from mappings.identity.households import SHARED, TOGETHER
from mappings.identity.ids import MEMBERSHIP, PERSONS, Fresh, Identities, uuid7s
from mappings.relations import unordered

PEOPLE = pa.schema({"person_id": pa.string()})
MOVED = pa.schema({"record": pa.int64(), "was": pa.string(), "person_id": pa.string()})
"""Records that went from one person to another; null: from nobody, to nobody."""


def fresh(now: datetime) -> Fresh:
    return lambda count: uuid7s(count, int(now.timestamp() * 1000), os.urandom(16 * count))


# ── as they were ──────────────────────────────────────────────────────────────────────────────────────────────────────


def held(db: Connection, records: pa.Table | None = None) -> pa.Table:
    """MEMBERSHIP of all records of the persons that have any of these; None: of everybody."""
    if records is None:
        return read(db, "select record, person_id from identity.membership").cast(MEMBERSHIP)
    stage(db, "asked", records.select(["record"]))
    mine = "select distinct person_id from asked join identity.membership using (record)"
    found = read(db, f"select m.record, m.person_id from ({mine}) p join identity.membership m using (person_id)")
    return found.cast(MEMBERSHIP)


def whose(db: Connection, records: pa.Table) -> pa.Table:
    """MEMBERSHIP of these records only."""
    stage(db, "asked", records.select(["record"]))
    return read(db, "select record, person_id from asked join identity.membership using (record)").cast(MEMBERSHIP)


def created(db: Connection, held: pa.Table) -> pa.Table:
    """PERSONS of this membership."""
    stage(db, "people", _people(held))
    found = read(db, "select p.person_id, p.created_at from people join identity.person p using (person_id)")
    return found.cast(PERSONS)


# What a person was when it ended stands in the event that ended it. Whoever went into one that went on into another
# comes back too.
_FORMER = """
with recursive ended as (
  select p.person_id from people h join identity.person p on p.merged_into = h.person_id
  union
  select p.person_id from ended e join identity.person p on p.merged_into = e.person_id
), last_words as (
  select distinct on (v.person_id) v.person_id, v.seq from ended join identity.person_event v using (person_id)
  where v.kind = 'merged' order by v.person_id, v.seq desc
)
select unnest(v.records) as record, v.person_id from last_words join identity.person_event v using (person_id, seq)
"""


def former(db: Connection, held: pa.Table) -> pa.Table:
    """MEMBERSHIP, at their end, of persons that were merged into those of `held` and have not come back since."""
    stage(db, "people", _people(held))
    return read(db, _FORMER).cast(MEMBERSHIP)


_MET = """
select distinct c.record, f.person_id from f join clusters same using (record) join clusters c using (cluster)
anti join f own on own.person_id = f.person_id and own.record = c.record
"""
_LATER = """
select m.record, m.person_id from met m join identity.source_record r using (record)
where r.first_seen > (select max(v.at) from identity.person_event v
                      where v.person_id = m.person_id and v.kind = 'merged')
"""


def later(db: Connection, clusters: pa.Table, former: pa.Table) -> pa.Table:
    """MEMBERSHIP of the records in a cluster with those of a `former` person that were first seen after its end."""
    if not former.num_rows:
        return MEMBERSHIP.empty_table()
    stage(db, "met", unordered(_MET, f=former, clusters=clusters).cast(MEMBERSHIP))
    return read(db, _LATER).cast(MEMBERSHIP)


def _people(membership: pa.Table) -> pa.Table:
    return unordered("select distinct person_id from m where person_id is not null", m=membership).cast(PEOPLE)


# ── as they are ───────────────────────────────────────────────────────────────────────────────────────────────────────

_GONE = "delete from identity.membership m using moved w where m.record = w.record and w.person_id is null"
_BELONG = """
insert into identity.membership as m (record, person_id, since)
select record, person_id, :now from moved where person_id is not null order by record
on conflict (record) do update set person_id = excluded.person_id, since = excluded.since
"""
# Who is as before is only read: a conflict would lock and so write the row even where it changes nothing.
_PERSONS = """
insert into identity.person (person_id, status, created_at, records)
select person_id, 'active', :now, records from sized s
where not exists (select from identity.person p
                  where p.person_id = s.person_id and p.status = 'active' and p.records = s.records)
order by person_id
on conflict (person_id) do update set status = 'active', merged_into = null, records = excluded.records
"""
_ENDED = """
update identity.person p set status = e.kind, merged_into = e.other_id, records = 0
from happened e where e.person_id = p.person_id and e.kind in ('merged', 'retired')
"""


def settle(db: Connection, named: Identities, held: pa.Table, *, cause: str | None, now: datetime) -> pa.Table:
    """Makes the tables say who is who now; gives the MOVED."""
    moved = unordered(_MOVED, held=held, named=named.membership).cast(MOVED)
    stage(db, "moved", moved)
    stage(db, "sized", unordered("select person_id, count(*) as records from n group by 1", n=named.membership))
    stage(db, "happened", named.events.select(["person_id", "kind", "other_id"]))
    for statement in (_GONE, _BELONG, _PERSONS, _ENDED):
        db.execute(text(statement), {"now": now})
    copy_in(db, TABLES["identity.person_event"], _dated(named.events, cause, now))
    return moved


_MOVED = """
select record, h.person_id as was, n.person_id from held h full join named n using (record)
where h.person_id is distinct from n.person_id
"""


def _dated(events: pa.Table, cause: str | None, now: datetime) -> pa.Table:
    count = events.num_rows
    told = events.append_column("cause", pa.repeat(pa.scalar(cause, pa.string()), count))
    return told.append_column("at", pa.repeat(pa.scalar(now, pa.timestamp("us", "UTC")), count))


# ── who lives with whom ───────────────────────────────────────────────────────────────────────────────────────────────

# A value of everybody leads nowhere, nor does one that a single record has. A record has few identifiers: by `|| ''`
# they are looked up by the record alone, not once for each kind.
_SHARED = f"""
select distinct m.person_id, i.kind, i.value from people join identity.membership m using (person_id)
join identity.identifier i on i.record = m.record and i.kind || '' in {TOGETHER}
join identity.identifier_stat s on s.kind = i.kind and s.value = i.value
where s.status in ('ok', 'shared')
"""
_HOLDERS = """
select distinct m.person_id from wanted join identity.identifier i using (kind, value)
join identity.membership m using (record)
"""
_MATES = """
select person_id from people
union select o.person_id from people p join identity.household h using (person_id)
  join identity.household o using (household_id)
"""


def neighbours(db: Connection, people: pa.Table) -> tuple[pa.Table, pa.Table]:
    """PEOPLE who share something with these, or with whom they share a household, and so on as far as it leads; and the
    SHARED of all of them. Of each person, and of each value, it is asked once."""
    stage(db, "people", people)
    fresh = near = read(db, _MATES).cast(PEOPLE)
    shared = SHARED.empty_table()
    while fresh.num_rows:
        stage(db, "people", fresh)
        found = read(db, _SHARED).cast(SHARED)
        values = unordered("select kind, value from f except select kind, value from s", f=found, s=shared)
        stage(db, "wanted", values)
        fresh = unordered("from h except from n", h=read(db, _HOLDERS), n=near).cast(PEOPLE)
        near, shared = pa.concat_tables([near, fresh]), pa.concat_tables([shared, found])
    return near, shared


def households(db: Connection, people: pa.Table | None = None) -> pa.Table:
    """person_id, household_id, since: of some or of all."""
    if people is None:
        return read(db, "select person_id, household_id, since from identity.household")
    stage(db, "people", people)
    return read(
        db, "select h.person_id, h.household_id, h.since from people join identity.household h using (person_id)"
    )


def replace_households(db: Connection, had: pa.Table, rows: pa.Table) -> None:
    """person_id, household_id, since of those that were there, by others."""
    replace(db, "identity.household", ("person_id",), had, rows.select(had.column_names).cast(had.schema))
