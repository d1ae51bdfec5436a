"""kill -9 at every stage while people are written to a CRM or a mailer, then a rerun: each has one contact there."""

from collections import Counter
from itertools import count

import pytest

from connectors.bitrix24 import sandbox as bitrix24
from connectors.sdk.testing.sandbox import served
from connectors.unisender import sandbox as unisender
from dagster_project.home import home
from dagster_project.steps.status import violations
from tests.dagster_project.steps.activation.conftest import ALIYA, Mailer, email
from tests.scenarios.audience import Audience, Network
from tests.scenarios.test_audience_in_trouble import recovers
from tests.scenarios.test_killed_while_delivering import STAGES


def in_crm(portal, _):
    return Counter((one["NAME"], one["EMAIL"][0]["VALUE"]) for one in portal.crm["CONTACT"].values())


def in_mailer(account, _):
    return Counter((one.fields["Name"], one.email) for one in account.contacts.values())


CREATES = {"create": True}
BOOKS = {
    "bitrix24": Network(bitrix24, "email", in_crm, lambda portal, _: 1, "write", push=CREATES),
    "unisender": Network(unisender, "email", in_mailer, lambda account, _: 1, "importContacts", push=CREATES),
}


@pytest.fixture(params=BOOKS)
def book(request, store, now, monkeypatch):
    """Aliya is written already."""
    made = Audience(store, now, home(), Mailer(), network=BOOKS[request.param], capability="customer.push")
    made.platform = made.network.module.sandbox(limits="off", clock=made.clock)
    with served(made.platform.sandbox) as url:
        made.connects(request.param, url, monkeypatch.setenv)
        made.knows(ALIYA)
        goes_by(made, ALIYA, ALIYA)
        made.decides()
        made.delivers()
        assert made.shows() == {(ALIYA, email(ALIYA)): 1}
        yield made


def goes_by(book, person, name):
    book.say("update identity.golden set first_name = :n where person_id = :p", n=name, p=person)
    book.dirty(person, entity="buyer")


@pytest.mark.slow
@pytest.mark.parametrize("stage", STAGES)
def test_whenever_the_sender_is_killed_everybody_has_one_contact(book, a_worker, stage):
    worker, people = a_worker(), {ALIYA: ALIYA}
    for time in count(1):
        newcomer = f"newcomer{time}"
        book.knows(newcomer)
        people |= {ALIYA: f"Aliya {time}", newcomer: newcomer}
        for person in (ALIYA, newcomer):
            goes_by(book, person, people[person])
        book.decides()
        book.platform.sandbox.journal.clear()
        first = worker.delivers(book, "customer.push", die=(stage, time))
        book.has_handled(first["left"])
        recovers(book)
        assert book.shows() == {(name, email(person)): 1 for person, name in people.items()}, (stage, time)
        assert set(book.settled().values()) == {"in_sync"}, (stage, time)
        assert violations(book.store, book.hub) == []
        if not first["killed"]:
            break
    known = book.all("select count(*) as n, count(external_id) as told, count(distinct external_id) as apart "
                     "from ledger.item where capability = 'customer.push'")  # fmt: skip
    assert known == [(len(people),) * 3], "each by a receipt of his own, also who was written without an answer"
    assert time > 1, "it was killed at every such step"
