"""What contacts lead to: conversion in a channel and across channels, letters opened, how engaged people are."""

from datetime import timedelta

import numpy as np
import pandas as pd

from mappings.metrics.surveys import SURVEYS
from mappings.metrics.tables import DAYS, by_segment, days_between, next_after, ratio, sums

ORDER_WINDOW = 30 * DAYS
RESPONSE_WINDOW = 180 * DAYS
OPEN_WINDOW = 30 * DAYS
DELIVERY = timedelta(days=1)
"""A letter is on its way for a night: what arrives on the day after its sending is no other one."""
HALF_LIFE = 30.0
"""Days after which a sign of interest counts half."""
TOUCHES = ("call", "message", "sent", "delivered", "opened", "clicked", "page_view", "product_view", "consultation",
           "visit", "ad_view", "ad_click")  # fmt: skip
LETTERS = ("sent", "delivered")
RESPONSES = ("clicked", "ad_click", "redeemed")
"""Kinds by which a person answers the campaign that they name."""
WEIGHTS = {"opened": 1.0, "page_view": 1.0, "product_view": 2.0, "clicked": 3.0, "ad_click": 3.0, "message": 3.0,
           **dict.fromkeys(SURVEYS, 3.0), "call": 4.0, "visit": 4.0, "consultation": 5.0,
           "redeemed": 5.0}  # fmt: skip
"""Points of a sign of interest; what was only sent to a person is none."""
UNIT = ["person_id", "channel", "campaign", "day"]
LETTER = ["person_id", "channel", "campaign", "reference"]


def conversion(contacts: pd.DataFrame, orders: pd.DataFrame, members: pd.DataFrame) -> pd.DataFrame:
    """Conversion: contacts followed by an order of the person within 30 days / contacts; unit: share of 1.

    A contact is all that passed between a person and a channel's campaign on one day; a letter is one on the day of its
    sending, though it arrived after midnight (`_sent_once`). By day of the contact, channel,
    campaign and segment. `ordered`, `within` (the next order was placed in the channel itself), `responded` (clicked or
    redeemed what the campaign offered within 180 days) and `n` (contacts) add up; value = ordered / n.
    """
    followed = by_segment(_followed(contacts, orders), members)
    keys = ["day", "channel", "campaign", "segment"]
    table = sums(
        followed,
        keys,
        ordered=("ordered", "sum"),
        within=("within", "sum"),
        responded=("responded", "sum"),
        n=("person_id", "size"),
    )
    return table.assign(value=ratio(table["ordered"], table["n"]))


def cross_conversion(contacts: pd.DataFrame, orders: pd.DataFrame, members: pd.DataFrame) -> pd.DataFrame:
    """Cross-channel conversion: contacts in a channel whose person's next order, within 30 days, was placed in another
    one / contacts; unit: share of 1.

    By day of the contact, channel and segment. `converted` and `n` add up; within + converted = ordered of
    `conversion`. `to_channels`: where the orders were placed, channel → count.
    """
    followed = by_segment(_followed(contacts, orders), members)
    keys = ["day", "channel", "segment"]
    followed = followed.assign(crossed=followed["ordered"] & ~followed["within"])
    table = sums(followed, keys, converted=("crossed", "sum"), n=("person_id", "size"))
    pairs = sums(followed[followed["crossed"]], [*keys, "order_channel"], count=("person_id", "size"))
    targets = {key: dict(zip(rows["order_channel"], rows["count"], strict=True)) for key, rows in pairs.groupby(keys)}
    found = [targets.get(tuple(row), {}) for row in table[keys].itertuples(index=False)]
    return table.assign(
        to_channels=pd.Series(found, index=table.index, dtype=object), value=ratio(table["converted"], table["n"])
    )


def letters(contacts: pd.DataFrame, members: pd.DataFrame) -> pd.DataFrame:
    """Letters and messages that were opened within 30 days / that were sent (or delivered); unit: share of 1.

    A letter is one campaign and reference to one person on one day, and the night after it where there is a reference;
    a click opens it too. By day of sending, channel, segment; `opened`, `clicked` and `n` (letters) add up.
    """
    keys = LETTER
    known = _sent_once(contacts[contacts["person_id"].notna()].fillna({"campaign": "", "reference": ""}))
    sent = known[known["kind"].isin(LETTERS)].sort_values("at", kind="stable").drop_duplicates([*keys, "day"])
    sent = sent[[*keys, "day", "at"]]
    opened, clicked = (
        next_after(sent, known[known["kind"].isin(kinds)][[*keys, "at"]], keys, OPEN_WINDOW)["later_at"].notna()
        for kinds in (("opened", "clicked"), ("clicked",))
    )
    seen = by_segment(sent.reset_index(drop=True).assign(opened=opened, clicked=clicked), members)
    columns = {"opened": ("opened", "sum"), "clicked": ("clicked", "sum"), "n": ("person_id", "size")}
    table = sums(seen, ["day", "channel", "segment"], **columns)
    return table.assign(value=ratio(table["opened"], table["n"]))


