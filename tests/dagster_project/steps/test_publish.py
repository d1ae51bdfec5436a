"""The feed of a channel that fetches: what is in it, when there is none, and when its rows count as shown."""

import json
import os
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import text

from connectors.sdk import ConfigError, Offer, Resource, Snapshot
from dagster_project.connections import parse
from dagster_project.steps.approve import approve
from dagster_project.steps.deliver import deliver
from dagster_project.steps.publish import fetch_silence, publish
from dagster_project.store import feed, feed_files, outbox
from mappings.canonical import Price, Product, StockLevel
from mappings.tables import FieldMap

BOTH = ("price.push", "stock.push")


@dataclass
class Gazette:
    """A channel that is given a price and a stock of every SKU in one file."""

    channels: dict[str, Any]
    clock: Any
    rendered: list[Snapshot] = field(default_factory=list)

    def render(self, config: Any, snapshot: Snapshot) -> bytes:
        self.rendered.append(snapshot)
        return json.dumps({offer.sku: offer.values for offer in snapshot.offers}).encode()

    def plan(self, values: dict[str, tuple[Any, Any]], **options: Any) -> None:
        """SKU → (price, stock); None plans nothing of that kind."""
        for place, capability in enumerate(BOTH):
            wanted = {sku: pair[place] for sku, pair in values.items() if pair[place] is not None}
            if wanted:
                self.channels[capability].plan(wanted, **options)

    def publish(self) -> Any:
        one = self.channels["price.push"]
        return publish(one.store, one.hub, one.connection, one.connection.spec.sink("price.push"), now=self.clock())

    def delivers(self) -> list[int]:
        """What the delivery of each capability says it published, the prices' first."""
        one, now = self.channels["price.push"], self.clock
        return [deliver(one.store, one.hub, one.connection, capability, now=now).published for capability in BOTH]

    @property
    def file(self) -> dict[str, Any] | None:
        served = feed_files.served("shop")
        return served and json.loads(served.path.read_bytes())

    def is_fetched(self, status: int = 200, complete: bool = True, version: str | None = None) -> None:
        version = version or feed_files.served("shop").version
        one = self.channels["price.push"]
        feed.log_fetch(one.store, "shop", at=self.clock(), status=status, version=version, complete=complete)

    def item(self, sku: str, capability: str = "price.push") -> Any:
        return self.channels[capability].item(sku)

    def excludes(self, *skus: str) -> None:
        with self.channels["price.push"].store.begin() as db:
            for sku in skus:
                query = "update ledger.item set state = 'excluded', reason = 'status: archived' where subject = :s"
                db.execute(text(query), {"s": sku})


@pytest.fixture
def gazette(a_channel, clock) -> Gazette:
    made = Gazette({}, clock)
    prices = a_channel("price.push", mode="snapshot", render=made.render, capabilities=BOTH, read_back=None)
    made.channels = {"price.push": prices, "stock.push": replace(prices, capability="stock.push")}
    return made


def fifty(price: int = 1000) -> dict[str, tuple[Any, Any]]:
    return {f"SKU-{number:02}": (price, number) for number in range(50)}


def test_the_whole_desired_state_is_published_by_sku(gazette):
    gazette.plan({"TEA": (1250, {"A": 5}), "MUG": (1990.5, {"A": 0, "B": 2})})
    assert gazette.publish().changed == 4
    assert gazette.file == {
        "MUG": {"price.push": "1990.5", "stock.push": {"A": 0, "B": 2}},
        "TEA": {"price.push": "1250", "stock.push": {"A": 5}},
    }
    assert [offer.sku for offer in gazette.rendered[0].offers] == ["MUG", "TEA"]


def test_each_capability_counts_its_own_rows_of_the_file_they_share(gazette):
    gazette.plan({"TEA": (1250, 5), "MUG": (1990, 2)})
    assert gazette.delivers() == [2, 2]
    assert gazette.delivers() == [0, 0]
    gazette.plan({"TEA": (None, 4), "MUG": (None, 1)})
    assert gazette.delivers() == [0, 2]
    gazette.plan({"TEA": (1300, 3)})
    gazette.publish()
    gazette.plan({"MUG": (2000, None)})
    assert gazette.delivers() == [2, 1], "what was published meanwhile is counted by the next delivery"


def test_a_connector_is_told_what_the_catalogue_says_of_each_sku(gazette):
    store = gazette.channels["price.push"].store
    with store.begin() as db:
        db.execute(text(
            "insert into canonical.product (sku, connection, external_id, name, brand, status, source, attributes) "
            "values ('TEA', 'erp', '1', 'Шай Әсем', 'Асыл', 'active', '{}', '{\"pre_order\": 3}')"
        ))  # fmt: skip
    gazette.plan({"TEA": (1250, 5)})
    gazette.publish()
    (offer,) = gazette.rendered[0].offers
    assert isinstance(offer, Offer)
    expected = {"name": "Шай Әсем", "brand": "Асыл", "pre_order": 3, "currency": "KZT", "external_id": "x-TEA"}
    assert {name: offer.about[name] for name in expected} == expected


