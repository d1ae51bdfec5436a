"""What every test gets: no network, the same dice, and on request a fresh store or a stopped clock."""

import itertools
import os
import random
import shutil
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from pathlib import Path

import hypothesis
import numpy
import psycopg
import pytest
from pytest_socket import _remove_restrictions, socket_allow_hosts
from sqlalchemy import Engine

from dagster_project.home import locked
from dagster_project.store import database, server
from tests.clock import Clock

hypothesis.settings.register_profile("keruen", derandomize=True, deadline=None, print_blob=True)
hypothesis.settings.load_profile("keruen")

TEMPLATE = "migrated"
_numbers = itertools.count()


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Tests against systems of others run when they are asked for, by `make test-real`."""
    if config.option.markexpr:
        return
    for item in items:
        if item.get_closest_marker("real"):
            item.add_marker(pytest.mark.skip(reason="needs a real system: make test-real"))


@pytest.fixture(autouse=True)
def _loopback_only() -> Iterator[None]:
    socket_allow_hosts(["127.0.0.1", "::1", "localhost"], allow_unix_socket=True)
    yield
    _remove_restrictions()


@pytest.fixture(autouse=True)
def _same_dice() -> None:
    random.seed(20260302)
    numpy.random.seed(20260302)


@pytest.fixture
def now() -> datetime:
    """A stopped clock: Monday 2 March 2026, 10:00 in Almaty."""
    return datetime(2026, 3, 2, 5, 0, tzinfo=UTC)


@pytest.fixture
def clock(now: datetime) -> Clock:
    """It stands at `now` until the test moves it."""
    return Clock(now)


@pytest.fixture(scope="session")
def _one_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """One embedded server for the session and all its xdist workers; gives its address, `{name}` for the database.

    A template is migrated once and then only cloned: with fsync off by file_copy, the fastest of the ways.
    """
    workers_share = tmp_path_factory.getbasetemp().parent if "PYTEST_XDIST_WORKER" in os.environ else None
    home = (workers_share or tmp_path_factory.getbasetemp()) / "server"
    home.mkdir(exist_ok=True)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("KERUEN_HOME", str(home))
        patch.delenv("KERUEN_DATABASE_URL", raising=False)
        with locked(home / "template.lock"):
            engine = database.engine()
            address = database.libpq_url().replace(f"/{server.ROLE}?", "/{name}?")
            with psycopg.connect(address.format(name="postgres"), autocommit=True) as maintenance:
                if not maintenance.execute(f"select 1 from pg_database where datname = '{TEMPLATE}'").fetchone():
                    maintenance.execute("alter system set fsync = off")
                    maintenance.execute("select pg_reload_conf()")
                    database.migrate(engine)
                    engine.dispose()
                    maintenance.execute(f"create database {TEMPLATE} template {server.ROLE}")
    yield address
    database.release(home)
    if not server.postmaster(home / "postgres"):
        shutil.rmtree(home, ignore_errors=True)


class Stores:
    """Databases for tests, each cloned while the test before it runs: it takes a third of a second, mostly waiting."""

    def __init__(self, address: str) -> None:
        self._server = psycopg.connect(address.format(name="postgres"), autocommit=True)
        self._behind = ThreadPoolExecutor(1, "stores")
        self._next = self._behind.submit(self._make)

    def take(self) -> str:
        name, self._next = self._next.result(), self._behind.submit(self._make)
        return name

    def drop(self, name: str) -> None:
        self._behind.submit(self._server.execute, f"drop database {name} with (force)")

    def close(self) -> None:
        self._behind.shutdown()
        self._server.close()

    def _make(self) -> str:
        name = f"test_{os.getpid()}_{next(_numbers)}"
        self._server.execute(f"create database {name} template {TEMPLATE} strategy file_copy")
        return name


@pytest.fixture(scope="session")
def _stores(_one_server: str) -> Iterator[Stores]:
    stores = Stores(_one_server)
    yield stores
    stores.close()


@pytest.fixture
def store(_one_server: str, _stores: Stores, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Engine]:
    """A store of the test's own, migrated and empty; `$KERUEN_HOME` is an empty folder."""
    name = _stores.take()
    monkeypatch.setenv("KERUEN_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("KERUEN_DATABASE_URL", _one_server.format(name=name))
    engine = database.engine()
    yield engine
    engine.dispose()
    _stores.drop(name)
