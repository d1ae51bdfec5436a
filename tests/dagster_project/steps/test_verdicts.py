"""What people decide about persons, and that all of it can be taken back."""

import re
from datetime import timedelta

import pytest

from connectors.sdk.errors import ConfigError
from dagster_project.steps.people import verdicts
from dagster_project.steps.people.verdicts import Desk
from dagster_project.store.people.verdicts import By
from tests.dagster_project.steps.test_identify import AIGUL, PHONE, People

STRANGER = {"connection": "shop", "external_id": "9", "name": "Марат Ким", "phones": ["+77000000009"]}


@pytest.fixture
def people(store, now) -> People:
    return People(store, now)


@pytest.fixture
def desk(people) -> Desk:
    return Desk(people.store, people.hub, By("an operator", "she called", people.now + timedelta(hours=1)))


def test_a_merge_is_undone_without_loss(people, desk):
    """Ids, orders and golden records are as they were."""
    people.come(AIGUL, STRANGER)
    people.buy({"external_id": "o1", "customer": "9"})
    people.settles()
    one, other = people.person("crm", "1"), people.person("shop", "9")
    before = people.whose(), people.golden(one), people.golden(other)
    survivor = verdicts.merge(desk, one, other)
    assert people.person("shop", "9") == people.person("crm", "1") == survivor
    assert people.whose() == {"o1": survivor}
    assert verdicts.unmerge(desk, survivor) == sorted([one, other])
    assert (people.person("crm", "1"), people.person("shop", "9")) == (one, other)
    assert people.whose() == before[0]
    for was in before[1:]:
        is_now = people.golden(was.person_id)
        assert {**vars(is_now), "version": 0, "updated_at": 0} == {**vars(was), "version": 0, "updated_at": 0}
    assert people.all("select * from identity.edge_override") == []
    kinds = [row.kind for row in people.all("select kind from identity.person_event order by seq")]
    assert kinds == ["created", "created", "merged", "split"]


def test_who_came_after_a_merge_goes_where_the_links_lead(people, desk):
    """A card and an order that reached the one who was merged are his again; nobody said otherwise of them."""
    people.come(AIGUL, *({**AIGUL, "connection": "shop", "external_id": one} for one in "12"))
    people.come(STRANGER, {**STRANGER, "external_id": "10"})
    people.settles()
    one, other = people.person("crm", "1"), people.person("shop", "9")
    survivor = verdicts.merge(desk, one, other)
    people.now += timedelta(hours=2)
    people.come({**STRANGER, "connection": "kaspi", "external_id": "m"})
    people.buy({"external_id": "o1", "customer": "9"})
    people.settles()
    verdicts.unmerge(desk, survivor)
    assert people.all("select * from identity.edge_override") == []
    assert {people.person("shop", "9"), people.person("shop", "10"), people.person("kaspi", "m")} == {other}
    assert (people.person("crm", "1"), people.whose()) == (one, {"o1": other})


def test_whoever_comes_back_has_the_old_id_however_many_records_came_since(people, desk):
    people.come(AIGUL, *({**AIGUL, "connection": "shop", "external_id": one} for one in "12"), STRANGER)
    people.settles()
    other = people.person("shop", "9")
    survivor = verdicts.merge(desk, "crm:1", other)
    people.now += timedelta(hours=2)
    people.come(*({**STRANGER, "connection": "till", "external_id": one} for one in "123"))
    people.settles()
    assert verdicts.unmerge(desk, survivor) == sorted([survivor, other])
    assert {people.person("shop", "9"), people.person("till", "3")} == {other}


def test_records_that_the_rules_joined_can_be_parted(people, desk):
    people.come(AIGUL, {"connection": "shop", "external_id": "9", "name": "Aigul Serikova", "phones": [PHONE]})
    people.buy({"external_id": "o1", "customer": "9"})
    people.settles()
    person = people.person("crm", "1")
    assert len(verdicts.split(desk, person, ["shop:9"])) == 2
    assert people.person("crm", "1") != people.person("shop", "9")
    assert people.whose() == {"o1": people.person("shop", "9")}
    people.come({**AIGUL, "city": "Алматы"})
    people.settles()
    assert people.person("crm", "1") != people.person("shop", "9"), "a verdict outlives what comes later"
    assert verdicts.merge(desk, "crm:1", "shop:9") == person


