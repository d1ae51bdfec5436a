"""A mapping over a frame says of every row what it says of the record alone."""

from typing import Any

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mappings.canonical import Order, Price, StockLevel
from mappings.tables import Constant, Derived, Field, FieldMap, Mapped, Quarantined, Unusable
from mappings.tables.frames import Framed, map_frame, repeated, with_problems
from mappings.tables.notation import Moments, Numbers, identifier

NUMBERS = Numbers()


def sku_of(payload: Any, _: Any) -> str:
    if payload.get("sku") == "no such":
        raise Unusable("nobody sells this", "not_sold")
    return f"{payload.get('brand') or 'own'}-{payload.get('sku')}"


PRICE = FieldMap(
    Price,
    {
        "sku": Derived(sku_of, ("sku", "brand")), "price_type": Field("type"), "amount": Field("amount",
        NUMBERS.amount),
        "currency": Constant("KZT"), "valid_from": Field("from", Moments(timezone="Asia/Almaty")),
    },
)  # fmt: skip
COLUMNS = ("sku", "brand", "type", "amount", "from")
cell = {
    "sku": ["tea", "milk", "no such", None], "brand": [None, "A"], "type": ["retail", " ", None, "—"],
    "amount": ["5", "-5", "five", None, " 7 "], "from": ["2026-03-02", "soon", None, "0001-01-01"],
}  # fmt: skip
rows = st.lists(st.fixed_dictionaries({name: st.sampled_from(cell[name]) for name in COLUMNS}), max_size=12)


def table(given_rows: list[dict[str, Any]]) -> pa.Table:
    return pa.table({name: pa.array([row[name] for row in given_rows], pa.string()) for name in COLUMNS})


@settings(max_examples=200)
@given(rows)
def test_a_frame_says_what_records_say(given_rows: list[dict[str, Any]]):
    framed = map_frame(PRICE, table(given_rows)).rows.to_pylist()
    for row, found in zip(given_rows, framed, strict=True):
        match PRICE(row):
            case Quarantined(rule, reason):
                assert (found["rule"], found["reason"]) == (rule, reason)
            case Mapped((record,)):
                assert found == {**record.model_dump(), "rule": None, "reason": None}


@given(rows, st.integers(1, 5))
def test_chunks_and_dictionaries_make_no_difference(given_rows: list[dict[str, Any]], size: int):
    plain = table(given_rows)
    pieces = [plain.slice(start, size) for start in range(0, max(1, plain.num_rows), size)]
    encoded = pa.concat_tables(pieces).cast(
        pa.schema([(name, pa.dictionary(pa.int32(), pa.string())) for name in COLUMNS])
    )
    assert map_frame(PRICE, encoded).rows.to_pylist() == map_frame(PRICE, plain).rows.to_pylist()


def test_a_column_the_frame_lacks_is_nothing_in_every_row():
    only = pa.table({"amount": ["5"], "type": ["retail"]})
    assert map_frame(PRICE, only).rows["sku"].to_pylist() == ["own-None"]
    bare = map_frame(FieldMap(StockLevel, {"location": Field("place")}), pa.table({"amount": ["5"]}))
    assert bare.rows["reason"].to_pylist() == ["location: Field required"]


def test_each_different_cell_is_converted_once():
    asked: list[str] = []
    mapping = FieldMap(StockLevel, {"location": Field("place", lambda text: asked.append(text) or text)})
    map_frame(mapping, pa.table({"place": ["A", "B", "A", "A", "B"]}))
    assert sorted(asked) == ["A", "B"]


def test_what_a_converter_reads_as_nothing_is_counted_and_sets_nobody_aside():
    mapping = FieldMap(StockLevel, {
        "location": Constant("A"), "on_hand": Constant(1),
        "barcode": Field("code", lambda text: text if text.isdigit() else None),
    })  # fmt: skip
    framed = map_frame(mapping, pa.table({"code": ["12", "x", "x", None, ""]}))
    assert framed.unread == {"barcode": 2}
    assert framed.rows["rule"].null_count == 5


def test_a_mapping_with_rules_across_fields_is_for_single_records():
    with pytest.raises(TypeError, match="record by record"):
        map_frame(FieldMap(Order, {"external_id": Field("id", identifier)}), pa.table({"id": ["1"]}))
    with pytest.raises(TypeError, match="record by record"):
        map_frame(FieldMap(Price, {}, each=lambda payload, _: [payload]), pa.table({"id": ["1"]}))


def stock(*rows_: tuple[str, str]) -> tuple[Framed, pa.Table]:
    cells = pa.table({"sku": [sku for sku, _ in rows_], "on_hand": [count for _, count in rows_]})
    mapping = FieldMap(
        StockLevel, {"sku": Field("sku"), "location": Constant("A"), "on_hand": Field("on_hand", NUMBERS)}
    )
    return map_frame(mapping, cells), cells


def test_of_rows_alike_the_first_stands_and_of_rows_that_contradict_each_other_none():
    framed, cells = stock(("tea", "1"), ("tea", "1"), ("milk", "1"), ("milk", "2"), ("bread", "x"), ("bread", "3"))
    problems = repeated(framed, ("sku", "location"), cells)
    assert {row: problem.rule for row, problem in problems.items()} == {
        1: "repeated_line",
        2: "duplicate_key",
        3: "duplicate_key",
    }
    assert with_problems(framed, problems).rows["rule"].to_pylist() == [
        None, "repeated_line", "duplicate_key", "duplicate_key", "not_a_number", None,
    ]  # fmt: skip