def interest(contacts: pd.DataFrame, members: pd.DataFrame) -> pd.DataFrame:
    """Points of interest shown (weights of WEIGHTS) by day, channel and segment; `points` adds up, n: persons."""
    known = contacts[contacts["person_id"].notna()]
    scored = known.assign(points=known["kind"].map(WEIGHTS)).dropna(subset=["points"])
    columns = {"points": ("points", "sum"), "n": ("person_id", "nunique")}
    return sums(by_segment(scored, members), ["day", "channel", "segment"], **columns)


def decayed(points: pd.DataFrame, by: list[str]) -> pd.Series:
    """Engagement: the sum of points so far, each halved every 30 days, as it stands at each row's day; unit: points.

    `points`: `day, points` and the columns `by`, one row a day of each group. Since decay is linear, the sum over
    persons decays like one person's: v(d) = v(d₀) × 2^(−(d − d₀) / 30) + points(d).
    """
    ordered = points.sort_values([*by, "day"], kind="stable")
    days = pd.to_datetime(ordered["day"]).astype("datetime64[s]").astype("int64") / 86_400
    value = np.zeros(len(ordered))
    new = ~ordered.duplicated(by).to_numpy()
    gap = np.where(new, 0.0, days.diff().fillna(0.0).to_numpy())
    kept = np.where(new, 0.0, np.exp2(-gap / HALF_LIFE))
    running = 0.0
    for place, (share, fresh) in enumerate(zip(kept, ordered["points"].to_numpy(float), strict=True)):
        running = running * share + fresh
        value[place] = running
    return pd.Series(value, index=ordered.index).reindex(points.index)


def engagement(state: pd.DataFrame, contacts: pd.DataFrame) -> pd.DataFrame:
    """Engagement of persons brought up to date in place: `person_id, channel, value, at`, the points so far, each
    halved every 30 days, as they stood at `at`; unit: points.

    `state`: the same columns, before `contacts`. Only the moment is moved, so an old value costs nothing until a person
    shows up again. Contacts may come in any order; an older one than `at` counts with what is left of it.
    """
    keys = ["person_id", "channel"]
    known = contacts[contacts["person_id"].notna()]
    fresh = known.assign(value=known["kind"].map(WEIGHTS)).dropna(subset=["value"])[[*keys, "value", "at"]]
    touched = state.merge(fresh[keys].drop_duplicates(), on=keys)
    rows = pd.concat([frame for frame in (touched, fresh) if len(frame)] or [fresh], ignore_index=True)
    last = rows.groupby(keys)["at"].transform("max")
    left = rows["value"].astype(float) * np.exp2(-days_between(rows["at"], last) / HALF_LIFE)
    return sums(rows.assign(value=left, at=last), keys, value=("value", "sum"), at=("at", "max"))


def _followed(contacts: pd.DataFrame, orders: pd.DataFrame) -> pd.DataFrame:
    """Contacts of known persons, one a day, channel and campaign, with what followed each."""
    known = _sent_once(contacts[contacts["person_id"].notna()].fillna({"campaign": "", "reference": ""}))
    touched = known[known["kind"].isin(TOUCHES)].sort_values(["at", "channel"], kind="stable").drop_duplicates(UNIT)
    touched = touched[[*UNIT, "at"]].reset_index(drop=True)
    placed = orders.loc[orders["person_id"].notna(), ["person_id", "channel", "at"]]
    placed = placed.rename(columns={"channel": "order_channel"}).sort_values(["at", "order_channel"], kind="stable")
    after = next_after(touched, placed, ["person_id"], ORDER_WINDOW)
    answers = known.loc[known["kind"].isin(RESPONSES) & (known["campaign"] != ""), ["person_id", "campaign", "at"]]
    answered = next_after(touched, answers, ["person_id", "campaign"], RESPONSE_WINDOW)["later_at"].notna()
    ordered = after["later_at"].notna()
    within = ordered & (after["order_channel"] == after["channel"])
    return after.assign(ordered=ordered, within=within, responded=answered & (touched["campaign"] != ""))


def _sent_once(known: pd.DataFrame) -> pd.DataFrame:
    """`known` without deliveries of what was sent on the day before: before midnight and after it is one letter. Only
    that day is looked at, so that a day needs no more of the past; what was sent again is another letter."""
    letter = [*LETTER, "day"]
    sent, arrived = (known.loc[(known["kind"] == kind) & (known["reference"] != ""), letter] for kind in LETTERS)
    due = pd.MultiIndex.from_frame(sent.assign(day=[day + DELIVERY for day in sent["day"]]))
    return known.drop(arrived.index[pd.MultiIndex.from_frame(arrived).isin(due)])
