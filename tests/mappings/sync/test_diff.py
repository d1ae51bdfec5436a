"""Desired × acknowledged: each meeting of the two has one outcome."""

from typing import Any

import pyarrow as pa
import pytest

from mappings.sync.diff import Faced, moved

TEXT = pa.string()
DESIRED = pa.schema([(name, TEXT) for name in ("subject", "value", "excluded", "hold", "withdrawal")])
ITEMS = pa.schema([(name, TEXT) for name in ("subject", "acknowledged")])
RESTLESS = pa.schema([(name, TEXT) for name in ("subject", "state", "reason", "desired", "outbox")])
VALUES = pa.schema([(name, TEXT) for name in ("subject", "value")])


def meets(wish: dict[str, str], item: dict[str, str] | None, *, seen: str | None = None) -> tuple[Any, ...] | None:
    """Action, was, becomes, desired of one subject; None where all is well. `item`: acknowledged, state, reason …"""
    known = [] if item is None else [{"subject": "SKU-1", **item}]
    restless = [row for row in known if row.get("state", "in_sync") != "in_sync"]
    found = moved(
        Faced(
            pa.Table.from_pylist([{"subject": "SKU-1", **wish}], DESIRED),
            pa.Table.from_pylist(known, ITEMS),
            pa.Table.from_pylist(restless, RESTLESS),
            pa.Table.from_pylist([{"subject": "SKU-1", "value": seen}] if seen else [], VALUES),
        )
    ).to_pylist()
    return tuple(found[0][name] for name in ("action", "was", "becomes", "desired")) if found else None


FIVE = {"value": "5", "withdrawal": "0"}
ARCHIVED = {"value": "5", "withdrawal": "0", "excluded": "status: archived"}
BLANK = {"hold": "blank: not counted", "withdrawal": "0"}
WAITS = {"acknowledged": "3", "state": "pending", "desired": "5", "outbox": "ready"}


@pytest.mark.parametrize(
    ("wish", "item", "outcome"),
    [
        (FIVE, None, ("send", None, "5", "5")),
        (FIVE, {"acknowledged": "5"}, None),
        (FIVE, {"acknowledged": "5.000"}, ("settle", "5.000", "5", "5")),
        (FIVE, {"acknowledged": "3"}, ("send", "3", "5", "5")),
        (FIVE, WAITS, None),
        (FIVE, {**WAITS, "outbox": "sending"}, None),
        (FIVE, {**WAITS, "outbox": None}, ("send", "3", "5", "5")),
        (FIVE, {**WAITS, "desired": "4"}, ("send", "3", "5", "5")),
        (FIVE, {**WAITS, "desired": "4", "outbox": "sending"}, ("wait", "3", "5", "5")),
        (FIVE, {**WAITS, "acknowledged": "5", "desired": "4"}, ("settle", "5", "5", "5")),
        (FIVE, {**WAITS, "acknowledged": "5", "desired": "4", "outbox": "unknown"}, ("wait", "5", "5", "5")),
        (FIVE, {**WAITS, "acknowledged": "5", "desired": "4", "outbox": "undo"}, None),
        (FIVE, {**WAITS, "acknowledged": "6", "desired": "4", "outbox": "undo"}, ("send", "6", "5", "5")),
        (FIVE, {**WAITS, "acknowledged": "6", "outbox": "undo"}, None),
        (FIVE, {**WAITS, "state": "held", "reason": "first sync", "outbox": "held"}, None),
        (FIVE, {**WAITS, "state": "held", "reason": "stale", "outbox": "held"}, ("send", "3", "5", "5")),
        (FIVE, {**WAITS, "state": "rejected", "outbox": None}, None),
        (FIVE, {**WAITS, "state": "rejected", "desired": "4", "outbox": None}, ("send", "3", "5", "5")),
        (FIVE, {"acknowledged": "0", "state": "excluded", "reason": "status: archived"}, ("send", "0", "5", "5")),
        (ARCHIVED, None, ("exclude", None, None, None)),
        (ARCHIVED, {"acknowledged": "5"}, ("withdraw", "5", "0", None)),
        (ARCHIVED, {"acknowledged": "5", "state": "pending", "desired": None, "outbox": "ready"}, None),
        (ARCHIVED, {"acknowledged": "0", "state": "excluded", "reason": "status: archived"}, None),
        (ARCHIVED, {"acknowledged": "0", "state": "excluded", "reason": "has: no price"}, ("exclude", "0", None, None)),
        ({**FIVE, "excluded": "not listed"}, {"acknowledged": "5"}, ("exclude", None, None, None)),
        (BLANK, None, ("hold", None, None, None)),
        (BLANK, {"acknowledged": "5"}, ("hold", "5", None, None)),
        (BLANK, {"acknowledged": "5", "state": "held", "reason": "blank: not counted"}, None),
    ],
)  # fmt: skip
def test_what_is_wished_meets_what_is_known(
    wish: dict[str, str], item: dict[str, str] | None, outcome: tuple[Any, ...] | None
) -> None:
    assert meets(wish, item) == outcome


def test_a_channel_that_can_be_read_begins_with_what_it_shows() -> None:
    assert meets(FIVE, None, seen="5") == ("settle", "5", "5", "5")
    assert meets(FIVE, None, seen="7") == ("send", "7", "5", "5")
