"""The whole way: a portal's people, goods and deals into the hub, and a marketplace's orders into its deals."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pytest
from sqlalchemy import Engine, text

from connectors.bitrix24 import CONNECTOR
from connectors.bitrix24.sandbox import DEMO, Sandboxed, sandbox
from connectors.satu import CONNECTOR as SATU
from connectors.satu.sandbox import DEMO as BAZAAR
from connectors.satu.sandbox import Satu
from connectors.satu.sandbox import sandbox as bazaar
from connectors.sdk.testing.sandbox import served
from connectors.sdk.testing.shop import Shop
from dagster_project.connections import Hub, parse
from dagster_project.steps.people.erase import erase
from dagster_project.steps.sync import sync
from tests.clock import Clock


@dataclass
class Day:
    """A shop whose books are in the CRM, and which sells on a marketplace."""

    store: Engine
    entry: dict[str, Any]
    portal: Sandboxed
    market: Satu
    clock: Clock

    @property
    def hub(self) -> Hub:
        return parse(str(self.entry), {"bitrix24": CONNECTOR, "satu": SATU})

    def rows(self, query: str) -> list[Any]:
        with self.store.connect() as db:
            return list(db.execute(text(query)).all())

    def does(self, statement: str) -> None:
        with self.store.begin() as db:
            db.execute(text(statement))

    def syncs(self, minutes: float = 0, full: bool = False) -> None:
        self.clock.passes(minutes=minutes)
        report = sync(self.store, self.hub, clock=self.clock, full=full)
        assert report.errors == []

    def counts(self, table: str, where: str = "connection = 'crm'") -> int:
        with self.store.connect() as db:
            return int(db.execute(text(f"select count(*) from {table} where {where}")).scalar() or 0)

    def copies(self) -> list[dict[str, str]]:
        return [deal for deal in self.portal.crm["DEAL"].values() if deal["ORIGINATOR_ID"] == "keruen"]


@pytest.fixture
def day(store: Engine, shop: Shop, clock: Clock, monkeypatch: pytest.MonkeyPatch) -> Iterator[Day]:
    portal, market = sandbox(shop, limits="off", clock=clock), bazaar(limits="off", clock=clock)
    sku = shop.variants[0].sku
    market.product(sku, price=1250, presence="available", quantity_in_stock=7)
    monkeypatch.setenv("BITRIX24", DEMO.secrets["webhook"])
    monkeypatch.setenv("SATU", BAZAAR.secrets["token"])
    with served(portal.sandbox) as crm, served(market.sandbox) as url:
        entry = {
            "hub": {"authority": {"product": "crm", "price": "crm", "on_hand": "crm"}},
            "crm": {
                "connector": "bitrix24", "secrets": {"webhook": "BITRIX24"}, "locations": DEMO.connection["locations"],
                "settings": {**DEMO.settings, **DEMO.unlimited, "base_url": crm},
                "push": {"order": "auto", "first": "auto"}, "country": "KZ",
            },
            "bazaar": {
                "connector": "satu", "secrets": {"token": "SATU"}, "orders_to": "crm",
                "settings": {**BAZAAR.settings, **BAZAAR.unlimited, "base_url": url},
            },
        }  # fmt: skip
        yield Day(store, entry, portal, market, clock)


def test_all_that_the_portal_knows_comes_in_and_nothing_is_set_aside(day, shop):
    day.syncs()
    people = sum(len(day.portal.crm[kind]) for kind in ("CONTACT", "COMPANY", "LEAD"))
    assert day.counts("canonical.customer") == people
    sales = len(day.portal.crm["DEAL"]) + len(day.portal.catalogue["orders"])
    assert day.counts('canonical."order"') == sales
    assert day.counts("canonical.product", "true") == len(shop.variants)
    assert day.counts("canonical.stock_level", "true") == len(shop.stock)
    assert day.counts("ledger.quarantine") == 0


def test_a_marketplaces_order_becomes_one_deal_that_moves_on(day, shop):
    sale = day.market.sell([(shop.variants[0].sku, 2)], phone="+77000009999", client_first_name="Айдана")
    day.syncs()
    day.syncs(minutes=10)
    [deal] = day.copies()
    assert (deal["ORIGIN_ID"], deal["STAGE_ID"], deal["OPPORTUNITY"]) == (f"bazaar:{sale['id']}", "NEW", "2500.00")
    [row] = day.portal.rows[int(deal["ID"])]
    assert (row["productName"], row["quantity"]) == (shop.variants[0].name, 2)
    assert day.portal.crm["CONTACT"][int(deal["CONTACT_ID"])]["NAME"] == "Айдана"
    assert day.counts('canonical."order"', "copy_of like 'bazaar:%'") == 1, "a copy is not a second sale"

    sale |= {"status": "delivered", "date_modified": day.market.stamp()}
    day.clock.passes(hours=1)
    day.syncs()
    [deal] = day.copies()
    assert deal["STAGE_ID"] in ("FINAL_INVOICE", "WON")


def test_who_is_erased_leaves_the_crm_and_what_was_not_written_there_is_named(day):
    """Somebody is a contact and a lead; the contact bears our receipt, the lead is for a manager to delete."""
    day.entry["crm"]["push"]["customer"] = "auto"
    day.entry["hub"]["authority"]["customer"] = "bazaar"
    day.syncs()
    person, key, lead = day.rows(_CONTACT_AND_LEAD)[0]
    receipt = f"update ledger.item set external_id = '{key}' where subject = '{person}'"
    day.does(f"{receipt} and capability = 'customer.push'")
    report = erase(day.store, day.hub, f"crm:{key}", basis="letter 1", now=day.clock())
    withdrawn, by_hand = sorted(report["owed"], key=len)
    assert "customer.push" in withdrawn
    assert f"delete the person there (known there as {lead}). In CRM" in by_hand
    day.syncs(minutes=1)
    assert int(key) not in day.portal.crm["CONTACT"]
    duties = day.rows("select confirmed_by from privacy.erasure_duty order by confirms is null")
    assert [one.confirmed_by for one in duties] == ["crm", None]


def test_a_deal_that_is_deleted_there_is_no_sale_here_from_the_next_night_on(day):
    """And one that is older than what a full run reads again stays."""
    day.syncs()
    known = day.counts('canonical."order"', "deleted_at is null")
    gone, *_, order = [*day.portal.crm["DEAL"], day.portal.catalogue["orders"].pop(0)["id"]]
    day.portal.delete("DEAL", gone)
    day.syncs(minutes=120 * 24 * 60)
    assert day.counts('canonical."order"', "deleted_at is null") == known, "an increment says nothing of what it lacks"
    day.syncs(minutes=10, full=True)
    left = {
        row.external_id for row in day.rows('select external_id from canonical."order" where deleted_at is not null')
    }
    assert left == {str(gone), f"O_{order}"}


_CONTACT_AND_LEAD = """
select m.person_id, min(external_id) as contact, max(external_id) as lead
from identity.membership m join identity.source_record r using (record) group by 1
having count(*) = 2 and count(*) filter (where external_id like 'L%') = 1 order by 1
"""
