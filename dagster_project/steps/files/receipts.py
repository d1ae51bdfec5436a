"""The receipts of one file on their way into canonical.order: by our places and skus, replacing what they replace."""

from typing import Any

import duckdb
import pyarrow as pa
import pyarrow.compute as pc
from sqlalchemy import text

from connectors.sdk.errors import ConfigError
from connectors.sdk.files import FileFrames
from dagster_project.steps.files.rows import Arrival, Stored, placed, sources, together
from dagster_project.steps.mapping import Pass
from dagster_project.steps.people.erased import without_buyers
from dagster_project.store import bindings, dirty, receipts
from dagster_project.store.transfer import copy_in, read
from mappings.tables.replacement import replacement

WHERE = ["external_id", "location", "till", "day"]
REUSED = "receipt_reused"


def put_receipts(work: Pass, arrival: Arrival, frames: FileFrames) -> Stored:
    """Raises TooMuchGone where receipts would vanish, ConfigError where numbers are no ids; then nothing is kept."""
    orders, lines = without_buyers(work, frames.frames["order"]), frames.frames["order_line"]
    orders = orders.set_column(orders.column_names.index("location"), "location", placed(work, orders["location"]))
    replaced = replacement(
        _come(orders, frames.set_aside), receipts.standing(work.db, work.connection.name, orders),
        keys=["external_id"], scope=frames.scope, shrink=arrival.shrink or 0,
    )  # fmt: skip
    arrival.agreed(replaced.shrunk, "receipts")
    aside = together(frames.set_aside, _reused(work, orders, lines, replaced.kept_apart["external_id"]))
    orders, lines = _without(orders, replaced.kept_apart), _without(lines, replaced.kept_apart)
    lines, unbound = _bound(work, lines)
    orders, lines = (
        _finished(work, arrival, orders),
        lines.append_column("connection", pa.repeat(work.connection.name, lines.num_rows)),
    )
    touched = list[str]()
    if replaced.compared.num_rows or replaced.removed.num_rows:
        compared = replaced.compared["external_id"]
        touched = receipts.replace(
            work.db,
            work.connection.name,
            _only(orders, compared),
            _only(lines, compared),
            replaced.removed["external_id"].to_pylist(),
            work.values["because"],
        )
        orders, lines = _without(orders, replaced.compared), _without(lines, replaced.compared)
    receipts.add(work.db, orders, lines)
    dirty.mark(work.db, "customer", _buyers(work, orders), work.values["because"])
    _mark(work, orders, touched)
    return Stored(aside, unbound)


def _come(orders: pa.Table, set_aside: pa.Table) -> pa.Table:
    """What the file speaks of: its receipts, and those it names but cannot tell."""
    usable = orders.select(WHERE).append_column("usable", pa.repeat(True, orders.num_rows))
    keys = pc.drop_null(set_aside["key"])
    unusable = pa.table({"external_id": keys, "usable": pa.repeat(False, len(keys))})
    return pa.concat_tables([usable, unusable], promote_options="default")


def _reused(work: Pass, orders: pa.Table, lines: pa.Table, ids: pa.ChunkedArray) -> pa.Table:
    """Receipts whose number stands on another day or place: whoever came first keeps it."""
    if len(ids) > orders.num_rows / 2:
        raise ConfigError(
            f"{work.connection.name}: most receipt numbers belong to other days or places already, e.g. {ids[0]}. "
            "Name in columns.receipt all that tells them apart, e.g. [Магазин, Дата, Чек №], or map the till."
        )
    counted = _only(lines, ids).group_by("external_id").aggregate([("line", "count")])
    found = _only(orders, ids).select(["external_id", "row"]).join(counted, "external_id")
    said = "a receipt of another day or place has this number"
    return pa.table({
        "key": found["external_id"], "line": found["row"], "lines": found["line_count"],
        "rule": pa.repeat(REUSED, found.num_rows), "reason": pa.repeat(said, found.num_rows),
    })  # fmt: skip


def _only(table: pa.Table, ids: pa.ChunkedArray) -> pa.Table:
    return table.filter(pc.is_in(table["external_id"], ids.combine_chunks()))


def _without(table: pa.Table, those: pa.Table) -> pa.Table:
    return (
        table.filter(pc.invert(pc.is_in(table["external_id"], those["external_id"].combine_chunks())))
        if those.num_rows
        else table
    )


