"""Plans through the command line: seen, approved, refused, taken back."""

import pytest

from tests.dagster_project.conftest import Street

FIRST = {"stock": "auto", "price": "approve", "first": "approve"}


@pytest.fixture
def held(street: Street) -> Street:
    """The first plans of the site wait for a person: its prices are 100 below what they should be."""
    street.stocks_shelves()
    site = street.opens("site", push=FIRST)
    for product in site.products.values():
        product["price"] -= 100
    assert street.keruen("sync").exit_code == 0
    return street


def waiting(street: Street, capability: str) -> int:
    [plan] = street.told("plan", "--held", "--capability", capability)
    return int(plan["plan"])


def prices(street: Street) -> dict[str, int]:
    return {product["sku"]: int(product["price"]) for product in street["site"].products.values()}


def retail(street: Street) -> dict[str, int]:
    return {variant.sku: int(variant.retail) for variant in street.shop.variants}


def test_a_preview_shows_old_and_new_and_writes_nothing(street: Street):
    street.stocks_shelves()
    street.opens("site", push={"price": "auto", "first": "auto"}, price={"from": "retail", "markup": 0.5, "round": 10})
    assert street.keruen("sync", "goods", "prices").exit_code == 0
    before = street.rows("select count(*) from ledger.item"), street.rows("select count(*) from ledger.plan")
    rows = street.told("plan", "site", "--capability", "price.push")
    assert (street.rows("select count(*) from ledger.item"), street.rows("select count(*) from ledger.plan")) == before
    assert street.writes("site") == []
    assert all(
        set(row) == {"plan", "connection", "capability", "subject", "was", "becomes", "because", "guard"}
        for row in rows
    )


def test_after_a_sync_whoever_must_act_is_told_where(street: Street):
    street.drops("goods", "products", [{"sku": "MUG", "name": "Mug"}, {"sku": "", "name": "Tea"}])
    street.opens("site", push=FIRST)
    said = street.keruen("sync").stdout
    assert "keruen quarantine list" in said
    assert "keruen plan --held" not in said
    street.stocks_shelves()
    said = street.keruen("sync").stdout
    assert "Something waits for a person: keruen plan --held" in said
    assert "Nothing changed" not in said


def test_what_is_held_for_want_of_something_is_told_beside_the_plans(street: Street):
    street.stocks_shelves()
    street.opens("site", push={"price": "auto", "first": "auto"}, offers={})
    street.keruen("sync")
    sku, *others = [variant.sku for variant in street.shop.variants]
    street.drops("prices", "prices", [{"sku": one, "price_type": "retail", "amount": 1000} for one in others])
    street.keruen("sync")
    said = street.keruen("plan", "--held").stdout
    assert f"The first, blank: no retail price: keruen explain {sku}" in said


def test_a_plan_of_which_rows_are_held_says_by_which_guards(street: Street):
    street.stocks_shelves()
    street.opens("site", push={"price": "auto", "first": "auto"}, offers={})
    street.keruen("sync")
    mistyped, moved, *_ = street.shop.variants
    street.prices(**{mistyped.sku: mistyped.retail * 100, moved.sku: moved.retail + 10})
    street.keruen("sync")
    [waits] = street.told("plan", "--held")
    assert (waits["state"], waits["reason"], waits["rows"], waits["held"]) == ("partly held", "step (1)", 2, 1)
    assert street.keruen("approve", str(waits["plan"])).exit_code == 0
    assert street.told("plan", "--held") == []


def test_a_held_plan_says_why_it_is_and_which_rows_wait_for_more_than_that(street: Street):
    street.stocks_shelves()
    site = street.opens("site", push=FIRST, guards={"step": 10, "share": 1.0})
    site.products[next(iter(site.products))]["price"] *= 100
    street.keruen("sync")
    [waits] = street.told("plan", "--held", "--capability", "price.push")
    assert (waits["state"], waits["reason"].split("; ")[1:]) == ("held", ["step (1)"])
    street.keruen("approve", str(waits["plan"]))
    [waits] = street.told("plan", "--held", "--capability", "price.push")
    assert (waits["state"], waits["reason"]) == ("partly held", "step (1)")


