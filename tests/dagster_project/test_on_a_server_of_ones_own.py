"""A PostgreSQL that nobody here built: the version from Debian, older than the embedded one, reached over TCP."""

import os
import signal
import socket
import subprocess
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest
from sqlalchemy import Engine

from dagster_project.store import database

pytestmark = pytest.mark.real
START = Path(__file__).resolve().parents[3] / "shared/counterparties/postgres.sh"


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    if not START.exists():
        pytest.skip(f"{START} is not there: it starts the server this test needs")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    folder = Path("/tmp") / f"keruen-real-{os.getpid()}"
    pid = int(subprocess.run([START, folder, str(port)], check=True, capture_output=True, text=True).stdout.split()[-1])
    yield f"postgresql://postgres@127.0.0.1:{port}/{{name}}"
    os.kill(pid, signal.SIGINT)
    subprocess.run(["rm", "-rf", folder], check=False)


@pytest.fixture
def store(server: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Engine]:
    with psycopg.connect(server.format(name="postgres"), autocommit=True) as maintenance:
        maintenance.execute("drop database if exists shop with (force)")
        maintenance.execute("create database shop")
    monkeypatch.setenv("KERUEN_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("KERUEN_DATABASE_URL", server.format(name="shop"))
    engine = database.engine()
    database.migrate(engine)
    yield engine
    engine.dispose()


def test_the_hub_runs_on_it_from_the_first_order_to_a_confirmed_count(street):
    street.stocks_shelves()
    street.opens("site")
    report = street.told("sync")
    assert [row["error"] for row in report["resources"] if row["error"]] == []
    assert sum(row["stored"] for row in report["resources"]) > 0
    assert sum(row["sent"] for row in report["capabilities"]) > 0
    again = street.told("sync")
    assert sum(row["sent"] for row in again["capabilities"]) == 0
    [[version]] = street.rows("select current_setting('server_version_num')::int")
    assert 150000 <= version < 180000
