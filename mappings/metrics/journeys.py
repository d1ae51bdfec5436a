"""The way of a person from the first contact to a purchase."""

import numpy as np
import pandas as pd

from mappings.metrics.contacts import TOUCHES
from mappings.metrics.tables import DAYS, days_between, next_after

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
    columns = {"first_at": ("at", "min"), "n": ("at", "size"), "path": ("channel", folded)}
    found = taken.groupby("order").agg(**columns).reset_index() if len(taken) else _none(["order", *columns])
    bought = orders[["order", "day", "channel", "person_id", "at"]].rename(columns={"at": "ordered_at"})
    table = bought.merge(found, on="order")
    return table.assign(value=days_between(table["first_at"], table["ordered_at"])).sort_values(
        "order", ignore_index=True
    )


def folded(channels: pd.Series) -> list[str]:
    """Channels one after another, a stay in one counted once."""
    names = channels.to_numpy()
    return list(names[np.r_[True, names[1:] != names[:-1]]])


def _none(columns: list[str]) -> pd.DataFrame:
    return pd.DataFrame(columns=columns)
