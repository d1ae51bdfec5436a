"""Shops on a vendor's loopback platform, the hub's ledger of them, and workers in processes of their own."""

import json
import os
import subprocess
import sys
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest
import yaml
from sqlalchemy import Engine, text

from connectors.satu.sandbox import TOKEN, Satu, sandbox
from connectors.sdk.registry import discover
from connectors.sdk.runtime import LocalBucket, Runtime, using
from connectors.sdk.testing.sandbox import served
from dagster_project.connections import load
from dagster_project.home import home
from dagster_project.steps.deliver import Delivered, deliver
from dagster_project.store.ledger import Frozen, Queue, freeze, planning
from tests.clock import Clock
from tests.dagster_project.steps.activation.conftest import Mailer
from tests.scenarios.audience import NETWORKS, Audience
from tests.scenarios.town import Town
from tests.scenarios.vendor import OnPlatform, wait_until

WORKER = Path(__file__).parent / "worker.py"


@dataclass
class Stall(OnPlatform):
    """One shop on the platform: what is on display there, and what the hub knows of it."""

    name: str
    store: Engine
    clock: Clock
    platform: Satu
    naps: list[float]

    def displays(self, *skus: str) -> None:
        for sku in skus:
            self.platform.product(sku, price=1000)

    def wants(self, values: Mapping[str, Any], capability: str = "stock.push", **options: Any) -> Frozen:
        """The hub decides that the shop should show this."""
        queue, numbers = Queue(self.name, capability), self._numbers(capability)
        with self.store.begin() as db:
            planning(db, queue)
            db.execute(
                text("create temporary table wanted (subject text, external_id text, becomes jsonb) on commit drop")
            )
            rows = [{"s": one, "e": numbers.get(one, one), "v": json.dumps(value)} for one, value in values.items()]
            db.execute(text("insert into wanted values (:s, :e, cast(:v as jsonb))"), rows)
            db.execute(_DESIRE, {**queue.names, "now": self.clock()})
            return freeze(db, queue, _PLANNED.format(*queue), now=self.clock(), **options)

    def decides_anew(self, capability: str = "stock.push") -> None:
        """The hub decides what became dirty in the meantime."""
        with self.store.begin() as db:
            dirty = set(db.execute(text("delete from hub.dirty returning subject")).scalars())
            query = text("select subject, desired from ledger.item where connection = :n and capability = :c")
            rows = db.execute(query, {"n": self.name, "c": capability}).all()
        if again := {row.subject: row.desired for row in rows if row.subject in dirty}:
            self.wants(again, capability)

    def delivers(self, capability: str = "stock.push", **options: Any) -> Delivered:
        with using(Runtime(bucket=LocalBucket(), sleep=self.naps.append)):
            hub = load()
            return deliver(self.store, hub, hub[self.name], capability, now=self.clock, **options)

    def shows(self) -> dict[str, int]:
        return {product["sku"]: product["quantity_in_stock"] for product in self.platform.products.values()}

    def states(self, capability: str = "stock.push") -> Counter[str]:
        query = text("select state from ledger.item where connection = :n and capability = :c")
        with self.store.connect() as db:
            return Counter(db.execute(query, {"n": self.name, "c": capability}).scalars())

    def reasons(self) -> set[str]:
        with self.store.connect() as db:
            found = db.execute(text("select reason from ledger.item where connection = :n"), {"n": self.name})
            return {reason for reason in found.scalars() if reason}

    def writes(self, path: str = "products/edit") -> Counter[str]:
        """How often each product was written, by its number; refused requests wrote nothing."""
        seen = [one for one in self.platform.sandbox.requests("POST", path) if one.status in (200, None)]
        return Counter(str(row["id"]) for one in seen for row in one.json)

    def has_at_the_door(self, workers: int) -> None:
        """Returns when that many deliveries wait for whoever holds the queue or its rows just now."""
        query = text(
            "select count(*) from pg_stat_activity where datname = current_database() and wait_event_type = 'Lock'"
        )

        def waiting() -> int:
            with self.store.connect() as db:
                return int(db.execute(query).scalar_one())

        wait_until(lambda: waiting() >= workers, f"{workers} deliveries wait")

    def _numbers(self, capability: str) -> dict[str, str]:
        if capability.startswith("order"):
            return {f"{self.name}:{number}": str(number) for number in self.platform.orders}
        return {product["sku"]: str(number) for number, product in self.platform.products.items()}


