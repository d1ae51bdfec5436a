"""A changed rule (a markup, a safety stock) makes no subject dirty: its whole channel is decided anew."""

import hashlib
from collections.abc import Iterable
from datetime import datetime
from typing import Any

from sqlalchemy import Connection as Database
from sqlalchemy import Engine, select
from sqlalchemy.dialects.postgresql import insert

from connectors.sdk.errors import HubError
from dagster_project.connections import Connection, Hub
from dagster_project.steps.case import PEOPLE
from dagster_project.steps.decide import Planned, decide, decide_dirty
from dagster_project.steps.people.activation import activated
from dagster_project.store.hub_tables import cursor

Plans = dict[tuple[str, str], Planned]
"""(connection, capability) → what was planned for it."""


def fingerprint(db: Database, hub: Hub, connection: Connection, capability: str) -> str:
    """Of everything that decides what a channel shows: what connections.yaml says, of audiences which are activated."""
    entry = connection.entry
    if capability in PEOPLE:
        audiences = activated(db, hub, connection) if capability == "segment.push" else {}
        return _digest([entry.push, connection.guards, hub.entry.authority, sorted(audiences.values())])
    parts: list[Any] = [
        entry.offers,
        entry.stock,
        entry.price,
        entry.push,
        entry.locations,
        entry.orders_to,
        connection.guards,
        hub.entry.authority,
    ]
    return _digest(parts)


def _digest(parts: list[Any]) -> str:
    return hashlib.blake2b(repr(parts).encode(), digest_size=16).hexdigest()


def changed_rules(engine: Engine, hub: Hub) -> list[tuple[Connection, str, str]]:
    """Capabilities whose rules differ from those last decided with, or that were never decided; and these rules."""
    with engine.connect() as connection:
        rows = connection.execute(
            select(cursor.c.connection, cursor.c.resource, cursor.c.value).where(cursor.c.resource.like("decide:%"))
        )
        known = {(row.connection, row.resource): row.value for row in rows}
        now = [
            (one, capability, fingerprint(connection, hub, one, capability))
            for one in hub.connections.values()
            for capability in one.capabilities
        ]
    return [(one, name, rules) for one, name, rules in now if known.get((one.name, f"decide:{name}")) != rules]


def decide_due(engine: Engine, hub: Hub, *, now: datetime) -> Plans:
    """Everything there is to decide: what is dirty, then the channels whose rules changed.

    Dirt comes first because it brings the positions up to date, which every decision about stock reads.
    """
    anew = changed_rules(engine, hub)
    plans = decide_dirty(engine, hub, now=now, but={(one.name, capability) for one, capability, _ in anew})
    return {**plans, **_decide_anew(engine, hub, anew, now)}


def _decide_anew(engine: Engine, hub: Hub, anew: Iterable[tuple[Connection, str, str]], now: datetime) -> Plans:
    """Decides those channels in full and remembers their rules. One that cannot be decided says why and is tried again
    the next time; the others go on."""
    plans: Plans = {}
    for connection, capability, rules in anew:
        try:
            plans[connection.name, capability] = decide(engine, hub, connection, capability, now=now)
        except HubError as error:
            plans[connection.name, capability] = Planned(error=str(error))
            continue
        remembered = {
            "connection": connection.name,
            "resource": f"decide:{capability}",
            "value": rules,
        }
        with engine.begin() as transaction:
            statement = insert(cursor).values(remembered)
            transaction.execute(
                statement.on_conflict_do_update(
                    index_elements=["connection", "resource"], set_={"value": statement.excluded.value}
                )
            )
    return plans
