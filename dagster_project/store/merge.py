"""Makes a canonical table say what new rows say, touching only what really differs, and marks the subjects dirty."""

from collections.abc import Collection, Mapping
from typing import Any

from sqlalchemy import Column

from dagster_project.store.tables import TABLES

MEASURED: Mapping[str, Collection[str]] = {
    "stock_level": ("on_hand", "reserved_by_source", "as_of"),
    "price": ("amount", "currency", "valid_to"),
    "listing": ("observed_price", "observed_stock", "observed_at"),
}
"""Facts that are replaced together; elsewhere null means that nothing was said, and the known value stays."""
WHEN: Mapping[str, Collection[str]] = {"listing": ("observed_at",)}
"""Says when, not what: its difference alone is no change."""


def merged(
    entity: str, rows: str, columns: Collection[str], *, allowed: str = "true", was: str = "null", name: str = "merged"
) -> str:
    """CTEs of a `with`: `<name>` holds the rows that differ, `<name>_put` writes them.

    `rows`: a query with the table's keys, `source` and `columns`; other columns are left alone. `allowed`: a condition
    on `n` (new) and `t` (there), for authority. `was`: an expression over `t`, kept in `<name>` under that name.
    """
    table = TABLES[f"canonical.{entity}"]
    keys = [f'"{column.name}"' for column in table.primary_key.columns]
    given = [c for c in table.columns if c.name in columns and not c.primary_key and c.name != "source"]
    values = {f'"{column.name}"': _value(entity, column) for column in given}
    compared = [f'"{column.name}"' for column in given if column.name not in WHEN.get(entity, ())]
    listed = [*keys, *values, "source"]
    chosen = ", ".join([f"n.{key}" for key in keys] + [f"{value} as {column}" for column, value in values.items()])
    return f"""
{name} as materialized (
  select {chosen}, n.source, {was} as was
  from ({rows}) n left join canonical."{entity}" t on {" and ".join(f"t.{key} = n.{key}" for key in keys)}
  where ({allowed}) and (t.{keys[0]} is null or t.deleted_at is not null
                         or {" or ".join(f"{values[column]} is distinct from t.{column}" for column in compared)})
), {name}_put as (
  insert into canonical."{entity}" ({", ".join(listed)})
  select {", ".join(listed)} from {name} order by {", ".join(keys)}
  on conflict ({", ".join(keys)}) do update
    set {", ".join(f"{column} = excluded.{column}" for column in (*values, "source"))}, deleted_at = null
)"""


def marked(entity: str, subjects: str, *, name: str = "marked") -> str:
    """A CTE that marks the distinct, non-null values of the one-column query `subjects` dirty under `entity`."""
    return f"""
{name} as (
  insert into hub.dirty (entity, subject, because)
  select distinct '{entity}', subject, :because from ({subjects}) s(subject) where subject is not null
  returning subject
)"""


def _value(entity: str, column: Column[Any]) -> str:
    """The new value, else, where it says nothing, the one there is, else the column's default."""
    name = f'"{column.name}"'
    if column.name in MEASURED.get(entity, ()):
        return f"n.{name}"
    default = getattr(column.server_default, "arg", None)
    return f"coalesce(n.{name}, t.{name}{'' if default is None else f', {default!r}'})"
