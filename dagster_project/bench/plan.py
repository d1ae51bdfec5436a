"""From stored positions to frozen plans: a million variants on four channels, a thousand changed ones, none.

One location a variant; every channel lists every variant and has confirmed its stock, so the ledger holds four million
items. The full plan runs in a process of its own, whose memory is measured.
"""

import resource
import time
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import Engine, text
from sqlalchemy.exc import OperationalError

from connectors.sdk import Accepted, Change, ConnectionConfig, ConnectorSpec, Sink
from dagster_project.bench.apart import apart
from dagster_project.bench.row import Row
from dagster_project.bench.throwaway import throwaway_store
from dagster_project.connections import Hub, parse
from dagster_project.steps.decide import Planned, decide_all, decide_dirty
from dagster_project.steps.deliver import deliver
from dagster_project.store.database import engine as engine_of_this_home
from dagster_project.store.tables import TABLES

NAMES = ("plan_full", "plan_dirty", "plan_nothing")
SIZES = (10_000, 100_000, 1_000_000)
CHANGED = 1_000
TURNS = 3
CHANNELS = 4
FULL_SECONDS, FULL_GIGABYTES, DIRTY_SECONDS = 12, 3, 0.5
NOISE = 0.1
"""Seconds by which the same work may differ between two sizes without the size being the reason."""

requests: list[Sequence[Change]] = []


def _takes(config: Any, changes: Sequence[Change]) -> Iterator[Accepted]:
    requests.append(changes)
    yield from map(Accepted, changes)


CHANNEL = ConnectorSpec(
    "channel", "Channel", ConnectionConfig, sinks=(Sink("stock.push", deliver=_takes),), channel="channel"
)


def hub() -> Hub:
    """Four channels that differ in the units they hold back."""
    lines = (
        f"channel_{n}: {{connector: channel, stock: {{safety: {n}}}, push: {{stock: auto, first: auto}}}}"
        for n in range(CHANNELS)
    )
    return parse("\n".join(lines), {"channel": CHANNEL})


def rows() -> Iterator[Row]:
    """`plan_dirty` and `plan_nothing` at each size, then `plan_full` at the largest."""
    with throwaway_store() as engine:
        dirty, filled = {}, 0
        for size in SIZES:
            _fill(engine, filled + 1, size)
            filled = size
            dirty[size] = min(_dirty_seconds(engine, turn) for turn in range(TURNS))
        nothing = _reads_and_requests(engine)
        _change_one_percent(engine)
        peer = _bare_diff_seconds(engine)
        seconds, gigabytes, planned = apart(_full)
    yield _dirty_row(dirty)
    yield Row(
        name="plan_nothing",
        measured=nothing,
        unit="requests and tables read beside hub.dirty",
        goal="0",
        holds=nothing == 0,
    )
    yield Row(
        name="plan_full",
        measured=seconds,
        unit="s",
        goal=f"≤ {FULL_SECONDS} s and ≤ {FULL_GIGABYTES} GB",
        holds=seconds <= FULL_SECONDS and gigabytes <= FULL_GIGABYTES and planned == CHANNELS * SIZES[-1] // 100,
        peer="the bare difference as SQL in the server, nothing stored",
        peer_measured=peer,
        note=f"{planned:,} changes planned of {CHANNELS * SIZES[-1]:,} items, {gigabytes:.2f} GB",
    )


def _dirty_row(seconds: dict[int, float]) -> Row:
    smallest, largest = seconds[SIZES[0]], seconds[SIZES[-1]]
    return Row(
        name="plan_dirty",
        measured=largest,
        unit="s",
        goal=f"≤ {DIRTY_SECONDS} s, whatever the size of the catalogue",
        holds=max(seconds.values()) <= DIRTY_SECONDS and largest - smallest <= NOISE,
        note=", ".join(f"{size:,} variants: {value:.2f} s" for size, value in seconds.items()),
    )


# ── what is measured ──────────────────────────────────────────────────────────────────────────────────────────────────


def _full() -> tuple[float, float, int]:
    """Seconds, gigabytes at the peak, and changes planned, in this process."""
    engine = engine_of_this_home()
    start = time.perf_counter()
    plans = decide_all(engine, hub(), now=datetime.now(UTC))
    seconds = time.perf_counter() - start
    return seconds, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20, _total(plans.values())


def _dirty_seconds(engine: Engine, turn: int) -> float:
    """Counts change and mark their subjects; the time until positions are folded and four plans are frozen."""
    _say(engine, _COUNTED, turn=turn, changed=CHANGED)
    start = time.perf_counter()
    plans = decide_dirty(engine, hub(), now=datetime.now(UTC))
    seconds = time.perf_counter() - start
    assert _total(plans.values()) == CHANNELS * CHANGED, plans
    _confirm(engine)
    return seconds


