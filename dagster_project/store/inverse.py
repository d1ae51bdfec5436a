"""What a plan did to each of its subjects, and what stands in the way of taking it back."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

import pyarrow as pa
from sqlalchemy import Connection, text

from dagster_project.store.ledger import Queue
from dagster_project.store.transfer import copy_in

_PLANS = text("""
select plan, connection, capability from ledger.plan
where (cast(:plan as bigint) is null or plan = :plan) and (cast(:run as text) is null or run = :run) order by plan desc
""")


def plans(db: Connection, plan_or_run: str) -> list[tuple[int, Queue]]:
    """The plan of this number, else the plans of this run, newest first."""
    number = int(plan_or_run) if plan_or_run.isdecimal() else None
    rows = db.execute(_PLANS, {"plan": number, "run": None if number else plan_or_run})
    return [(row.plan, Queue(row.connection, row.capability)) for row in rows]


# Who was in no audience before is taken out of it again. What was shown before stands beside what was confirmed; what
# waits is the newest intent, whoever planned it.
_SENT = text("""
with done as (
  select distinct on (subject) subject, becomes,
         coalesce(was, case when becomes ->> 'member' = 'true' then becomes || '{"member": false}' end) as was
  from ledger.change
  where plan = :plan and outcome in ('accepted', 'published')
    and connection = :connection and capability = :capability
  order by subject, id
)
select d.subject, i.external_id, d.becomes::text as was, d.was::text as becomes,
       case when d.was is null then 'nothing was shown before it'
            when o.state in ('sending', 'unknown') then 'a request is on its way'
            when o.plan <> :plan then 'plan ' || o.plan || ' waits with a newer value'
            when coalesce(i.sent, i.acknowledged) is distinct from d.becomes then 'changed since: the channel was told '
                 || coalesce(coalesce(i.sent, i.acknowledged)::text, 'nothing') end as left_alone
from done d join ledger.item i
  on i.connection = :connection and i.capability = :capability and i.subject = d.subject
left join ledger.outbox o
  on o.connection = :connection and o.capability = :capability and o.subject = d.subject
order by d.subject
""")


def sent(db: Connection, plan: int, queue: Queue) -> list[Any]:
    """subject, external_id, was (what the plan told), becomes (what was shown before; JSON texts), left_alone (why)."""
    return list(db.execute(_SENT, {**queue.names, "plan": plan}))


_WITHDRAW = text("""
with gone as (
  delete from ledger.outbox
  where connection = :connection and capability = :capability and plan = :plan and state in ('held', 'ready')
    and not subject = any(:told)
  returning *
), moved as (
  update ledger.item i set state = 'rejected', reason = :why
  from gone where i.connection = :connection and i.capability = :capability and i.subject = gone.subject
), journal as (
  insert into ledger.change (plan, connection, capability, subject, was, becomes, because, guard, outcome, message,
                             key, at)
  select plan, connection, capability, subject, was, becomes, because, guard, 'dropped', :why, key, :now from gone
)
select subject, was::text, becomes::text from gone order by subject
""")


def withdraw(db: Connection, plan: int, queue: Queue, told: Sequence[str], *, why: str, now: datetime) -> list[Any]:
    """Takes back what of the plan still waits: it is not sent. `told`: subjects that are restored instead."""
    return list(db.execute(_WITHDRAW, {**queue.names, "plan": plan, "told": list(told), "why": why, "now": now}))


SOURCE = "(select subject, external_id, was, becomes, because, guard, about from restored)"
"""The source of the inverse plan, after `desire`."""
COLUMNS = ("subject", "external_id", "was", "becomes", "because", "guard")

_DESIRE = text("""
update ledger.item i set desired = r.becomes, desired_at = :now, version = i.version + 1
from restored r where i.connection = :connection and i.capability = :capability and i.subject = r.subject
""")


def desire(db: Connection, queue: Queue, restored: pa.Table, *, now: datetime) -> None:
    """Makes the items want their former values again. `restored`: COLUMNS, and `about`."""
    db.execute(text(
        "create temporary table restored (subject text primary key, external_id text, was jsonb, becomes jsonb, "
        "because text, guard text, about jsonb) on commit drop"
    ))  # fmt: skip
    copy_in(db, "restored", restored)
    db.execute(_DESIRE, {**queue.names, "now": now})


def shown(db: Connection, queue: Queue) -> int:
    """How many values the channel has confirmed."""
    query = text(
        "select count(acknowledged) from ledger.item where connection = :connection and capability = :capability"
    )
    return int(db.execute(query, queue.names).scalar_one())
