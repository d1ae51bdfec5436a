"""The rows of one file on their way into the canonical tables: goods, people and what passes between them."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
from pydantic_core import to_json
from sqlalchemy import text

from connectors.sdk.files import KEY_PARTS, FileFrames
from dagster_project.steps import goods
from dagster_project.steps.authority import strength
from dagster_project.steps.mapping import Pass
from dagster_project.steps.people import consents, contacts
from dagster_project.store import bindings, quarantine
from dagster_project.store.explicit import LOCK
from dagster_project.store.goods import Put
from dagster_project.store.incoming import Incoming
from dagster_project.store.locks import in_turn
from dagster_project.store.merge import marked
from dagster_project.store.transfer import read
from mappings.tables.replacement import replacement

ASIDE = pa.schema({
    "key": pa.string(), "line": pa.int64(), "lines": pa.int64(), "rule": pa.string(), "reason": pa.string(),
    "waits_for": pa.string(),
})  # fmt: skip
"""What is set aside: `waits_for` is what would make it usable, as JSON."""


class TooMuchGone(Exception):
    """A file would remove more than the guard allows: a person decides."""


@dataclass(frozen=True)
class Arrival:
    """A file that came: its claim's `id`, its hash, its time. `shrink`: the guard, None once a person agreed."""

    id: int
    hash: str
    modified_at: datetime
    shrink: float | None

    def agreed(self, shrunk: Sequence[tuple[str, int, int]], what: str) -> None:
        """Raises TooMuchGone, naming the parts that lose most."""
        if self.shrink is not None and shrunk:
            said = "; ".join(f"{name} would lose {gone} of {total}" for name, total, gone in shrunk)
            raise TooMuchGone(f"it lacks {what} that stood there: {said} (guards.shrink {self.shrink})")


@dataclass(frozen=True)
class Stored:
    """What became of a file: lines `aside` (ASIDE), `unbound` lines whose sku no product has, `notes` by rule."""

    aside: pa.Table
    unbound: int = 0
    notes: Mapping[str, int] = field(default_factory=dict)


def put_rows(work: Pass, arrival: Arrival, frames: FileFrames) -> Stored:
    """Everything but receipts. Raises TooMuchGone; then nothing is to be kept."""
    rows = frames.frames[frames.entity]
    in_turn(work.db, LOCK)
    quarantine.prepare(work.db)
    goods.follow_settings(work)
    notes = FILL[frames.entity](work, arrival, rows)
    if "cart_line" in frames.frames:
        lines = frames.frames["cart_line"]
        _fill(work, "cart_line", _columns_of(lines.filter(lines["stands"])))
    if frames.scope:
        _agreed(work, arrival, frames)
    put = PUT[frames.entity](work)
    if frames.scope:
        _remove_absent(work, arrival, frames)
    columns = "seq as line, 1::bigint as lines, rule, reason, waits_for::text as waits_for"
    waiting = read(work.db, f"select {columns} from set_aside")
    key = rows["key"].take(pc.index_in(waiting["line"], rows["row"].combine_chunks()))
    aside = together(frames.set_aside, waiting.append_column("key", key))
    unbound = pc.sum(pc.equal(waiting["rule"], quarantine.UNBOUND)).as_py() or 0
    return Stored(aside, put.unbound + unbound, {**notes, **work.counts})


def together(*asides: pa.Table) -> pa.Table:
    """One table with the columns of ASIDE."""
    return pa.concat_tables(_as_aside(one) for one in asides)


def _as_aside(table: pa.Table) -> pa.Table:
    told = {name: table[name] if name in table.column_names else pa.nulls(table.num_rows) for name in ASIDE.names}
    return pa.table(told).cast(ASIDE)


def sources(work: Pass, arrival: Arrival, rows: pa.ChunkedArray, **more: Any) -> pa.ChunkedArray:
    """Provenance as JSON: which line of which file."""
    known = {
        "connection": work.connection.name, "resource": work.resource.name, "key": arrival.hash, "raw_id": arrival.id,
        "observed_at": work.now, "mapping": "1", **more,
    }  # fmt: skip
    before = to_json(known).decode().removesuffix("}") + ',"line":'
    return pc.binary_join_element_wise(before, pc.cast(rows, pa.string()), "}", "")


