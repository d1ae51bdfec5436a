"""What will be asked for in the next weeks, and what to order or to move for it."""

from datetime import date, datetime, timedelta

import numpy as np
import pandas as pd
import pyarrow as pa
from sqlalchemy import Engine

from dagster_project.connections import Hub, Reorder
from dagster_project.store import demand as store
from dagster_project.store.locks import in_turn
from dagster_project.store.mart_tables import MARTS
from dagster_project.store.marts import replace
from mappings.forecast.choice import Choice, choose, forecast
from mappings.forecast.demand import kinds
from mappings.forecast.panel import Panel
from mappings.forecast.reorder import lead_time_need, replenish

WEEKS, AHEAD, HORIZON = 104, 8, 4
"""Past weeks looked at, weeks forecast, weeks by which methods are tried."""
YEAR = 52
SEEN = 3
"""Days out of stock in a week that leave its demand known; from more on the week is missing, not small."""
PLACE = ["sku", "location"]


def plan_demand(engine: Engine, hub: Hub, *, now: datetime, terms: Reorder | None = None) -> dict[str, int]:
    """Makes the marts forecast and reorder anew; gives the rows of each. Weeks begin on Monday in the hub's zone; the
    one that is not over is not looked at. `terms`: of this time only, else `hub.reorder`."""
    terms = terms or hub.entry.reorder
    today, monday = _days(hub, now)
    with engine.begin() as db:
        in_turn(db, "mart:forecast")
        first = monday - timedelta(weeks=WEEKS)
        store.note_stock_outs(db, today, first)
        sold = store.sold(db, first, monday, hub.entry.timezone)
        history = panel(sold, store.out_of_stock(db, first, monday), monday)
        season = YEAR if history.shape[1] >= YEAR + 4 * HORIZON else 1
        choices = choose(history.to_numpy(), HORIZON, season, level=terms.service_level)
        expected = forecast(history.to_numpy(), AHEAD, season, choices)
        kind = kinds(history.to_numpy())
        needs = _needs(history.index, expected, kind, choices, terms)
        orders = replenish(store.available(db).merge(needs, on=PLACE, how="left").fillna(0.0))
        return {
            "forecast": replace(db, MARTS["forecast"], _long(history, expected, kind, choices, monday)),
            "reorder": replace(db, MARTS["reorder"], orders.assign(day=today, value=orders["purchase"])),
        }


def demand_due(engine: Engine, hub: Hub, *, now: datetime) -> dict[str, int]:
    """The same, where today nobody has done it yet; gives nothing where somebody has."""
    today, monday = _days(hub, now)
    with engine.connect() as db:
        planned = store.planned(db, monday, today)
    return {} if planned else plan_demand(engine, hub, now=now)


def _days(hub: Hub, now: datetime) -> tuple[date, date]:
    """Today in the hub's zone, and the Monday of its week."""
    today = hub.local(now).date()
    return today, today - timedelta(today.weekday())


def panel(sold: pd.DataFrame, out: pd.DataFrame, monday: date) -> pd.DataFrame:
    """Units by place (rows) and week (columns), up to the week before `monday`.

    A week without a sale is 0, but missing before the first sale of the place, and where the goods were out of stock
    for most of it.
    """
    if not len(sold):
        return pd.DataFrame(index=pd.MultiIndex.from_arrays([[], []], names=PLACE), dtype=float)
    weeks = [*pd.date_range(sold["week"].min(), monday - timedelta(7), freq="7D").date]
    table = sold.pivot_table(index=PLACE, columns="week", values="units", aggfunc="sum").reindex(columns=weeks)
    begun = table.notna().cummax(axis=1)
    table = table.fillna(0.0).where(begun)
    gone = out[out["days"] > SEEN].assign(units=1.0)
    if not len(gone):
        return table
    absent = gone.pivot_table(index=PLACE, columns="week", values="units").reindex(index=table.index, columns=weeks)
    return table.mask(absent.notna())


def _needs(
    places: pd.Index, expected: Panel, kind: np.ndarray, choices: dict[str, Choice], terms: Reorder
) -> pd.DataFrame:
    lead, review = terms.lead_days / 7, terms.review_days / 7
    point, up_to = np.zeros(len(places)), np.zeros(len(places))
    for name, choice in choices.items():
        rows = kind == name
        point[rows] = lead_time_need(expected[rows], lead, choice.dispersion, terms.service_level)
        up_to[rows] = lead_time_need(expected[rows], lead + review, choice.dispersion, terms.service_level)
    return pd.DataFrame({"reorder_point": point, "order_up_to": up_to}, index=places).reset_index()


def _long(
    history: pd.DataFrame, expected: Panel, kind: np.ndarray, choices: dict[str, Choice], monday: date
) -> pa.Table:
    """One row a place and week ahead; in Arrow, since these are millions that repeat a few words."""
    methods = np.array([choices[name].method if name in choices else "none" for name in kind], dtype=object)
    places = history.index.to_frame(index=False)
    places = places.assign(kind=kind, method=methods, n=history.notna().sum(axis=1).to_numpy())
    weeks = pa.array([monday + timedelta(weeks=week) for week in range(expected.shape[1])], pa.date32())
    rows = pa.Table.from_pandas(places, preserve_index=False).take(np.repeat(np.arange(len(places)), len(weeks)))
    days = weeks.take(np.tile(np.arange(len(weeks)), len(places)))
    return rows.append_column("day", days).append_column("value", pa.array(expected.ravel()))
