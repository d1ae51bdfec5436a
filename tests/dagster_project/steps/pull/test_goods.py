"""Products, places, counts, prices and listings: whose word counts, and what becomes of what nobody can place."""

import pytest


def a_product(name="p1", code="A", **more):
    return {"id": name, "code": code, "name": f"Thing {code}", **more}


def a_count(variant="p1", count=5, place="W1", **more):
    return {"variant": variant, "count": count, "place": place, **more}


def products(shop):
    return dict(shop.rows("select sku, name from canonical.product where deleted_at is null"))


def counts(shop):
    rows = shop.rows("select sku, location, on_hand from canonical.stock_level where deleted_at is null")
    return {(sku, place): int(count) for sku, place, count in rows}


# ── the plain way ─────────────────────────────────────────────────────────────────────────────────────────────────────


def test_a_product_its_prices_and_its_counts_come_to_lie_under_its_sku(shop):
    shop["erp"].says("goods", a_product("p1", "A", prices={"retail": "1990.50", "minimum": "1500"}))
    shop["erp"].says("counts", a_count("p1", 7))
    done = shop.reads("erp", "goods", "counts")
    assert (done.mapped, done.stored, done.quarantined) == (2, 2, 0)
    assert products(shop) == {"A": "Thing A"}
    assert counts(shop) == {("A", "Main"): 7}
    prices = shop.rows("select price_type, amount::text, valid_from = '-infinity' from canonical.price order by 1")
    assert prices == [("minimum", "1500.00", True), ("retail", "1990.50", True)]
    assert shop.dirty() == {("product", "A"), ("price", "A"), ("stock", "A")}


def test_the_source_leads_back_to_the_payload(shop):
    shop["erp"].says("goods", a_product("p1", "A"))
    shop.reads("erp", "goods")
    found = shop.rows(
        "select r.payload ->> 'name', p.source ->> 'connection', p.source ->> 'resource' from canonical.product p "
        "join raw_erp.goods r on r.id = (p.source ->> 'raw_id')::bigint and r.key = p.source ->> 'key'"
    )
    assert found == [("Thing A", "erp", "goods")]


def test_mapping_everything_again_changes_nothing(shop):
    shop["erp"].says("goods", a_product("p1", "A", prices={"retail": "10"}), a_product("p2", "B"))
    shop["erp"].says("counts", a_count("p1", 7), a_count("p2", -1))
    shop["erp"].says("places", {"id": "W1", "name": "Warehouse"})
    shop.reads("erp", "places", "goods", "counts")
    shop.dirty()
    with shop.store.begin() as db:
        db.exec_driver_sql("update hub.cursor set mapped_through = 0")
    done = shop.map("erp", "goods")
    done += shop.map("erp", "counts")
    done += shop.map("erp", "places")
    assert (done.mapped, done.changed, done.dirty) == (5, 0, 0)
    assert shop.dirty() == set()


def test_nothing_new_maps_nothing(shop):
    shop["erp"].says("goods", a_product())
    shop.reads("erp", "goods")
    assert shop.reads("erp", "goods").mapped == 0
    assert shop.map("erp", "people").mapped == 0, "a resource that never landed"


def test_only_what_changed_is_dirty(shop):
    shop["erp"].says("goods", a_product("p1", "A"), a_product("p2", "B"))
    shop.reads("erp", "goods")
    shop.dirty()
    shop["erp"].says("goods", a_product("p2", "B", brand="Zeta"))
    assert shop.reads("erp", "goods").changed == 1
    assert shop.dirty() == {("product", "B")}


def test_what_is_not_said_does_not_overwrite_what_is_known(shop):
    shop["erp"].says("goods", a_product(brand="Zeta", barcodes=["2000000000008"]))
    shop.reads("erp", "goods")
    shop["erp"].says("goods", a_product(brand="", extra="changed"))
    shop.reads("erp", "goods")
    assert shop.rows("select brand, barcodes from canonical.product") == [("Zeta", ["2000000000008"])]
    shop["erp"].says("goods", a_product(barcodes=[]))
    shop.reads("erp", "goods")
    assert shop.rows("select barcodes from canonical.product") == [([],)], "an empty list is an explicit clear"


