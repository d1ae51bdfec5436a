"""What people say when asked: NPS and CSAT, with how sure the number is."""

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from mappings.metrics.tables import by_segment, ratio, sums

KEYS = ["day", "channel", "segment"]
SURVEYS = ("survey", "nps", "csat")
"""Kinds of contacts that are an answer."""
Z = 1.959963984540054
"""Two-sided 95 %."""


def answers(contacts: pd.DataFrame, survey: str) -> pd.DataFrame:
    """The answers that count for `survey`, nps (0-10) or csat (1-5): of each person the last one of a calendar month.

    A survey is CSAT's where its kind, campaign or reference says `csat`, else NPS's. Who answers twice counts once, on
    the day of the last answer; an answer off the scale, or of nobody known by an id, does not count.
    """
    asked = contacts[contacts["kind"].isin(SURVEYS) & contacts["person_id"].notna()]
    words = asked["kind"] + " " + asked["campaign"].fillna("") + " " + asked["reference"].fillna("")
    mine = words.str.contains("csat", case=False) == (survey == "csat")
    value = asked["value"].astype(float)
    on_scale = value.between(1, 5) if survey == "csat" else value.between(0, 10)
    found = asked.assign(value=value)[mine & on_scale].sort_values(["at", "value", "channel"], kind="stable")
    month = pd.to_datetime(found["day"]).dt.to_period("M")
    return found[~found.assign(month=month).duplicated(["person_id", "month"], keep="last")]


def nps(contacts: pd.DataFrame, members: pd.DataFrame) -> pd.DataFrame:
    """Net promoter score: 100 × (answers of 9-10 − answers of 0-6) / answers; unit: points from -100 to 100.

    By day, channel and segment, last answer per person and calendar month. `promoters`, `detractors` and `n` add up;
    `low` and `high` bound the score of all who could have been asked with 95 % (`nps_interval`).
    """
    given = by_segment(answers(contacts, "nps"), members)
    given = given.assign(promoter=given["value"] >= 9, detractor=given["value"] <= 6)
    table = sums(given, KEYS, promoters=("promoter", "sum"), detractors=("detractor", "sum"), n=("value", "size"))
    low, high = nps_interval(
        table["promoters"].to_numpy(float), table["detractors"].to_numpy(float), table["n"].to_numpy(float)
    )
    value = 100 * ratio(table["promoters"] - table["detractors"], table["n"])
    return table.assign(value=value, low=100 * low, high=100 * high)


def csat(contacts: pd.DataFrame, members: pd.DataFrame) -> pd.DataFrame:
    """Customer satisfaction: 100 × answers of 4-5 / answers on a scale of 1-5; unit: per cent.

    By day, channel and segment, last answer per person and calendar month. `satisfied` and `n` add up; `low` and `high`
    are the Wilson interval of 95 %.
    """
    given = by_segment(answers(contacts, "csat"), members)
    table = sums(given.assign(happy=given["value"] >= 4), KEYS, satisfied=("happy", "sum"), n=("value", "size"))
    low, high = wilson(table["satisfied"].to_numpy(float), table["n"].to_numpy(float))
    return table.assign(value=100 * ratio(table["satisfied"], table["n"]), low=100 * low, high=100 * high)


def wilson(
    hits: NDArray[np.float64], n: NDArray[np.float64], z: float = Z
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Bounds of a share that was seen `hits` times in `n` (Wilson 1927): never outside 0 and 1, honest for few."""
    share, k = hits / n, z * z / n
    half = np.sqrt(k * share * (1 - share) + k * k / 4)
    return (share + k / 2 - half) / (1 + k), (share + k / 2 + half) / (1 + k)


def nps_interval(
    promoters: NDArray[np.float64], detractors: NDArray[np.float64], n: NDArray[np.float64], z: float = Z
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """The same idea for a difference of two shares, from -1 to 1: the scores θ with (seen − θ)² ≤ k (s − θ²).

    s: share of answers that are not passive, k = z² / n. In the quadratic's root s (1 + k) is taken as s + k, so that
    a survey in which all were passive is not thought certain.
    """
    seen, outspoken, k = (promoters - detractors) / n, (promoters + detractors) / n, z * z / n
    half = np.sqrt(k * (outspoken + k - seen**2))
    return (seen - half) / (1 + k), (seen + half) / (1 + k)