def _finished(work: Pass, arrival: Arrival, orders: pa.Table) -> pa.Table:
    """Columns of canonical.order."""
    source = sources(work, arrival, orders["row"])
    if orders["flags"].null_count < orders.num_rows:
        flagged = sources(work, arrival, orders["row"], flags=["clock_change"])
        source = pc.if_else(pc.is_valid(orders["flags"]), flagged, source)
    whole = pc.binary_join_element_wise(work.connection.name, orders["returns"], ":")
    orders = orders.set_column(orders.column_names.index("returns"), "returns", whole).drop_columns(["row", "flags"])
    return orders.append_column("connection", pa.repeat(work.connection.name, orders.num_rows)).append_column(
        "source", source
    )


# ── which of our goods a line is about ────────────────────────────────────────────────────────────────────────────────

_JOINS, _SKU = bindings.resolved("i")
_BIND = f"""
select i.place, coalesce(named.sku, i.sku) as sku, q.sku is not null as known
from asked i cross join lateral (select {_SKU} as sku from (select 1) one {_JOINS}) named
left join canonical.product q on q.sku = coalesce(named.sku, i.sku)
"""


def _bound(work: Pass, lines: pa.Table) -> tuple[pa.Table, int]:
    """Lines by our skus, and how many of them name goods that no product is; those keep the sku they came with.

    A year of lines names a few ten thousand different goods, so only these are asked for.
    """
    named = lines.select(["sku", "barcode"]).group_by(["sku", "barcode"]).aggregate([([], "count_all")])
    work.db.execute(text("create temp table asked (place bigint, variant text, sku text, barcode text) on commit drop"))
    places = pa.array(range(named.num_rows))
    copy_in(
        work.db,
        "asked",
        pa.table({"place": places, "variant": named["sku"], "sku": named["sku"], "barcode": named["barcode"]}),
    )
    work.db.execute(text("analyze asked"))
    found = read(work.db, _BIND, work.values).sort_by("place")
    unbound = pc.sum(named["count_all"].filter(pc.invert(found["known"]))).as_py() or 0
    if found["sku"].equals(named["sku"]):
        return lines, unbound
    renamed = named.append_column("ours", found["sku"]).drop_columns(["count_all"])
    return _renamed(lines, renamed), unbound


def _renamed(lines: pa.Table, renamed: pa.Table) -> pa.Table:
    with duckdb.connect() as db:
        db.register("lines", lines)
        db.register("renamed", renamed)
        query = """
select lines.* replace (renamed.ours as sku) from lines join renamed
on lines.sku is not distinct from renamed.sku and lines.barcode is not distinct from renamed.barcode
order by external_id, line"""
        return db.sql(query).to_arrow_table()


# ── who has to decide anew ────────────────────────────────────────────────────────────────────────────────────────────


def _buyers(work: Pass, orders: pa.Table) -> pa.ChunkedArray:
    """Each buyer once, however many receipts he has; of receipts without one those with a card."""
    named = orders["customer"].drop_null().unique()
    nameless = orders.filter(pc.and_(pc.is_null(orders["customer"]), pc.is_valid(_card(orders))))
    met = pc.binary_join_element_wise("order", nameless["external_id"].combine_chunks(), ":")
    return pa.chunked_array([pc.binary_join_element_wise(work.connection.name, one, ":") for one in (named, met)])


def _card(orders: pa.Table) -> pa.ChunkedArray:
    return orders["loyalty_id"] if "loyalty_id" in orders.column_names else pa.nulls(orders.num_rows, pa.string())


_OLDEST = text("""
select min(as_of) from canonical.stock_level
where connection <> :connection and deleted_at is null and location = any(:places)
""")


def _mark(work: Pass, orders: pa.Table, touched: list[str]) -> None:
    """Sales later than somebody else's count move stock, older ones are in it; what changed may have moved it."""
    ids = pa.chunked_array([pa.array(touched, pa.string())])
    places: list[Any] = orders["location"].unique().to_pylist()
    oldest = work.db.execute(_OLDEST, {**work.values, "places": places}).scalar()
    if work.connection.entry.orders_to:
        ids = pa.chunked_array([*ids.chunks, *orders["external_id"].chunks])
    elif oldest is not None:
        later = orders.filter(pc.greater(orders["placed_at"], pa.scalar(oldest, pa.timestamp("us", "UTC"))))
        ids = pa.chunked_array([*ids.chunks, *later["external_id"].chunks])
    if len(ids):
        dirty.mark(
            work.db, "order", pc.binary_join_element_wise(work.connection.name, ids, ":"), work.values["because"]
        )
