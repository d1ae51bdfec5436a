"""Who is who through the store: invented customers become persons, golden records and households; then a few change.

Measured is what `keruen sync` does after a pull: `identify_due` whole, selects, seals and marks included. The full run
has a process of its own, whose memory is measured without the generator's. `KERUEN_BENCH_PEOPLE` sets the size.
"""

import os
import resource
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from functools import partial
from statistics import median
from typing import TypeVar

import pyarrow as pa
import pyarrow.compute as pc
from sqlalchemy import Engine, text

from dagster_project.bench.apart import apart
from dagster_project.bench.identity import churned
from dagster_project.bench.people import people
from dagster_project.bench.row import Row
from dagster_project.bench.throwaway import throwaway_store
from dagster_project.connections import Hub, parse
from dagster_project.steps.people import verdicts
from dagster_project.steps.people.identify import identify_all, identify_due
from dagster_project.steps.people.verdicts import Desk
from dagster_project.store.database import engine as engine_of_this_home
from dagster_project.store.dirty import mark, take
from dagster_project.store.people.sealing import sealed
from dagster_project.store.people.verdicts import By
from dagster_project.store.tables import TABLES
from dagster_project.store.transfer import copy_in, read, upsert

NAMES = ("identity_store_full", "identity_store_delta", "identity_store_churn", "identity_store_unmerge")
SEED = 20_261
SIZE, CHANGED = int(os.environ.get("KERUEN_BENCH_PEOPLE", "5000000")), 10_000
TURNS = 5
"""Increments, each of other records: the first finds a server that has just written and cleaned everything."""
PAGE = 250_000
NOW = datetime(2026, 3, 2, 6, tzinfo=UTC)
Result = TypeVar("Result")
SYSTEMS = ("crm", "till", "shop", "market", "letters", "courier")


def rows() -> Iterator[Row]:
    with throwaway_store() as engine:
        apart(_populate)
        full, gigabytes = apart(_full)
        _tidy(engine)
        held = _disk(engine)
        deltas, marked, moved = zip(*_increments(engine), strict=True)
        unmerge = _unmerge_seconds(engine)
    size = f"{SIZE:,} records"
    note = f"{size}; cleaning, scores, persons, golden, households; peak {gigabytes:.1f} GB, store {held:.1f} GB"
    yield Row("identity_store_full", full, "s", "shown", True, seed=SEED, note=note)
    delta, each = median(deltas), ", ".join(f"{seconds:.1f}" for seconds in deltas)
    note = f"{CHANGED:,} of {size} changed; the median of {each} s in turn; {max(marked):,} persons marked"
    yield Row("identity_store_delta", delta, "s", "≤ 10 s", delta <= 10, seed=SEED, note=note)
    churn = sum(moved)
    yield Row("identity_store_churn", churn, "ids", "0 ids move where the person stays", churn == 0, seed=SEED)
    yield Row("identity_store_unmerge", unmerge, "s", "≤ 1 s", unmerge <= 1, seed=SEED, note=f"the worst of 5, {size}")


def _hub() -> Hub:
    told = "\n".join(f"{name}: {{connector: files, settings: {{path: x}}}}" for name in SYSTEMS[1:])
    return parse(f"crm: {{connector: files, settings: {{path: x}}, single_card: true}}\n{told}", {})


def _timed(work: Callable[[], Result]) -> tuple[float, Result]:
    began = time.perf_counter()
    result = work()
    return time.perf_counter() - began, result


# ── what is measured ──────────────────────────────────────────────────────────────────────────────────────────────────


def _full() -> tuple[float, float]:
    """Seconds, and gigabytes at the peak in this process."""
    seconds, _ = _timed(lambda: identify_all(engine_of_this_home(), _hub(), now=NOW))
    return seconds, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20


def _increments(engine: Engine) -> Iterator[tuple[float, int, int]]:
    """Of each: seconds, the persons marked, ids that moved where the person stays."""
    after = _membership(engine)
    for turn in range(TURNS):
        before = after
        _change(engine, turn)
        seconds, marked = _timed(partial(identify_due, engine, _hub(), now=NOW + timedelta(hours=1 + turn)))
        after = _membership(engine)
        yield seconds, marked, churned(before, after)


def _unmerge_seconds(engine: Engine) -> float:
    """Two strangers are made one and parted again, five times."""
    desk = Desk(engine, _hub(), By("bench", "a test", NOW + timedelta(days=1)))
    with engine.connect() as db:
        chosen = "select person_id from identity.person where status = 'active' order by md5(person_id) limit 10"
        strangers = list(db.execute(text(chosen)).scalars())
    worst = 0.0
    for one, other in zip(strangers[::2], strangers[1::2], strict=True):
        survivor = verdicts.merge(desk, one, other)
        seconds, parted = _timed(lambda survivor=survivor: verdicts.unmerge(desk, survivor))
        assert set(parted) == {one, other}, "an unmerge gives both their ids back"
        worst = max(worst, seconds)
    return worst


def _membership(engine: Engine) -> pa.Table:
    with engine.connect() as db:
        return read(db, "select record, person_id from identity.membership")


def _disk(engine: Engine) -> float:
    with engine.connect() as db:
        return db.execute(text("select pg_database_size(current_database())")).scalar_one() / 2**30


# ── what it is measured on ────────────────────────────────────────────────────────────────────────────────────────────


def _populate() -> None:
    customers = people(SIZE, SEED).customers
    names = [name for name in customers.column_names if name in TABLES["canonical.customer"].columns]
    source = pc.binary_join_element_wise('{"connection": "', customers["connection"], '"}', "")
    customers = customers.select(names).append_column("source", source)
    with engine_of_this_home().begin() as db:
        for start in range(0, customers.num_rows, PAGE):
            page = sealed(db, "canonical.customer", customers.slice(start, PAGE).combine_chunks())
            copy_in(db, TABLES["canonical.customer"], page)


def _tidy(engine: Engine) -> None:
    """As after a night: the same pass took the marks of the full run for segments, the server cleaned up behind it."""
    with engine.begin() as db:
        take(db)
    with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as db:
        db.execute(text("vacuum analyze"))


def _change(engine: Engine, turn: int) -> None:
    """All of them move to another town, half of them have a new number as well."""
    some = """select connection, external_id, phones, source from canonical.customer
    order by md5(:turn || external_id) limit :changed"""
    with engine.begin() as db:
        told = read(db, some, {"changed": CHANGED, "turn": str(turn)})
        fresh = [[f"+7706{turn}{place:06}"] if place % 2 else None for place in range(told.num_rows)]
        fresh = sealed(db, "canonical.customer", pa.table({"phones": pa.array(fresh, pa.list_(pa.string()))}))["phones"]
        said = {"city": "Kostanay", "updated_at": NOW}
        moved = {name: pa.repeat(value, told.num_rows) for name, value in said.items()}
        rows = pa.table({**dict(zip(told.column_names, told.columns, strict=True)), **moved})
        rows = rows.set_column(2, "phones", pc.coalesce(fresh, told["phones"]))
        upsert(db, TABLES["canonical.customer"], rows, ["connection", "external_id"])
        mark(db, "customer", pc.binary_join_element_wise(told["connection"], told["external_id"], ":"), "a file came")
