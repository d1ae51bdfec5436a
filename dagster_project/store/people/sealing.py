"""Contacts are sealed where they come in, and opened by whoever must read them; between, the store holds seals only.

A reader that meets a clear value, written before there was a seal, takes it as it is.
"""

from collections.abc import Callable, Iterable, Mapping
from functools import lru_cache
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from dagster_project.store.people.keyring import keys

PHONE, EMAIL, LOYALTY, ACCOUNT = "phone", "email", "loyalty", "account"
KIND_OF_IDENTIFIER = ""
"""Sealed as what the row's own `identifier_kind` says, as an account where it says nothing."""

SEALED: Mapping[str, Mapping[str, str]] = {
    "canonical.customer": {"phones": PHONE, "emails": EMAIL, "loyalty_ids": LOYALTY, "account_id": ACCOUNT},
    "canonical.order": {"contact_phone": PHONE, "contact_email": EMAIL, "loyalty_id": LOYALTY},
    "canonical.loyalty_entry": {"loyalty_id": LOYALTY},
    "canonical.contact_event": {"identifier": KIND_OF_IDENTIFIER},
    "canonical.consent_event": {"identifier": KIND_OF_IDENTIFIER},
    "privacy.consent_state": {"identifier": KIND_OF_IDENTIFIER},
    "identity.golden": {
        "phone": PHONE, "phones": PHONE, "email": EMAIL, "emails": EMAIL, "loyalty_id": LOYALTY, "loyalty_ids": LOYALTY,
    },
}  # fmt: skip
"""Table → its sealed columns (of one value or a list of values) and what they are."""

Cipher = Callable[[str, str], str]


def sealed(table: str, rows: pa.Table) -> pa.Table:
    """The rows as they may lie in `table`. Sealing what is sealed changes nothing."""
    return _turned(table, rows, keys().seal)


def opened(table: str, rows: pa.Table) -> pa.Table:
    """The rows of `table` in clear text: use it, store it nowhere. Raises WrongKey."""
    return _turned(table, rows, keys().open)


def opened_row(table: str, row: Mapping[str, Any]) -> dict[str, Any]:
    """One row of `table`, or what the ledger holds of one, in clear text."""
    kinds = SEALED.get(table, {})
    return {name: value if name not in kinds else _opened(kinds[name], value) for name, value in row.items()}


def _opened(kind: str, value: Any) -> Any:
    if isinstance(value, str):
        return keys().open(value, kind)
    return [_opened(kind, one) for one in value] if isinstance(value, list | tuple) else value


def _turned(table: str, rows: pa.Table, cipher: Cipher) -> pa.Table:
    for name, kind in SEALED.get(table, {}).items():
        if name in rows.column_names:
            kinds = [kind] * rows.num_rows if kind else _own_kinds(rows)
            column = rows[name].combine_chunks()
            rows = rows.set_column(rows.column_names.index(name), name, _column(column, kinds, cipher))
    return rows


def _own_kinds(rows: pa.Table) -> list[str]:
    return pc.fill_null(rows["identifier_kind"].cast(pa.string()), ACCOUNT).to_pylist()


def _column(column: pa.Array, kinds: Iterable[str], cipher: Cipher) -> pa.Array:
    """Of a list column every value. Null stays null. What stands in many rows is turned once."""
    turned = lru_cache(maxsize=None)(cipher)
    if isinstance(column, pa.ListArray | pa.LargeListArray):
        kind = next(iter(kinds), "")
        values = pa.array([value and turned(value, kind) for value in column.flatten().to_pylist()], pa.string())
        return type(column).from_arrays(_offsets(column), values, mask=column.is_null() if column.null_count else None)
    pairs = zip(column.to_pylist(), kinds, strict=True)
    return pa.array([value and turned(value, kind) for value, kind in pairs], pa.string())


def _offsets(column: pa.ListArray) -> pa.Array:
    """Counted from the first value of this array, as `flatten` gives them; a null list has none."""
    lengths = column.value_lengths().fill_null(0).to_numpy(zero_copy_only=False)
    return pa.array([0, *lengths.cumsum().tolist()], column.offsets.type)
