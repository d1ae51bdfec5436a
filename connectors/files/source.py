"""Finds files and reads one: bytes → cells → canonical frames, or the reason why nothing of it is taken."""

import fcntl
import glob
import json
import signal
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc

from connectors.files import advice, book, carts, contacts, delimited, document, mapping
from connectors.files.cells import Cells
from connectors.files.config import FilesConfig
from connectors.files.layouts import LAYOUTS
from connectors.files.text import Misread
from connectors.files.whole import MARKERS, UNFINISHED, broken, check_control, marked
from connectors.sdk.errors import ConfigError
from connectors.sdk.files import KEY_PARTS, FileFrames, FoundFile
from mappings.tables import FieldMap, Quarantined
from mappings.tables.cart_frames import cart_frames
from mappings.tables.frames import Framed, map_frame, repeated, with_problems
from mappings.tables.receipt_frames import receipt_frames

READERS = {
    **dict.fromkeys((".csv", ".tsv", ".tab", ".txt"), delimited.read),
    **dict.fromkeys((".xlsx", ".xlsm", ".xls", ".ods"), book.read),
    **dict.fromkeys((".json", ".jsonl", ".ndjson"), document.read),
}
KEYS = {
    "products": ("sku",),
    "stock": ("sku", "location"),
    "prices": ("sku", "price_type", "valid_from"),
    "customers": ("external_id",),
    "events": ("external_id",),
    "consents": ("external_id",),
    "points": ("external_id",),
}
RENAMED = {"cause": "reason"}
NOTATION = ("not_a_number", "not_a_moment", "other_currency", "no_time_zone")
SCOPES = {"stock": ("location",), "prices": ("price_type",)}
"""Such a file says all there is of these; products and customers that it lacks stay."""


def find(config: FilesConfig) -> Iterator[FoundFile]:
    """Files of the folder, oldest first; no markers, no hidden files, none that a transfer still names otherwise."""
    folder = Path(config.path).parent
    while glob.has_magic(str(folder)):
        folder = folder.parent
    if not folder.is_dir():
        raise ConfigError(
            f"{config.connection}: the folder {folder} of `path` does not exist; make it, or mend `path`."
        )
    paths = [Path(path) for path in glob.glob(config.path, recursive=True)]
    for path in sorted(paths, key=lambda path: (path.stat().st_mtime_ns, path.name)):
        if (
            path.is_file()
            and not path.name.startswith(("~$", "."))
            and not path.name.lower().endswith((*MARKERS, *UNFINISHED))
        ):
            yield _found(config, path)


def _found(config: FilesConfig, path: Path) -> FoundFile:
    stat = path.stat()
    found = FoundFile(path, stat.st_size, datetime.fromtimestamp(stat.st_mtime, UTC))
    waiting = "somebody still writes it" if _being_written(path) else None
    if config.whole == "marker" and not marked(found):
        waiting = f"{path.name}.done, .md5 or .sha256 has not come yet (`whole: marker`)"
    return FoundFile(path, found.size, found.modified_at, waiting)


def _being_written(path: Path) -> bool:
    """Whether a process of this machine holds the file open for writing: then the kernel grants no read lease.

    Where it cannot say (another machine's disk, another owner), the end of the file has to.
    """
    with path.open("rb") as file:
        try:
            fcntl.fcntl(
                file, fcntl.F_SETSIG, signal.SIGURG
            )  # the default kills us if a writer comes in this very moment
            fcntl.fcntl(file, fcntl.F_SETLEASE, fcntl.F_RDLCK)
        except BlockingIOError:
            return True
        except (OSError, AttributeError):
            return False
        fcntl.fcntl(file, fcntl.F_SETLEASE, fcntl.F_UNLCK)
        return False


def read(config: FilesConfig, found: FoundFile) -> FileFrames:
    """One whole file. Raises ConfigError naming the settings that do not fit, RejectedError where the file breaks."""
    return _mapped(config, found, _cells(config, found))


def _cells(config: FilesConfig, found: FoundFile) -> Cells:
    reader = READERS.get(found.path.suffix.lower())
    if reader is None:
        raise ConfigError(
            f"{found.name}: files ending in {', '.join(READERS)} can be read. Narrow `path`, or rename the file."
        )
    if not found.size:
        raise broken(found, 1, "it is empty")
    try:
        return reader(config, found)
    except Misread as error:
        raise advice.misread(config, found, error.problems) from None


def _mapped(config: FilesConfig, found: FoundFile, cells: Cells) -> FileFrames:
    field_map = mapping.told(_map(config, cells), cells.columns)
    framed = map_frame(field_map, cells.table)
    odd = set(NOTATION) & set(framed.rows["rule"].unique().to_pylist())
    if odd and (better := advice.misfit(config, found, cells.table)):
        raise better
    if cells.control:
        check_control(config, found, cells.control, framed.rows)
    framed = with_problems(framed, {row: Quarantined("ragged_line", why) for row, why in cells.broken.items()})
    return replace(_frames(config, found, cells, framed, tuple(field_map.fields)), unread_columns=cells.columns.unread)


def _frames(config: FilesConfig, found: FoundFile, cells: Cells, framed: Framed, told: tuple[str, ...]) -> FileFrames:
    match config.layout:
        case "receipts":
            return _receipts(config, found, cells, framed)
        case "carts":
            return _carts(config, cells, framed)
    return _flat(config, cells, framed, told)


