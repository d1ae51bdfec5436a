"""Changes waiting for a channel: claimed, sent, and gone once their outcome is recorded.

Every statement works on a whole chunk and is one transaction. A row goes ready → sending (committed before its request
may leave) → deleted, or back to ready, or to unknown until the channel has been read back.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import uuid4

from sqlalchemy import Engine, text

from connectors.sdk.runtime import Attempt
from dagster_project.store.ledger import Queue, delivering


@dataclass(frozen=True)
class Row:
    """A claimed change as it was frozen. `becomes` and `was` are JSON text: nothing is rounded on the way."""

    subject: str
    external_id: str
    plan: int
    was: str | None
    becomes: str | None
    about: dict[str, Any]
    key: str
    tries: int


@dataclass(frozen=True)
class Claim:
    """Rows that are this worker's for a while. `superseded`: older than their items; dropped, to be planned anew."""

    rows: tuple[Row, ...]
    superseded: int


@dataclass(frozen=True)
class Told:
    """What became of one row. `outcome`: accepted, rejected, deferred (ready again) or unknown. `message`: why.

    `batch` joins it with its requests; `observed` is JSON text of what a read-back showed.
    """

    subject: str
    outcome: str
    message: str | None = None
    code: str | None = None
    not_before: datetime | None = None
    at: datetime | None = None
    batch: int | None = None
    observed: str | None = None


@dataclass(frozen=True)
class Sent:
    """A request of a batch, for ledger.attempt."""

    attempt: Attempt
    batch: int
    plan: int | None


def new_worker() -> str:
    """A name for one delivery, never used twice."""
    return uuid4().hex


_CLAIM = text("""
with due as materialized (
  select o.subject, o.version, i.version as newest
  from ledger.outbox o join ledger.item i using (connection, capability, subject)
  where o.connection = :connection and o.capability = :capability and o.state = 'ready'
    and (o.not_before is null or o.not_before <= :now)
  limit :limit for update of o skip locked
), stale as (
  delete from ledger.outbox o using due
  where o.connection = :connection and o.capability = :capability and o.subject = due.subject
    and due.version <> due.newest
  returning o.*
), claimed as (
  update ledger.outbox o set state = 'sending', claimed_by = :worker, claimed_until = :until, not_before = null
  from due where o.connection = :connection and o.capability = :capability and o.subject = due.subject
    and due.version = due.newest
  returning o.*
), noted as (
  update ledger.item i set state = 'pending', reason = 'sending', sent = claimed.becomes, sent_at = :now
  from claimed
  where i.connection = :connection and i.capability = :capability and i.subject = claimed.subject
), overtaken as (
  update ledger.item i set state = 'pending', reason = 'a newer value is being planned'
  from stale
  where i.connection = :connection and i.capability = :capability and i.subject = stale.subject
), journal as (
  insert into ledger.change (plan, connection, capability, subject, was, becomes, because, guard, outcome, key, at)
  select plan, connection, capability, subject, was, becomes, because, guard, 'superseded', key, :now from stale
), again as (
  insert into hub.dirty (entity, subject, because) select :entity, subject, 'changed while waiting' from stale
)
select subject, external_id, plan, was::text, becomes::text, about, key, tries,
       (select count(*) from stale) as superseded
from claimed
union all
select null, null, null, null, null, null, null, null, count(*) from stale
""")


def claim(engine: Engine, queue: Queue, worker: str, *, limit: int, now: datetime, until: datetime) -> Claim:
    """At most `limit` due rows, marked as sending for everybody to see before it returns."""
    with engine.begin() as db:
        delivering(db, queue)
        found = db.execute(_CLAIM, {**queue.names, "worker": worker, "limit": limit, "now": now, "until": until}).all()
    return Claim(tuple(map(_row, found[:-1])), found[-1].superseded)


def _row(one: Any) -> Row:
    known_as = one.external_id or one.subject
    return Row(one.subject, known_as, one.plan, one.was, one.becomes, one.about, one.key, one.tries)


_EXPIRE = text("""
with dead as materialized (
  select subject from ledger.outbox
  where connection = :connection and capability = :capability and state = 'sending' and claimed_until < :now
  for update skip locked
), lost as (
  update ledger.outbox o set state = 'unknown', claimed_by = null, claimed_until = null
  from dead where o.connection = :connection and o.capability = :capability and o.subject = dead.subject
  returning o.*
), moved as (
  update ledger.item i set state = 'unknown', reason = :why
  from lost where i.connection = :connection and i.capability = :capability and i.subject = lost.subject
)
insert into ledger.change (plan, connection, capability, subject, was, becomes, because, guard, outcome, message,
                           key, at)
select plan, connection, capability, subject, was, becomes, because, guard, 'unknown', :why, key, :now from lost
""")


def expire(engine: Engine, queue: Queue, *, now: datetime) -> int:
    """Rows whose sender died become unknown: their requests may have left. How many there were."""
    why = "the sender stopped before it recorded an answer"
    with engine.begin() as db:
        delivering(db, queue)
        return db.execute(_EXPIRE, {**queue.names, "now": now, "why": why}).rowcount


