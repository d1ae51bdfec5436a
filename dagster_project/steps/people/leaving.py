"""The last look before something leaves for a person: may he still be reached, and where.

The ledger knows persons by their ids only. Contacts are looked up here, batch by batch, and live as long as a request.
"""

import json
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Connection as Database
from sqlalchemy import Engine

from connectors.sdk.deliver import Change, Shown
from connectors.sdk.spec import Sink
from dagster_project.connections import Connection, Hub
from dagster_project.steps.changes import agree, as_change
from dagster_project.steps.people.activation import Activation, activated
from dagster_project.steps.people.buyers import not_owned, of_golden, told
from dagster_project.steps.people.memberships import NOT_ACTIVE, unreachable
from dagster_project.steps.people.withdraw import FORGET
from dagster_project.store.ledger import Queue
from dagster_project.store.outbox import Row, Told
from dagster_project.store.people import addressees
from dagster_project.store.people.consent import may_reach
from mappings.segments.language import polite

PEOPLE = frozenset({"segment.push", "customer.push"})
"""Capabilities that are about persons."""
MOVED = "what is known of the person changed while it waited"
EARLY = "waits for a polite hour"
STOPPED = "waits until its segment is mended"
AGAIN = timedelta(minutes=15)
"""After so long it is looked at whether it was."""
Refused = dict[str, str]
"""Subject → the rule by which nothing may be sent."""
Active = Mapping[str, Activation]
"""What a connection is shown, by segment."""


def leaving(
    engine: Engine, hub: Hub, connection: Connection, queue: Queue, rows: Sequence[Row], *, now: datetime
) -> tuple[list[Change], list[Told]]:
    """The rows as changes that may be sent now, and what is to be recorded of the others.

    Consent is asked again whatever was planned or approved: whoever refused since is not written to. Nobody needs to
    agree to being taken from an audience, and that waits for no hour; who would be added to one at night is in the
    morning.
    """
    if queue.capability not in PEOPLE:
        return [as_change(queue, row) for row in rows], []
    with engine.connect() as db:
        if queue.capability == "segment.push":
            return _members(db, hub, connection, queue, rows, now)
        changes = _described(db, hub, connection, queue, rows)
    described = {change.subject for change in changes}
    return changes, [Told(row.subject, "excluded", MOVED, at=now) for row in rows if row.subject not in described]


def _members(
    db: Database, hub: Hub, connection: Connection, queue: Queue, rows: Sequence[Row], now: datetime
) -> tuple[list[Change], list[Told]]:
    """Memberships as `leaving` gives them."""
    assert connection.spec is not None
    joins = _joins(rows)
    active = _active(db, hub, connection, joins)
    allowed, refused = _asked(db, active, connection.spec.sink(queue.capability), joins, now)
    willing = [row for row in rows if row.subject not in refused]
    early = _early(active, [one for one in joins if one not in refused], hub.local(now))
    changes = addressed(db, connection, queue, [row for row in willing if row.subject not in early], allowed)
    excluded = [Told(row.subject, "excluded", refused[row.subject], at=now) for row in rows if row.subject in refused]
    waiting = [Told(one, "deferred", why, not_before=opens, at=now) for one, (why, opens) in early.items()]
    return changes, excluded + waiting


def _active(db: Database, hub: Hub, connection: Connection, joins: Sequence[str]) -> Active:
    """Asked for where anybody would be added: nothing else depends on it."""
    return activated(db, hub, connection) if joins else {}


def _joins(rows: Sequence[Any]) -> list[str]:
    """Subjects of the rows by which somebody is added to an audience."""
    return [row.subject for row in rows if json.loads(row.becomes or "{}").get("member")]


def _early(active: Active, joins: Sequence[str], local: datetime) -> dict[str, tuple[str, datetime]]:
    """Subjects that are not added now → why, and until when: the hours of their segment, or its mending."""
    waits = {one.segment: (EARLY, opens) for one in active.values() if (opens := polite(one.hours, local))}
    waits |= {one.segment: (STOPPED, local + AGAIN) for one in active.values() if one.stopped}
    found = {subject: waits.get(subject.partition("/")[0]) for subject in joins}
    return {subject: wait for subject, wait in found.items() if wait}


def _described(db: Database, hub: Hub, connection: Connection, queue: Queue, rows: Sequence[Row]) -> list[Change]:
    """Changes with the golden record as their value; none of a person of whom something else is known by now. Who was
    erased is named by the receipts alone."""
    facts, changes = not_owned(hub, connection, queue.capability), []
    known = addressees.known(db, connection.name, [row.subject for row in rows])
    receipts = _receipts(db, queue, rows)
    for row in rows:
        golden = known.get(row.subject, {})
        if row.becomes == FORGET:
            about = {"receipts": receipts.get(row.subject, [])}
            changes.append(replace(as_change(queue, row), external_id=_there(row, {}), was=None, about=about))
        elif row.becomes and json.loads(row.becomes) == json.loads(told(of_golden(golden, facts))):
            value = of_golden(addressees.clear(golden), facts)
            changes.append(replace(as_change(queue, row), external_id=_there(row, golden), value=value, was=None))
    return changes


def _there(row: Row, known: Mapping[str, Any]) -> str:
    """The person's id in the channel: the receipt, else as it is known from there; empty where it is not."""
    return row.external_id if row.external_id != row.subject else known.get("external_id") or ""


