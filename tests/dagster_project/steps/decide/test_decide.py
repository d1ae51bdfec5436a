"""What channels should show of goods, what of that differs, and what may go."""

from typing import Any

import pytest

AUTO = "push: {stock: auto, price: auto, order: auto, first: auto}"


@pytest.fixture
def shop(shop: Any) -> Any:
    return shop.opens(f"market: {{connector: market, {AUTO}}}")


def test_a_count_becomes_what_the_channel_shows(shop: Any) -> None:
    shop.has("SKU-1", 5)
    plans = shop.syncs()
    assert (plans["market", "stock.push"].planned, plans["market", "stock.push"].held) == (1, 0)
    assert shop.shows("market") == {"SKU-1": 5}
    assert shop.states("market") == {"SKU-1": ("in_sync", None)}


def test_an_order_lowers_every_channel_that_nobody_named(shop: Any) -> None:
    shop.opens(f"market: {{connector: market, {AUTO}}}\nsite: {{connector: site, {AUTO}, stock: {{safety: 2}}}}")
    shop.has("SKU-1", 5)
    shop.lists("site", "SKU-1")
    shop.syncs()
    assert (shop.shows("market"), shop.shows("site")) == ({"SKU-1": 5}, {"SKU-1": 3})
    shop.order("A", ("SKU-1", 1))
    shop.syncs()
    assert (shop.shows("market"), shop.shows("site")) == ({"SKU-1": 4}, {"SKU-1": 2})
    because = shop.one(
        "select because from ledger.change where connection = 'site' and outcome = 'accepted' and becomes = '2'"
    )
    assert because.because == "5 on hand, 1 reserved, 2 held back; order market:A reserved 1"


def test_nothing_that_is_not_counted_is_shown_as_zero(shop: Any) -> None:
    shop.product("SKU-1")
    shop.decides()
    assert shop.states("market")["SKU-1"] == ("held", "blank: not counted in any location that sells here")
    assert shop.waits("market") == {}


def test_five_four_five_are_three_intents_with_three_keys(shop: Any) -> None:
    for count in (5, 4, 5):
        shop.has("SKU-1", count)
        shop.syncs()
        shop.passes(minutes=1)
    keys = [
        row.key
        for row in shop.all("select key from ledger.change where capability = 'stock.push' and outcome = 'accepted'")
    ]
    assert keys == [f"market:stock.push:SKU-1:{version}" for version in (1, 2, 3)]


def test_a_newer_value_replaces_one_that_waits(shop: Any) -> None:
    shop.has("SKU-1", 5)
    shop.decides()
    shop.counts("SKU-1", 3)
    shop.decides()
    assert shop.waits("market") == {"SKU-1": (3, "ready")}
    assert [row.outcome for row in shop.all("select outcome from ledger.change order by id")] == [
        "planned", "superseded", "planned",
    ]  # fmt: skip


def test_a_value_that_came_back_before_it_was_sent_needs_no_sending(shop: Any) -> None:
    shop.has("SKU-1", 5)
    shop.syncs()
    shop.counts("SKU-1", 3)
    shop.decides()
    shop.counts("SKU-1", 5)
    shop.decides()
    assert shop.waits("market") == {}
    assert shop.states("market") == {"SKU-1": ("in_sync", None)}


def test_a_value_decided_while_another_is_on_its_way_waits_for_the_answer(shop: Any) -> None:
    shop.has("SKU-1", 5)
    shop.decides()
    shop.say("update ledger.outbox set state = 'sending', claimed_by = 'somebody'")
    shop.counts("SKU-1", 3)
    shop.decides()
    assert shop.waits("market") == {"SKU-1": (5, "sending")}
    item = shop.one("select * from ledger.item where capability = 'stock.push'")
    assert (item.state, item.desired, item.version) == ("pending", 3, 2)


# ── what belongs ──────────────────────────────────────────────────────────────────────────────────────────────────────


def test_what_the_channel_does_not_list_is_excluded_by_that_name(shop: Any) -> None:
    shop.opens(f"site: {{connector: site, {AUTO}}}")
    shop.has("SKU-1", 5)
    shop.has("SKU-2", 5)
    shop.lists("site", "SKU-2")
    shop.syncs()
    assert shop.states("site") == {"SKU-1": ("excluded", "not listed"), "SKU-2": ("in_sync", None)}
    shop.lists("site", "SKU-1")
    shop.syncs()
    assert shop.shows("site") == {"SKU-1": 5, "SKU-2": 5}


