"""Changes waiting for a channel: claimed, sent, and gone once their outcome is recorded.

Every statement works on a whole chunk and is one transaction. A row goes ready → sending (committed before its request
may leave) → deleted, or back to ready, or to unknown until the channel has been read back. While it is sending, the row
itself says what may have left; its item learns that, as `sent`, together with what came of it.
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from operator import itemgetter
from typing import Any, NamedTuple
from uuid import uuid4

from sqlalchemy import Engine, text

from connectors.sdk.runtime import Attempt
from dagster_project.store.ledger import NEVER, Queue, claiming, delivering
from dagster_project.store.orders import remember_copies


class Row(NamedTuple):
    """A claimed change as it was frozen. `becomes`, `was` and `about` are JSON text: nothing is rounded on the way."""

    subject: str
    external_id: str
    plan: int
    was: str | None
    becomes: str | None
    about: str
    key: str
    tries: int


ARRIVED = "read back: it arrived"
"""Message of what a read-back found there, without a receipt."""


@dataclass
class Claim:
    """Rows that are this worker's until `until`. `superseded`: older than their items; dropped, to be planned anew."""

    rows: tuple[Row, ...]
    superseded: int
    until: datetime


class Told(NamedTuple):
    """What became of one row. `outcome`: accepted, rejected, deferred (ready again), unknown or excluded (it was not
    sent: a rule says no by now). `message`: why, or the receipt.

    `batch` joins it with its requests; `observed` is JSON text of what a read-back showed. `receipt`: how the channel
    calls the person from now on.
    """

    subject: str
    outcome: str
    message: str | None = None
    code: str | None = None
    not_before: datetime | None = None
    at: datetime | None = None
    batch: int | None = None
    observed: str | None = None
    receipt: str | None = None


@dataclass(frozen=True)
class Sent:
    """A request of a batch, for ledger.attempt."""

    attempt: Attempt
    batch: int
    plan: int | None


def new_worker() -> str:
    """A name for one delivery, never used twice."""
    return uuid4().hex


# One claims at a time, and nobody else touches a row that is ready, so rows need no lock of their own before they are
# updated, and are found fastest by their places (ctid).
_CLAIM = text("""
with picked as materialized (
  select ctid as place, overtaken from ledger.outbox
  where connection = :connection and capability = :capability and state = 'ready' and not_before <= :now
  order by not_before limit :limit
), claimed as (
  update ledger.outbox o set state = 'sending', claimed_by = :worker, claimed_until = :until
  from picked where o.ctid = picked.place and not picked.overtaken
  returning o.subject, o.external_id, o.plan, o.was, o.becomes, o.about, o.key, o.tries
), stale as (
  delete from ledger.outbox o using picked where o.ctid = picked.place and picked.overtaken
  returning o.*
), planned_anew as (
  update ledger.item i set state = 'pending', reason = 'a newer value is being planned'
  from stale
  where i.connection = :connection and i.capability = :capability and i.subject = stale.subject
), journal as (
  insert into ledger.change (plan, connection, capability, subject, was, becomes, because, guard, outcome, key, at)
  select plan, connection, capability, subject, was, becomes, because, guard, 'superseded', key, :now from stale
), again as (
  insert into hub.dirty (entity, subject, because) select :entity, subject, 'changed while waiting' from stale
)
select subject, coalesce(external_id, subject), plan, was::text, becomes::text, about::text, key, tries from claimed
union all
select null, null, null, null, null, null, null, null from stale
""")


def claim(engine: Engine, queue: Queue, worker: str, *, limit: int, now: datetime, until: datetime) -> Claim:
    """At most `limit` due rows, marked as sending for everybody to see before it returns."""
    with engine.begin() as db:
        claiming(db, queue)
        values = {**queue.names, "worker": worker, "limit": limit, "now": now, "until": until}
        cursor = db.execute(_CLAIM, values).cursor
        assert cursor is not None
        found = cursor.fetchall()  # as the driver gives them: wrapping each would cost more than reading it
    rows = tuple(map(Row._make, filter(itemgetter(0), found)))
    return Claim(rows, len(found) - len(rows), until)


_EXPIRE = text(f"""
with dead as materialized (
  select subject from ledger.outbox
  where connection = :connection and capability = :capability and not_before < '{NEVER}'
    and state = 'sending' and claimed_until < :now
  for update skip locked
), lost as (
  update ledger.outbox o set state = 'unknown', claimed_by = null, claimed_until = null
  from dead where o.connection = :connection and o.capability = :capability and o.subject = dead.subject
  returning o.*
), moved as (
  update ledger.item i set state = 'unknown', reason = :why, sent = lost.becomes, sent_at = :now
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
  where connection = :connection and capability = :capability and state = 'unknown' and not_before <= :now
    and (claimed_until is null or claimed_until < :now)
  limit :limit for update skip locked
)
update ledger.outbox o set claimed_by = :worker, claimed_until = :until
from due where o.connection = :connection and o.capability = :capability and o.subject = due.subject
returning o.subject, coalesce(external_id, o.subject), plan, was::text, becomes::text, about::text, key, tries
""")


