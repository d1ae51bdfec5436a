"""Counts and what happened since, without a store."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pyarrow as pa

from mappings.stock.position import changed, positions

COUNTED = datetime(2026, 3, 2, 5, tzinfo=UTC)
MOMENT = pa.timestamp("us", "UTC")
QUANTITY = pa.decimal128(18, 3)
COUNTS = pa.schema({"sku": pa.string(), "location": pa.string(), "on_hand": QUANTITY, "reserved_by_source": QUANTITY,
                    "as_of": MOMENT, "connection": pa.string()})  # fmt: skip
MOVES = pa.schema({"sku": pa.string(), "location": pa.string(), "quantity": QUANTITY, "at": MOMENT,
                   "known_to": pa.list_(pa.string())})  # fmt: skip
PROMISES = pa.schema([field for field in MOVES if field.name != "at"])


def position(*, on_hand: int = 10, theirs: int | None = None, moves: Any = (), promises: Any = ()) -> tuple[int, int]:
    place = {"sku": "SKU-1", "location": "Almaty-1"}
    count = {**place, "on_hand": Decimal(on_hand), "as_of": COUNTED, "connection": "erp",
             "reserved_by_source": None if theirs is None else Decimal(theirs)}  # fmt: skip
    moved = [
        {**place, "quantity": Decimal(q), "at": COUNTED + timedelta(minutes=m), "known_to": k} for q, m, k in moves
    ]
    promised = [{**place, "quantity": Decimal(quantity), "known_to": known} for quantity, known in promises]
    (row,) = positions(
        pa.Table.from_pylist([count], COUNTS),
        pa.Table.from_pylist(moved, MOVES),
        pa.Table.from_pylist(promised, PROMISES),
    ).to_pylist()
    return int(row["on_hand"]), int(row["reserved"])


def test_only_later_moves_that_the_counter_does_not_know_change_the_count() -> None:
    assert position(moves=[(-2, 5, ["tills"]), (-3, -5, ["tills"]), (-4, 5, ["tills", "erp"]), (1, 6, ["tills"])]) == (
        9,
        0,
    )


def test_more_sold_than_counted_is_nothing_left_not_less_than_nothing() -> None:
    assert position(on_hand=1, moves=[(-2, 5, ["tills"])]) == (0, 0)


def test_the_counters_own_reserves_count_beside_ours_but_not_those_for_our_copies() -> None:
    assert position(theirs=3) == (10, 3)
    assert position(promises=[(2, ["market"])]) == (10, 2)
    assert position(theirs=3, promises=[(2, ["market"])]) == (10, 5)
    assert position(theirs=3, promises=[(2, ["market", "erp"])]) == (10, 3)
    assert position(theirs=1, promises=[(2, ["market", "erp"])]) == (10, 2)


def test_a_position_that_stayed_as_it_was_is_not_written() -> None:
    row = {"sku": "SKU-1", "location": "Almaty-1", "on_hand": Decimal(5), "reserved": Decimal(0), "as_of": COUNTED,
           "connection": "erp"}  # fmt: skip
    same, other = pa.Table.from_pylist([row]), pa.Table.from_pylist([{**row, "on_hand": Decimal(4)}])
    assert changed(same, same).num_rows == 0
    assert changed(other, same).num_rows == changed(other, same.slice(0, 0)).num_rows == 1
