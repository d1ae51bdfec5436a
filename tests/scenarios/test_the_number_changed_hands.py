"""A number that an operator gave to somebody else joins nobody's past."""

import json

import pytest

from dagster_project.steps.people.erase import erase
from dagster_project.store.people import statements
from dagster_project.store.people.consent import may_reach
from dagster_project.store.people.keyring import keys
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


class Town(People):
    """People who agree to be written to; their numbers lie sealed, as a connector stores them."""

    def come(self, *rows: dict) -> None:
        super().come(*({**row, "phones": [keys().seal(one, "phone") for one in row["phones"]]} for row in rows))

    def agrees(self, phone: str, customer: str | None = None, state: str = "granted") -> None:
        """Said by the person in the shop; `customer`: who it was, where the form says so."""
        said = {"external_id": f"{customer} {state}", "customer": customer, "identifier_kind": "phone",
                "identifier": phone, "channel": "sms", "purpose": "marketing", "state": state, "by": "person",
                "at": self.now, "expires_at": None, "text_version": "v1", "evidence": json.dumps({"form": "12"}),
                "source": "{}"}  # fmt: skip
        with self.store.begin() as db:
            statements.append(db, "shop", [said], because="a form")

    def reached(self) -> set[str]:
        with self.store.connect() as db:
            return set(may_reach(db, None, "sms", now=self.now)["person_id"].to_pylist())

    def shown(self) -> set[str]:
        """Whom the store says to have agreed."""
        return {row.person_id for row in self.all("select person_id from canonical.consent where state = 'granted'")}


@pytest.fixture
def people(store, now) -> Town:
    return Town(store, now)


@pytest.mark.parametrize("knows", ["name and birth date", "name"])
def test_the_new_owner_of_a_number_has_none_of_the_old_ones_past(people, knows):
    people.come(*OLD)
    people.buy({"connection": "shop", "external_id": "sofa", "customer": "11"})
    people.settles()
    viktor = people.person("crm", "1")
    people.come(NEW if "birth" in knows else {**NEW, "birth_date": None})
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


@pytest.mark.parametrize("customer", ["11", None], ids=["the form names the old owner", "the form names nobody"])
def test_the_old_owners_consent_does_not_pass_on_with_the_number(people, customer):
    people.come(*OLD)
    people.settles()
    people.agrees(PHONE, customer)
    assert people.reached() == {people.person("crm", "1")}
    people.come(NEW)
    people.settles()
    assert people.person("shop", "12") not in people.reached()


GIVEN_UP = tuple({**card, "phones": []} for card in OLD)


@pytest.mark.parametrize("customer", ["11", None], ids=["the form names the old owner", "the form names nobody"])
def test_it_does_not_even_once_the_old_owner_has_given_the_number_up(people, customer):
    people.come(*OLD)
    people.settles()
    people.agrees(PHONE, customer)
    people.come(NEW, *GIVEN_UP)
    people.settles()
    assert people.reached() == set() == people.shown()
    people.agrees(PHONE, customer and "12")
    assert people.reached() == {people.person("shop", "12")} == people.shown()


@pytest.mark.parametrize("customer", ["11", None], ids=["the form names the old owner", "the form names nobody"])
def test_nor_when_the_old_owners_cards_are_gone(people, customer):
    people.come(*OLD)
    people.settles()
    people.agrees(PHONE, customer)
    people.come(NEW)
    people.leave("crm", "1")
    people.leave("shop", "11")
    people.settles()
    assert people.person("shop", "11") is None
    assert people.reached() == set() == people.shown()


def test_nor_does_one_that_came_before_its_number_was_anybodys(people):
    people.agrees(PHONE)
    people.come(*OLD)
    people.settles()
    assert people.reached() == {people.person("crm", "1")}
    people.come(NEW, *GIVEN_UP)
    people.settles()
    assert people.reached() == set()


def test_one_that_came_while_two_had_the_number_reaches_whoever_keeps_it_and_nobody_after_him(people):
    people.come(*OLD, NEW)
    people.settles()
    people.agrees(PHONE)
    assert people.reached() == set() == people.shown()
    people.come({**NEW, "phones": []})
    people.settles()
    assert people.reached() == {people.person("crm", "1")} == people.shown()
    people.come(NEW, *GIVEN_UP)
    people.settles()
    assert people.reached() == set() == people.shown()


def test_one_that_names_somebody_nobody_knows_is_nobodys_of_those_who_share_the_number(people):
    people.come(*OLD, NEW)
    people.settles()
    people.agrees(PHONE, "99999")
    assert people.reached() == set() == people.shown()


def test_a_consent_stays_the_old_owners_when_he_turns_out_to_be_somebody_known_longer(people):
    twin = {"connection": "till", "external_id": "21", "name": "Виктор Ким", "phones": [], "emails": ["v@old.example"]}
    people.come(twin)
    people.settles()
    people.come(OLD[1])
    people.settles()
    people.agrees(PHONE)
    known_longer = people.person("till", "21")
    assert people.reached() == {people.person("shop", "11")} != {known_longer}
    people.come({**twin, "emails": ["v@mail.example"]})
    people.settles()
    assert people.reached() == {people.person("shop", "11")} == {known_longer} == people.shown()


@pytest.mark.parametrize("customer", ["11", None], ids=["the form names the old owner", "the form names nobody"])
def test_it_does_not_when_the_old_owner_is_forgotten(people, customer):
    people.come(*OLD)
    people.settles()
    people.agrees(PHONE, customer)
    people.come(NEW)
    people.settles()
    erase(people.store, people.hub, people.person("crm", "1"), basis="letter 1", now=people.now)
    people._mark_now("shop:12")
    people.settles()
    assert people.person("crm", "1") is None
    assert people.reached() == set() == people.shown()


def test_a_nameless_receipt_with_the_new_owners_card_does_not_tie_her_to_the_old_owner(people):
    card = ["7700012"]
    asel = {"external_id": "2", "first_name": "Асель", "last_name": "Оспанова", "phones": [], "loyalty_ids": card}
    people.come(*OLD, asel)
    people.come({"connection": "till", "external_id": "receipt", "phones": [PHONE], "loyalty_ids": card})
    people.settles()
    assert people.person("till", "receipt") == people.person("crm", "2") != people.person("crm", "1")
