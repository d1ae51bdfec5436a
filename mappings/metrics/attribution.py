"""Which channel earned an order: five answers side by side, each of which shares out the same money."""

from collections import Counter
from collections.abc import Mapping

import numpy as np
import pandas as pd

from mappings.metrics.journeys import steps
from mappings.metrics.tables import by_segment, days_between, sums

DIRECT = "direct"
"""The channel of an order that no contact is known to have led to."""
HALF_LIFE = 7.0
"""Days before the order after which a touch counts half, in time decay."""
MODELS = ("first", "last", "linear", "time_decay", "removal")
START, BOUGHT, LEFT = "(start)", "(bought)", "(left)"


def attribution(contacts: pd.DataFrame, orders: pd.DataFrame, members: pd.DataFrame) -> pd.DataFrame:
    """Money of sales shared among the channels whose touches led to them; unit: the order's currency.

    By day of the order, channel of the touch, segment, currency and `model`: `first` touch, `last` touch, `linear`
    (every touch alike), `time_decay` (2^(−days before the order / 7)), `removal` (data-driven: by the share of
    purchases that would be lost without the channel, `removal_effects` of the ways given). `value` and `n` (orders, in
    shares) add up: over channels they are the orders' money and number under every model. Window: 90 days back.
    """
    touched = steps(contacts, orders)
    shares = _shares(touched[touched["order"].notna()], removal_effects(moves(touched)))
    bought = orders[["order", "day", "person_id", "total", "currency"]]
    earned = bought.merge(shares, on="order")
    alone = bought[~bought["order"].isin(shares["order"])].assign(channel=DIRECT, share=1.0)
    direct = [alone.assign(model=model) for model in MODELS]
    rows = pd.concat([frame for frame in (earned, *direct) if len(frame)] or [earned], ignore_index=True)
    rows = rows.assign(value=rows["total"].astype(float) * rows["share"].astype(float))
    keys = ["day", "channel", "segment", "currency", "model"]
    return sums(by_segment(rows, members), keys, value=("value", "sum"), n=("share", "sum"))


def moves(touched: pd.DataFrame) -> dict[tuple[str, str], int]:
    """How often persons went from channel to channel, from START to BOUGHT or LEFT. `touched`: `steps`.

    The touches that led to one order are one way, and so are those of a person that led to none.
    """
    way = touched["order"].fillna("").astype(str)
    walk = touched.assign(way=way).sort_values(["person_id", "way", "at", "channel"], kind="stable")
    begins = ~walk.duplicated(["person_id", "way"])
    ends = ~walk.duplicated(["person_id", "way"], keep="last")
    left = pd.Series(np.where(walk["way"] != "", BOUGHT, LEFT), walk.index)
    here = [*walk["channel"], *[START] * int(begins.sum())]
    there = [*walk["channel"].shift(-1).where(~ends, left), *walk["channel"][begins]]
    return dict(Counter(zip(here, there, strict=True)))


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


def _shares(touched: pd.DataFrame, effects: Mapping[str, float]) -> pd.DataFrame:
    """`order, channel, model, share`; shares of an order add up to 1 under each model."""
    ordered = touched.sort_values(["order", "at", "channel"], kind="stable")
    age = days_between(ordered["at"], ordered["order_at"])
    place = ordered.groupby("order").cumcount()
    count = ordered.groupby("order")["at"].transform("size")
    effect = ordered["channel"].map(dict(effects)).astype(float)
    met = ordered.groupby(["order", "channel"])["at"].transform("size")  # a channel's effect, however often it was met
    lost = effect.groupby(ordered["order"]).transform("sum")
    weights = {
        "first": (place == 0).astype(float),
        "last": (place == count - 1).astype(float),
        "linear": pd.Series(1.0, ordered.index),
        "time_decay": np.exp2(-(age - age.groupby(ordered["order"]).transform("min")) / HALF_LIFE),
        "removal": effect.where(lost > 0, 1.0) / met,
    }
    made = []
    for model, weight in weights.items():
        share = weight / weight.groupby(ordered["order"]).transform("sum")
        made.append(ordered[["order", "channel"]].assign(model=model, share=share))
    return sums(pd.concat(made, ignore_index=True), ["order", "channel", "model"], share=("share", "sum"))
