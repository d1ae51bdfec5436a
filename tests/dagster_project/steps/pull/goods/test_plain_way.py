"""Products, prices and counts come to lie under their SKU; what is said no more, or gone, is withdrawn."""

from tests.dagster_project.steps.pull.goods.said import a_count, a_product, counts, products

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
