"""Records set aside with a reason: counted, shown, mapped again when what they wait for appears. Nothing is skipped.

`resource` is the resource that brought a record, or the capability of a change that a channel refused.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pyarrow as pa
from pydantic_core import to_json
from sqlalchemy import Connection, Engine, RowMapping, text

from connectors.sdk.errors import ConfigError
from connectors.sdk.redact import redacted
from dagster_project.store import archive
from dagster_project.store.claims import FILES
from dagster_project.store.ledger import Queue, planning
from dagster_project.store.people import payloads
from dagster_project.store.raw import Raw
from dagster_project.store.transfer import copy_in

UNBOUND = "unbound_variant"
NO_SKU = "no_unique_sku"
RENAMED = "renamed"
"""Asks for a record to be mapped again: its variant goes by another sku now."""


@dataclass(frozen=True)
class Aside:
    """A record of an entity that cannot be used. `seq`: its raw id; `waits_for`: what would make it usable."""

    seq: int
    entity: str
    rule: str
    reason: str
    waits_for: Mapping[str, str | None] | None = None


# ── while mapping ─────────────────────────────────────────────────────────────────────────────────────────────────────


def prepare(db: Connection) -> None:
    """The temporary table of what a transaction sets aside; statements may insert into it as well."""
    columns = "seq bigint, entity text, rule text, reason text, waits_for jsonb"
    db.execute(text(f"create temp table if not exists set_aside ({columns}) on commit delete rows"))
    db.execute(text("delete from set_aside"))


def add(db: Connection, records: Sequence[Aside]) -> None:
    """Reasons quote what could not be read, so they pass through redaction."""
    if records:
        columns = {
            "seq": [one.seq for one in records],
            "entity": [one.entity for one in records],
            "rule": [one.rule for one in records],
            "reason": [redacted(one.reason) for one in records],
            "waits_for": [None if one.waits_for is None else to_json(one.waits_for).decode() for one in records],
        }
        copy_in(
            db,
            "set_aside",
            pa.table({n: pa.array(v, pa.int64() if n == "seq" else pa.string()) for n, v in columns.items()}),
        )


_OPEN = """
insert into ledger.quarantine as q (connection, resource, entity, key, rule, reason, state, at, raw_id, waits_for)
select distinct on (a.entity, r.key)
       :connection, :resource, a.entity, r.key, a.rule, a.reason, 'open', cast(:now as timestamptz), r.id, a.waits_for
from set_aside a join {table} r on r.id = a.seq
order by a.entity, r.key, r.id desc
on conflict (connection, resource, entity, key, line) do update set
  rule = excluded.rule, reason = excluded.reason, raw_id = excluded.raw_id, waits_for = excluded.waits_for,
  state = 'open', at = case when q.raw_id = excluded.raw_id and q.state = 'open' then q.at else excluded.at end
where q.state <> 'dropped' or q.raw_id is distinct from excluded.raw_id
"""

_MENDED = """
update ledger.quarantine q set state = 'replayed'
where q.connection = :connection and q.resource = :resource and q.state = 'open'
  and q.key in (select r.key from {table} r where {selected})
  and not exists (select from set_aside a join {table} r on r.id = a.seq where a.entity = q.entity and r.key = q.key)
"""


def settle(db: Connection, raw: Raw, selected: str, values: Mapping[str, Any]) -> int:
    """Opens what this transaction set aside and closes what it mended among the raw rows `selected`.

    Gives the number of raw rows set aside. A record that somebody dropped stays dropped until it changes.
    """
    db.execute(text(_MENDED.format(table=raw.table, selected=selected)), values)
    count = db.execute(text("select count(distinct seq) from set_aside")).scalar_one()
    if count:
        db.execute(text(_OPEN.format(table=raw.table)), values)
    return int(count)


# ── what may be mapped again ──────────────────────────────────────────────────────────────────────────────────────────

_READY = text(f"""
select q.id, q.connection, q.resource, q.key from ledger.quarantine q where q.state = 'open' and q.rule = '{RENAMED}'
union all
select q.id, q.connection, q.resource, q.key from ledger.quarantine q
where q.state = 'open' and q.rule = '{UNBOUND}' and (
  exists (select from hub.binding b where b.connection = q.connection and b.entity = 'variant'
          and b.external_id = q.waits_for ->> 'variant')
  or exists (select from canonical.product p where p.sku = q.waits_for ->> 'sku')
  or 1 = (select count(*) from canonical.product m
          where m.barcodes @> array[q.waits_for ->> 'barcode'] and m.deleted_at is null))
