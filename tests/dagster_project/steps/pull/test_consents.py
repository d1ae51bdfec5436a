"""Consents are heard once and never changed; whoever wants to be left alone is, whatever comes later."""

from datetime import timedelta

import pytest
from sqlalchemy import text

from dagster_project.store.people.consent import may_reach
from dagster_project.store.people.keyring import keys
from dagster_project.store.people.statements import broken_links

EIGHT, NINE, TEN = (f"2026-03-02T{hour}:00:00+05:00" for hour in ("08", "09", "10"))
ANN, BEN = "ann@shop.example", "ben@shop.example"


def said(number, state="granted", at=NINE, by="person", contact=ANN, **more):
    told = {"id": number, "buyer": "7", "of": "email", "contact": contact, "channel": "email", "state": state}
    return {**told, "by": by, "at": at, "form": {"page": "signup", "ip": "192.0.2.7"}, **more}


def event(kind, at=TEN, **more):
    return {"id": f"{kind}-{at}", "email": ANN, "at": at, "channel": "email", "kind": kind, **more}


class Mail:
    """A platform with one reader, Ann, who is a person already."""

    def __init__(self, shop):
        self.shop = shop
        with shop.store.begin() as db:
            seal = keys().seal(ANN, "email")
            db.execute(
                text(
                    "insert into canonical.customer (connection, external_id, emails, source) "
                    "values ('market', '7', array[:email], '{}')"
                ),
                {"email": seal},
            )
            db.execute(
                text("insert into identity.source_record (record, connection, external_id) values (1, 'market', '7')")
            )
            db.execute(text("insert into identity.membership values (1, 'ann', now())"))

    def hears(self, *statements):
        self.shop["market"].says("consents", *statements)
        return self.shop.reads("market", "consents").changed

    def sees(self, *events):
        self.shop["market"].says("contacts", *events)
        return self.shop.reads("market", "contacts").changed

    def reaches(self):
        with self.shop.store.connect() as db:
            return may_reach(db, None, "email", now=self.shop.now)["identifier"].to_pylist()

    def suppressed(self):
        return self.shop.rows("select channel, reason from privacy.suppression order by 1, 2")


@pytest.fixture
def mail(shop):
    return Mail(shop)


def test_a_consent_makes_reachable_and_concerns_its_person(mail):
    assert mail.hears(said("1")) == 1
    assert mail.reaches() == [ANN]
    assert ("consent", "ann") in mail.shop.dirty()


def test_a_statement_heard_again_is_not_repeated(mail):
    mail.hears(said("1"))
    assert mail.shop.reads("market", "consents", full=True).changed == 0
    assert mail.hears(said("1", note="of no weight")) == 0


def test_neither_contact_nor_evidence_stand_there_in_clear(mail):
    mail.hears(said(f"letter:{ANN}"))
    [row] = mail.shop.rows("select row_to_json(e)::text, row_to_json(s)::text "
                           "from canonical.consent_event e, privacy.consent_state s")  # fmt: skip
    assert not any(clear in whole for whole in row for clear in ("ann@", "shop.example", "192.0.2.7"))


def test_a_list_imported_later_brings_nobody_back(mail):
    mail.hears(said("1", at=EIGHT), said("2", "refused", NINE))
    mail.hears(said("3", at=TEN, by="platform"), said("4", at=TEN, by="import"))
    assert mail.reaches() == []
    assert mail.suppressed() == [("email", "refused")]


def test_the_persons_own_later_word_does(mail):
    mail.hears(said("2", "refused", NINE))
    mail.hears(said("3", at=TEN))
    assert mail.reaches() == [ANN]


def test_a_mistyped_year_makes_no_consent_that_outlives_every_refusal(mail):
    mail.hears(said("1", at="2036-03-02T09:00:00+05:00"))
    assert mail.shop.aside() == {("consents", "1", "yet_to_come")}
    mail.hears(said("2", "refused"))
    assert mail.reaches() == []
    mail.hears(said("1", at=TEN))
    assert mail.reaches() == [ANN]
    assert mail.shop.aside() == set()


def test_a_clock_before_ours_by_hours_is_believed(mail):
    mail.hears(said("1", at="2026-03-03T09:00:00+05:00"))
    assert mail.reaches() == [ANN]


def test_a_refusal_of_a_mistyped_year_counts_from_when_it_is_learnt_and_once(mail):
    mail.hears(said("1", at=EIGHT))
    mail.hears(said("1", "refused", "2036-03-02T09:00:00+05:00"))
    assert mail.reaches() == []
    mail.shop.now += timedelta(hours=2)
    mail.hears(said("3", at="2026-03-02T11:00:00+05:00"))
    assert mail.hears(said("1", "refused", "2036-03-02T09:00:00+05:00", note="of no weight")) == 0
    assert mail.reaches() == [ANN]


@pytest.mark.parametrize("kind", ["unsubscribed", "complained"])
def test_whoever_unsubscribes_anywhere_is_left_alone_everywhere(mail, kind):
    mail.hears(said("1"))
    mail.shop.dirty()
    mail.sees(event(kind))
    assert mail.reaches() == []
    assert mail.suppressed() == [("email", kind)]
    assert ("consent", "ann") in mail.shop.dirty()


def test_a_platform_that_names_only_its_customer_means_his_address(mail):
    mail.hears(said("1"))
    mail.sees(event("unsubscribed", email=None, buyer="7"))
    assert mail.reaches() == []


def test_a_dead_address_is_left_alone_and_a_full_one_is_not(mail):
    mail.hears(said("1"))
    mail.sees(event("bounced", details={"bounce": "soft"}))
    assert mail.reaches() == [ANN]
    mail.sees(event("bounced", at="2026-03-02T11:00:00+05:00", details={"bounce": "hard"}))
    assert mail.reaches() == []
    assert mail.suppressed() == [("email", "bounced")]


def test_the_chain_holds_until_somebody_changes_an_old_row(mail):
    mail.hears(said("1"), said("2", "refused"), said("3", contact=BEN, buyer="8"))
    mail.hears(said("4", at=TEN))
    with mail.shop.store.begin() as db:
        assert broken_links(db) == []
        db.execute(text("update canonical.consent_event set state = 'granted' where state = 'refused'"))
        assert len(broken_links(db)) == 1


@pytest.mark.parametrize(
    "deed",
    [
        "delete from canonical.consent_event where seq = (select min(seq) + 1 from canonical.consent_event)",
        "update canonical.consent_event set at = at - interval '1 day' where external_id = '1'",
        "update canonical.consent_event set identifier = 'siv:AAAA' where external_id = '1'",
        "update canonical.consent_event set hash = decode(repeat('00', 32), 'hex') where external_id = '1'",
    ],
)
def test_no_way_of_tampering_goes_unseen(mail, deed):
    mail.hears(said("1"), said("2", "refused"), said("3", at=TEN))
    with mail.shop.store.begin() as db:
        db.execute(text(deed))
        assert broken_links(db)


def test_the_chain_outlives_what_is_erased(mail):
    mail.hears(said("1"), said("2", "refused"))
    with mail.shop.store.begin() as db:
        db.execute(text("update canonical.consent_event set identifier = null, customer = null, evidence = '{}'"))
        assert broken_links(db) == []
