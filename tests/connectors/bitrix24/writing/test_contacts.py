"""A person is one contact: found before it is made, written by what differs."""

from connectors.bitrix24 import CONNECTOR
from connectors.sdk import Accepted, Deferred, Rejected
from tests.connectors.bitrix24.conftest import push, values, writes
from tests.connectors.bitrix24.writing.changes import ALIYA, person

BORN = "1987-03-09T05:00:00+05:00"
"""A day, as a portal of Almaty keeps it."""


def test_somebody_unknown_becomes_one_contact_that_bears_our_mark(empty, settings):
    config = settings(empty)
    [made] = push(config, person(birth_date="1987-03-09"))
    assert made == Accepted(person(birth_date="1987-03-09"), "1")
    [contact] = empty.crm["CONTACT"].values()
    assert (contact["NAME"], contact["LAST_NAME"], contact["BIRTHDATE"]) == ("Әлия", "Бейсенова", BORN)
    assert (contact["ORIGINATOR_ID"], contact["ORIGIN_ID"]) == ("keruen", "p-1")
    assert push(config, person(birth_date="1987-03-09")) == [made]
    assert len(empty.crm["CONTACT"]) == len(writes(empty)) == 1


def test_a_contact_that_managers_made_is_found_by_the_phone_however_it_is_written(empty, settings):
    empty.add("CONTACT", {"NAME": "Әлия", "PHONE": [{"VALUE": "8 (700) 000-00-01", "VALUE_TYPE": "WORK"}]})
    [made] = push(settings(empty), person())
    assert made.receipt == "1"
    [contact] = empty.crm["CONTACT"].values()
    assert values(contact) == ["8 (700) 000-00-01"], "the same number is not added a second time"
    assert values(contact, "EMAIL") == ["aliya@example.com"]
    assert contact["ORIGIN_ID"] == "p-1"


def test_a_son_does_not_become_his_mother_though_they_share_a_phone(empty, settings):
    empty.add("CONTACT", {"NAME": "Гүлнұр", "PHONE": [{"VALUE": "+77000000001"}]})
    config = settings(empty)
    push(config, person("mother", first_name="Гүлнұр", emails=[]), person("son", first_name="Мәди", emails=[]))
    assert [(row["NAME"], row["ORIGIN_ID"]) for row in empty.crm["CONTACT"].values()] == [
        ("Гүлнұр", "mother"), ("Мәди", "son"),
    ]  # fmt: skip


def test_somebody_is_found_by_name_in_a_crowd_that_shares_one_number(empty, settings):
    """Twenty hits or more hide those of other types only (contract 6.7)."""
    for name in (*(f"Гость {place}" for place in range(24)), "Әлия"):
        empty.add("CONTACT", {"NAME": name, "PHONE": [{"VALUE": "8 (700) 000-00-01"}]})
    [found] = push(settings(empty), person())
    assert (found.receipt, len(empty.crm["CONTACT"])) == ("25", 25)


def test_two_people_never_get_one_card(empty, settings):
    empty.add("CONTACT", {"NAME": "", "PHONE": [{"VALUE": "+77000000001"}]})
    made = push(settings(empty), person("p-1"), person("p-2"))
    assert len({one.receipt for one in made}) == 2


def test_a_changed_phone_is_edited_in_its_place_and_what_managers_typed_stays(empty, settings):
    config = settings(empty)
    push(config, person())
    empty.change("CONTACT", 1, {"PHONE": [{"VALUE": "+7 700 000 00 09", "VALUE_TYPE": "WORK"}]})
    ids = [element["ID"] for element in empty.crm["CONTACT"][1]["PHONE"]]
    push(config, person(bound="1", phones=["+77000000002"], was=ALIYA))
    assert values(empty.crm["CONTACT"][1]) == ["+77000000002", "+7 700 000 00 09"]
    assert [element["ID"] for element in empty.crm["CONTACT"][1]["PHONE"]] == ids