def test_a_price_that_a_record_names_no_more_is_withdrawn(shop):
    shop["erp"].says("goods", a_product(prices={"retail": "10", "minimum": "8"}))
    shop.reads("erp", "goods")
    shop.dirty()
    shop["erp"].says("goods", a_product(prices={"retail": "10"}))
    shop.reads("erp", "goods")
    assert shop.rows("select price_type from canonical.price where deleted_at is null") == [("retail",)]
    assert ("price", "A") in shop.dirty()


def test_own_fields_of_the_merchant_are_mapped(a_shop):
    shop = a_shop("erp: {connector: erp, fields: {product: {brand: 'extra[name=Бренд].value'}}}")
    shop["erp"].says("goods", a_product(extra=[{"name": "Бренд", "value": "Zeta"}]))
    shop.reads("erp", "goods")
    assert shop.rows("select brand from canonical.product") == [("Zeta",)]


# ── one name, one variant ─────────────────────────────────────────────────────────────────────────────────────────────


def test_a_variant_goes_by_the_first_of_its_names_that_no_other_bears(shop):
    shop["erp"].says(
        "goods",
        a_product("p1", "SAME", article="X-1"),
        a_product("p2", "SAME", article="X-2"),
        a_product("p3", "OWN", article="X-2"),
        a_product("p4", "SAME"),
    )
    done = shop.reads("erp", "goods")
    assert sorted(products(shop)) == ["OWN", "X-1"]
    assert shop.aside() == {("goods", "p2", "no_unique_sku"), ("goods", "p4", "no_unique_sku")}
    assert (done.mapped, done.stored, done.quarantined) == (4, 2, 2)
    assert "SAME" in shop.rows("select reason from ledger.quarantine where key = 'p4'")[0][0]


def test_uniqueness_is_asked_of_all_that_ever_came_not_of_a_page(shop):
    shop["erp"].says("goods", a_product("p1", "SAME"), a_product("p2", "SAME"))
    shop.reads("erp", "goods")
    shop["erp"].says("goods", a_product("p1", "SAME", brand="changed alone"))
    shop.reads("erp", "goods")
    assert products(shop) == {}


def test_a_variant_keeps_the_name_it_has_when_another_comes_to_claim_it(shop):
    shop["erp"].says("goods", a_product("p1", "A"))
    shop.reads("erp", "goods")
    shop["erp"].says("goods", a_product("p2", "A"))
    shop.reads("erp", "goods")
    shop["erp"].says("goods", a_product("p1", "A", brand="changed since"))
    shop.reads("erp", "goods")
    assert shop.rows("select sku, external_id, brand from canonical.product") == [("A", "p1", "changed since")]
    assert shop.aside() == {("goods", "p2", "no_unique_sku")}


def test_the_one_left_aside_comes_back_when_the_name_is_free(shop):
    shop["erp"].says("goods", a_product("p1", "SAME"), a_product("p2", "SAME"))
    shop.reads("erp", "goods")
    shop["erp"].says("goods", a_product("p2", "OTHER"))
    shop.reads("erp", "goods")
    assert shop.rows("select sku, external_id from canonical.product order by 1") == [("OTHER", "p2"), ("SAME", "p1")]
    assert shop.aside() == set()


def test_a_name_is_free_when_its_other_bearer_is_deleted(shop):
    shop["erp"].says("goods", a_product("p1", "SAME"), a_product("p2", "SAME"), a_product("p3", "B"))
    shop.reads("erp", "goods", full=True)
    shop["erp"].forgets("goods", "p1")
    shop.reads("erp", "goods", full=True)
    assert shop.rows("select sku, external_id from canonical.product order by 1") == [("B", "p3"), ("SAME", "p2")]
    assert shop.aside() == set()


def test_an_archived_namesake_does_not_stand_in_the_way(shop):
    shop["erp"].says("goods", a_product("old", "A", archived=True), a_product("new", "A"))
    shop.reads("erp", "goods")
    assert shop.rows("select sku, external_id, status from canonical.product") == [("A", "new", "active")]
    assert shop.aside() == {("goods", "old", "no_unique_sku")}


# ── another name ──────────────────────────────────────────────────────────────────────────────────────────────────────