def test_a_held_plan_leaves_only_when_a_person_says_so(held: Street):
    plan = waiting(held, "price.push")
    assert held.writes("site") == []
    assert prices(held) != retail(held)
    done = held.keruen("approve", str(plan), "--why", "first price list, checked")
    assert done.exit_code == 0
    assert f"plan {plan}: released 12" in done.stdout
    assert held.keruen("sync").exit_code == 0
    assert prices(held) == retail(held)
    assert held.rows("select why from ledger.plan where plan = :plan", plan=plan) == [("first price list, checked",)]


def test_whoever_approves_is_told_when_it_leaves(held: Street):
    said = held.keruen("approve", str(waiting(held, "price.push"))).stdout
    assert "leaves with the next `keruen sync`, or by itself where `keruen up` runs" in said
    assert "feed" not in said


def test_what_a_channel_fetches_is_said_to_be_pending_until_then(street: Street):
    street.stocks_shelves()
    street.opens("market", push=FIRST)
    street.keruen("sync")
    plan = waiting(street, "price.push")
    assert "pending until market has fetched the new one" in street.keruen("approve", str(plan)).stdout
    street.keruen("sync")
    [status] = [row for row in street.told("status") if row["capability"] == "price.push"]
    assert status["pending"] == 12


def test_some_rows_may_go_while_the_rest_waits(held: Street):
    plan, first = waiting(held, "price.push"), held.shop.variants[0]
    assert held.keruen("approve", str(plan), "--rows", first.sku).exit_code == 0
    assert held.keruen("sync").exit_code == 0
    shown = prices(held)
    assert shown[first.sku] == int(first.retail)
    assert sum(shown[sku] == price for sku, price in retail(held).items()) == 1


def test_a_rejected_plan_sends_nothing_and_says_who_refused_it(held: Street):
    plan = waiting(held, "price.push")
    done = held.keruen("reject", str(plan), "--why", "typing error")
    assert f"plan {plan}: rejected 12" in done.stdout
    assert held.keruen("sync").exit_code == 0
    assert prices(held) != retail(held)
    [status] = [row for row in held.told("status") if row["capability"] == "price.push"]
    assert status["rejected"] == 12


def test_a_push_is_taken_back(held: Street):
    before, plan = prices(held), waiting(held, "price.push")
    held.keruen("approve", str(plan))
    held.keruen("sync")
    rows = held.told("undo", str(plan))
    assert {row["subject"] for row in rows} == set(before)
    assert not any(row["left_alone"] for row in rows)
    for one in held.told("plan", "--held", "--capability", "price.push"):
        held.keruen("approve", str(one["plan"]))
    assert held.keruen("sync").exit_code == 0
    assert prices(held) == before


def test_a_plan_that_is_none_is_answered_with_where_to_look(held: Street):
    assert "there is no plan 999" in held.refuses("approve", "999")
    assert "there is no plan 999" in held.refuses("reject", "999")
    assert "999" in held.refuses("undo", "999")
    assert "neither a plan's number nor file:HASH" in held.refuses("approve", "all")


def test_a_file_that_would_remove_too_much_waits_beside_the_plans(street: Street):
    street.stocks_shelves()
    street.keruen("sync")
    few = [{"sku": street.shop.variants[0].sku, "location": "Almaty-1", "on_hand": 3}]
    street.drops("counts", "stock", few)
    street.keruen("sync")
    [waits] = street.told("plan", "--held")
    assert (waits["connection"], waits["rows"]) == ("counts", 1)
    assert street.rows("select count(*) from canonical.stock_level where deleted_at is null") == [(12,)]
    done = street.keruen("approve", waits["plan"])
    assert "1 of 1 lines stored" in done.stdout
    assert street.told("plan", "--held") == []
    assert street.rows("select sku, on_hand from canonical.stock_level where deleted_at is null") == [
        (few[0]["sku"], 3)
    ]


def test_a_rejected_file_leaves_everything_as_it_was(street: Street):
    street.stocks_shelves()
    street.keruen("sync")
    street.drops("counts", "stock", [{"sku": street.shop.variants[0].sku, "location": "Almaty-1", "on_hand": 3}])
    street.keruen("sync")
    [waits] = street.told("plan", "--held")
    assert street.keruen("reject", waits["plan"]).stdout.strip() == f"{waits['plan']}: rejected"
    assert street.told("plan", "--held") == []
    assert street.rows("select count(*) from canonical.stock_level where deleted_at is null") == [(12,)]
    assert "no held file" in street.refuses("approve", waits["plan"])