_DESIRE = text("""
insert into ledger.item as i (connection, capability, subject, external_id, state, reason, desired, desired_at, version)
select :connection, :capability, subject, external_id, 'pending', 'new', becomes, :now, 1 from wanted
on conflict (connection, capability, subject) do update
  set desired = excluded.desired, desired_at = excluded.desired_at, version = i.version + 1
""")

_PLANNED = """(
  select w.subject, w.external_id, i.acknowledged as was, w.becomes, 'the count changed' as because,
         cast(null as text) as guard, cast(null as jsonb) as about
  from wanted w join ledger.item i on i.connection = '{}' and i.capability = '{}' and i.subject = w.subject
)"""


@dataclass
class Worker:
    """A process that delivers when told, and dies where told."""

    process: "subprocess.Popen[str]"
    waiting: bool = field(default=False)

    def starts(
        self,
        stall: Stall | Audience,
        capability: str = "stock.push",
        *,
        batch: int | None = None,
        die: tuple[str, int] | None = None,
    ) -> None:
        order = {"connection": stall.name, "capability": capability, "now": stall.clock().isoformat(),
                 "batch": batch, "die": die}  # fmt: skip
        assert self.process.stdin is not None
        self.process.stdin.write(json.dumps(order) + "\n")
        self.process.stdin.flush()

    def ends(self) -> dict[str, Any]:
        assert self.process.stdout is not None
        told: dict[str, Any] = json.loads(self.process.stdout.readline())
        assert not told["failed"], "the worker failed: see its standard error"
        return told

    def delivers(self, stall: Stall | Audience, capability: str = "stock.push", **options: Any) -> dict[str, Any]:
        self.starts(stall, capability, **options)
        return self.ends()


@pytest.fixture
def a_stall(store: Engine, clock: Clock, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., Stall]]:
    """Opens shops; connections.yaml names them all."""
    monkeypatch.setenv("STALL_TOKEN", TOKEN)
    entries: dict[str, Any] = {}
    with ExitStack() as opened:

        def open_stall(name: str = "bazaar") -> Stall:
            platform = sandbox(limits="off", clock=clock)
            base_url = opened.enter_context(served(platform.sandbox))
            entries[name] = {
                "connector": "satu",
                "settings": {"base_url": base_url, "per_second": 1000},
                "secrets": {"token": "STALL_TOKEN"},
                "push": {"stock": "auto", "price": "auto", "order": "auto", "first": "auto"},
            }
            (home() / "connections.yaml").write_text(yaml.safe_dump(entries), "utf-8")
            return Stall(name, store, clock, platform, [])

        yield open_stall


@pytest.fixture
def stall(a_stall: Callable[..., Stall]) -> Stall:
    return a_stall()


@pytest.fixture(params=NETWORKS)
def audience(
    request: pytest.FixtureRequest, store: Engine, now: datetime, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Audience]:
    """Three people who agreed, none of them in the segment yet that is shown there."""
    network = NETWORKS[request.param]
    made = Audience(store, now, home(), Mailer(), network=network)
    made.platform = network.module.sandbox(limits="off", clock=made.clock)
    with served(made.platform.sandbox) as url:
        made.connects(request.param, url, monkeypatch.setenv)
        made.gathers()
        yield made


@pytest.fixture
def a_worker(store: Engine) -> Iterator[Callable[[], Worker]]:
    with ExitStack() as started:

        def start() -> Worker:
            process = subprocess.Popen(
                [sys.executable, str(WORKER)],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                text=True,
                env=dict(os.environ),
            )
            started.enter_context(process)
            started.callback(process.terminate)
            return Worker(process)

        yield start


@pytest.fixture
def town(store: Engine, clock: Clock, monkeypatch: pytest.MonkeyPatch) -> Iterator[Town]:
    """Waits are not waited."""
    with ExitStack() as opened, using(Runtime(bucket=LocalBucket(), sleep=lambda seconds: None)):
        yield Town(store, clock, opened, monkeypatch.setenv, discover().specs)
