"""Who opened what of whom: a line for every look at clear text, kept with the store."""

from collections.abc import Collection, Mapping, Sequence
from typing import Any

from sqlalchemy import Connection, Engine, text

from dagster_project.store.people import datakeys
from dagster_project.store.people.keyring import keys
from mappings.privacy.seal import SIV, WrongKey

KINDS = ("phone", "email", "name", "address", "loyalty", "account", "evidence", "payload")

_LOGGED = text("""
insert into privacy.access_log (actor, purpose, object, person, fields, rows)
select :actor, :purpose, :object, person, :fields, :rows from unnest(cast(:persons as text[])) person
""")


def logged(
    engine: Engine,
    *,
    actor: str,
    purpose: str,
    object: str,
    fields: Collection[str],
    rows: int,
    persons: Collection[str] = (),
) -> None:
    """Written before anything is shown. `persons`: ids, kept as pseudonyms, a line each; one line where nobody knows
    whose the rows are."""
    pseudonyms = [pseudonym(one) for one in sorted(persons)] or [None]
    values = {"actor": actor, "purpose": purpose, "object": object, "persons": pseudonyms, "fields": list(fields)}
    with engine.begin() as db:
        db.execute(_LOGGED, {**values, "rows": rows})


def pseudonym(person: str) -> str:
    """What a person's id is in the log, so that it may be kept for its term whatever becomes of the person."""
    return keys().subject("person", person)


def opened(db: Connection, rows: Sequence[Mapping[str, Any]]) -> tuple[list[dict[str, Any]], set[str]]:
    """The rows in clear text, whatever table they come from, and the names of columns that were sealed.

    What lay under a key that was dropped is None.
    """
    found: set[str] = set()
    clear = []
    for row, said in zip(rows, datakeys.opened(db, list(rows)), strict=True):
        shown = {name: _opened(value) for name, value in said.items()}
        found |= {name for name, value in row.items() if shown[name] != value}
        clear.append(shown)
    return clear, found


def _opened(value: Any) -> Any:
    """A seal says under which key it lies, not what it is: each kind is tried."""
    if isinstance(value, str) and value.startswith(SIV):
        for kind in KINDS:
            try:
                return keys().open(value, kind)
            except WrongKey:
                continue
        return value
    if isinstance(value, dict):
        return {name: _opened(part) for name, part in value.items()}
    return [_opened(part) for part in value] if isinstance(value, list) else value
