"""What a decision changes in the ledger, all rows at once: the items, and what waits in the outbox for nothing now."""

from datetime import datetime

import pyarrow as pa
from sqlalchemy import Connection, text

from dagster_project.store.ledger import Queue
from dagster_project.store.transfer import copy_in

SMALL = 5_000
"""Up to so many rows PostgreSQL plans well without being told how many there are."""
COLUMNS = [
    "subject",
    "action",
    "external_id",
    "was",
    "becomes",
    "desired",
    "why",
    "because",
    "guard",
    "about",
    "at_once",
]

_STAGE = text("""
create temporary table moved (
  subject text primary key, action text not null, external_id text, was jsonb, becomes jsonb, desired jsonb, why text,
  because text, guard text, about jsonb, at_once boolean not null default false,
  state text generated always as (case action when 'exclude' then 'excluded' when 'hold' then 'held'
                                              when 'settle' then 'in_sync' else 'pending' end) stored,
  to_send boolean generated always as (action in ('send', 'withdraw')) stored
) on commit drop
""")

# A listing says how the channel calls the variant, else a binding does; a channel that knows only skus is told the sku.
_CALLED = """coalesce(
  (select min(l.external_id) from canonical.listing l
   where l.connection = :connection and l.sku = m.subject and l.deleted_at is null),
  (select min(b.external_id) from hub.binding b
   where b.connection = :connection and b.entity = 'variant' and b.our_id = m.subject),
  m.subject)"""
_TO_SEND = """(
  select m.subject, coalesce(m.external_id, i.external_id) as external_id, m.was, m.becomes, m.because, m.guard, m.about
  from moved m join ledger.item i
    on i.connection = :connection and i.capability = :capability and i.subject = m.subject
  where m.to_send)"""
_VARIANTS_TO_SEND = """(
  select m.subject, i.external_id, m.was, m.becomes, m.because, m.guard,
         p.attributes || jsonb_strip_nulls(jsonb_build_object(
           'name', p.name, 'name_kk', p.name_kk, 'brand', p.brand, 'category', p.category, 'barcodes', p.barcodes,
           'unit', p.unit, 'parent_sku', p.parent_sku)) || m.about as about
  from moved m join canonical.product p on p.sku = m.subject join ledger.item i
    on i.connection = :connection and i.capability = :capability and i.subject = m.subject
  where m.to_send)"""

# The version counts what is desired, and every decision to send it again: a new intent has a new key.
_ITEMS = """
merge into ledger.item i using (select m.*, {called} as called from moved m) m
on i.connection = :connection and i.capability = :capability and i.subject = m.subject
when matched and m.action = 'wait' then update set
  desired = m.desired, desired_at = :now,
  version = i.version + case when i.desired is distinct from m.desired then 1 else 0 end
when matched then update set
  external_id = coalesce(m.called, i.external_id), state = m.state, reason = m.why,
  desired = m.desired,
  desired_at = case when i.desired is distinct from m.desired then :now else i.desired_at end,
  version = i.version + case when m.to_send or i.desired is distinct from m.desired then 1 else 0 end,
  acknowledged = m.was,
  acknowledged_at = case when i.acknowledged is distinct from m.was then :now else i.acknowledged_at end,
  observed = case when m.was is not null then i.observed end
when not matched then insert
  (connection, capability, subject, external_id, state, reason, desired, desired_at, acknowledged, acknowledged_at,
   version)
values
  (:connection, :capability, m.subject, m.called, m.state, m.why, m.desired, :now, m.was,
   case when m.was is not null then cast(:now as timestamptz) end, 1)
"""

_DROPPED = text("""
with gone as (
  delete from ledger.outbox o using moved m
  where o.connection = :connection and o.capability = :capability and o.subject = m.subject
    and m.state <> 'pending' and o.state in ('held', 'ready')
  returning o.*, coalesce(m.why, 'shown already') as now
), journal as (
  insert into ledger.change (plan, connection, capability, subject, was, becomes, because, guard, outcome, message, key,
                             at)
  select plan, connection, capability, subject, was, becomes, because, guard, 'superseded', gone.now, key, :now
  from gone
)
select distinct plan from gone
""")

# What waits is replaced by the plan of this transaction. What is on its way is not, and may come back: whoever claims
# it then looks at the outbox alone.
_OVERTAKEN = text("""
update ledger.outbox o set overtaken = true
from moved m, ledger.item i
where o.connection = :connection and o.capability = :capability and o.subject = m.subject
  and o.state in ('sending', 'unknown') and not o.overtaken
  and i.connection = o.connection and i.capability = o.capability and i.subject = o.subject and i.version <> o.version
""")

# A value that was shown and is missing now is worth a line in the journal; what never had one is not.
_MISSING = text("""
insert into ledger.change (connection, capability, subject, was, because, guard, outcome, message, at)
select :connection, :capability, subject, was, because, split_part(why, ':', 1), 'held', why, :now
from moved where action = 'hold' and was is not null
""")

_EMPTIED = text("""
update ledger.plan p set state = 'superseded'
where p.plan = any(:plans) and p.state = 'held' and not exists (
  select from ledger.outbox o
  where o.connection = p.connection and o.capability = p.capability and o.plan = p.plan)
""")


def part(source: str, *, at_once: bool) -> str:
    """Of a source of changes, as `put` gives it, those that wait for nobody, or the others."""
    return f"(select s.* from {source} s join moved using (subject) where moved.at_once = {at_once})"


def put(db: Connection, queue: Queue, moved: pa.Table, *, variants: bool, now: datetime) -> str:
    """Makes the items say what was decided, and takes from the outbox what is not wanted any more.

    `moved`: COLUMNS, of which `at_once` may lack. `variants`: the subjects are skus, of which the catalogue knows what
    the channel calls them. Gives the source of the plan of what is to go, for `ledger.freeze` in the same transaction.
    Call it inside `planning`.
    """
    names = {"connection": queue.connection, "capability": queue.capability, "now": now}
    db.execute(_STAGE)
    copy_in(db, "moved", moved.select([name for name in COLUMNS if name in moved.column_names]))
    if moved.num_rows > SMALL:
        db.execute(text("analyze moved"))
    db.execute(text(_ITEMS.format(called=_CALLED if variants else "m.external_id")), names)
    plans = list(db.execute(_DROPPED, names).scalars())
    if plans:
        db.execute(_EMPTIED, {"plans": plans})
    db.execute(_OVERTAKEN, names)
    db.execute(_MISSING, names)
    return _VARIANTS_TO_SEND if variants else _TO_SEND
