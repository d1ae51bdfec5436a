"""What somebody bought, added up."""

import json
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

import pyarrow as pa
from hypothesis import given
from hypothesis import strategies as st

from mappings.segments.value import ORDERS, person_values


def an_order(
    person: str = "P", day: int = 1, amount: int | None = 1000, kind: str = "sale", channel: str = "store"
) -> Any:
    at = datetime(2026, 1, 1, 9, tzinfo=UTC).replace(day=day)
    return {
        "person_id": person,
        "kind": kind,
        "channel": channel,
        "at": at,
        "day": at.date(),
        "amount": None if amount is None else Decimal(amount),
    }


def of(*orders: Any) -> dict[str, dict[str, Any]]:
    rows = person_values(pa.Table.from_pylist(list(orders), schema=ORDERS)).to_pylist()
    return {row["person_id"]: row for row in rows}


def test_orders_of_all_channels_are_one_sum_and_one_for_each():
    [row] = of(an_order(day=1), an_order(day=3, amount=500, channel="site"), an_order(day=3, amount=250)).values()
    assert (row["orders"], row["sum"], row["days"]) == (3, Decimal(1750), 2)
    assert json.loads(row["channels"]) == {
        "site": {"orders": 1, "sum": 500.0},
        "store": {"orders": 2, "sum": 1250.0},
    }


def test_a_return_takes_its_money_back_wherever_it_is_brought():
    [row] = of(an_order(amount=1000, channel="site"), an_order(day=5, amount=400, kind="return")).values()
    assert (row["orders"], row["returns"], row["sum"]) == (1, 1, Decimal(600))
    assert row["last_day"] == date(2026, 1, 1)


def test_the_rhythm_is_told_by_the_days_not_by_the_orders():
    [row] = of(*(an_order(day=day) for day in (1, 1, 4, 10, 25))).values()
    assert (row["median_gap"], row["last_gap"], row["earlier_gap"]) == (6, 15, 4.5)


def test_who_only_brings_back_has_bought_on_no_day():
    [row] = of(an_order(kind="return", amount=300)).values()
    assert (row["orders"], row["returns"], row["sum"], row["days"], row["first_at"]) == (0, 1, Decimal(-300), 0, None)


def test_an_order_of_unknown_amount_is_an_order_on_its_day():
    [row] = of(an_order(day=1), an_order(day=2, amount=None), an_order(day=3, amount=None, kind="return")).values()
    assert (row["orders"], row["returns"], row["sum"], row["days"]) == (2, 1, Decimal(1000), 2)
    assert (row["summed_orders"], row["summed_days"], row["last_day"]) == (1, 1, date(2026, 1, 2))


orders = st.builds(
    an_order,
    st.sampled_from("ABC"),
    st.integers(1, 28),
    st.none() | st.integers(0, 10_000),
    st.sampled_from(["sale", "sale", "return"]),
    st.sampled_from(["store", "site"]),
)


@given(st.lists(orders, min_size=1, max_size=25))
def test_the_sums_of_persons_are_the_sum_of_the_orders(bought: list[Any]):
    rows = of(*bought).values()
    known = [one for one in bought if one["amount"] is not None]
    signed = sum(one["amount"] if one["kind"] == "sale" else -one["amount"] for one in known)
    assert sum(row["sum"] for row in rows) == signed
    assert sum(row["orders"] + row["returns"] for row in rows) == len(bought)
    for row in rows:
        told = json.loads(row["channels"])
        assert sum(Decimal(str(one["sum"])) for one in told.values()) == row["sum"]
