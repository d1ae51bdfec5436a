"""What decisions read: SQL in the store chooses the slice, Arrow carries it, nothing is judged here.

A slice is of some subjects (skus, or orders as `connection:id`), or of all; what several channels need is read once.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from sqlalchemy import Engine

from dagster_project.connections import Hub
from dagster_project.steps.freshness import inputs
from dagster_project.store.ledger import Queue
from dagster_project.store.scan import scan
from dagster_project.store.transfer import read
from mappings.stock.availability import Floats

_PRODUCTS = "select sku, status, deleted_at is not null as deleted from canonical.product where {these}"
_CATEGORIES = "select sku, category from canonical.product where category is not null and {these}"
_ABOUT = """
select sku, (attributes || jsonb_strip_nulls(jsonb_build_object('name', name, 'name_kk', name_kk, 'brand', brand,
       'category', category, 'barcodes', barcodes, 'unit', unit)))::text as about
from canonical.product where {these}
"""
_STOCK = """
select sku, location, on_hand::float8 as on_hand, reserved::float8 as reserved,
       as_of, connection
from position.stock where {these}
"""
_PRICES = """
select sku, price_type, (amount * 100)::bigint as cents, currency::text as currency, connection,
       nullif(valid_from, '-infinity') as valid_from, nullif(valid_to, 'infinity') as valid_to
from canonical.price where price_type = any(:types) and deleted_at is null and {these}
"""
# Most products are listed, or most are not; either way the server tells the difference from two indexes in one pass.
_UNLISTED = """
select p.sku from canonical.product p
where not exists (select from canonical.listing l
                  where l.connection = :connection and l.sku = p.sku and l.deleted_at is null) and {these}
"""
_OBSERVED = """
select l.sku as subject, min(trim_scale({column}))::text as value
from canonical.listing l left join ledger.item i
  on i.connection = l.connection and i.capability = :capability and i.subject = l.sku
where l.connection = :connection and l.deleted_at is null and {column} is not null and i.acknowledged is null
  and {these}
group by l.sku
"""
_CONFIRMED = """
select i.subject, i.acknowledged::text as acknowledged from ledger.item i
where i.connection = :connection and i.capability = :capability and {these}
"""
_RESTLESS = """
select i.subject, i.state, i.reason, i.desired::text as desired,
       case when p.undoes is not null and o.state in ('held', 'ready') then 'undo' else o.state end as outbox
