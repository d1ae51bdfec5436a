"""One name, one variant: which SKU a variant goes by, and what follows it to another."""

import pytest

from tests.dagster_project.steps.pull.goods.said import a_count, a_product, counts, products

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
