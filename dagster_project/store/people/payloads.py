"""What vendors said of people lies in raw tables sealed whole, under the master key; whoever reads it opens it here.

A sealed payload is a JSON string that begins with `siv:`. One that landed before there was a seal is taken as it is.
"""

from collections.abc import Callable, Iterable, Iterator
from functools import lru_cache
from hashlib import blake2b
from typing import Any

import pyarrow as pa
from pydantic_core import from_json, to_json
from sqlalchemy import Connection, text

from connectors.sdk.spec import Resource
from dagster_project.store.people.keyring import keys
from mappings.privacy.forget import Traces
from mappings.privacy.seal import SIV

PERSONAL = frozenset({"customer", "order", "cart", "loyalty_entry", "contact_event", "consent_event"})
"""Entities that tell of somebody."""
PAYLOAD = "payload"
SEALED = f'"{SIV}'
"""Begins a sealed payload, as JSON text."""
AT_ONCE = 5000
"""Payloads of a table that are in memory in clear when it is searched."""


def personal(resource: Resource) -> bool:
    return not PERSONAL.isdisjoint(resource.maps)


def sealed(batch: pa.RecordBatch) -> pa.RecordBatch:
    """Records in the raw envelope as they may land. The hash is keyed too: what is guessed cannot be tried on it."""
    master = keys()
    payloads = [f'"{master.seal(one, PAYLOAD)}"' for one in batch["payload"].to_pylist()]
    hashes = [_keyed(one, master.digests) for one in batch["payload_hash"].to_pylist()]
    for name, values in (("payload", payloads), ("payload_hash", hashes)):
        at = batch.schema.get_field_index(name)
        batch = batch.set_column(at, batch.schema.field(at), pa.array(values, pa.string()))
    return batch


def _keyed(digest: str, key: bytes) -> str:
    return blake2b(digest.encode(), key=key, digest_size=16).hexdigest()


def reader() -> Callable[[str], Any]:
    """Reads stored payloads (JSON text) one after another; the key is looked up once, when the first seal is met."""
    master = lru_cache(maxsize=1)(keys)

    def read(stored: str) -> Any:
        value = from_json(stored)
        sealed = isinstance(value, str) and value.startswith(SIV)
        return from_json(master().open(value, PAYLOAD)) if sealed else value

    return read


def rewritten(stored: str, traces: Traces) -> str:
    """A stored payload without the traces, its shape kept; sealed if it was."""
    clean = to_json(traces.out_of_value(reader()(stored))).decode()
    return to_json(keys().seal(clean, PAYLOAD)).decode() if stored.startswith(SEALED) else clean


def forget(db: Connection, table: str, rows: Iterable[tuple[int, str]], traces: Traces) -> int:
    """Rewrites these rows (id, stored payload) of a raw table; how many. They keep their hash, so that the same record
    coming again is nothing new."""
    clean = [{"id": number, "payload": rewritten(stored, traces)} for number, stored in rows]
    if clean:
        db.execute(text(f"update {table} set payload = cast(:payload as jsonb) where id = :id"), clean)
    return len(clean)


def empty(db: Connection, table: str, rows: Iterable[tuple[int, str]]) -> int:
    """Nothing is left of these payloads (id, stored payload), names in words of their own included; how many. They keep
    their hash too."""
    bare = {False: "{}", True: to_json(keys().seal("{}", PAYLOAD)).decode()}
    told = [{"id": number, "payload": bare[stored.startswith(SEALED)]} for number, stored in rows]
    if told:
        db.execute(text(f"update {table} set payload = cast(:payload as jsonb) where id = :id"), told)
    return len(told)


# ── looking for somebody ──────────────────────────────────────────────────────────────────────────────────────────────

_CLEAR = "select id, payload::text from {table} where payload::text ~* :pattern"
_SEALED = f"""
select id, payload::text from {{table}} where payload::text like '{SEALED}%' and id > :last order by id limit {AT_ONCE}
"""


def telling(db: Connection, table: str, traces: Traces) -> Iterator[tuple[int, str]]:
    """Id and stored payload of the rows of a raw table in which any trace is found."""
    rows = db.execute(text(_CLEAR.format(table=table)), {"pattern": traces.pattern})
    yield from ((number, stored) for number, stored in rows.all())
    yield from sealed_telling(db, table, traces)


def sealed_telling(db: Connection, table: str, traces: Traces) -> Iterator[tuple[int, str]]:
    """Those of them that SQL cannot find: each is opened."""
    read, last = reader(), 0
    while page := db.execute(text(_SEALED.format(table=table)), {"last": last}).all():
        yield from ((number, one) for number, one in page if traces.in_text(to_json(read(one)).decode()))
        last = page[-1][0]
