"""A consent that was given for a time ends on its day, though nothing arrives on it."""

import json
from datetime import UTC, datetime

import pytest

from dagster_project.steps.people.segments import segments_due
from dagster_project.store.people import statements
from dagster_project.store.people.keyring import keys
from tests.dagster_project.steps.activation.conftest import ALIYA, email

EVA = "eva"
DAY = datetime(2999, 1, 1, tzinfo=UTC)


@pytest.fixture
def known(circle):
    """Whoever has an address is a member."""
    circle.activates("sofas", "sofa buyers", where={"field": "person.email", "op": "exists"})
    return circle


def agrees(circle, person):
    said = {"external_id": person, "customer": None, "identifier_kind": "email", "identifier": email(person),
            "channel": "email", "purpose": "marketing", "state": "granted", "by": "person", "at": circle.now,
            "expires_at": DAY, "text_version": "v1", "evidence": json.dumps({"form": "12"}),
            "source": "{}"}  # fmt: skip
    with circle.store.begin() as db:
        statements.append(db, "site", [said], because="a form")


def looks_and_syncs(circle):
    segments_due(circle.store, circle.hub, now=circle.now)
    circle.syncs()


def its_day_comes(circle):
    circle.now = DAY
    circle.say("update hub.dirty set due = least(due, now())")
    looks_and_syncs(circle)


@pytest.mark.parametrize("steps", [(agrees, "knows"), ("knows", agrees)], ids=["agreed first", "known first"])
def test_a_member_leaves_an_audience_on_the_day_his_consent_runs_out(known, mailer, steps):
    for step in steps:
        known.knows(EVA) if step == "knows" else step(known, EVA)
    looks_and_syncs(known)
    assert mailer.addresses("sofa buyers") == {email(EVA)}
    its_day_comes(known)
    assert mailer.addresses("sofa buyers") == set()


def test_so_does_whoever_turned_out_to_be_the_same_person_before_that_day(known, mailer):
    known.knows(EVA)
    agrees(known, EVA)
    looks_and_syncs(known)
    known.merges(EVA, into=ALIYA)
    address = keys().seal(email(EVA), "email")
    known.say("update identity.golden set email = :e, emails = array[:e] where person_id = :p", e=address, p=ALIYA)
    known.dirty(EVA, ALIYA, entity="person")
    looks_and_syncs(known)
    assert mailer.addresses("sofa buyers") == {email(EVA)}
    its_day_comes(known)
    assert mailer.addresses("sofa buyers") == set()
