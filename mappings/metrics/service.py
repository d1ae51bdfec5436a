"""What buyers can rely on: that an order is not cancelled, that goods are there, that a promise is kept."""

import pandas as pd

from mappings.metrics.tables import EVERYBODY, by_segment, ratio, sums

WHERE = ["day", "channel", "segment"]


def cancellation(placed: pd.DataFrame, members: pd.DataFrame) -> pd.DataFrame:
    """Cancellation share: sales that were cancelled, whoever did it and when / sales placed; unit: share of 1.

    By day of the order, channel (the marketplace) and segment. `cancelled` and `n` (sales placed) add up. Window: none,
    so the share of the last days may still rise. `placed`: orders as described, those that were cancelled too, with
    `status`.
    """
    facts = by_segment(placed, members).assign(cancelled=lambda rows: rows["status"] == "cancelled")
    table = sums(facts, WHERE, cancelled=("cancelled", "sum"), n=("order", "size"))
    return table.assign(value=ratio(table["cancelled"], table["n"]))


def promise(placed: pd.DataFrame, members: pd.DataFrame) -> pd.DataFrame:
    """Promise kept: sales delivered by the end of the promised day / sales delivered that had one; unit: share of 1.

    By day of the order, channel and segment; days are the hub's. `kept` and `n` (sales delivered that had a promise)
    add up. Delivered is the first of the moves `delivered` and `completed`, as it was learnt. A sale that has not
    arrived yet is not counted, late or not; nor is one without a promise. `placed`: as in `cancellation`, with
    `promised` and `delivered` (local dates, None: not known).
    """
    both = placed[placed["promised"].notna() & placed["delivered"].notna()]
    facts = by_segment(both.assign(kept=both["delivered"] <= both["promised"]), members)
    table = sums(facts, WHERE, kept=("kept", "sum"), n=("order", "size"))
    return table.assign(value=ratio(table["kept"], table["n"]))


def availability(goods: pd.DataFrame) -> pd.DataFrame:
    """Availability: goods with something to sell in some place (on hand − reserved > 0) / goods on offer; unit: share
    of 1.

    By day and channel: of a connection the goods listed there, of `all` the active products; segment `all`, since goods
    are nobody's. `available` and `n` (goods) do not add up over channels, nor over days. As it stood when it was looked
    at last on the day: days before the first look are not known. `goods`: `day, channel, available, n`.
    """
    table = goods.assign(segment=EVERYBODY)
    return table.assign(value=ratio(table["available"], table["n"]))
