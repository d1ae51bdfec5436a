"""An audience that gets another name, people who get another address, and a platform where somebody helped by hand."""

import pytest

from dagster_project.steps.reconcile import reconcile
from dagster_project.steps.rules import decide_due
from dagster_project.steps.status import violations
from tests.dagster_project.steps.activation.conftest import ALIYA, BORIS, email
from tests.scenarios.audience import AUDIENCE, NEW_ADDRESS, SEGMENT
from tests.scenarios.test_audience_in_trouble import recovers


@pytest.fixture
def reached(audience):
    if audience.network.channel is None:
        pytest.skip("a record about a person is found by its own number and asks for no consent")


by_address = pytest.mark.usefixtures("reached")


def goes_on(audience):
    """Two passes: who moves is taken out by the first and shown anew by the second."""
    for _ in range(2):
        decide_due(audience.store, audience.hub, now=audience.now)
        audience.delivers()
        audience.passes(minutes=1)
    assert violations(audience.store, audience.hub) == []


@pytest.fixture
def peopled(audience):
    audience.consists_of(ALIYA, BORIS)
    goes_on(audience)
    assert audience.shows() == {email(ALIYA), email(BORIS)}
    return audience


def test_who_is_in_an_audience_that_is_renamed_leaves_the_old_one_for_the_new(peopled):
    peopled.activates(SEGMENT, "owners of sofas")
    goes_on(peopled)
    assert peopled.shows(AUDIENCE) == set()
    assert peopled.shows("owners of sofas") == {email(ALIYA), email(BORIS)}
    assert peopled.settled() == {ALIYA: "in_sync", BORIS: "in_sync"}


@by_address
def test_who_refuses_while_he_moves_is_in_neither(peopled):
    peopled.activates(SEGMENT, "owners of sofas")
    decide_due(peopled.store, peopled.hub, now=peopled.now)
    peopled.says(BORIS, "refused", channel=peopled.network.channel)
    peopled.delivers()
    goes_on(peopled)
    assert peopled.shows(AUDIENCE) == set()
    assert peopled.shows("owners of sofas") == {email(ALIYA)}


@by_address
def test_a_member_with_another_address_is_shown_by_the_new_one_and_by_no_other(peopled):
    peopled.has_another_address(ALIYA, NEW_ADDRESS)
    goes_on(peopled)
    assert peopled.shows() == {NEW_ADDRESS, email(BORIS)}
    assert peopled.settled() == {ALIYA: "in_sync", BORIS: "in_sync"}
    sandbox = peopled.platform.sandbox
    sandbox.journal.clear()
    peopled.moved(ALIYA)
    goes_on(peopled)
    assert all(sandbox.reads(one) for one in sandbox.journal), "once"


@by_address
def test_a_member_whose_addition_had_no_answer_is_shown_by_the_new_address_and_by_no_other(audience):
    audience.platform.sandbox.faults.set("lost_reply", match=audience.network.joining, times=1)
    audience.consists_of(ALIYA, BORIS)
    recovers(audience)
    assert audience.shows() == {email(ALIYA), email(BORIS)}
    audience.has_another_address(ALIYA, NEW_ADDRESS)
    goes_on(audience)
    assert audience.shows() == {NEW_ADDRESS, email(BORIS)}


@by_address
def test_a_member_without_an_address_leaves_and_comes_back_with_one(peopled):
    peopled.say("update canonical.customer set emails = '{}' where external_id = :p", p=ALIYA)
    peopled.moved(ALIYA)
    goes_on(peopled)
    assert peopled.shows() == {email(BORIS)}
    peopled.has_another_address(ALIYA, NEW_ADDRESS)
    goes_on(peopled)
    assert peopled.shows() == {NEW_ADDRESS, email(BORIS)}


def test_somebody_taken_out_by_hand_is_noticed_within_a_week_and_brought_back(peopled):
    if peopled.network.takes_out is None:
        pytest.skip("this platform shows nobody who is in an audience")
    peopled.network.takes_out(peopled.platform, email(ALIYA))
    peopled.passes(days=7)
    found = reconcile(peopled.store, peopled.hub, peopled.hub[peopled.name], "segment.push", now=peopled.now)
    assert (found.compared, found.drifted) == (2, 1)
    goes_on(peopled)
    assert peopled.shows() == {email(ALIYA), email(BORIS)}