def _map(config: FilesConfig, cells: Cells) -> FieldMap:
    match config.layout:
        case "receipts":
            return mapping.receipt_lines(config, cells.columns)
        case "customers":
            told = cells.columns.targets
            return mapping.customers(
                config, cells.columns, cells.table["birth_date"].unique().to_pylist() if "birth_date" in told else ()
            )
        case "products":
            return mapping.products(config)
        case "stock":
            return mapping.stock(config)
        case "prices":
            return mapping.prices(config)
        case "events":
            return contacts.events(config, cells.columns)
        case "consents":
            return contacts.consents(config, cells.columns)
        case "points":
            return contacts.points(config)
        case "carts":
            return carts.rows(config)


def _carts(config: FilesConfig, cells: Cells, framed: Framed) -> FileFrames:
    made = cart_frames(framed.rows.append_column("row", cells.lines))
    told = {"cart": made.carts.append_column("key", made.carts["external_id"]), "cart_line": made.lines}
    return FileFrames(
        "cart", told, made.set_aside, cells.table.num_rows, _unread(framed), customers_of=config.customers_of
    )


def _unread(framed: Framed) -> dict[str, int]:
    """An id that is no contact as well, is nothing but one, or only fills the cell, is no remark."""
    ids = {"customer", "identifier", "identifier_kind", "loyalty_id", "loyalty_ids", "account_id"}
    return {f"unread_{name}": count for name, count in framed.unread.items() if name not in ids}


def _receipts(config: FilesConfig, found: FoundFile, cells: Cells, framed: Framed) -> FileFrames:
    frames = receipt_frames(framed.rows, cells.lines)
    reused = pc.sum(pc.equal(frames.set_aside["rule"], "receipt_reused")).as_py() or 0
    if reused > frames.orders.num_rows:
        said = "its receipt numbers repeat on several days or places (try columns.receipt: [Магазин, Дата, Чек №])"
        raise advice.misread(config, found, [said])
    notes = {
        "zero_quantity": pc.sum(pc.equal(frames.lines["quantity"], 0)).as_py(),
        "clock_change": pc.sum(frames.orders["clock_change"]).as_py(),
        **_unread(framed),
    }
    scope = () if config.partition == "receipt" else config.partition
    told = {"order": _orders(config, frames.orders), "order_line": frames.lines}
    return FileFrames(
        "order", told, frames.set_aside, cells.table.num_rows, {rule: n for rule, n in notes.items() if n}, scope,
        config.customers_of,
    )  # fmt: skip


def _orders(config: FilesConfig, orders: pa.Table) -> pa.Table:
    """Receipts as canonical orders: complete, of the channel `store`."""
    fixed = {"channel": "store", "status": "completed", "currency": config.currency}
    columns = {
        **{name: orders[name] for name in orders.column_names if name not in {"clock_change", "payment"}},
        **{name: pa.repeat(value, orders.num_rows) for name, value in fixed.items()},
        "receipt_number": orders["number"],
        "payment": _json_of(orders["payment"], "method"),
        "flags": pa.array(
            [["clock_change"] if flag else None for flag in orders["clock_change"].to_pylist()], pa.list_(pa.string())
        ),
    }
    return pa.table(columns)


def _json_of(column: pa.ChunkedArray, name: str) -> pa.ChunkedArray:
    """`{name: text}` of every text, an object without it of nothing; few are different."""
    encoded = column.combine_chunks().dictionary_encode()
    objects = pa.array(
        [*(json.dumps({name: text}, ensure_ascii=False) for text in encoded.dictionary.to_pylist()), "{}"], pa.string()
    )
    return objects.take(pc.fill_null(encoded.indices, len(objects) - 1))


def _flat(config: FilesConfig, cells: Cells, framed: Framed, told: tuple[str, ...]) -> FileFrames:
    keys = KEYS[config.layout]
    framed = with_problems(framed, repeated(framed, keys, cells.table))
    rows = framed.rows.append_column("row", cells.lines)
    parts = [pc.cast(rows[name], pa.string()) for name in keys[:2]]
    told_parts = [pc.fill_null(parts[0], ""), *parts[1:]]  # a row all of whose parts are null would be dropped
    joined = pc.binary_join_element_wise(*told_parts, KEY_PARTS, null_handling="skip")
    key = pc.if_else(pc.is_valid(parts[0]), joined, None)
    rows = rows.append_column("key", key)
    good = rows.filter(pc.is_null(rows["rule"])).select(["row", "key", *dict.fromkeys((*keys, *told))])
    good = good.rename_columns([RENAMED.get(name, name) for name in good.column_names])
    bad = rows.filter(pc.is_valid(rows["rule"]))
    set_aside = pa.table({
        "key": bad["key"], "line": bad["row"], "lines": pa.repeat(1, bad.num_rows), "rule": bad["rule"],
        "reason": bad["reason"],
    })  # fmt: skip
    entity = LAYOUTS[config.layout].entity
    scope = SCOPES.get(config.layout, ())
    told_of = (set_aside, cells.table.num_rows, _unread(framed), scope, config.customers_of)
    return FileFrames(entity, {entity: good}, *told_of)


def check(config: FilesConfig) -> str | None:
    """Reads the newest file as a sync would, and keeps nothing; gives what is odd about its ids. Raises ConfigError or
    RejectedError where it cannot."""
    newest = next(iter(reversed([found for found in find(config) if not found.waiting])), None)
    if newest is None:
        raise ConfigError(f"{config.connection}: no file matches {config.path} yet; drop one there, or mend `path`.")
    cells = _cells(config, newest)
    _mapped(config, newest, cells)
    return advice.fractions(config, newest, cells.table)
