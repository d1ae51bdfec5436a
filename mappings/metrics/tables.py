"""What all metrics share: the segments of a row, ratios that know what nothing is, rows that follow others."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa

from mappings.relations import select

EVERYBODY = "all"
DAYS = pd.Timedelta(days=1)


def asked(query: str, params: Mapping[str, Any] | None = None, /, **frames: pd.DataFrame) -> pd.DataFrame:
    """What SQL says of frames (`mappings.relations.select`). A frame without rows has no types: the query casts."""
    tables = {name: pa.Table.from_pandas(frame, preserve_index=False) for name, frame in frames.items()}
    answer: pd.DataFrame = select(query, params, **tables).to_pandas()
    return answer


def by_segment(facts: pd.DataFrame, members: pd.DataFrame) -> pd.DataFrame:
    """`facts` once for everybody and once more for each segment their person is in, with a column `segment`."""
    everybody = facts.assign(segment=EVERYBODY)
    if not len(facts) or not len(members):
        return everybody
    known = facts[facts["person_id"].notna()]
    return pd.concat([everybody, known.merge(members, on="person_id")], ignore_index=True)


def ratio(part: pd.Series, whole: pd.Series) -> pd.Series:
    """part / whole; NaN where the whole is nothing: missing is not zero."""
    return part.astype(float) / whole.astype(float).where(whole != 0)


def days_between(start: pd.Series, end: pd.Series) -> pd.Series:
    """Days, with their fractions, from each moment of `start` to that of `end`."""
    spent = pd.to_datetime(end, utc=True) - pd.to_datetime(start, utc=True)
    return spent.dt.total_seconds() / 86_400


def sums(facts: pd.DataFrame, keys: Sequence[str], **columns: tuple[str, str]) -> pd.DataFrame:
    """Sums (or what each pair of column and function says) by `keys`, sorted by them; empty with all columns if empty.

    Rows are put in one order first, so that sums of floats do not depend on the order in which rows came.
    """
    if not len(facts):
        return pd.DataFrame(columns=[*keys, *columns])
    ordered = facts.sort_values([*keys, *dict.fromkeys(column for column, _ in columns.values())], kind="stable")
    return ordered.groupby(list(keys), dropna=False, sort=True).agg(**columns).reset_index()


def next_after(events: pd.DataFrame, later: pd.DataFrame, by: Sequence[str], within: pd.Timedelta) -> pd.DataFrame:
    """Each of `events` beside the first of `later` that has the same `by` and comes at the same moment or after it,
    at most `within` later; columns of `later` are missing where none does. Rows keep the order of `events`.
    """
    first, second = _matchable(events, by), _matchable(later, by)
    followed = pd.merge_asof(
        first.assign(_place=np.arange(len(events))).sort_values("at", kind="stable"),
        second.sort_values("at", kind="stable").rename(columns={"at": "later_at"}),
        left_on="at",
        right_on="later_at",
        by=list(by),
        direction="forward",
        tolerance=within,
    )
    return followed.sort_values("_place").drop(columns="_place").reset_index(drop=True)


def _matchable(frame: pd.DataFrame, by: Sequence[str]) -> pd.DataFrame:
    """Keys and moments in the types that an as-of join takes, which an empty frame does not have of itself."""
    at = pd.to_datetime(frame["at"], utc=True).dt.as_unit("us")
    return frame.assign(at=at, **{name: frame[name].astype(object).astype("str") for name in by})
