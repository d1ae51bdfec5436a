"""When a resource was last read, and how that went (`hub.cursor`)."""

from datetime import datetime

from sqlalchemy import Connection, text

READ_AGAIN = """
with again as (
  insert into hub.dirty (entity, subject, because)
  select 'source', connection, resource || ' is read again' from hub.cursor
  where connection = :connection and resource = :resource
    and (error is not null or fresh_at < cast(:silent_since as timestamptz))
)"""
"""What waits for fresh evidence is decided anew when a source that was silent speaks again, though nothing there has
changed. Stands before the statement that makes the resource fresh."""

_RAN = text("""
insert into hub.cursor (connection, resource, last_run_at, error) values (:connection, :resource, :now, :error)
on conflict (connection, resource) do update set last_run_at = excluded.last_run_at, error = excluded.error
""")


def ran(db: Connection, connection: str, resource: str, *, now: datetime, error: str | None) -> None:
    """`error`: the sentence by which a run failed, None where it did not."""
    db.execute(_RAN, {"connection": connection, "resource": resource, "now": now, "error": error})
