"""What people buy: the average check, how often they come, whether they come back, what they are worth."""

import pandas as pd

from mappings.metrics.tables import by_segment, ratio, sums

ANY_CHANNEL = "all"


def average_check(orders: pd.DataFrame, members: pd.DataFrame) -> pd.DataFrame:
    """Average check: money of sales / number of sales, by day, channel, segment and currency; unit: that currency.

    `total` and `n` (sales) add up. Sales of unknown buyers count.
    """
    keys = ["day", "channel", "segment", "currency"]
    table = sums(by_segment(orders, members), keys, total=("total", "sum"), n=("total", "size"))
    return table.assign(value=ratio(table["total"], table["n"]))


def frequency(orders: pd.DataFrame, members: pd.DataFrame) -> pd.DataFrame:
    """Purchase frequency: purchases / buyers in a calendar month (`day`: its first); unit: purchases per buyer.

    By channel, and over all channels under `all`: who bought in two channels is a buyer of each and one buyer of all.
    `orders` adds up, `n` (distinct known buyers) adds up over months as buyer-months only.
    """
    known = orders[orders["person_id"].notna()]
    both = pd.concat([known, known.assign(channel=ANY_CHANNEL)], ignore_index=True)
    both = both.assign(day=month(both["day"]))
    table = sums(
        by_segment(both, members),
        ["day", "channel", "segment"],
        orders=("total", "size"),
        n=("person_id", "nunique"),
    )
    return table.assign(value=ratio(table["orders"], table["n"]))


def retention(orders: pd.DataFrame, members: pd.DataFrame) -> pd.DataFrame:
    """Retention: share of the buyers who first bought in a calendar month (`day`: its first) that bought again `age`
    months after it; unit: share of 1.

    By channel of the first purchase and segment, over the whole history given. `kept` and `n` (size of the cohort) add
    up over cohorts of one age. An age whose month is not over is absent, not small: over it is once somebody, known or
    not, bought in a later one.
    """
    known = orders[orders["person_id"].notna()].sort_values(["at", "channel"], kind="stable")
    first = known.drop_duplicates("person_id")[["person_id", "channel", "day"]]
    first = by_segment(first.assign(day=month(first["day"])), members)
    keys = ["day", "channel", "segment"]
    size = sums(first, keys, n=("person_id", "nunique"))
    if not len(size):
        return size.assign(age=pd.Series(dtype=int), kept=pd.Series(dtype=int), value=pd.Series(dtype=float))
    bought = known[["person_id"]].assign(month=month(known["day"])).drop_duplicates()
    came = first.merge(bought, on="person_id")
    came = came.assign(age=_months(came["month"]) - _months(came["day"]))
    kept = sums(came, [*keys, "age"], kept=("person_id", "nunique"))
    last = int(_months(orders["day"]).max()) - 1
    ages = pd.Series([list(range(1, last - start + 1)) for start in _months(size["day"])], index=size.index)
    lived = size.assign(age=ages).explode("age").dropna(subset=["age"])
    table = lived.astype({"age": int}).merge(kept, on=[*keys, "age"], how="left")
    table = table.assign(kept=table["kept"].fillna(0).astype(int))
    return table.assign(value=ratio(table["kept"], table["n"]))[[*keys, "age", "kept", "n", "value"]]


def clv(values: pd.DataFrame, members: pd.DataFrame) -> pd.DataFrame:
    """Customer lifetime value: expected money of the next 12 months (BG/NBD × Gamma-Gamma) / persons, by the day it was
    computed and segment; unit: the hub's currency. Persons without a value yet do not count.

    `values`: `person_id, day, clv`. `total` and `n` (persons) add up over segments that do not overlap.
    """
    known = by_segment(values[values["clv"].notna()], members)
    table = sums(known, ["day", "segment"], total=("clv", "sum"), n=("person_id", "size"))
    return table.assign(value=ratio(table["total"], table["n"]))


def month(days: pd.Series) -> pd.Series:
    """The first day of the month of each day."""
    return pd.to_datetime(days).dt.to_period("M").dt.start_time.dt.date


def _months(days: pd.Series) -> pd.Series:
    moments = pd.to_datetime(days)
    return moments.dt.year * 12 + moments.dt.month
