"""A mapping gives records or a reason, never half of one and never an exception."""

from dataclasses import replace
from decimal import Decimal
from types import MappingProxyType
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mappings.canonical import Order, Price, Product
from mappings.tables import (
    Constant,
    Derived,
    Field,
    FieldMap,
    Mapped,
    Quarantined,
    Unusable,
    at,
    convert,
    numbered,
    unmapped,
)  # fmt: skip
from mappings.tables.fields import EMPTY

to_product = FieldMap(
    Product,
    {
        "external_id": Field("id", str),
        "sku": Field("code"),
        "name": Field("name", convert.text),
        "brand": Field("maker.name"),
        "weight_g": Field("weight", Decimal),
        "status": Constant("active"),
    },
    ignored=frozenset({"meta"}),
)
A_MUG = {"id": 1, "code": "M-1", "name": "Mug"}


def mapped(payload: dict[str, Any], mapping: FieldMap = to_product) -> Any:
    result = mapping(payload)
    assert isinstance(result, Mapped), result
    return result.records[0] if len(result.records) == 1 else result.records


def refused(payload: dict[str, Any], mapping: FieldMap = to_product) -> Quarantined:
    result = mapping(payload)
    assert isinstance(result, Quarantined), result
    return result


@pytest.mark.parametrize("names", [("meta",), ["meta"], {"meta"}, "meta"], ids=["tuple", "list", "set", "one"])
def test_what_is_left_alone_is_named_in_whatever_way_a_person_writes_names(names):
    mapping = FieldMap(Product, {"name": Field("title")}, ignored=names)
    assert mapping.covered == {"meta", "title"}
    assert hash(replace(mapping, fields=())), "and the declaration stays frozen"


def test_fields_are_read_by_path_and_converted():
    product = mapped({**A_MUG, "maker": {"name": "Zeta"}, "weight": "350.5"})
    assert (product.external_id, product.brand, product.weight_g) == ("1", "Zeta", Decimal("350.5"))


@pytest.mark.parametrize("nothing", [None, *sorted(EMPTY), "  ", " — "])
def test_missing_is_not_empty_and_not_zero(nothing):
    product = mapped({**A_MUG, "maker": {"name": nothing}, "weight": nothing})
    assert (product.brand, product.weight_g) == (None, None)
    assert not product.model_fields_set & {"brand", "weight_g"}, "what was not said is not stated"


def test_zero_is_a_value():
    assert mapped({**A_MUG, "weight": 0}).weight_g == 0


@pytest.mark.parametrize("step", [None, "text", 5, ["list"]])
def test_a_path_through_what_is_no_object_finds_nothing(step):
    assert mapped({**A_MUG, "maker": step}).brand is None


def test_any_mapping_is_a_payload():
    assert at(MappingProxyType({"a": MappingProxyType({"b": 1})}), "a.b") == 1


def test_a_missing_obligatory_field_is_named():
    result = refused({"id": 1, "code": "M-1"})
    assert (result.rule, result.reason.split(":")[0]) == ("missing_field", "name")


def test_a_value_that_cannot_be_read_names_its_field():
    result = refused({**A_MUG, "weight": "heavy"})
    assert result == Quarantined("unreadable_value", "weight_g: is not a number")


def test_a_value_the_model_forbids_names_its_field_and_not_the_value():
    result = refused({**A_MUG, "weight": "-3"})
    assert result.rule == "invalid_field"
    assert "weight" in result.reason
    assert "-3" not in result.reason


def test_an_unknown_word_is_not_guessed():
    mapping = to_product.extended({"status": Field("state", {"on": "active"}.__getitem__)})
    assert refused({**A_MUG, "state": "mystery"}, mapping) == Quarantined(
        "unknown_value", "status: 'mystery' is not known"
    )


def test_a_converter_may_name_its_rule():
    def never(payload, settings):
        raise Unusable("a pack has no price of its own", "pack")

    assert refused(A_MUG, to_product.extended({"name": Derived(never)})) == Quarantined(
        "pack", "name: a pack has no price of its own"
    )


to_order = FieldMap(
    Order,
    {
        **dict.fromkeys(("external_id", "number", "channel"), Constant("x")),
        "placed_at": Constant("2026-03-02T10:00:00Z"),
        "status": Constant("placed"),
        "currency": Constant("KZT"),
        "total": Field("total"),
        "lines": numbered("rows", sku="good.code", quantity="qty", unit_price="price", total="sum"),
    },
)
TWO_MUGS = {"good": {"code": "M-1"}, "qty": 2, "price": "5.25", "sum": "10.50"}


def test_an_order_that_does_not_add_up_says_by_how_much():
    result = refused({"total": "0.01", "rows": []}, to_order)
    assert result.rule == "does_not_add_up"
    assert "-0.01" in result.reason
    assert mapped({"total": "0", "rows": []}, to_order).total == 0


