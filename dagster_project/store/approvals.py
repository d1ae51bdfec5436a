"""Decisions on held plans: who, when, why. What was frozen is released byte for byte, or dropped."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection, text

from dagster_project.store.ledger import Queue
from mappings.sync.diff import ROW_GUARDS


@dataclass(frozen=True)
class Held:
    """A stored plan. `held`: its rows that wait for a person; `state`: held, released, rejected or superseded."""

    plan: int
    queue: Queue
    state: str
    held: int
    rows: int


@dataclass(frozen=True)
class Decision:
    """A person's word. `rows`: the subjects it is about, None for all of the plan."""

    plan: int
    who: str
    why: str
    at: datetime
    rows: Sequence[str] | None = None


@dataclass(frozen=True)
class Decided:
    """`rows` as decided. `moved`: dropped, as their items changed meanwhile. `still_held`: by guards of their own."""

    rows: int
    moved: int = 0
    still_held: int = 0

    def __str__(self) -> str:
        notes = [
            *([f"{self.moved} changed since and are planned anew"] if self.moved else []),
            *([f"{self.still_held} still held by guards of their own"] if self.still_held else []),
        ]
        return f"{self.rows} ({'; '.join(notes)})" if notes else str(self.rows)


_FIND = text("""
select p.connection, p.capability, p.state, p.rows,
       (select count(*) from ledger.outbox o where o.connection = p.connection and o.capability = p.capability
        and o.plan = p.plan and o.state = 'held') as held
from ledger.plan p where p.plan = :plan
""")


def find(db: Connection, plan: int) -> Held | None:
    row = db.execute(_FIND, {"plan": plan}).one_or_none()
    return row and Held(plan, Queue(row.connection, row.capability), row.state, row.held, row.rows)


# A row whose answer never came may be decided on too, by its name only: the person has looked at the channel.
_PICKED = """
with picked as materialized (
  select o.*, i.version as newest from ledger.outbox o join ledger.item i using (connection, capability, subject)
  where o.connection = :connection and o.capability = :capability and o.plan = :plan and (
    o.state = 'held' and cast(:rows as text[]) is null and (not :spare or not coalesce(o.guard, '') = any(:guards))
    or o.state in ('held', 'unknown') and o.subject = any(cast(:rows as text[])))
  for update of o
), old as (
  delete from ledger.outbox o using picked p
  where o.connection = :connection and o.capability = :capability and o.subject = p.subject and p.version <> p.newest
  returning o.subject
), anew as (
  insert into hub.dirty (entity, subject, because) select :entity, subject, 'changed while it waited' from old
), overtaken as (
  update ledger.item i set state = 'pending', reason = 'a newer value is being planned'
  from old where i.connection = :connection and i.capability = :capability and i.subject = old.subject
), fresh as (
  select * from picked where version = newest
), journal as (
  insert into ledger.change (plan, connection, capability, subject, was, becomes, because, guard, outcome, message,
                             key, at)
  select plan, connection, capability, subject, was, becomes, because, guard,
         case when version = newest then :outcome else 'dropped' end,
         case when version = newest then cast(:message as text) else 'its value changed while it waited' end, key, :at
  from picked
)"""
_MOVED = """moved as (
  update ledger.item i set state = '{}', reason = :message
  from fresh where i.connection = :connection and i.capability = :capability and i.subject = fresh.subject
)
select (select count(*) from fresh) as rows, (select count(*) from old) as moved,
       array(select subject from picked) as seen"""

_APPROVE = text(f"""{_PICKED}, freed as (
  update ledger.outbox o set state = 'ready', not_before = 'epoch', claimed_by = null, claimed_until = null
  from fresh where o.connection = :connection and o.capability = :capability and o.subject = fresh.subject
), {_MOVED.format("pending")}
""")

_REJECT = text(f"""{_PICKED}, gone as (
  delete from ledger.outbox o using fresh
  where o.connection = :connection and o.capability = :capability and o.subject = fresh.subject
), {_MOVED.format("rejected")}
""")

_CLOSE = text("""
update ledger.plan p set
  held = (select count(*) from ledger.outbox o where o.connection = p.connection and o.capability = p.capability
          and o.plan = p.plan and o.state = 'held'),
  state = case when cast(:rows as text[]) is null and p.state = 'held' then :state
               when p.state = 'held' and not exists (
                 select from ledger.outbox o where o.connection = p.connection and o.capability = p.capability
                 and o.plan = p.plan and o.state = 'held') then 'released'
               else p.state end,
  decided_by = :who, decided_at = :at, why = nullif(:why, '')
where p.plan = :plan
returning held
""")


def approve(db: Connection, held: Held, decision: Decision) -> tuple[Decided, set[str]]:
    """Releases held rows as they were frozen; and the subjects found. A plan's approval spares rows with a guard of
    their own; a second one, when only those are left, or their names, release them."""
    return _decide(db, held, decision, _APPROVE, "approved", "released", spare=held.state == "held")


def reject(db: Connection, held: Held, decision: Decision) -> tuple[Decided, set[str]]:
    """Drops held rows; they come back when their desired value changes, or by replay."""
    return _decide(db, held, decision, _REJECT, "dropped", "rejected", spare=False)


def _decide(  # type: ignore[no-untyped-def]
    db: Connection, held: Held, decision: Decision, statement, outcome: str, state: str, *, spare: bool
) -> tuple[Decided, set[str]]:
    word = {"approved": "approved", "dropped": "declined"}[outcome]
    values = {
        **held.queue.names,
        "plan": held.plan,
        "rows": None if decision.rows is None else list(decision.rows),
        "spare": spare,
        "guards": list(ROW_GUARDS),
        "outcome": outcome,
        "message": f"{word} by {decision.who}" + (f": {decision.why}" if decision.why else ""),
        "at": decision.at,
        "who": decision.who,
        "why": decision.why,
        "state": state,
    }
    done = db.execute(statement, values).one()
    left = int(db.execute(_CLOSE, values).scalar_one())
    return Decided(done.rows, done.moved, left if decision.rows is None else 0), set(done.seen)
