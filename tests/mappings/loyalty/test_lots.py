"""Points are spent oldest first and end when their time is over, once."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
from hypothesis import given
from hypothesis import strategies as st

from mappings.loyalty.lots import expired, lots

START = datetime(2026, 1, 1, tzinfo=UTC)
YEAR = timedelta(days=365)
ENTRIES = pa.schema({
    "holder": pa.string(), "entry": pa.string(), "at": pa.timestamp("us", "UTC"), "points": pa.decimal128(18, 3),
})  # fmt: skip


def ledger(*entries: tuple[int, int], holder: str = "p1") -> pa.Table:
    """Of (day, points)."""
    rows = [
        {"holder": holder, "entry": f"e{place}", "at": START + timedelta(days=day), "points": Decimal(points)}
        for place, (day, points) in enumerate(entries)
    ]
    return pa.Table.from_pylist(rows, schema=ENTRIES)


def left(entries: pa.Table) -> dict[str, int]:
    return {row["entry"]: int(row["remaining"]) for row in lots(entries).to_pylist()}


def ended(entries: pa.Table, day: int) -> dict[str, int]:
    found = expired(entries, life=YEAR, now=START + timedelta(days=day))
    return {row["entry"]: int(row["points"]) for row in found.to_pylist()}


def appended(entries: pa.Table, day: int) -> pa.Table:
    more = expired(entries, life=YEAR, now=START + timedelta(days=day))
    return pa.concat_tables([entries, more.cast(ENTRIES)])


def total(entries: pa.Table) -> Any:
    return sum(entries["points"].to_pylist(), Decimal(0))


def test_what_went_took_the_oldest_first():
    assert left(ledger((0, 100), (10, 50), (20, -120))) == {"e0": 0, "e1": 30}


def test_what_was_not_spent_in_its_time_ends():
    points = ledger((0, 100), (200, 50), (210, -30))
    assert ended(points, 364) == {}
    assert ended(points, 365) == {"e0/expiry": -70}


def test_what_is_left_of_an_entry_that_ended_ends_too():
    """Thirty were spent; when that was withdrawn, they were left once more."""
    points = appended(ledger((0, 100), (10, -30)), 365)
    withdrawn = points.filter(pc.not_equal(points["entry"], "e1"))
    assert ended(withdrawn, 366) == {"e0/expiry/2": -30}
    again = appended(withdrawn, 366)
    assert (ended(again, 367), total(again)) == ({}, 0)
    late = pa.concat_tables([again, ledger((0, 0), (0, 0), (0, 0), (-10, 50)).slice(3)])
    assert ended(late, 367) == {"e0/expiry/3": -50}, "the older one is what was ended first"


def test_nothing_ends_of_a_balance_below_zero():
    assert ended(ledger((0, 100), (10, -130)), 1000) == {}


def test_one_holders_spending_does_not_touch_anothers_points():
    both = pa.concat_tables([ledger((0, 100)), ledger((1, -60), holder="p2")])
    assert left(both) == {"e0": 100}


LEDGERS = st.lists(st.tuples(st.integers(0, 900), st.integers(-50, 50).filter(bool)), max_size=10)


@given(LEDGERS)
def test_what_remains_is_the_balance_or_nothing(entries: list[tuple[int, int]]):
    points = ledger(*entries)
    assert sum(left(points).values()) == max(total(points), 0)


@given(LEDGERS, st.integers(0, 2000))
def test_points_end_once_and_never_take_a_balance_below_zero(entries: list[tuple[int, int]], day: int):
    after = appended(ledger(*entries), day)
    assert ended(after, day) == {}
    assert total(after) >= min(total(ledger(*entries)), 0)


@given(LEDGERS, st.integers(0, 2000), st.integers(0, 2000))
def test_looking_in_between_does_not_change_what_ends(entries: list[tuple[int, int]], day: int, later: int):
    """Of a ledger that nobody adds to meanwhile."""
    first, last = sorted((day, later))
    assert total(appended(appended(ledger(*entries), first), last)) == total(appended(ledger(*entries), last))
