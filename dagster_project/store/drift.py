"""What channels were seen to show, beside what they confirmed."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import Engine, text

from dagster_project.store.ledger import Queue, planning
from dagster_project.store.outbox import Row


@dataclass(frozen=True)
class Seen:
    """An observation of an item in sync. Values are JSON text; `observed` None: it was looked for and not shown."""

    subject: str
    acknowledged: str
    observed: str | None
    at: datetime | None = None


_LISTED = """
select i.subject, i.acknowledged::text as acknowledged, to_jsonb(trim_scale(l.{column}))::text as observed,
       l.observed_at
from ledger.item i join canonical.listing l on l.connection = i.connection and l.external_id = i.external_id
where i.connection = :connection and i.capability = :capability and i.state = 'in_sync'
  and jsonb_typeof(i.acknowledged) = 'number' and l.deleted_at is null and l.{column} is not null
  and l.observed_at > coalesce(i.acknowledged_at + :grace, '-infinity')
  and l.observed_at > coalesce(i.observed_at, '-infinity')
"""

LISTED = {"stock.push": "observed_stock", "price.push": "observed_price"}
"""Capabilities of which a channel's listings tell → the column that does."""


def listed(engine: Engine, queue: Queue, *, grace: timedelta) -> list[Seen]:
    """Items in sync whose listing was pulled since they were last compared, and later than `grace` after our write."""
    query = text(_LISTED.format(column=LISTED[queue.capability]))
    with engine.connect() as db:
        rows = db.execute(query, {**queue.names, "grace": grace})
        return [Seen(row.subject, row.acknowledged, row.observed, row.observed_at) for row in rows]


_UNSEEN = text("""
select subject, coalesce(external_id, subject) as external_id, coalesce(plan, 0) as plan, acknowledged::text as value
from ledger.item
where connection = :connection and capability = :capability and state = 'in_sync' and acknowledged is not null
order by observed_at nulls first limit greatest(:limit, (
  select case when cast(:nights as integer) is not null then ceil(count(*) / cast(:nights as float8)) end
  from ledger.item where connection = :connection and capability = :capability and state = 'in_sync'
))
""")


def longest_unseen(engine: Engine, queue: Queue, limit: int, *, nights: int | None = None) -> list[Row]:
    """Items in sync, those longest not looked at first, as rows to read back; `becomes` is what was confirmed.

    `nights`: in so many calls all of them come, be there ever so many more than `limit`.
    """
    with engine.connect() as db:
        rows = db.execute(_UNSEEN, {**queue.names, "limit": limit, "nights": nights})
        return [Row(row.subject, row.external_id, row.plan, None, row.value, "{}", "", 0) for row in rows]


# What the channel shows becomes what it is known to show; the difference to what is desired makes the correction.
_RECORD = text("""
with seen as (
  select * from unnest(cast(:subjects as text[]), cast(cast(:values as text[]) as jsonb[]), cast(:ats as timestamptz[]),
                       cast(:drifted as boolean[])) as t(subject, observed, at, drifted)
), moved as (
  update ledger.item i set observed = coalesce(seen.observed, i.observed), observed_at = seen.at,
    acknowledged = case when seen.drifted then seen.observed else i.acknowledged end,
    state = case when seen.drifted then 'pending' else i.state end,
    reason = case when seen.drifted then 'drift: the channel shows ' || seen.observed::text || ' instead of '
                                         || i.acknowledged::text else i.reason end
  from seen
  where i.connection = :connection and i.capability = :capability and i.subject = seen.subject and i.state = 'in_sync'
  returning i.subject, seen.drifted, i.desired, i.observed, i.plan, i.reason, seen.at
), again as (
  insert into hub.dirty (entity, subject, because) select :entity, subject, reason from moved where drifted
)
insert into ledger.change (plan, connection, capability, subject, was, becomes, because, outcome, message, at)
select plan, :connection, :capability, subject, desired, observed, 'read back', 'observed', reason, at from moved
where drifted
""")


def record(engine: Engine, queue: Queue, seen: Sequence[Seen], drifted: Collection[str], *, now: datetime) -> None:
    """Notes the observations; items that drifted are pending and dirty, to be planned anew."""
    if not seen:
        return
    values = {
        "subjects": [one.subject for one in seen],
        "values": [one.observed for one in seen],
        "ats": [one.at or now for one in seen],
        "drifted": [one.subject in drifted for one in seen],
    }
    with engine.begin() as db:
        planning(db, queue)
        db.execute(_RECORD, {**queue.names, **values})
