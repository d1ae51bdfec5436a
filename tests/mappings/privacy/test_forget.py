"""However it is written, it is found; what belongs to somebody else is left."""

import pytest
from hypothesis import given
from hypothesis import strategies as some

from mappings.privacy.forget import Traces, full_names

ALIYA = Traces(
    frozenset({"+77000000001"}), frozenset({"aliya.t@shop.example"}), frozenset({"Алия Тестовая", "Абая 1, кв. 2"})
)


@pytest.mark.parametrize(
    "written",
    [
        "+77000000001", "8 (700) 000-00-01", "7 700 000 00 01", "7000000001", '"phone": 77000000001',
        "ALIYA.T@shop.example", "Алия  Тестовая", "алия тестовая", "ул. Абая 1, кв. 2",
    ],
)  # fmt: skip
def test_it_is_found_however_it_is_written(written):
    assert ALIYA.in_text(written)
    assert not ALIYA.in_text(ALIYA.out_of(written))


@pytest.mark.parametrize(
    "other", ["+77000000002", "1770000000012", "baliya.t@shop.example", "Алия Тестоваяшвили", "Абая 1, кв. 21", ""]
)
def test_somebody_elses_is_left(other):
    assert not ALIYA.in_text(other)
    assert ALIYA.out_of(other) == other


values = some.recursive(
    some.one_of(some.none(), some.booleans(), some.text(), some.sampled_from([77000000001, "8 700 000 00 01", 5])),
    lambda inner: some.lists(inner) | some.dictionaries(some.text(), inner),
)


@given(values)
def test_a_value_keeps_its_shape_and_loses_the_person(value):
    cleaned = ALIYA.out_of_value(value)
    assert isinstance(cleaned, type(value)) or cleaned is None
    assert ALIYA.out_of_value(cleaned) == cleaned


def test_nothing_known_finds_nothing():
    assert not Traces().in_text("anything at all")


def test_a_first_name_alone_tells_nobody_from_others():
    assert full_names(["Алия", None, "", "Алия Тестовая"]) == {"Алия Тестовая"}
