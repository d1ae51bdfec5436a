"""Days after a sofa its buyer enters, at a polite hour, unless it came back or its care set was bought."""

from datetime import timedelta

import pytest

from tests.dagster_project.steps.segments.conftest import DAY

SOFA_CARE = {"bought": {"category": "Sofas", "older_than": "14d", "within": "30d", "without": {"category": "Care"}}}


@pytest.fixture
def sofas(town):
    """14 days after a sofa, at a polite hour, unless it came back or its care set was bought. It is 10 o'clock."""
    town.sells("SOFA", "Sofas/Corner")
    town.sells("CARE", "Care")
    town.writes("sofa_care", SOFA_CARE, hours={"from": 10, "to": 20})
    town.lives("VIKTOR")
    town.looks()
    return town


def test_a_follow_up_waits_its_days_and_for_a_polite_hour(sofas):
    sofas.buys("VIKTOR", "SOFA")
    sofas.looks()
    sofas.passes(days=13, hours=16)
    sofas.looks()
    assert sofas.members("sofa_care") == set(), "the fourteenth day has come, and it is two in the morning"
    sofas.passes(hours=8)
    sofas.say("update hub.dirty set due = least(due, now())")
    sofas.looks()
    assert sofas.members("sofa_care") == {"VIKTOR"}


def test_who_waits_for_the_morning_is_dirty_from_then_on(sofas):
    sofas.buys("VIKTOR", "SOFA")
    sofas.looks()
    sofas.passes(days=13, hours=16)
    sofas.looks()
    [waits] = sofas.all("select * from hub.dirty where entity = 'person'")
    assert (waits.subject, waits.because) == ("VIKTOR", "sofa_care waited for a polite hour")
    assert waits.due == sofas.now + timedelta(hours=8)


@pytest.mark.parametrize("brought_by", ["VIKTOR", None])
def test_a_follow_up_is_cancelled_if_the_sofa_comes_back_in_any_shop(sofas, brought_by):
    bought = sofas.buys("VIKTOR", "SOFA", channel="site")
    sofas.passes(days=20)
    sofas.looks()
    assert sofas.members("sofa_care") == {"VIKTOR"}
    sofas.brings_back("VIKTOR", bought, channel="store", known=brought_by is not None)
    sofas.looks()
    assert sofas.members("sofa_care") == set()


def test_one_of_two_sofas_that_comes_back_leaves_one(sofas):
    bought = sofas.buys("VIKTOR", "SOFA", quantity=2)
    sofas.brings_back("VIKTOR", bought)
    sofas.passes(days=20)
    sofas.looks()
    assert sofas.members("sofa_care") == {"VIKTOR"}


def test_one_of_two_lines_of_a_receipt_that_comes_back_leaves_one(sofas):
    bought = sofas.buys("VIKTOR", "SOFA")
    sofas.say(
        "insert into canonical.order_line (connection, external_id, line, sku, quantity, total) "
        "values ('till', :receipt, '2', 'SOFA', 1, 1000)",
        receipt=bought.partition(":")[2],
    )
    sofas.brings_back("VIKTOR", bought)
    sofas.passes(days=20)
    sofas.looks()
    assert sofas.members("sofa_care") == {"VIKTOR"}
    sofas.brings_back("VIKTOR", bought)
    sofas.looks()
    assert sofas.members("sofa_care") == set()


def test_a_sofa_that_comes_back_without_its_receipt_is_the_one_that_was_bought_last(sofas):
    sofas.buys("VIKTOR", "SOFA")
    sofas.passes(days=10)
    sofas.buys("VIKTOR", "SOFA")
    sofas.brings_back("VIKTOR", None)
    sofas.passes(days=10)
    sofas.looks()
    assert sofas.members("sofa_care") == {"VIKTOR"}
    sofas.brings_back("VIKTOR", None)
    sofas.looks()
    assert sofas.members("sofa_care") == set()


@pytest.mark.parametrize(("came_back", "left"), [(2, {"VIKTOR"}), (3, set())])
def test_a_return_without_its_receipt_goes_as_far_as_its_quantity(sofas, came_back, left):
    sofas.buys("VIKTOR", "SOFA")
    sofas.passes(days=1)
    again = sofas.buys("VIKTOR", "SOFA", quantity=3)
    sofas.passes(days=18)
    sofas.brings_back("VIKTOR", again)
    sofas.brings_back("VIKTOR", None, quantity=came_back)
    sofas.passes(hours=1)
    sofas.buys("VIKTOR", "SOFA")
    sofas.looks()
    assert sofas.members("sofa_care") == left


def test_who_bought_the_accessory_elsewhere_is_not_offered_it(sofas):
    sofas.buys("VIKTOR", "SOFA", channel="store")
    sofas.passes(days=3)
    sofas.buys("VIKTOR", "CARE", channel="site")
    sofas.passes(days=17)
    sofas.looks()
    assert sofas.members("sofa_care") == set()


def test_who_brought_the_accessory_back_is_offered_it_again(sofas):
    sofas.buys("VIKTOR", "SOFA")
    sofas.passes(days=3)
    bought = sofas.buys("VIKTOR", "CARE", channel="site")
    sofas.passes(days=17)
    sofas.looks()
    assert sofas.members("sofa_care") == set()
    sofas.brings_back("VIKTOR", bought, "CARE")
    sofas.looks()
    assert sofas.members("sofa_care") == {"VIKTOR"}


def test_an_accessory_for_an_older_sofa_does_not_count(sofas):
    sofas.buys("VIKTOR", "CARE", ago=100 * DAY)
    sofas.buys("VIKTOR", "SOFA")
    sofas.passes(days=20)
    sofas.looks()
    assert sofas.members("sofa_care") == {"VIKTOR"}


def test_a_follow_up_ends_with_its_time(sofas):
    sofas.buys("VIKTOR", "SOFA")
    sofas.passes(days=20)
    sofas.looks()
    sofas.passes(days=11)
    sofas.looks()
    assert sofas.members("sofa_care") == set()