def test_rows_wait_until_their_version_was_fetched_whole(gazette):
    gazette.plan({"TEA": (1250, 5)})
    gazette.publish()
    item = gazette.item("TEA")
    assert (item.state, item.reason, item.sent, item.acknowledged) == ("pending", "published, not fetched", 1250, None)
    gazette.is_fetched(complete=False)
    gazette.is_fetched(status=304)
    assert gazette.publish().settled == 0
    gazette.is_fetched()
    assert gazette.publish().settled == 2
    item = gazette.item("TEA")
    assert (item.state, item.reason, item.acknowledged, item.observed) == ("in_sync", None, 1250, None)
    assert gazette.channels["price.push"].outbox() == {}
    assert gazette.channels["price.push"].journal("TEA") == ["planned", "published", "accepted"]


def test_with_nothing_new_no_version_is_made(gazette):
    gazette.plan({"TEA": (1250, 5)})
    version = gazette.publish().version
    assert gazette.publish().version is None
    gazette.is_fetched()
    gazette.publish()
    assert gazette.publish().version is None
    assert feed_files.served("shop").version == version
    assert len(gazette.rendered) == 1


def test_an_older_fetch_confirms_only_what_its_version_showed(gazette, clock):
    gazette.plan({"TEA": (1250, 5), "MUG": (500, 1)})
    first = gazette.publish().version
    clock.passes(minutes=5)
    gazette.plan({"TEA": (1300, None)})
    gazette.publish()
    gazette.is_fetched(version=first)
    gazette.publish()
    assert gazette.item("MUG").state == "in_sync"
    assert (gazette.item("TEA").state, gazette.item("TEA").acknowledged) == ("pending", None)
    gazette.is_fetched()
    gazette.publish()
    assert gazette.item("TEA").acknowledged == 1300


def test_a_value_replaced_before_it_was_fetched_is_replaced_in_the_file(gazette, clock):
    gazette.plan({"TEA": (1250, 5)})
    gazette.publish()
    gazette.plan({"TEA": (None, 0)})
    clock.passes(minutes=1)
    gazette.publish()
    assert gazette.file["TEA"]["stock.push"] == 0


def test_a_value_that_went_back_before_it_was_fetched_goes_back_in_the_file(gazette, clock):
    gazette.plan({"TEA": (1250, 5)})
    gazette.publish()
    gazette.is_fetched()
    gazette.publish()
    gazette.plan({"TEA": (1300, None)})
    clock.passes(minutes=1)
    gazette.publish()
    with gazette.channels["price.push"].store.begin() as db:
        db.execute(text("delete from ledger.outbox where capability = 'price.push'"))
        db.execute(text("update ledger.item set desired = acknowledged, state = 'in_sync', reason = null"))
    clock.passes(minutes=1)
    gazette.publish()
    assert gazette.file["TEA"]["price.push"] == "1250"


def test_held_and_rejected_rows_keep_their_last_confirmed_value(gazette, clock):
    gazette.plan({"TEA": (1250, 5), "MUG": (500, 1)})
    gazette.publish()
    gazette.is_fetched()
    gazette.publish()
    gazette.channels["price.push"].plan({"TEA": 125000, "MUG": 510}, guards={"TEA": "step"})
    clock.passes(minutes=1)
    gazette.publish()
    assert {sku: row["price.push"] for sku, row in gazette.file.items()} == {"TEA": "1250", "MUG": "510"}
    assert gazette.item("TEA").state == "held"


def test_a_held_row_that_was_never_shown_is_left_out_and_is_no_withdrawal(gazette):
    gazette.plan(fifty())
    gazette.channels["price.push"].plan({"NEW": 9}, guards={"NEW": "floor"})
    gazette.channels["stock.push"].plan({"NEW": 1})
    assert gazette.publish().held is None
    assert "NEW" not in gazette.file
    assert gazette.item("NEW", "stock.push").reason == "left out of the feed: no price.push yet"
    assert gazette.publish().version is None


def test_an_excluded_sku_stays_in_the_file_without_stock(gazette, clock):
    gazette.plan(fifty())
    gazette.publish()
    gazette.is_fetched()
    gazette.publish()
    gazette.excludes("SKU-07")
    clock.passes(minutes=1)
    gazette.publish()
    assert gazette.file["SKU-07"] == {"price.push": "1000"}
    gazette.is_fetched()
    gazette.publish()
    stock, price = gazette.item("SKU-07", "stock.push"), gazette.item("SKU-07")
    assert (stock.state, stock.acknowledged) == ("excluded", None)
    assert (price.state, price.acknowledged) == ("excluded", 1000)
    assert gazette.publish().version is None


