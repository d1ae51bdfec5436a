"""What a person says about plans: go, no, or take it back."""

from collections.abc import Callable, Sequence
from datetime import datetime

from sqlalchemy import Connection as Database
from sqlalchemy import Engine

from connectors.sdk.errors import ConfigError
from dagster_project.steps.undo import undo
from dagster_project.store import approvals
from dagster_project.store.approvals import Decided, Decision, Held
from dagster_project.store.ledger import planning

__all__ = ["approve", "reject", "undo"]

Decide = Callable[[Database, Held, Decision], tuple[Decided, set[str]]]


def approve(
    engine: Engine, plan: int, rows: Sequence[str] | None = None, *, who: str, why: str = "", now: datetime
) -> Decided:
    """Releases a held plan, or `rows` of it, exactly as frozen; delivery follows.

    A row whose desired value moved since is dropped and planned anew. Approving a whole held plan spares rows that a
    guard of their own holds; approve again, or name them. Raises ConfigError where nothing of it waits.
    """
    return _decided(engine, Decision(plan, who, why, now, rows), approvals.approve)


def reject(
    engine: Engine, plan: int, rows: Sequence[str] | None = None, *, who: str, why: str = "", now: datetime
) -> Decided:
    """Refuses a held plan, or `rows` of it: they are rejected until their desired value changes."""
    return _decided(engine, Decision(plan, who, why, now, rows), approvals.reject)


def _decided(engine: Engine, decision: Decision, decide: Decide) -> Decided:
    with engine.begin() as db:
        held = _waiting(db, decision)
        planning(db, held.queue)
        decided, seen = decide(db, held, decision)
        missing = sorted(set(decision.rows or ()) - seen)
        if missing:
            raise ConfigError(
                f"plan {decision.plan} has no row that waits for {', '.join(missing[:5])}; nothing was decided. "
                f'`keruen sql "select subject, state from ledger.outbox where plan = {decision.plan}"` shows its rows.'
            )
    return decided


def _waiting(db: Database, decision: Decision) -> Held:
    held = approvals.find(db, decision.plan)
    if held is None:
        raise ConfigError(f"there is no plan {decision.plan}; `keruen plan --held` lists those that wait for a person")
    if held.state != "held" and not held.held and not decision.rows:
        raise ConfigError(f"plan {decision.plan} is {held.state}: nothing of it waits for a person")
    return held
