"""drt (reverse ETL as code) doing the same: rows of a PostgreSQL table to the same channel, in the same batches.

It remembers in one of two ways: a cursor (a newest `changed_at`), or a ledger (one key per delivered row). Both are
measured on their own terms, without rate limit, in a process of its own with a home of its own.
"""

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

import psycopg
import requests
import yaml
from sqlalchemy import Engine, text

from dagster_project.store.database import libpq_url


@dataclass(frozen=True)
class Peer:
    """Somebody else's seconds. `seconds` None: it could not be measured, `note` says why."""

    name: str
    seconds: float | None
    note: str = ""


def drt_peers(engine: Engine, url: str, rows: int, batch: int) -> Iterator[Peer]:
    """drt with its cursor, then with its ledger."""
    for name in ("cursor", "ledger"):
        yield _measured(engine, url, rows, batch, name)


def _measured(engine: Engine, url: str, rows: int, batch: int, way: str) -> Peer:
    name = f"drt, {way}"
    if find_spec("drt") is None:
        return Peer(name, None, "drt-core is not installed; the extra `bench` brings it")
    _fill(engine, rows)
    before = _received(url)
    with tempfile.TemporaryDirectory(prefix="keruen-bench-drt-") as folder:
        _project(Path(folder), url, batch, way)
        first, again = (_run(Path(folder)) for _ in range(2))
    received = _received(url) - before
    sent_again = f"; {received - rows:,} rows again when nothing had changed" if received != rows else ""
    return Peer(name, first["seconds"], f"drt synced {first['rows_synced']:,}{sent_again}, in {again['seconds']:.1f} s")


def _fill(engine: Engine, rows: int) -> None:
    with engine.begin() as db:
        db.execute(text("drop schema if exists peer cascade"))
        db.execute(text("create schema peer"))
        db.execute(text("create table peer.wanted (id text primary key, quantity integer, changed_at timestamptz)"))
        fill = "insert into peer.wanted select 'x-' || n, n % 50, now() from generate_series(0, :rows - 1) n"
        db.execute(text(fill), {"rows": rows})


def _project(folder: Path, url: str, batch: int, way: str) -> None:
    """Its three files: where the rows are, what the project is, and what goes where."""
    parts = psycopg.conninfo.conninfo_to_dict(libpq_url())
    profile = {"type": "postgres", "host": parts["host"], "port": int(parts.get("port", 5432)),
               "dbname": parts["dbname"], "user": parts["user"], "password": parts.get("password", "x")}  # fmt: skip
    (folder / ".drt").mkdir()
    (folder / ".drt" / "profiles.yml").write_text(yaml.safe_dump({"store": profile}), "utf-8")
    state = {"backend": "warehouse", "connection_profile": "store", "idempotency": True} if way == "ledger" else {}
    project = {"name": "peer", "profile": "store", **({"state": state} if state else {})}
    (folder / "drt_project.yml").write_text(yaml.safe_dump(project), "utf-8")
    remembers = (
        {"mode": "incremental", "cursor_field": "changed_at"}
        if way == "cursor"
        else {"mode": "full", "idempotency_key": "{{ row['id'] }}:{{ row['quantity'] }}"}
    )
    sync = {
        "name": "push",
        "model": "select id, quantity, changed_at from peer.wanted order by changed_at",
        "destination": {
            "type": "rest_api", "url": f"{url}/stock", "method": "POST", "body_mode": "batch",
            "headers": {"Content-Type": "application/json"},
            "batch_template": "[{% for row in rows %}{\"id\": \"{{ row['id'] }}\", \"quantity\": {{ row['quantity'] }}}"
            "{% if not loop.last %},{% endif %}{% endfor %}]",
        },
        "sync": {"batch_size": batch, "rate_limit": {"requests_per_second": 1_000_000}, **remembers},
    }  # fmt: skip
    (folder / "syncs").mkdir()
    (folder / "syncs" / "push.yml").write_text(yaml.safe_dump(sync), "utf-8")


_RUN = """
import json, sys, time
from drt.integrations._runner import run_drt_sync
started = time.perf_counter()
done = run_drt_sync("push", sys.argv[1])
print(json.dumps({**done, "seconds": time.perf_counter() - started}, default=str))
"""


def _run(folder: Path) -> dict:  # type: ignore[type-arg]
    """One run of drt, timed inside its process: its start is not counted. Raises RuntimeError with its last words."""
    quiet = {**os.environ, "HOME": str(folder), "DO_NOT_TRACK": "1"}
    command = [sys.executable, "-c", _RUN, str(folder)]
    done = subprocess.run(command, capture_output=True, text=True, env=quiet, cwd=folder, check=False)
    if done.returncode:
        raise RuntimeError(f"drt failed: {done.stderr.strip()[-800:]}")
    result: dict = json.loads(done.stdout.strip().splitlines()[-1])  # type: ignore[type-arg]
    if result["status"] != "success":
        raise RuntimeError(f"drt failed: {result}")
    return result


def _received(url: str) -> int:
    return int(requests.get(f"{url}/count", timeout=10).json()["rows"])