union all
select q.id, q.connection, q.resource, q.key from ledger.quarantine q
where q.state = 'open' and q.rule = '{NO_SKU}' and exists (
  select from hub.sku_claim k
  where k.connection = q.connection and k.external_id = q.waits_for ->> 'variant'
    and not exists (select from hub.sku_claim o where o.connection = k.connection and o.sku = k.sku
                    and o.external_id <> k.external_id and (o.active or not k.active)))
""")


@dataclass(frozen=True)
class Record:
    """An open row: whose it is and the key of its raw record."""

    id: int
    connection: str
    resource: str
    key: str


def ready(db: Connection) -> list[Record]:
    """Open records whose variant, sku or barcode is known by now, or that were told to come back."""
    return [Record(*row) for row in db.execute(_READY)]


_CHOSEN = """
where state = 'open' and (cast(:ids as bigint[]) is null or id = any(cast(:ids as bigint[])))
  and (cast(:connection as text) is null or connection = :connection) and (cast(:rule as text) is null or rule = :rule)
"""


def chosen(
    db: Connection, *, ids: Collection[int] | None = None, connection: str | None = None, rule: str | None = None
) -> list[Record]:
    """Open rows by number, connection and rule; all of them where nothing is given."""
    found = db.execute(
        text(f"select id, connection, resource, key from ledger.quarantine {_CHOSEN} order by id"),
        {"ids": None if ids is None else list(ids), "connection": connection, "rule": rule},
    )
    return [Record(*row) for row in found]


_SEND_AGAIN = text("""
with refused as (
  update ledger.item set desired = null
  where connection = :connection and capability = :capability and subject = any(:subjects) and state = 'rejected'
  returning subject
)
insert into hub.dirty (entity, subject, because) select :entity, subject, 'sent again after a refusal' from refused
""")


def send_again(db: Connection, connection: str, capability: str, records: Sequence[Record]) -> int:
    """Refused changes are wanted anew: decided, guarded and planned like any other; subjects made dirty."""
    queue = Queue(connection, capability)
    planning(db, queue)
    close(db, [record.id for record in records])
    return db.execute(_SEND_AGAIN, {**queue.names, "subjects": [record.key for record in records]}).rowcount


def close(db: Connection, ids: Sequence[int]) -> None:
    """Marks as replayed what does not stand aside any more."""
    db.execute(text("update ledger.quarantine set state = 'replayed' where id = any(:ids)"), {"ids": list(ids)})


# ── for people ────────────────────────────────────────────────────────────────────────────────────────────────────────


def listed(engine: Engine, *, connection: str | None = None, rule: str | None = None) -> list[dict[str, Any]]:
    """What is set aside, newest first."""
    columns = "id, connection, resource, entity, key, line, lines, rule, reason, state, at"
    with engine.connect() as db:
        statement = text(f"select {columns} from ledger.quarantine {_CHOSEN} order by at desc, id desc")
        found = db.execute(statement, {"ids": None, "connection": connection, "rule": rule})
        return [dict(row) for row in found.mappings()]


def shown(engine: Engine, number: int) -> dict[str, Any]:
    """One record with its payload (of a file: its line), which may hold a buyer's data.

    Raises ConfigError where there is no such number.
    """
    with engine.connect() as db:
        found = db.execute(text("select * from ledger.quarantine where id = :id"), {"id": number}).mappings().first()
        if found is None:
            raise ConfigError(f"nothing is set aside under {number}; `keruen quarantine list` shows what is")
        return {**found, **_payload(db, found)}


def _payload(db: Connection, record: RowMapping) -> dict[str, Any]:
    raw = Raw(record["connection"], record["resource"])
    if record["raw_id"] is None or not raw.exists(db):
        return {}
    columns = "name, hash" if record["resource"] == FILES else "payload::text as payload"
    kept = db.execute(text(f"select {columns} from {raw.table} where id = :id"), {"id": record["raw_id"]}).first()
    if kept is not None and record["resource"] == FILES:
        return {"file": kept.name, "payload": archive.line_of(kept.hash, record["line"])}
    return {"payload": payloads.reader()(kept.payload) if kept and kept.payload else None}


def drop(
    engine: Engine, *, ids: Collection[int] | None = None, connection: str | None = None, rule: str | None = None
) -> int:
    """Closes records for good, at somebody's word; gives their number."""
    values = {"ids": None if ids is None else list(ids), "connection": connection, "rule": rule}
    with engine.begin() as db:
        return db.execute(text(f"update ledger.quarantine set state = 'dropped' {_CHOSEN}"), values).rowcount


_COUNTS = """
select connection, rule, count(*) as records from ledger.quarantine where state = 'open' group by 1, 2 order by 3 desc
"""


def counts(engine: Engine) -> list[tuple[str, str, int]]:
    """(connection, rule, open records), most first."""
    with engine.connect() as db:
        found = db.execute(text(_COUNTS))
        return [(row.connection, row.rule, row.records) for row in found]
