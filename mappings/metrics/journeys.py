"""The way of a person from the first contact to a purchase."""

import numpy as np
import pandas as pd

from mappings.metrics.contacts import TOUCHES
from mappings.metrics.tables import DAYS, days_between, next_after, sums

LOOKBACK = 90 * DAYS


def steps(contacts: pd.DataFrame, orders: pd.DataFrame) -> pd.DataFrame:
    """Touches of known persons, each with the order it led to: `person_id, channel, campaign, at, order, order_at`.

    A touch belongs to the next order of its person, if that comes within 90 days; else `order` is missing, and the
    touches of one person that led to none are a way that ended without a purchase. So no touch counts twice.
    """
    known = contacts[contacts["person_id"].notna() & contacts["kind"].isin(TOUCHES)]
    touched = known[["person_id", "channel", "campaign", "at"]].sort_values(["at", "channel"], kind="stable")
    placed = orders.loc[orders["person_id"].notna(), ["person_id", "order", "at"]].sort_values(["at", "order"])
    followed = next_after(touched.reset_index(drop=True), placed, ["person_id"], LOOKBACK)
    return followed.rename(columns={"later_at": "order_at"})


def journey(contacts: pd.DataFrame, orders: pd.DataFrame) -> pd.DataFrame:
    """One row an order that a contact led to: `order, day, channel` (where it was placed), `person_id, first_at,
    ordered_at, path` (channels in the order they were met, repeats folded), `n` (touches) and `value`: days from the
    first contact since the person's last order, at most 90 days back, to the purchase.
    """
    taken = steps(contacts, orders).dropna(subset=["order"]).sort_values(["order", "at", "channel"], kind="stable")
    columns = {"first_at": ("at", "min"), "n": ("at", "size")}
    found = sums(taken, ["order"], **columns).merge(_paths(taken), on="order")
    bought = orders[["order", "day", "channel", "person_id", "at"]].rename(columns={"at": "ordered_at"})
    table = bought.merge(found, on="order")
    return table.assign(value=days_between(table["first_at"], table["ordered_at"])).sort_values(
        "order", ignore_index=True
    )


def _paths(taken: pd.DataFrame) -> pd.DataFrame:
    """Channels of each order one after another, a stay in one counted once."""
    stays = (taken["order"] == taken["order"].shift()) & (taken["channel"] == taken["channel"].shift())
    moved = taken[~stays]
    return pd.DataFrame({"order": moved["order"].unique(), "path": _cut(moved["order"], moved["channel"])})


def _cut(keys: pd.Series, values: pd.Series) -> pd.Series:
    """Values as lists, one for each stretch of equal keys."""
    starts = np.flatnonzero(~keys.duplicated().to_numpy())
    return pd.Series(
        [list(part) for part in np.split(values.to_numpy(object), starts[1:])] if len(starts) else [], dtype=object
    )
