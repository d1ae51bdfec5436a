"""Names and fields of people are written, and nothing they have is emptied by what we do not know."""

from connectors.sdk import Accepted, Change, Rejected
from connectors.unisender import CONNECTOR
from connectors.unisender.records import pseudonym
from tests.connectors.unisender.conftest import sent


def person(email: str | None, **facts: str) -> Change:
    return Change("customer.push", f"person {email}", "", {"emails": [email] if email else [], **facts})


def test_a_person_is_written_whole_and_read_back(account, settings):
    config = settings(fields={"name": "Name", "city": "City"})
    change = person("aigerim@example.kz", first_name="Айгерім", last_name="Нұрлан", city="Алматы")
    assert [type(one) for one in sent(config, change)] == [Accepted]
    assert account.contacts["aigerim@example.kz"].fields == {"Name": "Айгерім Нұрлан", "City": "Алматы"}
    assert CONNECTOR.sink("customer.push").read_back(config, [change]) == {change.subject: change.value}


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
    assert CONNECTOR.sink("customer.push").read_back(config, [change]) == {change.subject: {"Name": "Айка"}}


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
