"""What vendors say of people lies sealed as a whole; what they say of goods can be read by anybody who may query."""

import json

import pytest
from sqlalchemy import text

from dagster_project.steps.land import Landed
from dagster_project.store.people import payloads
from mappings.privacy.forget import Traces

ALIYA = {
    "id": "c1",
    "name": "Әлия Сейтова",
    "phones": ["+77010000101"],
    "city": "Almaty",
    "note": "call +7 701 000 01 01",
}
TIMUR = {"id": "c2", "name": "Timur Abaev", "phones": ["+77010000202"], "city": "Almaty"}
OF_ALIYA = Traces(phones=frozenset({"+77010000101"}), texts=frozenset({"Әлия Сейтова"}))
PUT = text("update raw_market.people set payload = cast(:payload as jsonb) where key = :key")


@pytest.fixture
def people(shop):
    shop["market"].says("people", ALIYA, TIMUR)
    assert shop.land("market", "people") == Landed(read=2, landed=2)
    return shop


def stored(shop) -> list[str]:
    return [one for (one,) in shop.rows("select payload::text from raw_market.people order by key")]


def test_a_card_lies_sealed_in_raw_and_is_mapped_all_the_same(people):
    assert all(one.startswith('"siv:') for one in stored(people))
    assert people.map("market", "people").stored == 2
    cities = people.rows("select external_id, city from canonical.customer order by 1")
    assert cities == [("c1", "Almaty"), ("c2", "Almaty")]


def test_a_card_that_did_not_change_is_no_news_though_it_is_sealed(people):
    assert people.land("market", "people") == Landed(read=2, unchanged=2)
    people["market"].says("people", {**TIMUR, "city": "Astana"})
    assert people.land("market", "people") == Landed(read=2, landed=1, unchanged=1)


def test_goods_are_not_sealed(shop):
    shop["erp"].says("goods", {"id": "p1", "code": "A", "name": "Mug"})
    shop.land("erp", "goods")
    assert shop.rows("select payload ->> 'name' from raw_erp.goods") == [("Mug",)]


def test_cards_from_before_there_was_a_seal_are_read_as_they_are(people):
    with people.store.begin() as db:
        db.execute(PUT, {"key": "c1", "payload": json.dumps(ALIYA)})
    assert people.map("market", "people").stored == 2


@pytest.mark.parametrize("sealed", [True, False])
def test_a_person_is_found_in_payloads_and_goes_out_of_them(people, monkeypatch, sealed):
    monkeypatch.setattr(payloads, "AT_ONCE", 1)
    with people.store.begin() as db:
        if not sealed:
            db.execute(PUT, {"key": "c1", "payload": json.dumps(ALIYA)})
        [(_, before)] = payloads.telling(db, "raw_market.people", OF_ALIYA)
        after = payloads.rewritten(before, OF_ALIYA)
        assert after.startswith('"siv:') is sealed
        assert payloads.reader()(after) == {**ALIYA, "name": "", "phones": [""], "note": "call "}
        db.execute(PUT, {"key": "c1", "payload": after})
        assert list(payloads.telling(db, "raw_market.people", OF_ALIYA)) == []
