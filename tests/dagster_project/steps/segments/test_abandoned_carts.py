"""Whose cart is left behind, and who bought, ordered or put back the goods somewhere else."""

import pytest


def test_a_cart_is_abandoned_after_hours_unless_it_was_bought_somewhere(town):
    town.writes("abandoned", {"abandoned_cart": {"idle": "4h", "within": "7d"}})
    town.lives("ANNA", "BOLAT", "DINA")
    town.fills_a_cart("ANNA", "LAMP", "SOFA")
    town.fills_a_cart("BOLAT", "LAMP")
    town.looks()
    town.passes(hours=3)
    town.buys("BOLAT", "LAMP", channel="store")
    town.buys("ANNA", "CARE", channel="store")
    town.looks()
    assert town.members("abandoned") == set()
    town.passes(hours=1)
    town.looks()
    assert town.members("abandoned") == set(), "four hours are not over before they are"
    town.passes(minutes=1)
    town.looks()
    assert town.members("abandoned") == {"ANNA"}
    town.buys("ANNA", "SOFA", channel="kiosk")
    town.looks()
    assert town.members("abandoned") == set()


@pytest.mark.parametrize("told", ["by its system", "by a receipt"])
def test_goods_that_were_bought_and_came_back_are_meant_by_no_cart_and_remind_nobody(town, told):
    """What was tried is not what was forgotten: the segment and the mart say the same."""
    town.writes("abandoned", {"abandoned_cart": {"idle": "4h", "within": "7d"}})
    town.lives("ANNA")
    town.fills_a_cart("ANNA", "LAMP")
    town.passes(hours=1)
    bought = town.buys("ANNA", "LAMP", status="returned" if told == "by its system" else "completed")
    town.passes(hours=4)
    if told == "by a receipt":
        town.brings_back("ANNA", bought, "LAMP")
    town.looks()
    assert town.members("abandoned") == set()
    assert town.all("select sku from mart.cart") == []


def test_who_still_fills_a_cart_in_another_channel_has_left_none_behind(town):
    town.writes("abandoned", {"abandoned_cart": {"idle": "4h", "within": "7d"}})
    town.lives("ANNA")
    town.fills_a_cart("ANNA", "LAMP")
    town.passes(hours=5)
    town.fills_a_cart("ANNA", "SOFA", channel="app")
    town.looks()
    assert town.members("abandoned") == set(), "the site's cart is idle, she is not"
    town.passes(hours=4, minutes=1)
    town.looks()
    assert town.members("abandoned") == {"ANNA"}


@pytest.mark.parametrize("state", ["ordered", "dropped"])
def test_goods_that_a_later_cart_elsewhere_says_are_ordered_or_put_back_remind_nobody(town, state):
    town.writes("abandoned", {"abandoned_cart": {"idle": "4h", "within": "7d"}})
    town.lives("ANNA", "BOLAT")
    for person, sku in (("ANNA", "LAMP"), ("BOLAT", "SOFA")):
        town.fills_a_cart(person, "LAMP")
        town.passes(minutes=5)
        town.fills_a_cart(person, sku, channel="app", state=state)
    town.passes(hours=5)
    town.looks()
    assert town.members("abandoned") == {"BOLAT"}, "what he ordered or put back in the app was something else"


def test_a_cart_of_last_week_reminds_nobody(town):
    town.writes("abandoned", {"abandoned_cart": {"idle": "4h", "within": "7d"}})
    town.lives("ANNA")
    town.fills_a_cart("ANNA", "LAMP")
    town.passes(days=1)
    town.looks()
    assert town.members("abandoned") == {"ANNA"}
    town.passes(days=7)
    town.looks()
    assert town.members("abandoned") == set()
