"""A shop with a warehouse system that counts, and channels in memory that take what they are sent."""

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from threading import Event
from time import monotonic
from typing import Any

import pytest
from sqlalchemy import Engine, text

from connectors.sdk import Accepted, Change, ConnectionConfig, ConnectorSpec, Sink
from dagster_project.connections import Hub, parse
from dagster_project.steps.decide import Planned, decide, decide_dirty, preview
from dagster_project.steps.deliver import deliver
from dagster_project.steps.position import Folded, fold
from dagster_project.store.dirty import mark
from tests.dagster_project.steps.asking import Asking

AUTO = "push: {stock: auto, price: auto, order: auto, first: auto}"


def takes(config: Any, changes: Sequence[Change]) -> Iterator[Accepted]:
    for change in changes:
        yield Accepted(change)


SPECS = {
    "warehouse": ConnectorSpec(
        "warehouse",
        "Warehouse system",
        ConnectionConfig,
        sinks=(Sink("order.push", deliver=takes, needs_listing=False),),
    ),
    "market": ConnectorSpec(
        "market",
        "Marketplace",
        ConnectionConfig,
        sinks=(
            Sink("stock.push", deliver=takes, needs_listing=False),
            Sink("price.push", deliver=takes, needs_listing=False),
            Sink("order.status", deliver=takes, needs_listing=False, asks=frozenset({"cancelled", "keep", "returned"})),
        ),
        channel="marketplace",
    ),
    "site": ConnectorSpec(
        "site", "Web shop", ConnectionConfig, sinks=(Sink("stock.push", deliver=takes),), channel="site"
    ),
    "points": ConnectorSpec(
        "points",
        "Marketplace with points",
        ConnectionConfig,
        sinks=(Sink("stock.push", deliver=takes, by_point=True, needs_listing=False),),
        channel="points",
    ),
}