from ledger.item i left join ledger.outbox o using (connection, capability, subject)
left join ledger.plan p on p.plan = o.plan
where i.connection = :connection and i.capability = :capability and i.state <> 'in_sync' and {these}
"""
_TRANSIT = "select location from canonical.location where kind = 'transit'"
"""Goods on the road are sold by nobody."""
_SHOWN = {"stock.push": "l.observed_stock", "price.push": "l.observed_price"}


@dataclass(frozen=True)
class Stock:
    """Positions as matrices: a row for each product of the slice, a column for each of `places`; NaN where not counted.

    `counted_at`: seconds since 1970, when the counting system last stood by its count.
    """

    places: tuple[str, ...]
    on_hand: Floats
    reserved: Floats
    counted_at: Floats


class Slice:
    """The inputs of decisions about `subjects` (None: all), each read when first asked for."""

    def __init__(self, engine: Engine, hub: Hub, subjects: Sequence[str] | None = None) -> None:
        self.engine, self.hub, self.subjects = engine, hub, subjects

    @cached_property
    def products(self) -> pa.Table:
        """sku, status, deleted: what can have a row in the ledger."""
        return self.rows(_PRODUCTS, "sku")

    @cached_property
    def categories(self) -> pa.Array:
        """The category of each product, null where it has none."""
        found = self.rows(_CATEGORIES, "sku")
        return found["category"].combine_chunks().take(pc.index_in(self.products["sku"], found["sku"]).combine_chunks())

    @cached_property
    def about(self) -> pa.Table:
        """sku, about (JSON text): what connectors are told of a product."""
        return self.rows(_ABOUT, "sku")

    @cached_property
    def stock(self) -> Stock:
        found = self.rows(_STOCK, "sku")
        with self.engine.connect() as db:
            transit = [row[0] for row in db.exec_driver_sql(_TRANSIT)]
        places = sorted(set(pc.unique(found["location"]).to_pylist()) - set(transit))
        rows, columns = self.places_of(found["sku"]), pc.index_in(found["location"], pa.array(places, pa.string()))
        known = np.asarray(pc.and_(pc.is_valid(rows), pc.is_valid(columns)))
        at = (rows.filter(known).to_numpy(), columns.filter(known).to_numpy())
        shape = (self.products.num_rows, len(places))
        quantities = {name: _matrix(shape, at, found[name].filter(known)) for name in ("on_hand", "reserved")}
        counted_at = pc.cast(found["as_of"], pa.int64()).to_numpy() / 1e6
        stood_by = np.maximum(counted_at, self._confirmed(found["connection"]))
        return Stock(
            tuple(places), **quantities, counted_at=_matrix(shape, at, pa.array(stood_by).filter(pa.array(known)))
        )

    def prices(self, types: Sequence[str]) -> pa.Table:
        """Prices of these types with `rank`, the place of their source in the merchant's order of authority."""
        found = self.rows(_PRICES, "sku", types=list(types))
        order = pa.array(self.hub.authority("price"), pa.string())
        rank = pc.fill_null(pc.index_in(found["connection"], order), len(order))
        return found.append_column("rank", rank)

    def unlisted(self, connection: str) -> pa.ChunkedArray:
        """Products that the channel does not list."""
        return self.rows(_UNLISTED, "p.sku", connection=connection)["sku"]

    def observed(self, queue: Queue) -> pa.Table:
        """subject, value (JSON text): what the channel is seen to show of subjects that it never confirmed."""
        return self.rows(_OBSERVED.replace("{column}", _SHOWN[queue.capability]), "l.sku", **queue._asdict())

    def confirmed(self, queue: Queue) -> pa.Table:
        """subject, acknowledged of every row in the ledger. Read inside `planning`."""
        return self.rows(_CONFIRMED, "i.subject", **queue._asdict())

    def restless(self, queue: Queue) -> pa.Table:
        """subject, state, reason, desired, outbox of the rows that are not in sync. Read inside `planning`."""
        return self.rows(_RESTLESS, "i.subject", **queue._asdict())

    def places_of(self, skus: pa.ChunkedArray) -> pa.ChunkedArray:
        """The row of each sku among the products, null where there is none."""
        return pc.index_in(skus, self.products["sku"])

    def rows(self, query: str, key: str, **params: Any) -> pa.Table:
        """Rows of a query about the slice's skus, which stand in its column `key`."""
        if self.subjects is None:
            return scan(self.engine, query.replace("{these}", "true"), params)
        with self.engine.connect() as db:
            return read(
                db, query.replace("{these}", f"{key} = any(:subjects)"), {**params, "subjects": list(self.subjects)}
            )

    def _confirmed(self, connections: pa.ChunkedArray) -> Floats:
        """A source read to its end stands by every count it did not change."""
        read_at = fresh_sources(self.engine, self.hub)
        names = pa.array(read_at, pa.string())
        times = pa.array(read_at.values(), pa.float64())
        return pc.fill_null(pc.take(times, pc.index_in(connections, names)), 0.0).to_numpy()


def fresh_sources(engine: Engine, hub: Hub) -> dict[str, float]:
    """Connection → when its counts were last read to the end, in seconds since 1970. A folder is no such source: its
    files say themselves when they counted."""
    pulled = {(connection, resource) for connection, resource, must in inputs(hub, ("stock_level",)) if must}
    with engine.connect() as db:
        rows = db.exec_driver_sql("select connection, resource, extract(epoch from fresh_at)::float8 from hub.cursor")
        return {connection: at for connection, resource, at in rows if at and (connection, resource) in pulled}


def _matrix(shape: tuple[int, int], at: tuple[Any, Any], values: pa.ChunkedArray) -> Floats:
    matrix = np.full(shape, np.nan)
    matrix[at] = values.to_numpy()
    return matrix
