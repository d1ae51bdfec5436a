"""Keys of one record or one person each, wrapped by the master key, in one table: whoever drops a row has erased what
lies under that key, in every backup too.
"""

import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

import pyarrow as pa
from sqlalchemy import Connection, text

from dagster_project.store.people.keyring import keys
from dagster_project.store.tables import TABLES
from dagster_project.store.transfer import upsert
from mappings.privacy.seal import DATA_KEY_BYTES, GCM, NONCE_BYTES, DataKey, Keys, key_of

AT_ONCE = 50_000
"""Keys that one query asks for."""

Wrapped = Mapping[int, str]
"""Number → a key as it is stored: unwrapped it takes kilobytes, so that each is unwrapped where it is used."""

_KNOWN = text("select number, wrapped from privacy.data_key where number = any(cast(:numbers as bigint[]))")


def known(db: Connection, numbers: Iterable[int]) -> Wrapped:
    """Those of the keys that are there; what was under another one is gone for good."""
    found: dict[int, str] = {}
    for some in _batched(sorted(set(numbers))):
        found.update((row.number, row.wrapped) for row in db.execute(_KNOWN, {"numbers": some}))
    return found


def ensured(db: Connection, numbers: Iterable[int]) -> Wrapped:
    """All of the keys; those that are not there are made."""
    asked = set(numbers)
    found = dict(known(db, asked))
    fresh = _fresh(sorted(asked - found.keys()))
    if fresh:
        rows = pa.table({"number": pa.array(fresh, pa.int64()), "wrapped": pa.array(fresh.values(), pa.string())})
        made = upsert(db, TABLES["privacy.data_key"], rows, ["number"], compare=[])["number"].to_pylist()
        found |= {number: fresh[number] for number in made}
        found |= known(db, fresh.keys() - set(made))  # somebody else made these in between
    return found


_DROP = text("delete from privacy.data_key where number = any(cast(:numbers as bigint[]))")


def drop(db: Connection, numbers: Iterable[int]) -> int:
    """Crypto-erasure of what lies under these keys, wherever it was copied to; gives how many there were."""
    return db.execute(_DROP, {"numbers": sorted(set(numbers))}).rowcount


def opened(db: Connection, values: Any) -> Any:
    """Whatever is sealed under such keys in a value, a row or a list of them, in clear; None where the key is gone."""
    wrapped = known(db, map(key_of, _seals(values)))
    return _clear(keys(), wrapped, values)


def _seals(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        if value.startswith(GCM):
            yield value
    elif isinstance(value, Mapping):
        yield from (seal for part in value.values() for seal in _seals(part))
    elif isinstance(value, list | tuple):
        yield from (seal for part in value for seal in _seals(part))


def _clear(master: Keys, wrapped: Wrapped, value: Any) -> Any:
    if isinstance(value, str) and value.startswith(GCM):
        number = key_of(value)
        return DataKey.unwrapped(master, number, wrapped[number]).open(value) if number in wrapped else None
    if isinstance(value, Mapping):
        return {name: _clear(master, wrapped, part) for name, part in value.items()}
    return [_clear(master, wrapped, part) for part in value] if isinstance(value, list | tuple) else value


def _fresh(numbers: Sequence[int]) -> dict[int, str]:
    """The system is asked for chance once: each question costs as much as all the rest of a key."""
    master, size = keys(), DATA_KEY_BYTES + NONCE_BYTES
    chance = os.urandom(size * len(numbers))
    parts = (chance[start : start + size] for start in range(0, len(chance), size))
    return {
        number: DataKey.wrapped(master, number, part[:DATA_KEY_BYTES], part[DATA_KEY_BYTES:])
        for number, part in zip(numbers, parts, strict=True)
    }


def _batched(numbers: list[int]) -> Iterator[list[int]]:
    return (numbers[start : start + AT_ONCE] for start in range(0, len(numbers), AT_ONCE))
