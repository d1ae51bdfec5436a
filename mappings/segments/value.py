"""What a person bought, as sums: from orders to one row per person."""

import pyarrow as pa

from mappings.relations import select

ORDERS = pa.schema(
    {
        "person_id": pa.string(),
        "kind": pa.string(),
        "channel": pa.string(),
        "at": pa.timestamp("us", "UTC"),
        "day": pa.date32(),
        "amount": pa.decimal128(18, 2),
    }
)
"""`kind`: sale or return, `amount` not negative and in one currency, `day` the buyer's local one. Orders that were
cancelled, and copies of orders, are not among them."""

_SUMS = """
with signed as (
  select *, kind = 'sale' as sold, case when kind = 'sale' then amount else -amount end as money from orders
), days as (
  select person_id, day, day - lag(day) over (partition by person_id order by day) as gap,
         row_number() over (partition by person_id order by day desc) as back
  from (select distinct person_id, day from signed where sold)
), rhythm as (
  select person_id, count(*) as days, min(day) as first_day, max(day) as last_day, median(gap) as median_gap,
         max(gap) filter (where back = 1) as last_gap, median(gap) filter (where back > 1) as earlier_gap
  from days group by person_id
), by_channel as (
  select person_id, channel, count(*) filter (where sold) as orders, sum(money) as money
  from signed group by person_id, channel
), channels as (
  select person_id, json_group_object(channel, json_object('orders', orders, 'sum', money)) as channels
  from by_channel group by person_id
), sums as (
  select person_id, count(*) filter (where sold) as orders, count(*) filter (where not sold) as returns,
         sum(money) as sum, min("at") filter (where sold) as first_at, max("at") filter (where sold) as last_at
  from signed group by person_id
)
select s.person_id, s.orders::integer as orders, s.returns::integer as returns, s.sum::decimal(18, 2) as sum,
       coalesce(r.days, 0)::integer as days, s.first_at, s.last_at, c.channels::varchar as channels,
       r.first_day, r.last_day, r.median_gap::double as median_gap, r.last_gap::double as last_gap,
       r.earlier_gap::double as earlier_gap
from sums s join channels c using (person_id) left join rhythm r using (person_id)
order by s.person_id
"""


def person_values(orders: pa.Table) -> pa.Table:
    """One row for each person of `orders` (ORDERS): orders, returns, sum (returns subtracted), days (on which something
    was bought), first_at, last_at, channels (JSON: channel → orders, sum), first_day, last_day, and the gaps of
    `lifecycle`: median_gap, last_gap, earlier_gap. A person with nothing but returns has no days and no moments.
    """
    return select(_SUMS, orders=orders.select(ORDERS.names))
