"""Rows as PostgreSQL's COPY speaks them: Arrow rendered to CSV on the way in, CSV parsed to Arrow on the way out."""

import io
import itertools
import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any, TypeAlias

import pandas
import pyarrow
import pyarrow.compute as compute
import pyarrow.csv as csv
from sqlalchemy import ARRAY, JSON, Table

Rows: TypeAlias = pyarrow.Table | pandas.DataFrame | Sequence[Mapping[str, Any]]

SEPARATOR = "\x1e"  # before every element of an array on its way out; mapping removes it from texts (\x1f joins keys)
_RENDER = csv.WriteOptions(include_header=False, batch_size=2**16, quoting_style="needed")  # every text, not null


# ── in ────────────────────────────────────────────────────────────────────────────────────────────────────────────────


def to_arrow(rows: Rows, table: Table | None = None) -> pyarrow.Table:
    """`rows` as Arrow; what Arrow has no type for becomes the text that the table's column reads."""
    if isinstance(rows, pyarrow.Table):
        return rows
    columns: dict[str, Any]
    if isinstance(rows, pandas.DataFrame):
        columns = {str(name): rows[name] for name in rows.columns}
    else:
        present = dict.fromkeys(itertools.chain.from_iterable(rows))
        columns = {name: [row.get(name) for row in rows] for name in present}
    kinds = {} if table is None else {column.name: column.type for column in table.columns}
    return pyarrow.table({name: _column(values, kinds.get(name)) for name, values in columns.items()})


def render(frame: pyarrow.Table, sink: io.RawIOBase) -> None:
    """Writes `frame` as CSV: null is nothing, an empty text is "". Raises TypeError for a time without a zone."""
    text = pyarrow.table({name: _filled(_text(frame[name], name)) for name in frame.column_names})
    csv.write_csv(text, pyarrow.PythonFile(sink, "w"), _RENDER)


def _filled(column: Any) -> Any:
    """Without its empty chunks: Arrow's writer puts zero bytes where a column begins with one (pyarrow 26.0)."""
    if isinstance(column, pyarrow.Array) or all(len(chunk) for chunk in column.chunks):
        return column
    return pyarrow.chunked_array([chunk for chunk in column.chunks if len(chunk)], column.type)


def _column(values: Any, kind: Any) -> Any:
    if isinstance(kind, JSON):
        return pyarrow.array([_json(value) for value in values], pyarrow.string())
    if isinstance(kind, ARRAY):
        return pyarrow.array(
            [None if _missing(value) else list(value) for value in values], pyarrow.list_(pyarrow.string())
        )
    if str(getattr(values, "dtype", "object")) == "object" and any(map(_is_naive, values)):
        raise TypeError("A time without a zone: give it the zone of the connection that it came from.")
    try:
        return pyarrow.array(values, from_pandas=True)
    except (pyarrow.ArrowInvalid, pyarrow.ArrowTypeError):  # of mixed kinds, like a Decimal beside an int
        return pyarrow.array([None if _missing(value) else str(value) for value in values], pyarrow.string())


def _is_naive(value: Any) -> bool:
    return isinstance(value, datetime) and value is not pandas.NaT and value.tzinfo is None


def _missing(value: Any) -> bool:
    return (
        value is None
        or value is pandas.NaT
        or value is pandas.NA
        or (isinstance(value, float | Decimal) and value != value)
    )


def _json(value: Any) -> str | None:
    """JSON text stays as it is; a Decimal or a date inside becomes a string, so that nothing is rounded."""
    if isinstance(value, str):
        return value
    return None if _missing(value) else json.dumps(value, ensure_ascii=False, default=str)


def _text(column: Any, name: str) -> Any:
    """What CSV cannot write or PostgreSQL would read otherwise."""
    kind = column.type
    if isinstance(kind, pyarrow.BaseExtensionType):
        return column.cast(kind.storage_type)
    if pyarrow.types.is_dictionary(kind):
        return _text(column.cast(kind.value_type), name)
    if pyarrow.types.is_timestamp(kind):
        return _instant(column, name)
    if pyarrow.types.is_floating(kind):
        return compute.if_else(compute.is_nan(column), None, column)
    if pyarrow.types.is_list(kind) or pyarrow.types.is_large_list(kind):
        return pyarrow.chunked_array([_array_literal(chunk) for chunk in column.chunks], pyarrow.string())
    if pyarrow.types.is_struct(kind) or pyarrow.types.is_map(kind):
        return pyarrow.array([_json(value) for value in column.to_pylist()], pyarrow.string())
    return column.cast(pyarrow.string()) if pyarrow.types.is_null(kind) else column


