"""100,000 changed counts → a channel that takes 100 a request, beside a bare loop of the same requests, and beside drt.

Ours is the whole delivery: claims committed before their requests leave, the account's bucket in the store, and one
outcome per row in items, outbox and journal. The bare loop sends the same bodies and remembers nothing.
"""

import time
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from typing import Any

import requests
from sqlalchemy import Engine, text

from connectors.sdk import Accepted, Change, ConnectionConfig, ConnectorSpec, Http, Outcome, Sink
from dagster_project.bench.inbox import receiving
from dagster_project.bench.peer_drt import Peer, drt_peers
from dagster_project.bench.row import Row
from dagster_project.bench.throwaway import throwaway_store
from dagster_project.connections import Hub, parse
from dagster_project.steps.deliver import deliver
from dagster_project.store.ledger import Queue, freeze, planning

NAMES = ("push", "push_nothing", "push_drt_cursor", "push_drt_ledger")
ROWS, BATCH, TIMES = 100_000, 100, 3.0
TURNS = 3
"""Both in turn, the best of each counts: whatever else the machine does hits both."""
QUEUE = Queue("channel", "stock.push")


class ChannelConfig(ConnectionConfig):
    base_url: str


def push_stock(config: ChannelConfig, changes: Sequence[Change]) -> Iterator[Outcome]:
    """One request a batch; accepted is what the answer names."""
    api = Http(config.base_url, account=config.connection, per_second=1_000_000, burst=1_000_000)
    body = [{"id": change.external_id, "quantity": change.value} for change in changes]
    done = set(api.send("POST", "stock", json=body).json()["processed_ids"])
    yield from (Accepted(change) for change in changes if change.external_id in done)


SPEC = ConnectorSpec("channel", "Channel", ChannelConfig, sinks=(Sink("stock.push", deliver=push_stock, batch=BATCH),))


def rows() -> Iterator[Row]:
    """`push` in seconds, `push_nothing` in requests, and the same seconds beside drt's two ways to remember."""
    with throwaway_store() as engine, receiving() as url:
        hub = parse(
            f"channel: {{connector: channel, settings: {{base_url: {url!r}}}, push: {{stock: auto}}}}",
            {"channel": SPEC},
        )
        turns = [(_bare(url), _ours(engine, hub)) for _ in range(TURNS)]
        bare, ours = (min(seconds) for seconds in zip(*turns, strict=True))
        before = _received(url)
        nothing = _received(url)["requests"] - before["requests"] if _nothing(engine, hub) else -1
        yield _beside(
            "push", ours, Peer("bare requests loop", bare), f"≤ {TIMES:g} × a bare loop", ours <= TIMES * bare
        )
        yield Row("push_nothing", nothing, "requests", "0 requests when nothing changed", nothing == 0)
        for name, peer in zip(NAMES[2:], drt_peers(engine, url, ROWS, BATCH), strict=True):
            yield _beside(name, ours, peer, "shown beside", True)


def _beside(name: str, ours: float, peer: Peer, goal: str, holds: bool) -> Row:
    note = f"{ROWS:,} rows, {BATCH} a request; {ROWS / ours:,.0f} outcomes/s" + (f"; {peer.note}" if peer.note else "")
    return Row(name, ours, "s", goal, holds, peer.name, peer.seconds, note=note)


def _bare(url: str) -> float:
    goods = [{"id": f"x-{number}", "quantity": number % 50} for number in range(ROWS)]
    bodies = [goods[start : start + BATCH] for start in range(0, ROWS, BATCH)]
    session = requests.Session()
    started = time.perf_counter()
    for body in bodies:
        session.post(f"{url}/stock", json=body, timeout=60).json()
    return time.perf_counter() - started


_ITEMS = text("""
insert into ledger.item (connection, capability, subject, external_id, state, reason, desired, acknowledged, version)
select :connection, :capability, 'SKU-' || n, 'x-' || n, 'pending', 'the count changed', to_jsonb(n % 50),
       to_jsonb(n % 50 + 1), 1
from generate_series(0, :rows - 1) n
""")
_PLANNED = f"""(
  select subject, external_id, acknowledged as was, desired as becomes, 'the count changed' as because,
         cast(null as text) as guard, cast(null as jsonb) as about
  from ledger.item where connection = '{QUEUE.connection}' and capability = '{QUEUE.capability}'
)"""


def _change_all(engine: Engine) -> None:
    """A plan of all rows, ready to go; that is not measured here."""
    with engine.begin() as db:
        db.execute(text("truncate ledger.item, ledger.outbox, ledger.change"))
        planning(db, QUEUE)
        db.execute(_ITEMS, {**QUEUE._asdict(), "rows": ROWS})
        freeze(db, QUEUE, _PLANNED, now=datetime.now(UTC))
    with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as db:
        db.execute(text("vacuum analyze ledger.item, ledger.outbox, ledger.change"))


def _ours(engine: Engine, hub: Hub) -> float:
    _change_all(engine)
    started = time.perf_counter()
    done = deliver(engine, hub, hub["channel"], "stock.push", now=lambda: datetime.now(UTC))
    seconds = time.perf_counter() - started
    written = _scalar(engine, "select count(*) from ledger.change where outcome = 'accepted'")
    assert done.accepted == written == ROWS, done
    assert _scalar(engine, "select count(*) from ledger.item where state = 'in_sync'") == ROWS
    return seconds


def _nothing(engine: Engine, hub: Hub) -> bool:
    return deliver(engine, hub, hub["channel"], "stock.push", now=lambda: datetime.now(UTC)).outcomes == 0


def _received(url: str) -> dict[str, Any]:
    counts: dict[str, Any] = requests.get(f"{url}/count", timeout=10).json()
    return counts


def _scalar(engine: Engine, query: str) -> int:
    with engine.connect() as db:
        return int(db.execute(text(query)).scalar_one())
