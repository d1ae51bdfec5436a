"""Contacts, carts, points: stored once, whoever they concern is looked at again, and points never change."""

from decimal import Decimal

import pytest

NINE, TEN = "2026-03-02T09:00:00+05:00", "2026-03-02T10:00:00+05:00"


def a_call(number="1", **more):
    return {"id": number, "buyer": "7", "at": NINE, "channel": "phone", "kind": "call", **more}


def a_cart(*lines, number="c1", at=NINE, **more):
    return {"id": number, "buyer": "7", "at": at, "state": "open", "lines": [*lines], **more}


def points(number, count, **more):
    return {"id": number, "buyer": "7", "at": NINE, "points": str(count), "reason": "purchase", **more}


# ── contacts ──────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_a_contact_is_stored_once_and_its_buyer_is_looked_at_again(shop):
    shop["market"].says("contacts", a_call(value="9"))
    assert shop.reads("market", "contacts").changed == 1
    assert shop.rows("select customer, channel, kind, value, person_id from canonical.contact_event") == [
        ("7", "phone", "call", Decimal(9), None)
    ]
    assert shop.dirty() == {("customer", "market:7")}
    assert shop.reads("market", "contacts", full=True).changed == 0
    assert shop.dirty() == set()


def test_a_contact_known_by_an_address_alone_asks_whose_it_is(shop):
    shop["market"].says("contacts", a_call(buyer=None, email="ann@shop.example"))
    shop.reads("market", "contacts")
    assert shop.dirty() == {("customer", "market:contact_event:1")}


def test_a_contact_of_nobody_is_kept_and_concerns_nobody(shop):
    shop["market"].says("contacts", a_call(buyer=None, kind="page_view"))
    assert shop.reads("market", "contacts").changed == 1
    assert shop.dirty() == set()


def test_a_contact_that_turns_out_to_be_of_another_concerns_both(shop):
    shop["market"].says("contacts", a_call(buyer=None, email="ann@shop.example"))
    shop.reads("market", "contacts")
    shop.dirty()
    shop["market"].says("contacts", a_call(buyer="8"))
    shop.reads("market", "contacts")
    assert shop.dirty() == {("customer", "market:8"), ("customer", "market:contact_event:1")}


def test_a_contact_that_is_gone_is_marked_and_its_buyer_looked_at_again(shop):
    shop["market"].says("contacts", a_call("1"), a_call("2", buyer="8"))
    shop.reads("market", "contacts", full=True)
    shop.dirty()
    shop["market"].forgets("contacts", "1")
    assert shop.reads("market", "contacts", full=True).deleted == 1
    assert shop.rows("select external_id from canonical.contact_event where deleted_at is null") == [("2",)]
    assert shop.dirty() == {("customer", "market:7")}


def test_a_contact_that_cannot_be_read_waits_for_the_fix(shop):
    shop["market"].says("contacts", a_call(value="nine"))
    shop.reads("market", "contacts")
    assert shop.aside() == {("contacts", "1", "unreadable_value")}
    shop["market"].says("contacts", a_call(value="9"))
    shop.reads("market", "contacts")
    assert shop.aside() == set()


# ── carts ─────────────────────────────────────────────────────────────────────────────────────────────────────────────


def lines(shop):
    return shop.rows("select external_id, sku, quantity::int from canonical.cart_line order by 1, 2")


def test_a_cart_is_what_its_last_state_says(shop):
    shop["market"].says("baskets", a_cart(("1", "tea", 1), ("2", "cup", 2)))
    assert shop.reads("market", "baskets").unbound == 2
    assert lines(shop) == [("c1", "cup", 2), ("c1", "tea", 1)]
    shop.dirty()
    shop["market"].says("baskets", a_cart(("1", "tea", 3), at=TEN))
    shop.reads("market", "baskets")
    assert lines(shop) == [("c1", "tea", 3)]
    assert shop.dirty() == {("customer", "market:7")}


def test_a_line_that_changes_alone_concerns_the_buyer_too(shop):
    shop["market"].says("baskets", a_cart(("1", "tea", 1)))
    shop.reads("market", "baskets")
    shop.dirty()
    shop["market"].says("baskets", a_cart(("1", "tea", 2)))
    shop.reads("market", "baskets")
    assert shop.dirty() == {("customer", "market:7")}


def test_a_cart_told_late_as_it_was_before_changes_nothing(shop):
    shop["market"].says("baskets", a_cart(("1", "tea", 3), at=TEN))
    shop.reads("market", "baskets")
    shop.dirty()
    shop["market"].says("baskets", a_cart(("1", "tea", 1), ("2", "cup", 1), at=NINE, buyer="8"))
    assert shop.reads("market", "baskets").changed == 0
    assert (lines(shop), shop.dirty()) == ([("c1", "tea", 3)], set())