def placed(work: Pass, locations: pa.ChunkedArray) -> pa.ChunkedArray:
    """Our names of places; one that nobody has described yet is made known under its own name."""
    told = locations.unique().to_pylist()
    ours = {one: goods.place(work, one) for one in told if one is not None}
    _make_known(work, ours)
    return pa.array([ours.get(one) for one in told], pa.string()).take(
        pc.index_in(locations, pa.array(told, pa.string()))
    )


_PLACES = text("""
with told as (select * from unnest(cast(:told as text[]), cast(:ours as text[])) as t(external_id, location)),
bound as (
  insert into hub.binding (connection, entity, external_id, our_id, how, since)
  select :connection, 'location', external_id, location, 'settings', cast(:now as timestamptz) from told
  on conflict do nothing
)
insert into canonical.location (location, name, kind, connection, external_id, source)
select distinct on (location) location, external_id, 'store', :connection, external_id, cast(:source as jsonb)
from told order by location on conflict do nothing
""")


def _make_known(work: Pass, ours: Mapping[str, str | None]) -> None:
    if ours:
        source = to_json(
            {"connection": work.connection.name, "resource": work.resource.name, "observed_at": work.now}
        ).decode()
        work.db.execute(_PLACES, {**work.values, "told": list(ours), "ours": list(ours.values()), "source": source})


# ── into the incoming tables ──────────────────────────────────────────────────────────────────────────────────────────


def _fill(work: Pass, entity: str, columns: Mapping[str, Any]) -> None:
    incoming = Incoming(entity)
    incoming.prepare(work.db)
    told = {name: column for name, column in columns.items() if name in incoming.columns and column is not None}
    incoming.fill(work.db, pa.table(told))
    incoming.settled(work.db)


def _columns(work: Pass, arrival: Arrival, rows: pa.Table) -> dict[str, Any]:
    return {**_columns_of(rows), "seq": rows["row"], "source": sources(work, arrival, rows["row"])}


def _columns_of(rows: pa.Table) -> dict[str, Any]:
    """As the file tells them. An empty list says nothing: a file clears no field."""
    told = {name: rows[name] for name in rows.column_names}
    for name in told:
        if pa.types.is_list(rows[name].type):
            told[name] = pc.if_else(pc.equal(pc.list_value_length(rows[name]), 0), None, rows[name])
    return told


def _products(work: Pass, arrival: Arrival, rows: pa.Table) -> dict[str, int]:
    """Without authority over products they are listings: what this system calls its goods."""
    columns = _columns(work, arrival, rows)
    skus = pc.cast(rows["sku"], pa.string())
    Incoming("listing").prepare(work.db)
    if goods.owns_products(work):
        offsets = pa.array(range(len(skus) + 1), pa.int32())
        told = {"status": pa.repeat("active", rows.num_rows), **columns}
        _fill(work, "product", {**told, "skus": pa.ListArray.from_arrays(offsets, skus.combine_chunks())})
        return {}
    _fill(
        work, "listing", {**columns, "variant": skus, "barcode": _first(columns.get("barcodes")), "title": rows["name"]}
    )
    return {"not_owned": rows.num_rows}


def _first(lists: pa.ChunkedArray | None) -> pa.Array | None:
    return None if lists is None else pa.array([one[0] if one else None for one in lists.to_pylist()], pa.string())


def _put_products(work: Pass) -> Put:
    return goods.put_products(work) if goods.owns_products(work) else goods.put_listings(work)


def _counts(work: Pass, arrival: Arrival, rows: pa.Table) -> dict[str, int]:
    """Counts of places where the connection has a say; below zero becomes 0, the file keeps what was counted."""
    rows = rows.set_column(rows.column_names.index("location"), "location", placed(work, rows["location"]))
    speaks = {
        ours: strength(work.hub, work.connection.name, "on_hand", ours)
        for ours in rows["location"].unique().to_pylist()
    }
    work.memory["overruling"] = speaks
    heard = rows.filter(
        pc.is_in(
            rows["location"], pa.array([ours for ours, owners in speaks.items() if owners is not None], pa.string())
        )
    )
    columns = _columns(work, arrival, heard)
    as_of = pa.scalar(arrival.modified_at, pa.timestamp("us", "UTC"))
    columns["as_of"] = pc.fill_null(columns["as_of"], as_of) if "as_of" in columns else pa.repeat(as_of, heard.num_rows)
    columns["on_hand"] = pc.max_element_wise(heard["on_hand"], pa.scalar(0, heard["on_hand"].type))
    _fill(work, "stock_level", columns)
    negative = pc.sum(pc.less(heard["on_hand"], 0)).as_py() or 0
    return {"negative": negative, "not_owned": rows.num_rows - heard.num_rows}