def test_an_id_that_went_into_another_still_finds_the_person(people, desk):
    people.come(AIGUL, STRANGER)
    people.settles()
    one, other = people.person("crm", "1"), people.person("shop", "9")
    survivor = verdicts.merge(desk, one, other)
    [gone] = {one, other} - {survivor}
    assert verdicts.merge(desk, gone, "crm:1") == survivor


def test_a_pinned_value_wins_until_its_source_says_something_new(people, desk):
    people.come({**AIGUL, "city": "Алматы"})
    people.settles()
    person = people.person("crm", "1")
    verdicts.pin(desk, person, "city", "Астана")
    assert people.golden(person).city == "Астана"
    assert people.golden(person).provenance["city"]["rule"] == "pinned"
    people.come({**AIGUL, "city": "Алматы", "gender": "female"})
    people.settles()
    assert people.golden(person).city == "Астана"
    people.come({**AIGUL, "city": "Тараз"})
    people.settles()
    assert people.golden(person).city == "Тараз"


def test_a_pin_that_ended_does_not_come_back_with_the_old_value(people, desk):
    people.come({**AIGUL, "city": "Алматы"})
    people.settles()
    verdicts.pin(desk, "crm:1", "city", "Астана")
    for city in ("Тараз", "Алматы"):
        people.come({**AIGUL, "city": city})
        people.settles()
        assert people.golden(people.person("crm", "1")).city == city


def test_a_pin_waits_for_the_end_of_a_merge(people, desk):
    """Whatever the other one brings is no news of the source whose value was set right."""
    people.come({**AIGUL, "city": "Алматы", "connection": "shop"}, {**STRANGER, "connection": "crm", "city": "Тараз"})
    people.settles()
    one, other = people.person("shop", "1"), people.person("crm", "9")
    for person, city in ((one, "Астана"), (other, "Семей")):
        verdicts.pin(desk, person, "city", city)
    verdicts.unmerge(desk, verdicts.merge(desk, one, other))
    assert (people.golden(one).city, people.golden(other).city) == ("Астана", "Семей")


def test_a_pinned_phone_lies_sealed(people, desk):
    people.come(AIGUL)
    people.settles()
    person = people.person("crm", "1")
    verdicts.pin(desk, person, "phone", "+77000000007")
    assert people.golden(person).phones == ["+77000000007", PHONE]
    [kept] = people.all("select value, instead_of from identity.pin")
    assert not {"+77000000007", PHONE} & {kept.value, kept.instead_of}
    verdicts.pin(desk, person, "phone", None)
    assert people.golden(person).phones == [PHONE]


def test_a_pinned_contact_is_kept_as_sources_are_read(people, desk):
    people.come(AIGUL)
    people.settles()
    person = people.person("crm", "1")
    verdicts.pin(desk, person, "phone", "8 (700) 000-00-07")
    verdicts.pin(desk, person, "email", "Aigul <A@Mail.example>")
    assert people.golden(person).phones == ["+77000000007", PHONE]
    assert people.golden(person).emails == ["a@mail.example"]


@pytest.mark.parametrize(
    ("field", "value", "wanted"),
    [
        ("phone", "abc", "write it as +7"), ("email", "a@b..kz", "write it as name@"),
        ("gender", "whatever", "write male or female"), ("birth_date", "8.3.1985", "write it as 1985-03-08"),
        ("birth_date", "2050-01-01", "is still to come"), ("city", " ", "leave the value out"),
    ],
)  # fmt: skip
def test_what_is_no_value_of_its_field_is_not_pinned(people, desk, field, value, wanted):
    people.come(AIGUL)
    people.settles()
    with pytest.raises(ConfigError, match=re.escape(wanted)):
        verdicts.pin(desk, "crm:1", field, value)
    assert people.all("select field from identity.pin") == []


def test_whoever_asks_for_nobody_is_told_so(desk):
    with pytest.raises(ConfigError, match="nobody is known as 'crm:77'"):
        verdicts.unmerge(desk, "crm:77")


def test_there_is_nothing_to_take_back_where_nobody_was_merged(people, desk):
    people.come(AIGUL)
    people.settles()
    with pytest.raises(ConfigError, match="nothing to take back"):
        verdicts.unmerge(desk, "crm:1")