def test_what_is_known_of_a_variant_follows_it_to_its_new_sku(shop):
    shop["erp"].says("goods", a_product("p1", "A", prices={"retail": "10"}))
    shop["erp"].says("counts", a_count("p1", 7))
    shop.reads("erp", "goods", "counts")
    shop.dirty()
    shop["erp"].says("goods", a_product("p1", "B", prices={"retail": "10"}))
    shop.reads("erp", "goods")
    assert list(products(shop)) == ["B"]
    assert counts(shop) == {("B", "Main"): 7}
    assert shop.rows("select sku from canonical.price where deleted_at is null") == [("B",)]
    assert shop.dirty() == {(entity, sku) for entity in ("product", "price", "stock") for sku in "AB"}


def test_two_variants_that_change_names_keep_each_its_own_counts(shop):
    shop["erp"].says("goods", a_product("p1", "A"), a_product("p2", "B"), a_product("p3", "C"))
    shop["erp"].says("counts", a_count("p1", 1), a_count("p2", 2), a_count("p3", 3))
    shop.reads("erp", "goods", "counts")
    shop["erp"].says("goods", a_product("p1", "B"), a_product("p2", "A"), a_product("p3", "D"))
    shop.reads("erp", "goods")
    assert counts(shop) == {("B", "Main"): 1, ("A", "Main"): 2, ("D", "Main"): 3}
    assert shop.rows("select sku, external_id from canonical.product where deleted_at is null order by 1") == [
        ("A", "p2"),
        ("B", "p1"),
        ("D", "p3"),
    ]
    assert shop.aside() == set()


def test_a_variant_that_takes_anothers_former_name_leaves_nothing_behind(shop):
    shop["erp"].says(
        "goods", a_product("p1", "A", prices={"retail": "1"}), a_product("p2", "B", prices={"retail": "2"})
    )
    shop["erp"].says("counts", a_count("p1", 1), a_count("p2", 2))
    shop.reads("erp", "goods", "counts")
    shop["erp"].says(
        "goods", a_product("p1", "B", prices={"retail": "1"}), a_product("p2", "C", prices={"retail": "2"})
    )
    shop.reads("erp", "goods")
    assert counts(shop) == {("B", "Main"): 1, ("C", "Main"): 2}
    assert shop.rows("select sku, amount::int from canonical.price where deleted_at is null order by 1") == [
        ("B", 1),
        ("C", 2),
    ]
    assert sorted(products(shop)) == ["B", "C"]


# ── explicit bindings ─────────────────────────────────────────────────────────────────────────────────────────────────


def binds(shop, *lines):
    (shop.hub.folder / "bindings.csv").write_text("\n".join(("connection, external_id, sku", *lines)) + "\n", "utf-8")


def test_an_explicit_binding_wins_over_the_sku_a_system_states(shop):
    binds(shop, "erp, p1, OURS")
    shop["erp"].says("goods", a_product("p1", "THEIRS"))
    shop["erp"].says("counts", a_count("p1", 3))
    shop.reads("erp", "goods", "counts")
    assert list(products(shop)) == ["OURS"]
    assert counts(shop) == {("OURS", "Main"): 3}


def test_a_binding_written_later_moves_what_was_known_and_one_withdrawn_moves_it_back(shop):
    shop["erp"].says("goods", a_product("p1", "THEIRS"))
    shop["erp"].says("counts", a_count("p1", 3))
    shop.reads("erp", "goods", "counts")
    binds(shop, "erp, p1, OURS")
    shop.map("erp", "goods")
    assert (list(products(shop)), counts(shop)) == (["OURS"], {("OURS", "Main"): 3})
    binds(shop)
    shop.map("erp", "goods")
    assert (list(products(shop)), counts(shop)) == (["THEIRS"], {("THEIRS", "Main"): 3})