_CLAIM_UNKNOWN = text("""
with due as materialized (
  select subject from ledger.outbox
  where connection = :connection and capability = :capability and state = 'unknown'
    and (claimed_until is null or claimed_until < :now) and (not_before is null or not_before <= :now)
  limit :limit for update skip locked
)
update ledger.outbox o set claimed_by = :worker, claimed_until = :until
from due where o.connection = :connection and o.capability = :capability and o.subject = due.subject
returning o.subject, external_id, plan, was::text, becomes::text, about, key, tries
""")


def claim_unknown(
    engine: Engine, queue: Queue, worker: str, *, limit: int, now: datetime, until: datetime
) -> tuple[Row, ...]:
    """Rows to read back, this worker's alone: two readers at once could send what the other has just sent."""
    with engine.begin() as db:
        delivering(db, queue)
        values = {**queue.names, "worker": worker, "limit": limit, "now": now, "until": until}
        return tuple(map(_row, db.execute(_CLAIM_UNKNOWN, values)))


_RENEW = text("""
update ledger.outbox set claimed_until = :until
where connection = :connection and capability = :capability and claimed_by = :worker and state in ('sending', 'unknown')
returning subject
""")


def renew(engine: Engine, queue: Queue, worker: str, *, until: datetime) -> set[str]:
    """Prolongs the claim; the subjects that are still this worker's. One that slept too long finds none."""
    with engine.begin() as db:
        return set(db.execute(_RENEW, {**queue.names, "worker": worker, "until": until}).scalars())


_RELEASE = text("""
with back as (
  update ledger.outbox set state = 'ready', claimed_by = null, claimed_until = null
  where connection = :connection and capability = :capability and claimed_by = :worker and state = 'sending'
  returning subject
)
update ledger.item i set reason = 'waits for delivery', sent = null, sent_at = null
from back where i.connection = :connection and i.capability = :capability and i.subject = back.subject
""")


def release(engine: Engine, queue: Queue, worker: str) -> None:
    """Gives back what was claimed and certainly not sent."""
    with engine.begin() as db:
        delivering(db, queue)
        db.execute(_RELEASE, {**queue.names, "worker": worker})


# What is shown instead of something that belongs no more is desired by nobody: once confirmed, its item is excluded.
# `for update` waits for whoever takes an expired claim away and then sees that the row is not ours any more.
_RECORD = text("""
with told as (
  select * from unnest(
    cast(:subjects as text[]), cast(:outcomes as text[]), cast(:messages as text[]), cast(:codes as text[]),
    cast(:not_befores as timestamptz[]), cast(:ats as timestamptz[]), cast(:batches as bigint[]),
    cast(cast(:observeds as text[]) as jsonb[])
  ) as t(subject, outcome, message, code, retry_at, at, batch, observed)
), mine as materialized (
  select o.plan, o.subject, o.was, o.becomes, o.because, o.guard, o.key, o.version = i.version as newest, o.state,
         told.outcome, told.message, told.code, told.retry_at, told.at, told.batch, told.observed
  from told
  join ledger.outbox o on o.connection = :connection and o.capability = :capability and o.subject = told.subject
  join ledger.item i on i.connection = :connection and i.capability = :capability and i.subject = told.subject
  where o.claimed_by = :worker and o.state in ('sending', 'unknown')
  for update of o
), moved as (
  update ledger.item i set
    state = case when mine.outcome = 'unknown' then 'unknown'
                 when mine.outcome = 'deferred' or not mine.newest then 'pending'
                 when mine.outcome = 'rejected' then 'rejected'
                 when i.desired is null then 'excluded' else 'in_sync' end,
    reason = case when mine.outcome in ('unknown', 'deferred') then coalesce(mine.message, 'waits for the channel')
                  when not mine.newest then 'a newer value is being planned'
                  when mine.outcome = 'rejected' then coalesce(nullif(mine.message, ''), mine.code)
                  when i.desired is null then coalesce(mine.because, 'withdrawn') end,
    acknowledged = case when mine.outcome = 'accepted' then mine.becomes else i.acknowledged end,
    acknowledged_at = case when mine.outcome = 'accepted' then mine.at else i.acknowledged_at end,
    observed = coalesce(mine.observed, i.observed),
    observed_at = case when mine.observed is not null then mine.at else i.observed_at end
  from mine where i.connection = :connection and i.capability = :capability and i.subject = mine.subject
), gone as (
  delete from ledger.outbox o using mine
  where o.connection = :connection and o.capability = :capability and o.subject = mine.subject
    and mine.outcome in ('accepted', 'rejected')
), kept as (
  update ledger.outbox o set
    state = case mine.outcome when 'unknown' then 'unknown' else 'ready' end,
    claimed_by = null, claimed_until = null, not_before = mine.retry_at, tries = o.tries + 1
  from mine where o.connection = :connection and o.capability = :capability and o.subject = mine.subject
    and mine.outcome in ('deferred', 'unknown')
), journal as (
  insert into ledger.change (plan, connection, capability, subject, was, becomes, because, guard, outcome, message, key,
                             at, batch)
  select plan, :connection, :capability, subject, was, becomes, because, guard, outcome, message, key, at, batch
  from mine
  where state <> 'unknown' or outcome <> 'unknown'
), again as (
  insert into hub.dirty (entity, subject, because)
  select :entity, subject, 'changed while it was being sent' from mine
  where not newest and outcome in ('accepted', 'rejected')
), aside as (
  insert into ledger.quarantine as q (connection, resource, key, rule, reason, state, at)
  select :connection, :capability, subject, coalesce(code, 'rejected'), coalesce(message, code, ''), 'open', at
  from mine where outcome = 'rejected' and newest
  on conflict (connection, resource, entity, key, line) do update
    set rule = excluded.rule, reason = excluded.reason, state = 'open', at = excluded.at
), mended as (
  update ledger.quarantine q set state = 'replayed'
  from mine where q.connection = :connection and q.resource = :capability and q.entity = '' and q.key = mine.subject
    and q.line = 0 and q.state = 'open' and mine.outcome = 'accepted'
)
select outcome, count(*) from mine group by outcome
""")

