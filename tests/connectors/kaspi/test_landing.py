"""Kaspi's orders on their way into the store: polls that overlap, and what of them is new."""

from datetime import datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import Engine, text

from connectors.kaspi import CONNECTOR
from connectors.kaspi.sandbox import DEMO, TOKEN
from connectors.kaspi.sandbox_market import open_shop
from connectors.sdk.testing.shop import a_shop
from dagster_project.connections import Connection, parse
from dagster_project.steps.land import Landed, land
from dagster_project.store.people import payloads

ORDERS = CONNECTOR.resource("orders")


@pytest.fixture
def connection(account: Any, monkeypatch: pytest.MonkeyPatch) -> Connection:
    monkeypatch.setenv("KASPI_TOKEN", TOKEN)
    monkeypatch.setenv("KASPI_FEED", "not-a-real-password")
    settings = {**DEMO.settings, **DEMO.unlimited, "base_url": str(account().base_url)}
    secrets = {"token": "KASPI_TOKEN", "feed_password": "KASPI_FEED"}
    entry = {"kaspi_almaty": {"connector": "kaspi", "settings": settings, "secrets": secrets}}
    return parse(str(entry), {"kaspi": CONNECTOR})["kaspi_almaty"]


def landed(store: Engine, connection: Connection, now: datetime) -> Landed:
    return land(store, connection, ORDERS, now=now)


def test_polls_that_overlap_land_only_what_is_new_or_moved_on(store, kaspi, connection, now):
    first, second, third = (kaspi.sell([("SKU-1", 1), ("SKU-2", 2)], at=now - timedelta(hours=h)) for h in (3, 2, 1))

    assert landed(store, connection, now) == Landed(read=3, landed=3)
    assert landed(store, connection, now + timedelta(minutes=5)) == Landed(read=3, unchanged=3)

    first.move({"status": "ACCEPTED_BY_MERCHANT"}, {})
    kaspi.buyer_cancels(second.code)
    newcomer = kaspi.sell([("SKU-1", 1)], at=now + timedelta(minutes=6))
    hour = now + timedelta(hours=1)

    assert landed(store, connection, hour) == Landed(read=4, landed=3, unchanged=1)
    with store.connect() as db:
        rows = db.execute(text("select key, payload::text from raw_kaspi_almaty.orders_latest")).all()
        states = {key: payloads.reader()(stored)["attributes"]["state"] for key, stored in rows}
        cursor = db.execute(text("select value from hub.cursor where resource = 'orders'")).scalar()
    assert states[second.code] == "ARCHIVE"
    assert {third.code, newcomer.code} < set(states)
    assert cursor == hour.isoformat(timespec="milliseconds")


def test_a_shops_ninety_days_land_once(store, kaspi, connection, now):
    shop = a_shop(variants=60, people=50, orders=900, now=now)
    open_shop(kaspi, shop)
    known = sum(order.channel == "marketplace" for order in shop.orders)

    assert landed(store, connection, now) == Landed(read=known, landed=known)
    assert land(store, connection, ORDERS, now=now + timedelta(days=1), full=True).landed == 0
