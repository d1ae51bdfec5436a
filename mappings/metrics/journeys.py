"""The way of a person from the first contact to a purchase."""

import pandas as pd

from mappings.metrics.contacts import TOUCHES
from mappings.metrics.tables import DAYS, asked

LOOKBACK = 90 * DAYS
_STEPS = """
with touched as (
  select person_id::varchar as person_id, channel::varchar as channel, campaign::varchar as campaign,
         "at"::timestamptz as "at"
  from contacts where person_id is not null and kind in (select unnest($touches))
), placed as (
  select person_id::varchar as person_id, "at"::timestamptz as "at", min("order"::varchar) as "order"
  from orders where person_id is not null group by all
), followed as (
  select t.*, o."order", o."at" as order_at, epoch_us(o."at") - epoch_us(t."at") <= $lookback as soon
  from touched t asof left join placed o on o.person_id = t.person_id and o."at" >= t."at"
)
select person_id, channel, campaign, "at", case when soon then "order" end as "order",
       case when soon then order_at end as order_at
from followed order by "at", channel
"""
_JOURNEY = """
with met as (
  select "order"::varchar as "order", channel, "at",
         lag(channel) over (partition by "order" order by "at", channel) is distinct from channel as moved
  from steps where "order" is not null
), ways as (
  select "order", min("at") as first_at, count(*) as n, histogram(channel) as touches,
         list(channel order by "at", channel) filter (where moved) as path
  from met group by "order"
)
select o."order", o.day, o.channel, o.person_id, o."at" as ordered_at, w.first_at, w.path, w.touches, w.n,
       (epoch_us(o."at") - epoch_us(w.first_at)) / 86_400e6 as value
from orders o join ways w on w."order" = o."order"::varchar order by o."order"
"""


def steps(contacts: pd.DataFrame, orders: pd.DataFrame) -> pd.DataFrame:
    """Touches of known persons, each with the order it led to: `person_id, channel, campaign, at, order, order_at`.

    A touch belongs to the next order of its person, if that comes within 90 days; else `order` is missing, and the
    touches of one person that led to none are a way that ended without a purchase. So no touch counts twice.
    """
    given = {"touches": list(TOUCHES), "lookback": LOOKBACK // pd.Timedelta(microseconds=1)}
    touched = contacts[["person_id", "channel", "kind", "campaign", "at"]]
    return asked(_STEPS, given, contacts=touched, orders=orders[["person_id", "order", "at"]])


def journey(contacts: pd.DataFrame, orders: pd.DataFrame) -> pd.DataFrame:
    """One row an order that a contact led to: `order, day, channel` (where it was placed), `person_id, first_at,
    ordered_at, path` (channels in the order they were met, repeats folded), `touches` (channel → how many of them),
    `n` (all of them) and `value`: days from the first contact since the person's last order, at most 90 days back, to
    the purchase.
    """
    made = asked(_JOURNEY, steps=steps(contacts, orders), orders=orders)
    return made.assign(path=made["path"].map(list), touches=made["touches"].map(dict))