def test_an_excluded_sku_that_was_never_shown_is_not_in_the_file(gazette):
    gazette.plan(fifty())
    gazette.plan({"NEW": (1250, 5)}, guards={"NEW": "floor"})
    gazette.excludes("NEW")
    gazette.publish()
    assert "NEW" not in gazette.file
    assert gazette.publish().version is None


def test_an_empty_file_is_never_published(gazette, clock):
    gazette.plan({"TEA": (1250, 5)})
    gazette.publish()
    gazette.excludes("TEA")
    clock.passes(minutes=1)
    assert gazette.publish().held.startswith("empty")
    assert gazette.file == {"TEA": {"price.push": "1250", "stock.push": 5}}


def test_a_shrunken_file_is_held_until_a_person_says_so(gazette, clock):
    gazette.plan(fifty())
    gazette.publish()
    gazette.excludes(*[f"SKU-{number:02}" for number in range(6)])
    gazette.plan({"SKU-49": (1111, None)})
    clock.passes(minutes=1)
    assert gazette.publish().held == "shrink: 50 → 44 offers, 12% fewer; the guard allows 10%"
    assert len(gazette.file) == 50
    assert gazette.item("SKU-49").reason.startswith("not published: shrink")
    gazette.publish()
    held = gazette.channels["price.push"].one("select * from ledger.plan where state = 'held'")
    approve(gazette.channels["price.push"].store, held.plan, who="Aigul", now=clock())
    clock.passes(minutes=1)
    assert gazette.publish().held is None
    assert sum("stock.push" in offer for offer in gazette.file.values()) == 44


def test_a_file_that_grew_back_needs_no_approval_any_more(gazette, clock):
    gazette.plan(fifty())
    gazette.publish()
    gazette.excludes(*[f"SKU-{number:02}" for number in range(6)])
    clock.passes(minutes=1)
    gazette.publish()
    with gazette.channels["price.push"].store.begin() as db:
        db.execute(text("update ledger.item set state = 'pending', reason = 'back' where state = 'excluded'"))
    gazette.plan({"SKU-00": (1001, None)})
    gazette.publish()
    assert gazette.channels["price.push"].all("select * from ledger.plan where state = 'held'") == []


def test_a_feed_is_not_made_from_stale_inputs(gazette, clock):
    gazette.plan({"TEA": (1250, 5)})
    hub_with(gazette, Product, Price, StockLevel)
    read_at(gazette, clock() - timedelta(minutes=119))
    assert gazette.publish().held is None
    gazette.plan({"TEA": (1300, None)})
    clock.passes(minutes=2)
    held = gazette.publish().held
    assert held == "stale: erp.facts not read to the end within 2:00:00"
    assert gazette.item("TEA").reason == f"not published: {held}"
    assert gazette.file["TEA"]["price.push"] == "1250"


def test_from_stale_inputs_a_feed_only_takes_stock_away(gazette, clock):
    gazette.plan({sku: (1000, {"A": 5, "B": 5}) for sku in fifty()})
    hub_with(gazette, Product, Price, StockLevel)
    read_at(gazette, clock())
    gazette.publish()
    clock.passes(hours=3)
    fewer, moved = (1300, {"A": 4, "B": 0}), (None, {"A": 1, "B": 6})
    gazette.plan({"SKU-00": fewer, "SKU-01": moved, "NEW": (100, {"A": 1, "B": 1})})
    gazette.excludes("SKU-02")
    assert gazette.publish().held is None
    assert gazette.file["SKU-00"] == {"price.push": "1000", "stock.push": {"A": 4, "B": 0}}
    assert gazette.file["SKU-01"] == {"price.push": "1000", "stock.push": {"A": 5, "B": 5}}
    assert gazette.file["SKU-02"] == {"price.push": "1000"}
    assert "NEW" not in gazette.file
    assert gazette.publish().version is None
    assert gazette.item("NEW").reason.startswith("not published: stale")
    read_at(gazette, clock())
    gazette.publish()
    assert gazette.file["SKU-00"]["price.push"] == "1300"
    assert gazette.file["SKU-01"]["stock.push"] == {"A": 1, "B": 6}
    assert gazette.file["NEW"] == {"price.push": "100", "stock.push": {"A": 1, "B": 1}}


def test_an_input_that_was_never_read_is_stale(gazette):
    gazette.plan({"TEA": (1250, 5)})
    hub_with(gazette, StockLevel)
    assert gazette.publish().held.startswith("stale: erp.facts")
    assert gazette.file is None


