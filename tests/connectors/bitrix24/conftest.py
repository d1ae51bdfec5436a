"""A portal on loopback with a small shop in it, and the hub's account of it."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from datetime import datetime
from typing import Any

import pytest

from connectors.bitrix24 import CONNECTOR
from connectors.bitrix24.config import Bitrix24Config
from connectors.bitrix24.sandbox import DEMO, Sandboxed, sandbox
from connectors.sdk import Change, Outcome, Page, Record, Shown, Since
from connectors.sdk.runtime import LocalBucket, Runtime, using
from connectors.sdk.testing.kit import settle
from connectors.sdk.testing.sandbox import served
from connectors.sdk.testing.shop import Shop, a_shop
from tests.clock import Clock

FIRST = Since(now=datetime.fromisoformat("2026-03-02T05:00:00+00:00"))
Settings = Callable[..., Bitrix24Config]


@pytest.fixture(scope="session")
def shop() -> Shop:
    at = datetime.fromisoformat("2026-03-02T05:00:00+00:00")
    return a_shop(variants=60, people=80, orders=900, days=30, now=at)


@pytest.fixture
def naps(clock: Clock) -> Iterator[list[float]]:
    """Waits are noted, and pass on the test's clock; every test has a rate bucket of its own."""
    slept: list[float] = []

    def nap(seconds: float) -> None:
        slept.append(seconds)
        clock.passes(seconds=seconds)

    with using(Runtime(bucket=LocalBucket(clock=lambda: clock().timestamp()), sleep=nap)):
        yield slept


@pytest.fixture
def portal(shop: Shop, clock: Clock) -> Sandboxed:
    """The small shop's portal, without limits, on the test's clock."""
    return sandbox(shop, limits="off", clock=clock)


@pytest.fixture
def empty(clock: Clock) -> Sandboxed:
    return sandbox(limits="off", clock=clock)


@pytest.fixture
def settings(naps: list[float]) -> Iterator[Settings]:
    """Makes the settings of a hub that calls a portal; each portal is served until the test ends."""
    with ExitStack() as stack:
        urls: dict[int, str] = {}

        def make(portal: Sandboxed, **given: Any) -> Bitrix24Config:
            if id(portal) not in urls:
                urls[id(portal)] = stack.enter_context(served(portal.sandbox))
            known = {**DEMO.settings, **DEMO.secrets, **DEMO.unlimited, "base_url": urls[id(portal)]}
            return Bitrix24Config.model_validate({**known, **given}).named("crm")

        yield make


def read(config: Bitrix24Config, name: str, since: Since) -> list[Record]:
    """All records of a resource, as they would land."""
    return [record for page in pages(config, name, since) for record in page.records]


def pages(config: Bitrix24Config, name: str, since: Since) -> list[Page]:
    found = CONNECTOR.resource(name).extract(config, since)
    return [page if isinstance(page, Page) else Page(page) for page in found]


def push(config: Bitrix24Config, *changes: Change) -> list[Outcome]:
    return settle(CONNECTOR.sink(changes[0].capability), config, changes)


def shown(config: Bitrix24Config, *changes: Change) -> Any:
    read_back = CONNECTOR.sink(changes[0].capability).read_back
    assert read_back is not None
    return {subject: Shown.of(seen).value for subject, seen in read_back(config, changes).items()}


def writes(portal: Sandboxed) -> list[dict[str, str]]:
    """The commands of every batch that changes something."""
    return [seen.json["cmd"] for seen in portal.sandbox.journal if not portal.sandbox.reads(seen)]


def values(row: dict[str, Any], name: str = "PHONE") -> list[str]:
    """The phones, or another list of values, that a contact shows."""
    return [element["VALUE"] for element in row.get(name, [])]
