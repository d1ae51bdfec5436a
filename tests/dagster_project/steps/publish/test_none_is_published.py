"""When no feed is published: it would be empty or shrunken, its inputs are stale, a setting is wrong, the run dies."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import text

from connectors.sdk import ConfigError, Resource, Snapshot
from dagster_project.connections import parse
from dagster_project.steps.approve import approve
from dagster_project.store import feed_files
from mappings.canonical import Price, Product, StockLevel
from mappings.tables import FieldMap
from tests.dagster_project.steps.publish.conftest import Gazette, fifty


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
