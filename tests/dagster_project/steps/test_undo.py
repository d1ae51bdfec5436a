"""Taking a push back: the last good values, through the guards, and never against what happened since."""

import pytest
from sqlalchemy import text

from connectors.sdk import ConfigError
from dagster_project.steps.approve import approve
from dagster_project.steps.status import violations
from dagster_project.steps.undo import undo

GOODS = ("TEA", "MUG", "POT")


@pytest.fixture
def prices(a_channel):
    """Three goods, each shown for 1,000; then a plan that makes them 1,500."""
    channel = a_channel("price.push", guards="share: 0.9")
    with channel.store.begin() as db:
        for sku in GOODS:
            names = {"s": sku}
            db.execute(text("insert into canonical.product (sku, connection, external_id, name, status, source) "
                            "values (:s, 'erp', :s, :s, 'active', '{}')"), names)  # fmt: skip
    channel.plan(dict.fromkeys(GOODS, 1000))
    channel.deliver()
    channel.typo = channel.plan(dict.fromkeys(GOODS, 1500)).plan
    return channel


@pytest.fixture
def takes_back(prices, clock):
    return lambda plan=None: undo(prices.store, prices.hub, plan or prices.typo, who="Aigul", now=clock())


def by_subject(rows):
    return {row["subject"]: row for row in rows}


def test_undo_restores_what_was_shown_before(prices, vendor, takes_back):
    prices.deliver()
    rows = takes_back()
    assert {(row["subject"], row["was"], row["becomes"], row["left_alone"]) for row in rows} == {
        (sku, 1500, 1000, None) for sku in GOODS
    }
    prices.deliver()
    assert vendor.shows == dict.fromkeys(GOODS, "1000")
    assert prices.states() == {"in_sync": 3}
    stored = prices.one("select undoes, state from ledger.plan order by plan desc limit 1")
    assert (stored.undoes, stored.state) == (prices.typo, "released")
    assert violations(prices.store, prices.hub) == []


def test_rows_that_changed_since_are_listed_and_left_alone(prices, vendor, takes_back):
    prices.deliver()
    prices.plan({"TEA": 1600})
    prices.deliver()
    prices.plan({"MUG": 1700})
    rows = by_subject(takes_back())
    assert rows["TEA"]["left_alone"] == "changed since: the channel was told 1600"
    assert rows["MUG"]["left_alone"].endswith("waits with a newer value")
    assert rows["POT"]["left_alone"] is None
    prices.deliver()
    assert vendor.shows == {"TEA": "1600", "MUG": "1700", "POT": "1000"}


def test_what_was_never_shown_before_is_left_alone(prices, takes_back):
    new = prices.plan({"JAR": 900}).plan
    prices.deliver()
    (row,) = takes_back(new)
    assert (row["plan"], row["left_alone"]) == (None, "nothing was shown before it")


def test_what_had_not_been_sent_yet_is_taken_back_and_not_sent(prices, vendor, takes_back):
    rows = by_subject(takes_back())
    assert {row["left_alone"] for row in rows.values()} == {"it had not been sent; it was taken back"}
    prices.deliver()
    assert vendor.shows == dict.fromkeys(GOODS, "1000")
    assert prices.states() == {"rejected": 3}


def test_the_way_back_passes_the_guards_too(prices, vendor, clock, takes_back):
    prices.plan({"TEA": 20000})
    prices.deliver()
    plan = prices.item("TEA").plan
    with prices.store.begin() as db:
        db.execute(text("update ledger.change set was = '1500' where plan = :p"), {"p": plan})
    (row,) = takes_back(plan)
    assert row["guard"] == "step"
    prices.deliver()
    assert vendor.shows["TEA"] == "20000"
    approve(prices.store, row["plan"], who="Aigul", now=clock())
    prices.deliver()
    assert vendor.shows["TEA"] == "1500"


def test_what_was_undone_does_not_go_out_again_by_itself_but_a_mended_value_does(prices, vendor, takes_back):
    prices.deliver()
    takes_back()
    prices.deliver()
    prices.plan({"TEA": 1500, "MUG": 1010})
    prices.deliver()
    assert (prices.item("TEA").state, prices.item("TEA").reason) == ("held", "undone")
    assert vendor.shows == {"TEA": "1000", "MUG": "1010", "POT": "1000"}


def test_an_undo_can_be_undone(prices, vendor, takes_back):
    prices.deliver()
    back = takes_back()[0]["plan"]
    prices.deliver()
    takes_back(back)
    prices.deliver()
    assert vendor.shows == dict.fromkeys(GOODS, "1500")


def test_an_order_that_was_accepted_cannot_be_unaccepted(a_channel, clock):
    orders = a_channel("order.status", batch=1)
    plan = orders.plan({"shop:1": {"status": "confirmed"}}).plan
    orders.deliver()
    (row,) = undo(orders.store, orders.hub, plan, who="Aigul", now=clock())
    assert row["left_alone"] == "what was told of an order cannot be taken back"
    assert orders.states() == {"in_sync": 1}


@pytest.mark.parametrize("name", ["4711", "a-run-that-was-not"])
def test_an_unknown_plan_is_named(prices, takes_back, name):
    with pytest.raises(ConfigError, match=name):
        takes_back(name)
