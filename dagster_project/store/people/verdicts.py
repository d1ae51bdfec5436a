"""What people decided about persons: two records are one or are not, a value is the right one."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime

import pyarrow as pa
from sqlalchemy import Connection, text

from dagster_project.store.people.sealing import sealed_pin
from mappings.identity.clusters import OVERRIDES


@dataclass(frozen=True)
class By:
    """Who decided, why, when."""

    who: str
    why: str
    at: datetime


def person(db: Connection, name: str) -> str | None:
    """The person who goes by this id now, or whose record `connection:external id` is."""
    lasting = text("""
    with recursive goes_on (person_id, merged_into) as (
      select person_id, merged_into from identity.person where person_id = :name
      union select p.person_id, p.merged_into from goes_on g join identity.person p on p.person_id = g.merged_into
    ) select person_id from goes_on where merged_into is null""")
    of_record = text("""
    select m.person_id from identity.source_record r join identity.membership m using (record)
    where r.connection = :connection and r.external_id = :external_id""")
    connection, _, external_id = name.partition(":")
    found: str | None = (
        db.execute(lasting, {"name": name}).scalar()
        or db.execute(of_record, {"connection": connection, "external_id": external_id}).scalar()
    )
    return found


def records(db: Connection, person: str) -> list[int]:
    """Of a person, in order."""
    mine = text("select record from identity.membership where person_id = :person order by record")
    return list(db.execute(mine, {"person": person}).scalars())


def named(db: Connection, names: Sequence[str]) -> dict[str, int]:
    """`connection:external id` → its record, of those that are there."""
    those = text("""
    select n.name, r.record from unnest(cast(:names as text[])) n(name)
    join identity.source_record r
      on r.connection = split_part(n.name, ':', 1) and r.external_id = substr(n.name, strpos(n.name, ':') + 1)
    join identity.membership using (record)""")
    return dict(tuple(row) for row in db.execute(those, {"names": list(names)}))


_SAY = text("""
insert into identity.edge_override as o (a, b, verdict, who, why, at) values (:a, :b, :verdict, :who, :why, :at)
on conflict (a, b) do update
  set verdict = excluded.verdict, who = excluded.who, why = excluded.why, at = excluded.at
""")
_TAKE_BACK = text("""
delete from identity.edge_override where verdict = :verdict
  and (a = any(:ones) and b = any(:others) or b = any(:ones) and a = any(:others)) returning a, b, verdict
""")


def say(db: Connection, verdict: str, pairs: Iterable[tuple[int, int]], by: By) -> pa.Table:
    """Stores the verdict on each pair, in place of an older one; gives OVERRIDES."""
    rows = [{"a": min(pair), "b": max(pair), "verdict": verdict} for pair in pairs]
    if rows:
        db.execute(_SAY, [{**row, "who": by.who, "why": by.why or None, "at": by.at} for row in rows])
    return pa.Table.from_pylist(rows, schema=OVERRIDES)


def take_back(db: Connection, verdict: str, ones: Sequence[int], others: Sequence[int]) -> pa.Table:
    """Forgets such verdicts between the two groups; gives OVERRIDES."""
    gone = db.execute(_TAKE_BACK, {"verdict": verdict, "ones": list(ones), "others": list(others)})
    return pa.Table.from_pylist([dict(row) for row in gone.mappings()], schema=OVERRIDES)


def last_merge(db: Connection, person: str) -> tuple[list[int], list[int]]:
    """Records of whoever went into this person last and has not come back, and of the person those it had then; empty
    where nobody did."""
    statement = text("""
    select v.records, array(select m.record from identity.membership m where m.person_id = :person and m.since <= v.at
                            and m.record <> all(v.records)) as stayed
    from identity.person_event v join identity.person p using (person_id)
    where v.other_id = :person and v.kind = 'merged' and p.status = 'merged' and p.merged_into = :person
    order by v.seq desc limit 1""")
    found = db.execute(statement, {"person": person}).one_or_none()
    return ([], []) if found is None else (list(found.records), list(found.stayed))


# ── pins ──────────────────────────────────────────────────────────────────────────────────────────────────────────────

_PIN = text("""
insert into identity.pin as p (person_id, field, value, instead_of, who, why, at)
values (:person, :field, :value, :instead_of, :who, :why, :at)
on conflict (person_id, field) do update
  set value = excluded.value, instead_of = excluded.instead_of, who = excluded.who, why = excluded.why, at = excluded.at
""")


def pin(db: Connection, person: str, field: str, value: str, instead_of: str | None, by: By) -> None:
    kept = sealed_pin(db, person, field, [value, instead_of])
    values = {"person": person, "field": field, "value": kept[0], "instead_of": kept[1]}
    db.execute(_PIN, {**values, "who": by.who, "why": by.why or None, "at": by.at})


def unpin(db: Connection, person: str, field: str) -> int:
    gone = text("delete from identity.pin where person_id = :person and field = :field")
    return db.execute(gone, {"person": person, "field": field}).rowcount
