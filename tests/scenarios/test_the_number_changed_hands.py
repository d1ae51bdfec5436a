"""A number that an operator gave to somebody else joins nobody's past."""

import pytest

from tests.dagster_project.steps.test_identify import PHONE, People

OLD = (
    {"external_id": "1", "first_name": "Виктор", "last_name": "Ким", "phones": [PHONE], "birth_date": "1970-02-03",
     "emails": ["v@mail.example"]},
    {"connection": "shop", "external_id": "11", "name": "Виктор Ким", "phones": [PHONE], "emails": ["v@mail.example"]},
)  # fmt: skip
NEW = {
    "connection": "shop",
    "external_id": "12",
    "name": "Асель Оспанова",
    "phones": [PHONE],
    "birth_date": "1999-09-09",
}


@pytest.fixture
def people(store, now) -> People:
    return People(store, now)


def test_the_new_owner_of_a_number_has_none_of_the_old_ones_past(people):
    people.come(*OLD)
    people.buy({"connection": "shop", "external_id": "sofa", "customer": "11"})
    people.settles()
    viktor = people.person("crm", "1")
    people.come(NEW)
    people.buy({"connection": "shop", "external_id": "lamp", "customer": "12"})
    people.settles()
    asel = people.person("shop", "12")
    assert asel != viktor
    assert people.person("crm", "1") == people.person("shop", "11") == viktor
    assert people.whose() == {"sofa": viktor, "lamp": asel}


def test_an_order_with_the_number_and_no_name_is_nobodys_once_two_people_had_it(people):
    people.come(*OLD, NEW)
    people.settles()
    people.buy({"connection": "shop", "external_id": "chair", "contact_phone": PHONE})
    people.settles()
    assert people.whose()["chair"] not in {people.person("crm", "1"), people.person("shop", "12")}
