"""Of two systems that speak of the same goods or places, the one with authority is believed."""

from tests.dagster_project.steps.pull.goods.said import a_count, a_product, counts, products

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
