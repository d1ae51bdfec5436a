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


def lots(entries: pa.Table) -> pa.Table:
    """holder, entry, at, points, remaining of every entry above zero. `entries`: holder, entry, at, points.

    Where more went than came (a balance below zero) nothing remains of anything.
    """
    return select(_LOTS, entries=entries)


def expired(entries: pa.Table, *, life: timedelta, now: datetime) -> pa.Table:
    """Entries to append: holder, entry, at, points (below zero) of what is older than `life` and was never spent.

    Named after the entry they end (`<entry>/expiry`), so that asking again, with these appended, gives nothing more.
    """
    return select(
        """
        select holder, entry || '/expiry' as entry, $now::timestamptz as "at", -remaining as points from lots
        where remaining > 0 and "at" + $life::interval <= $now::timestamptz order by holder, "at", entry
        """,
        {"life": life, "now": now},
        lots=lots(entries),
    )
