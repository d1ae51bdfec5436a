"""The whole way: a count in the shop, the price list, Kaspi's visit, a sale, its acceptance, the next price list."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from decimal import Decimal
from types import SimpleNamespace
from typing import Any

import pytest
from sqlalchemy import Engine, text

from connectors.kaspi import CONNECTOR
from connectors.kaspi.sandbox import DEMO, PASSWORD, TOKEN, Kaspi
from connectors.kaspi.sandbox_orders import Sale
from connectors.sdk import ConnectionConfig, ConnectorSpec, Page, Resource, Since
from connectors.sdk.testing.sandbox import served
from dagster_project.connections import Hub, parse
from dagster_project.feed_server import feed_app
from dagster_project.steps.ask import ask
from dagster_project.steps.sync import sync
from mappings.canonical import Price, Product, StockLevel
from mappings.tables import Constant, Field, FieldMap, convert

LOGIN = (DEMO.settings["feed_login"], PASSWORD)


@dataclass
class Till:
    """The shop's own system: what lies where, and what it costs. `counted_at`: when; None: whenever it is asked."""

    goods: dict[str, Decimal] = field(default_factory=dict)
    archived: set[str] = field(default_factory=set)
    counts: dict[tuple[str, str], int] = field(default_factory=dict)
    counted_at: datetime | None = None

    @property
    def connector(self) -> ConnectorSpec:
        product = {"external_id": Field("sku"), "sku": Field("sku"), "name": Field("sku"),
                   "status": Field("status")}  # fmt: skip
        price = {"sku": Field("sku"), "price_type": Constant("retail"), "amount": Field("price", Decimal),
                 "currency": Constant("KZT")}  # fmt: skip
        stock = {"sku": Field("sku"), "location": Field("place"), "on_hand": Field("count", Decimal),
                 "as_of": Field("at", convert.aware)}  # fmt: skip
        goods = {"product": FieldMap(Product, product), "price": FieldMap(Price, price)}
        return ConnectorSpec(
            "till", "Till", ConnectionConfig,
            resources=(
                Resource("goods", self._goods, "sku", goods, reads=lambda reply: None),
                Resource("stock", self._stock, "key", FieldMap(StockLevel, stock), reads=lambda reply: None),
            ),
        )  # fmt: skip

    def _goods(self, config: Any, since: Since) -> Iterator[Page]:
        """Goods with their prices."""
        yield Page(
            [{"sku": sku, "price": str(price), "status": "archived" if sku in self.archived else "active"}
             for sku, price in self.goods.items()]
        )  # fmt: skip

    def _stock(self, config: Any, since: Since) -> Iterator[Page]:
        """What was counted where."""
        at = (self.counted_at or since.now).isoformat()
        yield Page(
            [{"key": f"{sku}@{place}", "sku": sku, "place": place, "count": str(count), "at": at}
             for (sku, place), count in self.counts.items()]
        )  # fmt: skip


@dataclass
class Day:
    """A shop with a till and a seller's account at Kaspi, hour by hour."""

    store: Engine
    hub: Hub
    kaspi: Kaspi
    moment: datetime
    till: Till

    def syncs(self) -> None:
        report = sync(self.store, self.hub, clock=lambda: self.moment)
        assert report.errors == []

    def kaspi_visits(self) -> None:
        """Kaspi fetches the price list as the hub's feed server gives it."""
        feeds = feed_app(lambda: self.store, lambda: self.hub, now=lambda: self.moment)
        with served(SimpleNamespace(name="feeds", app=feeds)) as url:  # type: ignore[arg-type]
            assert self.kaspi.fetch_feed(f"{url}/feeds/kaspi_almaty.xml", LOGIN).taken

    def hour_later(self) -> None:
        """The hub at work, Kaspi's hourly visit, and what the hub makes of it."""
        self.moment += timedelta(hours=1)
        self.syncs()
        self.kaspi_visits()

    def is_asked(self, sale: Sale, what: dict[str, Any]) -> None:
        ask(self.store, self.hub, f"kaspi_almaty:{sale.code}", what, who="Dina", now=self.moment)

    def shows(self, sku: str) -> dict[str, int]:
        return self.kaspi.front.offers[sku].stock

    def states(self, capability: str) -> dict[str, str]:
        query = "select subject, state from ledger.item where connection = 'kaspi_almaty' and capability = :capability"
        with self.store.connect() as db:
            return dict(db.execute(text(query), {"capability": capability}).all())


