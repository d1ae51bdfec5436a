"""What tells a person is sealed where it comes in, and opened by whoever must read it; between, the store holds seals.

Contacts, and what must be found by its value, lie under one key (`siv:`), so that equal ones are equal. Names,
addresses and birth dates of cards and golden records lie under a key of the record or the person (`gcm:`), see
`datakeys`. A reader that meets a clear value, written before there was a seal, takes it as it is.
"""

import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import lru_cache
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
from sqlalchemy import Connection, text

from dagster_project.store.people import datakeys
from dagster_project.store.people.datakeys import Wrapped
from dagster_project.store.people.keyring import keys
from mappings.identity.digests import NUMBER
from mappings.privacy.seal import GCM, DataKey, key_of
from mappings.relations import select

PHONE, EMAIL, LOYALTY, ACCOUNT, NAME, ADDRESS = "phone", "email", "loyalty", "account", "name", "address"
MET = "met"
"""Not a table: what a query gives of cards, orders and events under the names of a golden record."""
KIND_OF_IDENTIFIER = ""
"""Sealed as what the row's own `identifier_kind` says, as an account where it says nothing."""

_CONTACTS = {
    "phone": PHONE, "phones": PHONE, "email": EMAIL, "emails": EMAIL, "loyalty_id": LOYALTY, "loyalty_ids": LOYALTY,
}  # fmt: skip
SEALED: Mapping[str, Mapping[str, str]] = {
    "canonical.customer": {"phones": PHONE, "emails": EMAIL, "loyalty_ids": LOYALTY, "account_id": ACCOUNT},
    "canonical.order": {
        "contact_name": NAME, "contact_phone": PHONE, "contact_email": EMAIL, "loyalty_id": LOYALTY,
    },
    "canonical.loyalty_entry": {"loyalty_id": LOYALTY},
    "canonical.contact_event": {"identifier": KIND_OF_IDENTIFIER},
    "canonical.consent_event": {"identifier": KIND_OF_IDENTIFIER},
    "privacy.consent_state": {"identifier": KIND_OF_IDENTIFIER},
    "identity.feature": {"first": NAME, "last": NAME},
    "identity.golden": _CONTACTS,
    "identity.pin": _CONTACTS,
    MET: {**_CONTACTS, "account_id": ACCOUNT, "name": NAME, "address": ADDRESS},
}  # fmt: skip
"""Table → its columns (of one value or a list of values) under the common key, and what they are."""

PARTS: Mapping[str, Mapping[str, frozenset[str]]] = {
    "canonical.order": {"delivery": frozenset({"address", "recipient", "comment"})}
}
"""Table → its JSON columns → the members sealed as addresses, under the common key: the ledger holds orders too."""

_NAMES = ("name", "first_name", "last_name", "middle_name", "address")
OWN_KEY: Mapping[str, tuple[str, ...]] = {
    "canonical.customer": (*_NAMES, "birth_date", "tax_id"),
    "identity.golden": (*_NAMES, "names"),
    "identity.pin": (*_NAMES, "birth_date"),
    MET: (*_NAMES, "birth_date"),
}
"""Table → its columns under the key of the record or the person. Golden birth dates stay: segments count by them."""
_OWNER = {
    "canonical.customer": NUMBER.format("(source ->> 'connection') || chr(31) || external_id"),
    "identity.golden": NUMBER.format("person_id"),
    "identity.pin": NUMBER.format("person_id"),
}
"""Whose key it is: of a card the number that identity gives the record."""

Cipher = Callable[[str, str], str]
PAGE = 200_000
"""Rows opened at a time: each value of theirs, and each key, is an object of Python until the page is done."""


def sealed(db: Connection, table: str, rows: pa.Table) -> pa.Table:
    """The rows as they may lie in `table`. Sealing what is sealed changes nothing."""
    return _under_own_keys(db, table, _in_parts(table, _turned(table, rows, keys().seal), keys().seal))


def opened(db: Connection, table: str, rows: pa.Table) -> pa.Table:
    """The rows of `table` in clear text: use it, store it nowhere. What lay under a key that was dropped is null.
    Raises WrongKey."""
    if rows.num_rows <= PAGE:
        clear = _in_parts(table, _turned(table, rows, keys().open), keys().open)
        return _from_own_keys(db, clear, OWN_KEY.get(table, ()))
    pages = (rows.slice(start, PAGE).combine_chunks() for start in range(0, rows.num_rows, PAGE))
    return pa.concat_tables(opened(db, table, page) for page in pages)


