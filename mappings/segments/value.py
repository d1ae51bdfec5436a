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
"""`kind`: sale or return, `amount` not negative and in the hub's currency, null of an order in another one, `day` the
buyer's local one. Orders that were cancelled, and copies of orders, are not among them."""

_SUMS = """
with signed as (
  select *, kind = 'sale' as sold, kind = 'sale' and amount is not null as summed,
         coalesce(case when kind = 'sale' then amount else -amount end, 0) as money
  from orders
), by_channel as (
  select person_id, channel, count(*) filter (where sold) as orders, count(*) filter (where not sold) as returns,
         sum(money) as sum, min("at") filter (where sold) as first_at, max("at") filter (where sold) as last_at,
         list(day) filter (where sold) as days,
         count(*) filter (where summed) as summed_orders, list(day) filter (where summed) as summed_days
  from signed group by person_id, channel
), sums as (
  select person_id, sum(orders) as orders, sum(returns) as returns, sum(sum) as sum, min(first_at) as first_at,
         max(last_at) as last_at, json_group_object(channel, json_object('orders', orders, 'sum', sum)) as channels,
         list_sort(list_distinct(flatten(list(days) filter (where days is not null)))) as days,
         sum(summed_orders) as summed_orders,
         list_distinct(flatten(list(summed_days) filter (where summed_days is not null))) as summed_days
  from by_channel group by person_id
), rhythm as (
  select *, [days[place + 1] - days[place] for place in range(1, len(days))] as gaps from sums
)
select person_id, orders::integer as orders, returns::integer as returns, sum::decimal(18, 2) as sum,
       coalesce(len(days), 0)::integer as days, summed_orders::integer as summed_orders,
       coalesce(len(summed_days), 0)::integer as summed_days, first_at, last_at, channels::varchar as channels,
       days[1] as first_day, days[-1] as last_day, list_median(gaps)::double as median_gap,
       gaps[-1]::double as last_gap, list_median(gaps[:-2])::double as earlier_gap
from rhythm order by person_id
"""


def person_values(orders: pa.Table) -> pa.Table:
    """One row for each person of `orders` (ORDERS): orders, returns, sum (returns subtracted), days (on which something
    was bought), summed_orders and summed_days (those of known amount), first_at, last_at, channels (JSON: channel →
    orders, sum), first_day, last_day, and the gaps of `lifecycle`: median_gap, last_gap, earlier_gap. A person with
    nothing but returns has no days and no moments.
    """
    return select(_SUMS, orders=orders.select(ORDERS.names))