def test_an_external_id_bound_twice_is_shown_and_not_guessed(shop):
    binds(shop, "market, 77, A", "market, 77, B", "market, 78, A")
    shop.map("erp", "goods")
    assert shop.aside() == {("bindings.csv", "77", "bound_twice")}
    assert shop.rows("select external_id, our_id from hub.binding") == [("78", "A")]
    binds(shop, "market, 77, B")
    shop.map("erp", "goods")
    assert shop.aside() == set()
    assert shop.rows("select external_id, our_id from hub.binding") == [("77", "B")]


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("connection, external_id\nmarket, 1", "lacks the column sku"),
        ("connection, external_id, sku\nmarket, 1,", "line 2"),
        ("connection, external_id, sku\nnobody, 1, A", "no connection 'nobody'"),
    ],
)
def test_a_line_of_bindings_that_cannot_be_read_is_named(shop, text, words):
    (shop.hub.folder / "bindings.csv").write_text(text, "utf-8")
    with pytest.raises(Exception, match=words):
        shop.map("erp", "goods")


# ── authority ─────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_a_connection_without_authority_gives_listings_not_products(shop):
    shop["erp"].says("goods", a_product("p1", "A"))
    shop["market"].says("goods", a_product("77", "A"), a_product("78", "UNKNOWN"))
    shop.reads("erp", "goods")
    shop.reads("market", "goods")
    assert list(products(shop)) == ["A"]
    assert shop.rows("select external_id, sku, title from canonical.listing order by 1") == [
        ("77", "A", "Thing A"),
        ("78", "UNKNOWN", "Thing UNKNOWN"),
    ]
    assert shop.rows("select our_id, how from hub.binding where connection = 'market'") == [("A", "sku")]


def test_where_nobody_is_named_the_first_in_the_file_counts_most(a_shop):
    shop = a_shop("first: {connector: first}\nsecond: {connector: second}")
    shop["second"].says("goods", {**a_product("s", "A"), "name": "second's"}, a_product("only", "B"))
    shop.reads("second", "goods")
    assert products(shop)["A"] == "second's", "better than nothing"
    shop["first"].says("goods", {**a_product("f", "A"), "name": "first's"})
    shop.reads("first", "goods")
    shop["second"].says("goods", {**a_product("s", "A"), "name": "second's again"})
    shop.reads("second", "goods")
    assert products(shop) == {"A": "first's", "B": "Thing B"}


def test_a_product_of_a_weaker_system_is_joined_by_a_barcode_that_only_one_has(a_shop):
    shop = a_shop("first: {connector: first}\nsecond: {connector: second}")
    shop["first"].says(
        "goods",
        a_product("f1", "A", barcodes=["2000000000015"]),
        a_product("f2", "B", barcodes=["2000000000022"]),
        a_product("f3", "C", barcodes=["2000000000022"]),
    )
    shop["second"].says(
        "goods",
        a_product("s1", "OTHER-A", barcodes=["2000000000015"]),
        a_product("s2", "OTHER-B", barcodes=["2000000000022"]),
    )
    shop.reads("first", "goods")
    shop.reads("second", "goods")
    assert sorted(products(shop)) == ["A", "B", "C", "OTHER-B"]
    bound = shop.rows("select external_id, our_id, how from hub.binding where connection = 'second' order by 1")
    assert bound == [("s1", "A", "barcode"), ("s2", "OTHER-B", "sku")]


def test_a_barcode_joins_nothing_within_one_system_and_no_stronger_product_to_a_weaker_one(a_shop):
    shop = a_shop("first: {connector: first}\nsecond: {connector: second}")
    shop["second"].says("goods", a_product("s1", "WEAK", barcodes=["2000000000015"]))
    shop.reads("second", "goods")
    for product in (a_product("f1", "A", barcodes=["2000000000015"]), a_product("f2", "B", barcodes=["2000000000015"])):
        shop["first"].says("goods", product)
        shop.reads("first", "goods")
    assert sorted(products(shop)) == ["A", "B", "WEAK"]


def test_only_the_owner_of_a_place_counts_there(shop):
    shop["erp"].says("goods", a_product("p1", "A"))
    shop["erp"].says("counts", a_count("p1", 7), a_count("p1", 9, place="Almaty-1"))
    shop["tills"].says("counts", {"sku": "A", "count": 4, "place": "T1"}, {"sku": "A", "count": 1, "place": "T2"})
    shop.reads("erp", "goods", "counts")
    done = shop.reads("tills", "counts")
    assert counts(shop) == {("A", "Main"): 7, ("A", "erp:Almaty-1"): 9, ("A", "Almaty-1"): 4}
    assert done.ignored == 1


