"""Orders: forward only, one sale once, every line kept as it was sold."""

from datetime import date
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import text

from mappings.canonical import PROGRESS, STATUSES, is_final, may_follow
from tests.clear import clear


def an_order(number="1", state="NEW", lines=(), **more):
    return {
        "id": number,
        "state": state,
        "placed": "2026-03-01T23:30:00+05:00",
        "lines": [{"sku": "A", "qty": "2", "price": "100"}, *lines],
        **more,
    }


def status(shop, number="1"):
    return shop.rows(f"select status, status_raw from canonical.order where external_id = '{number}'")[0]


def history(shop):
    return shop.rows("select status, note from canonical.order_event order by id")


def test_an_order_is_stored_with_its_lines_and_its_local_day(shop):
    shop["market"].says("sales", an_order(place="PP1"))
    done = shop.reads("market", "sales")
    assert (done.mapped, done.stored, done.unbound) == (1, 1, 1)
    assert shop.rows("select status, total::text, currency, location, day from canonical.order") == [
        ("placed", "200.00", "KZT", "market:PP1", date(2026, 3, 1))
    ]
    assert shop.rows("select line, sku, quantity::int, total::int from canonical.order_line") == [("1", "A", 2, 200)]
    assert shop.dirty() == {("order", "market:1")}


def test_an_order_of_an_hour_that_came_twice_is_stored_and_flagged(shop):
    shop["market"].says("sales", an_order("1", placed="2024-02-29T23:30:00"))
    shop["market"].says("sales", an_order("2", placed="2024-02-29T22:30:00"))
    assert shop.reads("market", "sales").clock_change == 1
    flags = shop.rows("""select external_id, source -> 'flags' from canonical."order" order by 1""")
    assert flags == [("1", ["clock_change"]), ("2", None)]


def test_an_order_moves_forward_and_every_move_is_kept(shop):
    for state in ("NEW", "SENT", "DONE"):
        shop["market"].says("sales", an_order(state=state))
        shop.reads("market", "sales")
    assert status(shop) == ("completed", "DONE")
    assert history(shop) == [("placed", None), ("shipped", None), ("completed", None)]


def test_going_back_is_history_only(shop):
    for state in ("SENT", "OK"):
        shop["market"].says("sales", an_order(state=state))
        shop.reads("market", "sales")
    assert status(shop) == ("shipped", "SENT")
    assert history(shop)[-1] == ("confirmed", "does not follow shipped; the order stays where it is")


def test_states_that_land_together_are_all_history_and_the_last_one_counts(shop):
    for state in ("NEW", "OK", "SENT"):
        shop["market"].says("sales", an_order(state=state))
        shop.land("market", "sales")
    assert shop.map("market", "sales").mapped == 3
    assert status(shop) == ("shipped", "SENT")
    assert [moved for moved, _ in history(shop)] == ["placed", "confirmed", "shipped"]


def test_an_older_state_that_comes_late_is_history_only(shop):
    shop["market"].says("sales", an_order(state="SENT", updated="2026-03-02T10:00:00+05:00"))
    shop.reads("market", "sales")
    late = an_order(state="OK", updated="2026-03-02T09:00:00+05:00", lines=[{"sku": "B", "qty": "1", "price": "5"}])
    shop["market"].says("sales", late)
    shop.reads("market", "sales")
    assert status(shop) == ("shipped", "SENT")
    assert shop.rows("select sku from canonical.order_line") == [("A",)]
    assert history(shop)[-1] == ("confirmed", "learnt late; the order has moved on since")


def test_mapping_orders_again_adds_neither_history_nor_dirt(shop):
    for state in ("NEW", "SENT", "OK"):
        shop["market"].says("sales", an_order(state=state))
        shop.reads("market", "sales")
    before, _ = history(shop), shop.dirty()
    with shop.store.begin() as db:
        db.exec_driver_sql("update hub.cursor set mapped_through = 0")
    assert shop.map("market", "sales").changed == 0
    assert history(shop) == before
    assert shop.dirty() == set()
    assert status(shop) == ("shipped", "SENT")


