"""Three people use one number: none of them is another, and a mistake of long ago is taken back without loss."""

import random
from collections import defaultdict
from dataclasses import replace
from typing import Any

import pytest
import yaml

from connectors.kaspi.mapping import to_customer, to_order
from dagster_project.steps.people import verdicts
from dagster_project.steps.people.segments import segments_due
from dagster_project.steps.people.verdicts import Desk
from dagster_project.store.people.verdicts import By
from dagster_project.store.tables import TABLES
from dagster_project.store.transfer import upsert
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
FAMILY = {"mother": MOTHER, "son": SON, "grandmother": GRANDMOTHER}


def by_kaspi(code: str, first_name: str, last_name: str) -> tuple[dict, dict]:
    """The card and the order of somebody who buys there by the family's phone, as the connector understands them."""
    said = {
        "type": "orders", "id": code, "entries": [],
        "attributes": {
            "code": code, "creationDate": 1_772_427_600_000, "state": "ARCHIVE", "status": "COMPLETED", "totalPrice": 0,
            "customer": {"cellPhone": PHONE[2:], "firstName": first_name, "lastName": last_name},
        },
    }  # fmt: skip
    [card], [order] = to_customer(said, None).records, to_order(said, None).records
    named = {"connection": "kaspi", "external_id": card.external_id, "phones": [PHONE], "name": card.name}
    return named, {"connection": "kaspi", "external_id": code, "customer": order.customer}


KASPI = {"kettle": by_kaspi("kettle", "Айгуль", "С"), "mouse": by_kaspi("mouse", "Данияр", "С")}
ORDERS = (
    {"connection": "shop", "external_id": "dress", "customer": "11"},
    {"connection": "shop", "external_id": "game", "customer": "12"},
    {"connection": "till", "external_id": "tea", "customer": "23"},
    {"connection": "till", "external_id": "bread", "contact_name": "Данияр", "contact_phone": PHONE},
    *(order for _, order in KASPI.values()),
)
WHOSE = {
    "dress": "mother", "kettle": "mother", "game": "son", "bread": "son", "mouse": "son", "tea": "grandmother",
}  # fmt: skip
POINTS = {"21": 100, "12": 30, "23": 500}


class Family(People):
    """Whose everything is: by the cards that we know to be of one person."""

    def earns(self, points: dict[str, int]) -> None:
        rows = [
            {"connection": "shop" if card == "12" else "till", "external_id": f"p{card}", "customer": card,
             "at": self.began, "points": earned, "reason": "purchase", "source": {}}
            for card, earned in points.items()
        ]  # fmt: skip
        with self.store.begin() as db:
            upsert(db, TABLES["canonical.loyalty_entry"], rows, ["connection", "external_id"])
            self._mark(db, [f"{row['connection']}:{row['customer']}" for row in rows])

    def mixed(self) -> list[set[str]]:
        """Persons made of records of several people."""
        people = defaultdict(set)
        for name, cards in FAMILY.items():
            for card in cards:
                person = self.person(card.get("connection", "crm"), card["external_id"])
                people[person].add(name) if person else None
        return [names for names in people.values() if len(names) > 1]

    def balances(self) -> dict[str, Any]:
        rows = self.all("select person_id, sum(points) from canonical.loyalty_entry group by 1")
        names = {person: name for name, person in owners(self).items()}
        return {names[person]: int(points) for person, points in rows}

    def members(self) -> set[str]:
        segments_due(self.store, self.hub, now=self.now)
        return {row.person_id for row in self.all("select person_id from segment.membership")}


@pytest.fixture
def family(store, now, tmp_path) -> Family:
    made = Family(store, now)
    made.hub = replace(made.hub, folder=tmp_path)
    return made


def owners(family: Family) -> dict[str, str]:
    return {
        "mother": family.person("crm", "1"),
        "son": family.person("crm", "2"),
        "grandmother": family.person("crm", "3"),
    }


def bought(family: Family) -> dict[str, str]:
    """Order → who bought it."""
    names = {person: name for name, person in owners(family).items()}
    return {order: names[person] for order, person in family.whose().items()}


@pytest.mark.parametrize("order", [1, 2])
def test_records_come_in_any_order_and_nobody_becomes_another(family, order):
    """Tills, marketplace and shop bring the family record by record; at no time has anybody what is another's."""
    cards = [card for card, _ in KASPI.values()]
    arrivals = [(family.come, record) for record in (*MOTHER, *SON, *GRANDMOTHER, *cards)]
    arrivals += [(family.buy, sold) for sold in ORDERS]
    random.Random(order).shuffle(arrivals)
    for arrive, record in arrivals:
        arrive(record)
        family.settles()
        assert family.mixed() == []
        together = defaultdict(set)
        for sold, person in family.whose().items():
            together[person].add(WHOSE[sold])
        assert all(len(buyers) == 1 for buyers in together.values()), "a purchase has moved to another of the family"
    assert len(set(owners(family).values())) == 3
    assert bought(family) == WHOSE
    assert family.person("till", "21") == family.person("crm", "1")
    assert {row.person_id for row in family.all("select * from canonical.household")} == set(owners(family).values())
    assert len(family.all("select distinct household_id from canonical.household")) == 1
    [stat] = family.all("select status from identity.identifier_stat where kind = 'phone'")
    assert stat.status == "shared"


def test_a_wrong_merge_of_long_ago_is_undone_and_orders_points_and_segments_are_as_they_were(family):
    (family.hub.folder / "segments").mkdir()
    often = {"segment": "often", "title": {"ru": "Часто", "kk": "Жиі", "en": "Often"},
             "where": {"field": "orders.count", "op": ">=", "value": 2}}  # fmt: skip
    (family.hub.folder / "segments" / "often.yaml").write_text(yaml.safe_dump(often), "utf-8")
    family.come(*MOTHER, *SON, *GRANDMOTHER, *(card for card, _ in KASPI.values()))
    family.buy(*ORDERS)
    family.earns(POINTS)
    family.settles()
    before, points = owners(family), family.balances()
    assert points == {"mother": 100, "son": 30, "grandmother": 500}
    assert family.members() == {before["mother"], before["son"]}
    desk = Desk(family.store, family.hub, By("an operator", "one number, one person", family.now))
    survivor = verdicts.merge(desk, "crm:1", "crm:2")
    family.buy({"connection": "shop", "external_id": "phone case", "customer": "12"})
    family.settles()
    assert family.whose()["phone case"] == family.whose()["dress"] == survivor
    assert family.members() == {survivor}
    verdicts.unmerge(desk, survivor)
    assert owners(family) == before
    assert bought(family) == {**WHOSE, "phone case": "son"}
    assert family.balances() == points
    assert family.members() == {before["mother"], before["son"]}
    kinds = [row.kind for row in family.all("select kind from identity.person_event order by seq")]
    assert kinds[-2:] == ["merged", "split"], "the history keeps both"
    assert len(family.all("select distinct household_id from canonical.household")) == 1
