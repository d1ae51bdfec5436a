"""Points that nobody spent in their time end, once, whatever happens to those that they ended."""

from datetime import timedelta

import pytest
from dagster import materialize

from dagster_project import clock
from dagster_project.connections import parse
from dagster_project.factories import people
from dagster_project.steps.people.points import Ended, expire_points

OLD, RECENT = "2025-01-10T09:00:00+05:00", "2026-02-20T09:00:00+05:00"
A_YEAR = "hub: {loyalty: {life: 365d}}"


def points(number, count, at=OLD, **more):
    return {"id": number, "buyer": "7", "at": at, "points": str(count), "reason": "purchase", **more}


@pytest.fixture
def night(shop):
    def passes(settings=A_YEAR, **later):
        shop.now += timedelta(**later)
        return expire_points(shop.store, parse(settings, {}), now=shop.now)

    return passes


def ledger(shop):
    return shop.rows("select external_id, points::int, reason from canonical.loyalty_entry "
                     "where deleted_at is null order by 1")  # fmt: skip


def balances(shop):
    return shop.rows("select holder, balance::int from canonical.loyalty_balance order by 1")


def test_what_was_not_spent_within_a_year_ends_once(shop, night):
    shop["market"].says("points", points("1", 100), points("2", -30), points("3", 50, RECENT))
    shop.reads("market", "points")
    shop.dirty()
    assert night() == Ended(booked=1)
    assert ledger(shop)[1] == ("1/expiry", -70, "expiry")
    assert balances(shop) == [("market:7", 50)]
    assert shop.dirty() == {("customer", "market:7")}, "segments may ask for a balance"
    assert night(days=1) == Ended()
    assert night(days=400) == Ended(booked=1)
    assert balances(shop) == [("market:7", 0)]


def test_a_full_reading_of_the_source_leaves_what_the_hub_booked(shop, night):
    shop["market"].says("points", points("1", 100), points("2", 5, RECENT))
    shop.reads("market", "points", full=True)
    night()
    shop["market"].forgets("points", "2")
    shop.reads("market", "points", full=True)
    assert ledger(shop) == [("1", 100, "purchase"), ("1/expiry", -100, "expiry")]


def test_an_entry_that_its_source_withdraws_takes_its_end_with_it(shop, night):
    shop["market"].says("points", points("1", 100), points("2", 5, RECENT))
    shop.reads("market", "points", full=True)
    night()
    shop["market"].forgets("points", "1")
    shop.reads("market", "points", full=True)
    assert night() == Ended(taken_back=1)
    assert balances(shop) == [("market:7", 5)]
    shop["market"].says("points", points("1", 100))
    shop.reads("market", "points", full=True)
    assert night() == Ended(booked=1)
    assert balances(shop) == [("market:7", 5)]


def test_what_is_left_again_of_points_that_ended_ends_too_once(shop, night):
    shop["market"].says("points", points("1", 100), points("2", -30), points("3", 5, RECENT))
    shop.reads("market", "points", full=True)
    night()
    shop["market"].forgets("points", "2")
    shop.reads("market", "points", full=True)
    assert balances(shop) == [("market:7", 35)]
    assert [night(), night(days=1)] == [Ended(booked=1), Ended()]
    assert balances(shop) == [("market:7", 5)]
    shop["market"].says("points", points("4", 50, "2025-01-09T09:00:00+05:00"))
    shop.reads("market", "points")
    assert [night(), night(days=1)] == [Ended(booked=1), Ended()]
    ended = [one for one in ledger(shop) if one[2] == "expiry"]
    assert ended == [("1/expiry", -70, "expiry"), ("1/expiry/2", -30, "expiry"), ("1/expiry/3", -50, "expiry")]
    shop["market"].forgets("points", "1")
    shop.reads("market", "points", full=True)
    assert night() == Ended(booked=1, taken_back=3), "the late one ends by itself then"
    assert balances(shop) == [("market:7", 5)]


def test_points_of_one_person_are_spent_oldest_first_whichever_system_gave_them(shop, night):
    shop["market"].says("points", points("1", 100))
    shop["erp"].says("points", points("9", -100, RECENT, buyer="C-1"))
    shop.reads("market", "points")
    shop.reads("erp", "points")
    with shop.store.begin() as db:
        db.exec_driver_sql("update canonical.loyalty_entry set person_id = 'aigul'")
    assert night() == Ended()


def test_points_of_a_card_that_nobody_has_shown_end_too(shop, night):
    shop["market"].says("points", points("1", 100, buyer=None, card="C-1"))
    shop.reads("market", "points")
    assert night() == Ended(booked=1)
    assert shop.rows("select balance::int, entries from canonical.loyalty_balance") == [(0, 2)]


def test_where_no_life_is_set_points_stay(shop, night):
    shop["market"].says("points", points("1", 100))
    shop.reads("market", "points")
    assert night("hub: {}") == Ended()


def test_the_night_says_how_many_ended_and_who_has_spent_too_much(shop, monkeypatch):
    shop["market"].says("points", points("1", 100), points("2", -5, buyer="8"))
    shop.reads("market", "points")
    monkeypatch.setattr(clock, "now", lambda: shop.now)
    run = materialize([people.points_asset(parse(A_YEAR, {}))])
    [made] = run.asset_materializations_for_node("golden__points")
    told = {name: made.metadata[name].value for name in ("expired", "taken_back", "overdrawn")}
    assert told == {"expired": 1, "taken_back": 0, "overdrawn": 1}
