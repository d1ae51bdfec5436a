"""A merchant's own fields, as data."""

from decimal import Decimal
from typing import Any

import pytest

from mappings.canonical import Customer, Product
from mappings.tables import Constant, Derived, Field, FieldMap, Mapped
from mappings.tables.overrides import overridden

to_product = FieldMap(
    Product,
    {
        "external_id": Field("id"),
        "sku": Field("id"),
        "name": Field("name"),
        "brand": Field("brand"),
        "attributes": Derived(lambda payload, settings: {"origin": "connector"}, ("origin",)),
    },
)
to_customer = FieldMap(Customer, {"external_id": Constant("1")})


def record(mapping: FieldMap, payload: dict[str, Any]) -> Any:
    result = mapping({"id": "1", "name": "Mug", **payload})
    assert isinstance(result, Mapped), result
    return result.records[0]


def test_a_field_is_taken_from_another_path():
    assert (
        record(overridden(to_product, {"brand": "maker.name"}), {"brand": "x", "maker": {"name": " Zeta "}}).brand
        == "Zeta"
    )


def test_an_element_of_a_list_is_chosen_by_one_of_its_fields():
    own = overridden(
        to_product, {"brand": "fields[name=Бренд].value", "weight_g": "fields[code=17].values[lang=kk].text"}
    )
    fields = [{"name": "Other", "value": "x"}, {"name": "Бренд", "value": "Zeta"}]
    heavy = {"code": 17, "values": [{"lang": "ru", "text": "1"}, {"lang": "kk", "text": "12.5"}]}
    product = record(own, {"fields": [*fields, heavy]})
    assert (product.brand, product.weight_g) == ("Zeta", Decimal("12.5"))
    assert record(own, {"fields": None}).brand is None
    assert record(own, {}).brand is None


def test_facts_are_added_to_those_the_connector_finds():
    own = overridden(to_product, {"attributes.colour": "c", "attributes.size": "s"})
    assert record(own, {"c": "red"}).attributes == {"origin": "connector", "colour": "red"}
    assert {"origin", "c", "s"} <= own.covered


def test_values_are_converted_as_their_field_demands():
    own = overridden(
        to_customer, {"phones": "tel", "emails": "mail", "tags": "groups", "birth_date": "born", "city": "town"}
    )
    customer = record(
        own,
        {
            "tel": ["8 700 000 00 01", "?"],
            "mail": "A@example.com, nonsense",
            "groups": "vip, new",
            "born": "1990-05-06T00:00",
        },
    )
    assert customer.phones == ("+77000000001",)
    assert customer.emails == ("a@example.com",)
    assert customer.tags == ("vip", "new")
    assert customer.birth_date.isoformat() == "1990-05-06"


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"colour": "c"}, "no field 'colour'"),
        ({"attributes": "c"}, "attributes.colour"),
        ({"brand.name": "c"}, "single value"),
        ({"brand": ""}, "not a path"),
        ({"brand": "a..b"}, "not a path"),
        ({"brand": "a[b].c"}, "not a path"),
        ({"attributes.colour": "a."}, "not a path"),
    ],
)
def test_what_does_not_fit_is_named(fields, words):
    with pytest.raises(ValueError, match=words):
        overridden(to_product, fields)
