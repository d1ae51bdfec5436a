"""Resource → pages in the raw envelope → a stage table, by way of dlt.

The envelope is the same for every vendor (architecture 4), so dlt has nothing to unfold: it moves Arrow as parquet over
ADBC, which cannot write `jsonb`; the payload lands as text and whoever appends the stage to raw casts it.
"""

import json
import os
import shutil
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from hashlib import blake2b
from itertools import chain
from pathlib import Path
from typing import Any

import orjson
import pyarrow as pa
import pyarrow.compute as pc

from connectors.sdk.errors import HubError
from connectors.sdk.spec import Page, Record, Resource, Since

ENVELOPE = pa.schema(
    [
        pa.field("key", pa.string(), nullable=False),
        pa.field("cursor", pa.string()),
        pa.field("payload", pa.string(), nullable=False),
        pa.field("payload_hash", pa.string(), nullable=False),
        pa.field("landed_at", pa.timestamp("us", tz="UTC"), nullable=False),
    ]
)
BATCH = 5000
"""Rows gathered before they travel on: vendors' pages of 20 would cost more in overhead than in rows."""
KEYLESS = "keyless:"
"""Begins the key of a record without one: it lands under its hash, and the mapping sets it aside."""
DLT_SETTINGS = {
    "RUNTIME__DLTHUB_TELEMETRY": "false",
    "RUNTIME__LOG_LEVEL": "CRITICAL",
    "RESTORE_FROM_DESTINATION": "false",
    "ENABLE_RUNTIME_TRACE": "false",
    "LOAD__DELETE_COMPLETED_JOBS": "true",
    "LOAD__WORKERS": "1",
    "NORMALIZE__WORKERS": "1",
}

Enveloped = tuple[str, str | None, bytes, str, datetime]
"""A row of `ENVELOPE`; the payload stays in the bytes in which Arrow and the store take it."""


def _now() -> datetime:
    return datetime.now(UTC)


@dataclass(frozen=True)
class Landed:
    """`load_id` is dlt's, None where there was nothing to land: then the stage still holds an older load.

    `cursor`: the greatest of the records', compared as text byte by byte.
    """

    load_id: str | None
    rows: int
    cursor: str | None = None


def since(resource: Resource, stored: str | None, asked: Since) -> Since:
    """`asked` with the stored cursor put in, moved back by the resource's lag so that late rows are seen again."""
    if stored is None or resource.parse_cursor is None or resource.format_cursor is None:
        return replace(asked, value=stored)
    return replace(asked, value=resource.format_cursor(resource.parse_cursor(stored) - resource.lag))


def pages(
    resource: Resource, config: Any, since: Since, clock: Callable[[], datetime] = _now
) -> Iterator[pa.RecordBatch]:
    """The resource's records in the raw envelope, in the order of the vendor, at least `BATCH` rows at a time.

    `landed_at` is when a page arrived and rises from page to page, so the later of two states of a key shows.
    `payload` is the record as it came; `payload_hash` is of its canonical form: the order of fields does not matter.
    """
    rows: list[Enveloped] = []
    last = datetime.min.replace(tzinfo=UTC)
    for page in resource.extract(config, since):
        last = max(clock(), last + timedelta(microseconds=1))
        rows += _enveloped(resource, page, last)
        if len(rows) >= BATCH:
            yield _batch(rows)
            rows = []
    if rows:
        yield _batch(rows)


def land(batches: Iterable[pa.RecordBatch], *, connection: str, resource: str, url: str, folder: Path) -> Landed:
    """Replaces `stage_<connection>.<resource>` by the batches (any Arrow schema; the envelope for records).

    `folder` is dlt's own; one run per connection and resource at a time. What an earlier run left there unfinished is
    dropped: its records are read again, because cursors only move when rows have reached raw. Raises what the batches
    raise, unwrapped.
    """
    flow = iter(batches)
    first = next(flow, None)
    if first is None:
        return Landed(None, 0)
    counted = _Counted(chain([first], flow))
    pipeline = _pipeline(f"{connection}__{resource}", f"stage_{connection}", url, folder)
    import dlt
    from dlt.pipeline.exceptions import PipelineStepFailed

    table = dlt.resource(counted, name=resource, write_disposition="replace")
    try:
        done = pipeline.run(table, loader_file_format="parquet")
        done.raise_on_failed_jobs()
    except PipelineStepFailed as failed:
        raise _own(failed) from None
    finally:
        # dlt empties finished packages but keeps their folders: one per run, and the hot lane runs every few seconds.
        shutil.rmtree(Path(pipeline.working_dir) / "load" / "loaded", ignore_errors=True)
    return Landed(done.loads_ids[-1], counted.rows, counted.cursor)


