"""Joins and groups over Arrow tables, ten rows or ten million, by DuckDB in memory; nothing is stored."""

from collections.abc import Mapping
from functools import cache
from multiprocessing import current_process
from typing import Any

import duckdb
import pyarrow as pa


def select(query: str, params: Mapping[str, Any] | None = None, /, **tables: pa.Table) -> pa.Table:
    """What `query` gives of `tables`, under their names in it; `$name` stands for a parameter."""
    with _database(current_process().pid).cursor() as db:
        for name, table in tables.items():
            db.register(name, table)
        return db.sql(query, params=params).to_arrow_table()


@cache
def _database(process: int | None) -> duckdb.DuckDBPyConnection:
    """One for each process, since starting one takes twenty milliseconds; every query has its own names in it."""
    return duckdb.connect()
