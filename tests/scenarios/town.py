"""A small shop between its ERP and its channels, each a sandbox on loopback, on one clock that a story moves."""

from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from types import ModuleType, SimpleNamespace
from typing import Any

from sqlalchemy import Engine, text

from connectors.kaspi import sandbox as kaspi
from connectors.moysklad import sandbox as moysklad
from connectors.satu import sandbox as satu
from connectors.sdk.testing.sandbox import served
from connectors.sdk.testing.shop import Shop, a_shop
from dagster_project.connections import Hub, parse
from dagster_project.feed_server import feed_app
from dagster_project.steps.status import violations
from dagster_project.steps.sync import Report, sync

VENDORS: dict[str, ModuleType] = {"moysklad": moysklad, "satu": satu, "kaspi": kaspi}
PLACE = "Almaty-1"
AUTO = {"stock": "auto", "price": "auto", "order": "auto", "first": "auto"}
CHANNEL = {"stock": {"safety": 0}, "price": {"from": "retail"}, "push": AUTO}


def a_small_shop(*counts: int) -> Shop:
    """As many goods as counts, each lying in one place."""
    made = a_shop(variants=len(counts), people=2, orders=0)
    lying = dict(zip((variant.sku for variant in made.variants), counts, strict=True))
    stock = {(sku, place.code): lying[sku] if place.code == PLACE else 0 for sku in lying for place in made.places}
    return replace(made, stock=stock)


@dataclass
class Town:
    """`entries` is what connections.yaml would say. Nothing is open yet."""

    store: Engine
    clock: Any
    opened: ExitStack
    secret: Callable[[str, str], None]
    specs: dict[str, Any]
    vendors: dict[str, Any] = field(default_factory=dict)
    entries: dict[str, Any] = field(default_factory=lambda: {"hub": {"guards": {"share": 1.0}}})

    def opens(self, name: str, vendor: str, shop: Shop | None = None, **settings: Any) -> Any:
        """Serves the vendor and connects it as its demo says, but for `settings`; gives the vendor's state."""
        module = VENDORS[vendor]
        state = module.sandbox(shop, limits="off", clock=self.clock)
        for secret, value in module.DEMO.secrets.items():
            self.secret(f"{name}_{secret}".upper(), value)
        address = {"base_url": self.opened.enter_context(served(state.sandbox))}
        self.entries[name] = {
            **module.DEMO.connection,
            "connector": vendor,
            "settings": {**module.DEMO.settings, **module.DEMO.unlimited, **address},
            "secrets": {secret: f"{name}_{secret}".upper() for secret in module.DEMO.secrets},
            **settings,
        }
        self.vendors[name] = state
        return state

    def owns(self, **owners: str) -> None:
        self.entries["hub"]["authority"] = owners

    @property
    def hub(self) -> Hub:
        return parse(str(self.entries), self.specs)

    def syncs(self, *failing: str) -> Report:
        """A pass in which nothing but `failing` fails, after which every subject is accounted for."""
        report = sync(self.store, self.hub, clock=self.clock)
        parts = (*report.resources, *report.capabilities)
        assert [part.error for part in parts if part.error and part.connection not in failing] == []
        assert violations(self.store, self.hub) == []
        return report

    def is_visited(self, name: str = "market") -> None:
        """The channel fetches its file."""
        feeds = feed_app(lambda: self.store, lambda: self.hub, now=self.clock)
        with served(SimpleNamespace(name="feeds", app=feeds)) as url:  # type: ignore[arg-type]
            assert self.vendors[name].fetch_feed(f"{url}/feeds/{name}.xml", (kaspi.LOGIN, kaspi.PASSWORD)).taken

    def passes_and_syncs(self, *failing: str, **span: float) -> Report:
        self.clock.passes(**span)
        return self.syncs(*failing)

    # ── what buyers see ───────────────────────────────────────────────────────────────────────────────────────────────

    def shows(self, name: str) -> dict[str, int]:
        """Units on sale, by sku."""
        state = self.vendors[name]
        if isinstance(state, kaspi.Kaspi):
            return {sku: sum(shown.stock.values()) for sku, shown in state.front.offers.items()}
        return {product["sku"]: product["quantity_in_stock"] for product in state.products.values()}

    def prices(self, name: str) -> dict[str, int]:
        return {product["sku"]: int(product["price"]) for product in self.vendors[name].products.values()}

    def writes(self, name: str) -> Sequence[Any]:
        """Requests that changed a product."""
        return [seen for seen in self.vendors[name].sandbox.requests("POST", "products/edit") if seen.status == 200]

    # ── what the hub knows ────────────────────────────────────────────────────────────────────────────────────────────

    def item(self, name: str, capability: str, subject: str) -> Any:
        query = "select * from ledger.item where connection = :name and capability = :capability and subject = :subject"
        return self.one(query, name=name, capability=capability, subject=subject)

    def one(self, query: str, **values: Any) -> Any:
        (row,) = self.all(query, **values)
        return row

    def all(self, query: str, **values: Any) -> Sequence[Any]:
        with self.store.connect() as db:
            return db.execute(text(query), values).all()
