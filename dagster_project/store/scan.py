"""Large results out of PostgreSQL, by ADBC.

Twice as fast as `transfer.read` for a million narrow rows (measured: 0.4 s against 0.85 s for two columns), but on a
connection of its own: it sees only what is committed, and hands numeric and jsonb out as text, so cast them.
"""

import os
from collections.abc import Mapping
from functools import cache
from typing import Any

import psycopg
import pyarrow as pa
from adbc_driver_postgresql import dbapi
from sqlalchemy import Engine, text

from dagster_project.store.database import libpq_url


def scan(engine: Engine, query: str, params: Mapping[str, Any]) -> pa.Table:
    """All rows of a query with `:name` parameters."""
    with _driver(libpq_url(), os.getpid()).adbc_clone() as connection, connection.cursor() as cursor:
        # whoever scans does so beside others; parallel workers of the server would only be in their way
        cursor.execute("set max_parallel_workers_per_gather = 0")
        cursor.execute(_literal(engine, query, params))
        found = cursor.fetch_arrow_table()
    return found.cast(pa.schema([pa.field(field.name, field.type) for field in found.schema]))


@cache
def _driver(url: str, process: int) -> dbapi.Connection:
    """What ADBC learns of the server's types, for 50 ms, every connection after the first takes over from this one."""
    return dbapi.connect(url)


def _literal(engine: Engine, query: str, params: Mapping[str, Any]) -> str:
    """The query with its parameters written in, quoted: ADBC runs it as COPY, which takes none."""
    compiled = text(query).compile(dialect=engine.dialect)
    with engine.connect() as db:
        driver = db.connection.driver_connection
        assert isinstance(driver, psycopg.Connection)
        return psycopg.ClientCursor(driver).mogrify(str(compiled), compiled.construct_params(dict(params)))
