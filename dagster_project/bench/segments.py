"""Who enters and who leaves after a busy hour: a million invented people, twenty thousand new orders, five segments.

Measured is `segments_due` whole: sums and scores of those who bought, memberships, what channels will be told. The
first run over everybody, which draws borders and learns habits, is not in it and stands in the note.
"""

import os
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import pyarrow as pa
import yaml
from sqlalchemy import Connection, Engine, text

from dagster_project.bench.row import Row
from dagster_project.bench.throwaway import throwaway_store
from dagster_project.connections import Hub, HubEntry
from dagster_project.segment_files import segments
from dagster_project.steps.people.segments import segments_due
from dagster_project.store.dirty import mark
from dagster_project.store.tables import TABLES
from dagster_project.store.transfer import copy_in

NAMES = ("segments_delta",)
SEED = 20_261
PEOPLE, NEW = int(os.environ.get("KERUEN_BENCH_PEOPLE", "1000000")), 20_000
NOW = datetime(2026, 3, 2, 6, tzinfo=UTC)
TITLE = {"ru": "Люди", "kk": "Адамдар", "en": "People"}
SOFAS = {"category": "Sofas", "older_than": "14d", "within": "60d", "without": {"category": "Care"}}
WRITTEN = {
    "at_risk_vip": {"all": [
        {"field": "orders.count", "op": ">=", "value": 5},
        {"field": "orders.sum", "op": ">=", "value": 100_000},
        {"any": [{"field": "orders.last", "op": "older_than", "value": "120d"},
                 {"field": "churn", "op": ">", "value": 0.6}]},
    ]},
    "lapsed": {"field": "lifecycle", "op": "=", "value": "lapsed"},
    "best": {"all": [
        {"field": "rfm.recency", "op": ">=", "value": 4},
        {"field": "rfm.monetary", "op": "=", "value": 5},
    ]},
    "sofa_care": {"bought": SOFAS},
    "fresh": {"all": [{"field": "orders.last", "op": "within", "value": "7d"}, {"not": {"segment": "at_risk_vip"}}]},
}  # fmt: skip


def rows() -> Iterator[Row]:
    with TemporaryDirectory(prefix="keruen-bench-") as folder, throwaway_store() as engine:
        hub = _hub(Path(folder))
        _populate(engine)
        began = time.perf_counter()
        segments_due(engine, hub, now=NOW, full=True)
        first = time.perf_counter() - began
        _vacuum(engine)
        _busy_hour(engine)
        began = time.perf_counter()
        moved = segments_due(engine, hub, now=NOW.replace(hour=7))
        took = time.perf_counter() - began
        again = segments_due(engine, hub, now=NOW.replace(hour=7), full=True)
    note = f"{PEOPLE:,} people; {moved:,} moved, {again} differ from a full run; the first run took {first:.0f} s"
    yield Row("segments_delta", took, "s", "≤ 2 s, no difference from a full run", took <= 2 and not again, seed=SEED,
              note=note)  # fmt: skip


def _hub(folder: Path) -> Hub:
    (folder / "segments").mkdir()
    for name, where in WRITTEN.items():
        said = yaml.safe_dump({"segment": name, "title": TITLE, "where": where})
        (folder / "segments" / f"{name}.yaml").write_text(said, "utf-8")
    hub = Hub({}, HubEntry(), folder)
    segments(hub)
    return hub


def _populate(engine: Engine) -> None:
    """People with one to nine orders each of the last two years, and four categories of goods."""
    dice = np.random.default_rng(SEED)
    with engine.begin() as db:
        people = pa.array([f"person-{number:08d}" for number in range(PEOPLE)])
        born = pa.repeat(pa.scalar(NOW, pa.timestamp("us", "UTC")), PEOPLE)
        copy_in(db, TABLES["identity.person"], pa.table({"person_id": people, "created_at": born}))
        for number, category in enumerate(("Sofas", "Care", "Light", "Kitchen")):
            said = "values (:sku, 'erp', :sku, :sku, 'active', :category, '{}')"
            columns = "(sku, connection, external_id, name, status, category, source)"
            db.execute(
                text(f"insert into canonical.product {columns} {said}"), {"sku": f"S{number}", "category": category}
            )
        often = np.minimum(1 + dice.negative_binomial(0.7, 0.3, PEOPLE), 9)
        buyers = np.repeat(np.arange(PEOPLE), often)
        _sell(db, dice, people, buyers, "o", dice.integers(1, 730 * 86_400, len(buyers)))
        mark(db, "person", people.to_pylist())
    _vacuum(engine)


def _vacuum(engine: Engine) -> None:
    """What the server does by itself in the minutes after a large load."""
    with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as db:
        db.execute(text("vacuum analyze"))


def _busy_hour(engine: Engine) -> None:
    dice = np.random.default_rng(SEED + 1)
    with engine.begin() as db:
        people = pa.array([f"person-{number:08d}" for number in range(PEOPLE)])
        buyers = dice.choice(PEOPLE, NEW, replace=False)
        _sell(db, dice, people, buyers, "n", dice.integers(-3_600, 0, NEW))
        mark(db, "person", people.take(pa.array(buyers)).to_pylist(), "an order")


def _sell(
    db: Connection, dice: np.random.Generator, people: pa.Array, buyers: np.ndarray, name: str, ago: np.ndarray
) -> None:
    """One order of one line for each of `buyers`, so many seconds before NOW."""
    count = len(buyers)
    at = pa.array(
        np.datetime64(NOW.replace(tzinfo=None), "us") - ago.astype("timedelta64[s]"), pa.timestamp("us", "UTC")
    )
    total = pa.array((dice.gamma(2, 15_000, count)).astype(np.int64))
    number = pa.array([f"{name}{place}" for place in range(count)])
    same = {"connection": pa.repeat("till", count), "external_id": number}
    fixed = {"kind": "sale", "channel": "store", "status": "completed", "currency": "KZT", "source": "{}"}
    said = {one: pa.repeat(value, count) for one, value in fixed.items()}
    head = {
        **same,
        **said,
        "number": number,
        "placed_at": at,
        "person_id": people.take(pa.array(buyers)),
        "total": total,
    }
    copy_in(db, TABLES["canonical.order"], pa.table(head))
    sku = pa.array(np.array(["S0", "S1", "S2", "S3"])[dice.integers(0, 4, count)])
    line = {**same, "line": pa.repeat("1", count), "sku": sku, "quantity": pa.repeat(1, count), "total": total}
    copy_in(db, TABLES["canonical.order_line"], pa.table(line))
