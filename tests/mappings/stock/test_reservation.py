"""Which lines hold units, and what becomes of what they hold."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest

from mappings.stock.reservation import Line, Reservation, settled

NOW = datetime(2026, 3, 2, 5, tzinfo=UTC)
LINE = Line("market", "A", "1", "placed", NOW - timedelta(hours=1), NOW, "SKU-1", Decimal(2))
HELD = Reservation("market", "A", "1", "SKU-1", "Almaty-1", Decimal(2), "active", LINE.placed_at, LINE.placed_at)


def becomes(line: Line, held: Reservation | None) -> tuple[Any, ...] | None:
    """State and quantity after settling, None where nothing changes."""
    changed = settled([(line, held)], NOW)
    return (changed[0].state, changed[0].quantity) if changed else None


@pytest.mark.parametrize(
    ("status", "held", "expected"),
    [
        ("placed", None, ("short", 2)),
        ("placed", "active", None),
        ("ready", "active", None),
        ("placed", "short", None),
        ("placed", "released", ("short", 2)),
        ("shipped", "active", ("consumed", 2)),
        ("completed", "short", ("consumed", 2)),
        ("completed", "consumed", None),
        ("completed", None, None),
        ("cancelled", "active", ("released", 2)),
        ("cancelled", "short", ("released", 2)),
        ("cancelled", "consumed", None),
        ("cancelled", "released", None),
        ("returning", "consumed", None),
        ("returned", "consumed", ("released", 2)),
        ("deleted", "consumed", ("released", 2)),
        ("copy", "active", ("released", 2)),
    ],
)
def test_an_orders_status_decides_about_its_units(status: str, held: Any, expected: tuple[Any, ...] | None) -> None:
    assert becomes(replace(LINE, status=status), replace(HELD, state=held) if held else None) == expected


def test_fewer_units_are_given_back_and_more_are_waited_for() -> None:
    assert becomes(replace(LINE, quantity=Decimal(1)), HELD) == ("active", 1)
    assert becomes(replace(LINE, quantity=Decimal(3)), HELD) == ("short", 3)


def test_a_line_of_another_variant_gives_back_the_first() -> None:
    (changed,) = settled([(replace(LINE, sku="SKU-2"), HELD)], NOW)
    assert (changed.sku, changed.state, changed.location) == ("SKU-2", "short", None)


def test_a_line_that_is_gone_gives_back_its_units() -> None:
    assert becomes(replace(LINE, sku=None, quantity=Decimal(0)), HELD) == ("released", 2)


def test_goods_left_when_the_vendor_says_so_and_from_where_the_order_says() -> None:
    left = NOW - timedelta(minutes=20)
    line = replace(LINE, status="shipped", moved_at=left, places=("Astana-1",))
    (changed,) = settled([(line, replace(HELD, state="short", location=None))], NOW)
    assert (changed.location, changed.changed_at) == ("Astana-1", left)


def test_paid_orders_are_served_before_those_that_only_were_placed_earlier() -> None:
    early = replace(LINE, external_id="early", placed_at=NOW - timedelta(days=1))
    paid = replace(LINE, external_id="paid", paid_at=NOW)
    paid_first = replace(LINE, external_id="paid first", paid_at=NOW - timedelta(minutes=1))
    served = sorted([early, paid, paid_first], key=lambda line: line.turn)
    assert [line.external_id for line in served] == ["paid first", "paid", "early"]
