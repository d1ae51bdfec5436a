"""Whether what decides about a channel is fresh enough to publish, or to raise a stock."""

from collections.abc import Collection, Iterator, Mapping
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Engine, text

from dagster_project.connections import Connection, Hub

AUTHORITY = {"stock_level": "on_hand"}
"""Entity → its name in hub.authority, where that differs."""
FED_BY = {"price.push": ("product", "price"), "stock.push": ("product", "stock_level")}
"""Capability → entities whose age matters to it."""


def stale_inputs(
    engine: Engine, hub: Hub, capabilities: Collection[str], limit: timedelta | None, *, now: datetime
) -> list[str]:
    """Resources that feed the capabilities and were not read to their end within `limit`, as "connection.resource"."""
    if limit is None:
        return []
    entities = {entity for capability in capabilities for entity in FED_BY.get(capability, ())}
    with engine.connect() as db:
        rows = db.execute(text("select connection, resource, fresh_at from hub.cursor"))
        read = {(row.connection, row.resource): row.fresh_at for row in rows}
    wanted = {(connection, resource): must for connection, resource, must in inputs(hub, entities)}
    return [
        f"{connection}.{resource}"
        for (connection, resource), must in wanted.items()
        if (must or (connection, resource) in read) and _older(read.get((connection, resource)), now - limit)
    ]


def _older(fresh_at: datetime | None, oldest: datetime) -> bool:
    return fresh_at is None or fresh_at < oldest


def inputs(hub: Hub, entities: Collection[str]) -> Iterator[tuple[str, str, bool]]:
    """(connection, resource, whether it must have been read) of what feeds the entities.

    A folder of files counts once something came from it: its layout may be about something else.
    """
    for connection in hub.connections.values():
        for entity in entities:
            if connection.spec and _speaks_for(hub, connection, entity):
                for resource in connection.spec.resources:
                    if entity in resource.maps:
                        yield connection.name, resource.name, True
                if connection.spec.files and entity in connection.spec.files.entities:
                    yield connection.name, connection.spec.files.name, False


def _speaks_for(hub: Hub, connection: Connection, entity: str) -> bool:
    stated = hub.entry.authority.get(AUTHORITY.get(entity, entity))
    return stated is None or connection.name in set(_names(stated))


def _names(stated: Any) -> Iterator[str]:
    if isinstance(stated, str):
        yield stated
    else:
        for part in stated.values() if isinstance(stated, Mapping) else stated:
            yield from _names(part)
