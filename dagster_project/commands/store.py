"""The store of the hub in whose home a command runs."""

from collections.abc import Iterator
from contextlib import contextmanager

from sqlalchemy import Engine

from dagster_project.connections import require_configured
from dagster_project.store.database import migrate, running_store


@contextmanager
def hub_store() -> Iterator[Engine]:
    """The store for the length of a command, its tables of the newest version.

    Raises ConfigError where nothing is configured, before a server is started for it: what an empty one would answer
    is true of the wrong home too.
    """
    require_configured()
    with running_store() as engine:
        migrate(engine)
        yield engine
