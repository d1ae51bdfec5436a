"""A person as told to whoever asks: the golden record, its records, all that passed, and why it is one person.

Contacts are masked: their first two and last two characters. Evidence is told in bits that add up.
"""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any

import pyarrow as pa
from sqlalchemy import Connection, Engine, text

from connectors.sdk.errors import ConfigError
from dagster_project.steps.people.verdicts import known
from dagster_project.store.people import golden
from dagster_project.store.people.persons import PEOPLE
from dagster_project.store.people.sealing import opened_row
from dagster_project.store.people.verdicts import named
from mappings.identity.rules import RuleVersion
from mappings.identity.scoring import EVIDENCE, reasons

_LINK = RuleVersion().link
MASKED = ("phone", "phones", "email", "emails", "loyalty_id", "loyalty_ids", "address")


def masked(value: str) -> str:
    """The first two and the last two characters."""
    return f"{value[:2]}…{value[-2:]}" if len(value) > 4 else "…"


def _hidden(name: str, value: Any) -> Any:
    if name not in MASKED or value is None:
        return value
    return masked(value) if isinstance(value, str) else [masked(one) for one in value]


# ── one person ────────────────────────────────────────────────────────────────────────────────────────────────────────

_GOLDEN = text("select * from canonical.person where person_id = :person")
_RECORDS = text("""
select r.record, r.connection, r.external_id, r.kind, m.since, r.last_seen
from identity.membership m join identity.source_record r using (record) where m.person_id = :person
order by r.connection, r.external_id""")
_HOUSEHOLD = text("""
select o.person_id from identity.household h join identity.household o using (household_id)
where h.person_id = :person and o.person_id <> :person order by 1""")
_HISTORY = text("""
select at, kind, person_id, other_id, cardinality(records) as records, cause from identity.person_event
where person_id = :person or other_id = :person order by seq""")


_KEYS = ("person_id", "town")


def show(engine: Engine, name: str) -> dict[str, Any]:
    """`{person_id, golden, records, household, history}`; raises ConfigError for nobody.

    `golden.provenance`: field to `{connection, external_id, at, rule}`, a record of `records`; null of what was pinned.
    """
    with engine.connect() as db:
        person = known(db, name)
        row = db.execute(_GOLDEN, {"person": person}).mappings().one_or_none()
        best = {} if row is None else opened_row(db, "identity.golden", row)
        records = {str(one.pop("record")): one for one in _rows(db, _RECORDS, person)}
        told = best and {**best, "provenance": _whence(best["provenance"], records)}
        return {
            "person_id": person,
            "golden": {field: _hidden(field, value) for field, value in told.items() if field not in _KEYS},
            "records": list(records.values()),
            "household": list(db.execute(_HOUSEHOLD, {"person": person}).scalars()),
            "history": _rows(db, _HISTORY, person),
        }


def _whence(said: Mapping[str, Any], records: Mapping[str, Any]) -> dict[str, Any]:
    """Of each field `{connection, external_id, at, rule}`: which of the records has it."""
    return {
        field: {
            "connection": one["connection"],
            "external_id": records.get(one["record"], {}).get("external_id"),
            "at": one["at"],
            "rule": one["rule"],
        }
        for field, one in said.items()
    }


def _rows(db: Connection, statement: Any, person: str) -> list[dict[str, Any]]:
    return [dict(row) for row in db.execute(statement, {"person": person}).mappings()]


# ── why, and what passed ──────────────────────────────────────────────────────────────────────────────────────────────

_EVIDENCE = ", ".join(f'e."{name}"' for name in EVIDENCE)
_WHY = text(f"""
with mine as (select m.record, r.connection, r.external_id, r.first_seen from identity.membership m
              join identity.source_record r using (record) where m.person_id = :person)
select r.connection, r.external_id, r.first_seen as at, best.*
from mine r left join lateral (
  select e.weight, {_EVIDENCE}, o.connection || ':' || o.external_id as other
  from identity.edge e join mine o on o.record = case when e.a = r.record then e.b else e.a end
  where (e.a = r.record or e.b = r.record) and e.weight >= :link
  order by e.weight desc, o.record limit 1) best on true
order by r.connection, r.external_id""")
_DECIDED = text("""
select o.at, o.verdict, o.who, o.why, x.connection || ':' || x.external_id as one,
       y.connection || ':' || y.external_id as other
from identity.edge_override o join identity.source_record x on x.record = o.a
join identity.source_record y on y.record = o.b
where exists (select from identity.membership m where m.person_id = :person and m.record in (o.a, o.b))
order by o.at""")
_PINNED = text("""
with recursive mine (person_id) as (
  select :person union select p.person_id from mine m join identity.person p on p.merged_into = m.person_id
) select at, field, who, why from identity.pin join mine using (person_id) order by at""")
_PASSED = text("""
select at, kind, connection, external_id, channel, detail from canonical.timeline where person_id = :person""")


def explain_person(engine: Engine, name: str, connection: str | None = None) -> dict[str, Any]:
    """`{kind, id, hops}`: records and why they are one person, merges and splits, verdicts, pins, all that passed.

    `connection`: only what that one brought. Raises ConfigError for nobody.
    """
    with engine.connect() as db:
        person = known(db, name)
        hops = [*_belonging(db, person), *_became(db, person), *_passed(db, person)]
    chosen = [hop for hop in hops if connection in (None, hop["connection"])]
    return {"kind": "person", "id": person, "hops": sorted(chosen, key=lambda hop: hop["at"] or "")}