def claim_unknown(
    engine: Engine, queue: Queue, worker: str, *, limit: int, now: datetime, until: datetime
) -> tuple[Row, ...]:
    """Rows to read back, this worker's alone: two readers at once could send what the other has just sent."""
    with engine.begin() as db:
        delivering(db, queue)
        values = {**queue.names, "worker": worker, "limit": limit, "now": now, "until": until}
        return tuple(map(Row._make, db.execute(_CLAIM_UNKNOWN, values)))


_RENEW = text("""
update ledger.outbox set claimed_until = :until
where connection = :connection and capability = :capability and claimed_by = :worker and state in ('sending', 'unknown')
returning subject
""")


def renew(engine: Engine, queue: Queue, worker: str, *, until: datetime) -> set[str]:
    """Prolongs the claim; the subjects that are still this worker's. One that slept too long finds none."""
    with engine.begin() as db:
        return set(db.execute(_RENEW, {**queue.names, "worker": worker, "until": until}).scalars())


_RELEASE = text(f"""
update ledger.outbox set state = 'ready', claimed_by = null, claimed_until = null
where connection = :connection and capability = :capability and not_before < '{NEVER}'
  and claimed_by = :worker and state = 'sending'
""")


def release(engine: Engine, queue: Queue, worker: str) -> None:
    """Gives back what was claimed and certainly not sent."""
    with engine.begin() as db:
        delivering(db, queue)
        db.execute(_RELEASE, {**queue.names, "worker": worker})


