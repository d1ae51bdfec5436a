"""Counts and listings, and how they find a product that comes later."""

import pytest

from tests.dagster_project.steps.pull.goods.said import a_count, a_product, counts

# ── counts ────────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_a_negative_count_is_shown_as_zero_and_reported(shop):
    shop["erp"].says("goods", a_product("p1", "A"))
    shop["erp"].says("counts", a_count("p1", -3))
    assert shop.reads("erp", "goods", "counts").negative == 1
    assert shop.rows("select on_hand, source ->> 'counted' from canonical.stock_level") == [(0, "-3")]


def test_an_older_count_does_not_overwrite_a_newer_one(shop):
    shop["erp"].says("goods", a_product("p1", "A"))
    shop["erp"].says("counts", a_count("p1", 7, at="2026-03-02T10:00:00+05:00"))
    shop.reads("erp", "goods", "counts")
    shop["erp"].says("counts", a_count("p1", 9, at="2026-03-01T10:00:00+05:00"))
    shop.reads("erp", "counts")
    assert counts(shop) == {("A", "Main"): 7}


def test_a_count_that_states_no_time_was_taken_when_it_was_read(shop):
    shop["erp"].says("goods", a_product("p1", "A"))
    shop["erp"].says("counts", a_count("p1", 7))
    shop.reads("erp", "goods", "counts")
    assert shop.rows("select as_of from canonical.stock_level") == [(shop.now,)]


def test_counts_that_come_before_their_product_wait_for_it(shop):
    shop["erp"].says("counts", a_count("p1", 7), a_count("p2", 8))
    done = shop.reads("erp", "counts")
    assert (done.mapped, done.stored, done.quarantined) == (2, 0, 2)
    assert {rule for _, _, rule in shop.aside()} == {"unbound_variant"}
    shop["erp"].says("goods", a_product("p1", "A"))
    shop.reads("erp", "goods")
    assert counts(shop) == {("A", "Main"): 7}
    assert shop.aside() == {("counts", "p2:W1", "unbound_variant")}


@pytest.mark.parametrize("named", [{"sku": "A"}, {"barcode": "2000000000015"}])
def test_a_count_that_names_a_sku_or_a_barcode_finds_the_product_that_comes_later(shop, named):
    shop["tills"].says("counts", {**named, "count": 4, "place": "T1"})
    shop.reads("tills", "counts")
    assert counts(shop) == {}
    shop["erp"].says("goods", a_product("p1", "A", barcodes=["2000000000015"]))
    shop.reads("erp", "goods")
    assert counts(shop) == {("A", "Almaty-1"): 4}


def test_what_waits_is_the_record_as_it_is_now_when_its_turn_comes(shop):
    shop["erp"].says("counts", a_count("p1", 7))
    shop.reads("erp", "counts")
    shop["erp"].says("counts", a_count("p1", 3))
    shop.reads("erp", "counts")
    shop["erp"].says("goods", a_product("p1", "A"))
    shop.reads("erp", "goods")
    assert counts(shop) == {("A", "Main"): 3}


# ── listings ──────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_a_listing_is_bound_by_its_sku_or_its_barcode_and_orders_find_it_by_its_id(shop):
    shop["erp"].says("goods", a_product("p1", "A"), a_product("p2", "B", barcodes=["2000000000015"]))
    shop.reads("erp", "goods")
    shop["market"].says("offers", {"id": "77", "sku": "A"}, {"id": "78", "sku": "b", "barcode": "2000000000015"})
    shop.reads("market", "offers")
    assert shop.rows("select external_id, sku from canonical.listing order by 1") == [("77", "A"), ("78", "B")]
    bound = shop.rows("select external_id, our_id, how from hub.binding where connection = 'market' order by 1")
    assert bound == [("77", "A", "sku"), ("78", "B", "barcode")]


def test_a_listing_that_no_product_fits_is_bound_when_the_product_comes(shop):
    shop["market"].says("offers", {"id": "78", "sku": "b", "barcode": "2000000000015", "price": 10})
    assert shop.reads("market", "offers").unbound == 1
    assert shop.dirty() == {("listing", "b")}
    shop["erp"].says("goods", a_product("p2", "B", barcodes=["2000000000015"]))
    shop.reads("erp", "goods")
    assert shop.rows("select sku from canonical.listing") == [("B",)]
    assert {("listing", "b"), ("listing", "B")} <= shop.dirty()


def test_what_a_channel_stops_showing_is_not_shown_any_more(shop):
    shop["erp"].says("goods", a_product("p1", "A"))
    shop["market"].says("offers", {"id": "77", "sku": "A", "price": 10, "stock": 3, "title": "Thing"})
    shop.reads("erp", "goods")
    shop.reads("market", "offers")
    shop["market"].says("offers", {"id": "77", "sku": "A", "price": 11})
    shop.reads("market", "offers")
    found = shop.rows("select observed_price, observed_stock, title from canonical.listing")
    assert found == [(11, None, "Thing")]
