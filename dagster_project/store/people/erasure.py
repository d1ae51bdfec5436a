"""Demands to be forgotten: when each must be met, what it still waits for, and who confirmed what."""

from collections.abc import Collection, Mapping
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any

from pydantic_core import to_json
from sqlalchemy import Connection, text

from connectors.sdk.errors import ConfigError
from dagster_project.store.people.keyring import keys

RECEIVED, OWED, DONE = "received", "owed", "done"


@dataclass(frozen=True)
class Duty:
    """What is left to do, in words. A channel does it where `confirms` says what it must acknowledge of the subject in
    the ledger (JSON text); otherwise a person of the shop does."""

    what: str
    connection: str | None = None
    capability: str | None = None
    subject: str | None = None
    confirms: str | None = None


_RECEIVED = text("""
insert into privacy.erasure_request (subject, received_at, due_at, basis, state)
values (:subject, :now, :due, :basis, :state) returning id
""")


def received(db: Connection, person: str, basis: str, *, now: datetime, due: datetime) -> int:
    """The clock starts at receipt, whatever happens next. The subject is kept as a hash."""
    values = {"subject": keys().subject("person", person), "now": now, "due": due, "basis": basis, "state": RECEIVED}
    return int(db.execute(_RECEIVED, values).scalar_one())


_OWE = text("""
insert into privacy.erasure_duty (request, what, connection, capability, subject, confirms)
values (:request, :what, :connection, :capability, :subject, cast(:confirms as jsonb))
""")
UNPROVEN = Duty("what is left was not searched for: search tables and files for the person by hand")
"""Stands from the erasure to its proof, which a crash may keep from being made: what to look for is forgotten then."""
_PROVEN = text("delete from privacy.erasure_duty where request = :request and what = :what")
_OWED = text("select what from privacy.erasure_duty where request = :request and confirmed_at is null order by id")
_REPORTED = text("""
update privacy.erasure_request set state = :state, report = cast(:report as jsonb) where id = :id returning due_at
""")


def reported(db: Connection, request: int, report: Mapping[str, Any], duties: Collection[Duty]) -> dict[str, Any]:
    """Keeps what was done and what is owed beside what was told before; gives the request as it stands."""
    if UNPROVEN not in duties:
        db.execute(_PROVEN, {"request": request, "what": UNPROVEN.what})
    for duty in duties:
        db.execute(_OWE, {"request": request, **asdict(duty)})
    owed = list(db.execute(_OWED, {"request": request}).scalars())
    told = {**report, "owed": owed}
    state = OWED if owed else DONE
    due = db.execute(_REPORTED, {"id": request, "state": state, "report": to_json(told).decode()}).scalar_one()
    return {"request": request, "state": state, "due_at": due, **told}


# ── who did it ────────────────────────────────────────────────────────────────────────────────────────────────────────

# A receipt may be a hash of the person's contacts: it is kept until the removal it is needed for, and no longer.
_CONFIRMED = text("""
with told as (
  update privacy.erasure_duty d set confirmed_at = i.acknowledged_at, confirmed_by = d.connection
  from ledger.item i
  where d.confirmed_at is null and i.acknowledged @> d.confirms
    and (i.connection, i.capability, i.subject) = (d.connection, d.capability, d.subject)
  returning d.connection, d.capability, d.subject
), receipts as (
  update ledger.item i set external_id = null from told t
  where (i.connection, i.capability, i.subject) = (t.connection, t.capability, t.subject)
), journal as (
  update ledger.change c set message = null, key = null from told t
  where (c.connection, c.capability, c.subject) = (t.connection, t.capability, t.subject)
)
select count(*) from told
""")
_CLOSED = text("""
update privacy.erasure_request r set state = 'done', report = r.report || jsonb_build_object(
  'owed', '[]'::jsonb, 'done_at', to_jsonb(cast(:now as timestamptz)), 'confirmed', (
    select jsonb_agg(jsonb_build_object('what', d.what, 'by', d.confirmed_by, 'at', d.confirmed_at, 'why', d.why)
                     order by d.id) from privacy.erasure_duty d where d.request = r.id))
where r.state = 'owed'
  and not exists (select from privacy.erasure_duty d where d.request = r.id and d.confirmed_at is null)
returning r.id
""")


def settle(db: Connection, *, now: datetime) -> list[int]:
    """Takes note of what channels confirmed; gives the requests that are done by that."""
    if db.execute(text("select exists (select from privacy.erasure_request where state = 'owed')")).scalar():
        db.execute(_CONFIRMED)
    return list(db.execute(_CLOSED, {"now": now}).scalars())


_BY_HAND = text("""
update privacy.erasure_duty set confirmed_at = :now, confirmed_by = :who, why = :why
where id = :duty and confirmed_at is null
""")


def done_by_hand(db: Connection, duty: int, *, who: str, why: str, now: datetime) -> list[int]:
    """A person did it, or saw that it is done; gives the requests that are done by that. Raises ConfigError where
    nothing under this number is owed."""
    if not db.execute(_BY_HAND, {"duty": duty, "who": who, "why": why, "now": now}).rowcount:
        raise ConfigError(f"there is no open duty {duty}; `keruen privacy requests` lists what is owed")
    return settle(db, now=now)


# ── as people look at them ────────────────────────────────────────────────────────────────────────────────────────────

_REQUESTS = text("""
select r.id as request, r.state, r.received_at, r.due_at, extract(day from r.due_at - :now)::int as days_left, r.basis,
       d.id as duty, d.what, i.state as channel, i.reason
from privacy.erasure_request r
left join privacy.erasure_duty d on d.request = r.id and d.confirmed_at is null
left join ledger.item i on (i.connection, i.capability, i.subject) = (d.connection, d.capability, d.subject)
where :everything or r.state <> 'done' order by r.due_at, r.id, d.id
""")


def requests(db: Connection, *, now: datetime, everything: bool = False) -> list[dict[str, Any]]:
    """A row for each open duty, the most urgent first; `everything`: also the requests that are done. `channel` and
    `reason`: how far the ledger is with it."""
    return [dict(row) for row in db.execute(_REQUESTS, {"now": now, "everything": everything}).mappings()]


_LATE = text(
    "select id, due_at from privacy.erasure_request where state <> 'done' and due_at < :before order by due_at"
)


def due_before(db: Connection, before: datetime) -> list[tuple[int, datetime]]:
    """Number and term of the requests that are not done and end by then."""
    return [(row.id, row.due_at) for row in db.execute(_LATE, {"before": before})]
