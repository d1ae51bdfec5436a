"""Channel prices, to the tiyn, and what stops a wrong one."""

from datetime import UTC, datetime, timedelta
from decimal import ROUND_HALF_UP, Decimal
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mappings.pricing.guard import price_guard
from mappings.pricing.rules import NO_CEILING, channel_price, in_force

NOW = datetime(2026, 3, 2, 5, tzinfo=UTC)
NAN = np.nan


def price(base: int, markup: str = "0", to: str = "1", floor: int = 0, ceiling: int = NO_CEILING) -> int:
    one = [np.array([amount], dtype=np.int64) for amount in (base, floor, ceiling)]
    return int(channel_price(one[0], Decimal(markup), Decimal(to), one[1], one[2])[0])


@pytest.mark.parametrize(
    ("base", "markup", "to", "expected"),
    [
        (100000, "0.05", "10", 105000),
        (123400, "0.05", "10", 130000),
        (100050, "0", "1", 100100),
        (100049, "0", "1", 100000),
        (99, "0", "0.01", 99),
        (100000, "-0.10", "1", 90000),
        (10**15, "0.123456789", "0.01", 1123456789000000),
    ],
)
def test_markup_then_rounding_halves_up(base: int, markup: str, to: str, expected: int) -> None:
    assert price(base, markup, to) == expected


def test_rounding_alone_never_crosses_the_floor_or_the_ceiling() -> None:
    assert price(123400, to="10", floor=123200) == 124000
    assert price(123600, to="10", ceiling=123800) == 123000


def test_a_price_outside_its_bounds_is_left_for_a_person() -> None:
    assert price(80000, floor=90000) == 80000
    assert price(99000, ceiling=90000) == 99000


def test_a_step_finer_than_a_hundredth_says_what_to_write() -> None:
    with pytest.raises(ValueError, match=r"multiple of 0\.01"):
        price(100, to="0.001")


@given(
    st.integers(0, 10**12),
    st.decimals(Decimal("-0.9"), Decimal(5), places=4),
    st.sampled_from([Decimal("0.01"), Decimal("0.5"), Decimal(1), Decimal(10), Decimal(100)]),
)
def test_integers_give_what_decimals_give(base: int, markup: Decimal, to: Decimal) -> None:
    exact = Decimal(base) / 100 * (1 + markup)
    expected = (exact / to).quantize(Decimal(1), ROUND_HALF_UP) * to
    assert Decimal(price(base, str(markup), str(to))) / 100 == expected


MOMENT = pa.timestamp("us", "UTC")
PRICES = pa.schema(
    {
        "sku": pa.string(),
        "price_type": pa.string(),
        "cents": pa.int64(),
        "currency": pa.string(),
        "valid_from": MOMENT,
        "valid_to": MOMENT,
        "rank": pa.int64(),
    }
)


def ruling(*prices: tuple[int, int | None, int | None, int]) -> int | None:
    """Of (cents, opens in days, ends in days, rank): the price that holds now."""

    def moment(days: int | None) -> datetime | None:
        return None if days is None else NOW + timedelta(days=days)

    rows: list[dict[str, Any]] = [
        {"sku": "SKU-1", "price_type": "retail", "cents": cents, "currency": "KZT", "valid_from": moment(opens),
         "valid_to": moment(ends), "rank": rank}
        for cents, opens, ends, rank in prices
    ]  # fmt: skip
    found = in_force(pa.Table.from_pylist(rows, PRICES), NOW).to_pylist()
    return found[0]["cents"] if found else None


def test_a_promotion_covers_the_lasting_price_while_its_window_is_open() -> None:
    assert ruling((100, None, None, 0), (70, -1, 1, 0)) == 70
    assert ruling((100, None, None, 0), (70, 1, 2, 0)) == 100
    assert ruling((100, None, None, 0), (70, -2, 0, 0)) == 100


def test_a_promotion_of_a_weaker_source_changes_nothing() -> None:
    assert ruling((100, None, None, 0), (70, -1, 1, 1)) == 100


def test_a_price_whose_time_is_over_is_no_price() -> None:
    assert ruling((70, -2, -1, 0)) is None


@pytest.mark.parametrize(
    ("was", "becomes", "floor", "ceiling", "guard"),
    [
        (1000, 1050, NAN, NAN, None),
        (1000, 10_000, NAN, NAN, "step"),
        (1000, 9_999, NAN, NAN, None),
        (1000, 100, NAN, NAN, "step"),
        (1000, 101, NAN, NAN, None),
        (1000, 0, NAN, NAN, "zero"),
        (NAN, 0, NAN, NAN, "zero"),
        (NAN, 100_000, NAN, NAN, None),
        (1000, 900, 950, NAN, "floor"),
        (1000, 1100, 950, 1050, "ceiling"),
    ],
)
def test_each_guard_holds_its_own_mistake(
    was: float, becomes: float, floor: float, ceiling: float, guard: str | None
) -> None:
    one = [np.array([value], dtype=float) for value in (was, becomes, floor, ceiling)]
    assert price_guard(*one, 10).tolist() == [guard]
    assert price_guard(*one, None).tolist() == [None if guard == "step" else guard]


@pytest.mark.parametrize(
    ("was", "becomes", "rounded", "guard"),
    [
        (19_430, 194_250, 10, "step"),
        (19_430, 194_250, 0, None),
        (194_250, 19_430, 10, "step"),
        (19_430, 190_000, 10, None),
    ],
)
def test_one_digit_too_many_is_held_though_both_prices_were_rounded(was, becomes, rounded, guard) -> None:
    """18,500 and 185,000 with a markup of 5 %."""
    one = [np.array([value], dtype=float) for value in (was, becomes, NAN, NAN)]
    assert price_guard(*one, 10, rounded).tolist() == [guard]
