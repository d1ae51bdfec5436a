"""Which channel earned an order: five answers side by side, each of which shares out the same money."""

from collections.abc import Mapping
from datetime import date

import numpy as np
import pandas as pd

from mappings.metrics.journeys import steps
from mappings.metrics.tables import EVERYBODY, asked

DIRECT = "direct"
"""The channel of an order that no contact is known to have led to."""
HALF_LIFE = 7.0
"""Days before the order after which a touch counts half, in time decay."""
MODELS = ("first", "last", "linear", "time_decay", "removal")
START, BOUGHT, LEFT = "(start)", "(bought)", "(left)"
_MOVES = f"""
with walked as (
  select channel, lead(channel) over way as following, row_number() over way = 1 as begins,
         "order" is not null as won
  from touched window way as (partition by person_id, "order" order by "at", channel)
)
select here, there, count(*) as count from (
  select '{START}' as here, channel as there from walked where begins
  union all select channel, coalesce(following, case when won then '{BOUGHT}' else '{LEFT}' end) from walked)
group by here, there order by here, there
"""
_SHARED = f"""
with met as (
  select "order", channel, "at", (epoch_us(order_at) - epoch_us("at")) / 86_400e6 as age,
         coalesce(effect, 0.0) as effect
  from touched left join effects using (channel) where "order" is not null
), touches as (
  select "order", channel, age,
         (row_number() over way = 1)::double as first, (row_number() over way = count(*) over whole)::double as last,
         1.0::double as linear, pow(2, (min(age) over whole - age) / $half_life) as time_decay,
         -- a channel's effect, however often it was met; alike for all where none has any
         case when max(effect) over whole > 0 then effect else 1 end
           / count(*) over (partition by "order", channel) as removal
  from met window whole as (partition by "order"), way as (partition by "order" order by "at", channel)
), weights as (
  select "order", channel, sum(first) as first, sum(last) as last, sum(linear) as linear,
         sum(time_decay order by age) as time_decay, sum(removal) as removal
  from touches group by "order", channel
), said as (
  unpivot weights on first, last, linear, time_decay, removal into name model value weight
), shares as (
  select "order", channel, model, weight / sum(weight) over (
    partition by "order", model order by channel rows between unbounded preceding and unbounded following) as share
  from said
), earned as (
  select o.*, s.channel, s.model, s.share from orders o join shares s using ("order")
  union all
  select o.*, '{DIRECT}', model, 1.0 from orders o cross join (select unnest({list(MODELS)}) as model)
  where "order" not in (select "order" from weights)
), belongs as (
  select *, '{EVERYBODY}' as segment from earned
  union all select e.*, m.segment from earned e join members m on m.person_id::varchar = e.person_id::varchar
)
select day, channel, segment, currency, model,
       sum((total * share)::decimal(38, 9))::double as value, sum(share::decimal(38, 9))::double as n
from belongs group by all order by all
"""
"""Sums are of decimals, so that they do not depend on the order of rows."""


def attribution(
    contacts: pd.DataFrame, orders: pd.DataFrame, members: pd.DataFrame, since: date | None = None
) -> pd.DataFrame:
    """Money of sales shared among the channels whose touches led to them; unit: the order's currency.

    By day of the order, channel of the touch, segment, currency and `model`: `first` touch, `last` touch, `linear`
    (every touch alike), `time_decay` (2^(−days before the order / 7)), `removal` (data-driven: by the share of
    purchases that would be lost without the channel, `removal_effects` of the ways given). `value` and `n` (orders, in
    shares) add up: over channels they are the orders' money and number under every model. Window: 90 days back.
    `since`: orders before that day only tell what ways there are, they are not shared out.
    """
    bought = orders[["order", "day", "person_id", "total", "currency"]]
    bought = bought if since is None else bought[bought["day"] >= since]
    touched = steps(contacts if len(bought) else contacts[:0], orders)
    effects = removal_effects(moves(touched))
    given = pd.DataFrame({"channel": [*effects], "effect": [*effects.values()]})
    led = touched[touched["order"].isin(bought["order"])]
    return asked(_SHARED, {"half_life": HALF_LIFE}, touched=led, effects=given, orders=bought, members=members)


def moves(touched: pd.DataFrame) -> dict[tuple[str, str], int]:
    """How often persons went from channel to channel, from START to BOUGHT or LEFT. `touched`: `steps`.

    The touches that led to one order are one way, and so are those of a person that led to none.
    """
    counted = asked(_MOVES, touched=touched)
    return {(here, there): count for here, there, count in counted.itertuples(index=False)}


def removal_effects(moves: Mapping[tuple[str, str], int]) -> Mapping[str, float]:
    """Channel → share of purchases that would be lost without it, by a Markov chain of the first order (Anderl 2016).

    `moves`: how often each step was taken. Without a channel, whoever comes to it leaves:
    effect = 1 − P(purchase without it) / P(purchase). Where nobody bought, every effect is 0.
    """
    states = sorted({state for move in moves for state in move} - {BOUGHT, LEFT})
    if START not in states:
        return {}
    inner, won = _chances(moves, states)
    whole = _chance_to_buy(inner, won, states.index(START))
    effects = {}
    for place, state in enumerate(states):
        if state != START:
            kept = np.arange(len(states)) != place
            without = _chance_to_buy(inner[np.ix_(kept, kept)], won[kept], int(kept[: states.index(START)].sum()))
            effects[state] = max(0.0, 1 - without / whole) if whole > 0 else 0.0
    return effects


def _chances(counts: Mapping[tuple[str, str], int], states: list[str]) -> tuple[np.ndarray, np.ndarray]:
    """Chances of a move from state to state, and of a purchase next."""
    place = {state: index for index, state in enumerate(states)}
    inner, won, total = np.zeros((len(states), len(states))), np.zeros(len(states)), np.zeros(len(states))
    for (here, there), count in counts.items():
        total[place[here]] += count
        if there == BOUGHT:
            won[place[here]] += count
        elif there != LEFT:
            inner[place[here], place[there]] += count
    return inner / total[:, None], won / total


def _chance_to_buy(inner: np.ndarray, won: np.ndarray, start: int) -> float:
    """P(purchase) = inner × P(purchase) + won, solved. Every way ends, so the system has one solution."""
    return float(np.linalg.solve(np.eye(len(inner)) - inner, won)[start])
