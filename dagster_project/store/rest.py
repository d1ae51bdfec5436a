"""The breaker of a queue, kept in the rows that wait for it: `claimed_by` says so, `not_before` says until when.

A channel that failed several times in a row rests; everything that waits for it is deferred with the reason. When the
rest is over, one batch may try: its failure makes the next rest longer, any answer wakes the whole queue.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import Engine, text

from dagster_project.store.ledger import Queue, delivering


@dataclass(frozen=True)
class Rest:
    """`rounds`: rests in a row so far; 0 in a healthy queue. `until`: when the last one ends. `why`: one sentence."""

    rounds: int = 0
    until: datetime | None = None
    why: str = ""

    def lasts(self, now: datetime) -> bool:
        return self.until is not None and self.until > now


_FIND = text("""
select coalesce(max(o.tries), 0) as rounds, max(o.not_before) as until, coalesce(max(i.reason), '') as why
from ledger.outbox o join ledger.item i using (connection, capability, subject)
where o.connection = :connection and o.capability = :capability and o.state in ('ready', 'unknown')
  and o.claimed_by = 'breaker'
""")


def find(engine: Engine, queue: Queue) -> Rest:
    with engine.connect() as db:
        row = db.execute(_FIND, queue.names).one()
    return Rest(row.rounds, row.until, row.why)


PATIENCE = timedelta(minutes=15)
"""Longer than this behind the end of a rest no row waits because of the channel."""

# Rows that came during the rest join it; the others are not written again. What waits for an hour of the day or for a
# person's word has no part in it: the queue would rest until then.
_BEGIN = text("""
with waiting as materialized (
  select subject from ledger.outbox
  where connection = :connection and capability = :capability and state in ('ready', 'unknown')
    and (claimed_by is null or (claimed_by = 'breaker' and not_before < :until))
    and not_before <= :latest
  for update skip locked
), resting as (
  update ledger.outbox o set claimed_by = 'breaker', tries = greatest(tries, :rounds),
    not_before = greatest(not_before, :until)
  from waiting where o.connection = :connection and o.capability = :capability and o.subject = waiting.subject
  returning o.subject, o.state
)
update ledger.item i set reason = :why
from resting where i.connection = :connection and i.capability = :capability and i.subject = resting.subject
  and resting.state = 'ready' and i.reason is distinct from :why
""")


_MARK = text("""
insert into hub.cursor (connection, resource, error) values (:connection, 'deliver:' || :capability, :why)
on conflict (connection, resource) do update set error = excluded.error
""")


def begin(engine: Engine, queue: Queue, rest: Rest) -> None:
    """Defers all that waits in the queue until the rest is over, and marks the connection with the reason."""
    with engine.begin() as db:
        delivering(db, queue)
        values = {"rounds": rest.rounds, "until": rest.until, "why": rest.why}
        db.execute(_BEGIN, {**queue.names, **values, "latest": rest.until and rest.until + PATIENCE})
        db.execute(_MARK, {**queue.names, "why": rest.why})


_END = text("""
with resting as materialized (
  select subject from ledger.outbox
  where connection = :connection and capability = :capability and claimed_by = 'breaker'
  for update skip locked
)
update ledger.outbox o set claimed_by = null, not_before = 'epoch', tries = 0
from resting where o.connection = :connection and o.capability = :capability and o.subject = resting.subject
""")


def end(engine: Engine, queue: Queue) -> None:
    """The channel answered: whatever waited because of its rest may go."""
    with engine.begin() as db:
        delivering(db, queue)
        db.execute(_END, queue.names)
        db.execute(_MARK, {**queue.names, "why": None})