def opened_row(db: Connection, table: str, row: Mapping[str, Any]) -> dict[str, Any]:
    """One row of `table` in clear text."""
    return opened_value(table, datakeys.opened(db, dict(row)))


def opened_value(table: str, row: Mapping[str, Any]) -> dict[str, Any]:
    """What the ledger holds of a row of `table`, in clear text: nothing of it is under a key of its own."""
    kinds, parts = SEALED.get(table, {}), PARTS.get(table, {})
    clear = {name: value if name not in kinds else _opened(kinds[name], value) for name, value in row.items()}
    for name in parts.keys() & clear.keys():
        clear[name] = _parts_of(clear[name], parts[name], keys().open)
    return clear


def _opened(kind: str, value: Any) -> Any:
    if isinstance(value, str):
        return keys().open(value, kind)
    return [_opened(kind, one) for one in value] if isinstance(value, list | tuple) else value


# The number of its key, as `key_of` reads it off a seal.
_KEY = "('x' || left(encode(decode(translate(substr(seal, 5, 12), '-_', '+/'), 'base64'), 'hex'), 16))::bit(64)::bigint"
_LOST = f"""
select count(*) from {{table}} t where exists (
  select from unnest(array[{", ".join(_NAMES)}]) seal
  where seal like '{GCM}%' and not exists (select from privacy.data_key k where k.number = {_KEY}))
"""


def lost(db: Connection) -> dict[str, int]:
    """Table → rows under a key that is not there. Who was erased has no rows, so the keys went astray: nobody opens
    these any more."""
    tables = ("canonical.customer", "identity.golden")
    return {table: int(db.execute(text(_LOST.format(table=table))).scalar_one()) for table in tables}


# ── pins: values of golden records set by hand ───────────────────────────────────────────────────────────────────────


def sealed_pin(db: Connection, person: str, field: str, values: Sequence[str | None]) -> list[str | None]:
    """Values of a field of the person's golden record, as they may lie in identity.pin."""
    rows = pa.table({"person_id": [person] * len(values), field: pa.array(values, pa.string())})
    told: list[str | None] = sealed(db, "identity.pin", rows)[field].to_pylist()
    return told


def opened_pins(db: Connection, rows: pa.Table) -> pa.Table:
    """Pins are few: one by one."""
    told = datakeys.opened(db, rows.to_pylist())
    kinds = SEALED["identity.golden"]
    clear = [
        {**pin, **{name: _opened(kinds.get(pin["field"], ""), pin[name]) for name in ("value", "instead_of")}}
        for pin in told
    ]
    return pa.Table.from_pylist(clear, schema=rows.schema)


# ── under the common key ──────────────────────────────────────────────────────────────────────────────────────────────


def _turned(table: str, rows: pa.Table, cipher: Cipher) -> pa.Table:
    for name, kind in SEALED.get(table, {}).items():
        if name in rows.column_names:
            kinds = [kind] * rows.num_rows if kind else _own_kinds(rows)
            rows = _with(rows, name, _column(rows[name].combine_chunks(), kinds, cipher))
    return rows


def _with(rows: pa.Table, name: str, column: pa.Array) -> pa.Table:
    return rows.set_column(rows.column_names.index(name), name, column)


def _own_kinds(rows: pa.Table) -> list[str]:
    return pc.fill_null(rows["identifier_kind"].cast(pa.string()), ACCOUNT).to_pylist()


def _column(column: pa.Array, kinds: Iterable[str], cipher: Cipher) -> pa.Array:
    """Of a list column every value. Null stays null. What stands in many rows is turned once."""
    turned = lru_cache(maxsize=None)(cipher)
    if isinstance(column, pa.ListArray | pa.LargeListArray):
        kind = next(iter(kinds), "")
        values = pa.array([value and turned(value, kind) for value in column.flatten().to_pylist()], pa.string())
        return _listed(column, values)
    pairs = zip(column.to_pylist(), kinds, strict=True)
    return pa.array([value and turned(value, kind) for value, kind in pairs], pa.string())