def test_rows_of_a_list_are_numbered_as_they_stand():
    a_gift = {"good": {"code": "CUP"}, "qty": "1.000", "price": "", "sum": 0}
    first, second = mapped({"total": "10.50", "rows": [TWO_MUGS, a_gift]}, to_order).lines
    assert (first.line, first.sku, first.quantity, first.unit_price) == ("1", "M-1", 2, Decimal("5.25"))
    assert (second.line, second.sku, second.unit_price, second.total) == ("2", "CUP", None, 0)


@pytest.mark.parametrize(
    ("rows", "rule", "where"),
    [([TWO_MUGS, {**TWO_MUGS, "sum": None}], "missing_field", "lines.1.total"),
     ([{**TWO_MUGS, "qty": "two"}], "invalid_field", "lines.0.quantity"),
     (["Mug"], "missing_field", "lines.0"), ({"1": TWO_MUGS}, "missing_field", "lines.0"),
     (7, "unreadable_value", "lines")],
)  # fmt: skip
def test_a_row_that_cannot_be_read_sets_its_record_aside_and_is_named(rows: Any, rule: str, where: str):
    result = refused({"total": "10.50", "rows": rows}, to_order)
    assert (result.rule, result.reason.startswith(where)) == (rule, True), result
    assert "two" not in result.reason


def test_a_payload_splits_into_several_records_or_into_none():
    mapping = FieldMap(
        Price,
        {"sku": Field("sku"), "price_type": Field("type"), "amount": Field("amount"), "currency": Constant("KZT")},
        each=lambda payload, settings: [{"sku": payload["sku"], **price} for price in payload["prices"]],
    )
    prices = mapped(
        {"sku": "A", "prices": [{"type": "retail", "amount": 10}, {"type": "minimum", "amount": 8}]}, mapping
    )
    assert [(price.price_type, price.amount) for price in prices] == [("retail", 10), ("minimum", 8)]
    assert mapping({"sku": "A", "prices": []}) == Mapped(())
    assert refused({"sku": "A"}, mapping).reason == "record: 'prices' is not known"


def test_one_bad_part_sets_the_whole_payload_aside():
    mapping = FieldMap(
        Price,
        {"sku": Constant("A"), "price_type": Field("type"), "amount": Field("amount"), "currency": Constant("KZT")},
        each=lambda payload, settings: payload["prices"],
    )
    bad = {"prices": [{"type": "retail", "amount": 10}, {"type": "minimum", "amount": -8}]}
    assert refused(bad, mapping).rule == "invalid_field"


def test_a_payload_may_have_nothing_to_say_of_the_entity():
    mapping = FieldMap(Product, to_product.fields, when=lambda payload, settings: payload["id"] != 1)
    assert mapping(A_MUG) == Mapped(())
    assert refused({}, mapping).rule == "unknown_value"


def test_a_record_with_a_doubtful_hour_is_flagged_and_the_others_are_not():
    price = FieldMap(
        Price,
        {"sku": Constant("A"), "price_type": Constant("retail"), "amount": Constant(Decimal(1)),
         "currency": Constant("KZT"), "valid_from": Field("from", convert.local("Asia/Almaty"))},
    )  # fmt: skip
    twice, once = (price({"from": f"2024-02-29T{hour}:30:00"}) for hour in (23, 22))
    assert isinstance(twice, Mapped)
    assert isinstance(once, Mapped)
    assert (twice.flags, once.flags) == (("clock_change",), ())
    assert mapped({"from": "2024-02-29T23:30:00"}, price).valid_from.isoformat() == "2024-02-29T17:30:00+00:00"


def test_settings_reach_what_hangs_on_them():
    mapping = to_product.extended({"brand": Derived(lambda payload, settings: settings["house_brand"])})
    result = mapping(A_MUG, {"house_brand": "Own"})
    assert isinstance(result, Mapped)
    assert result.records[0].brand == "Own"  # type: ignore[attr-defined]


def test_what_nobody_looked_at_is_listed():
    payload = {**A_MUG, "meta": {"href": "x"}, "maker": {"name": "Z", "city": "A"}, "tags": [{"a": 1}, {"b": 2}]}
    assert unmapped(payload, to_product.covered) == {"maker.city", "tags.a", "tags.b"}


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=8,
)


@given(st.fixed_dictionaries({}, optional=dict.fromkeys(("id", "code", "name", "maker", "weight"), JSON)))
def test_no_payload_whatever_raises(payload):
    result = to_product(payload)
    if isinstance(result, Mapped):
        assert Product.model_validate(result.records[0].model_dump()) == result.records[0]
    else:
        assert result.rule
        assert result.reason