def test_lines_are_replaced_where_they_changed(shop):
    shop["market"].says("sales", an_order(lines=[{"sku": "B", "qty": "1", "price": "50"}]), an_order("2"))
    shop.reads("market", "sales")
    shop.dirty()
    shop["market"].says("sales", an_order(lines=[]))
    shop.reads("market", "sales")
    assert shop.rows("select external_id, line, sku from canonical.order_line order by 1, 2") == [
        ("1", "1", "A"),
        ("2", "1", "A"),
    ]
    assert shop.dirty() == {("order", "market:1")}


def test_lines_are_bound_by_the_channels_id_then_sku_then_barcode(shop):
    shop["erp"].says(
        "goods",
        {"id": "p1", "code": "A", "name": "a"},
        {"id": "p2", "code": "B", "name": "b"},
        {"id": "p3", "code": "C", "name": "c", "barcodes": ["2000000000015"]},
    )
    shop["market"].says("offers", {"id": "77", "sku": "B"})
    shop.reads("erp", "goods")
    shop.reads("market", "offers")
    others = [
        {"variant": "77", "sku": "A", "qty": "1", "price": "1"},
        {"variant": "99", "sku": "own-name", "barcode": "2000000000015", "qty": "1", "price": "1"},
        {"variant": "98", "sku": "as given", "qty": "1", "price": "1"},
    ]
    shop["market"].says("sales", an_order(lines=others))
    assert shop.reads("market", "sales").unbound == 1
    assert shop.rows("select line, sku from canonical.order_line order by 1") == [
        ("1", "A"),
        ("2", "B"),
        ("3", "C"),
        ("4", "as given"),
    ]


def test_a_line_of_an_open_order_finds_the_product_that_comes_later(shop):
    line = {"barcode": "2000000000015", "qty": "1", "price": "1"}
    shop["market"].says("sales", an_order("1", lines=[line]), an_order("2", state="DONE", lines=[line]))
    shop.reads("market", "sales")
    with shop.store.begin() as db:
        db.execute(text("update canonical.order set person_id = 'ANNA'"))
    shop.dirty()
    shop["erp"].says("goods", {"id": "p3", "code": "C", "name": "c", "barcodes": ["2000000000015"]})
    shop.reads("erp", "goods")
    assert shop.rows("select external_id, sku from canonical.order_line where line = '2' order by 1") == [
        ("1", "C"),
        ("2", None),
    ]
    assert shop.dirty() == {("product", "C"), ("order", "market:1"), ("person", "ANNA")}


def test_a_copy_knows_its_origin_by_what_it_carries_or_by_our_receipt(shop):
    with shop.store.begin() as db:
        db.exec_driver_sql(
            "insert into hub.binding (connection, entity, external_id, our_id, how) "
            "values ('erp', 'order', 'doc-2', 'market:2', 'receipt')"
        )
    shop["market"].says("sales", an_order("1"), an_order("2"), an_order("3"))
    shop["erp"].says("sales", an_order("doc-1", copy_of="market:1"), an_order("doc-2"), an_order("own"))
    shop.reads("market", "sales")
    shop.reads("erp", "sales")
    assert shop.rows("select external_id, copy_of from canonical.order where connection = 'erp' order by 1") == [
        ("doc-1", "market:1"),
        ("doc-2", "market:2"),
        ("own", None),
    ]
    bound = shop.rows("select external_id, our_id, how from hub.binding where entity = 'order' order by 1")
    assert bound == [("doc-1", "market:1", "reference"), ("doc-2", "market:2", "receipt")]


def test_a_return_names_its_sale_and_where_it_was_sold(shop):
    shop["market"].says("sales", an_order("1", returns="7"), an_order("2", returns="erp:7"), an_order("3"))
    shop.reads("market", "sales")
    found = shop.rows("select external_id, returns from canonical.order order by 1")
    assert found == [("1", "market:7"), ("2", "erp:7"), ("3", None)]


def test_a_return_that_names_nobody_concerns_whoever_bought(shop):
    shop["market"].says("sales", an_order())
    shop.reads("market", "sales")
    with shop.store.begin() as db:
        db.execute(text("update canonical.order set person_id = 'ANNA'"))
    shop["market"].says("sales", an_order("2", returns="1"))
    shop.reads("market", "sales")
    assert ("person", "ANNA") in shop.dirty()