class _Counted:
    """Counts rows on their way through, which dlt tells only in a trace that costs a file per run; and their cursor."""

    def __init__(self, batches: Iterator[pa.RecordBatch]):
        self._batches = batches
        self.rows = 0
        self.cursor: str | None = None

    def __iter__(self) -> Iterator[pa.Table]:
        for batch in self._batches:
            self.rows += batch.num_rows
            self.cursor = greatest_cursor(batch, self.cursor)
            yield batch


def greatest_cursor(batch: pa.RecordBatch, known: str | None = None) -> str | None:
    """The greatest cursor of the batch and of what is `known`; other schemas than the envelope have none."""
    if "cursor" not in batch.schema.names:
        return known
    found = pc.max(batch["cursor"]).as_py()
    return max((one for one in (known, found) if one is not None), default=None)


def _pipeline(name: str, schema: str, url: str, folder: Path) -> Any:
    """dlt is imported here: it takes a second, and `connectors map` does without. Its settings are environment only."""
    for setting, value in DLT_SETTINGS.items():
        os.environ.setdefault(setting, value)
    os.environ.setdefault("DLT_DATA_DIR", str(folder))
    import dlt

    destination = dlt.destinations.postgres(credentials=url)
    pipeline = dlt.pipeline(name, pipelines_dir=str(folder), destination=destination, dataset_name=schema)
    return pipeline.drop() if pipeline.has_pending_data else pipeline


def _own(failed: BaseException) -> BaseException:
    """The hub's error inside dlt's wrapping, else the wrapping."""
    error: BaseException | None = failed
    while error is not None:
        if isinstance(error, HubError):
            return error
        error = error.__cause__ or error.__context__
    return failed


def _enveloped(resource: Resource, page: Page | Sequence[Record], at: datetime) -> Iterator[Enveloped]:
    records, stated = (page.records, page.cursor) if isinstance(page, Page) else (page, None)
    for record in records:
        payload, hashed = envelope(record)
        try:
            key = resource.key_of(record)
        except (KeyError, TypeError, AttributeError):
            key = KEYLESS + hashed
        cursor = stated if stated is not None else _cursor_of(resource, record)
        yield _storable(key), cursor and _storable(cursor), payload, hashed, at


def _cursor_of(resource: Resource, record: Record) -> str | None:
    """None where a malformed record has none: it must not stop the rest."""
    try:
        return resource.cursor_of(record)
    except (KeyError, TypeError, AttributeError, ValueError):
        return None


def _batch(rows: list[Enveloped]) -> pa.RecordBatch:
    columns = zip(*rows, strict=True)
    return pa.record_batch([pa.array(c, type=f.type) for c, f in zip(columns, ENVELOPE, strict=True)], schema=ENVELOPE)


def envelope(record: Record) -> tuple[bytes, str]:
    """A record's JSON in UTF-8 as it came, compact and without escapes of letters, and the hash of its canonical form.

    U+0000 and lone surrogates, which `jsonb` cannot hold, become U+FFFD.
    """
    try:
        payload = orjson.dumps(record)
        if rb"\u0000" in payload:
            record = _clean(record)
            payload = orjson.dumps(record)
        canonical = orjson.dumps(record, option=orjson.OPT_SORT_KEYS)
    except (
        TypeError
    ):  # integers beyond 64 bits, lone surrogates, Decimals of XML vendors: rare; the slow way knows them
        record = _clean(record)
        payload = _dumps(record, sort=False)
        canonical = _dumps(record, sort=True)
    return payload, blake2b(canonical, digest_size=16).hexdigest()


def _dumps(record: Any, sort: bool) -> bytes:
    return json.dumps(record, ensure_ascii=False, separators=(",", ":"), sort_keys=sort, default=str).encode()


def _clean(value: Any) -> Any:
    if isinstance(value, str):
        return _storable(value)
    if isinstance(value, Mapping):
        return {_storable(str(name)): _clean(inner) for name, inner in value.items()}
    if isinstance(value, list | tuple):
        return [_clean(inner) for inner in value]
    return value


def _storable(text: str) -> str:
    if "\0" not in text and text.isascii():
        return text
    return text.replace("\0", "\ufffd").encode("utf-16", "surrogatepass").decode("utf-16", "replace")