@pytest.fixture
def day(
    store: Engine, kaspi: Kaspi, account: Callable[..., Any], now: datetime, monkeypatch: pytest.MonkeyPatch
) -> Day:
    till = Till(
        goods={"TEA-1": Decimal(2500), "MUG-1": Decimal(1990)},
        counts={("TEA-1", "Almaty-1"): 1, ("TEA-1", "Astana-1"): 0, ("MUG-1", "Almaty-1"): 7, ("MUG-1", "Astana-1"): 2},
    )
    monkeypatch.setenv("KASPI_TOKEN", TOKEN)
    monkeypatch.setenv("KASPI_FEED", PASSWORD)
    entry = {
        "hub": {"authority": {"product": "till", "price": "till", "on_hand": "till"}},
        "till": {"connector": "till", "locations": {"Almaty-1": "Almaty-1", "Astana-1": "Astana-1"}},
        "kaspi_almaty": {
            "connector": "kaspi",
            "settings": {**DEMO.settings, **DEMO.unlimited, "points": {"PP1": "Алматы", "PP3": "Астана"},
                         "base_url": str(account().base_url)},
            "secrets": {"token": "KASPI_TOKEN", "feed_password": "KASPI_FEED"},
            "locations": {"PP1": "Almaty-1", "PP3": "Astana-1"},
            "push": {"stock": "auto", "price": "auto", "order": "auto", "first": "auto"},
            "guards": {"share": 1.0, "shrink": 0.5, "fresh": "9h"},
        },
    }  # fmt: skip
    return Day(store, parse(str(entry), {"kaspi": CONNECTOR, "till": till.connector}), kaspi, now, till)


def shipped(day: Day, lines: list[tuple[str, int]], *, seen: bool = True) -> Sale:
    """A sale by Kaspi Delivery that its courier has, and no count since; `seen`: the hub looked in between."""
    day.till.counted_at = day.moment
    day.syncs()
    sale = day.kaspi.sell(lines, at=day.moment, point="PP1", by_kaspi=True, mode="DELIVERY_PICKUP")
    day.hour_later()
    sale.assembled = True
    day.kaspi.courier_takes(sale.code)
    if seen:
        day.hour_later()
    return sale


def test_what_lies_in_the_shop_is_what_kaspi_shows_and_its_visit_confirms_it(day):
    day.syncs()
    assert set(day.states("stock.push").values()) == {"pending"}

    day.kaspi_visits()
    day.syncs()

    assert day.shows("MUG-1") == {"PP1": 7, "PP3": 2}
    assert day.shows("TEA-1") == {"PP1": 1, "PP3": 0}
    assert day.kaspi.front.offers["MUG-1"].price == 1990
    assert set(day.states("stock.push").values()) == set(day.states("price.push").values()) == {"in_sync"}


def test_the_last_unit_that_kaspi_sold_is_accepted_and_goes_off_the_front(day):
    day.syncs()
    day.kaspi_visits()
    sale = day.kaspi.sell([("TEA-1", 1)], at=day.moment, point="PP1")

    day.moment += timedelta(minutes=10)
    day.syncs()
    day.kaspi_visits()

    assert sale.status == "ACCEPTED_BY_MERCHANT"
    assert day.shows("TEA-1") == {"PP1": 0, "PP3": 0}


