"""One receipt or a million of them: the same rules."""

from itertools import groupby
from typing import Any

import pyarrow as pa
from hypothesis import given, settings
from hypothesis import strategies as st

from mappings.canonical import Order
from mappings.tables import Field, FieldMap, Mapped, Quarantined
from mappings.tables.frames import map_frame
from mappings.tables.notation import Moments, Numbers, identifier
from mappings.tables.receipt_frames import ReceiptFrames, receipt_frames
from mappings.tables.receipts import ReceiptLine, to_orders

KINDS = {"Продажа": False, "Возврат": True}
NUMBERS, MOMENTS = Numbers(), Moments(timezone="Asia/Almaty")
LINE = FieldMap(
    ReceiptLine,
    {
        "external_id": Field("receipt", identifier), "receipt": Field("receipt", identifier), "line": Field("line",
        identifier),
        "location": Field("location", identifier), "till": Field("till", identifier),
        "placed_at": Field("placed_at", MOMENTS), "day": Field("placed_at", lambda text: MOMENTS.local(text).day),
        "clock_change": Field("placed_at", lambda text: MOMENTS.local(text).clock_change),
        "returned": Field("kind", KINDS.__getitem__), "sku": Field("sku", identifier), "quantity": Field("quantity",
        NUMBERS.quantity),
        "unit_price": Field("unit_price", NUMBERS.amount), "discount": Field("discount", NUMBERS.amount),
        "total": Field("total", NUMBERS.amount), "receipt_total": Field("receipt_total", NUMBERS.amount),
        "payment": Field("payment"), "customer": Field("customer", identifier),
    },
)  # fmt: skip
COLUMNS = sorted(LINE.covered)
SALE = {"receipt": "1", "location": "A", "placed_at": "2026-03-02 10:00", "sku": "tea", "quantity": "1", "total": "10"}

often = {
    "receipt": ["1", "2", "3"], "location": ["A"], "till": [None], "placed_at": ["2026-03-02 10:00"], "sku": ["tea",
    "milk"],
    "quantity": ["1", "2", "0.333"], "total": ["10", "3.33"], "kind": [None], "line": [None], "discount": [None],
    "unit_price": [None], "receipt_total": [None], "payment": ["cash"], "customer": [None],
}  # fmt: skip
seldom = {
    "receipt": [None], "location": ["B", None], "till": ["2"], "placed_at": ["2026-03-02 23:50", "2026-03-03 00:10",
    "soon", None],
    "sku": [None], "quantity": ["-1", "0", "many", None], "total": ["-10", "0", "nothing", None, "0.005"],
    "kind": ["Продажа", "Возврат", "Обмен"], "line": ["1", "2"], "discount": ["1.11", "-2"], "unit_price": ["5"],
    "receipt_total": ["10", "20"], "payment": ["card", None], "customer": ["ann", "bob"],
}  # fmt: skip
cells = st.fixed_dictionaries({name: st.sampled_from([*often[name] * 12, *seldom[name]]) for name in COLUMNS})


def framed(rows: list[dict[str, Any]]) -> ReceiptFrames:
    table = pa.table({name: pa.array([row.get(name) for row in rows], pa.string()) for name in COLUMNS})
    return receipt_frames(map_frame(LINE, table).rows, pa.array(range(2, 2 + len(rows))))


def recorded(rows: list[dict[str, Any]]) -> tuple[list[Order], list[tuple[str | None, int, int, str]]]:
    """The same by records: orders, and (key, first line, lines, rule) of what is set aside."""
    orders: list[Order] = []
    aside: list[tuple[str | None, int, int, str]] = []
    numbered = sorted(enumerate(rows, 2), key=lambda pair: pair[1]["receipt"] or "")
    for receipt, lines in groupby(numbered, key=lambda pair: pair[1]["receipt"]):
        read = [(number, LINE(line)) for number, line in lines]
        bad = [(number, one) for number, one in read if isinstance(one, Quarantined)]
        if receipt is None:
            aside += [(None, number, 1, one.rule) for number, one in bad]
        elif bad:
            aside.append((receipt, bad[0][0], len(read), bad[0][1].rule))
        else:
            result = to_orders([record for _, one in read if isinstance(one, Mapped) for record in one.records], "KZT")  # type: ignore[misc]
            if isinstance(result, Mapped):
                orders += result.records  # type: ignore[arg-type]
            else:
                aside.append((receipt, read[0][0], len(read), result.rule))
    return sorted(orders, key=lambda order: order.external_id), sorted(aside, key=lambda one: one[1])


@settings(max_examples=60, deadline=None)
@given(st.lists(cells, min_size=1, max_size=12))
def test_frames_give_what_records_give(rows: list[dict[str, Any]]) -> None:
    frames, (orders, aside) = framed(rows), recorded(rows)
    assert [(a["key"], a["line"], a["lines"], a["rule"]) for a in frames.set_aside.to_pylist()] == aside
    for made, order in zip(frames.orders.to_pylist(), orders, strict=True):
        assert made["payment"] == order.payment.get("method")
        same = ("external_id", "number", "kind", "placed_at", "total", "location", "till", "customer", "returns")
        assert {name: made[name] for name in same} == {name: getattr(order, name) for name in same}
    lines = sorted(
        ((order.external_id, line) for order in orders for line in order.lines), key=lambda one: (one[0], one[1].line)
    )
    found = sorted(frames.lines.to_pylist(), key=lambda one: (one["external_id"], one["line"]))
    for made, (receipt, line) in zip(found, lines, strict=True):
        same = ("line", "sku", "quantity", "unit_price", "discount", "total")
        assert {name: made[name] for name in same} == {name: getattr(line, name) for name in same}
        assert made["external_id"] == receipt
