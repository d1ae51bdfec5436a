"""What two records weigh together, and why."""

from dataclasses import replace
from datetime import date

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mappings.identity.blocking import keys_of, pairs, statistics
from mappings.identity.learning import learn
from mappings.identity.normalise import CUSTOMERS, normalise
from mappings.identity.population import Population
from mappings.identity.rules import RuleVersion
from mappings.identity.scoring import EVIDENCE, edges, reasons

SECRET = bytes(32)
PHONE = ["+77000000001"]
RULES = RuleVersion()


def table(*rows):
    told = [{"connection": "till", "external_id": str(place), **row} for place, row in enumerate(rows)]
    return pa.Table.from_pylist([{name: row.get(name) for name in CUSTOMERS.names} for row in told], schema=CUSTOMERS)


def compared(one, other, population=None):
    """The edge between two records, or None where they weigh too little to be looked at."""
    known = population or Population(date(2026, 3, 1), 1000)
    features, identifiers = normalise(table(one, other), known, SECRET)
    keys = keys_of(identifiers, features)
    found = edges(pairs(keys, statistics(keys, features, RULES)), features, known, RULES).to_pylist()
    return found[0] if found else None


def test_a_weight_is_the_sum_of_its_reasons():
    edge = compared(
        {"name": "Айгүл Серікова", "phones": PHONE, "birth_date": "1980-05-06", "city": "Алматы"},
        {"name": "Aigul Serikova", "phones": PHONE, "birth_date": "06.05.1980", "city": "Almaty"},
    )
    assert reasons(edge) == [("phone", 6.0), ("birth", 5.0), ("first", 3.5), ("last", 3.0), ("city", 0.7)]
    assert edge["weight"] == pytest.approx(18.2)


def test_silence_speaks_neither_for_nor_against():
    edge = compared({"name": "Айгүл Серікова", "phones": PHONE}, {"phones": PHONE})
    assert reasons(edge) == [("phone", 6.0)]


def test_two_common_names_are_two_names_however_alike():
    crowd = [{"first_name": name, "last_name": "Ким"} for name in ("Алия", "Алина") for _ in range(20)]
    population = learn(table(*crowd), date(2026, 3, 1))
    sisters = {"name": "Алия Ким", "phones": PHONE}, {"name": "Алина Ким", "phones": PHONE}
    assert compared(*sisters, population) is None
    assert compared(sisters[0], {"name": "Аллия Ким", "phones": PHONE}, population)["first"] == 3.5
    assert compared(sisters[0], {"name": "Алиля Ким", "phones": PHONE}, population)["first"] == 2.5


def test_columns_mixed_up_are_the_same_name():
    edge = compared(
        {"first_name": "Самал", "last_name": "Женис", "phones": PHONE},
        {"first_name": "Женис", "last_name": "Самал", "phones": PHONE},
    )
    assert (edge["first"], edge["last"]) == (3.5, 3.0)


def test_a_home_name_is_like_each_of_the_names_it_may_mean():
    for full in ("Александр", "Александра"):
        edge = compared({"first_name": full, "phones": PHONE}, {"first_name": "Саша", "phones": PHONE})
        assert edge["first"] == 2.5


def test_a_rare_name_with_a_birth_date_is_enough_and_a_frequent_one_is_not():
    rare = {"first_name": "Томирис", "last_name": "Жуманова", "birth_date": "1980-05-06"}
    crowd = [{"first_name": "Айгуль", "last_name": "Ким"}] * 500 + [{"first_name": "Томирис", "last_name": "Жуманова"}]
    population = learn(table(*crowd), date(2026, 3, 1), persons=50_000)
    frequent = {"first_name": "Айгуль", "last_name": "Ким", "birth_date": "1980-05-06"}
    assert compared(rare, rare, population)["rare"] > RULES.link
    assert compared(frequent, frequent, population) is None


@settings(max_examples=8)
@given(persons=st.integers(1000, 10_000_000))
def test_a_growing_base_never_makes_a_name_weigh_more(persons):
    person = {"first_name": "Томирис", "last_name": "Жуманова", "birth_date": "1980-05-06"}
    crowd = learn(table(*[{"first_name": "Айгуль", "last_name": "Ким"}] * 50), date(2026, 3, 1))
    fewer, more = (compared(person, person, replace(crowd, persons=size)) for size in (persons, 2 * persons))
    assert (more["weight"] if more else 0) <= (fewer["weight"] if fewer else 0)


def test_every_evidence_is_a_column_and_nothing_else_counts():
    edge = compared({"name": "Олжас Ким", "phones": PHONE}, {"name": "Олжас Ким", "phones": PHONE})
    assert edge.keys() == {"a", "b", "weight", *EVIDENCE}
