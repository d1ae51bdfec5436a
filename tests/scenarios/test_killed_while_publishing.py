"""kill -9 at every stage of publishing a price list: what is served is whole, and only what was shown is confirmed."""

from dataclasses import dataclass
from itertools import count
from typing import Any

import pytest
import yaml
from sqlalchemy import text

from connectors.kaspi.sandbox_front import read_catalog
from dagster_project.connections import load
from dagster_project.home import home
from dagster_project.steps.deliver import deliver
from dagster_project.steps.status import violations
from dagster_project.store import feed, feed_files

GOODS = ("TEA", "MUG", "POT")
STAGES = ["before a commit", "after a commit", "before a rename", "after a rename"]
ENTRY = {
    "connector": "kaspi",
    "settings": {"merchant_id": "Shop1", "points": {"PP1": "Алматы"}},
    "secrets": {"token": "STALL_TOKEN"},
    "push": {"stock": "auto", "price": "auto"},
}


PRODUCT = text("""
insert into canonical.product (sku, connection, external_id, name, status, source)
values (:sku, 'gazette', :sku, 'Пиала', 'active', '{}')
""")


@dataclass
class Gazette:
    """The shop that is fed by a file, as the stall's kit speaks of it."""

    stall: Any
    name: str = "gazette"

    @property
    def clock(self):
        return self.stall.clock

    def wants(self, price: int) -> None:
        self.stall.name = self.name
        self.stall.wants(dict.fromkeys(GOODS, price), "price.push")
        self.stall.wants({sku: {"PP1": price % 7} for sku in GOODS}, "stock.push")

    def served(self) -> dict[str, int] | None:
        """SKU → price in the file that a channel would get now; the file must be whole."""
        file = feed_files.served(self.name)
        if file is None:
            return None
        shown, problems = read_catalog(file.path.read_bytes(), "Shop1")
        assert problems == []
        return {sku: offer.price for sku, offer in shown.items()}

    def is_fetched(self) -> None:
        version = feed_files.served(self.name).version
        feed.log_fetch(self.stall.store, self.name, at=self.clock(), status=200, version=version, complete=True)

    def publishes(self) -> None:
        hub = load()
        deliver(self.stall.store, hub, hub[self.name], "price.push", now=self.clock)


@pytest.fixture
def gazette(stall):
    path = home() / "connections.yaml"
    owners = {"hub": {"authority": dict.fromkeys(("product", "price", "on_hand"), "gazette")}}
    path.write_text(yaml.safe_dump({**owners, **yaml.safe_load(path.read_text()), "gazette": ENTRY}), "utf-8")
    with stall.store.begin() as db:
        for sku in GOODS:
            db.execute(PRODUCT, {"sku": sku})
    return Gazette(stall)


@pytest.mark.slow
@pytest.mark.parametrize("stage", STAGES)
def test_whenever_the_publisher_is_killed_the_next_one_shows_and_confirms_the_right_prices(gazette, a_worker, stage):
    worker, before = a_worker(), None
    for time in count(1):
        price = 1000 + time
        gazette.wants(price)
        first = worker.delivers(gazette, "price.push", die=(stage, time))
        assert gazette.served() in (before, dict.fromkeys(GOODS, price)), (stage, time)
        if gazette.served() is not None:
            gazette.is_fetched()
        gazette.clock.passes(minutes=1)
        gazette.publishes()
        assert gazette.served() == dict.fromkeys(GOODS, price), (stage, time)
        gazette.is_fetched()
        gazette.publishes()
        assert gazette.stall.states("price.push") == gazette.stall.states("stock.push") == {"in_sync": 3}, (stage, time)
        assert violations(gazette.stall.store, load()) == []
        before = dict.fromkeys(GOODS, price)
        gazette.clock.passes(minutes=1)
        if not first["killed"]:
            break
    assert time > 1
