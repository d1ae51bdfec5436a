"""A price list that went out and is taken back."""

from connectors.moysklad.simulator.seed import prices
from dagster_project.steps.undo import undo
from tests.scenarios.town import CHANNEL, a_small_shop

DEARER = {**CHANNEL, "price": {"from": "retail", "markup": 0.5}}


def test_a_pushed_price_list_is_taken_back_but_for_what_changed_since(town):
    shop = a_small_shop(5, 5, 5)
    town.opens("erp", "moysklad", shop, push={})
    town.opens("site", "satu", shop, **CHANNEL)
    town.owns(product="erp", price="erp", on_hand="erp")
    town.syncs()
    before = town.prices("site")

    town.entries["site"] |= DEARER
    town.passes_and_syncs(minutes=10)
    [plan] = town.all("select plan from ledger.plan where capability = 'price.push'")
    raised = town.prices("site")
    assert all(raised[sku] > before[sku] for sku in before)

    one, erp = shop.variants[0].sku, town.vendors["erp"]
    item, dearer = erp.item(one), shop.variants[0]._replace(retail=shop.variants[0].retail + 500)
    erp.books.change(item.kind, item.id, **prices(dearer))
    town.passes_and_syncs(minutes=10)
    newest = town.prices("site")[one]
    rows = undo(town.store, town.hub, plan.plan, who="Aigul", now=town.clock())
    assert [row["subject"] for row in rows if row["left_alone"]] == [one]
    town.passes_and_syncs(minutes=10)
    assert town.prices("site") == {**before, one: newest}
