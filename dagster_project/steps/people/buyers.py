"""What other systems should say of a person: the golden record, told as a digest, and in clear only when it leaves."""

from collections.abc import Mapping, Sequence
from datetime import date, datetime
from typing import Any

import pyarrow as pa

from dagster_project.connections import Connection, Hub
from dagster_project.steps.people.memberships import ERASED
from dagster_project.steps.people.withdraw import FORGET
from dagster_project.steps.slices import Slice
from dagster_project.store.ledger import Queue
from dagster_project.store.people.addressees import Written, written
from dagster_project.store.people.keyring import keys
from mappings.sync.diff import Faced
from mappings.sync.values import as_json

FACTS = {
    "first_name": "name", "last_name": "name", "middle_name": "name", "phones": "phone", "emails": "email",
    "birth_date": "birth_date", "city": "city", "points": "points",
}  # fmt: skip
"""What is written of a person → the field by which hub.authority names who owns it."""
ASKED = frozenset({"points"})
"""Facts that a sink is told only where it `takes` them: a balance moves with every purchase."""
MANY = ("phones", "emails")
Facts = dict[str, Any]
COLUMNS = ("subject", "value", "excluded", "hold", "withdrawal", "external_id", "because", "about")
MERGED, FORGOTTEN = "merged into {}", "nothing is known of the person any more"
UNKNOWN_THERE = "not known there, and push.create does not say to make people"


def buyers(hub: Hub, connection: Connection, queue: Queue, slice: Slice, now: datetime) -> Faced:
    """Subjects are persons. Whom the system says already what we know counts as told: an echo moves nothing. Who was
    erased is to be forgotten there too, at once, where the sink can do that."""
    assert connection.spec is not None
    forgets = connection.spec.sink(queue.capability).forgets
    with slice.engine.connect() as db:
        people = written(db, queue, slice.subjects, everybody=connection.entry.push.create)
    facts = not_owned(hub, connection, queue.capability)
    rows, shown = [], {}
    for one in people:
        wanted = of_golden(one.golden, facts)
        rule = _rule(connection, one, wanted)
        value = told(wanted)
        row = {"subject": one.person_id, "value": value, "excluded": rule, "because": "known from elsewhere"}
        rows.append({**row, "withdrawal": FORGET if one.erased and forgets else None, "at_once": one.erased})
        if one.acknowledged is None and one.there and _says(one.there, wanted):
            shown[one.person_id] = value
    return Faced(_table(rows), slice.confirmed(queue), slice.restless(queue), _observed(shown))


def not_owned(hub: Hub, connection: Connection, capability: str) -> tuple[str, ...]:
    """Facts of which the connection is not the master: it is never a target for what it owns."""
    assert connection.spec is not None
    told = FACTS.keys() - (ASKED - {*connection.spec.sink(capability).takes(connection.config)})
    owners = {field: (hub.authority(field) or hub.authority("customer"))[:1] for field in FACTS.values()}
    return tuple(fact for fact, field in FACTS.items() if fact in told and owners[field] != (connection.name,))


def of_golden(golden: Mapping[str, Any], facts: Sequence[str]) -> Facts:
    """These facts of a golden record, in clear or sealed as it is. The primary contact first, the others in order."""
    found = {fact: golden.get(fact) for fact in facts}
    for fact in MANY:
        values = found.get(fact)
        first = golden.get(fact.removesuffix("s"))
        if values:
            found[fact] = sorted(values, key=lambda one: (one != first, one))
    return {fact: str(value) if isinstance(value, date) else value for fact, value in found.items() if value}


def told(sealed: Facts) -> str:
    """What the ledger keeps of it, of sealed contacts: which facts, and whether they are still the same."""
    return as_json({"digest": keys().subject("customer.push", as_json(sealed)), "fields": sorted(sealed)})


def _rule(connection: Connection, one: Written, wanted: Facts) -> str | None:
    if one.erased:
        return ERASED
    if one.survivor:
        return MERGED.format(one.survivor)
    if not wanted:
        return FORGOTTEN
    known = one.there is not None or one.acknowledged is not None or connection.entry.push.create
    return None if known else UNKNOWN_THERE


def _says(there: Mapping[str, Any], wanted: Facts) -> bool:
    """Whether the system's own record has all of it; what it knows beyond that is its own affair."""
    return all(
        set(value) <= set(there.get(fact) or ()) if fact in MANY else str(there.get(fact) or "") == value
        for fact, value in wanted.items()
    )


def _table(rows: Sequence[Mapping[str, Any]]) -> pa.Table:
    schema = pa.schema([*((name, pa.string()) for name in COLUMNS), ("at_once", pa.bool_())])
    return pa.table({name: [row.get(name) for row in rows] for name in schema.names}, schema=schema)


def _observed(shown: Mapping[str, str]) -> pa.Table:
    return pa.table({"subject": pa.array(shown, pa.string()), "value": pa.array(shown.values(), pa.string())})