def test_the_second_buyer_of_the_last_unit_is_not_accepted(day):
    day.syncs()
    first = day.kaspi.sell([("TEA-1", 1)], at=day.moment, point="PP1")
    second = day.kaspi.sell([("TEA-1", 1)], at=day.moment + timedelta(seconds=5), point="PP1")

    day.moment += timedelta(minutes=10)
    day.syncs()

    assert (first.status, second.status) == ("ACCEPTED_BY_MERCHANT", "APPROVED_BY_BANK")
    assert day.states("order.status")[f"kaspi_almaty:{second.code}"] == "held"


def test_a_sale_that_its_buyer_cancels_gives_the_unit_back_to_the_front(day):
    day.syncs()
    sale = day.kaspi.sell([("TEA-1", 1)], at=day.moment, point="PP1")
    day.moment += timedelta(minutes=10)
    day.syncs()

    day.kaspi.buyer_cancels(sale.code)
    day.moment += timedelta(hours=1)
    day.syncs()
    day.kaspi_visits()

    assert day.shows("TEA-1") == {"PP1": 1, "PP3": 0}


def test_goods_of_a_cancelled_sale_are_on_sale_again_only_when_somebody_says_they_are_here(day):
    sale = shipped(day, [("TEA-1", 1)])
    day.kaspi.buyer_cancels(sale.code)
    day.hour_later()
    assert (sale.status, day.shows("TEA-1")) == ("CANCELLING", {"PP1": 0, "PP3": 0})

    day.is_asked(sale, {"status": "returned"})
    day.hour_later()
    assert sale.status == "CANCELLED"
    day.hour_later()
    assert day.shows("TEA-1") == {"PP1": 1, "PP3": 0}


def test_goods_that_left_unseen_and_were_cancelled_are_not_sold_while_they_travel(day):
    sale = shipped(day, [("TEA-1", 1)], seen=False)
    day.kaspi.buyer_cancels(sale.code)
    day.hour_later()

    assert (sale.status, day.shows("TEA-1")) == ("CANCELLING", {"PP1": 0, "PP3": 0})


def test_a_return_is_on_sale_again_only_when_it_is_confirmed(day):
    sale = shipped(day, [("TEA-1", 1)])
    day.kaspi.buyer_returns(sale.code)
    sale.state = "KASPI_DELIVERY"
    day.hour_later()
    assert day.shows("TEA-1") == {"PP1": 0, "PP3": 0}

    day.is_asked(sale, {"status": "returned"})
    day.hour_later()
    day.hour_later()
    assert (sale.status, day.shows("TEA-1")) == ("RETURNED", {"PP1": 1, "PP3": 0})


def test_a_line_that_is_not_sold_after_all_gives_its_units_back(day):
    day.syncs()
    sale = day.kaspi.sell([("MUG-1", 3), ("TEA-1", 1)], at=day.moment, point="PP1")
    day.hour_later()
    assert day.shows("MUG-1") == {"PP1": 4, "PP3": 2}

    day.is_asked(sale, {"keep": {"0": {"quantity": 1}, "1": {"quantity": 0}}, "reason": "buyer"})
    day.hour_later()
    day.hour_later()

    assert [line.quantity for line in sale.lines] == [1, 0]
    assert (day.shows("MUG-1"), day.shows("TEA-1")) == ({"PP1": 6, "PP3": 2}, {"PP1": 1, "PP3": 0})
    assert day.states("order.status")[f"kaspi_almaty:{sale.code}"] == "in_sync"


def test_what_the_shop_archives_stays_in_the_price_list_switched_off(day):
    day.syncs()
    day.kaspi_visits()

    day.till.archived.add("TEA-1")
    day.moment += timedelta(minutes=10)
    day.syncs()
    day.kaspi_visits()

    assert day.shows("TEA-1") == {"PP1": 0, "PP3": 0}
    assert day.kaspi.front.offers["TEA-1"].price == 2500
    assert day.states("stock.push")["TEA-1"] == "excluded"

    day.till.archived.clear()
    day.moment += timedelta(minutes=10)
    day.syncs()
    day.kaspi_visits()

    assert day.shows("TEA-1") == {"PP1": 1, "PP3": 0}
