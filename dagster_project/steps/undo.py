"""Undo: an inverse plan that restores the last good values, through the guards that any plan passes."""

import json
from collections.abc import Sequence
from datetime import datetime
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
from sqlalchemy import Connection as Database
from sqlalchemy import Engine

from connectors.sdk.errors import ConfigError
from dagster_project.connections import Connection, Hub
from dagster_project.steps.case import PEOPLE, VARIANTS
from dagster_project.steps.changes import without_digest
from dagster_project.steps.judge import guarded
from dagster_project.steps.people.leaving import not_reachable
from dagster_project.steps.slices import Slice
from dagster_project.store import inverse
from dagster_project.store.ledger import Frozen, Queue, freeze, planning
from mappings.sync.plan import Circumstances, held

NO_WAY_BACK = "what was told of an order cannot be taken back"
WRITTEN = "what was written to people cannot be taken back"
NOT_KEPT = "what was said of a person before is not kept"


def undo(
    engine: Engine, hub: Hub, plan_or_run: str | int, *, who: str, why: str = "", now: datetime
) -> list[dict[str, Any]]:
    """Plans the way back from a plan, or from all plans of a run.

    Gives a row for each subject: plan (the inverse one, None where there is none), connection, capability, subject,
    was, becomes, because, guard, left_alone (why nothing is restored: it changed since, it had no earlier value).
    What still waited is taken back and not sent. Until its value changes again, what was undone waits for a person
    before it goes out a second time. Raises ConfigError for an unknown plan.
    """
    with engine.connect() as db:
        found = inverse.plans(db, str(plan_or_run))
    if not found:
        raise ConfigError(
            f"there is no plan {plan_or_run}, nor a run of that name; see `keruen plan --held` and Dagster"
        )
    rows = []
    for plan, queue in found:
        with engine.begin() as db:
            planning(db, queue)
            rows += _undone(
                db, engine, hub, plan, queue, f"plan {plan} undone by {who}" + (f": {why}" if why else ""), now
            )
    return rows


def _undone(
    db: Database, engine: Engine, hub: Hub, plan: int, queue: Queue, because: str, now: datetime
) -> list[dict[str, Any]]:
    told = inverse.sent(db, plan, queue)
    alone = {row.subject: _why_alone(hub, queue, row) for row in told}
    alone |= _not_again(db, hub, queue, [row for row in told if alone[row.subject] is None], now)
    back = [row for row in told if alone[row.subject] is None]
    withdrawn = inverse.withdraw(db, plan, queue, list(alone), why=because, now=now)
    frozen, guards = _frozen(db, engine, hub, plan, queue, back, because, now) if back else (None, {})
    return [
        *(_row(queue, row, frozen, because, guards.get(row.subject), alone[row.subject]) for row in told),
        *(_row(queue, row, None, because, None, "it had not been sent; it was taken back") for row in withdrawn),
    ]


def _why_alone(hub: Hub, queue: Queue, row: Any) -> str | None:
    if queue.capability == "customer.push":
        return NOT_KEPT
    if queue.capability in PEOPLE and _writes(hub[queue.connection], queue):
        return WRITTEN
    return row.left_alone if queue.capability in (*VARIANTS, *PEOPLE) else NO_WAY_BACK


def _writes(connection: Connection, queue: Queue) -> bool:
    return connection.spec is not None and connection.spec.sink(queue.capability).messages


def _not_again(db: Database, hub: Hub, queue: Queue, back: Sequence[Any], now: datetime) -> dict[str, str]:
    """Whoever refused is not put back into an audience, whoever asks for it."""
    return not_reachable(db, hub, hub[queue.connection], queue, back, now) if queue.capability in PEOPLE else {}


def _frozen(
    db: Database, engine: Engine, hub: Hub, plan: int, queue: Queue, back: Sequence[Any], because: str, now: datetime
) -> tuple[Frozen, dict[str, str | None]]:
    connection = hub[queue.connection]
    rows = _judged(engine, hub, connection, queue, back, because, now)
    guards = dict(zip(rows["subject"].to_pylist(), rows["guard"].to_pylist(), strict=True))
    changed = sum(guard is None for guard in guards.values())
    mode = connection.mode(queue.capability)
    reason = held(Circumstances(changed, inverse.shown(db, queue), connection.guards.share, approve=mode == "approve"))
    inverse.desire(db, queue, rows.select([*inverse.COLUMNS, "about"]), now=now)
    return freeze(db, queue, inverse.SOURCE, now=now, held=reason, undoes=plan), guards


def _judged(
    engine: Engine, hub: Hub, connection: Connection, queue: Queue, back: Sequence[Any], because: str, now: datetime
) -> pa.Table:
    """The rows with the guard of each, judged by what is known now: floors, ceilings, and whether counts are fresh."""
    assert connection.spec is not None
    nothing = pa.nulls(len(back), pa.string())
    rows = pa.table(
        {
            **{name: pa.array([getattr(row, name) for row in back], pa.string()) for name in inverse.COLUMNS[:4]},
            "because": pa.repeat(because, len(back)),
            "action": pa.repeat("send", len(back)),
            **dict.fromkeys(("state", "reason", "last"), nothing),  # `was` is told of every row that goes back
        }
    )
    if queue.capability in PEOPLE:
        return rows.append_column("about", nothing).append_column("guard", nothing)
    known = Slice(engine, hub, rows["subject"].to_pylist())
    facts = VARIANTS[queue.capability](hub, connection, connection.spec.sink(queue.capability), known, now)
    at = pc.index_in(rows["subject"], facts["subject"])
    for name in ("fresh", "floor", "ceiling"):
        if name in facts.column_names:
            column = facts[name].take(at)
            rows = rows.append_column(name, pc.fill_null(column, False) if name == "fresh" else column)
    about = known.about["about"].take(pc.index_in(rows["subject"], known.about["sku"]))
    rows = rows.append_column("about", about)
    return rows.append_column("guard", pa.array(guarded(rows, connection, queue.capability, len(back)), pa.string()))


def _row(
    queue: Queue, row: Any, frozen: Frozen | None, because: str, guard: str | None, left_alone: str | None
) -> dict[str, Any]:
    return {
        "plan": frozen.plan if frozen and left_alone is None else None,
        **queue._asdict(),
        "subject": row.subject,
        "was": _readable(row.was),
        "becomes": _readable(row.becomes) if left_alone is None else None,
        "because": because,
        "guard": guard,
        "left_alone": left_alone,
    }


def _readable(value: str | None) -> Any:
    """An order's copy without its buyer: what is undone is printed and pasted."""
    found = None if value is None else without_digest(json.loads(value))
    return {"status": found.get("status")} if isinstance(found, dict) and "lines" in found else found
