"""Decide: what every channel should show, what differs from what it confirmed, and whether that may go.

The same functions serve ten dirty rows and a million. A decision is one transaction: items, plan, outbox and journal.
"""

import json
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from sqlalchemy import Connection as Database
from sqlalchemy import Engine, text

from connectors.sdk.errors import HubError
from dagster_project.connections import Connection, Hub
from dagster_project.steps.case import DECIDED, SENT, Case, Verdict, judge
from dagster_project.steps.changes import without_digest
from dagster_project.steps.dirt import (
    ENTITIES,
    FAMILIES,
    Dirt,
    Subjects,
    both,
    concerns,
    dirt,
    family_of,
    held_stale,
    origins,
    set_alarms,
)
from dagster_project.steps.position import Folded, fold
from dagster_project.steps.slices import Slice
from dagster_project.store import items, statistics
from dagster_project.store.dirty import take
from dagster_project.store.ledger import Frozen, freeze, planning

Chosen = tuple[Connection, str]
WORKERS = 2
"""Channels decided side by side: while one is computed here, the server reads for another."""
SHOWN = ("subject", "was", "becomes", "because")


@dataclass(frozen=True)
class Planned:
    """`planned`: changes in the plan, `held`: those that wait for a person. `plan` None: there was nothing to send.

    `error`: why this channel could not be decided; its subjects stay dirty.
    """

    plan: int | None = None
    planned: int = 0
    held: int = 0
    error: str | None = None


def decide(
    engine: Engine,
    hub: Hub,
    connection: Connection,
    capability: str,
    *,
    subjects: Sequence[str] | None = None,
    now: datetime,
) -> Planned:
    """Decides about `subjects` (skus, or orders as `connection:id`; None: all) and freezes what must change in a plan.

    Raises ConfigError where the connector's own rules want a setting that is missing.
    """
    return _decided(Case(hub, connection, capability, Slice(engine, hub, subjects), now))


def decide_all(engine: Engine, hub: Hub, *, now: datetime) -> dict[tuple[str, str], Planned]:
    """Every capability of every channel, about everything: (connection, capability) → what was planned."""
    everything = Slice(engine, hub)
    return _decide_each(_queues(hub), lambda capability: everything, now, {})


def _queues(hub: Hub) -> list[Chosen]:
    return [(one, name) for one in hub.connections.values() for name in one.capabilities if name in DECIDED]


def _decide_each(
    queues: Iterable[Chosen], about: Callable[[str], Slice], now: datetime, causes: Mapping[str, str]
) -> dict[tuple[str, str], Planned]:
    """Channels share what is read of goods. One that cannot be decided says why, the others go on.

    `about`: capability → the slice to decide.
    """

    def decided(queue: Chosen) -> Planned:
        connection, capability = queue
        try:
            slice = about(capability)
            return _decided(Case(slice.hub, connection, capability, slice, now, causes))
        except HubError as error:
            return Planned(error=str(error))

    chosen = list(queues)
    if any(capability == "stock.push" for _, capability in chosen):
        _ = about("stock.push").stock  # read once before the workers begin, or each would read it
    with ThreadPoolExecutor(WORKERS) as pool:
        plans = list(pool.map(decided, chosen))
    return {(connection.name, capability): plan for (connection, capability), plan in zip(chosen, plans, strict=True)}


def _decided(case: Case) -> Planned:
    if case.capability not in DECIDED:
        return Planned()
    with case.slice.engine.begin() as db:
        planning(db, case.queue)
        verdict = judge(db, case)
        if not verdict.rows.num_rows:
            return Planned()
        to_send = items.put(db, case.queue, verdict.rows, variants=case.about_variants, now=case.now)
        plans = list(_frozen(db, case, verdict, to_send))
    if not plans:
        return Planned()
    statistics.refresh(case.slice.engine)  # who delivers is next, and asks about all of it
    return Planned(plans[-1].plan, sum(plan.rows for plan in plans), sum(plan.held for plan in plans))


def _frozen(db: Database, case: Case, verdict: Verdict, source: str) -> Iterator[Frozen]:
    """The plan; and before it one of its own for what no guard and no approval may delay."""
    urgent, patient = verdict.parts
    if urgent:
        yield freeze(db, case.queue, items.part(source, at_once=True), now=case.now, at_once=True)
    if patient:
        rest = items.part(source, at_once=False) if urgent else source
        yield freeze(db, case.queue, rest, now=case.now, held=verdict.held)