def _listed(column: pa.ListArray, values: pa.Array) -> pa.Array:
    return type(column).from_arrays(_offsets(column), values, mask=column.is_null() if column.null_count else None)


def _offsets(column: pa.ListArray) -> pa.Array:
    """Counted from the first value of this array, as `flatten` gives them; a null list has none."""
    lengths = column.value_lengths().fill_null(0).to_numpy(zero_copy_only=False)
    return pa.array([0, *lengths.cumsum().tolist()], column.offsets.type)


def _in_parts(table: str, rows: pa.Table, cipher: Cipher) -> pa.Table:
    for name, members in PARTS.get(table, {}).items():
        if name in rows.column_names:
            told = [_part_text(one, members, cipher) for one in rows[name].to_pylist()]
            rows = _with(rows, name, pa.array(told, pa.string()))
    return rows


def _part_text(written: str | None, members: frozenset[str], cipher: Cipher) -> str | None:
    if not written or not any(f'"{member}"' in written for member in members):
        return written
    return json.dumps(_parts_of(json.loads(written), members, cipher), ensure_ascii=False)


def _parts_of(value: Any, members: frozenset[str], cipher: Cipher) -> Any:
    if not isinstance(value, Mapping):
        return value
    return {
        name: cipher(part, ADDRESS) if name in members and isinstance(part, str) else part
        for name, part in value.items()
    }


# ── under a key of its own ────────────────────────────────────────────────────────────────────────────────────────────


def _under_own_keys(db: Connection, table: str, rows: pa.Table) -> pa.Table:
    names = [name for name in OWN_KEY.get(table, ()) if name in rows.column_names and rows[name].null_count < len(rows)]
    if not names:
        return rows
    numbers = select(f"select {_OWNER[table]} as number from rows", rows=rows)["number"].to_pylist()
    columns = [_texts(rows[name]) for name in names]
    said = [number if any(told) else None for number, *told in zip(numbers, *columns, strict=True)]
    wrapped = datakeys.ensured(db, (number for number in said if number is not None))
    return _replaced(rows, names, zip(*_turned_rows(wrapped, said, columns, seals=True), strict=True))


def _from_own_keys(db: Connection, rows: pa.Table, asked: Sequence[str]) -> pa.Table:
    names = [name for name in asked if name in rows.column_names and rows[name].null_count < len(rows)]
    columns = [_texts(rows[name]) for name in names]
    said = [next(map(key_of, _seals_of(told)), None) for told in zip(*columns, strict=True)]
    if all(number is None for number in said):
        return rows
    wrapped = datakeys.known(db, (number for number in said if number is not None))
    return _replaced(rows, names, zip(*_turned_rows(wrapped, said, columns, seals=False), strict=True))


def _texts(column: pa.ChunkedArray) -> list[Any]:
    return (column if pa.types.is_list(column.type) else column.cast(pa.string())).to_pylist()


def _seals_of(told: Iterable[Any]) -> Iterator[str]:
    for value in told:
        yield from (one for one in (value if isinstance(value, list) else (value,)) if one and one.startswith(GCM))


def _turned_rows(
    wrapped: Wrapped, numbers: Sequence[int | None], columns: Sequence[list[Any]], *, seals: bool
) -> Iterator[tuple[Any, ...]]:
    """Row by row, so that one key is unwrapped at a time."""
    master = keys()
    for number, *told in zip(numbers, *columns, strict=True):
        if number is None:
            yield tuple(told)
        elif number not in wrapped:
            yield tuple(None if any(_seals_of((value,))) else value for value in told)
        else:
            key = DataKey.unwrapped(master, number, wrapped[number])
            turn = key.seal if seals else key.open
            yield tuple(
                [turn(one) for one in value] if isinstance(value, list) else value and turn(value) for value in told
            )


def _replaced(rows: pa.Table, names: Sequence[str], columns: Iterable[Sequence[Any]]) -> pa.Table:
    for name, values in zip(names, columns, strict=True):
        kind = pa.list_(pa.string()) if pa.types.is_list(rows[name].type) else pa.string()
        rows = _with(rows, name, pa.array(values, kind))
    return rows
