"""`raw_<connection>.files`: one row per file content that ever came, and what became of it."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from pydantic_core import to_json
from sqlalchemy import Connection, text

from dagster_project.store.raw import Raw

FILES = "files"
LOADED, HELD, REFUSED, DROPPED = "loaded", "held", "refused", "dropped"


@dataclass(frozen=True)
class Claim:
    """A file content that is known. `rows`: its source lines; `settings`: a word for those under which it was read."""

    id: int
    hash: str
    name: str
    size: int
    entity: str | None
    rows: int | None
    state: str
    reason: str | None
    settings: str
    modified_at: datetime
    landed_at: datetime


_TABLE = """
create schema if not exists {schema};
create table if not exists {table} (
  id bigint generated always as identity primary key, hash text not null unique, name text not null,
  size bigint not null, entity text, rows bigint, stored bigint, quarantined bigint, unbound bigint,
  state text not null,
  reason text, notes jsonb not null default '{{}}', settings text not null, modified_at timestamptz not null,
  landed_at timestamptz not null, decided_by text, decided_at timestamptz, payload jsonb
);
comment on table {table} is 'Files by content. state: loaded, held (a person decides), refused, dropped. '
  'payload: none, the file is in the archive.';
"""
_COLUMNS = "id, hash, name, size, entity, rows, state, reason, settings, modified_at, landed_at"


def prepare(db: Connection, connection: str) -> None:
    raw = Raw(connection, FILES)
    if not raw.exists(db):
        db.exec_driver_sql(_TABLE.format(schema=raw.schema, table=raw.table))


def known(db: Connection, connection: str) -> dict[str, Claim]:
    """By hash."""
    found = db.execute(text(f"select {_COLUMNS} from {Raw(connection, FILES).table} order by landed_at, id"))
    return {row.hash: Claim(*row) for row in found}


def claim(db: Connection, connection: str, values: Mapping[str, Any]) -> int:
    """Writes down a file that came, or comes again after it had been refused; gives its id.

    `values`: hash, name, size, state, settings, modified_at, landed_at; entity, rows and reason may lack.
    """
    names = ("hash", "name", "size", "entity", "rows", "state", "reason", "settings", "modified_at", "landed_at")
    statement = f"""
insert into {Raw(connection, FILES).table} ({", ".join(names)}) values ({", ".join(f":{name}" for name in names)})
on conflict (hash) do update set {", ".join(f"{name} = excluded.{name}" for name in names[1:])} returning id"""
    found: int = db.execute(text(statement), {name: values.get(name) for name in names}).scalar_one()
    return found


def settle(db: Connection, connection: str, number: int, counts: Mapping[str, int], notes: Mapping[str, int]) -> None:
    """What its lines became: stored, quarantined, unbound."""
    statement = f"""
update {Raw(connection, FILES).table} set stored = :stored, quarantined = :quarantined, unbound = :unbound,
  notes = cast(:notes as jsonb) where id = :id"""
    db.execute(text(statement), {**counts, "notes": to_json(notes).decode(), "id": number})


def decide(db: Connection, connection: str, digest: str, state: str, by: str, at: datetime) -> None:
    """A person's word on a held file."""
    table = Raw(connection, FILES).table
    statement = f"update {table} set state = :state, decided_by = :by, decided_at = :at where hash = :hash"
    db.execute(text(statement), {"state": state, "by": by, "at": at, "hash": digest})
