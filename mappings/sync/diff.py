"""Desired × acknowledged → what has to move, and how."""

from dataclasses import dataclass

import duckdb
import pyarrow as pa

from mappings.sync.offers import NOT_LISTED

NOBODY = pa.schema({"subject": pa.string(), "value": pa.string()}).empty_table()

ROW_GUARDS = ("zero", "floor", "ceiling", "step", "stale")
"""Reasons of rows that a guard holds one by one; they are looked at again whenever their subject is decided."""

# What a channel does not list it does not show either, whatever it once confirmed.
_MOVED = f"""
with seen as (
  select d.*, i.reason, i.outbox,
         case when i.subject is not null then coalesce(i.state, 'in_sync') end as state,
         case when d.excluded is distinct from '{NOT_LISTED}' then coalesce(i.acknowledged, o.value) end as was,
         coalesce(i.desired, case when i.state is null then i.acknowledged end) as last
  from desired d
  left join items i on i.subject = d.subject
  left join observed o on o.subject = d.subject
), judged as (
  select *, case when excluded is not null and withdrawal is not null and was <> withdrawal then 'withdraw'
                 when excluded is not null then 'exclude'
                 when hold is not null then 'hold'
                 when value = was or try_cast(value as decimal(38, 6)) = try_cast(was as decimal(38, 6)) then 'settle'
                 else 'send' end as verdict
  from seen
)
select * exclude (value, withdrawal, excluded, hold, verdict),
       case when outbox in ('sending', 'unknown') then 'wait' else verdict end as action,
       case verdict when 'send' then value when 'settle' then value when 'withdraw' then withdrawal end as becomes,
       case verdict when 'send' then value when 'settle' then value end as desired,
       case verdict when 'withdraw' then excluded when 'exclude' then excluded when 'hold' then hold end as why
from judged
where not coalesce(case verdict
    when 'exclude' then state = 'excluded' and reason = excluded
    when 'hold' then state = 'held' and reason = hold and outbox is null
    when 'settle' then state = 'in_sync' and last = value
    when 'withdraw' then last is null and (outbox is not null or state = 'rejected')
    when 'send' then last = value and (state = 'rejected' or outbox in ('ready', 'sending', 'unknown')
                                       or outbox = 'held' and reason not in {ROW_GUARDS})
    end, false)
"""


@dataclass(frozen=True)
class Faced:
    """What should be, beside what is.

    `desired`: subject, value (JSON text), excluded (the rule by which the subject does not belong), hold (why there is
    no value to show), withdrawal (what to show instead of what belongs no more), and any columns besides.
    `items`: subject, state, reason, desired, acknowledged, outbox (state of its row there); state and desired are null
    where the item is in sync with what was acknowledged. `observed`: subject, value: what the channel is seen to show,
    for subjects it never acknowledged.
    """

    desired: pa.Table
    items: pa.Table
    observed: pa.Table | None = None


def moved(faced: Faced) -> pa.Table:
    """Rows of the ledger that must change, with everything `desired` says of them; the others are where they should be.

    Beside that: was, becomes, desired (to be remembered), last (desired until now), why (no value goes), state, outbox,
    and `action`: send (to the outbox), withdraw (likewise, what belongs no more), settle (shown already), hold (there
    is nothing to send), exclude, wait (a request is on its way: only what is desired changes now).
    """
    with duckdb.connect() as db:
        db.register("desired", faced.desired)
        db.register("items", faced.items)
        db.register("observed", NOBODY if faced.observed is None else faced.observed)
        return db.sql(_MOVED).to_arrow_table()