# The queue's name travels with the rows: given as a constant, statistics of a moment before could say that the queue is
# empty, and every row told of would be compared with every row of it.
# A row that was taken from this worker meanwhile is in neither `gone` nor `kept`, and nothing of it is recorded.
# What is shown instead of something that belongs no more is desired by nobody: once confirmed, its item is excluded.
# What was confirmed on the way to what is desired is not the last word: the rest is planned then.
_NEWEST = "(mine.version = i.version and (mine.outcome <> 'accepted' or coalesce(i.desired = mine.becomes, true)))"
_RECORD = text(f"""
with told as materialized (
  select cast(:connection as text) as connection, cast(:capability as text) as capability, subject,
         outcome, message, code, not_before, at, batch, observed, receipt
  from json_to_recordset(cast(:told as json)) as alike(
    outcome text, message text, code text, not_before timestamptz, at timestamptz, batch bigint, observed text,
    receipt text, subjects json)
  cross join json_array_elements_text(subjects) subject
), gone as (
  delete from ledger.outbox o using told t
  where o.connection = t.connection and o.capability = t.capability and o.subject = t.subject
    and o.claimed_by = :worker and t.outcome in ('accepted', 'rejected', 'excluded')
  returning t.*, o.plan, o.was, o.becomes, o.because, o.guard, o.key, o.version
), kept as (
  update ledger.outbox o set
    state = case t.outcome when 'unknown' then 'unknown' else 'ready' end,
    claimed_by = null, claimed_until = null, not_before = coalesce(t.not_before, 'epoch'), tries = o.tries + 1
  from told t
  where o.connection = t.connection and o.capability = t.capability and o.subject = t.subject
    and o.claimed_by = :worker and t.outcome in ('deferred', 'unknown')
  returning t.*, o.plan, o.was, o.becomes, o.because, o.guard, o.key, o.version
), mine as (
  select * from gone union all select * from kept
), moved as (
  update ledger.item i set
    state = case when mine.outcome in ('unknown', 'excluded') then mine.outcome
                 when mine.outcome = 'deferred' or not {_NEWEST} then 'pending'
                 when mine.outcome = 'rejected' then 'rejected'
                 when i.desired is null then 'excluded' else 'in_sync' end,
    reason = case when mine.outcome in ('unknown', 'deferred', 'excluded')
                       then coalesce(mine.message, 'waits for the channel')
                  when not {_NEWEST} then 'a newer value is being planned'
                  when mine.outcome = 'rejected' then coalesce(nullif(mine.message, ''), mine.code)
                  when i.desired is null then coalesce(mine.because, 'withdrawn') end,
    desired = case when mine.outcome <> 'excluded' then i.desired end,
    sent = case when mine.outcome in ('deferred', 'excluded') then i.sent else mine.becomes end,
    sent_at = case when mine.outcome in ('deferred', 'excluded') then i.sent_at else mine.at end,
    external_id = coalesce(mine.receipt, i.external_id),
    acknowledged = case when mine.outcome = 'accepted' then mine.becomes else i.acknowledged end,
    acknowledged_at = case when mine.outcome = 'accepted' then mine.at else i.acknowledged_at end,
    observed = coalesce(cast(mine.observed as jsonb), i.observed),
    observed_at = case when mine.observed is not null then mine.at else i.observed_at end
  from mine where i.connection = mine.connection and i.capability = mine.capability and i.subject = mine.subject
  returning mine.subject, mine.outcome, mine.message, mine.code, mine.at, {_NEWEST} as newest
), journal as (
  insert into ledger.change (plan, connection, capability, subject, was, becomes, because, guard, outcome, message, key,
                             at, batch)
  select plan, :connection, :capability, subject, was, becomes, because, guard, outcome, message, key, at, batch
  from mine where not :reading or outcome <> 'unknown'
), again as (
  insert into hub.dirty (entity, subject, because)
  select :entity, subject, 'changed while it was being sent' from moved
  where not newest and outcome in ('accepted', 'rejected') or outcome = 'excluded'
), aside as (
  insert into ledger.quarantine as q (connection, resource, key, rule, reason, state, at)
  select :connection, :capability, subject, coalesce(code, 'rejected'), coalesce(message, code, ''), 'open', at
  from moved where outcome = 'rejected' and newest
  on conflict (connection, resource, entity, key, line) do update
    set rule = excluded.rule, reason = excluded.reason, state = 'open', at = excluded.at
), mended as (
  update ledger.quarantine q set state = 'replayed'
  from moved where q.connection = :connection and q.resource = :capability and q.entity = '' and q.key = moved.subject
    and q.line = 0 and q.state = 'open' and moved.outcome = 'accepted'
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
    engine: Engine,
    queue: Queue,
    worker: str,
    told: Sequence[Told],
    sent: Sequence[Sent],
    *,
    now: datetime,
    reading: bool = False,
) -> dict[str, int]:
    """Items, outbox, journal, quarantine, dirty and attempts of a chunk, all or nothing; rows by outcome.

    Rows which this worker lost meanwhile are left to whoever took them. `reading`: it was a read-back of unknown rows,
    of which only those that it settled are worth a line in the journal.
    """
    with engine.begin() as db:
        delivering(db, queue)
        if sent:
            db.execute(_ATTEMPTS, {**queue.names, **_attempts(sent)})
        values = {**queue.names, "worker": worker, "reading": reading, "told": _json(told, now)}
        counts = db.execute(_RECORD, values).all() if told else []
        if queue.capability == "order.push" and not reading:
            remember_copies(db, queue.connection, _made(told, sent, now))
    return {row.outcome: row.count for row in counts}


def _made(told: Sequence[Told], sent: Sequence[Sent], now: datetime) -> list[tuple[str, str, datetime]]:
    """Receipt, subject and the moment its batch left, of each copy that was confirmed."""
    left: dict[int | None, datetime] = {}
    for one in sent:
        left[one.batch] = min(left.get(one.batch, one.attempt.at), one.attempt.at)
    return [
        (one.message, one.subject, left.get(one.batch, one.at or now))
        for one in told
        if one.outcome == "accepted" and one.message
    ]


def _json(told: Sequence[Told], now: datetime) -> str:
    """Subjects by what is told of them: most of a batch shares one fate. A NUL fits no text in the store."""
    alike: dict[tuple[Any, ...], list[str]] = {}
    for one in told:
        alike.setdefault(one[1:], []).append(one.subject)
    rows = [
        {**dict(zip(Told._fields[1:], fate, strict=True)), "subjects": subjects} for fate, subjects in alike.items()
    ]
    for row in rows:
        row["at"] = row["at"] or now
    return json.dumps(rows, default=str).replace("\\u0000", "")


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


_WAITING = text(f"""
select count(*) from ledger.outbox
where connection = :connection and capability = :capability and not_before < '{NEVER}'
""")


def waiting(engine: Engine, queue: Queue) -> int:
    """Released changes that have no outcome yet."""
    with engine.connect() as db:
        return int(db.execute(_WAITING, queue.names).scalar_one())


_REACHING = text("""
select exists (select from ledger.outbox
               where connection = :connection and capability = :capability and state = 'ready' and not_before <= :now
                 and coalesce(becomes ->> 'member', 'true') = 'true' and becomes ->> 'forget' is null)
""")


def reaching(engine: Engine, queue: Queue, *, now: datetime) -> bool:
    """Whether anything is due that would reach a person: all but being taken from an audience."""
    with engine.connect() as db:
        return bool(db.execute(_REACHING, {**queue.names, "now": now}).scalar_one())


# A published row waits for its channel; it is due only once a fetch of its version, or of a later one, is on record.
_DUE = text("""
select distinct o.connection, o.capability
from ledger.outbox o join ledger.item i using (connection, capability, subject)
where o.not_before <= :now and case o.state
  when 'sending' then o.claimed_until < :now
  when 'unknown' then coalesce(o.claimed_until, '-infinity') < :now
  when 'ready' then (
    i.sent is distinct from o.becomes or i.reason is distinct from 'published, not fetched'
    or exists (select from hub.feed_fetch f
               where f.connection = o.connection and f.status = 200 and f.complete and f.at >= i.sent_at)) end
order by 1, 2
""")


def due(engine: Engine, *, now: datetime) -> list[tuple[str, str]]:
    """(connection, capability) with something to send, to read back or to settle now."""
    with engine.connect() as db:
        return [(row.connection, row.capability) for row in db.execute(_DUE, {"now": now})]
