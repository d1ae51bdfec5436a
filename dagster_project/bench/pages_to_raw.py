"""JSON pages of a vendor → raw, beside a default dlt pipeline from the same pages to the same server.

Ours is the whole step: requests through Http with its buckets, envelope, dlt, and the statement that keeps changes.
"""

import os
import time
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import requests
from sqlalchemy import Engine

from connectors.sdk import ConnectionConfig, ConnectorSpec, Http, Resource, Since
from dagster_project.bench.row import Row
from dagster_project.bench.throwaway import throwaway_store
from dagster_project.bench.vendor import PER_PAGE, serving
from dagster_project.connections import Connection, parse
from dagster_project.steps.land import land
from dagster_project.store.database import libpq_url
from mappings.canonical import Product
from mappings.tables import Field, FieldMap

NAMES = ("pages_to_raw",)
SEED = 20260302
PAGES = 200
PEER_PAGES = 30
"""Rows per second hardly hang on the number of rows; the peer would take minutes for as many as ours."""
TURNS = 3
"""Both in turn, the best of each counts: whatever else the machine does hits both."""
ROWS_PER_SECOND, TIMES = 20_000, 5


class VendorConfig(ConnectionConfig):
    base_url: str
    pages: int


def products(config: VendorConfig, since: Since) -> Iterator[Sequence[dict[str, Any]]]:
    """Products, page by page."""
    api = Http(config.base_url, account=config.connection, per_second=1_000_000, burst=1_000_000)
    for page in range(config.pages):
        yield api.get("products", {"page": page}).json()["rows"]


PRODUCTS = Resource(
    "products",
    extract=products,
    key="id",
    cursor="updated",
    map=FieldMap(Product, {"external_id": Field("id")}),
    reads=lambda reply: None,
)
SPEC = ConnectorSpec("vendor", "Vendor", VendorConfig, (PRODUCTS,))


def rows() -> Iterator[Row]:
    """One row, `pages_to_raw`, in rows per second."""
    with throwaway_store() as engine, serving(PAGES, SEED) as url:
        _ours(engine, url, "warm_up", 2), _default_dlt(url, "warm_up", 2)
        turns = [
            (_ours(engine, url, f"vendor_{turn}", PAGES), _default_dlt(url, f"peer_{turn}", PEER_PAGES))
            for turn in range(TURNS)
        ]
    ours, peer = (max(rates) for rates in zip(*turns, strict=True))
    yield Row(
        name="pages_to_raw",
        measured=ours,
        unit="rows/s",
        goal=f"≥ {ROWS_PER_SECOND} rows/s and ≥ {TIMES} × default dlt",
        holds=ours >= ROWS_PER_SECOND and ours >= TIMES * peer,
        peer="default dlt pipeline",
        peer_measured=peer,
        seed=SEED,
        note=f"{PAGES * PER_PAGE:,} rows, peer {PEER_PAGES * PER_PAGE:,}; best of {TURNS}",
    )


def _ours(engine: Engine, url: str, name: str, pages: int) -> float:
    """Rows per second."""
    connection = _connection(url, name, pages)
    started = time.perf_counter()
    landed = land(engine, connection, PRODUCTS, now=datetime.now(UTC))
    rate = pages * PER_PAGE / (time.perf_counter() - started)
    assert landed.landed == pages * PER_PAGE, landed
    return rate


def _connection(url: str, name: str, pages: int) -> Connection:
    text = f"{name}: {{connector: vendor, settings: {{base_url: {url!r}, pages: {pages}}}}}"
    return parse(text, {"vendor": SPEC})[name]


def _default_dlt(url: str, name: str, pages: int) -> float:
    """Rows per second, done as dlt's own tutorial does it: dicts in, columns and child tables out."""
    import dlt

    def products() -> Iterator[list[dict[str, Any]]]:
        session = requests.Session()
        for page in range(pages):
            yield session.get(f"{url}/products", params={"page": page}, timeout=60).json()["rows"]

    pipeline = dlt.pipeline(
        f"default_{name}",
        destination=dlt.destinations.postgres(credentials=libpq_url()),
        dataset_name=f"default_{name}",
        pipelines_dir=str(Path(os.environ["KERUEN_HOME"]) / "default_dlt"),
    )
    started = time.perf_counter()
    pipeline.run(dlt.resource(products, name="products"))
    return pages * PER_PAGE / (time.perf_counter() - started)
