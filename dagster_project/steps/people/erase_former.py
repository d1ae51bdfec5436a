"""What systems ever said of somebody under his own id: in all states of his raw rows, in archived files and in those
that still lie in their folders."""

from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
from sqlalchemy import Connection as Db
from sqlalchemy import text

from connectors.sdk.errors import ConfigError, RejectedError
from connectors.sdk.files import FoundFile
from connectors.sdk.spec import FileDrop, Resource
from dagster_project.connections import Connection, Hub
from dagster_project.steps.mapping import with_own_fields
from dagster_project.steps.people import erase_files, erase_texts
from dagster_project.steps.people.erased import card_only
from dagster_project.store import archive, claims
from dagster_project.store.claims import FILES
from dagster_project.store.people import payloads
from dagster_project.store.raw import Raw
from mappings.privacy.forget import Traces
from mappings.tables import Quarantined

TOLD = ("name", "last_name", "first_name", "middle_name", "birth_date", "tax_id", "address", "phones", "emails",
        "loyalty_ids", "account_id")  # fmt: skip
"""Fields of a card that tell whose it is."""
DELIMITED = frozenset({".csv", ".tsv", ".tab", ".txt"})

Ids = Mapping[str, frozenset[str]]
"""Connection → ids that the person has there."""
Card = Mapping[str, Any]
"""Fields of a customer, in clear text."""


@dataclass(frozen=True)
class Lines:
    """What a file says of the person. `path`: where it lies, sealed or not; `numbers`: source line → the id there;
    `more`: whether it says more than the id."""

    path: Path
    name: str
    cards: tuple[Card, ...]
    numbers: Mapping[int, str]
    more: bool


def in_raw(db: Db, hub: Hub, ids: Ids) -> Iterator[Card]:
    """Every state of the person's records. A resource that cannot be mapped, for want of a secret, tells nothing."""
    for connection, resource in _resources(db, hub, ids):
        with suppress(ConfigError):
            mapping, read = with_own_fields(connection, resource)["customer"], payloads.reader()
            for _, stored in _rows(db, connection, resource, ids):
                said = mapping(read(stored), connection.config)
                records = () if isinstance(said, Quarantined) else said.records
                yield from (one.__dict__ for one in records if one.external_id in ids[connection.name])


def forget_raw(db: Db, hub: Hub, ids: Ids) -> dict[str, int]:
    """Empties what systems said of the person's own records: table → payloads."""
    return {_name(raw): payloads.empty(db, raw.table, rows) for raw, rows in _cards(db, hub, ids)}


def left_in_raw(db: Db, hub: Hub, ids: Ids) -> dict[str, int]:
    """Table → payloads of the person's own records that say anything still."""
    read = payloads.reader()
    return {_name(raw): sum(1 for _, stored in rows if read(stored)) for raw, rows in _cards(db, hub, ids)}


def _name(raw: Raw) -> str:
    return raw.table.replace('"', "")


def _cards(db: Db, hub: Hub, ids: Ids) -> Iterator[tuple[Raw, list[tuple[int, str]]]]:
    for connection, resource in _resources(db, hub, ids):
        if card_only(resource):
            yield Raw(connection.name, resource.name), _rows(db, connection, resource, ids)


def in_files(db: Db, hub: Hub, ids: Ids) -> Iterator[Lines]:
    """Lists of customers of the connections where the person has an id."""
    for connection in hub.connections.values():
        drop = connection.spec.files if connection.spec else None
        if drop and connection.name in ids:
            with suppress(ConfigError):
                there = _There(db, connection.name)
                for path, found in _files(db, connection, drop):
                    with suppress(ConfigError), archive.in_clear(path) as clear:
                        file = FoundFile(*found, archived=clear)
                        if lines := _said(there, connection, drop, path, file, ids[connection.name]):
                            yield lines


def _said(
    there: "_There", connection: Connection, drop: FileDrop, path: Path, file: FoundFile, ids: frozenset[str]
) -> Lines | None:
    try:
        rows = drop.read(connection.config, file).frames.get("customer")
    except (ConfigError, RejectedError):
        return _unread(there, path, file, ids) if file.name in there.lists else None
    return None if rows is None else _lines(path, file.name, rows, ids)


