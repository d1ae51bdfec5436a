"""The hot lane: small batches of orders and stock in seconds, inside a sensor tick (architecture 12).

Same functions as the batch lane, with a budget; what does not fit stays dirty, or in the outbox, for a run.
"""

import time
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

from sqlalchemy import Engine, text

from connectors.sdk.errors import HubError
from connectors.sdk.runtime import Runtime, current, using
from connectors.sdk.spec import Resource
from dagster_project.connections import Connection, Hub
from dagster_project.steps.canonical import Mapped, map_new
from dagster_project.steps.decide import decide_dirty
from dagster_project.steps.deliver import deliver
from dagster_project.steps.dirt import ENTITIES
from dagster_project.steps.land import Landed, land
from dagster_project.steps.people.due import WHO, people_due
from dagster_project.store import hints
from dagster_project.store.dirty import waiting

SECONDS = 20.0
CHANGES = 500


@dataclass
class Tick:
    """What one tick did. `left_over`: the rest was too much for it and needs a run."""

    landed: dict[str, tuple[Landed, Mapped]] = field(default_factory=dict)
    delivered: dict[tuple[str, str], int] = field(default_factory=dict)
    errors: list[str] = field(default_factory=list)
    left_over: bool = False
    busy: bool = False

    @property
    def moved(self) -> bool:
        return any(landed.landed for landed, _ in self.landed.values()) or any(self.delivered.values())


def tick(engine: Engine, hub: Hub, connection: Connection, *, clock: Callable[[], datetime]) -> Tick:
    """Polls the hot resources, decides what became dirty, delivers it. Only one tick per connection runs at a time."""
    done = Tick()
    with engine.connect() as lock:
        if not lock.execute(
            text("select pg_try_advisory_lock(hashtext(:name))"), {"name": f"hot:{connection.name}"}
        ).scalar():
            return Tick(busy=True)
        try:
            with using(_hurried()):
                _work(engine, hub, connection, clock, done)
        finally:
            lock.execute(text("select pg_advisory_unlock(hashtext(:name))"), {"name": f"hot:{connection.name}"})
    return done


def _hurried() -> Runtime:
    return replace(current(), deadline=time.monotonic() + SECONDS)


_LAST_RUNS = text("select resource, last_run_at from hub.cursor where connection = :connection")


def _due(engine: Engine, connection: Connection, now: datetime) -> list[Resource]:
    """Hot resources whose pace, as connections.yaml sets it, allows another poll; and those that a call hinted at."""
    assert connection.spec is not None
    with engine.connect() as db:
        last = {name: at for name, at in db.execute(_LAST_RUNS, {"connection": connection.name}) if at}
        hinted = hints.waiting(db, connection.name)
    paces = connection.entry.hot
    return [
        one
        for one in connection.spec.resources
        if (one.hot or one.name in hinted)
        and (one.name not in last or last[one.name] + paces.get(one.name, timedelta(0)) <= now)
    ]


def _work(engine: Engine, hub: Hub, connection: Connection, clock: Callable[[], datetime], done: Tick) -> None:
    assert connection.spec is not None
    for resource in _due(engine, connection, clock()):
        try:
            landed = land(engine, connection, resource, now=clock())
            done.landed[resource.name] = (landed, map_new(engine, hub, connection, resource, now=clock()))
        except HubError as error:
            done.errors.append(str(error))
    if 0 < waiting(engine, WHO) <= CHANGES:
        people_due(engine, hub, now=clock())  # who bought leaves an advertisement's audience within the minute
    if waiting(engine, ENTITIES) > CHANGES:
        done.left_over = True
        return
    for name, capability in decide_dirty(engine, hub, now=clock()):
        try:
            done.delivered[name, capability] = deliver(
                engine, hub, hub[name], capability, now=clock, limit=CHANGES
            ).outcomes
        except HubError as error:
            done.errors.append(str(error))