DOCUMENTS = {"doc": {"copy_of": "market:1"}, "closed": {"copy_of": "erp:doc"}, "back": {"returns": "closed"}}
"""The ERP's copy of an order of the marketplace, the receipt that closes it, and the return that names the receipt."""


def bought_by(shop, person, connection):
    with shop.store.begin() as db:
        values = {"person": person, "connection": connection}
        db.execute(text("update canonical.order set person_id = :person where connection = :connection"), values)


def is_brought_back(shop, *told):
    """The ERP tells its documents of Anna's order in this order, each in a run of its own; there it is Boris's. Gives
    whom the last of them concerns."""
    shop["market"].says("sales", an_order())
    shop.reads("market", "sales")
    bought_by(shop, "ANNA", "market")
    for document in told:
        shop.dirty()
        shop["erp"].says("sales", an_order(document, **DOCUMENTS[document]))
        shop.reads("erp", "sales")
        bought_by(shop, "BORIS", "erp")
    return {subject for entity, subject in shop.dirty() if entity == "person"}


@pytest.mark.parametrize(
    ("told", "concerned"),
    [
        (("doc", "closed", "back"), {"ANNA"}),
        (("doc", "back", "closed"), {"ANNA", "BORIS"}),
        (("back", "closed", "doc"), {"ANNA", "BORIS"}),
    ],
)
def test_a_return_of_a_copy_is_of_the_origin_and_concerns_who_bought_that_whatever_is_told_first(shop, told, concerned):
    assert is_brought_back(shop, *told) == concerned
    sold = "select returns from canonical.order where external_id = 'back'"
    assert shop.rows(sold) == [("market:1",)]
    shop["erp"].says("sales", an_order("back", state="OK", **DOCUMENTS["back"]))
    shop.reads("erp", "sales")
    assert shop.rows(sold) == [("market:1",)], "told again it is no other"


def test_an_order_that_is_a_draft_again_is_gone(shop):
    shop["erp"].says("sales", an_order("1"), an_order("2", draft=True))
    assert shop.reads("erp", "sales").stored == 2
    assert shop.rows("select external_id from canonical.order") == [("1",)]
    shop.dirty()
    shop["erp"].says("sales", an_order("1", draft=True))
    assert shop.reads("erp", "sales").deleted == 1
    assert shop.rows("select deleted_at is not null from canonical.order") == [(True,)]
    assert shop.dirty() == {("order", "erp:1")}
    shop["erp"].says("sales", an_order("1", state="OK"))
    shop.reads("erp", "sales")
    assert shop.rows("select status, deleted_at from canonical.order where external_id = '1'") == [("confirmed", None)]
    assert shop.dirty() == {("order", "erp:1")}


# ── set aside ─────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_an_unknown_status_is_set_aside_and_replayed_after_the_mapping_is_mended(shop, states, monkeypatch):
    shop["market"].says("sales", an_order("1", state="???"), an_order("2"))
    done = shop.reads("market", "sales")
    assert (done.mapped, done.stored, done.quarantined) == (2, 1, 1)
    assert shop.aside() == {("sales", "1", "unknown_value")}
    assert shop.replays() == (1, 0, 1), "nothing was mended yet"
    monkeypatch.setitem(states, "???", "confirmed")
    assert shop.replays(rule="unknown_value") == (1, 1, 0)
    assert status(shop) == ("confirmed", "???")
    assert shop.aside() == set()


def test_a_record_that_is_good_again_leaves_the_quarantine_by_itself(shop):
    shop["market"].says("sales", an_order(state="???"))
    shop.reads("market", "sales")
    shop["market"].says("sales", an_order(state="OK"))
    shop.reads("market", "sales")
    assert shop.rows("select state from ledger.quarantine") == [("replayed",)]


def test_a_bad_change_keeps_the_good_state_that_is_stored(shop):
    shop["market"].says("sales", an_order(state="OK"))
    shop.reads("market", "sales")
    shop["market"].says("sales", an_order(state="???"))
    shop.reads("market", "sales")
    assert status(shop) == ("confirmed", "OK")
    assert len(shop.aside()) == 1


def test_what_somebody_dropped_stays_dropped_until_it_changes(shop):
    shop["market"].says("sales", an_order(state="???"))
    shop.reads("market", "sales")
    shop.drops()
    with shop.store.begin() as db:
        db.exec_driver_sql("update hub.cursor set mapped_through = 0")
    shop.map("market", "sales")
    assert shop.aside() == set()
    shop["market"].says("sales", an_order(state="!!!"))
    shop.reads("market", "sales")
    assert len(shop.aside()) == 1


