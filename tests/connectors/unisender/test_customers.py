"""Names and fields of people are written, and nothing they have is emptied by what we do not know."""

import pytest

from connectors.sdk import Accepted, Change, Deferred, Rejected, Shown, Since, Unknown
from connectors.unisender import CONNECTOR
from connectors.unisender.records import pseudonym
from tests.connectors.unisender.conftest import read, sent, shown


def person(email: str | None, **facts: str) -> Change:
    return Change("customer.push", f"person {email}", "", {"emails": [email] if email else [], **facts})


def test_a_person_is_written_whole_and_read_back(account, settings):
    config = settings(fields={"name": "Name", "city": "City"})
    change = person("aigerim@example.kz", first_name="Айгерім", last_name="Нұрлан", city="Алматы")
    assert [type(one) for one in sent(config, change)] == [Accepted]
    assert account.contacts["aigerim@example.kz"].fields == {"Name": "Айгерім Нұрлан", "City": "Алматы"}
    assert shown(config, change) == {change.subject: change.value}


def test_what_we_do_not_know_empties_nothing(account, settings):
    account.contacts["aigerim@example.kz"].fields["City"] = "Шымкент"
    config = settings(fields={"name": "Name", "city": "City"})
    made = sent(config, person("aigerim@example.kz", first_name="Айгерім"),
                person("daniyar@example.kz", first_name="Данияр", city="Алматы"))  # fmt: skip
    assert [type(one) for one in made] == [Accepted, Accepted]
    assert account.contacts["aigerim@example.kz"].fields["City"] == "Шымкент"
    assert account.contacts["daniyar@example.kz"].fields["City"] == "Алматы"


def test_a_value_changed_in_the_cabinet_is_shown_as_it_is(account, settings):
    config, change = settings(), person("aigerim@example.kz", first_name="Айгерім")
    account.contacts["aigerim@example.kz"].fields["Name"] = "Айка"
    assert shown(config, change) == {change.subject: {"Name": "Айка"}}


def test_writing_a_name_changes_neither_status_nor_lists(account, settings):
    account.contacts["daniyar@example.kz"].status = "unsubscribed"
    sent(settings(), person("daniyar@example.kz", first_name="Данияр"))
    assert (account.contacts["daniyar@example.kz"].status, account.contacts["daniyar@example.kz"].lists) == (
        "unsubscribed", {"8"},
    )  # fmt: skip


def test_a_person_who_cannot_be_found_there_is_refused(settings):
    [made] = sent(settings(), person(None, first_name="Әлия"))
    assert (type(made), made.code) == (Rejected, "no_address")


def test_a_field_that_is_not_there_is_named_in_the_refusal(settings):
    [made] = sent(settings(fields={"city": "Город"}), person("aigerim@example.kz", city="Алматы"))
    assert (type(made), made.code) == (Rejected, "invalid_arg")
    assert "Город" in made.message


def test_who_was_erased_is_deleted_and_the_others_are_still_written(account, settings):
    config = settings()
    forget = Change("customer.push", "p-1", pseudonym(config, "aigerim@example.kz"), {"forget": True})
    other = Change("customer.push", "p-2", "", {"first_name": "Данияр", "emails": ["daniyar@example.kz"]})
    assert [type(one).__name__ for one in sent(config, forget, other)] == ["Accepted", "Accepted"]
    assert set(account.contacts) == {"daniyar@example.kz"}


def test_who_was_erased_is_deleted_under_every_address_she_had(account, settings):
    config = settings()
    account.contact("olga@example.kz", phone="77000000001")
    receipts = [pseudonym(config, one) for one in ("aigerim@example.kz", "gone@example.kz", "+77000000001")]
    forget = Change("customer.push", "p-1", receipts[0], {"forget": True}, about={"receipts": receipts})
    assert sent(config, forget) == [Accepted(forget)]
    assert set(account.contacts) == {"daniyar@example.kz"}


def test_a_contact_that_she_was_known_by_twice_is_deleted_once(account, settings):
    """Of a row that names nobody any more the platform may say that it is invalid: the erasure would not be done."""
    config = settings()
    account.contact("olga@example.kz", phone="77000000001")
    receipts = [pseudonym(config, one) for one in ("olga@example.kz", "+77000000001")]
    forget = Change("customer.push", "p-1", receipts[0], {"forget": True}, about={"receipts": receipts})
    assert sent(config, forget) == [Accepted(forget)]
    assert "olga@example.kz" not in account.contacts
    assert len(account.sandbox.requests(path="importContacts")) == 1


def test_an_erasure_of_which_one_address_is_refused_is_not_done(account, settings):
    config = settings()
    account.contact("abuse@example.kz")
    receipts = [pseudonym(config, one) for one in ("abuse@example.kz", "aigerim@example.kz")]
    forget = Change("customer.push", "p-1", receipts[1], {"forget": True}, about={"receipts": receipts})
    assert sent(config, forget) == [Rejected(forget, "invalid_arg", "Role address")]


