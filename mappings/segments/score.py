"""Sums → what they say of a person today: RFM, lifecycle, whether he is still with us and what he is worth."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from mappings.segments import clv
from mappings.segments.lifecycle import lifecycle
from mappings.segments.rfm import Borders, scores

WEEKS = 52
EPOCH = date(1970, 1, 1)
Columns = Mapping[str, pa.Array]


@dataclass(frozen=True)
class Models:
    """What was learnt last; None where there was too little to learn from, and the scores are unknown."""

    borders: Borders | None = None
    purchasing: clv.Purchasing | None = None
    spending: clv.Spending | None = None


def scored(values: pa.Table, by: Models, today: date) -> pa.Table:
    """`values` (as `person_values` gives them) with recency, frequency, monetary, lifecycle, lifecycle_until, alive,
    expected_orders, clv and as_of. Who bought nothing has none of them."""
    columns = {**rfm(values, by), **stages(values, today), **worth(values, by, today)}
    for name, column in columns.items():
        values = values.append_column(name, column)
    return values


def rfm(values: pa.Table, by: Models) -> Columns:
    names = ("recency", "frequency", "monetary")
    if by.borders is None:
        return {name: pa.nulls(values.num_rows, pa.int32()) for name in names}
    nobody = ~bought(values)
    found = scores(by.borders, moments(values), numbers(values, "orders"), numbers(values, "sum"))
    return {name: pa.array(one, pa.int32(), mask=nobody) for name, one in zip(names, found, strict=True)}


def stages(values: pa.Table, today: date) -> Columns:
    median, latest, earlier = (numbers(values, name) for name in ("median_gap", "last_gap", "earlier_gap"))
    days, last_day = numbers(values, "days"), _days(values, "last_day")
    found = lifecycle(days, last_day, median, latest, earlier, (today - EPOCH).days)
    nobody = ~bought(values)
    until = np.nan_to_num(found.until).astype(np.int32)
    return {
        "lifecycle": pa.array(found.state, pa.string(), mask=nobody),
        "lifecycle_until": pa.array(until, pa.date32(), mask=nobody | np.isnan(found.until)),
    }


def worth(values: pa.Table, by: Models, today: date) -> Columns:
    """alive, expected_orders and clv: for the next 52 weeks, an order being a day on which something is bought. clv
    is unknown of who paid in other currencies only."""
    days, nobody = numbers(values, "days"), ~bought(values)
    as_of = pa.repeat(pa.scalar(today, pa.date32()), values.num_rows)
    if by.purchasing is None:
        unknown = pa.nulls(values.num_rows, pa.float64())
        money = pa.nulls(values.num_rows, pa.decimal128(18, 2))
        return {"alive": unknown, "expected_orders": unknown, "clv": money, "as_of": as_of}
    history = weeks(days, _days(values, "first_day"), _days(values, "last_day"), (today - EPOCH).days)
    alike, place = clv.cells(*(np.where(nobody, 0, one) for one in history))
    cells = (alike.frequency, alike.recency, alike.age)
    alive = clv.alive(by.purchasing, *cells)[place]
    orders = clv.expected_purchases(by.purchasing, WEEKS, *cells)[place]
    summed = numbers(values, "summed_days")
    average = numbers(values, "sum") / np.maximum(summed, 1)
    amount = average if by.spending is None else clv.expected_amount(by.spending, summed, np.maximum(average, 0))
    money = pc.round(pa.array(np.maximum(orders * amount, 0), mask=summed == 0), 2)
    return {
        "alive": pa.array(alive, mask=nobody),
        "expected_orders": pa.array(orders, mask=nobody),
        "clv": money.cast(pa.decimal128(18, 2), safe=False),
        "as_of": as_of,
    }


def weeks(days: Any, first_day: Any, last_day: Any, today: int) -> tuple[Any, Any, Any]:
    """Repeats, whole weeks from the first to the last purchase day, and since the first: as cells are made."""
    return days - 1, np.round((last_day - first_day) / 7), np.round((today - first_day) / 7)


def bought(values: pa.Table) -> NDArray[np.bool_]:
    return numbers(values, "days") > 0


def moments(values: pa.Table) -> clv.Floats:
    """Seconds since 1970 of the last purchase."""
    return _floats(values["last_at"].cast(pa.timestamp("us", "UTC")).cast(pa.int64())) / 1e6


def numbers(values: pa.Table, name: str) -> clv.Floats:
    """As floats; unknown is NaN."""
    return _floats(values[name])


def _days(values: pa.Table, name: str) -> clv.Floats:
    return _floats(values[name].cast(pa.date32()).cast(pa.int32()))


def _floats(column: pa.ChunkedArray) -> clv.Floats:
    found: clv.Floats = column.cast(pa.float64()).to_numpy()
    return found