def test_a_sum_that_no_column_holds_costs_its_own_order_and_no_other(shop):
    absurd = an_order("2", lines=[{"sku": "A", "qty": "1", "price": "1e20"}])
    shop["market"].says("sales", an_order("1"), absurd, an_order("3"), an_order("4"))
    done = shop.reads("market", "sales")
    assert (done.mapped, done.stored, done.quarantined) == (4, 3, 1)
    assert shop.rows("select external_id from canonical.order order by 1") == [("1",), ("3",), ("4",)]
    assert shop.aside() == {("sales", "2", "not_storable")}


def test_a_change_that_a_channel_refused_is_wanted_anew(shop):
    with shop.store.begin() as db:
        db.exec_driver_sql(
            "insert into ledger.item (connection, capability, subject, state, reason, desired) "
            "values ('market', 'price.push', 'A', 'rejected', 'too dear', '10')"
        )
        db.exec_driver_sql(
            "insert into ledger.quarantine (connection, resource, key, rule, reason, state) "
            "values ('market', 'price.push', 'A', '422', 'too dear', 'open')"
        )
    shop.replays(rule="422")
    assert shop.rows("select state, desired from ledger.item") == [("rejected", None)]
    assert shop.dirty() == {("price", "A")}
    assert shop.aside() == set()


def test_two_lines_of_one_number_set_their_order_aside(shop):
    shop["market"].says("sales", an_order("1", same_line=True, lines=[{"sku": "B", "qty": "1", "price": "1"}]))
    shop.reads("market", "sales")
    assert shop.aside() == {("sales", "1", "duplicate_line")}


def test_a_reason_shows_no_phone(shop):
    shop["market"].says("sales", an_order(placed="call +7 700 000 00 01"))
    shop.reads("market", "sales")
    assert "+7" not in shop.rows("select reason from ledger.quarantine")[0][0]


def test_a_record_without_a_key_is_set_aside(shop):
    shop["market"].holds["people"] = {"x": {"name": "Айгүл"}}
    shop.reads("market", "people")
    assert [rule for _, _, rule in shop.aside()] == ["no_key"]


# ── people ────────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_a_buyer_is_kept_as_each_system_says(shop):
    shop["market"].says("people", {"id": "1", "name": "Айгүл", "phones": ["+77000000001"], "city": "Алматы"})
    shop["erp"].says("people", {"id": "1", "name": "Aigul"})
    shop.reads("market", "people")
    shop.reads("erp", "people")
    shop["market"].says("people", {"id": "1", "name": "Айгүл Н."})
    shop.reads("market", "people")
    assert clear(shop.store, "select connection, name, phones, city from canonical.customer order by 1") == [
        ("erp", "Aigul", [], None),
        ("market", "Айгүл Н.", ["+77000000001"], "Алматы"),
    ]


# ── the law of moves ──────────────────────────────────────────────────────────────────────────────────────────────────


@given(st.lists(st.sampled_from(STATUSES), max_size=12))
def test_whatever_is_told_an_order_never_goes_back(told):
    here, way = "placed", ["placed"]
    for status in told:
        if may_follow(here, status):
            here = status
            way.append(status)
    assert len(set(way)) == len(way), "no status twice"
    assert [s for s in way if s in PROGRESS] == sorted((s for s in way if s in PROGRESS), key=PROGRESS.index)
    assert all(following in ("returning", "returned") for before, following in pairwise(way) if is_final(before))


@pytest.mark.parametrize(
    ("was", "becomes", "legal"),
    [
        ("placed", "shipped", True),
        ("shipped", "placed", False),
        ("placed", "placed", False),
        ("delivered", "cancelled", True),
        ("completed", "cancelled", False),
        ("cancelled", "confirmed", False),
        ("cancelled", "returned", False),
        ("completed", "returning", True),
        ("returned", "returning", False),
        ("returning", "returned", True),
        ("returning", "cancelled", False),
    ],
)
def test_the_moves_an_order_may_make(was, becomes, legal):
    assert may_follow(was, becomes) is legal