def test_each_rule_of_the_offers_excludes_by_its_name(shop: Any) -> None:
    offers = "offers: {has: [price], category: [Toys], exclude: [SKU-3]}"
    shop.opens(f"market: {{connector: market, {AUTO}, {offers}}}")
    categories = {"SKU-1": "Toys/Cars", "SKU-2": "Food", "SKU-3": "Toys", "SKU-4": "Toys", "SKU-5": "Toys"}
    for sku, category in categories.items():
        shop.product(sku, category=category, status="archived" if sku == "SKU-4" else "active")
        shop.counts(sku, 1)
        if sku != "SKU-5":
            shop.prices(sku, 1000)
    shop.decides()
    reasons = {sku: reason for sku, (state, reason) in shop.states("market").items() if state == "excluded"}
    assert reasons == {
        "SKU-2": "category: Food", "SKU-3": "exclude: named in connections.yaml", "SKU-4": "status: archived",
        "SKU-5": "has: no price",
    }  # fmt: skip
    assert shop.waits("market") == {"SKU-1": (1, "ready")}


def test_a_product_that_belongs_no_more_is_taken_off_the_shelf_first(shop: Any) -> None:
    shop.has("SKU-1", 5)
    shop.syncs()
    shop.product("SKU-1", status="archived")
    shop.decides()
    assert shop.waits("market") == {"SKU-1": (0, "ready")}
    shop.delivers()
    assert shop.shows("market") == {"SKU-1": 0}
    assert shop.states("market") == {"SKU-1": ("excluded", "status: archived")}
    shop.product("SKU-1")
    shop.syncs()
    assert shop.shows("market") == {"SKU-1": 5}


# ── places and shares ─────────────────────────────────────────────────────────────────────────────────────────────────


def test_each_point_of_sale_shows_its_own_count(shop: Any) -> None:
    shop.opens(f"points: {{connector: points, {AUTO}, locations: {{PP1: Almaty-1, PP10: Astana-1, PP2: Aktau-1}}}}")
    shop.has("SKU-1", 5, "Almaty-1")
    shop.has("SKU-1", 2, "Astana-1")
    shop.has("SKU-1", 9, "Nowhere")
    shop.syncs()
    assert shop.shows("points") == {"SKU-1": {"PP1": 5, "PP10": 2}}
    assert shop.decides_in_full("points").planned == 0


def test_by_point_without_points_says_who_must_name_them(shop: Any) -> None:
    shop.opens(f"points: {{connector: points, {AUTO}}}")
    shop.has("SKU-1", 5)
    shop.decides()
    assert "named under `locations`" in shop.states("points")["SKU-1"][1]


def test_quota_and_priority_share_the_same_units(shop: Any) -> None:
    shop.opens(
        f"market: {{connector: market, {AUTO}, stock: {{allocation: quota, share: 0.5}}}}\n"
        f"points: {{connector: points, {AUTO}, locations: {{P: Almaty-1}}, "
        "stock: {allocation: priority, share: 0.5, priority: 1}}\n"
        f"second: {{connector: points, {AUTO}, locations: {{P: Almaty-1}}, "
        "stock: {allocation: priority, priority: 2}}"
    )
    shop.has("SKU-1", 7)
    shop.syncs()
    assert shop.shows("market") == {"SKU-1": 3}
    assert shop.shows("points") == {"SKU-1": {"P": 4}}
    assert shop.shows("second") == {"SKU-1": {"P": 3}}


# ── decreases at once, increases on fresh evidence ────────────────────────────────────────────────────────────────────


def test_a_silent_warehouse_lowers_but_raises_nothing(shop: Any) -> None:
    shop.has("SKU-1", 5)
    shop.order("A", ("SKU-1", 2))
    shop.syncs()
    shop.passes(hours=3)
    shop.order("B", ("SKU-1", 1))
    shop.syncs()
    assert shop.shows("market") == {"SKU-1": 2}
    shop.order("A", ("SKU-1", 2), status="cancelled")
    shop.syncs()
    assert shop.shows("market") == {"SKU-1": 2}
    assert shop.states("market") == {"SKU-1": ("held", "stale")}
    because = shop.one("select because from ledger.outbox").because
    assert because.startswith("5 on hand, 1 reserved, not counted since 2026-03-02 05:00 UTC")
    shop.counts("SKU-1", 5)
    shop.syncs()
    assert shop.shows("market") == {"SKU-1": 4}