def _instant(column: Any, name: str) -> Any:
    """Arrow renders a zoned time thirty times slower than a naive one, so the zone is written beside it."""
    if column.type.tz is None:
        raise TypeError(f"Column {name} holds times without a zone: give them the zone of their connection.")
    utc = column.cast(pyarrow.timestamp("us", "UTC"), safe=False).cast(pyarrow.timestamp("us"))
    return compute.binary_join_element_wise(utc.cast(pyarrow.string()), "+00", "")


def _array_literal(lists: Any) -> Any:
    """`{"a","b"}` of each list; the elements are quoted and escaped all at once."""
    flat = lists.flatten().cast(pyarrow.string())
    escaped = compute.replace_substring_regex(flat, r'([\\"])', r"\\\1")
    quoted = compute.binary_join_element_wise('"', escaped, '"', "").fill_null("NULL")
    sizes = compute.fill_null(compute.list_value_length(lists), 0).to_numpy(zero_copy_only=False)
    offsets = pyarrow.array([0, *sizes.cumsum()], pyarrow.int64())
    joined = compute.binary_join(pyarrow.LargeListArray.from_arrays(offsets, quoted), ",")
    literals = compute.binary_join_element_wise("{", joined, "}", "")
    return compute.if_else(lists.is_valid(), literals, None)


# ── out ───────────────────────────────────────────────────────────────────────────────────────────────────────────────


def _same(column: Any) -> Any:
    return column


def _in_utc(column: Any) -> Any:
    return column.cast(pyarrow.timestamp("us", "UTC"))


def _elements(column: Any) -> Any:
    """The separator stands before every element: the split gives an empty text first, and for no element only that."""
    return compute.list_slice(compute.split_pattern(column, SEPARATOR), 1)


def _exact(column: Any) -> Any:
    """numeric without a declared scale, a sum for instance: as many decimals as the longest value has."""
    decimals = compute.utf8_length(compute.replace_substring_regex(column, r"^[^.]*\.?", ""))
    return column.cast(pyarrow.decimal128(38, compute.max(decimals).as_py() or 0))


@dataclass(frozen=True)
class Out:
    """How one column of a result travels: `sql` renders it there (`{0}` is the column), `kind` parses it here."""

    kind: Any
    sql: str = "{0}"
    arrive: Callable[[Any], Any] = _same


_TEXT = Out(pyarrow.string())
_TEXTS = Out(
    pyarrow.string(),
    f"case when cardinality({{0}}) > 0 then E'{SEPARATOR}' || array_to_string({{0}}, E'{SEPARATOR}', '')"
    " when {0} is not null then '' end",
    _elements,
)
_NUMERIC = 1700
_BY_OID = {
    16: Out(pyarrow.bool_()),
    20: Out(pyarrow.int64()),
    21: Out(pyarrow.int16()),
    23: Out(pyarrow.int32()),
    700: Out(pyarrow.float32()),
    701: Out(pyarrow.float64()),
    1009: _TEXTS,  # text[]
    1015: _TEXTS,  # varchar[]
    1082: Out(pyarrow.date32(), "case when isfinite({0}) then {0} end"),
    1184: Out(pyarrow.timestamp("us"), "case when isfinite({0}) then {0} at time zone 'UTC' end", _in_utc),
    _NUMERIC: Out(pyarrow.string(), arrive=_exact),
}


def out(oid: int, modifier: int) -> Out:
    """For a column of this PostgreSQL type; what has no type of its own here (jsonb, uuid) travels as text."""
    if oid == _NUMERIC and modifier >= 4:  # precision and scale stand in the upper and the lower half
        return Out(pyarrow.decimal128((modifier - 4) >> 16, (modifier - 4) & 0x7FF))
    return _BY_OID.get(oid, _TEXT)


def parse(blocks: Iterable[bytes | bytearray], columns: Sequence[tuple[str, Out]]) -> pyarrow.Table:
    """Blocks of whole CSV lines as one table. Names may repeat."""
    kinds = {str(place): column.kind for place, (_, column) in enumerate(columns)}
    convert = csv.ConvertOptions(
        column_types=kinds,
        null_values=[""],
        strings_can_be_null=True,
        quoted_strings_can_be_null=False,
        true_values=["t"],
        false_values=["f"],
    )
    lines = csv.ParseOptions(newlines_in_values=True, ignore_empty_lines=False)  # a lone null is an empty line
    layout = csv.ReadOptions(column_names=list(kinds))
    parts = [csv.read_csv(pyarrow.BufferReader(block), layout, lines, convert) for block in blocks]
    whole = pyarrow.concat_tables(parts or [pyarrow.schema(kinds.items()).empty_table()])
    arrived = [column.arrive(whole.column(place)) for place, (_, column) in enumerate(columns)]
    return pyarrow.Table.from_arrays(arrived, names=[name for name, _ in columns])
