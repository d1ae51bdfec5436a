"""Land: a resource is read and what changed is appended to raw. All of a run arrives, or none of it.

The cursor moves in the transaction that moves the rows, so a run that died at any point is simply done again: it reads
the same records, and those that had arrived are found unchanged.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from datetime import datetime
from time import monotonic
from typing import TypeVar

import pyarrow as pa
from sqlalchemy import Engine, insert, text

from connectors.sdk import extract
from connectors.sdk.errors import ContractError, HubError
from connectors.sdk.redact import redacted
from connectors.sdk.runtime import Attempt, Runtime, current, using
from connectors.sdk.spec import Record, Resource, Since
from dagster_project import collector
from dagster_project.connections import Connection
from dagster_project.home import home
from dagster_project.store import hints, limits, raw
from dagster_project.store.cursor import READ_AGAIN, ran
from dagster_project.store.database import dlt_url
from dagster_project.store.locks import alone
from dagster_project.store.people import payloads
from dagster_project.store.raw import Raw
from dagster_project.store.tables import TABLES

T = TypeVar("T")
PATIENCE = 60.0
"""Seconds a run waits for another one that reads the same resource."""


@dataclass(frozen=True)
class Landed:
    """Records `read`; of these `landed` (new, changed) and `unchanged`; `deleted` are gone from a complete listing."""

    read: int = 0
    landed: int = 0
    unchanged: int = 0
    deleted: int = 0


def land(engine: Engine, connection: Connection, resource: Resource, *, now: datetime, full: bool = False) -> Landed:
    """Reads a resource from its cursor on, everything when `full`, and appends what changed to its raw table.

    Raises HubError when the vendor or a setting fails; the sentence also stands in hub.cursor, and the cursor stays.
    """
    name = f"land:{connection.name}.{resource.name}"
    with alone(engine, name, patience=_patience()):
        asked = _since(engine, connection, resource, now, full)
        try:
            with _attempts_noted(engine, connection), collector.seldom():
                stage = _extract(connection, resource, asked)
                there = _there(connection, resource) if full else None
        except HubError as error:
            _remember_failure(engine, connection, resource, error, now)
            raise
        return _append(engine, connection, resource, asked, stage, there)


def bring(
    engine: Engine, connection: Connection, resource: Resource, records: Sequence[Record], *, now: datetime
) -> Landed:
    """Appends records that a call brought, as if the resource had read them.

    That the others are absent deletes nothing; the cursor and what is known of the source's freshness stay.
    """
    brought = replace(resource, extract=lambda config, since: iter([records]), complete=False, cursor=None)
    with alone(engine, f"land:{connection.name}.{resource.name}", patience=_patience()):
        stage = _extract(connection, brought, Since(now=now))
        if stage.load_id is None:
            return Landed()
        with engine.begin() as db:
            place = Raw(connection.name, resource.name)
            changed = raw.append(db, place, stage.load_id, complete=False, now=now).changed
    return Landed(stage.rows, changed, stage.rows - changed)


def _patience() -> float:
    deadline = current().deadline
    return PATIENCE if deadline is None else min(PATIENCE, deadline - monotonic())


# ── where to read from ────────────────────────────────────────────────────────────────────────────────────────────────

# Each half has an index of its own: a cancelled sale is over, but its goods may still be on their way back.
_OPEN_KEYS = text("""
select key from (
  select source ->> 'key' as key, placed_at from canonical."order"
  where connection = :connection and status not in ('completed', 'cancelled', 'returned') and deleted_at is null
    and source ->> 'resource' = :resource
  union all
  select source ->> 'key', placed_at from canonical."order"
  where connection = :connection and status = 'cancelled' and delivery ->> 'goods_travel_back' = 'true'
    and deleted_at is null and source ->> 'resource' = :resource
) unfinished
order by placed_at
""")


def _since(engine: Engine, connection: Connection, resource: Resource, now: datetime, full: bool) -> Since:
    names = {"connection": connection.name, "resource": resource.name}
    with engine.connect() as db:
        statement = text("select value from hub.cursor where connection = :connection and resource = :resource")
        stored = db.execute(statement, names).scalar()
        open_keys = tuple(db.execute(_OPEN_KEYS, names).scalars()) if resource.open_orders else ()
        hinted = hints.hinted(db, connection.name, resource.name)
    return extract.since(resource, stored, Since(full=full, open_keys=open_keys, now=now, hinted=hinted))


# ── reading ───────────────────────────────────────────────────────────────────────────────────────────────────────────


def _extract(connection: Connection, resource: Resource, asked: Since) -> extract.Landed:
    """One pipeline name, and one folder, per resource: dlt's own state never meets another's."""
    batches = _known_errors(f"{connection.name}.{resource.name}", _pages(connection, resource, asked))
    return extract.land(
        batches, connection=connection.name, resource=resource.name, url=dlt_url(), folder=home() / "dlt"
    )


def _pages(connection: Connection, resource: Resource, asked: Since) -> Iterator[pa.RecordBatch]:
    """What is of people leaves this process sealed: no stage, no file of dlt's holds it in clear."""
    batches = extract.pages(resource, connection.config, asked, clock=lambda: asked.now)
    return map(payloads.sealed, batches) if payloads.personal(resource) else batches


