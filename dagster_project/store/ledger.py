"""The ledger: what every channel should show, was sent, confirmed and showed, by (connection, capability, subject).

Whoever plans or approves takes `planning`, whoever delivers takes `delivering`: any number of deliveries go on at once,
and no plan changes a row between a claim and its outcome's transaction, in whatever order either touches rows.
"""

from dataclasses import dataclass
from datetime import datetime
from typing import Any, NamedTuple

from sqlalchemy import Connection, text

STATES = ("in_sync", "pending", "held", "rejected", "unknown", "excluded")

NEVER = "9999-12-31T00:00:00Z"
"""`not_before` of held rows. A moment and no infinity, which Python cannot read."""

ENTITY = {"stock": "stock", "price": "price", "order": "order", "segment": "member", "customer": "buyer"}
"""First word of a capability → entity under which its subjects stand in hub.dirty."""


class Queue(NamedTuple):
    """A capability of a connection: what plans, claims and breakers are about."""

    connection: str
    capability: str

    @property
    def names(self) -> dict[str, Any]:
        """As parameters of a statement."""
        return {**self._asdict(), "entity": ENTITY[self.capability.partition(".")[0]]}


@dataclass(frozen=True)
class Frozen:
    """A plan as stored. `rows`: changes in it, `held`: those of them that wait for a person."""

    plan: int
    rows: int
    held: int


def planning(db: Connection, queue: Queue) -> None:
    """The right to plan or approve for this queue until the transaction ends; waits for deliveries to record theirs."""
    db.execute(text("select pg_advisory_xact_lock(hashtext(:name))"), {"name": _lock(queue)})


def delivering(db: Connection, queue: Queue) -> None:
    """The right to claim or record until the transaction ends; shared with other deliveries."""
    db.execute(text("select pg_advisory_xact_lock_shared(hashtext(:name))"), {"name": _lock(queue)})


def claiming(db: Connection, queue: Queue) -> None:
    """The right to claim until the transaction ends: one after another, beside those who record."""
    delivering(db, queue)
    db.execute(text("select pg_advisory_xact_lock(hashtext(:name))"), {"name": f"claim:{_lock(queue)}"})


def _lock(queue: Queue) -> str:
    return f"ledger:{queue.connection}:{queue.capability}"


_PLAN = text("""
insert into ledger.plan (connection, capability, state, reason, created_at, undoes, run)
values (:connection, :capability, cast(:state as text), :reason, :now, :undoes, :run) returning plan
""")

# A value that a person has taken back does not go out again unasked, whoever plans it next.
# A row whose request may have left is not replaced: its outcome comes first, finds the item newer and marks it dirty.
# A rest imposed on the queue (claimed_by, not_before) outlives the change that waited for it; the hour that one person
# was to be written to at does not delay what goes at once.
_FREEZE = """
with taken_back as materialized (
  select distinct u.plan, c.subject, c.becomes
  from ledger.plan u join ledger.change c on c.plan = u.undoes and c.outcome in ('accepted', 'published')
  where u.connection = :connection and u.capability = :capability and u.undoes is not null
    and cast(:undoes as bigint) is null and not :at_once
), judged as (
  select p.subject, p.external_id, p.was, p.becomes, p.because, p.about, i.version,
         coalesce(p.guard, case when t.subject is not null then 'undone' end) as guard
  from {source} p join ledger.item i
    on i.connection = :connection and i.capability = :capability and i.subject = p.subject
  left join taken_back t on t.plan = i.plan and t.subject = p.subject and t.becomes = p.becomes
), planned as (
  select *, case when :held or guard is not null then 'held' else 'ready' end as state from judged
), older as (
  select o.* from ledger.outbox o join planned p
    on o.connection = :connection and o.capability = :capability and o.subject = p.subject
  where o.state in ('held', 'ready')
), put as (
  insert into ledger.outbox as o (connection, capability, subject, plan, external_id, was, becomes, because, guard,
                                  version, key, state, about, not_before)
  select :connection, :capability, subject, :plan, external_id, was, becomes, because, guard, version,
         concat_ws(':', cast(:connection as text), cast(:capability as text), coalesce(external_id, subject), version),
         state,
         coalesce(about, '{{}}'::jsonb), case state when 'held' then '{NEVER}'::timestamptz else 'epoch' end
  from planned
  on conflict (connection, capability, subject) do update set
    plan = excluded.plan, external_id = excluded.external_id, was = excluded.was, becomes = excluded.becomes,
    because = excluded.because, guard = excluded.guard, version = excluded.version, key = excluded.key,
    state = excluded.state, about = excluded.about, overtaken = false,
    not_before = case when 'held' in (o.state, excluded.state) or :at_once and o.claimed_by is null
                      then excluded.not_before else o.not_before end
  where o.state in ('held', 'ready')
  returning o.*
), moved as (
  update ledger.item i set plan = :plan, state = case put.state when 'held' then 'held' else 'pending' end,
    reason = case put.state when 'held' then coalesce(put.guard, :reason)
                            else coalesce(put.because, 'waits for delivery') end
  from put where i.connection = put.connection and i.capability = put.capability and i.subject = put.subject
), journal as (
  insert into ledger.change (plan, connection, capability, subject, was, becomes, because, guard, outcome, message,
                             key, at)
  select older.plan, :connection, :capability, older.subject, older.was, older.becomes, older.because, older.guard,
         'superseded', 'replaced by plan ' || cast(:plan as bigint), older.key, cast(:now as timestamptz)
  from older
  union all
  select plan, connection, capability, subject, was, becomes, because, guard,
         case state when 'held' then 'held' else 'planned' end, cast(:reason as text), key, cast(:now as timestamptz)
  from put
)
select count(*) as rows, count(*) filter (where state = 'held') as held from put
"""

_COUNTED = text("update ledger.plan set rows = :rows, held = :held where plan = :plan")

_EMPTIED = text("""
update ledger.plan p set state = 'superseded'
where p.connection = :connection and p.capability = :capability and p.state = 'held' and p.plan <> :plan and p.rows > 0
  and not exists (select from ledger.outbox o where o.connection = :connection and o.capability = :capability
                  and o.plan = p.plan)
""")


def freeze(
    db: Connection,
    queue: Queue,
    source: str,
    *,
    now: datetime,
    held: str | None = None,
    undoes: int | None = None,
    run: str | None = None,
    at_once: bool = False,
) -> Frozen:
    """Stores a plan with its changes in the outbox and the journal, and moves their items to pending or held.

    `source`: a table (temporary, as a rule) or a bracketed query with the columns subject, external_id, was, becomes,
    because, guard, about; their items already carry the desired value and its version. A row with a guard is held;
    `held` is the reason why the whole plan is. `at_once`: not even what a person has taken back is held. Call it inside
    `planning`.
    """
    state = "held" if held else "released"
    values = {**queue.names, "now": now, "reason": held, "held": held is not None, "at_once": at_once}
    plan = db.execute(_PLAN, {**values, "state": state, "undoes": undoes, "run": run}).scalar_one()
    counts = db.execute(
        text(_FREEZE.format(source=source, NEVER=NEVER)), {**values, "plan": plan, "undoes": undoes}
    ).one()
    db.execute(_COUNTED, {"plan": plan, "rows": counts.rows, "held": counts.held})
    db.execute(_EMPTIED, {**values, "plan": plan})
    return Frozen(plan, counts.rows, counts.held)
