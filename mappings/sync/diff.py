"""Desired × acknowledged → what has to move, and how."""

from dataclasses import dataclass

import pyarrow as pa

from mappings.relations import select
from mappings.sync.offers import NOT_LISTED

NOBODY = pa.schema({"subject": pa.string(), "value": pa.string()}).empty_table()

ROW_GUARDS = ("zero", "floor", "ceiling", "step", "stale", "empty")
"""Reasons of rows that a guard holds one by one; they are looked at again whenever their subject is decided."""

# What a channel does not list it does not show either, whatever it once confirmed.
_MOVED = f"""
with seen as (
  select d.*, r.reason, r.outbox,
         case when i.subject is not null then coalesce(r.state, 'in_sync') end as state,
         case when d.excluded is distinct from '{NOT_LISTED}' then coalesce(o.value, i.acknowledged) end as was,
         case when r.subject is null then i.acknowledged else r.desired end as last
  from desired d
  left join items i on i.subject = d.subject
  left join restless r on r.subject = d.subject
  left join observed o on o.subject = d.subject
), judged as (
  select *, case when excluded is not null and withdrawal is not null and was <> withdrawal then 'withdraw'
                 when excluded is not null then 'exclude'
                 when hold is not null then 'hold'
                 when value = was or try_cast(value as decimal(38, 6)) = try_cast(was as decimal(38, 6)) then 'settle'
                 else 'send' end as verdict
  from seen
)
select * exclude (value, first, withdrawal, excluded, hold, verdict),
       case when outbox in ('sending', 'unknown') then 'wait' else verdict end as action,
       case verdict when 'send' then coalesce(first, value) when 'settle' then value
                    when 'withdraw' then withdrawal end as becomes,
       case verdict when 'send' then value when 'settle' then value end as desired,
       case verdict when 'withdraw' then excluded when 'exclude' then excluded when 'hold' then hold end as why
from judged
where not coalesce(case verdict
    when 'exclude' then state = 'excluded' and reason = excluded
    when 'hold' then state = 'held' and reason = hold and outbox is null
    when 'settle' then state = 'in_sync' and last = value or outbox = 'undo'
    when 'withdraw' then last is null and (outbox is not null and not (outbox = 'held' and reason in {ROW_GUARDS})
                                           or state = 'rejected')
    when 'send' then last = value and (state = 'rejected' or outbox in ('ready', 'undo', 'sending', 'unknown')
                                       or outbox = 'held' and reason not in {ROW_GUARDS})
    end, false)
"""


@dataclass(frozen=True)
class Faced:
    """What should be, beside what is.

    `desired`: subject, value (JSON text), excluded (the rule by which the subject does not belong), hold (why there is
    no value to show), withdrawal (what to show instead of what belongs no more), and any columns besides; `first`, if
    given: what is to be shown on the way to the value, which is decided again once that was confirmed.
    `items`: subject, acknowledged, of all rows. `restless`: subject, state, reason, desired, outbox (state of the row
    there; `undo` where it waits to take back what is shown, which the rules' own value does not overrule) of those that
    are not in sync; the others desire what was acknowledged. `observed`: subject, value: what the
    channel is seen to show, where that is known better than what it acknowledged.
    """

    desired: pa.Table
    items: pa.Table
    restless: pa.Table
    observed: pa.Table | None = None


def moved(faced: Faced) -> pa.Table:
    """Rows of the ledger that must change, with everything `desired` says of them; the others are where they should be.

    Beside that: was, becomes, desired (to be remembered), last (desired until now), why (no value goes), state, outbox,
    and `action`: send (to the outbox), withdraw (likewise, what belongs no more), settle (shown already), hold (there
    is nothing to send), exclude, wait (a request is on its way: only what is desired changes now).
    """
    observed = NOBODY if faced.observed is None else faced.observed
    desired = faced.desired
    if "first" not in desired.column_names:
        desired = desired.append_column("first", pa.nulls(desired.num_rows, pa.string()))
    return select(_MOVED, desired=desired, items=faced.items, restless=faced.restless, observed=observed)
