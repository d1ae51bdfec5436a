"""Three people use one number: none of them is another, and a mistake of long ago is taken back without loss."""

import random

import pytest

from dagster_project.steps.people import verdicts
from dagster_project.steps.people.verdicts import Desk
from dagster_project.store.people.verdicts import By
from tests.dagster_project.steps.test_identify import PHONE, People

MOTHER = (
    {"external_id": "1", "first_name": "Айгүл", "last_name": "Серікова", "phones": [PHONE],
     "emails": ["a@mail.example"]},
    {"connection": "shop", "external_id": "11", "name": "Aigul Serikova", "phones": [PHONE],
     "emails": ["a@mail.example"]},
    {"connection": "till", "external_id": "21", "name": "Айгуль С.", "phones": [PHONE]},
)  # fmt: skip
SON = (
    {"external_id": "2", "first_name": "Данияр", "last_name": "Сериков", "phones": [PHONE],
     "emails": ["d@mail.example"]},
    {"connection": "shop", "external_id": "12", "name": "Сериков Данияр", "phones": [PHONE],
     "emails": ["d@mail.example"]},
)  # fmt: skip
GRANDMOTHER = (
    {
        "connection": "till",
        "external_id": "23",
        "name": "Күләш Серикова",
        "phones": [PHONE],
        "loyalty_ids": ["7700003"],
    },
    {"external_id": "3", "first_name": "Куляш", "last_name": "Серикова", "loyalty_ids": ["7700003"]},
)
ORDERS = (
    {"connection": "shop", "external_id": "dress", "customer": "11"},
    {"connection": "shop", "external_id": "game", "customer": "12"},
    {"connection": "till", "external_id": "tea", "customer": "23"},
    {"connection": "till", "external_id": "bread", "contact_name": "Данияр", "contact_phone": PHONE},
)


@pytest.fixture
def family(store, now) -> People:
    return People(store, now)


def owners(family: People) -> dict[str, str]:
    return {
        "mother": family.person("crm", "1"),
        "son": family.person("crm", "2"),
        "grandmother": family.person("crm", "3"),
    }


def bought(family: People) -> dict[str, str]:
    """Order → who bought it."""
    names = {person: name for name, person in owners(family).items()}
    return {order: names[person] for order, person in family.whose().items()}


@pytest.mark.parametrize("order", [1, 2])
def test_records_come_in_any_order_and_nobody_becomes_another(family, order):
    """Tills, marketplace and shop bring the family record by record."""
    arrivals = [(family.come, record) for record in (*MOTHER, *SON, *GRANDMOTHER)]
    arrivals += [(family.buy, sold) for sold in ORDERS]
    random.Random(order).shuffle(arrivals)
    for arrive, record in arrivals:
        arrive(record)
        family.settles()
    assert len(set(owners(family).values())) == 3
    assert bought(family) == {"dress": "mother", "game": "son", "tea": "grandmother", "bread": "son"}
    assert family.person("till", "21") == family.person("crm", "1")
    assert {row.person_id for row in family.all("select * from canonical.household")} == set(owners(family).values())
    assert len(family.all("select distinct household_id from canonical.household")) == 1
    [stat] = family.all("select status from identity.identifier_stat where kind = 'phone'")
    assert stat.status == "shared"


def test_a_wrong_merge_of_long_ago_is_undone_and_every_order_goes_back(family):
    family.come(*MOTHER, *SON, *GRANDMOTHER)
    family.buy(*ORDERS)
    family.settles()
    before, whose = owners(family), bought(family)
    desk = Desk(family.store, family.hub, By("an operator", "one number, one person", family.now))
    survivor = verdicts.merge(desk, "crm:1", "crm:2")
    family.buy({"connection": "shop", "external_id": "phone case", "customer": "12"})
    family.settles()
    assert family.whose()["phone case"] == family.whose()["dress"] == survivor
    verdicts.unmerge(desk, survivor)
    assert owners(family) == before
    assert bought(family) == {**whose, "phone case": "son"}
    kinds = [row.kind for row in family.all("select kind from identity.person_event order by seq")]
    assert kinds[-2:] == ["merged", "split"], "the history keeps both"
    assert len(family.all("select distinct household_id from canonical.household")) == 1
