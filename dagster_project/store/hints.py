"""Hints: records of which a call said that something happened to them, each once, until they are read again."""

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import Connection, Engine, text

_HINT = text("""
insert into hub.hint (connection, resource, key, heard_at)
select :connection, :resource, key, :at from unnest(cast(:keys as text[])) key group by key
on conflict (connection, resource, key) do update set heard_at = greatest(hint.heard_at, excluded.heard_at)
""")
_KEYS = text("select key from hub.hint where connection = :connection and resource = :resource order by key")
_RESOURCES = text("select distinct resource from hub.hint where connection = :connection")
_READ = text("""
delete from hub.hint
where connection = :connection and resource = :resource and key = any(:keys) and heard_at <= :began
""")


def hint(engine: Engine, connection: str, resource: str, keys: Sequence[str], *, at: datetime) -> None:
    with engine.begin() as db:
        db.execute(_HINT, {"connection": connection, "resource": resource, "keys": list(keys), "at": at})


def hinted(db: Connection, connection: str, resource: str) -> tuple[str, ...]:
    return tuple(db.execute(_KEYS, {"connection": connection, "resource": resource}).scalars())


def waiting(db: Connection, connection: str) -> set[str]:
    """Resources that have hints."""
    return set(db.execute(_RESOURCES, {"connection": connection}).scalars())


def read(db: Connection, connection: str, resource: str, keys: Sequence[str], *, began: datetime) -> None:
    """These were read by a run that `began` then; what was heard since stays."""
    if keys:
        db.execute(_READ, {"connection": connection, "resource": resource, "keys": list(keys), "began": began})
