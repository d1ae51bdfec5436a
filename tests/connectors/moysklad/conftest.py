"""A MoySklad on loopback with a small shop in it, and the hub's account of it."""

from collections.abc import Callable, Iterator
from datetime import datetime
from typing import Any

import pytest

from connectors.moysklad import CONNECTOR
from connectors.moysklad.api import account as account_of
from connectors.moysklad.config import MoySkladConfig
from connectors.moysklad.sandbox import DEMO, TOKEN, sandbox
from connectors.moysklad.simulator.account import Account
from connectors.sdk import Page, Record, Since
from connectors.sdk.breaker import failures_of
from connectors.sdk.runtime import LocalBucket, Runtime, using
from connectors.sdk.testing.sandbox import served
from connectors.sdk.testing.shop import Shop, a_shop
from mappings.tables import Mapped
from tests.clock import Clock

Settings = Callable[..., MoySkladConfig]


@pytest.fixture(scope="session")
def shop() -> Shop:
    return a_shop(variants=60, people=25, orders=900, days=30, now=datetime.fromisoformat("2026-03-02T05:00:00+00:00"))


@pytest.fixture
def naps() -> Iterator[list[float]]:
    """Waits are noted, not waited; every test has a rate bucket of its own, and a breaker that remembers nothing."""
    slept: list[float] = []
    failures_of(account_of(MoySkladConfig(token=TOKEN).named("moysklad"))).forget()
    with using(Runtime(bucket=LocalBucket(), sleep=slept.append)):
        yield slept


@pytest.fixture
def vendor(shop: Shop, clock: Clock) -> Account:
    """The small shop's account, without limits, on the test's clock."""
    return sandbox(shop, limits="off", clock=clock)


@pytest.fixture
def settings(vendor: Account, naps: list[float]) -> Iterator[Settings]:
    """Makes the settings of a user of `vendor`."""
    with served(vendor.sandbox) as url:

        def make(**given: Any) -> MoySkladConfig:
            known = {**DEMO.settings, **DEMO.unlimited, "base_url": url, "token": TOKEN}
            return MoySkladConfig.model_validate({**known, **given}).named("moysklad")

        yield make


def read(config: MoySkladConfig, name: str, since: Since) -> list[Record]:
    """All records of a resource, as they would land."""
    pages = CONNECTOR.resource(name).extract(config, since)
    return [record for page in pages for record in (page.records if isinstance(page, Page) else page)]


def mapped(config: MoySkladConfig, name: str, records: list[Record], entity: str | None = None) -> list[Any]:
    """Canonical records of one entity (of the resource's only one). Fails on a quarantined record."""
    maps = CONNECTOR.resource(name).maps
    found = []
    for record in records:
        result = maps[entity or next(iter(maps))](record, config)
        assert isinstance(result, Mapped), result
        found += result.records
    return found
