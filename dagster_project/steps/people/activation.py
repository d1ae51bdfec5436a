"""Which segments are shown to which channels: what their files say under `activate`, once a person made them live."""

from collections.abc import Iterator
from typing import NamedTuple

from sqlalchemy import Connection as Database

from connectors.sdk.errors import ConfigError
from dagster_project.connections import Connection, Hub
from dagster_project.segment_files import segments
from dagster_project.store.people.segments import live
from mappings.segments.language import Hours


class Activation(NamedTuple):
    """Members of `segment` belong to `audience` of `connection`, if they agreed to `purpose`; added in `hours`."""

    segment: str
    connection: str
    audience: str
    purpose: str
    hours: Hours | None = None


def activations(hub: Hub) -> tuple[Activation, ...]:
    """What the segments' files say. Raises ConfigError: a segment has one audience in a connection, as a person is
    there or is not."""
    found = tuple(_stated(hub))
    places = [one[:2] for one in found]
    for one in found:
        if places.count(one[:2]) > 1:
            raise ConfigError(f"segments/{one.segment}.yaml activates {one.connection} twice: name one audience there")
    return found


def _stated(hub: Hub) -> Iterator[Activation]:
    for one in segments(hub):
        if consent := one.segment.consent:
            for shown in one.segment.activate:
                yield Activation(one.name, shown.channel, shown.audience, consent.purpose, one.segment.hours)


def activated(db: Database, hub: Hub, connection: Connection) -> dict[str, Activation]:
    """Of one connection, by segment: those that are live."""
    at_work = live(db)
    return {
        one.segment: one for one in activations(hub) if one.connection == connection.name and one.segment in at_work
    }
