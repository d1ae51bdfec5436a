"""What was asked for, week by week, where it could be had, and what lies there now."""

from datetime import date

import pandas as pd
from sqlalchemy import Connection, text

from dagster_project.store.transfer import read

_SOLD = """
with main as (
  select distinct on (sku) sku, location from position.stock order by sku, on_hand desc, location
), sold as (
  select l.sku, coalesce(l.location, o.location, r.location, m.location, '') as location, l.quantity,
         date_trunc('week', o.placed_at at time zone :zone)::date as week
  from canonical."order" o
  join canonical.order_line l using (connection, external_id)
  left join canonical.reservation r using (connection, external_id, line)
  left join main m on m.sku = l.sku
  where o.kind = 'sale' and o.status <> 'cancelled' and o.copy_of is null and o.deleted_at is null and l.sku is not null
    and o.placed_at >= cast(:first as timestamp) at time zone :zone
    and o.placed_at < cast(:after as timestamp) at time zone :zone
)
select sku, location, week, sum(quantity)::float8 as units from sold group by sku, location, week
"""
_OUT = """
select sku, location, date_trunc('week', day)::date as week, count(*)::int as days from mart.stock_out
where day >= :first and day < :after group by sku, location, week
"""
_AVAILABLE = "select sku, location, (on_hand - reserved)::float8 as available from position.stock"
_PLANNED = """
select (exists (select from mart.forecast where day = :monday) or not exists (select from canonical.order_line))
   and (exists (select from mart.reorder where day = :today) or not exists (select from position.stock))
"""
_NOTE_OUT = """
insert into mart.stock_out (sku, location, day)
select sku, location, cast(:day as date) from position.stock where on_hand - reserved <= 0
on conflict do nothing
"""


def sold(db: Connection, first: date, after: date, zone: str) -> pd.DataFrame:
    """`sku, location, week` (its Monday) and `units`, from `first` to the day before `after`.

    A line without a place counts where it is reserved, else where most of the goods lie.
    """
    return _frame(db, _SOLD, first=first, after=after, zone=zone)


def out_of_stock(db: Connection, first: date, after: date) -> pd.DataFrame:
    """`sku, location, week` and the number of `days` of it on which there was nothing to sell."""
    return _frame(db, _OUT, first=first, after=after)


def available(db: Connection) -> pd.DataFrame:
    """`sku, location, available`: on hand less what all channels have reserved."""
    return _frame(db, _AVAILABLE)


def planned(db: Connection, monday: date, today: date) -> bool:
    """Whether the week from `monday` on is forecast and what to order was worked out `today`, where there is
    anything to work it out of."""
    return bool(db.execute(text(_PLANNED), {"monday": monday, "today": today}).scalar_one())


def note_stock_outs(db: Connection, day: date, first: date) -> None:
    """Remembers which places have nothing to sell on `day`, and forgets the days before `first`."""
    db.execute(text(_NOTE_OUT), {"day": day})
    db.execute(text("delete from mart.stock_out where day < :first"), {"first": first})


def _frame(db: Connection, query: str, **given: object) -> pd.DataFrame:
    frame: pd.DataFrame = read(db, query, given).to_pandas()
    return frame
