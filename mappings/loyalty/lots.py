"""What is left of points that came, when those that went took the oldest first; and which of them are too old."""

from datetime import datetime, timedelta

import pyarrow as pa

from mappings.relations import select

_LOTS = """
with gone as (
  select holder, -coalesce(sum(points), 0) as taken from entries where points < 0 group by holder
), came as (
  select holder, entry, "at", points, sum(points) over (partition by holder order by "at", entry) as upto
  from entries where points > 0
)
select c.holder, c.entry, c."at", c.points,
       least(c.points, greatest(c.upto - coalesce(g.taken, 0), 0)) as remaining
from came c left join gone g using (holder) order by c.holder, c."at", c.entry
"""

_EXPIRED = r"""
with ended as (
  select regexp_replace(entry, '/expiry(/\d+)?$', '') as entry, count(*) as times
  from entries where regexp_matches(entry, '/expiry(/\d+)?$') group by 1
)
select l.holder, l.entry || '/expiry' || coalesce('/' || (e.times + 1), '') as entry,
       $now::timestamptz as "at", -l.remaining as points
from lots l left join ended e using (entry)
where l.remaining > 0 and l."at" + $life::interval <= $now::timestamptz order by l.holder, l."at", l.entry
"""


def lots(entries: pa.Table) -> pa.Table:
    """holder, entry, at, points, remaining of every entry above zero. `entries`: holder, entry, at, points.

    Where more went than came (a balance below zero) nothing remains of anything.
    """
    return select(_LOTS, entries=entries)


def expired(entries: pa.Table, *, life: timedelta, now: datetime) -> pa.Table:
    """Entries to append: holder, entry, at, points (below zero) of what is older than `life` and was never spent.

    Named after the entry they end (`<entry>/expiry`), so that asking again, with these appended, gives nothing more.
    What is left of it after all, as an older entry came late or what was spent was withdrawn, ends by further ones
    (`<entry>/expiry/2`).
    """
    return select(_EXPIRED, {"life": life, "now": now}, entries=entries, lots=lots(entries))
