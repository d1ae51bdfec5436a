"""One question to DuckDB over Arrow tables, in memory."""

from functools import cache
from typing import Any

import duckdb
import pyarrow as pa


def query(sql: str, params: dict[str, Any] | None = None, **tables: Any) -> pa.Table:
    """The answer to `sql`, in which every keyword names a table. `$name` stands for a value of `params`."""
    with _engine().cursor() as db:
        for name, table in tables.items():
            db.register(name, table)
        return db.sql(sql, params=params).to_arrow_table() if params else db.sql(sql).to_arrow_table()


@cache
def _engine() -> duckdb.DuckDBPyConnection:
    """Made once: an increment asks twenty small questions, and an engine takes longer to start than they take together.

    It keeps nothing: a cursor sees its own tables only, and they go with it.
    """
    db = duckdb.connect()
    db.execute("set preserve_insertion_order = false")
    return db
