"""A channel that fetches a file of prices and stock."""

import json
from dataclasses import dataclass, field, replace
from typing import Any

import pytest
from sqlalchemy import text

from connectors.sdk import Snapshot
from dagster_project.steps.deliver import deliver
from dagster_project.steps.publish import publish
from dagster_project.store import feed, feed_files

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