def test_a_source_without_authority_does_not_hold_the_feed(gazette):
    gazette.plan({"TEA": (1250, 5)})
    hub_with(gazette, Price, authority="hub: {authority: {price: shop}}\n")
    assert gazette.publish().held is None


def hub_with(gazette: Gazette, *models: Any, authority: str = "") -> None:
    """Beside the shop an ERP that feeds these entities."""

    def nothing(config: Any, since: Any) -> Iterator[Any]:
        yield from ()

    shop = gazette.channels["price.push"].connection
    maps = {model.entity: FieldMap(model, {}) for model in models}
    facts = Resource("facts", nothing, "id", maps, lambda reply: None)
    erp = replace(shop.spec, name="erp", sinks=(), resources=(facts,))
    names = "shop: {connector: acme, push: {stock: auto, price: auto}}\nerp: {connector: erp}\n"
    hub = parse(authority + names, {"acme": shop.spec, "erp": erp})
    gazette.channels = {name: replace(one, hub=hub) for name, one in gazette.channels.items()}


def read_at(gazette: Gazette, moment: Any) -> None:
    with gazette.channels["price.push"].store.begin() as db:
        query = """insert into hub.cursor (connection, resource, fresh_at) values ('erp', 'facts', :at)
            on conflict (connection, resource) do update set fresh_at = excluded.fresh_at"""
        db.execute(text(query), {"at": moment})


def test_a_setting_that_stops_the_file_is_told_on_its_rows(gazette):
    gazette.plan({"TEA": (1250, 5)})

    def refuses(config: Any, snapshot: Snapshot) -> bytes:
        raise ConfigError("shop: set merchant_id")

    gazette.channels = {name: replace(one, hub=_with_render(one, refuses)) for name, one in gazette.channels.items()}
    with pytest.raises(ConfigError, match="merchant_id"):
        gazette.publish()
    assert gazette.item("TEA").reason == "not published: shop: set merchant_id"
    assert gazette.file is None


def _with_render(channel: Any, render: Any) -> Any:
    spec = channel.connection.spec
    declared = replace(spec, sinks=tuple(replace(sink, render=render) for sink in spec.sinks))
    return parse("shop: {connector: acme, push: {stock: auto, price: auto}}", {"acme": declared})


def test_a_publication_that_died_before_its_file_was_served_is_made_again(gazette, clock, monkeypatch):
    gazette.plan({"TEA": (1250, 5)})
    gazette.publish()
    gazette.plan({"TEA": (1300, None)})
    clock.passes(minutes=1)

    def dies(connection: str, file: Any) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(feed_files, "serve", dies)
        with pytest.raises(KeyboardInterrupt):
            gazette.publish()
    assert gazette.file["TEA"]["price.push"] == "1250"
    gazette.is_fetched()
    gazette.publish()
    assert gazette.file["TEA"]["price.push"] == "1300"
    assert gazette.item("TEA").state == "pending"


def test_delivering_either_capability_publishes_both(gazette):
    gazette.plan({"TEA": (1250, 5)})
    assert gazette.channels["stock.push"].deliver().published == 1
    assert gazette.file == {"TEA": {"price.push": "1250", "stock.push": 5}}
    assert gazette.channels["price.push"].deliver().published == 1
    assert gazette.channels["price.push"].states() == {"pending": 1}


def test_published_rows_are_due_again_once_somebody_came(gazette, clock):
    store = gazette.channels["price.push"].store
    gazette.plan({"TEA": (1250, 5)})
    assert [capability for _, capability in outbox.due(store, now=clock())] == list(BOTH)
    gazette.publish()
    assert outbox.due(store, now=clock()) == []
    clock.passes(minutes=1)
    gazette.is_fetched()
    assert [capability for _, capability in outbox.due(store, now=clock())] == list(BOTH)


def test_silence_is_an_alarm_after_two_hours_and_not_before(gazette, clock):
    store = gazette.channels["price.push"].store
    assert fetch_silence(store, "shop", now=clock()) is None
    gazette.plan({"TEA": (1250, 5)})
    gazette.publish()
    clock.passes(hours=2)
    assert fetch_silence(store, "shop", now=clock()) is None
    clock.passes(minutes=6)
    gazette.plan({"TEA": (1300, None)})
    gazette.publish()
    assert "for 2.1 h" in fetch_silence(store, "shop", now=clock())
    gazette.is_fetched(status=304)
    assert fetch_silence(store, "shop", now=clock()) is None
    clock.passes(hours=3)
    gazette.is_fetched(status=401, complete=False)
    assert "for 3.0 h" in fetch_silence(store, "shop", now=clock())


def test_the_served_name_is_a_link_to_a_version(gazette):
    gazette.plan({"TEA": (1250, 5)})
    version = gazette.publish().version
    link = feed_files._folder() / "shop.xml"
    assert os.readlink(link) == f"shop/{version}.xml"
