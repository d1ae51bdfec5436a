"""Landing: whole or not at all, nothing twice, nothing lost, whatever dies when."""

from datetime import UTC, datetime, timedelta

import pytest

from connectors.sdk import Since
from connectors.sdk.errors import ContractError, TransientError
from connectors.sdk.runtime import Attempt, current
from dagster_project.steps import land as step
from dagster_project.store.locks import alone


def a_product(number: int, name: str = "Mug", updated: str = "2026-03-01T10:00:00+05:00") -> dict:
    return {"id": f"p{number}", "code": f"SKU-{number}", "name": name, "updated": updated}


def names(shop) -> list[tuple[str, str]]:
    return shop.rows("select key, payload ->> 'name' from raw_erp.goods order by id")


def test_a_changed_payload_is_a_new_row_and_an_unchanged_one_is_not(shop):
    shop["erp"].says("goods", a_product(1), a_product(2), a_product(3))
    assert shop.land("erp", "goods") == step.Landed(read=3, landed=3)
    shop["erp"].says("goods", a_product(2, "Cup"))
    assert shop.land("erp", "goods") == step.Landed(read=3, landed=1, unchanged=2)
    assert names(shop) == [("p1", "Mug"), ("p2", "Mug"), ("p3", "Mug"), ("p2", "Cup")]


def test_the_order_of_fields_is_no_change(shop):
    shop["erp"].says("goods", {"id": "p1", "code": "A", "name": "Mug"})
    shop.land("erp", "goods")
    shop["erp"].says("goods", {"name": "Mug", "code": "A", "id": "p1"})
    assert shop.land("erp", "goods").landed == 0


def test_a_record_that_goes_back_to_what_it_was_has_three_rows(shop):
    for name in ("Mug", "Cup", "Mug", "Mug"):
        shop["erp"].says("goods", a_product(1, name))
        shop.land("erp", "goods")
    assert names(shop) == [("p1", "Mug"), ("p1", "Cup"), ("p1", "Mug")]
    assert shop.rows("select payload ->> 'name' from raw_erp.goods_latest") == [("Mug",)]


def test_latest_is_latest_even_when_the_clock_goes_back(shop):
    shop["erp"].says("goods", a_product(1, "Mug"))
    shop.land("erp", "goods")
    shop.now -= timedelta(days=1)
    shop["erp"].says("goods", a_product(1, "Cup"))
    shop.land("erp", "goods")
    assert shop.rows("select payload ->> 'name' from raw_erp.goods_latest") == [("Cup",)]


def test_of_two_states_in_one_reading_the_later_counts(shop):
    shop["erp"].holds["goods"] = {"first": a_product(1, "Mug"), "other": a_product(2), "again": a_product(1, "Cup")}
    assert shop.land("erp", "goods") == step.Landed(read=3, landed=2, unchanged=1)
    assert shop.rows("select payload ->> 'name' from raw_erp.goods_latest where key = 'p1'") == [("Cup",)]


def test_the_cursor_is_the_highest_seen_and_is_read_again_less_the_lag(shop):
    shop["erp"].says(
        "goods",
        a_product(1, updated="2026-03-01T12:00:00+00:00"),
        a_product(2, updated="2026-03-01T11:00:00+00:00"),
    )
    shop.land("erp", "goods")
    shop.land("erp", "goods")
    assert [since.value for since in shop["erp"].asked] == [None, "2026-03-01T11:50:00+00:00"]


def test_a_cursor_never_goes_back(shop):
    shop["erp"].says("goods", a_product(1, updated="2026-03-01T12:00:00+00:00"))
    shop.land("erp", "goods")
    shop["erp"].holds["goods"] = {"p2": a_product(2, updated="2026-02-01T12:00:00+00:00")}
    shop.land("erp", "goods")
    assert shop.rows("select value from hub.cursor") == [("2026-03-01T12:00:00+00:00",)]


def test_a_reading_that_breaks_lands_nothing_and_leaves_the_cursor(shop):
    vendor = shop["erp"]
    vendor.says("goods", a_product(1))
    shop.land("erp", "goods")
    vendor.says("goods", *(a_product(n, updated="2026-03-02T10:00:00+05:00") for n in range(2, 9)))
    vendor.breaks_after, vendor.error = 4, TransientError("erp: 503, try later")
    with pytest.raises(TransientError, match="try later"):
        shop.land("erp", "goods")
    assert len(names(shop)) == 1
    assert shop.rows("select value, error, fresh_at = last_run_at from hub.cursor") == [
        ("2026-03-01T10:00:00+05:00", "erp: 503, try later", True)
    ]
    vendor.breaks_after = None
    assert shop.land("erp", "goods").landed == 7
    assert shop.rows("select error from hub.cursor") == [(None,)]


