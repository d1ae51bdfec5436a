"""Raw rows → canonical records. The mappings are pure; here they are fed, and what they give is told apart."""

from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from functools import cached_property
from typing import Any, NamedTuple

from pydantic_core import to_json
from sqlalchemy import Connection as Db
from sqlalchemy import text

from connectors.sdk.errors import ConfigError
from connectors.sdk.extract import KEYLESS
from connectors.sdk.spec import Resource
from dagster_project.connections import Connection, Hub
from dagster_project.store.people import payloads
from dagster_project.store.quarantine import Aside
from dagster_project.store.raw import Raw
from mappings.canonical import Canonical
from mappings.tables import FieldMap, Quarantined
from mappings.tables.overrides import overridden

Rows = Mapping[str, list[dict[str, Any]]]
"""Table of `store.incoming` → its rows."""
TOLD_IN_FULL = {"order", "loyalty_entry", "consent_event"}
"""Of these earlier states of a record count as well: they are its history, or may not be overwritten."""
PAGE = 1000
"""Raw rows in memory at a time."""


class RawRow(NamedTuple):
    """`payload` None: the record is gone. `newest`: no later row of its key is known."""

    id: int
    key: str
    payload: str | None
    landed_at: datetime
    load_id: str | None
    newest: bool


@dataclass(frozen=True)
class Selected:
    """Raw rows with `after` < id ≤ `upto`, of these only `ids` where given."""

    after: int
    upto: int
    ids: tuple[int, ...] | None = None

    where = "r.id > :after and r.id <= :upto and (cast(:ids as bigint[]) is null or r.id = any(cast(:ids as bigint[])))"

    @property
    def values(self) -> dict[str, Any]:
        return {"after": self.after, "upto": self.upto, "ids": None if self.ids is None else list(self.ids)}

    def halves(self) -> tuple["Selected", "Selected"]:
        middle = (self.after + self.upto) // 2
        return Selected(self.after, middle, self.ids), Selected(middle, self.upto, self.ids)


_PAGE = """
select r.id, r.key, r.payload::text, r.landed_at, r._dlt_load_id,
       not exists (select from {table} later where later.key = r.key and later.id > r.id)
from {table} r where {selected} and r.id > :last order by r.id limit :page
"""


def read(db: Db, raw: Raw, selected: Selected) -> Iterator[list[RawRow]]:
    """The chosen rows in the order they were learnt, some at a time."""
    statement = text(_PAGE.format(table=raw.table, selected=selected.where))
    last = selected.after
    while True:
        page = [RawRow(*row) for row in db.execute(statement, {**selected.values, "last": last, "page": PAGE})]
        if page:
            yield page
        if len(page) < PAGE:
            return
        last = page[-1].id


@dataclass
class Pass:
    """One transaction's mapping of one resource: what it needs to know, and what it counts on the way.

    `counts`: ignored (records of a connection without authority), negative (counts below zero, stored as 0),
    clock_change (records with a local time that is doubled or missing).
    """

    db: Db
    hub: Hub
    connection: Connection
    resource: Resource
    now: datetime
    counts: Counter[str] = field(default_factory=Counter)
    memory: dict[str, Any] = field(default_factory=dict)

    @cached_property
    def raw(self) -> Raw:
        return Raw(self.connection.name, self.resource.name)

    @cached_property
    def maps(self) -> Mapping[str, FieldMap]:
        """Entity → mapping, with the merchant's own fields."""
        return with_own_fields(self.connection, self.resource)

    @property
    def values(self) -> dict[str, Any]:
        """Parameters that the store's statements share."""
        because = f"{self.connection.name}.{self.resource.name}"
        named = {"connection": self.connection.name, "resource": self.resource.name}
        return {**named, "now": self.now, "because": because}


def with_own_fields(connection: Connection, resource: Resource) -> Mapping[str, FieldMap]:
    """Raises ConfigError naming the entry of `fields` in connections.yaml that does not fit."""
    maps = dict(resource.maps)
    for entity in maps.keys() & connection.entry.fields.keys():
        try:
            maps[entity] = overridden(maps[entity], connection.entry.fields[entity])
        except ValueError as error:
            raise ConfigError(f"connections.yaml, {connection.name}.fields.{entity}: {error}") from None
    return maps


@dataclass(frozen=True)
class Said:
    """A mapped record, the raw row that said it, and its provenance as JSON."""

    record: Canonical
    row: RawRow
    source: str


@dataclass
class Found:
    """What a page of raw rows says: records by entity, rows set aside, rows that have nothing to say of an entity."""

    records: dict[str, list[Said]] = field(default_factory=lambda: defaultdict(list))
    aside: list[Aside] = field(default_factory=list)
    silent: list[tuple[int, str]] = field(default_factory=list)


def mapped(work: Pass, page: Sequence[RawRow]) -> Found:
    """Only the newest state of a record counts, but for those that are TOLD_IN_FULL."""
    found, config, read_payload = Found(), work.connection.config, payloads.reader()
    for row in page:
        if row.payload is None:
            continue
        payload = read_payload(row.payload)
        for entity, mapping in work.maps.items():
            if row.newest or entity in TOLD_IN_FULL:
                _say(work, found, row, entity, mapping, payload, config)
    return found


def _say(work: Pass, found: Found, row: RawRow, entity: str, mapping: FieldMap, payload: Any, config: Any) -> None:
    result = mapping(payload, config)
    if row.key.startswith(KEYLESS):
        result = Quarantined("no_key", f"a record of {work.resource.name} without a key cannot be told from another")
    if isinstance(result, Quarantined):
        if row.newest:
            found.aside.append(Aside(row.id, entity, result.rule, result.reason))
    elif result.records:
        source = provenance(work, row, mapping, **({"flags": result.flags} if result.flags else {}))
        work.counts.update(result.flags)
        found.records[entity].extend(Said(record, row, source) for record in result.records)
    elif row.newest:
        found.silent.append((row.id, entity))


def provenance(work: Pass, row: RawRow, mapping: FieldMap, **more: Any) -> str:
    """`SourceRef` as JSON, with what explain needs to find the payload again."""
    return to_json({
        "connection": work.connection.name,
        "resource": work.resource.name,
        "key": row.key,
        "raw_id": row.id,
        "load_id": row.load_id,
        "observed_at": row.landed_at,
        "mapping": mapping.version,
        **more,
    }).decode()  # fmt: skip