def _known_errors(name: str, batches: Iterator[T]) -> Iterator[T]:
    """A connector that stumbles over an answer says who must act, like everything else."""
    try:
        yield from batches
    except HubError:
        raise
    except Exception as error:
        words = redacted(f"{type(error).__name__}: {error}")
        raise ContractError(f"{name}: the connector cannot read an answer ({words}); tell its author") from error


def _there(connection: Connection, resource: Resource) -> list[str] | None:
    """Keys of all there is, asked for behind the records: what came between is among them. None: nobody tells."""
    if not callable(resource.complete):
        return None
    return list(_known_errors(f"{connection.name}.{resource.name}", iter(resource.complete(connection.config))))


@contextmanager
def _attempts_noted(engine: Engine, connection: Connection) -> Iterator[Runtime]:
    """Requests of the run go to ledger.attempt, also when it fails."""
    attempts: list[Attempt] = []
    with limits.lent(engine) as runtime, using(replace(runtime, note=attempts.append)) as noting:
        try:
            yield noting
        finally:
            if attempts:
                rows = [{"connection": connection.name, **asdict(attempt)} for attempt in attempts]
                with engine.begin() as db:
                    db.execute(insert(TABLES["ledger.attempt"]), rows)


# ── stage → raw ───────────────────────────────────────────────────────────────────────────────────────────────────────

_ADVANCE = text(f"""{READ_AGAIN}
insert into hub.cursor as c (connection, resource, value, last_run_at, fresh_at, last_full_at)
values (:connection, :resource, :value, :now, :now, :full_at)
on conflict (connection, resource) do update set
  value = greatest(c.value collate "C", excluded.value), last_run_at = excluded.last_run_at,
  fresh_at = excluded.fresh_at, last_full_at = coalesce(excluded.last_full_at, c.last_full_at), error = null
""")


def _append(
    engine: Engine,
    connection: Connection,
    resource: Resource,
    asked: Since,
    stage: extract.Landed,
    there: Sequence[str] | None = None,
) -> Landed:
    """An empty answer deletes nothing, even of a complete listing: no vendor says so politely that all is gone."""
    place = Raw(connection.name, resource.name)
    complete = resource.complete is True or (resource.complete == "full" and asked.first)
    with engine.begin() as db:
        appended = raw.Appended()
        if stage.load_id:
            appended = raw.append(db, place, stage.load_id, complete=complete, now=asked.now)
        if there and place.exists(db):
            appended = replace(appended, deleted=raw.keep(db, place, there, now=asked.now))
        full_at = asked.now if asked.first else None
        values = {"connection": connection.name, "resource": resource.name, "value": stage.cursor}
        silent_since = connection.silent_since(asked.now)
        db.execute(_ADVANCE, {**values, "now": asked.now, "full_at": full_at, "silent_since": silent_since})
        hints.read(db, connection.name, resource.name, asked.hinted, began=asked.now)
    return Landed(stage.rows, appended.changed, stage.rows - appended.changed, appended.deleted)


def _remember_failure(
    engine: Engine, connection: Connection, resource: Resource, error: HubError, now: datetime
) -> None:
    with engine.begin() as db:
        ran(db, connection.name, resource.name, now=now, error=redacted(str(error)))
