"""Who may be written to, asked of the store."""

from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import text

from dagster_project.store.people.consent import may_reach
from dagster_project.store.people.keyring import keys

NOW = datetime(2026, 3, 2, 5, 0, tzinfo=UTC)
MOTHER, SON = "+77000000001", "+77000000002"


class People:
    """Persons with their cards, and what they said."""

    def __init__(self, db):
        self.db, self.cards = db, 0

    def are(self, person, *phones, card=None):
        self.cards += 1
        values = {"card": card or str(self.cards), "number": self.cards, "person": person, "now": NOW}
        values["phones"] = [keys().seal(one, "phone") for one in phones]
        self.db.execute(
            text(
                "insert into canonical.customer (connection, external_id, phones, source) "
                "values ('crm', :card, :phones, '{}')"
            ),
            values,
        )
        self.db.execute(
            text("insert into identity.source_record (record, connection, external_id) values (:number, 'crm', :card)"),
            values,
        )
        self.db.execute(text("insert into identity.membership values (:number, :person, :now)"), values)

    def said(self, phone, state="granted", channel="sms", expires_at=None, person_at=None, givers=()):
        values = {"subject": keys().subject("phone", phone), "channel": channel, "state": state, "at": NOW}
        values |= {"expires_at": expires_at, "person_at": person_at, "givers": list(givers)}
        values["identifier"] = keys().seal(phone, "phone")
        self.db.execute(
            text(
                "insert into privacy.consent_state (subject, channel, purpose, identifier_kind, identifier, state, "
                "since, as_of, expires_at, person_at, givers) values (:subject, :channel, 'marketing', 'phone', "
                ":identifier, :state, :at, :at, :expires_at, :person_at, :givers)"
            ),
            values,
        )

    def suppressed(self, phone, reason, since=NOW, channel="sms"):
        values = {"hash": keys().subject("phone", phone), "channel": channel, "reason": reason, "since": since}
        self.db.execute(text("insert into privacy.suppression values (:hash, :channel, :reason, :since)"), values)

    def reached(self, channel="sms", persons=None, now=NOW):
        return [tuple(row.values()) for row in may_reach(self.db, persons, channel, now=now).to_pylist()]

    def shown(self):
        rows = self.db.execute(text("select person_id, channel, state from canonical.consent order by 1, 2"))
        return [tuple(row) for row in rows]


@pytest.fixture
def people(store):
    with store.begin() as db:
        yield People(db)


def test_without_a_record_nobody_is_reached(people):
    people.are("aliya", MOTHER)
    assert people.reached() == []
    assert people.shown() == []


def test_a_consent_for_one_number_reaches_that_number_on_that_channel_only(people):
    people.are("aliya", MOTHER, SON)
    people.said(MOTHER)
    assert people.reached() == [("aliya", MOTHER)]
    assert people.reached("whatsapp") == []
    assert people.shown() == [("aliya", "sms", "granted")]


def test_a_refusal_of_one_number_stops_the_person_on_that_channel(people):
    people.are("aliya", MOTHER, SON)
    people.said(MOTHER)
    people.said(SON, "refused")
    assert people.reached() == []
    assert people.shown() == [("aliya", "sms", "refused")]


def test_merging_with_somebody_who_refused_gives_refused_and_splitting_gives_back(people):
    people.are("aliya", MOTHER)
    people.are("boris", SON)
    people.said(MOTHER)
    people.said(SON, "refused")
    assert people.reached() == [("aliya", MOTHER)]
    people.db.execute(text("update identity.membership set person_id = 'aliya'"))
    assert people.reached() == []
    people.db.execute(text("update identity.membership set person_id = 'boris' where record = 2"))
    assert people.reached() == [("aliya", MOTHER)]


def test_an_expired_consent_reaches_nobody(people):
    people.are("aliya", MOTHER)
    people.said(MOTHER, expires_at=NOW + timedelta(days=1))
    assert people.reached() == [("aliya", MOTHER)]
    assert people.reached(now=NOW + timedelta(days=1)) == []


@pytest.mark.parametrize("reason", ["unsubscribed", "complained", "refused", "erased"])
def test_a_suppressed_number_stops_the_person_even_by_another_number(people, reason):
    people.are("aliya", MOTHER, SON)
    people.said(MOTHER)
    people.suppressed(SON, reason)
    assert people.reached() == []
    assert people.shown() == [("aliya", "sms", "refused")]


def test_a_dead_number_stops_only_itself(people):
    people.are("aliya", MOTHER, SON)
    people.said(MOTHER)
    people.said(SON)
    people.suppressed(SON, "bounced")
    assert people.reached() == [("aliya", MOTHER)]


def test_the_persons_own_later_consent_ends_a_suppression_and_an_earlier_one_does_not(people):
    people.are("aliya", MOTHER)
    people.said(MOTHER, person_at=NOW)
    people.suppressed(MOTHER, "unsubscribed", since=NOW - timedelta(days=1))
    assert people.reached() == [("aliya", MOTHER)]
    people.db.execute(text("update privacy.suppression set since = :now"), {"now": NOW})
    assert people.reached() == []


def test_the_old_owners_consent_does_not_pass_to_the_new_owner_of_the_number(people):
    people.are("old owner", SON, card="1")
    people.are("new owner", MOTHER, card="2")
    people.said(MOTHER, givers=["crm:1"])
    assert people.reached() == []


def test_on_a_shared_phone_a_consent_reaches_whom_it_names_and_else_nobody(people):
    people.are("mother", MOTHER, card="1")
    people.are("son", MOTHER, card="2")
    people.said(MOTHER)
    assert people.reached() == []
    people.db.execute(text("update privacy.consent_state set givers = '{crm:2}'"))
    assert people.reached() == [("son", MOTHER)]


def test_only_those_asked_about_are_told(people):
    people.are("aliya", MOTHER)
    people.are("boris", SON)
    people.said(MOTHER)
    people.said(SON)
    assert people.reached(persons=["boris"]) == [("boris", SON)]
    assert people.reached(persons=[]) == []
