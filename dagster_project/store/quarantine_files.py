"""Lines of files in the quarantine, keyed by the receipt or article they speak of: a corrected file closes them."""

from collections.abc import Collection
from datetime import datetime

import pyarrow as pa
import pyarrow.compute as pc
from sqlalchemy import Connection, text

from connectors.sdk.files import FileFrames
from connectors.sdk.redact import redacted
from dagster_project.store.claims import FILES
from dagster_project.store.quarantine import UNBOUND
from dagster_project.store.transfer import copy_in

_STAGE = """
create temp table file_aside (key text, line int, lines int, rule text, reason text, waits_for jsonb) on commit drop"""
_OPEN = text("""
insert into ledger.quarantine as q
  (connection, resource, entity, key, line, lines, rule, reason, state, at, raw_id, waits_for)
select :connection, :resource, :entity, coalesce(key, :hash || ':' || line), line, lines, rule, reason, 'open',
       cast(:now as timestamptz), :raw_id, waits_for from file_aside
on conflict (connection, resource, entity, key, line) do update set lines = excluded.lines, rule = excluded.rule,
  reason = excluded.reason, raw_id = excluded.raw_id, waits_for = excluded.waits_for, state = 'open', at = excluded.at
""")
_WAITING = text("""
select distinct key from ledger.quarantine
where connection = :connection and resource = :resource and entity = :entity and state = 'open'
""")
_CLOSE = text("""
update ledger.quarantine set state = 'replayed'
where connection = :connection and resource = :resource and entity = :entity and state = 'open' and key = any(:keys)
""")


def settle(db: Connection, values: dict[str, object], spoken: pa.ChunkedArray, aside: pa.Table, now: datetime) -> None:
    """Closes what waits under keys that this file speaks of, then opens what it sets aside.

    `values`: connection, entity, hash (short), raw_id. `spoken`: keys of its good rows. Reasons pass through redaction.
    """
    named = {**values, "resource": FILES, "now": now}
    waiting = pa.array(db.execute(_WAITING, named).scalars().all(), pa.string())
    told = pc.or_(pc.is_in(waiting, spoken.combine_chunks()), pc.is_in(waiting, aside["key"].combine_chunks()))
    if pc.any(told).as_py():
        db.execute(_CLOSE, {**named, "keys": waiting.filter(told).to_pylist()})
    if aside.num_rows:
        db.execute(text(_STAGE))
        reasons = pa.array([redacted(reason) for reason in aside["reason"].to_pylist()], pa.string())
        copy_in(db, "file_aside", aside.set_column(aside.column_names.index("reason"), "reason", reasons))
        db.execute(_OPEN, named)


_READY = text(f"""
select q.id from ledger.quarantine q
where q.connection = :connection and q.resource = :resource and q.state = 'open' and q.rule = '{UNBOUND}' and (
  exists (select from canonical.product p where p.sku = q.waits_for ->> 'sku')
  or exists (select from hub.binding b where b.connection = q.connection and b.entity = 'variant'
             and b.external_id = q.waits_for ->> 'sku'))
""")
_BY_FILE = text("""
select raw_id, array_agg(distinct key) from ledger.quarantine where id = any(:ids) and raw_id is not null
group by raw_id order by raw_id
""")


def ready(db: Connection, connection: str) -> list[int]:
    """Rows about goods that were unknown when their file came, and are known by now."""
    return list(db.execute(_READY, {"connection": connection, "resource": FILES}).scalars())


def by_file(db: Connection, ids: Collection[int]) -> list[tuple[int, list[str]]]:
    """(file's id, keys) of these rows, the oldest file first."""
    return [(row[0], row[1]) for row in db.execute(_BY_FILE, {"ids": list(ids)})]


def keys_of(frames: FileFrames) -> pa.ChunkedArray:
    """What a file's good rows are about, as the quarantine names it."""
    return frames.frames[frames.entity]["external_id" if frames.entity == "order" else "key"]
