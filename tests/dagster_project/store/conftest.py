"""What the tests of the store share."""

import threading
from collections.abc import Callable

import pytest
from sqlalchemy import Engine, text


@pytest.fixture
def somebody_waits(store: Engine) -> Callable[[], None]:
    """Returns once some connection of this store waits for a lock that another one holds."""

    def wait() -> None:
        blocked = (
            "select count(*) from pg_stat_activity where datname = current_database() and wait_event_type = 'Lock'"
        )
        with store.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
            while not connection.execute(text(blocked)).scalar_one():
                threading.Event().wait(0.01)

    return wait
