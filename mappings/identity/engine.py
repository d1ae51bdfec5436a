"""One question to DuckDB over Arrow tables, in memory."""

from typing import Any

import duckdb
import pyarrow as pa


def query(sql: str, params: dict[str, Any] | None = None, **tables: Any) -> pa.Table:
    """The answer to `sql`, in which every keyword names a table. `$name` stands for a value of `params`."""
    with duckdb.connect() as db:
        db.execute("set preserve_insertion_order = false")
        for name, table in tables.items():
            db.register(name, table)
        return db.sql(sql, params=params).to_arrow_table() if params else db.sql(sql).to_arrow_table()
