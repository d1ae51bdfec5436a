"""Hear: what a vendor tells unasked. Whole records land as if they had been read; a hint waits for the next read."""

from datetime import datetime

from sqlalchemy import Engine

from connectors.sdk.calls import Call
from connectors.sdk.spec import Resource
from dagster_project.connections import Connection
from dagster_project.steps.land import bring
from dagster_project.store.hints import hint


def hear(engine: Engine, connection: Connection, call: Call, *, now: datetime) -> list[Resource]:
    """Keeps what a call says and gives the resources of which something landed, to be mapped.

    The same call again lands nothing: its records are found unchanged, its hints are there. Raises what the
    connector's `hear` raises, having kept nothing, and TransientError while another run reads the resource too long.
    """
    spec = connection.spec
    assert spec is not None
    assert spec.hear is not None
    heard = [(spec.resource(one.resource), one) for one in spec.hear(connection.config, call)]
    for resource, one in heard:
        if one.keys:
            hint(engine, connection.name, resource.name, one.keys, at=now)
        if one.records:
            bring(engine, connection, resource, one.records, now=now)
    return [resource for resource, one in heard if one.records]
