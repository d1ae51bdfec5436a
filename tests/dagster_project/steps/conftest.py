"""A channel in memory, and the ledger's side of it."""

import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

import pyarrow as pa
import pytest
from sqlalchemy import Engine, text

from connectors.sdk import Accepted, Change, ConnectionConfig, ConnectorSpec, Outcome, Sink
from dagster_project.connections import Connection, Hub, parse
from dagster_project.steps.deliver import Delivered, deliver
from dagster_project.store import items
from dagster_project.store.ledger import Frozen, Queue, freeze, planning
from tests.clock import Clock

Answer = Callable[[Sequence[Change]], Iterable[Outcome]]


@dataclass
class Vendor:
    """What the channel shows and received. `answers` are used up one per request; then it accepts everything."""

    shows: dict[str, Any] = field(default_factory=dict)
    requests: list[Sequence[Change]] = field(default_factory=list)
    answers: list[Answer] = field(default_factory=list)
    reads: list[Sequence[Change]] = field(default_factory=list)
    blind: Exception | None = None

    def deliver(self, config: Any, changes: Sequence[Change]) -> Iterator[Outcome]:
        self.requests.append(changes)
        yield from (self.answers.pop(0) if self.answers else self.takes)(changes)

    def takes(self, changes: Sequence[Change]) -> Iterator[Outcome]:
        for change in changes:
            self.shows[change.subject] = change.value
            yield Accepted(change)

    def read_back(self, config: Any, changes: Sequence[Change]) -> dict[str, Any]:
        self.reads.append(changes)
        if self.blind:
            raise self.blind
        return {change.subject: self.shows[change.subject] for change in changes if change.subject in self.shows}

    @property
    def received(self) -> list[str]:
        return [change.subject for request in self.requests for change in request]


class AcmeConfig(ConnectionConfig):
    pass


@dataclass
class Channel:
    """A connection `shop` to a vendor, and short words for what tests do with its ledger."""

    store: Engine
    clock: Clock
    vendor: Vendor
    hub: Hub
    capability: str = "stock.push"

    @property
    def connection(self) -> Connection:
        return self.hub["shop"]

    def plan(self, values: Mapping[str, Any], *, guards: Mapping[str, str] | None = None, **options: Any) -> Frozen:
        """Desires the values and freezes them in a plan, as deciding does."""
        with self.store.begin() as db:
            planning(db, self._queue)
            db.execute(text("create temporary table wanted (subject text, becomes jsonb, guard text) on commit drop"))
            for subject, value in values.items():
                row = {"s": subject, "v": as_json(value), "g": (guards or {}).get(subject)}
                db.execute(text("insert into wanted values (:s, cast(:v as jsonb), :g)"), row)
            db.execute(_DESIRE, {**self._queue.names, "now": self.clock()})
            return freeze(db, self._queue, _PLANNED.format(*self._queue), now=self.clock(), **options)

    def overtake(self, subject: str, value: Any) -> None:
        """Desires another value of what is on its way, as deciding does."""
        moved = {name: [None] for name in ("external_id", "was", "becomes", "why", "because", "guard", "about")}
        row = {**moved, "subject": [subject], "action": ["wait"], "desired": [as_json(value)]}
        with self.store.begin() as db:
            planning(db, self._queue)
            items.put(db, self._queue, pa.table(row), variants=False, now=self.clock())

    def deliver(self, **options: Any) -> Delivered:
        return deliver(self.store, self.hub, self.connection, self.capability, now=self.clock, **options)

    def item(self, subject: str) -> Any:
        return self.one("select * from ledger.item where subject = :s and capability = :c", s=subject)

    def states(self) -> dict[str, int]:
        rows = self.all("select state, count(*) from ledger.item where capability = :c group by state")
        return {row.state: row.count for row in rows}

    def outbox(self) -> dict[str, str]:
        return {row.subject: row.state for row in self.all("select * from ledger.outbox where capability = :c")}

    def journal(self, subject: str) -> list[str]:
        rows = self.all(
            "select outcome from ledger.change where subject = :s and capability = :c order by id", s=subject
        )
        return [row.outcome for row in rows]

    def all(self, query: str, **values: Any) -> Sequence[Any]:
        with self.store.connect() as db:
            return db.execute(text(query), {"c": self.capability, **values}).all()

    def one(self, query: str, **values: Any) -> Any:
        (row,) = self.all(query, **values)
        return row

    @property
    def _queue(self) -> Queue:
        return Queue("shop", self.capability)


_DESIRE = text("""
insert into ledger.item as i (connection, capability, subject, external_id, state, reason, desired, desired_at, version)
select :connection, :capability, subject, 'x-' || subject, 'pending', 'new', becomes, :now, 1 from wanted
on conflict (connection, capability, subject) do update
  set desired = excluded.desired, desired_at = excluded.desired_at, version = i.version + 1
""")

_PLANNED = """(
  select w.subject, i.external_id, i.acknowledged as was, w.becomes, 'the count changed' as because, w.guard,
         cast(null as jsonb) as about
  from wanted w join ledger.item i on i.connection = '{}' and i.capability = '{}' and i.subject = w.subject
)"""


def as_json(value: Any) -> str:
    return json.dumps(value, default=lambda one: float(one) if isinstance(one, Decimal) else str(one))


@pytest.fixture
def vendor() -> Vendor:
    return Vendor()


@pytest.fixture
def a_channel(store: Engine, clock: Clock, vendor: Vendor) -> Callable[..., Channel]:
    """Makes a channel whose sink is declared as the test needs it."""

    def made(capability: str = "stock.push", push: str = "auto", guards: str = "", **sink: Any) -> Channel:
        declared = {"deliver": vendor.deliver, "read_back": vendor.read_back, "batch": 10, **sink}
        offered = declared.pop("capabilities", capability)
        spec = ConnectorSpec("acme", "Acme", AcmeConfig, sinks=(Sink(offered, **declared),))
        kind = capability.partition(".")[0]
        modes = f"{{stock: {push}, price: {push}, order: {push}}}"
        text = f"shop:\n  connector: acme\n  push: {modes}\n" + (f"  guards: {{{guards}}}\n" if guards else "")
        assert kind in modes
        return Channel(store, clock, vendor, parse(text, {"acme": spec}), capability)

    return made


@pytest.fixture
def channel(a_channel: Callable[..., Channel]) -> Channel:
    """Stock, ten changes a request, readable."""
    return a_channel()
