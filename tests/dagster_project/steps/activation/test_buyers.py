"""Golden records reach other systems; the ledger of it knows nobody by name."""

from dataclasses import dataclass, field

import pytest

from connectors.sdk import Accepted, Unknown
from dagster_project.store.people.keyring import keys
from tests.dagster_project.steps.activation.conftest import ALIYA, BORIS, Mailer, email


@dataclass
class Book(Mailer):
    """An address book: number → what it says of a person."""

    cards: dict = field(default_factory=dict)

    def takes(self, changes):
        for change in changes:
            number = change.external_id or f"card-{len(self.cards)}"
            self.cards[number] = dict(change.value)
            yield Accepted(change, number)

    def read_back(self, config, changes):
        return {one.subject: one.value for one in changes if one.value in self.cards.values()}


@pytest.fixture
def mailer():
    return Book()


@pytest.fixture
def book(circle):
    """Aliya is known there under an old name; Boris is not."""
    circle.capability = "customer.push"
    circle.reaches = None
    knows(circle, ALIYA, "L-1", first_name="Ali")
    return circle


def knows(circle, person, number, **said):
    values = {"number": number, "email": keys().seal(said.pop("email", email(person)), "email"), "p": person, **said}
    record = circle.one("select count(*) + 1 as n from identity.source_record").n
    circle.say("insert into canonical.customer (connection, external_id, first_name, emails, source) values "
               "('letters', :number, :first_name, array[:email], '{}') on conflict (connection, external_id) do update "
               "set first_name = excluded.first_name", **values)  # fmt: skip
    circle.say("insert into identity.source_record (record, connection, external_id) values (:r, 'letters', :number) "
               "on conflict do nothing", r=record, number=number)  # fmt: skip
    circle.say("insert into identity.membership values (:r, :p, now()) on conflict do nothing", r=record, p=person)


def learns(circle, person, **golden):
    for name, value in golden.items():
        circle.say(f"update identity.golden set {name} = :v where person_id = :p", v=value, p=person)
    circle.dirty(person, entity="buyer")


def test_who_is_known_there_is_told_of_and_nobody_is_made(book, mailer):
    learns(book, ALIYA)
    learns(book, BORIS)
    book.syncs()
    assert mailer.cards == {"L-1": {"first_name": ALIYA, "emails": [email(ALIYA)]}}
    assert book.states() == {ALIYA: ("in_sync", None)}


def test_people_are_made_where_the_merchant_says_so(book, mailer):
    book.push = "customer: auto, first: auto, create: true"
    learns(book, BORIS)
    book.syncs()
    assert mailer.cards["card-0"]["emails"] == [email(BORIS)]
    learns(book, BORIS, city="Almaty")
    book.syncs()
    assert mailer.received[-1].external_id == "card-0"


def test_what_it_says_already_is_not_written_and_an_echo_moves_nothing(book, mailer):
    knows(book, ALIYA, "L-1", first_name=ALIYA)
    learns(book, ALIYA)
    book.syncs()
    assert mailer.received == []
    learns(book, ALIYA, city="Almaty")
    book.syncs()
    assert len(mailer.received) == 1
    learns(book, ALIYA, updated_at=book.now, version=2)
    book.syncs()
    assert len(mailer.received) == 1


def test_a_master_is_no_target_for_what_it_owns(book, mailer, monkeypatch):
    monkeypatch.setattr(type(book.hub), "authority", lambda hub, entity, place=None: ("letters",) * (entity == "name"))
    learns(book, ALIYA, city="Almaty")
    book.syncs()
    assert mailer.cards == {"L-1": {"emails": [email(ALIYA)], "city": "Almaty"}}


def test_the_ledger_knows_only_which_facts_and_whether_they_changed(book, mailer):
    mailer.answers = [lambda changes: [Unknown(change, "no answer") for change in changes]]
    learns(book, ALIYA)
    book.syncs()
    book.passes(minutes=1)
    book.syncs()
    stored = book.everything_stored()
    assert "first_name" in stored
    assert not any(personal in stored for personal in ("@example.com", "+7700", "Ali'", '"aliya"'))
    assert book.states() == {ALIYA: ("in_sync", None)}


def test_what_changed_while_it_waited_is_planned_anew(book, mailer):
    learns(book, ALIYA)
    book.decides()
    learns(book, ALIYA, city="Almaty")
    book.delivers()
    assert mailer.received == []
    book.syncs()
    assert mailer.cards["L-1"]["city"] == "Almaty"


def test_a_person_merged_away_is_no_longer_written(book, mailer):
    learns(book, ALIYA)
    book.syncs()
    book.merges(ALIYA, into=BORIS)
    book.dirty(ALIYA, BORIS, entity="buyer")
    book.syncs()
    assert book.states()[ALIYA] == ("excluded", "merged into boris")
    assert mailer.cards["L-1"]["first_name"] == BORIS


def test_what_was_said_of_a_person_before_is_not_kept_and_so_not_restored(book):
    learns(book, ALIYA)
    book.syncs()
    [row] = book.takes_back(book.plans()[0].plan)
    assert row["left_alone"] == "what was said of a person before is not kept"


def earns(circle, person, name, points):
    circle.say(
        "insert into canonical.loyalty_entry (connection, external_id, person_id, at, points, reason, source) "
        "values ('till', :name, :p, now(), :points, 'purchase', '{}')", name=name, p=person, points=points,
    )  # fmt: skip
    circle.dirty(person, entity="buyer")


def test_a_system_that_takes_points_is_told_the_balance_of_all_channels(book, mailer):
    book.takes = ("points",)
    earns(book, ALIYA, "1", 150)
    earns(book, ALIYA, "2", -30)
    book.syncs()
    assert mailer.cards["L-1"]["points"] == "120"
    earns(book, ALIYA, "3", 5)
    book.syncs()
    assert [change.value["points"] for change in mailer.received] == ["120", "125"]


def test_a_balance_below_zero_is_told_nobody(book, mailer):
    book.takes = ("points",)
    earns(book, ALIYA, "1", -30)
    book.syncs()
    assert mailer.cards["L-1"]["points"] == "0"


def test_a_system_that_takes_no_points_is_not_written_to_for_them(book, mailer):
    learns(book, ALIYA)
    book.syncs()
    earns(book, ALIYA, "1", 150)
    book.syncs()
    assert len(mailer.received) == 1
    assert "points" not in mailer.cards["L-1"]