# ── what can happen to an answer ──────────────────────────────────────────────────────────────────────────────────────


def test_who_was_written_too_fast_waits_and_is_written_once(account, settings):
    config, olga = settings(), person("olga@example.kz", first_name="Ольга")
    account.sandbox.faults.set("429", match="importContacts", times=1)
    [told] = sent(config, olga)
    assert (type(told), told.retry_after) == (Deferred, 60)
    assert "olga@example.kz" not in account.contacts
    assert [type(one) for one in sent(config, olga)] == [Accepted]
    assert account.contacts["olga@example.kz"].fields == {"Name": "Ольга"}


def test_a_failure_before_anybody_was_written_is_unknown_and_nothing_is_shown(account, settings):
    config, olga = settings(), person("olga@example.kz", first_name="Ольга")
    account.sandbox.faults.set("500", match="importContacts", times=1)
    assert [type(one) for one in sent(config, olga)] == [Unknown]
    assert shown(config, olga) == {}
    assert [type(one) for one in sent(config, olga)] == [Accepted]
    assert account.contacts["olga@example.kz"].fields == {"Name": "Ольга"}


@pytest.mark.parametrize("fault", ["lost_reply", "cut"])
def test_a_lost_answer_is_read_back_with_its_receipt_and_a_repeat_makes_no_second_contact(account, settings, fault):
    config, olga = settings(), person("olga@example.kz", first_name="Ольга")
    account.sandbox.faults.set(fault, match="importContacts", times=1)
    assert [type(one) for one in sent(config, olga)] == [Unknown]
    receipt = pseudonym(config, "olga@example.kz")
    assert CONNECTOR.sink("customer.push").read_back(config, [olga]) == {olga.subject: Shown(olga.value, receipt)}
    assert sent(config, olga) == [Accepted(olga, receipt)]
    assert set(account.contacts) == {"aigerim@example.kz", "daniyar@example.kz", "olga@example.kz"}


def test_one_lost_answer_of_two_leaves_the_second_unsent(account, settings):
    """People of whom different facts are known go in imports of their own."""
    config = settings(fields={"name": "Name", "city": "City"})
    olga, ivan = person("olga@example.kz", first_name="Ольга"), person("ivan@example.kz", city="Алматы")
    account.sandbox.faults.set("lost_reply", match="importContacts", times=1)
    assert [type(one) for one in sent(config, olga, ivan)] == [Unknown, Deferred]
    assert ("olga@example.kz" in account.contacts, "ivan@example.kz" in account.contacts) == (True, False)


# ── by phone ──────────────────────────────────────────────────────────────────────────────────────────────────────────

PHONE = "+77000000001"


def by_phone(**facts: str) -> Change:
    return Change("customer.push", "p-9", "", {"phones": [PHONE], **facts})


def test_a_person_without_an_email_is_written_by_the_phone_and_once(account, settings):
    [made] = sent(settings(), by_phone(first_name="Ольга"))
    assert made == Accepted(by_phone(first_name="Ольга"), pseudonym(settings(), PHONE))
    sent(settings(), by_phone(first_name="Ольга", last_name="Ким"))
    [contact] = [one for one in account.contacts.values() if one.phone]
    assert (contact.email, contact.phone, contact.fields) == ("", "77000000001", {"Name": "Ольга Ким"})


def test_who_is_known_by_the_phone_alone_is_read_as_a_person_who_agreed_to_nothing(account, settings, now):
    sent(settings(), by_phone(first_name="Ольга"))
    [record] = [one for one in read(settings(), "contacts", Since(now=now)) if one.get("phone")]
    resource = CONNECTOR.resource("contacts")
    [customer] = resource.maps["customer"](record, settings()).records
    assert (customer.external_id, customer.emails, customer.phones) == (pseudonym(settings(), PHONE), (), (PHONE,))
    assert resource.maps["consent_event"](record, settings()).records == ()


def test_who_was_erased_is_deleted_by_the_phone(account, settings):
    config = settings()
    [made] = sent(config, by_phone(first_name="Ольга"))
    forget = Change("customer.push", "p-9", made.receipt, {"forget": True})
    assert [sent(config, forget), sent(config, forget)] == [[Accepted(forget)]] * 2
    assert set(account.contacts) == {"aigerim@example.kz", "daniyar@example.kz"}


def test_a_lost_answer_to_an_erasure_by_phone_is_repeated_without_harm(account, settings):
    config = settings()
    [made] = sent(config, by_phone(first_name="Ольга"))
    forget = Change("customer.push", "p-9", made.receipt, {"forget": True})
    account.sandbox.faults.set("lost_reply", match="importContacts", times=1)
    assert [type(one) for one in sent(config, forget)] == [Unknown]
    assert sent(config, forget) == [Accepted(forget)]
    assert set(account.contacts) == {"aigerim@example.kz", "daniyar@example.kz"}