def _hop(hop: str, at: datetime | None, connection: str | None, detail: str) -> dict[str, Any]:
    return {"hop": hop, "at": at and at.isoformat(), "connection": connection, "detail": detail}


def _belonging(db: Connection, person: str) -> Iterable[dict[str, Any]]:
    for row in db.execute(_WHY, {"person": person, "link": _LINK}).mappings():
        why = "the only evidence is its own" if row["weight"] is None else f"one with {row['other']}: {told(row)}"
        yield _hop("record", row["at"], row["connection"], f"{row['external_id']}: {why}")


def told(edge: Mapping[str, Any]) -> str:
    """`9.5 bits = phone +6, first name +3.5`."""
    parts = ", ".join(f"{name} {bits:+g}" for name, bits in reasons({name: edge[name] for name in EVIDENCE}))
    return f"{edge['weight']:g} bits = {parts}"


def _became(db: Connection, person: str) -> Iterable[dict[str, Any]]:
    for event in _rows(db, _HISTORY, person):
        other = event["other_id"] if event["person_id"] == person else event["person_id"]
        beside = f" with {other}" if other else ""
        detail = f"{event['records']} records{beside}; {event['cause'] or 'no cause was given'}"
        yield _hop(event["kind"], event["at"], None, detail)
    for verdict in _rows(db, _DECIDED, person):
        said = f"{verdict['one']} and {verdict['other']}: {verdict['verdict']}, by {verdict['who']}"
        yield _hop("verdict", verdict["at"], None, said + (f": {verdict['why']}" if verdict["why"] else ""))
    for pin in _rows(db, _PINNED, person):
        said = f"{pin['field']} set by {pin['who']}"
        yield _hop("pin", pin["at"], None, said + (f": {pin['why']}" if pin["why"] else ""))


def _passed(db: Connection, person: str) -> Iterable[dict[str, Any]]:
    for row in _rows(db, _PASSED, person):
        yield _hop(row["kind"], row["at"], row["connection"], f"{row['external_id']} {row['detail']}".strip())


# ── what waits for a person's eye ─────────────────────────────────────────────────────────────────────────────────────

_QUEUE = text(f"""
select x.connection || ':' || x.external_id as one, y.connection || ':' || y.external_id as other,
       m.person_id as person, n.person_id as other_person, e.weight, {_EVIDENCE}, e.reason, e.a, e.b
from (
  select e.*, l.reason from identity.link_aside l join identity.edge e using (a, b) where e.weight >= {_LINK}
  union all select e.*, null from identity.edge e where e.weight < {_LINK}
) e join identity.source_record x on x.record = e.a join identity.source_record y on y.record = e.b
join identity.membership m on m.record = e.a join identity.membership n on n.record = e.b
where m.person_id <> n.person_id and (e.weight, e.a, e.b) < (:weight, :a, :b)
  and not exists (select from identity.edge_override o where o.a = e.a and o.b = e.b)
order by e.weight desc, e.a desc, e.b desc limit :most""")
_PLACE = text("select weight, a, b from identity.edge where a = least(:one, :other) and b = greatest(:one, :other)")
_TOP = {"weight": float("inf"), "a": 0, "b": 0}


def review(engine: Engine, *, most: int = 20, after: Sequence[str] | None = None) -> list[dict[str, Any]]:
    """Pairs that may be one person and are two, the likeliest first: the evidence in bits, what both say (contacts
    masked), and the rule that put a link aside.

    `after`: the last pair (`connection:id` each) of the page before. Raises ConfigError where it is no pair.
    """
    with engine.connect() as db:
        place = _place(db, *after) if after else _TOP
        queue = [dict(row) for row in db.execute(_QUEUE, {**place, "most": most}).mappings()]
        people = sorted({row[name] for row in queue for name in ("person", "other_person")})
        said = {row["record"]: row for row in golden.said(db, pa.table([people], schema=PEOPLE)).to_pylist()}
    return [
        {
            "one": row["one"], "other": row["other"], "weight": row["weight"], "evidence": told(row),
            "aside": row["reason"], "one_says": _says(said.get(row["a"])), "other_says": _says(said.get(row["b"])),
        }
        for row in queue
    ]  # fmt: skip


def _place(db: Connection, one: str, other: str) -> Mapping[str, Any]:
    """Where in the queue a pair stands, or stood before somebody decided on it."""
    records = list(named(db, [one, other]).values())
    found = None
    if len(records) == 2:
        found = db.execute(_PLACE, dict(zip(("one", "other"), records, strict=True))).mappings().one_or_none()
    if found is None:
        raise ConfigError(f"{one} and {other} are no pair of the queue: name the last one of the page before")
    return dict(found)


def _says(row: Mapping[str, Any] | None) -> str:
    if row is None:
        return ""
    name = row["name"] or " ".join(filter(None, (row["last_name"], row["first_name"])))
    contacts = [masked(one) for field in ("phones", "emails", "loyalty_ids") for one in row[field] or ()]
    return ", ".join(filter(None, (name, row["birth_date"], row["city"], *contacts)))