def test_a_source_that_answers_again_releases_what_waited_for_it(shop: Any) -> None:
    shop.has("SKU-1", 5)
    shop.order("A", ("SKU-1", 2))
    shop.syncs()
    shop.passes(hours=3)
    shop.order("A", ("SKU-1", 2), status="cancelled")
    shop.syncs()
    assert shop.states("market") == {"SKU-1": ("held", "stale")}
    shop.say("update position.stock set as_of = :now", now=shop.now)
    shop.dirty("source", "erp")
    shop.syncs()
    assert shop.shows("market") == {"SKU-1": 5}


# ── guards ────────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_the_first_plan_waits_for_a_person(shop: Any) -> None:
    shop.opens("market: {connector: market, push: {stock: auto}}")
    shop.has("SKU-1", 5)
    shop.has("SKU-2", 5)
    plan = shop.decides()["market", "stock.push"]
    assert (plan.planned, plan.held) == (2, 2)
    assert shop.states("market")["SKU-1"] == ("held", "first sync")
    shop.counts("SKU-1", 4)
    again = shop.decides()["market", "stock.push"]
    assert shop.waits("market") == {"SKU-1": (4, "held"), "SKU-2": (5, "held")}
    assert [row.state for row in shop.all("select state from ledger.plan order by plan")] == ["held", "held"]
    assert again.plan != plan.plan


def test_a_plan_that_a_newer_one_emptied_is_superseded(shop: Any) -> None:
    shop.opens("market: {connector: market, push: {stock: approve, first: auto}}")
    shop.has("SKU-1", 5)
    first = shop.decides()["market", "stock.push"]
    assert shop.states("market")["SKU-1"] == ("held", "approval required")
    shop.counts("SKU-1", 4)
    shop.decides()
    assert shop.one("select state from ledger.plan where plan = :p", p=first.plan).state == "superseded"


def test_too_many_changes_at_once_are_held_together(shop: Any) -> None:
    skus = [f"SKU-{n:02}" for n in range(40)]
    for sku in skus:
        shop.has(sku, 50)
    shop.syncs()
    for sku in skus[:13]:
        shop.counts(sku, 40)
    shop.syncs()
    assert {reason for _, reason in shop.states("market").values() if reason} == {
        "share: 13 of 40 change at once, the guard allows 30%"
    }
    assert set(shop.shows("market").values()) == {50}


def test_many_rows_falling_to_zero_are_held_and_the_others_go(shop: Any) -> None:
    shop.opens(f"market: {{connector: market, {AUTO}, guards: {{share: 0.2}}}}")
    skus = [f"SKU-{n:02}" for n in range(40)]
    for sku in skus:
        shop.has(sku, 50)
    shop.syncs()
    for sku in skus[:9]:
        shop.counts(sku, 0)
    shop.counts(skus[9], 0.0 + 49)
    shop.syncs()
    assert shop.states("market")["SKU-00"] == ("held", "zero")
    assert shop.shows("market")["SKU-09"] == 49


# ── a channel that can be read ────────────────────────────────────────────────────────────────────────────────────────


def test_a_cold_start_takes_what_the_channel_shows(shop: Any) -> None:
    shop.opens(f"site: {{connector: site, {AUTO}}}")
    shop.has("SKU-1", 5)
    shop.has("SKU-2", 5)
    shop.lists("site", "SKU-1", stock=5)
    shop.lists("site", "SKU-2", stock=7)
    plan = shop.decides()["site", "stock.push"]
    assert plan.planned == 1
    assert shop.states("site")["SKU-1"] == ("in_sync", None)
    row = shop.one("select was, becomes, external_id from ledger.outbox")
    assert (row.was, row.becomes, row.external_id) == (7, 5, "L-SKU-2")


# ── looking first ─────────────────────────────────────────────────────────────────────────────────────────────────────


def test_looking_at_a_plan_writes_nothing(shop: Any) -> None:
    shop.opens("market: {connector: market, push: {stock: auto}}")
    shop.has("SKU-1", 5)
    shop.folds()
    assert shop.looks("market") == [
        {"connection": "market", "capability": "stock.push", "plan": None, "subject": "SKU-1", "was": None,
         "becomes": 5, "because": "5 on hand", "guard": "first sync"}
    ]  # fmt: skip
    assert shop.all("select from ledger.item") == shop.all("select from ledger.plan") == []
    plan = shop.decides()["market", "stock.push"].plan
    assert [(row["plan"], row["becomes"], row["guard"]) for row in shop.looks("market")] == [(plan, 5, "first sync")]
