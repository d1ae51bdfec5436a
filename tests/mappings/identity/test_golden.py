"""The best that is known of a person, and the households around persons."""

from datetime import UTC, datetime

import pyarrow as pa

from mappings.identity.households import SHARED, households, shared_values
from mappings.identity.rules import RuleVersion
from mappings.identity.survivorship import PINS, VALUES, Authority, golden

CRM_FIRST = {
    "name": Authority(("crm",), fullest=True),
    "phone": Authority(("crm", "shop"), many=True),
    "city": Authority(),
}


def said(field, value, connection="shop", day=1, **more):
    row = {"person_id": "P1", "field": field, "value": value, "record": day, "connection": connection}
    return {**dict.fromkeys(VALUES.names), **row, "at": datetime(2026, 3, day, tzinfo=UTC), **more}


def primary(rows, pins=()):
    found = golden(pa.Table.from_pylist(rows, schema=VALUES), CRM_FIRST, pa.Table.from_pylist(list(pins), schema=PINS))
    return {row["field"]: row for row in found.to_pylist() if row["place"] == 1}


def test_the_source_named_first_wins_over_a_fresher_one():
    best = primary([said("name", "Айгүл Серікова", "crm"), said("name", "Айгуль С.", "market", day=9)])["name"]
    assert (best["value"], best["connection"], best["rule"]) == ("Айгүл Серікова", "crm", "order of sources")


def test_of_equal_sources_the_verified_then_the_latest_value_wins():
    assert primary([said("city", "Алматы", day=1), said("city", "Астана", day=2)])["city"]["value"] == "Астана"
    assert primary([said("city", "Алматы", verified=True), said("city", "Астана", day=2)])["city"]["value"] == "Алматы"


def test_a_shared_phone_is_primary_only_where_there_is_no_other():
    shared = said("phone", "+77000000001", "crm", status="shared")
    assert primary([shared])["phone"]["value"] == "+77000000001"
    assert primary([shared, said("phone", "+77000000002", "till")])["phone"]["value"] == "+77000000002"


def test_a_phone_of_nobody_never_wins():
    assert primary([said("phone", "+77000000001", "crm", status="common")]) == {}


def test_all_phones_are_kept_behind_the_primary():
    rows = [said("phone", f"+7700000000{digit}", status="ok", day=digit) for digit in (1, 2, 3)]
    found = golden(pa.Table.from_pylist(rows, schema=VALUES), CRM_FIRST).to_pylist()
    assert [(row["place"], row["value"][-1]) for row in found] == [(1, "3"), (2, "2"), (3, "1")]


def test_a_pin_wins_until_its_source_says_something_new():
    pin = {"person_id": "P1", "field": "city", "value": "Семей", "instead_of": "Алматы"}
    assert primary([said("city", "Алматы")], [pin])["city"]["value"] == "Семей"
    assert primary([said("city", "Алматы"), said("city", "Тараз", day=5)], [pin])["city"]["value"] == "Тараз"


def test_a_pinned_phone_pushes_the_others_back_by_one():
    rows = [said("phone", "+77000000001", status="ok")]
    pin = {"person_id": "P1", "field": "phone", "value": "+77000000009", "instead_of": "+77000000001"}
    found = golden(
        pa.Table.from_pylist(rows, schema=VALUES), CRM_FIRST, pa.Table.from_pylist([pin], schema=PINS)
    ).to_pylist()
    assert [(row["place"], row["value"][-1], row["rule"]) for row in found] == [
        (1, "9", "pinned"),
        (2, "1", "only value"),
    ]


def test_a_family_on_one_phone_is_one_household(base):
    base.receives(
        {"connection": "crm", "external_id": "1", "name": "Айгүл Серікова", "phones": ["+77000000001"]},
        {"connection": "crm", "external_id": "2", "name": "Данияр Сериков", "phones": ["+77000000001"]},
        {"connection": "crm", "external_id": "3", "name": "Виктор Цой", "phones": ["+77000000002"]},
    )
    found = households(shared_values(base.membership, base.identifiers, base.stats), RuleVersion()).to_pylist()
    assert {row["person_id"] for row in found} == {base.person("crm", "1"), base.person("crm", "2")}
    assert len({row["household"] for row in found}) == 1


def test_an_office_is_no_household():
    office = [{"person_id": f"P{place}", "kind": "address", "value": 1} for place in range(9)]
    couple = [{"person_id": f"P{place}", "kind": "phone", "value": 2} for place in range(2)]
    found = households(pa.Table.from_pylist(office + couple, schema=SHARED), RuleVersion()).to_pylist()
    assert [row["person_id"] for row in found] == ["P0", "P1"]