_CUSTOMERS = text("select external_id from identity.source_record where connection = :connection and kind = 'customer'")


@dataclass(frozen=True)
class _There:
    """What the store knows of a connection, asked for once however many files today's settings cannot read."""

    db: Db
    connection: str

    @cached_property
    def lists(self) -> frozenset[str]:
        """Names of lists of customers that were loaded when the settings were others."""
        if not Raw(self.connection, FILES).exists(self.db):
            return frozenset()
        known = claims.known(self.db, self.connection).values()
        return frozenset(claim.name for claim in known if claim.entity == "customer")

    @cached_property
    def customers(self) -> frozenset[str]:
        return frozenset(self.db.execute(_CUSTOMERS, {"connection": self.connection}).scalars())


def _unread(there: _There, path: Path, file: FoundFile, ids: frozenset[str]) -> Lines:
    """Of a list whose columns are called otherwise than the settings say now: lines that are the person's by their id.
    Which of their cells is a name, and which a phone, nobody can say."""
    numbers, clear = None, file.bytes_at
    if Path(file.name).suffix.lower() in DELIMITED and (encoding := erase_texts.encoding_of(clear)):
        numbers = erase_texts.lines_of(clear, encoding, ids, ids | there.customers)
    more = erase_files.holds(clear, Traces(texts=ids)) if numbers is None else bool(numbers)
    return Lines(path, file.name, (), numbers or {}, more)


def blank(files: Iterable[Lines]) -> list[str]:
    """Empties every cell but the id of these lines; gives the names of the files. What has no lines of cells, or shows
    no id in one, stays as it is: the proof finds it."""
    done = []
    for file in files:
        if file.numbers and Path(file.name).suffix.lower() in DELIMITED:
            with archive.in_clear(file.path) as clear:
                if erase_files.replaced(clear, lambda draft, at=clear, n=file.numbers: _blanked(at, draft, n)):
                    archive.again(file.path, clear)
                    done.append(erase_files.name_of(file.path))
    return done


def _blanked(path: Path, draft: Path, numbers: Mapping[int, str]) -> bool:
    encoding = erase_texts.encoding_of(path)
    if encoding:
        erase_texts.write_blanked(path, draft, encoding, numbers)
    return encoding is not None


def hits(db: Db, hub: Hub, ids: Ids) -> dict[str, int]:
    """File → 1, of those in which a line of the person's says more than the id."""
    return {erase_files.name_of(file.path): 1 for file in in_files(db, hub, ids) if file.more}


def _lines(path: Path, name: str, rows: pa.Table, ids: frozenset[str]) -> Lines:
    mine = rows.filter(pc.is_in(rows["external_id"].cast(pa.string()), pa.array(sorted(ids), pa.string()))).to_pylist()
    more = any(card.get(told) for card in mine for told in TOLD)
    return Lines(path, name, tuple(mine), {card["row"]: card["external_id"] for card in mine}, more)


def _files(db: Db, connection: Connection, drop: FileDrop) -> Iterator[tuple[Path, tuple[Any, ...]]]:
    if Raw(connection.name, FILES).exists(db):
        for claim in claims.known(db, connection.name).values():
            if archive.kept(claim.hash).exists():
                yield archive.kept(claim.hash), (Path(claim.name), claim.size, claim.modified_at)
    for found in drop.find(connection.config):
        yield found.path, (found.path, found.size, found.modified_at, found.waiting)


def _resources(db: Db, hub: Hub, ids: Ids) -> Iterator[tuple[Connection, Resource]]:
    for name in sorted(ids.keys() & hub.connections.keys()):
        connection = hub.connections[name]
        for resource in connection.spec.resources if connection.spec else ():
            if "customer" in resource.maps and Raw(name, resource.name).exists(db):
                yield connection, resource


def _rows(db: Db, connection: Connection, resource: Resource, ids: Ids) -> list[tuple[int, str]]:
    table = Raw(connection.name, resource.name).table
    query = f"select id, payload::text from {table} where key = any(:keys) and payload is not null"
    return [(row[0], row[1]) for row in db.execute(text(query), {"keys": sorted(ids[connection.name])})]