def test_a_phone_that_is_nobodys_any_more_is_taken_away(empty, settings):
    config = settings(empty)
    push(config, person(phones=["+77000000001", "+77000000002"]))
    was = {**ALIYA, "phones": ["+77000000001", "+77000000002"]}
    push(config, person(bound="1", was=was))
    assert values(empty.crm["CONTACT"][1]) == ["+77000000001"]


def test_nothing_is_sent_where_nothing_differs_and_nothing_is_ever_emptied(empty, settings):
    config = settings(empty)
    push(config, person())
    [made] = push(config, person(last_name=None, emails=[]))
    assert isinstance(made, Accepted)
    assert len(writes(empty)) == 1
    assert empty.crm["CONTACT"][1]["LAST_NAME"] == "Бейсенова"


def test_only_what_differs_is_sent(empty, settings):
    config = settings(empty)
    push(config, person())
    push(config, person(last_name="Ахметова"))
    [command] = writes(empty)[1].values()
    sent = "crm.contact.update?id=1&fields[LAST_NAME]=%D0%90%D1%85%D0%BC%D0%B5%D1%82%D0%BE%D0%B2%D0%B0"
    assert command == f"{sent}&params[REGISTER_SONET_EVENT]=N"


def test_a_deleted_contact_is_not_made_again(empty, settings):
    config = settings(empty)
    push(config, person())
    empty.delete("CONTACT", 1)
    [refused] = push(config, person(bound="1"))
    assert isinstance(refused, Rejected)
    assert refused.code == "gone"
    assert empty.crm["CONTACT"] == {}


def test_an_id_of_a_lead_is_no_contacts_and_a_lead_is_not_made_a_contact(empty, settings):
    config = settings(empty)
    empty.add("CONTACT", {"NAME": "Наталья"})
    [refused] = push(config, person(bound="L_1"))
    assert isinstance(refused, Rejected)
    assert refused.code == "no_contact"
    empty.add("CONTACT", {"NAME": "Әлия", "PHONE": [{"VALUE": "8 700 000 00 01"}]})
    assert push(config, person(bound="L_1"))[0].receipt == "2"


def test_what_was_said_before_may_be_kept_as_a_digest(empty, settings):
    config = settings(empty)
    push(config, person())
    assert isinstance(push(config, person(was={"digest": "5f1", "fields": ["phones"]}))[0], Accepted)
    assert isinstance(push(config, person(was="5f1"))[0], Accepted)


def test_further_facts_go_to_the_fields_that_the_merchant_names(empty, settings):
    config = settings(empty, person_fields={"city": "UF_CRM_CITY"})
    push(config, person(city="Алматы"))
    assert empty.crm["CONTACT"][1]["UF_CRM_CITY"] == "Алматы"


def test_a_balance_of_points_goes_to_the_field_that_asks_for_it(empty, settings):
    config = settings(empty, person_fields={"points": "UF_CRM_CITY"})
    [sink] = [one for one in CONNECTOR.sinks if one.capability == "customer.push"]
    assert set(sink.takes(config)) == {"points"}
    assert set(sink.takes(settings(empty))) == set()
    push(config, person(points="120"))
    assert empty.crm["CONTACT"][1]["UF_CRM_CITY"] == "120"


def test_a_field_that_does_not_exist_is_told_because_the_portal_would_not(empty, settings):
    [told] = push(settings(empty, person_fields={"city": "UF_CRM_TOWN"}), person(city="Алматы"))
    assert isinstance(told, Deferred)
    assert told.blocked
    assert "UF_CRM_TOWN" in told.why
    assert empty.crm["CONTACT"] == {}


def test_fifty_people_are_one_write(empty, settings):
    crowd = [person(f"p-{n}", phones=[f"+770000001{n:02d}"], emails=[f"buyer{n}@example.com"]) for n in range(50)]
    made = push(settings(empty), *crowd)
    assert all(isinstance(one, Accepted) for one in made)
    assert len(empty.crm["CONTACT"]) == 50
    assert len(writes(empty)) == 1
    # the fields, a list of marks, a hundred finds in two batches, the write
    assert len(empty.sandbox.journal) == 5