def test_prices_of_a_connection_without_authority_are_left_out(shop):
    shop["erp"].says("goods", a_product("p1", "A"))
    shop["market"].says("goods", a_product("77", "A", prices={"retail": "5"}))
    shop.reads("erp", "goods")
    assert shop.reads("market", "goods").ignored == 1
    assert shop.rows("select * from canonical.price") == []


# ── places ────────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_places_are_named_by_the_merchant_by_id_or_by_name(a_shop):
    shop = a_shop("erp: {connector: erp, locations: {W1: Main, Shop on Abay: Almaty-1}}")
    shop["erp"].says("places", {"id": "W1", "name": "Warehouse"}, {"id": "S1", "name": "Shop on Abay"})
    shop["erp"].says("places", {"id": "X9", "name": "Somewhere"})
    shop.reads("erp", "places")
    assert shop.rows("select external_id, location from canonical.location order by 1") == [
        ("S1", "Almaty-1"),
        ("W1", "Main"),
        ("X9", "erp:X9"),
    ]


def test_counts_that_came_before_their_place_was_named_follow_it(a_shop):
    shop = a_shop("erp: {connector: erp, locations: {Shop on Abay: Almaty-1}}")
    shop["erp"].says("goods", a_product("p1", "A"))
    shop["erp"].says("counts", a_count("p1", 7, place="S1"))
    shop.reads("erp", "goods", "counts")
    assert counts(shop) == {("A", "erp:S1"): 7}
    shop["erp"].says("places", {"id": "S1", "name": "Shop on Abay"})
    shop.reads("erp", "places")
    assert counts(shop) == {("A", "Almaty-1"): 7}


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


# ── gone ──────────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_what_a_complete_listing_lacks_is_marked_deleted_and_comes_back(shop):
    shop["erp"].says("goods", a_product("p1", "A", prices={"retail": "1"}), a_product("p2", "B"))
    shop.reads("erp", "goods", full=True)
    shop.dirty()
    shop["erp"].forgets("goods", "p1")
    assert shop.reads("erp", "goods", full=True).deleted == 2
    assert list(products(shop)) == ["B"]
    assert shop.dirty() == {("product", "A"), ("price", "A")}
    shop["erp"].says("goods", a_product("p1", "A", prices={"retail": "1"}))
    shop.reads("erp", "goods", full=True)
    assert sorted(products(shop)) == ["A", "B"]
    assert shop.dirty() == {("product", "A"), ("price", "A")}


def test_the_word_of_one_connection_does_not_delete_anothers(a_shop):
    shop = a_shop("first: {connector: first}\nsecond: {connector: second}")
    shop["first"].says("goods", a_product("f1", "A"))
    shop["second"].says("goods", a_product("s1", "A"), a_product("s2", "B"))
    shop.reads("first", "goods", full=True)
    shop.reads("second", "goods", full=True)
    shop["second"].forgets("goods", "s1")
    shop.reads("second", "goods", full=True)
    assert sorted(products(shop)) == ["A", "B"]


def test_a_connection_that_cannot_run_keeps_only_its_own_records_waiting(a_shop, monkeypatch):
    shop = a_shop(
        "hub: {authority: {product: erp}}\nerp: {connector: erp}\n"
        "tills: {connector: tills, secrets: {token: TILLS_TOKEN}}"
    )
    monkeypatch.setenv("TILLS_TOKEN", "not-a-real-token")
    shop["tills"].says("counts", {"sku": "A", "count": 4, "place": "T1"})
    shop.reads("tills", "counts")
    monkeypatch.delenv("TILLS_TOKEN")
    shop.hub.connections["tills"].__dict__.pop("config")
    shop["erp"].says("goods", a_product("p1", "A"))
    assert shop.reads("erp", "goods").stored == 1
    assert len(shop.aside()) == 1
    monkeypatch.setenv("TILLS_TOKEN", "not-a-real-token")
    shop.map("erp", "goods")
    assert (counts(shop), shop.aside()) == ({("A", "tills:T1"): 4}, set())
