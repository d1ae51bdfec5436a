"""Which segments are shown to which channels: what their files say under `activate`, once a person made them live."""

from collections.abc import Iterator
from typing import Any, NamedTuple

from sqlalchemy import Connection as Database

from dagster_project.connections import Connection, Hub
from dagster_project.segment_files import mistakes, segments
from dagster_project.store.people.segments import definitions
from mappings.segments.language import Hours, Segment


class Activation(NamedTuple):
    """Members of `segment` belong to `audience` of `connection`, if they agreed to `purpose`; added in `hours`.

    `stopped`: it must be mended first. Until then nobody is added, and only who may not be reached is taken out.
    """

    segment: str
    connection: str
    audience: str
    purpose: str
    hours: Hours | None = None
    stopped: bool = False


def activated(db: Database, hub: Hub, connection: Connection) -> dict[str, Activation]:
    """Of one connection, by segment: those that are live. Of a stopped one, what its file said last."""
    written, wrong = {one.name: one.segment for one in segments(hub)}, mistakes(hub)
    found: dict[str, Activation] = {}
    for row in definitions(db).values():
        stopped = bool(row.segment in wrong or row.stopped_by)
        segment = _as_read(row) if stopped else written.get(row.segment)
        if segment and segment.consent and row.live_since:
            found |= {one.segment: one for one in _shown(segment, stopped) if one.connection == connection.name}
    return found


def _as_read(row: Any) -> Segment | None:
    said = row.body.get("segment")
    return Segment.model_validate(said) if said else None


def _shown(segment: Segment, stopped: bool) -> Iterator[Activation]:
    assert segment.consent is not None
    for shown in segment.activate:
        yield Activation(
            segment.segment, shown.channel, shown.audience, segment.consent.purpose, segment.hours, stopped
        )
