"""The one database: `KERUEN_DATABASE_URL`, else the embedded server of this home; one engine per process.

A process attaches to the embedded server with its first `engine()` and says so by a shared lock in the home,
which the kernel drops even after kill -9. The last one to leave stops the server.
"""

import atexit
import os
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from functools import cache, partial
from pathlib import Path
from threading import RLock
from typing import IO, Any

import psycopg
from sqlalchemy import URL, Engine, create_engine, event, make_url

from dagster_project.home import alone, home, locked, shared
from dagster_project.store import server

MIGRATION_LOCK = 0x6B657275656E  # "keruen": any number that no other advisory lock here uses
_attached: dict[Path, IO[str]] = {}
_state = RLock()


def database_url(driver: str = "postgresql+psycopg") -> URL:
    """Where the store is, for SQLAlchemy. Names the embedded server whether it runs or not; `engine()` starts it."""
    configured = os.environ.get("KERUEN_DATABASE_URL")
    if configured:
        return make_url(configured.replace("postgres://", "postgresql://", 1)).set(drivername=driver)
    return _embedded_url(home(), driver)


def libpq_url() -> str:
    """For what speaks libpq's addresses: ADBC, psycopg, psql."""
    return _text(_named(database_url("postgresql")))


def dlt_url() -> str:
    """For dlt, which insists on a password: the URL's, else PGPASSWORD, else any word for a server that asks none."""
    url = _named(database_url("postgresql"))
    return _text(url if url.password else url.set(password=os.environ.get("PGPASSWORD", "x")))


def dagster_url() -> str:
    """For dagster-postgres, which needs psycopg2; its tables live in the schema `dagster`, made by `migrate`."""
    return _text(database_url("postgresql+psycopg2").update_query_dict({"options": "-csearch_path=dagster"}))


def engine() -> Engine:
    """The engine of this process; starts the embedded server when it is not running.

    A connection lost in the pool is replaced, and a server that died is started again.
    Raises StoreUnavailable when that fails.
    """
    attach()
    return _engine(database_url())


def attach() -> None:
    """Starts the embedded server if need be and keeps others from stopping it while this process lives."""
    if os.environ.get("KERUEN_DATABASE_URL"):
        return
    folder = home()
    with _state:
        if folder in _attached:
            return
        with locked(folder / "store.lock"), ExitStack() as undo:
            users = undo.enter_context(shared(folder / "store.users"))
            _start(folder)
            _attached[folder] = users
            undo.pop_all()


def release(folder: Path | None = None) -> None:
    """Leaves the embedded server, and stops it if nobody else uses it: keruen processes and plain clients alike."""
    folder = folder or home()
    with _state:
        users = _attached.pop(folder, None)
        if users is None:
            return
        _engine(_embedded_url(folder)).dispose()
        with locked(folder / "store.lock"), users:
            if alone(users) and not _others_connected(folder):
                server.stop(_data(folder))


@contextmanager
def running_store() -> Iterator[Engine]:
    """The store for the length of a command: attaches or starts at the beginning, leaves at the end."""
    outermost = home() not in _attached
    try:
        yield engine()
    finally:
        if outermost:
            release()


def stop() -> None:
    """Stops the embedded server whoever uses it: the end of `keruen up`."""
    folder = home()
    with _state, locked(folder / "store.lock"):
        _engine(_embedded_url(folder)).dispose()
        if users := _attached.pop(folder, None):
            users.close()
        server.stop(_data(folder))


def migrate(engine: Engine) -> None:
    """Brings the tables to the newest version; several processes may ask at once, one does it."""
    from alembic import command, config

    settings = config.Config()
    settings.set_main_option("script_location", str(Path(__file__).parent / "migrations"))
    with engine.begin() as connection:
        connection.exec_driver_sql(f"select pg_advisory_xact_lock({MIGRATION_LOCK})")
        settings.attributes["connection"] = connection
        command.upgrade(settings, "head")


def _data(folder: Path) -> Path:
    return folder / "postgres"


def _embedded_url(folder: Path, driver: str = "postgresql+psycopg") -> URL:
    # the host beside the socket folder is for dlt, which wants one; every driver prefers the query's
    sockets = str(server.socket_folder(_data(folder)))
    return URL.create(driver, server.ROLE, "x", "localhost", None, server.ROLE, {"host": sockets})


def _text(url: URL) -> str:
    return url.render_as_string(hide_password=False)


def _named(url: URL) -> URL:
    """Says in pg_stat_activity which process is connected, and tells `release` its own connections from others'."""
    return url.update_query_dict({"application_name": f"keruen:{os.getpid()}"})


def _start(folder: Path) -> None:
    server.start(_data(folder))
    with _maintenance(folder) as connection:
        if not connection.execute("select 1 from pg_database where datname = %s", [server.ROLE]).fetchone():
            connection.execute(f"create database {server.ROLE}")


def _maintenance(folder: Path) -> psycopg.Connection:
    url = _named(_embedded_url(folder, "postgresql").set(database="postgres"))
    return psycopg.connect(_text(url), autocommit=True)


@cache
def _engine(url: URL) -> Engine:
    # an error quotes the statement, not its values: what is searched for at an erasure names the person
    made = create_engine(_named(url), pool_pre_ping=True, hide_parameters=True)
    if not os.environ.get("KERUEN_DATABASE_URL"):
        event.listen(made, "do_connect", partial(_connect_or_revive, home()))
    return made


def _connect_or_revive(
    folder: Path, dialect: Any, record: object, arguments: list[Any], options: dict[str, Any]
) -> Any:
    """A server that was killed under us (memory ran out) comes back with the next connection."""
    try:
        return dialect.connect(*arguments, **options)
    except psycopg.OperationalError:
        with locked(folder / "store.lock"):
            server.start(_data(folder))
        return dialect.connect(*arguments, **options)


def _others_connected(folder: Path) -> bool:
    """Waits a moment for connections that are just closing; whoever stays is somebody else."""
    question = (
        "select count(*) from pg_stat_activity where backend_type = 'client backend' "
        "and application_name <> current_setting('application_name')"
    )
    deadline = time.monotonic() + 0.5
    try:
        with _maintenance(folder) as connection:
            while (others := connection.execute(question).fetchone()) != (0,) and time.monotonic() < deadline:
                time.sleep(0.02)
        return others != (0,)
    except psycopg.OperationalError:
        return False


def _leave_all() -> None:
    for folder in list(_attached):
        release(folder)


def _forget_parent() -> None:
    """A forked child owns neither its parent's sockets nor its place at the server."""
    _attached.clear()
    _engine.cache_clear()


atexit.register(_leave_all)
os.register_at_fork(after_in_child=_forget_parent)
