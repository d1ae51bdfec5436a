"""Raw tables: what each vendor said, one row per change of a record, in the order it was learnt.

`raw_<connection>.<resource>` is made on its first landing. A record that a complete listing no longer holds gets a row
without payload; the view `<resource>_latest` shows the records that are there now.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import Connection, text

DELETED = "deleted"
"""Stands as the hash of a row without payload."""


@dataclass(frozen=True)
class Raw:
    """A raw table and the stage that dlt fills for it. The properties are quoted names for SQL."""

    connection: str
    resource: str

    @property
    def schema(self) -> str:
        return f'"raw_{self.connection}"'

    @property
    def table(self) -> str:
        return f'{self.schema}."{self.resource}"'

    @property
    def latest(self) -> str:
        return f'{self.schema}."{self.resource}_latest"'

    @property
    def stage(self) -> str:
        return f'"stage_{self.connection}"."{self.resource}"'

    def exists(self, db: Connection) -> bool:
        return bool(db.execute(text("select to_regclass(:name) is not null"), {"name": self.table}).scalar())


@dataclass(frozen=True)
class Appended:
    """Rows that a landing added: changed records, and records that a complete listing lacked."""

    changed: int = 0
    deleted: int = 0


_TABLE = """
create schema if not exists {schema};
create table {table} (
  id bigint generated always as identity primary key, key text not null, cursor text, payload jsonb,
  payload_hash text not null, landed_at timestamptz not null, _dlt_load_id text
);
create view {latest} as
  select * from (select distinct on (key) * from {table} order by key, landed_at desc, id desc) newest
  where payload is not null;
"""

# Made after the first rows, which then need no log and no maintenance of an index row by row.
_INDEX = "create index on {table} (key, landed_at desc, id desc) include (payload_hash)"

# A clock set back must not make a new row look old.
_CHANGED = """
insert into {table} (key, cursor, payload, payload_hash, landed_at, _dlt_load_id)
select s.key, s.cursor, s.payload::jsonb, s.payload_hash,
       greatest(s.landed_at, last.landed_at + interval '1 microsecond'), :load_id
from {stage} s
left join lateral ({{last}}) last on true
where s.payload_hash is distinct from last.payload_hash {{once}}
"""

# Of two states of a key in one load the later counts. To look for another of each is a quarter of the statement's time,
# and most loads have none.
_REPEATS = "select count(*) <> count(distinct key) from {stage}"
_ONCE = """
  and not exists (select from {stage} later where later.key = s.key
                  and (later.landed_at, later.ctid) > (s.landed_at, s.ctid))
"""

_LAST = """
select r.payload_hash, r.landed_at from {table} r where r.key = s.key order by r.landed_at desc, r.id desc limit 1
"""
_NONE = "select null as payload_hash, null::timestamptz as landed_at"

_GONE = f"""
insert into {{table}} (key, payload_hash, landed_at, _dlt_load_id)
select l.key, '{DELETED}', greatest(:now, l.landed_at + interval '1 microsecond'), :load_id
from {{latest}} l where not exists (select from {{stage}} s where s.key = l.key)
"""


def append(db: Connection, raw: Raw, load_id: str, *, complete: bool, now: object) -> Appended:
    """Moves the stage to raw, only what differs from its key's latest row. `complete`: what the stage lacks is gone."""
    fresh = not raw.exists(db)
    if fresh:
        # two resources of one connection may come first at once, and `if not exists` does not wait
        db.execute(text("select pg_advisory_xact_lock(hashtext(:name))"), {"name": raw.schema})
        db.exec_driver_sql(_filled(_TABLE, raw))
    values = {"load_id": load_id, "now": now}
    once = _filled(_ONCE, raw) if db.execute(text(_filled(_REPEATS, raw))).scalar() else ""
    statement = _filled(_CHANGED, raw).format(last=_NONE if fresh else _filled(_LAST, raw), once=once)
    changed = db.execute(text(statement), values).rowcount
    if fresh:
        db.exec_driver_sql(_filled(_INDEX, raw))
    gone = db.execute(text(_filled(_GONE, raw)), values).rowcount if complete and not fresh else 0
    db.execute(text(f"truncate {raw.stage}"))  # a second copy of everything would only take room
    _forget_loads(db, raw, load_id)
    return Appended(changed, gone)


_BEYOND = f"""
insert into {{table}} (key, payload_hash, landed_at)
select l.key, '{DELETED}', greatest(:now, l.landed_at + interval '1 microsecond')
from {{latest}} l where not exists (select from unnest(cast(:keys as text[])) there (key) where there.key = l.key)
"""


def keep(db: Connection, raw: Raw, keys: Sequence[str], *, now: object) -> int:
    """Of the records as they are now only those with the keys are still there; gives how many are gone."""
    return db.execute(text(_filled(_BEYOND, raw)), {"keys": list(keys), "now": now}).rowcount


def _forget_loads(db: Connection, raw: Raw, load_id: str) -> None:
    """dlt keeps a row of every load, and the hot lane loads every few seconds. Only the newest is ever asked for."""
    loads = f'"stage_{raw.connection}"._dlt_loads'
    if db.execute(text("select to_regclass(:name) is not null"), {"name": loads}).scalar():
        older = f"delete from {loads} l using {loads} mine where mine.load_id = :load_id and l.load_id < :load_id"
        db.execute(text(f"{older} and l.schema_name = mine.schema_name"), {"load_id": load_id})


def latest_ids(db: Connection, raw: Raw, keys: Sequence[str]) -> dict[str, int]:
    """Key → raw id of the record as it is now, of the keys that are still there."""
    statement = text(f"select key, id from {raw.latest} where key = any(:keys)")
    return {row[0]: row[1] for row in db.execute(statement, {"keys": list(keys)})}


def _filled(statement: str, raw: Raw) -> str:
    return statement.format(schema=raw.schema, table=raw.table, latest=raw.latest, stage=raw.stage)
