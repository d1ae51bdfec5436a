"""What people agreed to, as a person at the desk asks and keeps it; whoever looks at clear text is written down."""

from datetime import datetime
from zoneinfo import ZoneInfo

import pytest
from sqlalchemy import text

from dagster_project.store.people.keyring import keys

ANN = "+77000000001"


def test_a_consent_is_kept_with_its_evidence_and_shown(street):
    said = ("consent", "set", "8 700 000 00 01", "granted", "--channel", "sms", "--evidence", "form 12")
    [kept] = street.told(*said)
    assert (kept["channel"], kept["purpose"], kept["state"]) == ("sms", "marketing", "granted")
    assert street.told("consent", "show", ANN) == [kept]
    assert street.rows("select by, state from canonical.consent_event") == [("person", "granted")]


def test_a_consent_for_a_time_ends_on_its_day(street):
    words = ("consent", "set", ANN, "--channel", "sms", "--evidence", "form 12", "--until")
    [kept] = street.told(*words, "2999-03-31", "granted")
    assert datetime.fromisoformat(kept["expires_at"]) == datetime(2999, 3, 31, tzinfo=ZoneInfo("Asia/Almaty"))
    assert "is no day" in street.refuses(*words, "31.03.2999", "granted")
    assert "is not to come" in street.refuses(*words, "2020-03-31", "granted")
    assert "--until is of a consent" in street.refuses(*words, "2999-03-31", "refused")


def test_a_refusal_at_the_desk_stops_the_channel_everywhere(street):
    street.told("consent", "set", ANN, "refused", "--channel", "sms", "--evidence", "a call")
    assert street.rows("select channel, reason from privacy.suppression") == [("sms", "refused")]


def test_of_whom_nothing_is_known_nothing_may_be_sent(street):
    assert "nothing may be sent" in street.keruen("consent", "show", ANN).stdout


def test_what_is_no_contact_is_refused_without_being_repeated(street):
    words = ("consent", "set", "ann at shop", "granted", "--channel", "sms", "--evidence", "x")
    assert "neither a phone nor an e-mail" in street.refuses(*words)
    assert "there is no channel pigeon" in street.refuses(
        "consent", "set", ANN, "granted", "--channel", "pigeon", "--evidence", "x"
    )
    assert "write granted or refused" in street.refuses(
        "consent", "set", ANN, "yes", "--channel", "sms", "--evidence", "x"
    )


def test_who_is_nobody_is_not_answered_for(street):
    for nobody in ("(700) 000 00 01", "ann@shop", "crm:nobody"):
        refused = street.refuses("consent", "show", nobody)
        assert "nobody's id" in refused
        assert nobody not in refused


@pytest.mark.parametrize("customer", ["101", "crmm:101", "crm:"])
def test_a_mistyped_customer_does_not_come_into_the_chain(street, customer):
    words = ("consent", "set", ANN, "granted", "--channel", "sms", "--evidence", "form", "--customer", customer)
    assert "--customer names a connection" in street.refuses(*words)
    assert street.rows("select count(*) from canonical.consent_event") == [(0,)]


@pytest.fixture
def member(street):
    """crm:101 is a person, crm:102 nobody."""
    street.drops("crm", "customers", [{"external_id": "101"}])
    with street.store.begin() as db:
        db.execute(
            text("insert into identity.source_record (record, connection, external_id) values (1, 'crm', '101')")
        )
        db.execute(text("insert into identity.membership values (1, 'P1', now())"))
    return street


def test_a_customer_nobody_knows_and_empty_evidence_do_not_come_into_the_chain(member):
    words = ("consent", "set", ANN, "granted", "--channel", "sms", "--evidence")
    assert "nobody is known by that --customer" in member.refuses(*words, "form", "--customer", "crm:102")
    assert "--evidence is empty" in member.refuses(*words, " ", "--customer", "crm:101")
    assert member.rows("select count(*) from canonical.consent_event") == [(0,)]
    member.told(*words, "form", "--customer", "crm:101")
    assert member.rows("select connection, customer from canonical.consent_event") == [("crm", "101")]


def test_nobody_is_erased_by_an_unknown_id(street):
    assert "nobody is known as" in street.refuses("person", "erase", "nobody", "--basis", "x", "--yes")


def test_a_query_shows_seals_and_with_open_the_contacts_and_who_looked(street):
    street.told("consent", "set", ANN, "granted", "--channel", "sms", "--evidence", "form 12")
    query = "select identifier from canonical.consent_event"
    assert street.told("sql", query) == [{"identifier": keys().seal(ANN, "phone")}]
    assert street.told("sql", "--open", query) == [{"identifier": ANN}]
    with street.store.connect() as db:
        [looked] = db.execute(text("select purpose, object, fields, rows from privacy.access_log")).all()
    assert tuple(looked) == ("sql --open", query, ["identifier"], 1)