@dataclass
class Shop(Asking):
    """`yaml`: connections beside the warehouse system `erp`. Everything that is said of goods marks them dirty."""

    store: Engine
    now: datetime
    hub: Hub = field(default_factory=lambda: Hub({}))

    def opens(
        self, yaml: str = "", *, hub: str = "authority: {order: erp}", erp: str = "{connector: warehouse}"
    ) -> "Shop":
        self.hub = parse(f"hub: {{{hub}}}\nerp: {erp}\n{yaml}", SPECS)
        return self

    def passes(self, **span: float) -> None:
        self.now += timedelta(**span)

    # ── what sources say ──────────────────────────────────────────────────────────────────────────────────────────────

    def product(self, *skus: str, status: str = "active", category: str | None = None) -> None:
        for sku in skus:
            self.say(
                "insert into canonical.product (sku, connection, external_id, name, status, category, source) "
                "values (:sku, 'erp', :sku, 'Good ' || :sku, :status, :category, '{}') "
                "on conflict (sku) do update set status = excluded.status, category = excluded.category",
                sku=sku, status=status, category=category,
            )  # fmt: skip
        self.dirty("product", *skus)

    def counts(
        self, sku: str, on_hand: float, place: str = "Almaty-1", *, by: str = "erp", reserved: float | None = None,
        as_of: datetime | None = None,
    ) -> None:  # fmt: skip
        self.say(
            "insert into canonical.stock_level (sku, location, on_hand, reserved_by_source, as_of, connection, source) "
            "values (:sku, :place, :on_hand, :reserved, :as_of, :by, '{}') on conflict (sku, location) do update set "
            "on_hand = excluded.on_hand, reserved_by_source = excluded.reserved_by_source, as_of = excluded.as_of, "
            "connection = excluded.connection",
            sku=sku, place=place, on_hand=on_hand, reserved=reserved, as_of=as_of or self.now, by=by,
        )  # fmt: skip
        self.dirty("stock", sku)

    def has(self, sku: str, on_hand: float, place: str = "Almaty-1", **said: Any) -> None:
        self.product(sku)
        self.counts(sku, on_hand, place, **said)

    def prices(
        self, sku: str, amount: float | None, kind: str = "retail", *, opens: datetime | None = None,
        ends: datetime | None = None, currency: str = "KZT", by: str = "erp",
    ) -> None:  # fmt: skip
        if amount is None:
            self.say("delete from canonical.price where sku = :sku and price_type = :kind", sku=sku, kind=kind)
        else:
            self.say(
                "insert into canonical.price (sku, price_type, connection, valid_from, valid_to, amount, currency, "
                "source) values (:sku, :kind, :by, coalesce(cast(:opens as timestamptz), '-infinity'), :ends, :amount, "
                ":currency, '{}') on conflict (sku, price_type, connection, valid_from) do update set "
                "amount = excluded.amount, currency = excluded.currency, valid_to = excluded.valid_to",
                sku=sku, kind=kind, by=by, opens=opens, ends=ends, amount=amount, currency=currency,
            )  # fmt: skip
        self.dirty("price", sku)

    def lists(self, connection: str, *skus: str, stock: float | None = None) -> None:
        for sku in skus:
            self.say(
                "insert into canonical.listing (connection, external_id, sku, observed_stock, observed_at, source) "
                "values (:connection, 'L-' || :sku, :sku, :stock, :now, '{}')",
                connection=connection, sku=sku, stock=stock, now=self.now,
            )  # fmt: skip
        self.dirty("listing", *skus)

    def order(
        self, number: str, *lines: tuple[str, float], at: str = "market", status: str = "placed",
        placed_at: datetime | None = None, place: str | None = None, copy_of: str | None = None, kind: str = "sale",
        channel: str = "marketplace", **payment: Any,
    ) -> None:  # fmt: skip
        """An order, or what became of it: its lines are replaced."""
        key = {"connection": at, "id": number}
        self.say(
            'insert into canonical."order" (connection, external_id, number, kind, channel, placed_at, updated_at, '
            "status, payment, total, currency, location, copy_of, source) values (:connection, :id, :id, :kind, "
            ":channel, :placed_at, :now, :status, cast(:payment as jsonb), 0, 'KZT', :place, :copy_of, '{}') "
            "on conflict (connection, external_id) do update set status = excluded.status, "
            "updated_at = excluded.updated_at, payment = excluded.payment, location = excluded.location",
            **key, kind=kind, channel=channel, placed_at=placed_at or self.now, now=self.now, status=status,
            payment=json.dumps(payment, default=str), place=place, copy_of=copy_of,
        )  # fmt: skip
        self.say("delete from canonical.order_line where connection = :connection and external_id = :id", **key)
        for line, (sku, quantity) in enumerate(lines, start=1):
            self.say(
                "insert into canonical.order_line (connection, external_id, line, sku, quantity, total) "
                "values (:connection, :id, :line, :sku, :quantity, 0)",
                **key, line=str(line), sku=sku, quantity=quantity,
            )  # fmt: skip
        if copy_of:
            self.say(
                "insert into hub.binding (connection, entity, external_id, our_id, how, since) "
                "values (:connection, 'order', :id, :copy_of, 'reference', :now) on conflict do nothing",
                **key, copy_of=copy_of, now=self.now,
            )  # fmt: skip
        self.dirty("order", f"{at}:{number}")

    # ── what the hub does ─────────────────────────────────────────────────────────────────────────────────────────────

    def folds(self, **scope: Any) -> Folded:
        return fold(self.store, self.hub, now=self.now, **scope)

    def decides(self) -> dict[tuple[str, str], Planned]:
        return decide_dirty(self.store, self.hub, now=self.now)

    def decides_in_full(self, connection: str, capability: str = "stock.push") -> Planned:
        return decide(self.store, self.hub, self.hub[connection], capability, now=self.now)

    def looks(self, connection: str, capability: str = "stock.push") -> list[dict[str, Any]]:
        return preview(self.store, self.hub, self.hub[connection], capability, now=self.now)

    def delivers(self) -> None:
        for connection in self.hub.connections.values():
            for capability in connection.capabilities:
                deliver(self.store, self.hub, connection, capability, now=lambda: self.now)

    def syncs(self) -> dict[tuple[str, str], Planned]:
        plans = self.decides()
        self.delivers()
        return plans

    # ── what came of it ───────────────────────────────────────────────────────────────────────────────────────────────

    def position(self, sku: str, place: str = "Almaty-1") -> tuple[float, float]:
        """on hand, reserved"""
        row = self.one("select on_hand, reserved from position.stock where sku = :s and location = :p", s=sku, p=place)
        return float(row.on_hand), float(row.reserved)

    def promises(self, *states: str) -> dict[str, str]:
        """Order and line → state of its reservation."""
        rows = self.all("select external_id || '/' || line as line, state from canonical.reservation order by 1")
        return {row.line: row.state for row in rows if not states or row.state in states}

    def shows(self, connection: str, capability: str = "stock.push") -> Mapping[str, Any]:
        """Subject → what the channel confirmed."""
        rows = self.items(connection, capability)
        return {row.subject: row.acknowledged for row in rows if row.acknowledged is not None}

    def states(self, connection: str, capability: str = "stock.push") -> dict[str, tuple[str, str | None]]:
        return {row.subject: (row.state, row.reason) for row in self.items(connection, capability)}

    def items(self, connection: str, capability: str) -> Sequence[Any]:
        query = "select * from ledger.item where connection = :n and capability = :c order by subject"
        return self.all(query, n=connection, c=capability)

    def waits(self, connection: str, capability: str = "stock.push") -> dict[str, tuple[Any, str]]:
        """Subject → value and state of its row in the outbox."""
        query = "select subject, becomes, state from ledger.outbox where connection = :n and capability = :c order by 1"
        return {row.subject: (row.becomes, row.state) for row in self.all(query, n=connection, c=capability)}

    # ── SQL ───────────────────────────────────────────────────────────────────────────────────────────────────────────

    def dirty(self, entity: str, *subjects: str) -> None:
        with self.store.begin() as db:
            mark(db, entity, subjects)


@pytest.fixture
def shop(store: Engine, now: datetime) -> Shop:
    return Shop(store, now)


@pytest.fixture
def at(now: datetime) -> Callable[[str], datetime]:
    """A time of the shop's day, written 09:59, in UTC."""

    def moment(clock: str) -> datetime:
        hour, minute = clock.split(":")
        return now.replace(hour=int(hour), minute=int(minute))

    return moment


@pytest.fixture
def somebody_waits(store: Engine) -> Callable[[int], None]:
    """Returns once so many connections of this store wait for a lock that another one holds."""
    blocked = text(
        "select count(*) from pg_stat_activity where datname = current_database() and wait_event_type = 'Lock'"
    )

    def wait(processes: int) -> None:
        give_up = monotonic() + 60
        with store.connect().execution_options(isolation_level="AUTOCOMMIT") as db:
            while db.execute(blocked).scalar_one() < processes:
                assert monotonic() < give_up, "nobody waits: did a process end before it reached the lock?"
                Event().wait(0.01)

    return wait
