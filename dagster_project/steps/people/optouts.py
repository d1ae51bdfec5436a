"""Opt-outs first: what a platform was told by people is read before anything is pushed to it."""

from datetime import datetime

from sqlalchemy import Engine

from connectors.sdk.spec import Resource
from dagster_project.connections import Connection, Hub
from dagster_project.steps.canonical import map_new
from dagster_project.steps.land import land


def hear_optouts(engine: Engine, hub: Hub, connection: Connection, *, now: datetime) -> None:
    """Reads and maps what of the connection tells of refusals, so that the look before sending knows of them.

    Raises HubError when it cannot be read: then nothing may be sent there.
    """
    for resource in _telling(connection):
        land(engine, connection, resource, now=now)
        map_new(engine, hub, connection, resource, now=now)


def heard_in_seconds(connection: Connection) -> bool:
    """Whether a tick of the hot lane has the time to hear them: an export that the platform prepares outlasts it."""
    return all(resource.hot for resource in _telling(connection))


def _telling(connection: Connection) -> list[Resource]:
    assert connection.spec is not None
    consents = [resource for resource in connection.spec.resources if "consent_event" in resource.maps]
    return [one for one in consents if one.refusals] or consents