# ── only what changed ─────────────────────────────────────────────────────────────────────────────────────────────────


def decide_dirty(
    engine: Engine, hub: Hub, *, now: datetime, but: Collection[tuple[str, str]] = ()
) -> dict[tuple[str, str], Planned]:
    """Decides what changed since the last time, for every channel that it touches, whoever changed it.

    `but`: channels, as (connection, capability), that the caller is about to decide in full.

    Positions first, then each channel in a transaction of its own. What was taken from hub.dirty is gone when all of it
    is done; after a crash, or where a channel could not be decided, everything is decided again.
    """
    with engine.connect() as db:
        taken = take(db, ENTITIES)
        if not taken.num_rows:
            return {}
        queues = [(one, name) for one, name in _queues(hub) if (one.name, name) not in but]
        plans = _decide_dirt(engine, hub, db, dirt(taken), queues, now)
        if not any(plan.error for plan in plans.values()):
            db.commit()
    return plans


def _decide_dirt(
    engine: Engine, hub: Hub, db: Database, found: Dirt, queues: Sequence[Chosen], now: datetime
) -> dict[tuple[str, str], Planned]:
    folded = _fold(engine, hub, found, now)
    goods, orders = both(found.goods, folded.skus), both(origins(db, found.orders), folded.orders)
    if found.sources:
        goods = both(goods, held_stale(db))
    set_alarms(db, found.prices, now)
    moved = replace(found, goods=goods, orders=orders)
    concerned = [queue for queue in queues if concerns(hub, *queue, moved)]
    slices = {family: _slice(engine, hub, moved.of(family)) for family in FAMILIES}
    causes = {**found.causes, **folded.causes}
    return _decide_each(concerned, lambda capability: slices[family_of(capability)], now, causes)


def _fold(engine: Engine, hub: Hub, found: Dirt, now: datetime) -> Folded:
    if found.counts is None or found.orders is None:
        return fold(engine, hub, now=now)
    if found.counts or found.orders:
        return fold(engine, hub, skus=found.counts, orders=found.orders, now=now)
    return Folded()


def _slice(engine: Engine, hub: Hub, subjects: Subjects) -> Slice:
    return Slice(engine, hub, None if subjects is None else sorted(subjects))


# ── only to look at ───────────────────────────────────────────────────────────────────────────────────────────────────

_WAITING = text("""
select o.plan, o.subject, o.was::text, o.becomes::text, o.because, coalesce(o.guard, p.reason) as guard
from ledger.outbox o left join ledger.plan p on p.plan = o.plan and p.state = 'held'
where o.connection = :connection and o.capability = :capability and o.state in ('held', 'ready')
union all
select i.plan, i.subject, i.acknowledged::text, null, i.reason, split_part(i.reason, ':', 1)
from ledger.item i
where i.connection = :connection and i.capability = :capability and i.state = 'held' and i.desired is null
  and i.acknowledged is not null
order by subject
""")


def preview(
    engine: Engine, hub: Hub, connection: Connection, capability: str, *, now: datetime
) -> list[dict[str, Any]]:
    """What would be written now: plan, connection, capability, subject, was, becomes, because, guard. Writes nothing.

    Rows of stored plans bear their plan's number. `guard` is what holds a row, or, failing that, the whole plan.
    """
    if capability not in DECIDED:
        return []
    case = Case(hub, connection, capability, Slice(engine, hub), now)
    with engine.connect() as db:
        rows = {row.subject: row._asdict() for row in db.execute(_WAITING, case.queue._asdict())}
        verdict = judge(db, case)
    for row in verdict.rows.to_pylist():
        rows.pop(row["subject"], None)
        missing = row["action"] == "hold" and row["was"] is not None
        if missing or row["action"] in SENT.to_pylist():
            guard = row["why"].partition(":")[0] if missing else row["guard"] or verdict.held
            rows[row["subject"]] = {"plan": None, **{name: row[name] for name in SHOWN}, "guard": guard}
    where = case.queue._asdict()
    return [
        {**where, **row, "was": _readable(row["was"]), "becomes": _readable(row["becomes"])} for row in rows.values()
    ]


def _readable(value: str | None) -> Any:
    """An order's copy without its buyer: plans are printed and pasted."""
    found = None if value is None else without_digest(json.loads(value))
    if isinstance(found, dict) and "lines" in found:
        return {name: found.get(name) for name in ("number", "status", "total")}
    return found