def _reads_and_requests(engine: Engine) -> int:
    """Every table but hub.dirty is locked: whoever reads one fails. Then a delivery, whose requests are counted."""
    found, requests[:] = 0, []
    others = ", ".join(f'{table.schema}."{table.name}"' for name, table in TABLES.items() if name != "hub.dirty")
    _say(engine, "alter role current_user set lock_timeout = '1s'")
    engine.dispose()
    with engine.begin() as locking:
        locking.execute(text(f"lock table {others} in access exclusive mode"))
        try:
            decide_dirty(engine, hub(), now=datetime.now(UTC))
        except OperationalError:
            found += 1
    _say(engine, "alter role current_user reset lock_timeout")
    engine.dispose()
    for connection in hub().connections.values():
        deliver(engine, hub(), connection, "stock.push", now=lambda: datetime.now(UTC))
    return found + len(requests)


def _bare_diff_seconds(engine: Engine) -> float:
    start = time.perf_counter()
    with engine.connect() as db:
        for safety in range(CHANNELS):
            db.execute(text(_BARE), {"connection": f"channel_{safety}", "safety": safety}).scalar_one()
    return time.perf_counter() - start


def _total(plans: Any) -> int:
    return sum(plan.planned for plan in plans if isinstance(plan, Planned))


# ── what it is measured on ────────────────────────────────────────────────────────────────────────────────────────────

_NUMBERS = "(select n, 'SKU-' || lpad(n::text, 7, '0') as sku from generate_series(cast(:first as int), :last) n) made"
_GOODS = (
    f"""insert into canonical.product (sku, connection, external_id, name, status, source)
        select sku, 'warehouse', n, 'Good ' || n, 'active', '{{}}' from {_NUMBERS}""",
    f"""insert into canonical.stock_level (sku, location, on_hand, as_of, connection, source)
        select sku, 'Almaty-1', 10 + n % 40, now(), 'warehouse', '{{}}' from {_NUMBERS}""",
    f"""insert into position.stock (sku, location, on_hand, as_of, connection)
        select sku, 'Almaty-1', 10 + n % 40, now(), 'warehouse' from {_NUMBERS}""",
)
_LISTINGS = f"""
insert into canonical.listing (connection, external_id, sku, observed_at, source)
select :connection, 'L' || n, sku, now(), '{{}}' from {_NUMBERS}
"""
_ITEMS = f"""
insert into ledger.item (connection, capability, subject, external_id, state, desired, acknowledged, version)
select :connection, 'stock.push', sku, 'L' || n, 'in_sync', shown, shown, 1
from {_NUMBERS}, to_jsonb(10 + n % 40 - cast(:safety as int)) shown
"""
_COUNTED = """
with counted as (
  update canonical.stock_level set on_hand = on_hand + 1, as_of = now()
  where sku in (select 'SKU-' || lpad((cast(:turn as int) * :changed + n)::text, 7, '0')
                from generate_series(1, cast(:changed as int)) n)
  returning sku
)
insert into hub.dirty (entity, subject) select 'stock', sku from counted
"""
_CONFIRMED = """
update ledger.item set state = 'in_sync', reason = null, acknowledged = desired where state = 'pending'
"""
_ONE_PERCENT = "update position.stock set on_hand = on_hand - 1 where right(sku, 2) = '99'"
_BARE = """
select count(*) from position.stock s join ledger.item i
  on i.connection = :connection and i.capability = 'stock.push' and i.subject = s.sku
where to_jsonb(greatest(s.on_hand - s.reserved - :safety, 0)) is distinct from i.acknowledged
"""


def _fill(engine: Engine, first: int, last: int) -> None:
    for statement in _GOODS:
        _say(engine, statement, first=first, last=last)
    for safety in range(CHANNELS):
        connection = f"channel_{safety}"
        _say(engine, _LISTINGS, connection=connection, first=first, last=last)
        _say(engine, _ITEMS, connection=connection, safety=safety, first=first, last=last)
    with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as db:
        db.execute(text("vacuum analyze"))


def _change_one_percent(engine: Engine) -> None:
    _say(engine, _ONE_PERCENT)


def _confirm(engine: Engine) -> None:
    """The channels take what was planned."""
    _say(
        engine,
        "update ledger.item set state = 'in_sync', reason = null, acknowledged = desired where state = 'pending'",
    )
    _say(engine, "delete from ledger.outbox")


def _say(engine: Engine, statement: str, **values: Any) -> None:
    with engine.begin() as db:
        db.execute(text(statement), values)
