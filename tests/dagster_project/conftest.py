"""A small shop whose ERP, web shop and marketplace are sandboxes on loopback, and the `keruen` command beside them."""

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
import yaml
from click.testing import Result
from sqlalchemy import Engine, text
from typer.testing import CliRunner

from connectors.sdk.testing.sandbox import Seen, served
from connectors.sdk.testing.shop import Shop, a_shop
from dagster_project.connections import Hub, load
from dagster_project.home import home
from dagster_project.simulators import simulators

SYSTEMS = {"erp": "moysklad", "site": "satu", "outlet": "satu", "market": "kaspi"}
"""Connection → connector. Any ERP, shop and marketplace with a sandbox would do."""


@pytest.fixture(scope="session")
def small_shop() -> Shop:
    """A dozen goods in four places, a few people, a week of orders up to now."""
    return a_shop(seed=1, variants=12, people=8, orders=60, days=7)


@dataclass
class Street:
    """The vendors, by connection, and what the hub makes of them. `entries` is connections.yaml, written by `opens`."""

    store: Engine
    shop: Shop
    opened: ExitStack
    vendors: dict[str, Any] = field(default_factory=dict)
    entries: dict[str, Any] = field(default_factory=dict)
    environment: Callable[[str, str], None] = lambda name, value: None

    def opens(self, name: str, **changed: Any) -> Any:
        """Serves the vendor and connects it as its DEMO says, but for what is `changed`; gives its state."""
        [vendor] = simulators([SYSTEMS[name]])
        demo = vendor.demo
        assert demo is not None
        state = vendor.module.sandbox(self.shop, limits="off")
        for secret, value in demo.secrets.items():
            self.environment(f"{name}_{secret}".upper(), value)
        base_url = self.opened.enter_context(served(state.sandbox))
        self.vendors[name] = state
        self.entries[name] = {
            "connector": vendor.name,
            "settings": {**demo.settings, **demo.unlimited, "base_url": base_url},
            "secrets": {secret: f"{name}_{secret}".upper() for secret in demo.secrets},
            "guards": {"share": 1.0},
            **demo.connection,
            **changed,
        }
        self.connects()
        return state

    def drops(self, name: str, layout: str, rows: Sequence[Mapping[str, Any]]) -> Path:
        """A file of `layout` appears in the folder of the connection `name`; targets are its column names."""
        folder = home() / name
        folder.mkdir(exist_ok=True)
        path = folder / f"{len(list(folder.iterdir()))}.csv"
        lines = [",".join(map(str, row.values())) for row in rows]
        path.write_text("\n".join([",".join(rows[0]), *lines, ""]), "utf-8")
        settings = {"path": f"{name}/*.csv", "layout": layout, "timezone": "Asia/Almaty", "currency": "KZT"}
        self.entries[name] = {"connector": "files", "settings": {**settings, "columns": {one: one for one in rows[0]}}}
        self.connects()
        return path

    def stocks_shelves(self) -> None:
        """Goods, retail prices and one count of fifty each, from files: an ERP that answers at once."""
        self.drops("goods", "products", [{"sku": one.sku, "name": one.name} for one in self.shop.variants])
        self.prices()
        counts = [{"sku": one.sku, "location": "Almaty-1", "on_hand": 50} for one in self.shop.variants]
        self.drops("counts", "stock", counts)

    def prices(self, **changed: Any) -> None:
        """A price list: retail as the shop has it, but for what is `changed` by sku."""
        retail = {one.sku: one.retail for one in self.shop.variants} | changed
        rows = [{"sku": sku, "price_type": "retail", "amount": amount} for sku, amount in retail.items()]
        self.drops("prices", "prices", rows)

    def connects(self) -> None:
        owners = {"product": ("erp", "goods"), "price": ("erp", "prices"), "on_hand": ("erp", "counts")}
        stated = {entity: next((one for one in able if one in self.entries), None) for entity, able in owners.items()}
        hub = {"authority": {entity: owner for entity, owner in stated.items() if owner}}
        (home() / "connections.yaml").write_text(yaml.safe_dump({"hub": hub, **self.entries}), "utf-8")

    @property
    def hub(self) -> Hub:
        return load()

    def __getitem__(self, name: str) -> Any:
        """The vendor's state."""
        return self.vendors[name]

    def writes(self, name: str) -> list[Seen]:
        """Requests that would change something at the vendor."""
        return [seen for seen in self[name].sandbox.journal if seen.method != "GET"]

    def rows(self, query: str, **values: Any) -> list[Any]:
        with self.store.connect() as db:
            return [tuple(row) for row in db.execute(text(query), values)]

    def keruen(self, *words: str) -> Result:
        """A command as a person would type it."""
        from dagster_project.cli import app

        return CliRunner().invoke(app, list(words))

    def told(self, *words: str) -> Any:
        """A command with --json that succeeds: nothing but JSON on standard output."""
        done = self.keruen(*words, "--json")
        assert done.exit_code == 0, done.output
        return json.loads(done.stdout)

    def refuses(self, *words: str) -> str:
        """A command that fails politely; its one sentence."""
        done = self.keruen(*words)
        assert done.exit_code == 1, done.output
        assert "Traceback" not in done.output
        assert done.exception is None or isinstance(done.exception, SystemExit)
        return done.stderr.strip()


@pytest.fixture
def street(store: Engine, small_shop: Shop, monkeypatch: pytest.MonkeyPatch) -> Iterator[Street]:
    """Nothing is open yet: connections.yaml names no connection."""
    with ExitStack() as opened:
        made = Street(store, small_shop, opened, environment=monkeypatch.setenv)
        made.connects()
        yield made