def test_a_cart_handed_to_another_buyer_concerns_both(shop):
    shop["market"].says("baskets", a_cart(("1", "tea", 1)))
    shop.reads("market", "baskets")
    shop.dirty()
    shop["market"].says("baskets", a_cart(("1", "tea", 1), buyer="8", at=TEN))
    shop.reads("market", "baskets")
    assert shop.dirty() == {("customer", "market:7"), ("customer", "market:8")}


def test_goods_in_a_cart_go_by_our_sku(shop):
    shop["erp"].says("goods", {"id": "V1", "code": "tea", "name": "Чай"})
    shop["erp"].says("baskets", a_cart(("1", "tea", 1)))
    shop.reads("erp", "goods")
    assert shop.reads("erp", "baskets").unbound == 0


def test_a_cart_with_two_lines_of_one_number_is_set_aside(shop):
    shop["market"].says("baskets", a_cart(("1", "tea", 1), ("1", "cup", 1)))
    shop.reads("market", "baskets")
    assert shop.aside() == {("baskets", "c1", "duplicate_line")}
    assert lines(shop) == []


# ── points ────────────────────────────────────────────────────────────────────────────────────────────────────────────


def entries(shop):
    return shop.rows("select external_id, points::int from canonical.loyalty_entry where deleted_at is null order by 1")


def test_points_are_appended_and_a_balance_is_their_sum(shop):
    shop["market"].says("points", points("1", 100), points("2", -30))
    assert shop.reads("market", "points").changed == 2
    assert shop.rows("select holder, balance::int, entries, overdrawn from canonical.loyalty_balance") == [
        ("market:7", 70, 2, False)
    ]
    assert shop.dirty() == {("customer", "market:7")}


def test_an_entry_told_again_is_no_second_one(shop):
    shop["market"].says("points", points("1", 100))
    shop.reads("market", "points")
    shop.dirty()
    shop["market"].says("points", {**points("1", 100), "note": "a field that nobody reads"})
    assert shop.reads("market", "points").changed == 0
    assert (entries(shop), shop.aside(), shop.dirty()) == ([("1", 100)], set(), set())


@pytest.mark.parametrize("other", [{"points": "150"}, {"at": TEN}, {"reason": "gift"}, {"buyer": "8"}])
def test_an_entry_that_says_otherwise_later_is_refused_and_the_first_stands(shop, other):
    shop["market"].says("points", points("1", 100))
    shop.reads("market", "points")
    shop["market"].says("points", points("1", 100) | other)
    done = shop.reads("market", "points")
    assert (done.changed, done.quarantined) == (0, 1)
    assert shop.aside() == {("points", "1", "changed_entry")}
    assert entries(shop) == [("1", 100)]


def test_an_entry_that_changed_before_anybody_looked_stands_as_it_came_first(shop):
    shop["market"].says("points", points("1", 100))
    shop._land_quickly("market", "points", False)
    shop["market"].says("points", points("1", 150))
    shop.reads("market", "points")
    assert (entries(shop), shop.aside()) == ([("1", 100)], {("points", "1", "changed_entry")})


def test_whose_an_entry_is_may_be_learnt_later(shop):
    shop["market"].says("points", points("1", 100, buyer=None, card="C-1"))
    shop.reads("market", "points")
    assert shop.dirty() == {("customer", "market:loyalty_entry:1")}
    shop["market"].says("points", points("1", 100, card="C-1"))
    assert (shop.reads("market", "points").changed, shop.aside()) == (1, set())
    assert shop.dirty() >= {("customer", "market:7")}


def test_points_spent_that_were_not_there_are_kept_and_flagged(shop):
    shop["market"].says("points", points("1", 100), points("2", -130), points("3", 5, buyer="8"))
    assert shop.reads("market", "points").negative == 1
    balances = "select holder, balance::int, overdrawn from canonical.loyalty_balance order by 1"
    assert shop.rows(balances) == [("market:7", -30, True), ("market:8", 5, False)]


def test_an_entry_that_the_source_no_longer_has_does_not_count_and_may_come_back(shop):
    shop["market"].says("points", points("1", 100), points("2", 5))
    shop.reads("market", "points", full=True)
    shop["market"].forgets("points", "1")
    shop.reads("market", "points", full=True)
    assert entries(shop) == [("2", 5)]
    shop["market"].says("points", points("1", 100))
    shop.reads("market", "points", full=True)
    assert entries(shop) == [("1", 100), ("2", 5)]
