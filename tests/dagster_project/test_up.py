"""`keruen up` as a person runs it: in a process of its own, on an embedded server, until it is told to stop."""

import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import psutil
import pytest
import requests

from dagster_project import demo
from dagster_project.store import server

pytestmark = pytest.mark.slow

CONNECTIONS = """
office:
  connector: files
  settings: {path: inbox/*.csv, layout: products, columns: {sku: sku, name: name}}
"""


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as probe:
        return int(probe.getsockname()[1])


@dataclass
class Up:
    """A home and what runs on it."""

    home: Path
    port: int
    feed_port: int
    process: "subprocess.Popen[str] | None" = None

    def command(self, *words: str) -> list[str]:
        return [sys.executable, "-m", "dagster_project.cli", *words]

    @property
    def environment(self) -> dict[str, str]:
        kept = {name: value for name, value in os.environ.items() if not name.startswith(("KERUEN_", "DAGSTER_"))}
        return {**kept, "KERUEN_HOME": str(self.home)}

    def starts(self) -> None:
        """Returns once Keruen says where it is."""
        ports = ("--port", str(self.port), "--feed-port", str(self.feed_port))
        self.process = subprocess.Popen(
            self.command("up", *ports), env=self.environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        )
        assert self.process.stdout is not None
        said = self.process.stdout.readline()
        assert f"http://127.0.0.1:{self.port}" in said, self.process.communicate(timeout=60)

    def runs(self, *words: str, **environment: str) -> "subprocess.CompletedProcess[str]":
        return subprocess.run(
            self.command(*words),
            env={**self.environment, **environment},
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )

    def everybody(self) -> list[psutil.Process]:
        """Keruen, Dagster's processes and PostgreSQL."""
        assert self.process is not None
        keruen = psutil.Process(self.process.pid)
        postmaster = psutil.Process(server.postmaster(self.home / "postgres"))
        return [keruen, *keruen.children(recursive=True), postmaster]


@pytest.fixture(scope="module")
def up(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Up]:
    """Running, with one connection."""
    home = tmp_path_factory.mktemp("up")
    (home / "connections.yaml").write_text(CONNECTIONS)
    (home / "inbox").mkdir()
    running = Up(home, free_port(), free_port())
    running.starts()
    yield running
    if running.process and running.process.poll() is None:
        running.process.send_signal(signal.SIGTERM)
        running.process.communicate(timeout=60)


def test_dagster_answers_with_the_hub_loaded(up: Up):
    query = """{ repositoriesOrError { ... on RepositoryConnection { nodes {
        location { name } assetNodes { assetKey { path } } sensors { name sensorState { status } } } } } }"""
    answer = requests.post(f"http://127.0.0.1:{up.port}/graphql", json={"query": query}, timeout=30).json()
    [repository] = answer["data"]["repositoriesOrError"]["nodes"]
    assert repository["location"]["name"] == "keruen"
    assert ["raw", "office", "files"] in [node["assetKey"]["path"] for node in repository["assetNodes"]]
    sensors = {one["name"]: one["sensorState"]["status"] for one in repository["sensors"]}
    assert sensors == {"dirty": "RUNNING", "outbox": "RUNNING", "held_plans": "RUNNING", "files_office": "RUNNING"}


def test_the_feed_server_answers(up: Up):
    assert requests.get(f"http://127.0.0.1:{up.feed_port}/feeds/office.xml", timeout=10).status_code == 404


def test_commands_work_beside_it(up: Up):
    done = up.runs("status", "--json")
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip() == "[]"
    assert server.postmaster(up.home / "postgres")


def test_a_second_up_on_the_same_home_says_so_and_does_no_harm(up: Up):
    before = {process.pid for process in up.everybody()}
    second = up.runs("up", "--port", str(free_port()), "--feed-port", str(free_port()))
    assert second.returncode == 1
    assert f"already up on {up.home}" in second.stderr
    assert "KERUEN_HOME" in second.stderr
    assert {process.pid for process in up.everybody()} >= before
    assert requests.get(f"http://127.0.0.1:{up.port}/server_info", timeout=10).ok


def test_a_plugin_that_came_later_is_told_to_be_reloaded(up: Up):
    plugin = up.home / "site/keruen_late-1.0.dist-info"
    plugin.mkdir(parents=True)
    (plugin / "METADATA").write_text("Metadata-Version: 2.1\nName: keruen-late\nVersion: 1.0\n")
    (plugin / "RECORD").write_text("keruen_late-1.0.dist-info/METADATA,,\n")
    (plugin / "entry_points.txt").write_text("[keruen.connectors]\nlate = keruen_late:CONNECTOR\n")
    done = up.runs(
        "connectors", "check", PYTHONPATH=os.pathsep.join((str(plugin.parent), os.environ.get("PYTHONPATH", "")))
    )
    assert "began before keruen-late was installed: press Reload" in done.stderr
    assert "Reload" not in up.runs("connectors", "check").stderr


@pytest.mark.parametrize("option", ["--port", "--feed-port"])
def test_a_busy_port_is_named_with_the_option_that_changes_it(up: Up, tmp_path: Path, option: str):
    busy = up.port if option == "--port" else up.feed_port
    ports = {"--port": str(free_port()), "--feed-port": str(free_port()), option: str(busy)}
    other = Up(tmp_path, 0, 0)
    done = other.runs("up", *(word for pair in ports.items() for word in pair))
    assert done.returncode == 1
    assert f"port {busy}" in done.stderr
    assert f"{option} PORT" in done.stderr
    assert server.postmaster(tmp_path / "postgres") is None


def test_the_demo_refuses_a_home_that_is_somebodys(up: Up, tmp_path: Path):
    (tmp_path / "connections.yaml").write_text(CONNECTIONS)
    ports = ("--port", str(free_port()), "--feed-port", str(free_port()))
    done = Up(tmp_path, 0, 0).runs("up", "--demo", "--once", *ports)
    assert done.returncode == 1
    assert "was not written by the demo" in done.stderr
    assert (tmp_path / "connections.yaml").read_text() == CONNECTIONS
    assert server.postmaster(tmp_path / "postgres") is None


def test_a_shop_of_ones_own_does_not_start_on_what_a_demo_left(tmp_path: Path):
    (tmp_path / "connections.yaml").write_text(f"{demo.MARK}\n{CONNECTIONS}")
    ports = ("--port", str(free_port()), "--feed-port", str(free_port()))
    done = Up(tmp_path, 0, 0).runs("up", *ports)
    assert done.returncode == 1
    assert "is the demo's" in done.stderr
    assert server.postmaster(tmp_path / "postgres") is None


def test_sigterm_stops_everything(up: Up):
    everybody = up.everybody()
    assert len(everybody) >= 5
    assert up.process is not None
    up.process.send_signal(signal.SIGTERM)
    _, errors = up.process.communicate(timeout=90)
    assert up.process.returncode == 0, errors
    _, alive = psutil.wait_procs(everybody, timeout=10)
    assert alive == []
    assert server.postmaster(up.home / "postgres") is None
    assert not server.socket_folder(up.home / "postgres").exists()
