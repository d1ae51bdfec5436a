"""Statements of consent from their records to the chain."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from dagster_project.steps.goods import row
from dagster_project.steps.mapping import Pass, Rows, Said
from dagster_project.steps.people.erased import turn_away
from dagster_project.store import quarantine
from dagster_project.store.goods import Put
from dagster_project.store.people import statements
from dagster_project.store.quarantine import Aside
from dagster_project.store.transfer import read
from mappings.canonical import ConsentEvent
from mappings.privacy.consent import yet_to_come

_INCOMING = "select * from incoming_consent_event order by seq"


def consent_rows(work: Pass, said: Sequence[Said]) -> Rows:
    """A refusal that does not say when, or names a day to come, counts from when we learnt of it, and is learnt once:
    told again, by another list or a later mapping, it is no newer refusal."""
    untimed = {one.record.external_id for one in said if _untimed(one, work.now)}
    heard = statements.refusals_heard(work.db, work.connection.name, untimed) if untimed else set()
    rows = [
        {**row(one), "at": one.row.landed_at} if _untimed(one, work.now) else row(one)
        for one in said
        if one.record.external_id not in heard or not _untimed(one, work.now)
    ]
    return {"consent_event": rows}


def _untimed(said: Said, now: datetime) -> bool:
    record = said.record
    refused = isinstance(record, ConsentEvent) and record.state == "refused"
    return refused and (record.at is None or yet_to_come(record.at, now))


def put_consents(work: Pass) -> Put:
    """Appends what was not heard before: a statement is never changed, only followed by another. A refusal without
    its time, or of a day to come, counts from now on; a consent of a day to come is set aside, as no refusal could end
    it before that day."""
    turn_away(work, "consent_event")
    rows: list[dict[str, Any]] = read(work.db, _INCOMING).to_pylist()
    quarantine.add(work.db, [_aside(one) for one in rows if _impossible(one, work.now)])
    told = [_told(one, work.now) for one in rows if not _impossible(one, work.now)]
    because = f"{work.connection.name}.{work.resource.name}"
    return Put(statements.append(work.db, work.connection.name, told, because=because))


def _impossible(one: Mapping[str, Any], now: datetime) -> bool:
    return one["state"] == "granted" and yet_to_come(one["at"], now)


def _aside(one: Mapping[str, Any]) -> Aside:
    when = f"{one['at']:%Y-%m-%d %H:%M} UTC"
    mend = "mend its time in the source, or `timezone` and the notation of dates in connections.yaml"
    return Aside(one["seq"], "consent_event", "yet_to_come", f"a consent of {when}, which is yet to come: {mend}")


def _told(one: Mapping[str, Any], now: datetime) -> dict[str, Any]:
    """A statement as the chain takes it."""
    told = {name: value for name, value in one.items() if name != "seq"}
    timed = one["at"] is not None and not yet_to_come(one["at"], now)
    return {
        **told,
        "at": one["at"] if timed else now,
        "purpose": one["purpose"] or "marketing",
        "by": one["by"] or "import",
    }
