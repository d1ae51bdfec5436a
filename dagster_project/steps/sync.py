"""One pass of the whole hub in this process: extract → canonical → decide → plan → deliver → marts."""

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from contextvars import copy_context
from dataclasses import asdict, dataclass, field
from datetime import datetime
from typing import Any

from sqlalchemy import Engine

from connectors.sdk.errors import HubError, TransientError
from connectors.sdk.spec import FileDrop, Resource
from dagster_project.connections import Connection, Hub
from dagster_project.steps.canonical import map_new
from dagster_project.steps.deliver import deliver
from dagster_project.steps.files.read import ingest_files
from dagster_project.steps.land import land
from dagster_project.steps.marts import fill_written
from dagster_project.steps.people.due import people_due
from dagster_project.steps.publish import settle_fetches
from dagster_project.steps.rules import decide_due

SIDE_BY_SIDE = 4
"""Connections read at once."""
Clock = Callable[[], datetime]
Progress = Callable[[str, str], None]
"""Told (connection, what is being done) before each piece of work."""


@dataclass(frozen=True)
class Pulled:
    """What one resource brought: source records read, changed ones landed, canonical rows stored, records set aside."""

    connection: str
    resource: str
    read: int = 0
    landed: int = 0
    stored: int = 0
    quarantined: int = 0
    unchanged: int = 0
    unbound: int = 0
    held: int = 0
    error: str | None = None


@dataclass(frozen=True)
class Pushed:
    """What one capability did: changes planned, outcomes written, rows waiting for a person."""

    connection: str
    capability: str
    planned: int = 0
    sent: int = 0
    held: int = 0
    error: str | None = None


@dataclass
class Report:
    """The result of a pass. `failed` is what makes the command exit 1; held plans do not."""

    resources: list[Pulled] = field(default_factory=list)
    capabilities: list[Pushed] = field(default_factory=list)

    @property
    def errors(self) -> list[str]:
        return [part.error for part in (*self.resources, *self.capabilities) if part.error]

    @property
    def idle(self) -> bool:
        """Nothing new was read, nothing was sent."""
        return not any(part.landed for part in self.resources) and not any(part.sent for part in self.capabilities)

    def as_json(self) -> dict[str, list[dict[str, Any]]]:
        """What `keruen sync --json` prints."""
        return {
            "resources": [asdict(part) for part in self.resources],
            "capabilities": [asdict(part) for part in self.capabilities],
        }


def in_order(hub: Hub, names: Sequence[str] = ()) -> list[Connection]:
    """Connections to work on, those that own the products first: stock and orders speak of their variants."""
    chosen = [hub[name] for name in names] if names else list(hub.connections.values())
    owners = hub.authority("product")
    return sorted(chosen, key=lambda connection: connection.name not in owners)


def pull(
    engine: Engine,
    hub: Hub,
    connection: Connection,
    clock: Clock,
    full: bool,
    progress: Progress,
    among: Callable[[Resource | FileDrop], bool] = lambda resource: True,
) -> Iterator[Pulled]:
    """Every resource of a connection, or those `among` them; one that fails says so and the others go on."""
    if connection.spec is None:
        yield Pulled(connection.name, "connector", error=f"{connection.name}: {connection.problem}")
        return
    if connection.spec.files and among(connection.spec.files):
        progress(connection.name, "reading files")
        yield from _guarded(connection, connection.spec.files.name, lambda: _files(engine, hub, connection, clock()))
    for resource in filter(among, connection.spec.resources):
        progress(connection.name, f"reading {resource.name}")
        yield from _guarded(
            connection, resource.name, lambda r=resource.name: _resource(engine, hub, connection, r, clock(), full)
        )


def _pull_all(
    engine: Engine, hub: Hub, chosen: Sequence[Connection], clock: Clock, full: bool, progress: Progress
) -> Iterator[Pulled]:
    """Goods of those who own them first: stock and orders speak of these. Then the connections side by side, since most
    of the time is spent waiting for vendors; the resources of one wait for each other."""
    owners = [one for one in chosen if one.spec and one.name in hub.authority("product")]
    for owner in owners:
        yield from pull(engine, hub, owner, clock, full, progress, _brings_goods)

    def rest(one: Connection) -> list[Pulled]:
        among = (lambda resource: not _brings_goods(resource)) if one in owners else (lambda resource: True)
        return list(pull(engine, hub, one, clock, full, progress, among))

    with ThreadPoolExecutor(SIDE_BY_SIDE, "pull") as pool:
        pulls = [pool.submit(copy_context().run, rest, one) for one in chosen]
        for done in pulls:
            yield from done.result()


def _brings_goods(resource: Resource | FileDrop) -> bool:
    """A folder tells what it holds only when it is read."""
    return isinstance(resource, FileDrop) or bool(resource.maps.keys() & {"product", "location"})


def _guarded(connection: Connection, resource: str, work: Callable[[], Pulled]) -> Iterator[Pulled]:
    try:
        yield work()
    except HubError as error:
        yield Pulled(connection.name, resource, error=str(error))


def _resource(engine: Engine, hub: Hub, connection: Connection, name: str, now: datetime, full: bool) -> Pulled:
    assert connection.spec is not None
    resource = connection.spec.resource(name)
    landed = land(engine, connection, resource, now=now, full=full)
    mapped = map_new(engine, hub, connection, resource, now=now)
    return Pulled(
        connection.name,
        name,
        landed.read,
        landed.landed,
        mapped.stored,
        mapped.quarantined,
        landed.unchanged,
        mapped.unbound,
    )


def _files(engine: Engine, hub: Hub, connection: Connection, now: datetime) -> Pulled:
    assert connection.spec is not None
    assert connection.spec.files is not None
    files = ingest_files(engine, connection, now=now, hub=hub)
    return Pulled(
        connection.name,
        connection.spec.files.name,
        sum(file.read for file in files),
        sum(file.landed for file in files),
        sum(file.stored for file in files),
        sum(file.quarantined for file in files),
        sum(file.unchanged for file in files),
        sum(file.unbound for file in files),
        sum(file.held for file in files),
        next((file.error for file in files if file.error), None),
    )


def push(
    engine: Engine, hub: Hub, connections: Sequence[Connection], clock: Clock, progress: Progress
) -> Iterator[Pushed]:
    """Decides what is dirty, then delivers everything that may go to `connections`."""
    progress("hub", "deciding")
    for connection in connections:
        with suppress(TransientError):
            settle_fetches(engine, connection)
    people_due(engine, hub, now=clock())
    planned = decide_due(engine, hub, now=clock())
    for connection in connections:
        for capability in connection.capabilities:
            progress(connection.name, f"delivering {capability}")
            rows = planned.get((connection.name, capability))
            counts = (rows.planned, rows.held) if rows else (0, 0)
            try:
                sent = deliver(engine, hub, connection, capability, now=clock)
            except HubError as error:
                yield Pushed(connection.name, capability, counts[0], 0, counts[1], str(error))
                continue
            yield Pushed(connection.name, capability, counts[0], sent.outcomes, counts[1])


def sync(
    engine: Engine,
    hub: Hub,
    names: Sequence[str] = (),
    *,
    clock: Clock,
    full: bool = False,
    progress: Progress = lambda connection, what: None,
) -> Report:
    """The whole hub once. Connections that fail are reported and the others go on."""
    report = Report()
    chosen = in_order(hub, names)
    report.resources.extend(_pull_all(engine, hub, chosen, clock, full, progress))
    report.capabilities.extend(push(engine, hub, chosen, clock, progress))
    progress("hub", "marts")
    fill_written(engine, hub, now=clock())
    return report
