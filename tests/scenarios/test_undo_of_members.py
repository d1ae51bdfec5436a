"""A plan of who is in an audience is taken back: who came by it goes, who went by it comes back, nobody else moves."""

import pytest

from dagster_project.steps.status import violations
from tests.dagster_project.steps.activation.conftest import ALIYA, BORIS, DANA
from tests.scenarios.test_audience_in_trouble import addresses


@pytest.fixture
def moved(audience):
    """By the last plan Boris went and Dana came; Aliya was there before and stays."""
    audience.consists_of(ALIYA, BORIS)
    audience.delivers()
    audience.consists_of(ALIYA, DANA)
    audience.delivers()
    assert audience.shows() == addresses(ALIYA, DANA)
    audience.platform.sandbox.journal.clear()
    return audience


def takes_back(audience):
    """Person → why nothing is restored of him, by undoing the plan by which they moved."""
    plan = audience.plans()[1].plan
    return {row["subject"].partition("/")[2]: row["left_alone"] for row in audience.takes_back(plan)}


def refuses(audience, person):
    """The word is there; nothing was decided about it yet."""
    if audience.network.channel is None:
        pytest.skip("a record about a person asks for no consent")
    audience.says(person, "refused", channel=audience.network.channel)
    audience.say("delete from hub.dirty")


def test_who_came_by_the_plan_goes_and_who_went_by_it_comes_back(moved):
    assert takes_back(moved) == {BORIS: None, DANA: None}
    moved.delivers()
    assert moved.shows() == addresses(ALIYA, BORIS)
    assert violations(moved.store, moved.hub) == []


def test_taken_back_twice_it_changes_nothing_more(moved):
    takes_back(moved)
    assert all(takes_back(moved).values()), "it waits already"
    moved.delivers()
    moved.platform.sandbox.journal.clear()
    assert all(takes_back(moved).values()), "it was done already"
    moved.decides_in_full()
    moved.delivers()
    assert moved.shows() == addresses(ALIYA, BORIS)
    assert moved.settled() == {ALIYA: "in_sync", BORIS: "held", DANA: "held"}
    assert not [one for one in moved.platform.sandbox.journal if not moved.platform.sandbox.reads(one)]


def test_who_went_and_has_refused_since_does_not_come_back(moved):
    refuses(moved, BORIS)
    left_alone = takes_back(moved)
    assert "may not be reached" in left_alone[BORIS]
    assert left_alone[DANA] is None
    moved.delivers()
    assert moved.shows() == addresses(ALIYA)


def test_who_refuses_while_the_way_back_waits_does_not_come_back_either(moved):
    assert takes_back(moved) == {BORIS: None, DANA: None}
    refuses(moved, BORIS)
    moved.delivers()
    assert moved.shows() == addresses(ALIYA)