_ATTEMPTS = text("""
insert into ledger.attempt (plan, connection, capability, at, method, path, status, outcome, seconds, batch)
select plan, :connection, :capability, at, method, path, status, outcome, seconds, batch from unnest(
  cast(:plans as bigint[]), cast(:ats as timestamptz[]), cast(:methods as text[]), cast(:paths as text[]),
  cast(:statuses as integer[]), cast(:outcomes as text[]), cast(:durations as double precision[]),
  cast(:batches as bigint[])
) as t(plan, at, method, path, status, outcome, seconds, batch)
""")


def record(
    engine: Engine, queue: Queue, worker: str, told: Sequence[Told], sent: Sequence[Sent], *, now: datetime
) -> dict[str, int]:
    """Items, outbox, journal, quarantine, dirty and attempts of a chunk, all or nothing; rows by outcome.

    Rows which this worker lost meanwhile are left to whoever took them.
    """
    with engine.begin() as db:
        delivering(db, queue)
        if sent:
            db.execute(_ATTEMPTS, {**queue.names, **_attempts(sent)})
        counts = db.execute(_RECORD, {**queue.names, "worker": worker, **_told(told, now)}).all() if told else []
    return {row.outcome: row.count for row in counts}


def _told(told: Sequence[Told], now: datetime) -> dict[str, list[Any]]:
    return {
        "subjects": [one.subject for one in told],
        "outcomes": [one.outcome for one in told],
        "messages": [one.message for one in told],
        "codes": [one.code for one in told],
        "not_befores": [one.not_before for one in told],
        "ats": [one.at or now for one in told],
        "batches": [one.batch for one in told],
        "observeds": [one.observed for one in told],
    }


def _attempts(sent: Sequence[Sent]) -> dict[str, list[Any]]:
    return {
        "plans": [one.plan for one in sent],
        "ats": [one.attempt.at for one in sent],
        "methods": [one.attempt.method for one in sent],
        "paths": [one.attempt.path for one in sent],
        "statuses": [one.attempt.status for one in sent],
        "outcomes": [one.attempt.outcome for one in sent],
        "durations": [one.attempt.seconds for one in sent],
        "batches": [one.batch for one in sent],
    }


_WAITING = text("""
select count(*) from ledger.outbox
where connection = :connection and capability = :capability and state in ('ready', 'sending', 'unknown')
""")


def waiting(engine: Engine, queue: Queue) -> int:
    """Released changes that have no outcome yet."""
    with engine.connect() as db:
        return int(db.execute(_WAITING, queue.names).scalar_one())


# A published row waits for its channel; it is due only once a fetch of its version, or of a later one, is on record.
_DUE = text("""
select distinct o.connection, o.capability
from ledger.outbox o join ledger.item i using (connection, capability, subject)
where case o.state
  when 'sending' then o.claimed_until < :now
  when 'unknown' then coalesce(o.not_before, :now) <= :now and coalesce(o.claimed_until, '-infinity') < :now
  when 'ready' then coalesce(o.not_before, :now) <= :now and (
    i.sent is distinct from o.becomes or i.reason is distinct from 'published, not fetched'
    or exists (select from hub.feed_fetch f
               where f.connection = o.connection and f.status = 200 and f.complete and f.at >= i.sent_at)) end
order by 1, 2
""")


def due(engine: Engine, *, now: datetime) -> list[tuple[str, str]]:
    """(connection, capability) with something to send, to read back or to settle now."""
    with engine.connect() as db:
        return [(row.connection, row.capability) for row in db.execute(_DUE, {"now": now})]