def looked_up(
    engine: Engine, hub: Hub, connection: Connection, queue: Queue, rows: Sequence[Row], *, now: datetime
) -> list[Change]:
    """The rows as changes that are only looked up there: that reaches nobody, so nobody is refused it. Who agreed is
    looked for by the contacts that he agreed to. Whoever is to be forgotten is not looked up: being told so twice does
    no harm."""
    if queue.capability not in PEOPLE:
        return [as_change(queue, row) for row in rows]
    with engine.connect() as db:
        if queue.capability == "customer.push":
            return _described(db, hub, connection, queue, [row for row in rows if row.becomes != FORGET])
        allowed, _ = _may_join(db, hub, connection, queue, rows, now)
        return addressed(db, connection, queue, rows, allowed)


def not_reachable(
    db: Database, hub: Hub, connection: Connection, queue: Queue, rows: Sequence[Any], now: datetime
) -> Refused:
    """Of rows with a subject and a value (`becomes`), whom nothing may reach now."""
    return _may_join(db, hub, connection, queue, rows, now)[1]


def _may_join(
    db: Database, hub: Hub, connection: Connection, queue: Queue, rows: Sequence[Any], now: datetime
) -> tuple[dict[str, list[str]], Refused]:
    """As `_asked`, whatever the hour. Where a channel reaches nobody, nobody needs to be asked."""
    assert connection.spec is not None
    sink = connection.spec.sink(queue.capability)
    joins = [] if sink.reaches is None else _joins(rows)
    return _asked(db, _active(db, hub, connection, joins), sink, joins, now)


def _asked(
    db: Database, active: Active, sink: Sink, joins: Sequence[str], now: datetime
) -> tuple[dict[str, list[str]], Refused]:
    """Subject → identifiers by which the person may be reached; and who may not be."""
    if sink.reaches is None:
        return {}, {}
    by_purpose, refused = defaultdict(list), {}
    for subject in joins:
        if activation := active.get(subject.partition("/")[0]):
            by_purpose[activation.purpose].append(subject)
        else:
            refused[subject] = NOT_ACTIVE
    allowed: dict[str, list[str]] = {}
    for purpose, subjects in by_purpose.items():
        reached = _reached(db, subjects, sink.reaches, purpose, now)
        allowed |= reached
        refused |= dict.fromkeys(set(subjects) - reached.keys(), unreachable(sink.reaches, purpose))
    return allowed, refused


def _reached(db: Database, subjects: Sequence[str], channel: str, purpose: str, now: datetime) -> dict[str, list[str]]:
    identifiers = defaultdict(list)
    for row in may_reach(db, {person_of(one) for one in subjects}, channel, purpose, now=now).to_pylist():
        identifiers[row["person_id"]].append(row["identifier"])
    return {one: identifiers[person_of(one)] for one in subjects if person_of(one) in identifiers}


def person_of(subject: str) -> str:
    """`segment/person_id` → person_id; a person's own id stays."""
    return subject.rpartition("/")[2]


def addressed(
    db: Database, connection: Connection, queue: Queue, rows: Sequence[Row], allowed: Mapping[str, Sequence[str]]
) -> list[Change]:
    """The changes with what a channel needs to find the person. `allowed`: contacts that may be used to reach him."""
    known = addressees.known(db, connection.name, {person_of(row.subject) for row in rows}) if rows else {}
    receipts = _receipts(db, queue, rows)
    changes = []
    for row in rows:
        person = addressees.clear(known.get(person_of(row.subject), {}))
        named = {name: person[name] for name in addressees.NAMES if person.get(name)}
        contacts = _contacts(person, allowed.get(row.subject))
        former = {"receipts": receipts[row.subject]} if row.subject in receipts else {}
        about = {**named, **contacts, **former}
        changes.append(replace(as_change(queue, row), external_id=_there(row, person), about=about))
    return changes


def _receipts(db: Database, queue: Queue, rows: Sequence[Row]) -> dict[str, list[str]]:
    """Of who is to be forgotten: how the channel called him, whatever address he had then."""
    erased = [row.subject for row in rows if '"forget"' in (row.becomes or "")]
    return addressees.receipts(db, queue, erased) if erased else {}


def _contacts(person: Mapping[str, Any], allowed: Sequence[str] | None) -> dict[str, str]:
    """The primary contacts. Of those the person agreed to be reached by, where that is asked: none but these."""
    primary = {name: person[name] for name in addressees.CONTACTS if person.get(name)}
    if allowed is None:
        return primary
    found: dict[str, str] = {}
    for one in sorted(allowed, key=lambda one: one not in primary.values()):
        found.setdefault("email" if "@" in one else "phone" if one.startswith("+") else "account", one)
    return found


def impersonal(
    sink: Sink, queue: Queue, rows: Sequence[Row], changes: Sequence[Change], shown: Mapping[str, Shown]
) -> Mapping[str, Shown]:
    """What a channel was seen to show, as the ledger may keep it: of a person's facts only whether they are the wanted
    ones. Who was not looked up counts as not seen."""
    if queue.capability != "customer.push":
        return shown
    stored = {row.subject: json.loads(row.becomes or "null") for row in rows}
    wanted = {change.subject: change.value for change in changes}
    another = {"fields": [], "digest": "another"}
    return {
        subject: replace(seen, value=stored[subject] if agree(sink.same, wanted[subject], seen.value) else another)
        for subject, seen in shown.items()
        if subject in wanted
    }