def test_a_connector_that_stumbles_says_who_must_act(shop):
    vendor = shop["erp"]
    vendor.says("goods", a_product(1))
    vendor.breaks_after, vendor.error = 0, KeyError("buyer +7 700 000 00 01")
    with pytest.raises(ContractError, match=r"erp\.goods.*tell its author") as caught:
        shop.land("erp", "goods")
    assert "000" not in str(caught.value)


class Died(BaseException):
    """kill -9 as far as the code can tell: nobody catches it."""


@pytest.mark.parametrize("place", ["extract.land", "raw.append"])
def test_a_run_that_dies_anywhere_is_done_again_without_loss_or_repetition(shop, monkeypatch, place):
    shop["erp"].says("goods", *(a_product(n) for n in range(5)))
    module, name = place.split(".")
    owner = getattr(step, module)
    whole = getattr(owner, name)

    def dies_after(*args, **named):
        whole(*args, **named)
        raise Died

    monkeypatch.setattr(owner, name, dies_after)
    with pytest.raises(Died):
        shop.land("erp", "goods")
    monkeypatch.setattr(owner, name, whole)
    assert shop.land("erp", "goods").landed == 5
    assert len(names(shop)) == 5
    assert shop.land("erp", "goods").landed == 0


def test_a_complete_listing_that_lacks_a_record_says_it_is_gone(shop):
    shop["erp"].says("goods", a_product(1), a_product(2))
    shop.land("erp", "goods", full=True)
    shop["erp"].forgets("goods", "p1")
    assert shop.land("erp", "goods").deleted == 0, "an increment says nothing of what it lacks"
    assert shop.land("erp", "goods", full=True).deleted == 1
    assert shop.rows("select key from raw_erp.goods_latest") == [("p2",)]
    assert shop.land("erp", "goods", full=True).deleted == 0, "gone once"
    shop["erp"].says("goods", a_product(1))
    assert shop.land("erp", "goods", full=True).landed == 1, "it came back as it was"


def test_an_empty_answer_deletes_nothing(shop):
    shop["erp"].says("goods", a_product(1))
    shop.land("erp", "goods", full=True)
    shop["erp"].forgets("goods", "p1")
    assert shop.land("erp", "goods", full=True) == step.Landed()
    assert len(shop.rows("select key from raw_erp.goods_latest")) == 1


def test_a_record_without_a_key_lands_all_the_same(shop):
    shop["erp"].holds["goods"] = {"x": {"name": "nobody"}}
    assert shop.land("erp", "goods").landed == 1


def test_orders_under_way_are_asked_for_by_their_raw_keys(shop):
    order = {"state": "NEW", "placed": "2026-03-01T10:00:00+05:00", "lines": []}
    shop["market"].says("sales", {"id": "1", **order}, {"id": "2", **order, "state": "DONE"})
    shop.reads("market", "sales")
    shop.land("market", "sales")
    assert shop["market"].asked[-1].open_keys == ("1",)


def test_a_second_run_of_the_same_resource_waits_its_turn(shop, monkeypatch):
    monkeypatch.setattr(step, "PATIENCE", 0.05)
    shop["erp"].says("goods", a_product(1))
    with alone(shop.store, "land:erp.goods", patience=1), pytest.raises(TransientError, match="another process"):
        shop.land("erp", "goods")
    assert shop.land("erp", "goods").landed == 1


def test_requests_of_a_run_are_noted_also_when_it_fails(shop):
    vendor = shop["erp"]

    def calls(config, since: Since):
        current().note(Attempt(datetime(2026, 3, 2, tzinfo=UTC), "GET", "/goods", 500, "failed", 0.1))
        raise TransientError("erp: 500")
        yield

    resource = vendor.resource("goods")
    object.__setattr__(resource, "extract", calls)
    with pytest.raises(TransientError):
        step.land(shop.store, shop.hub["erp"], resource, now=shop.now)
    assert shop.rows("select connection, path, status from ledger.attempt") == [("erp", "/goods", 500)]
