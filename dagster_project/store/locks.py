"""Advisory locks: work that only one process of the hub may do at a time. The server lets go when the holder dies."""

from collections.abc import Iterator
from contextlib import contextmanager

from sqlalchemy import Connection, Engine, text
from sqlalchemy.exc import OperationalError

from connectors.sdk.errors import TransientError

NOT_AVAILABLE = "55P03"


@contextmanager
def alone(engine: Engine, name: str, *, patience: float) -> Iterator[None]:
    """Nobody else is inside for `name`. Raises TransientError when that lasts longer than `patience` seconds.

    Holds no transaction open, so long work inside does not keep the server from cleaning up.
    """
    with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as db:
        _take(db, name, patience)
        try:
            yield
        finally:
            db.execute(text("select pg_advisory_unlock(hashtextextended(:name, 0))"), {"name": name})


def _take(db: Connection, name: str, patience: float) -> None:
    db.execute(
        text("select set_config('lock_timeout', :wait, false)"), {"wait": f"{max(patience, 0.001) * 1000:.0f}ms"}
    )
    try:
        db.execute(text("select pg_advisory_lock(hashtextextended(:name, 0))"), {"name": name})
    except OperationalError as error:
        if getattr(error.orig, "sqlstate", None) != NOT_AVAILABLE:
            raise
        raise TransientError(f"{name} is at work in another process; it will have its turn later") from None
    finally:
        db.execute(text("select set_config('lock_timeout', '0', false)"))


def in_turn(db: Connection, *names: str) -> None:
    """The right to `names` until the transaction ends, taken in one order so that nobody waits in a circle."""
    for name in sorted(names):
        db.execute(text("select pg_advisory_xact_lock(hashtextextended(:name, 0))"), {"name": name})
