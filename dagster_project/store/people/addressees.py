"""Who somebody is at the moment when something leaves for him. What is read here is used and stored nowhere."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, text

from dagster_project.store.ledger import Queue
from dagster_project.store.outbox import ARRIVED
from dagster_project.store.people import datakeys
from dagster_project.store.people.keyring import keys
from dagster_project.store.people.sealing import SEALED

NAMES = ("first_name", "last_name", "middle_name", "city", "birth_date", "gender", "language")
CONTACTS = ("email", "phone")

_KNOWN = text("""
with recursive up(asked, person_id) as (
  select person_id, person_id from unnest(cast(:persons as text[])) person_id
  union all
  select u.asked, p.merged_into from up u join identity.person p using (person_id) where p.merged_into is not null
)
select u.asked, g.*, (
  select trim_scale(greatest(b.balance, 0))::text from canonical.loyalty_balance b where b.person_id = u.person_id
) as points, (
  select r.external_id from identity.membership m join identity.source_record r using (record)
  where m.person_id = u.person_id and r.connection = :connection and r.kind = 'customer' and r.deleted_at is null
  order by r.record limit 1
) as external_id
from up u left join identity.golden g using (person_id)
where not exists (select from identity.person p where p.person_id = u.person_id and p.merged_into is not null)
""")


def known(db: Connection, connection: str, persons: Collection[str]) -> dict[str, Mapping[str, Any]]:
    """Of each person the golden record, and `external_id`: who the person is in that connection, if known.

    Somebody who was merged is who he is now; nobody is known of whom nothing is left. Of what is sealed the
    contacts still are: see `clear`. `points`: the balance; a person must look at one below zero, no system is told it.
    """
    rows = db.execute(_KNOWN, {"connection": connection, "persons": list(persons)}).mappings()
    return {row["asked"]: row for row in datakeys.opened(db, [dict(row) for row in rows])}


def clear(golden: Mapping[str, Any]) -> dict[str, Any]:
    """A golden record with its contacts opened."""
    return {name: _clear(name, value) for name, value in golden.items()}


def _clear(column: str, value: Any) -> Any:
    kind = SEALED["identity.golden"].get(column)
    if kind and isinstance(value, str):
        return keys().open(value, kind)
    return [_clear(column, one) for one in value] if isinstance(value, list) else value


# A contact that by now stands for somebody else, or is known as somebody else's, is not this person's to delete.
_RECEIPTS = text("""
select c.subject, array_agg(distinct c.message) as receipts from ledger.change c
where c.connection = :connection and c.capability = :capability and c.subject = any(:subjects)
  and c.outcome = 'accepted' and c.message <> :arrived
  and not exists (select from ledger.item i
                  where i.connection = c.connection and i.capability in ('segment.push', 'customer.push')
                    and i.external_id = c.message
                    and regexp_replace(i.subject, '.*/', '') <> regexp_replace(c.subject, '.*/', ''))
  and not exists (select from identity.source_record r join identity.membership m using (record)
                  join identity.membership other on other.person_id = m.person_id and other.record <> m.record
                  where r.connection = c.connection and r.external_id = c.message and r.deleted_at is null)
group by c.subject
""")


def receipts(db: Connection, queue: Queue, subjects: Sequence[str]) -> dict[str, list[str]]:
    """Every receipt that the connection ever gave of these subjects, as far as it is nobody else's."""
    rows = db.execute(_RECEIPTS, {**queue.names, "subjects": list(subjects), "arrived": ARRIVED})
    return {row.subject: row.receipts for row in rows}


# ── as a system is told of them ───────────────────────────────────────────────────────────────────────────────────────


@dataclass(frozen=True)
class Written:
    """A person whom a connection may be told of; of what is sealed the contacts still are.

    `survivor`: who the person was merged into. `there`: what the connection itself says, None where it knows nobody.
    `acknowledged`: JSON text of what it confirmed. `erased`: the person was, on demand.
    """

    person_id: str
    golden: Mapping[str, Any]
    survivor: str | None
    there: Mapping[str, Any] | None
    acknowledged: str | None
    erased: bool


_WRITTEN = """
with asked as ({asked})
select a.person_id, coalesce(to_jsonb(g), '{{}}') || coalesce((
         select jsonb_build_object('points', trim_scale(greatest(b.balance, 0))::text)
         from canonical.loyalty_balance b where b.person_id = a.person_id), '{{}}') as golden,
       p.merged_into as survivor,
       to_jsonb(there) as there, i.acknowledged::text, coalesce(p.status = 'erased', false) as erased
from asked a left join identity.golden g using (person_id) left join identity.person p using (person_id)
left join ledger.item i
  on i.connection = :connection and i.capability = :capability and i.subject = a.person_id
left join lateral (
  select c.* from identity.membership m join identity.source_record r using (record)
  join canonical.customer c on c.connection = r.connection and c.external_id = r.external_id
  where m.person_id = a.person_id and r.connection = :connection and r.kind = 'customer' and r.deleted_at is null
  order by r.record limit 1
) there on true
where i.subject is not null or (g.person_id is not null and p.merged_into is null
                                and (there.external_id is not null or :everybody))
order by 1
"""
_NAMED = "select unnest(cast(:subjects as text[])) as person_id"
_THERE = """
select m.person_id from identity.membership m join identity.source_record r using (record)
where r.connection = :connection and r.kind = 'customer' and r.deleted_at is null
union select subject from ledger.item where connection = :connection and capability = :capability
"""
_ANYBODY = "select person_id from identity.golden union " + _THERE


def written(db: Connection, queue: Queue, subjects: Sequence[str] | None, *, everybody: bool) -> list[Written]:
    """Persons of `subjects` (None: all) whom the connection knows, or was told of, or, if `everybody`, may be told."""
    asked = (_ANYBODY if everybody else _THERE) if subjects is None else _NAMED
    values = {**queue._asdict(), "subjects": list(subjects or ()), "everybody": everybody}
    rows = db.execute(text(_WRITTEN.format(asked=asked)), values).mappings()
    return [Written(**row) for row in datakeys.opened(db, [dict(row) for row in rows])]
