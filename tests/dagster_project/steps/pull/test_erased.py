"""Ann asked to be forgotten: what a vendor ever said of her goes, and what it says again stays out."""

import json

import pytest

from dagster_project.steps.people.erase import erase
from dagster_project.steps.people.identify import identify_all
from tests.clear import clear

NOW, OLD, OTHER = "+77010000001", "+77010000002", "+77010000003"
ANN = {"id": "7", "name": "Ann", "born": "1988-03-05", "surname": "Testova"}
BOB = {"id": "8", "name": "Bob", "born": "1988-03-05", "surname": "Testov", "phones": [OTHER]}


@pytest.fixture
def forgotten(shop):
    for phone in (OLD, NOW):
        shop["market"].says("people", {**ANN, "phones": [phone]}, BOB)
        shop.reads("market", "people", full=True)
    shop["market"].says("points", {"id": "1", "buyer": "7", "at": "2026-03-02T09:00:00+05:00", "points": "5"})
    shop.reads("market", "points")
    identify_all(shop.store, shop.hub, now=shop.now)
    report = erase(shop.store, shop.hub, "market:7", basis="letter 1", now=shop.now)
    assert report["proof"] == {"tables": {}, "files": {}}
    assert report["erased"]["raw_market.people"] == 2
    return shop


def payloads(shop):
    query = "select payload from raw_market.people where key = '{}' order by id"
    return [[json.loads(row[0]) for row in clear(shop.store, query.format(key))] for key in ("7", "8")]


def test_nothing_of_her_own_records_is_left_and_the_others_are_as_they_were(forgotten):
    hers, his = payloads(forgotten)
    assert hers == [{}, {}]
    assert his == [BOB]


def test_a_number_she_gave_up_is_known_again(forgotten):
    forgotten["market"].says("people", {"id": "9", "name": "A.", "surname": "Testova", "phones": [OLD]})
    forgotten.reads("market", "people")
    assert forgotten.rows("select external_id from canonical.customer") == [("8",)]
    assert clear(forgotten.store, "select payload from raw_market.people where key = '9'") == [("{}",)]


def test_what_comes_again_of_her_carts_clicks_and_points_comes_without_her(forgotten):
    at = "2026-03-03T09:00:00+05:00"
    forgotten["market"].says("points", *({"id": str(n), "buyer": "7", "at": at, "points": "5"} for n in (2, 3)))
    forgotten["market"].says("contacts", {"id": "1", "buyer": "7", "at": at, "channel": "site", "kind": "opened"})
    forgotten["market"].says("baskets", {"id": "1", "buyer": "7", "at": at, "state": "open", "lines": []})
    forgotten.reads("market", "points", "contacts", "baskets")
    assert forgotten.rows("select customer, count(*) from canonical.loyalty_entry group by 1") == [(None, 3)]
    assert forgotten.rows("select 1 from canonical.contact_event union all select 1 from canonical.cart") == []
    aside = forgotten.rows("select entity, rule from ledger.quarantine order by entity")
    assert aside == [("cart", "erased"), ("contact_event", "erased")]
