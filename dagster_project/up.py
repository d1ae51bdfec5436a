"""`keruen up`: the store, Dagster (code server, daemon, web server) and the feed server, on loopback, until Ctrl-C."""

import os
import signal
import socket
import subprocess
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import requests
import uvicorn
import yaml

from connectors.sdk.errors import ConfigError
from dagster_project import processes
from dagster_project.commands.output import progress
from dagster_project.connections import load
from dagster_project.feed_server import feed_app
from dagster_project.home import home
from dagster_project.store.database import dagster_url, engine

LOCATION = "dagster_project.definitions"
IN_ERROR = 30.0
"""Seconds a code location may be in error before its server is started anew."""


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as probe:
        return int(probe.getsockname()[1])


def require_free(port: int, option: str) -> None:
    """Raises ConfigError that names the option when something listens there already."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            raise ConfigError(
                f"port {port} of 127.0.0.1 is busy: stop what listens there, or choose another with {option} PORT."
            ) from None


def dagster_settings() -> dict[str, Any]:
    """dagster.yaml: everything in our PostgreSQL, threads for sensors, one run at a time per connection.

    Events of runs are in the store and the UI; the log files of processes that live for months are spared them.
    """
    folder = home() / "dagster"
    return {
        "storage": {"postgres": {"postgres_url": {"env": "KERUEN_DAGSTER_URL"}, "should_autocreate_tables": True}},
        "local_artifact_storage": {
            "module": "dagster._core.storage.root",
            "class": "LocalArtifactStorage",
            "config": {"base_dir": str(folder)},
        },
        "compute_logs": {
            "module": "dagster._core.storage.local_compute_log_manager",
            "class": "LocalComputeLogManager",
            "config": {"base_dir": str(folder / "logs")},
        },
        "python_logs": {"python_log_level": "INFO"},
        "sensors": {"use_threads": True, "num_workers": 4},
        "schedules": {"use_threads": True, "num_workers": 2},
        "run_monitoring": {"enabled": True, "free_slots_after_run_end_seconds": 60},
        "concurrency": {"runs": {"max_concurrent_runs": 2}, "pools": {"default_limit": 1, "granularity": "op"}},
        "telemetry": {"enabled": False},
        "nux": {"enabled": False},
    }


def prepare_dagster(code_port: int) -> Path:
    """Writes dagster.yaml and the workspace of this run; returns the workspace's path."""
    folder = home() / "dagster"
    folder.mkdir(exist_ok=True)
    (folder / "dagster.yaml").write_text(yaml.safe_dump(dagster_settings(), sort_keys=False), "utf-8")
    workspace = folder / "workspace.yaml"
    server = {"host": "127.0.0.1", "port": code_port, "location_name": "keruen"}
    workspace.write_text(yaml.safe_dump({"load_from": [{"grpc_server": server}]}), "utf-8")
    os.environ["DAGSTER_HOME"] = str(folder)
    os.environ["KERUEN_DAGSTER_URL"] = dagster_url()
    return workspace


class Dagster:
    """The three processes of Dagster. The code server is replaced when its location stays in error."""

    def __init__(self, port: int):
        self.url = f"http://127.0.0.1:{port}"
        self._code_port = free_port()
        workspace = prepare_dagster(self._code_port)
        self._log = home() / "logs"
        self._log.mkdir(exist_ok=True)
        self._code = self._start_code()
        modules = {
            "daemon": ["dagster._daemon", "run", "-w", str(workspace), "--log-level", "warning"],
            "web": ["dagster_webserver", "-h", "127.0.0.1", "-p", str(port), "-w", str(workspace)],
        }
        self._others = {name: self._start(name, *arguments) for name, arguments in modules.items()}
        self._sick_since: float | None = None

    def _start(self, name: str, *arguments: str) -> subprocess.Popen[str]:
        return processes.start(processes.python("-m", *arguments), log=self._log / f"{name}.log")

    def _start_code(self) -> subprocess.Popen[str]:
        return self._start(
            "code", "dagster", "code-server", "start", "-m", LOCATION, "-h", "127.0.0.1", "-p", str(self._code_port),
            "--location-name", "keruen", "--use-python-environment-entry-point", "--log-level", "warning",
        )  # fmt: skip

    def wait(self, patience: float = 600.0) -> None:
        """Until the web server answers with the code location. Raises ConfigError that names the log otherwise.

        Long, since a process that ends is seen at once and a busy laptop needs minutes to import everything.
        """
        deadline = time.monotonic() + patience
        while time.monotonic() < deadline:
            self.ended()
            if self.location() == "ok":
                return
            time.sleep(0.3)
        raise ConfigError(f"Dagster did not come up within {patience:.0f} s; its logs are in {self._log}.")

    def location(self) -> str:
        """ok, error, or away while nothing answers."""
        query = "{ workspaceOrError { ... on Workspace { locationEntries { locationOrLoadError { __typename } } } } }"
        try:
            answer = requests.post(f"{self.url}/graphql", json={"query": query}, timeout=5).json()
            entries = answer["data"]["workspaceOrError"]["locationEntries"]
        except (requests.RequestException, KeyError, TypeError, ValueError):
            return "away"
        found = [(entry["locationOrLoadError"] or {}).get("__typename") for entry in entries]
        return "ok" if found == ["RepositoryLocation"] else "error"

    def ended(self) -> None:
        """Raises ConfigError when one of the processes has ended by itself."""
        for name, child in {"code": self._code, **self._others}.items():
            if child.poll() is not None:
                raise ConfigError(f"Dagster's {name} process ended; its last words are in {self._log / name}.log.")

    def heal(self) -> None:
        """Starts the code server anew once its location has been in error for a while."""
        if self.location() != "error":
            self._sick_since = None
            return
        self._sick_since = self._sick_since or time.monotonic()
        if time.monotonic() - self._sick_since > IN_ERROR:
            processes.stop([self._code])
            self._code, self._sick_since = self._start_code(), None

    def stop(self) -> None:
        processes.stop([*self._others.values(), self._code])


@contextmanager
def feeds(port: int) -> Iterator[str]:
    """The feed server in a thread of this process; yields its base url."""
    config = uvicorn.Config(feed_app(engine, load), host="127.0.0.1", port=port, log_level="warning", lifespan="off")
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run, name="feeds", daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{port}/feeds"
    finally:
        server.should_exit = True
        thread.join(5)


@contextmanager
def dagster(port: int) -> Iterator[Dagster]:
    running = Dagster(port)
    try:
        with progress("up") as tell:
            tell("Dagster", "starting")
            running.wait()
        yield running
    finally:
        running.stop()


ENDINGS = (signal.SIGINT, signal.SIGTERM)
BEAT = 10.0
"""Seconds between two looks at Dagster's processes."""


@contextmanager
def until_told() -> Iterator[None]:
    """Ctrl-C and SIGTERM end the block as KeyboardInterrupt, once: a second one does not break into the stopping."""

    def told(*_: object) -> None:
        for number in ENDINGS:
            signal.signal(number, signal.SIG_IGN)
        raise KeyboardInterrupt

    previous = {number: signal.signal(number, told) for number in ENDINGS}
    try:
        yield
    finally:
        for number, handler in previous.items():
            signal.signal(number, handler)


def serve(running: Dagster) -> None:
    """Watches Dagster until somebody says stop. Raises ConfigError when one of its processes ends by itself."""
    with suppress(KeyboardInterrupt):
        while True:
            time.sleep(BEAT)
            running.ended()
            running.heal()
