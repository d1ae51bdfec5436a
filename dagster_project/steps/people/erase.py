"""Forgetting a person: everywhere by a declared list, then a search of everything for what was to be forgotten."""

from collections import Counter
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any
from uuid import uuid4

from sqlalchemy import Connection, Engine, text

from dagster_project.connections import Hub
from dagster_project.steps.people import erase_files, erase_former, erase_traces
from dagster_project.steps.people.erase_former import Ids
from dagster_project.steps.people.identify import Manner, Run, without
from dagster_project.steps.people.verdicts import known
from dagster_project.steps.people.withdraw import ERASED, withdraw
from dagster_project.store.locks import in_turn
from dagster_project.store.people import datakeys, erasure, identity, lineage, payloads, suppression
from dagster_project.store.people.erasure import Duty
from dagster_project.store.people.keyring import keys
from mappings.identity.digests import pads
from mappings.privacy.forget import Traces
from mappings.privacy.terms import PROFILES

ANONYMOUS = "erased-"


def erase(engine: Engine, hub: Hub, person: str, *, basis: str, now: datetime) -> dict[str, Any]:
    """Erases a person from the store, its raw tables and the files of this home; gives the report that is kept.

    With the person's own keys goes whatever lies under them in dumps and snapshots taken before.

    Orders and points stay, under an anonymous id. Contacts that somebody else has as well stay his. What a channel
    took of the person is withdrawn through the ledger; `owed` names what waits for that, or for a person's hands.
    Raises ConfigError where nobody goes by this id.
    """
    with engine.connect() as db:
        person = known(db, person)
    with engine.begin() as db:
        due = PROFILES[hub.entry.privacy.profile].due(now)
        request = erasure.received(db, person, basis, now=now, due=due)
    with engine.begin() as db:
        in_turn(db, identity.LOCK)
        whose = erase_traces.of_person(db, hub, person)
        owed = withdraw(db, hub)
        _suppress(db, now)
        run = Run(db, Manner.of(hub), now, ERASED)
        erased = Counter(without(run, whose.records, lambda: lineage.erase(db, ANONYMOUS + uuid4().hex)))
        erased.update(erase_former.forget_raw(db, hub, whose.ids))
        erased.update(_raw(db, whose.traces))
        erased.update(lineage.unsaid(db, whose.traces.pattern))
        erased["privacy.data_key"] = datakeys.drop(db, whose.keys)
        # before the store forgets what to look for: where it fails, all of it can be done again
        blank = erase_former.blank(whose.files)
        files = erase_files.rewrite(hub, whose.traces)
        rewritten = sorted({*blank, *files.rewritten})
        report = {"erased": {name: count for name, count in erased.items() if count}, "files": rewritten}
        # nobody could say later what is owed: the person is not known any more
        erasure.reported(db, request, report, [*owed, *map(Duty, files.owed), erasure.UNPROVEN])
    found = proof(engine, hub, whose.traces, whose.ids)
    with engine.begin() as db:
        return erasure.reported(db, request, {**report, "proof": found}, _left(found, files.owed))


def _left(found: Mapping[str, Mapping[str, int]], known: Sequence[str]) -> list[Duty]:
    """What the proof found is a duty for whoever runs the hub, where it is not one already."""
    where = [name for part in found.values() for name in part if not any(said.startswith(name) for said in known)]
    return [
        Duty(f"{name} still holds something of the person: see what it is, and delete it by hand") for name in where
    ]


def proof(engine: Engine, hub: Hub, traces: Traces, ids: Ids) -> dict[str, Mapping[str, int]]:
    """Where any of it is still found: tables with rows, files with hits. Nothing must be, and under the person's ids
    nothing but them."""
    with engine.connect() as db:
        sealed = {table: sum(1 for _ in payloads.sealed_telling(db, table, traces)) for table in lineage.raw_tables(db)}
        tables = Counter(lineage.hits(db, traces.pattern)) + Counter(sealed)
        tables += Counter(erase_former.left_in_raw(db, hub, ids))
        return {"tables": tables, "files": erase_files.hits(hub, traces) | erase_former.hits(db, hub, ids)}


def _suppress(db: Connection, now: datetime) -> None:
    """Nobody writes to him any more, and a later load of any system does not bring him back."""
    subjects = [row[0] for row in db.execute(text(
        f"select {suppression.SUBJECT.format('identifier')} from erasing_contact"))]  # fmt: skip
    records = [row[0] for row in db.execute(text(
        f"select {lineage.RECORD_HASH.format('connection', 'external_id')} from erasing_record"),
        pads(keys().digests))]  # fmt: skip
    suppression.suppress(db, subjects, (*suppression.CHANNELS, suppression.LOADS), suppression.ERASED, now)
    hashed = lineage.RECORD_HASH.format("chr(31) || kind", "value")
    known = db.execute(text(f"select {hashed} from erasing_key"), pads(keys().digests)).scalars()
    suppression.suppress(db, (*records, *known), (suppression.LOADS,), suppression.ERASED, now)


def _raw(db: Connection, traces: Traces) -> dict[str, int]:
    tables = lineage.raw_tables(db)
    return {table: payloads.forget(db, table, payloads.telling(db, table, traces), traces) for table in tables}
