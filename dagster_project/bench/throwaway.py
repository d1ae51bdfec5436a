"""A store that is made for a measurement and gone after it."""

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from unittest.mock import patch

from sqlalchemy import Engine

from dagster_project.store import database


@contextmanager
def throwaway_store() -> Iterator[Engine]:
    """An embedded server of its own in a temporary home, migrated; durable like any other, so that times are honest."""
    with tempfile.TemporaryDirectory(prefix="keruen-bench-") as folder, patch.dict(os.environ, KERUEN_HOME=folder):
        os.environ.pop("KERUEN_DATABASE_URL", None)
        engine = database.engine()
        try:
            database.migrate(engine)
            yield engine
        finally:
            database.release(Path(folder).resolve())
