"""What people bought and what it says of them, kept up to date: sums for those whose orders changed, scores by models
that are dated. Borders of RFM are drawn daily, purchase and spending are learnt weekly, everybody is scored monthly.
"""

from collections.abc import Iterator
from dataclasses import asdict
from datetime import date, datetime, timedelta
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
from sqlalchemy import Connection as Database

from dagster_project.connections import Hub
from dagster_project.store.people import values as store
from mappings.segments import clv
from mappings.segments.rfm import Borders, borders
from mappings.segments.score import Columns, Models, moments, numbers, rfm, scored, stages, worth
from mappings.segments.value import person_values

PAGE = 200_000
"""Persons whose orders are in memory at a time."""
REFIT = timedelta(days=7)
STALE = timedelta(days=30)
ENOUGH = 100
"""Buyers with repeats from which their habits can be learnt."""


def refresh(db: Database, hub: Hub, persons: pa.ChunkedArray, *, now: datetime) -> pa.ChunkedArray:
    """Adds up the orders of the persons anew that are staged (store.people.among), `persons` in their order; then lets
    time and the day's models work on everybody.

    Gives the persons whose values changed, of these and of others.
    """
    today = hub.local(now).date()
    by = models(db, today)
    changed = [_added_up(db, hub, page, by, today) for page in _pages(persons)]
    return pa.chunked_array([chunk for one in (*changed, *daily(db, today)) for chunk in one.chunks], pa.string())


def _pages(persons: pa.ChunkedArray) -> Iterator[pa.ChunkedArray]:
    return (persons.slice(start, PAGE) for start in range(0, len(persons), PAGE))


def _added_up(db: Database, hub: Hub, persons: pa.ChunkedArray, by: Models, today: date) -> pa.ChunkedArray:
    between = persons[0].as_py(), persons[-1].as_py()
    values = person_values(store.orders(db, between, hub.entry.currency, hub.entry.timezone))
    store.forget(db, persons.filter(pc.invert(pc.is_in(persons, values["person_id"]))))
    return store.put(db, scored(values, by, today))


def _some(score: Any, values: pa.Table, *by: Any) -> pa.Table:
    """The columns that a score gives, for these persons."""
    return pa.table({"person_id": values["person_id"], **score(values, *by)})


# ── models ────────────────────────────────────────────────────────────────────────────────────────────────────────────


def models(db: Database, today: date) -> Models:
    """What was learnt last."""
    drawn, purchasing, spending = (store.model(db, kind, today)[0] for kind in ("rfm", "purchasing", "spending"))
    return Models(
        Borders(**{name: tuple(edges) for name, edges in drawn.items()}) if drawn else None,
        clv.Purchasing(**purchasing) if purchasing else None,
        clv.Spending(**spending) if spending else None,
    )


def daily(db: Database, today: date) -> Iterator[pa.ChunkedArray]:
    """Once a local day: stages that end on it, new borders, new habits when a week is over, and everybody who was not
    scored for a month. An end of a stage has no index: a sale moves it, and a row that no index names is written anew
    for a third of the cost."""
    if store.model(db, "rfm", today)[1] == today:
        return
    everybody = store.stored(db, "days > 0")
    if not everybody.num_rows:
        return
    ended = pc.less_equal(everybody["lifecycle_until"], today)
    yield store.put(db, _some(stages, everybody.filter(ended), today))
    drawn = borders(moments(everybody), numbers(everybody, "orders"), numbers(everybody, "sum"))
    store.keep_model(db, "rfm", today, asdict(drawn), everybody.num_rows)
    learnt = store.model(db, "purchasing", today)[1]
    if learnt is None or today - learnt >= REFIT:
        _learn(db, today)
    by = models(db, today)
    stale = _stale(everybody, today) if by.purchasing else pc.is_null(everybody["person_id"])
    yield store.put(db, _some(_anew, everybody.filter(stale), by, today))
    yield store.put(db, _some(rfm, everybody.filter(pc.invert(stale)), by))


def _stale(values: pa.Table, today: date) -> pa.ChunkedArray:
    """Who was not scored for a month, or never."""
    return pc.or_(pc.less_equal(values["as_of"], today - STALE), pc.is_null(values["alive"]))


def _anew(values: pa.Table, by: Models, today: date) -> Columns:
    return {**rfm(values, by), **worth(values, by, today)}


def _learn(db: Database, today: date) -> None:
    """Habits of purchase and, where amounts do not grow with it, of spending; nothing where too few bought twice."""
    alike = store.buyers(db, today)
    cells = clv.Cells(*(numbers(alike, name) for name in ("frequency", "recency", "age", "count")))
    repeaters = int(cells.count[cells.frequency > 0].sum())
    if repeaters < ENOUGH:
        return
    store.keep_model(db, "purchasing", today, asdict(clv.fit_purchasing(cells)), int(cells.count.sum()))
    spent = store.amounts(db)
    often, average = numbers(spent, "frequency"), numbers(spent, "average")
    apart = len(often) >= ENOUGH and abs(clv.amounts_grow_with_purchases(often, average)) < clv.TOO_CORRELATED
    store.keep_model(db, "spending", today, asdict(clv.fit_spending(often, average)) if apart else {}, len(often))