def _prices(work: Pass, arrival: Arrival, rows: pa.Table) -> dict[str, int]:
    heard = rows if strength(work.hub, work.connection.name, "price") is not None else rows.slice(0, 0)
    _fill(work, "price", _columns(work, arrival, heard))
    return {"not_owned": rows.num_rows - heard.num_rows}


def _as_told(entity: str) -> Callable[[Pass, Arrival, pa.Table], dict[str, int]]:
    """Rows that need nothing from the hub."""

    def fill(work: Pass, arrival: Arrival, rows: pa.Table) -> dict[str, int]:
        _fill(work, entity, _columns(work, arrival, rows))
        return {}

    return fill


FILL = {
    "product": _products,
    "stock_level": _counts,
    "price": _prices,
    **{entity: _as_told(entity) for entity in ("customer", "contact_event", "cart", "loyalty_entry", "consent_event")},
}
PUT = {
    "product": _put_products,
    "stock_level": goods.put_counts,
    "price": goods.put_prices,
    "customer": goods.put_customers,
    "contact_event": contacts.put_contacts,
    "cart": contacts.put_carts,
    "loyalty_entry": contacts.put_points,
    "consent_event": consents.put_consents,
}


# ── what a whole file no longer has ───────────────────────────────────────────────────────────────────────────────────

_JOINS, _SKU = bindings.resolved("i")
SCOPED = {"stock_level": ("location", "stock"), "price": ("price_type", "price")}
"""Entity → the column that says what a file replaces, and the entity of its subjects in hub.dirty."""


def _agreed(work: Pass, arrival: Arrival, frames: FileFrames) -> None:
    part = SCOPED[frames.entity][0]
    come = read(
        work.db,
        f"select distinct {_SKU} as sku, i.{part}, true as usable from incoming_{frames.entity} i {_JOINS}",
        work.values,
    )
    there = read(
        work.db,
        f"select distinct sku, {part} from canonical.{frames.entity} "
        "where connection = :connection and deleted_at is null",
        work.values,
    )
    found = replacement(come, there, keys=["sku", part], scope=[part], shrink=arrival.shrink or 0)
    arrival.agreed(found.shrunk, "goods")


def _remove_absent(work: Pass, arrival: Arrival, frames: FileFrames) -> int:
    """Rows of the file's places (or price types) that it lacks. A line that cannot be read may be about any of them:
    then those it names stay, and all where it names none.
    """
    keys = frames.set_aside["key"]
    if keys.null_count:
        return 0
    unread = [key.rpartition(KEY_PARTS)[0] or key for key in keys.to_pylist()]
    part, subject = SCOPED[frames.entity]
    same = (
        "r.sku = t.sku and r.location = t.location"
        if part == "location"
        else "r.sku = t.sku and r.price_type = t.price_type and r.valid_from = t.valid_from"
    )
    older = (
        "and t.as_of <= (select max(as_of) from incoming_stock_level i where i.location = t.location)"
        if part == "location"
        else ""
    )
    valid = "" if part == "location" else ", coalesce(i.valid_from, '-infinity') as valid_from"
    statement = f"""
with resolved as materialized (select {_SKU} as sku, i.{part}{valid} from incoming_{frames.entity} i {_JOINS}),
gone as (
  update canonical.{frames.entity} t set deleted_at = :now
  where t.connection = :connection and t.deleted_at is null and t.{part} in (select {part} from resolved) {older}
    and not t.sku = any(:unread) and not exists (select from resolved r where {same})
  returning t.sku
), {marked(subject, "select sku from gone")}
select count(*) from marked"""
    return int(work.db.execute(text(statement), {**work.values, "unread": unread}).scalar_one())
