"""A price list of 12,000 rows, 37 of them a hundredfold."""

import csv
from decimal import Decimal

import pytest

from connectors.sdk.testing.shop import a_shop
from dagster_project.home import home
from dagster_project.steps.approve import approve, reject
from tests.scenarios.town import CHANNEL

ROWS, WRONG = 12_000, 37


@pytest.fixture(scope="module")
def shop():
    return a_shop(variants=ROWS, people=1, orders=0)


@pytest.fixture
def site(town, shop):
    """Shows the goods at their retail prices, which a price list confirmed."""
    files = {"goods": "products", "lists": "prices"}
    for name, layout in files.items():
        (home() / name).mkdir(parents=True)
        known = {"path": str(home() / name / "*.csv"), "layout": layout}
        dated = {"currency": "KZT", "timezone": "Asia/Almaty"} if layout == "prices" else {}
        town.entries[name] = {"connector": "files", "settings": {**known, **dated}}
    drops("goods", "goods.csv", [{"sku": one.sku, "name": one.name} for one in shop.variants])
    town.owns(product="goods", price="lists")
    state = town.opens("site", "satu", shop, **{**CHANNEL, "push": {"price": "auto", "first": "auto"}})
    arrives(shop, "march.csv")
    town.syncs()
    assert town.writes("site") == []
    return state


def drops(folder, name, rows):
    with (home() / folder / name).open("w", encoding="utf-8", newline="") as file:
        table = csv.DictWriter(file, list(rows[0]))
        table.writeheader()
        table.writerows(rows)


def arrives(shop, name, **wrong):
    """A price list: `wrong` by sku, retail for the others."""
    amounts = {one.sku: one.retail for one in shop.variants} | wrong
    drops("lists", name, [{"sku": sku, "price_type": "retail", "amount": amount} for sku, amount in amounts.items()])


@pytest.mark.slow
def test_thirty_seven_wait_for_a_person_the_others_pass_and_a_blank_is_no_price(town, shop, site):
    dear, wrong = {}, {}
    for number, one in enumerate(shop.variants[:2000]):
        amounts = wrong if number < WRONG else dear
        amounts[one.sku] = one.retail * 100 if number < WRONG else one.retail + 10
    blank = shop.variants[-1].sku
    arrives(shop, "april.csv", **dear, **wrong, **{blank: ""})
    before = town.prices("site")

    report = town.passes_and_syncs(minutes=10)

    shown = town.prices("site")
    assert {sku: shown[sku] for sku in dear} == {sku: int(amount) for sku, amount in dear.items()}
    assert {sku: shown[sku] for sku in wrong} == {sku: before[sku] for sku in wrong}
    [pushed] = [part for part in report.capabilities if part.capability == "price.push"]
    assert (pushed.sent, pushed.held) == (len(dear), WRONG)
    held = town.all("select subject, guard, plan from ledger.outbox where state = 'held'")
    assert {row.subject for row in held} == set(wrong)
    assert {row.guard for row in held} == {"step"}

    assert town.one("select * from ledger.quarantine").connection == "lists"
    assert town.item("site", "price.push", blank).desired == before[blank] == shown[blank] > 0

    meant, *mistaken = sorted(wrong)
    plan = held[0].plan
    approve(town.store, plan, [meant], who="Aigul", why="a new pack of a hundred", now=town.clock())
    reject(town.store, plan, mistaken, who="Aigul", why="kopecks", now=town.clock())
    town.passes_and_syncs(minutes=10)
    shown = town.prices("site")
    assert Decimal(shown[meant]) == wrong[meant]
    assert {sku: shown[sku] for sku in mistaken} == {sku: before[sku] for sku in mistaken}
    assert {town.item("site", "price.push", sku).state for sku in mistaken} == {"rejected"}
