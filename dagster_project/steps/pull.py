"""Pull: connections are read side by side, and what a resource brought is mapped while the next one is read.

Most of the time is spent waiting for vendors. Reading needs nobody else's records; mapping does: stock and orders speak
of goods, so nothing is mapped before the goods of those who own them, and the resources of one connection in order.
"""

from collections.abc import Callable, Collection, Iterator, Sequence
from concurrent.futures import Executor, Future, ThreadPoolExecutor
from contextvars import copy_context
from dataclasses import dataclass, field
from datetime import datetime
from threading import Event
from typing import Any, TypeVar

from sqlalchemy import Engine

from connectors.sdk.errors import HubError
from connectors.sdk.spec import FileDrop, Resource
from dagster_project.connections import Connection, Hub
from dagster_project.steps.canonical import map_new
from dagster_project.steps.files.read import ingest_files
from dagster_project.steps.land import Landed, land

SIDE_BY_SIDE = 4
"""Connections read at once."""
Clock = Callable[[], datetime]
Progress = Callable[[str, str], None]
"""Told (connection, what is being done) before each piece of work."""
Result = TypeVar("Result")


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


@dataclass
class Pull:
    """One reading of connections, by several threads."""

    engine: Engine
    hub: Hub
    clock: Clock
    full: bool
    progress: Progress
    _goods: dict[str, Event] = field(default_factory=dict)
    """Owner of products → set once its goods are mapped, or cannot be."""

    def all(self, chosen: Sequence[Connection]) -> Iterator[Pulled]:
        """What every resource of `chosen` brought; one that fails says so and the others go on. Owners come first."""
        owners = self.hub.authority("product")
        self._goods = {one.name: Event() for one in chosen if one.spec and one.name in owners}
        with ThreadPoolExecutor(max(SIDE_BY_SIDE, len(self._goods)), "pull") as readers:  # no owner waits for a thread
            for done in [_start(readers, self._connection, one) for one in chosen]:
                yield from done.result()

    def _connection(self, connection: Connection) -> list[Pulled]:
        if connection.spec is None:
            return [Pulled(connection.name, "connector", error=f"{connection.name}: {connection.problem}")]
        with ThreadPoolExecutor(1, "map") as mapper:
            parts = list(self._parts(mapper, connection))
            return [part.result() for part in parts]

    def _parts(self, mapper: Executor, connection: Connection) -> Iterator[Future[Pulled]]:
        """Its resources, goods first: read here and now, mapped one after another by `mapper`."""
        assert connection.spec is not None
        files = (connection.spec.files,) if connection.spec.files else ()
        resources = sorted((*files, *connection.spec.resources), key=lambda one: not _brings_goods(one))
        goods = self._goods.get(connection.name)
        try:
            for resource in filter(_brings_goods, resources):
                yield self._part(mapper, connection, resource, () if goods else self._goods.values())
        finally:
            if goods:
                mapper.submit(goods.set)
        for resource in resources:
            if not _brings_goods(resource):
                yield self._part(mapper, connection, resource, self._goods.values())

    def _part(
        self, mapper: Executor, connection: Connection, resource: Resource | FileDrop, awaited: Collection[Event]
    ) -> Future[Pulled]:
        def guarded(work: Callable[[], Pulled]) -> Pulled:
            for event in awaited:
                event.wait()
            try:
                return work()
            except HubError as error:
                return Pulled(connection.name, resource.name, error=str(error))

        if isinstance(resource, FileDrop):
            return _start(mapper, guarded, lambda: self._files(connection))
        self.progress(connection.name, f"reading {resource.name}")
        try:
            landed = land(self.engine, connection, resource, now=self.clock(), full=self.full)
        except HubError as error:
            return _start(mapper, Pulled, connection.name, resource.name, error=str(error))
        return _start(mapper, guarded, lambda: self._mapped(connection, resource, landed))

    def _mapped(self, connection: Connection, resource: Resource, landed: Landed) -> Pulled:
        found = map_new(self.engine, self.hub, connection, resource, now=self.clock())
        counts = (landed.read, landed.landed, found.stored, found.quarantined, landed.unchanged, found.unbound)
        return Pulled(connection.name, resource.name, *counts)

    def _files(self, connection: Connection) -> Pulled:
        assert connection.spec is not None and connection.spec.files is not None  # noqa: PT018
        self.progress(connection.name, "reading files")
        files = ingest_files(self.engine, connection, now=self.clock(), hub=self.hub)
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


def _brings_goods(resource: Resource | FileDrop) -> bool:
    """A folder tells what it holds only when it is read."""
    return isinstance(resource, FileDrop) or bool(resource.maps.keys() & {"product", "location"})


def _start(pool: Executor, work: Callable[..., Result], *given: Any, **named: Any) -> Future[Result]:
    """In a thread of `pool`, with what is lent to this one (deadline, buckets)."""
    return pool.submit(copy_context().run, work, *given, **named)
