"""What a decision changes in the ledger, all rows at once: the items, and what waits in the outbox for nothing now."""

from datetime import datetime

import pyarrow as pa
from sqlalchemy import Connection, text

from dagster_project.store.ledger import Queue
from dagster_project.store.transfer import copy_in

TO_SEND = "(select subject, external_id, was, becomes, because, guard, about from moved where to_send)"
"""The source of a plan (`ledger.freeze`) after `put`."""
COLUMNS = ["subject", "action", "external_id", "was", "becomes", "desired", "why", "because", "guard", "about"]

_STAGE = text("""
create temporary table moved (
  subject text primary key, action text not null, external_id text, was jsonb, becomes jsonb, desired jsonb, why text,
  because text, guard text, about jsonb,
  state text generated always as (case action when 'exclude' then 'excluded' when 'hold' then 'held'
                                              when 'settle' then 'in_sync' else 'pending' end) stored,
  to_send boolean generated always as (action in ('send', 'withdraw')) stored
) on commit drop
""")

# A listing says how the channel calls the variant, else a binding does; a channel that knows only skus is told the sku.
_VARIANTS = text("""
update moved m set
  external_id = coalesce(
    (select min(l.external_id) from canonical.listing l
     where l.connection = :connection and l.sku = m.subject and l.deleted_at is null),
    (select min(b.external_id) from hub.binding b
     where b.connection = :connection and b.entity = 'variant' and b.our_id = m.subject),
    m.subject),
  about = p.attributes || jsonb_strip_nulls(jsonb_build_object(
    'name', p.name, 'name_kk', p.name_kk, 'brand', p.brand, 'category', p.category, 'barcodes', p.barcodes,
    'unit', p.unit, 'parent_sku', p.parent_sku, 'currency', cast(:currency as text)))
from canonical.product p where p.sku = m.subject and m.action in ('send', 'withdraw', 'settle')
""")

# The version counts what is desired, and every decision to send it again: a new intent has a new key.
_ITEMS = text("""
merge into ledger.item i using moved m
on i.connection = :connection and i.capability = :capability and i.subject = m.subject
when matched and m.action = 'wait' then update set
  desired = m.desired, desired_at = :now,
  version = i.version + case when i.desired is distinct from m.desired then 1 else 0 end
when matched then update set
  external_id = coalesce(m.external_id, i.external_id), state = m.state, reason = m.why,
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
  (:connection, :capability, m.subject, m.external_id, m.state, m.why, m.desired, :now, m.was,
   case when m.was is not null then cast(:now as timestamptz) end, 1)
""")

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


def put(db: Connection, queue: Queue, moved: pa.Table, *, variants: bool, currency: str, now: datetime) -> None:
    """Makes the items say what was decided, and takes from the outbox what is not wanted any more.

    `moved`: columns of the temporary table of that name, in which it stays until the transaction ends. `variants`: the
    subjects are skus, of which the catalogue knows what the channel calls them. Call it inside `planning`.
    """
    names = {"connection": queue.connection, "capability": queue.capability, "now": now}
    db.execute(_STAGE)
    copy_in(db, "moved", moved.select(COLUMNS))
    db.execute(text("analyze moved"))
    if variants:
        db.execute(_VARIANTS, {"connection": queue.connection, "currency": currency})
    db.execute(_ITEMS, names)
    plans = list(db.execute(_DROPPED, names).scalars())
    if plans:
        db.execute(_EMPTIED, {"plans": plans})
    db.execute(_MISSING, names)
