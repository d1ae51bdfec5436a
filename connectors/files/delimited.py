"""CSV and TSV → cells. A year of receipts is a million lines, so Arrow parses them; Python looks only at both ends."""

import csv
import io
import re
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv as arrow_csv
from numpy.typing import NDArray

from connectors.files import text
from connectors.files.cells import Cells, control_of, totals_at_end
from connectors.files.columns import DEEPEST_HEADER, Columns, find_header, joined
from connectors.files.config import FilesConfig
from connectors.files.text import BLOCK, Misread, Survey
from connectors.files.whole import Control, broken, marked
from connectors.sdk.errors import RejectedError
from connectors.sdk.files import FoundFile

SENTINEL = "\x02end of file\x03"
"""A record of our own after the last: if it does not come out as one, a quotation mark before it was never closed."""
ENCODED = pa.dictionary(pa.int32(), pa.string())
LINE = re.compile(r"[^\r\n]*(?:\r\n|\r|\n)|[^\r\n]+$")


@dataclass(frozen=True)
class Ending:
    """`size` and `lines`: what is left without the total rows, the last of which is `total`, at line `last`."""

    size: int
    lines: int
    last: int
    ended: bool
    total: str | None


@dataclass(frozen=True)
class Shape:
    """`skip`: lines up to and including the column names; `width`: cells of a record."""

    delimiter: str
    skip: int
    width: int
    columns: Columns


def read(config: FilesConfig, found: FoundFile) -> Cells:
    """Raises Misread where the settings do not fit, RejectedError where the file is not whole."""
    with found.bytes_at.open("rb") as file:
        start = file.read(text.HEAD)
    if b"\n" not in start and b"\r" not in start:
        raise broken(found, 1, "not even its first line ends")
    encoding = text.encoding_of(config, start)
    seen = text.survey(found, encoding)
    ending = _ending(config, found, seen)
    shape = _shape(config, found, text.head(found, encoding))
    table, lines, ragged = _parse(found, seen, shape, ending)
    told = {target: _joined(table, places) for target, places in shape.columns.places.items()}
    told |= {target: pa.repeat(value, table.num_rows) for target, value in shape.columns.constants.items()}
    total = ending.total and _record(ending.total, shape.delimiter)
    control = control_of(config, shape.columns, ending.last, total) if total else None
    return _with_ragged(pa.table(told), lines, ragged, shape, control)


def delimiter_of(config: FilesConfig, found: FoundFile) -> str:
    return config.delimiter or ("\t" if found.path.suffix.lower() in {".tsv", ".tab"} else ",")


def _ending(config: FilesConfig, found: FoundFile, seen: Survey) -> Ending:
    """Where the data end. Raises RejectedError where the file does not prove itself whole."""
    begin, rest = text.tail(found, seen.encoding)
    rest = rest.rstrip(text.END_OF_DOS_FILE)
    if "\0" in rest:
        raise broken(found, seen.lines + 1, "it ends in zero bytes, as after a power cut")
    lone_returns = seen.lines == 0 and rest.count("\r") > 1  # how Macs ended lines before 2001
    ended = rest.endswith("\n") or (rest.endswith("\r") and lone_returns)
    filled = [line for line in LINE.findall(rest) if line.strip()]
    totals = totals_at_end(config, (_record(line, delimiter_of(config, found)) for line in reversed(filled)))
    if config.footer is not None and not totals:
        raise broken(found, seen.lines + (not ended), "the total row, which `footer` asks for, is missing")
    if not (ended or totals or config.whole == "fields" or marked(found)):
        raise broken(found, seen.lines + 1, "the last line does not end (see `whole`)")
    cut = rest.rindex(filled[-totals]) if totals else len(rest)
    return Ending(
        size=begin + len(rest[:cut].encode(text.plain(seen.encoding))),
        lines=seen.lines - rest[cut:].count("\n") + (not ended and not totals),
        last=seen.lines + (not ended),
        ended=ended or totals > 0,
        total=filled[-1] if totals else None,
    )


def _record(line: str, delimiter: str) -> list[str]:
    return next(csv.reader([line.rstrip("\r\n")], delimiter=delimiter), [])


def _shape(config: FilesConfig, found: FoundFile, start: str) -> Shape:
    """Finds the column names. Rows that end in a delimiter have an empty column more than these."""
    delimiter, rows = delimiter_of(config, found), _top(config, found, start)
    at, columns = find_header(config, rows)
    if columns.problems:
        raise Misread(*columns.problems)
    skip = next((line for line in range(at + 1, len(rows)) if rows[line]), len(rows))
    after, width = [cells for cells in rows[skip:] if cells], len(columns.header)
    hanging = all(len(cells) == width + 1 and not cells[-1] for cells in after)
    return Shape(delimiter, skip, width + (hanging and bool(after)), columns)


def _top(config: FilesConfig, found: FoundFile, start: str) -> list[list[str]]:
    """The first records, one entry per line, since `header_row` counts lines."""
    rows: list[list[str]] = []
    reader = csv.reader(io.StringIO(start, newline=""), delimiter=delimiter_of(config, found))
    try:
        for cells in reader:
            rows += [cells, *([] for _ in range(reader.line_num - len(rows) - 1))]
            if len(rows) > (config.header_row or 0) + DEEPEST_HEADER:
                break
    except csv.Error:
        raise broken(found, len(rows) + 1, "a quotation mark that opens there is never closed") from None
    return rows


def _parse(
    found: FoundFile, seen: Survey, shape: Shape, ending: Ending
) -> tuple[pa.Table, pa.Array, dict[int, list[str]]]:
    """Filled records as text columns `0`, `1` …, their lines, and line → cells of records of another width.

    Lines are counted by records, so they are an editor's lines unless cells above hold line ends of their own.
    """
    wanted = sorted({0, *(at for places in shape.columns.places.values() for at in places)})
    table, ragged = _arrow(found, seen, shape, ending, wanted)
    longer = seen.quoted and ending.lines > shape.skip + table.num_rows + len(ragged)  # cells that hold line ends
    if longer or _blank(table).any():  # is the row empty, or only in the columns we want?
        table, ragged = _arrow(found, seen, shape, ending, range(shape.width))
    lines = np.arange(table.num_rows + len(ragged)) + shape.skip + 1
    odd = np.isin(lines, [row.number for row in ragged])
    if not ending.ended and len(odd) and odd[-1]:
        raise broken(found, int(lines[-1]), "the last line does not end and lacks cells")
    if longer and any(_holds_lines(column, shape) for column in table.columns):
        raise _open_quote(found, seen, shape)
    filled = ~_blank(table)
    return (
        table.filter(pa.array(filled)),
        pa.array(lines[~odd][filled]),
        {row.number: _record(row.text, shape.delimiter) for row in ragged},
    )


def _blank(table: pa.Table) -> NDArray[np.bool_]:
    """Rows without any text."""
    blank = np.ones(table.num_rows, dtype=bool)
    for column in table.columns:
        if blank.any():
            whole = column.unify_dictionaries().combine_chunks()
            nothing = pc.equal(pc.utf8_trim_whitespace(whole.dictionary), "").to_numpy(zero_copy_only=False)
            blank &= nothing[whole.indices.to_numpy()]
    return blank


def _holds_lines(column: pa.ChunkedArray, shape: Shape) -> bool:
    """Whether a cell holds what look like whole lines: two stray quotation marks, and all between them is gone."""
    texts = column.unify_dictionaries().chunk(0).dictionary
    texts = texts.filter(pc.match_substring(texts, "\n"))
    return bool(pc.any(pc.greater_equal(pc.count_substring(texts, shape.delimiter), shape.width - 1)).as_py())


def _arrow(
    found: FoundFile, seen: Survey, shape: Shape, ending: Ending, wanted: Sequence[int]
) -> tuple[pa.Table, list[Any]]:
    ragged: list[Any] = []

    def keep_apart(row: Any) -> str:
        ragged.append(row)
        return "skip"

    after = ("" if ending.ended else "\n") + SENTINEL + shape.delimiter * (shape.width - 1) + "\n"
    with found.bytes_at.open("rb") as file:
        try:
            body = pa.PythonFile(text.Body(file, seen.encoding, ending.size, after), "r")
            table = arrow_csv.read_csv(body, *_options(seen, shape, wanted, keep_apart))
        except pa.ArrowInvalid:
            raise _open_quote(found, seen, shape) from None
    swallowed = any(SENTINEL in row.text for row in ragged) or not table.num_rows or table["0"][-1].as_py() != SENTINEL
    if swallowed or any("\n" in row.text for row in ragged):
        raise _open_quote(found, seen, shape)
    return table.slice(0, table.num_rows - 1), ragged


def _options(seen: Survey, shape: Shape, wanted: Sequence[int], ragged: Callable[[Any], str]) -> tuple[Any, Any, Any]:
    """How Arrow reads, parses and converts: columns by their places, texts that repeat told once."""
    names = [str(at) for at in range(shape.width)]
    return (
        arrow_csv.ReadOptions(use_threads=False, block_size=BLOCK, skip_rows=shape.skip, column_names=names),
        arrow_csv.ParseOptions(
            delimiter=shape.delimiter, newlines_in_values=seen.quoted, ignore_empty_lines=False,
            invalid_row_handler=ragged,
        ),
        arrow_csv.ConvertOptions(
            include_columns=[str(at) for at in wanted], column_types={str(at): ENCODED for at in wanted},
            check_utf8=False,
        ),
    )  # fmt: skip


def _open_quote(found: FoundFile, seen: Survey, shape: Shape) -> RejectedError:
    """Finds the record a quotation mark has torn: the first over several lines of another width, else the last."""
    limit, begins = csv.field_size_limit(sys.maxsize), 1
    try:
        with found.bytes_at.open(encoding=seen.encoding, newline="") as file:
            reader = csv.reader(file, delimiter=shape.delimiter)
            for cells in reader:
                torn, last = reader.line_num > begins and _torn(cells, shape), begins
                if torn and begins > shape.skip:
                    break
                begins = reader.line_num + 1
    finally:
        csv.field_size_limit(limit)
    return broken(found, last, "a quotation mark opens there and is not closed")


def _torn(cells: Sequence[str], shape: Shape) -> bool:
    return len(cells) != shape.width or any(
        "\n" in cell and cell.count(shape.delimiter) >= shape.width - 1 for cell in cells
    )


def _joined(table: pa.Table, places: Sequence[int]) -> pa.ChunkedArray:
    if len(places) == 1:
        return table[str(places[0])]
    return pc.binary_join_element_wise(*(pc.cast(table[str(at)], pa.string()) for at in places), " ")


def _with_ragged(
    table: pa.Table, lines: pa.Array, ragged: dict[int, list[str]], shape: Shape, control: Control | None
) -> Cells:
    """Lines of another width keep their places among the rows, marked broken: their receipt must not look whole."""
    if not ragged:
        return Cells(table, lines, shape.columns, control=control)
    told = [dict(joined(shape.columns, cells)) for cells in ragged.values()]
    extra = pa.table({name: pa.array([row.get(name) for row in told], pa.string()) for name in table.column_names})
    plain = pa.table({name: pc.cast(table[name], pa.string()) for name in table.column_names})
    why = {
        table.num_rows + place: f"it has {len(cells)} cells, a line has {shape.width}"
        for place, cells in enumerate(ragged.values())
    }
    return Cells(
        pa.concat_tables([plain, extra]), pa.concat_arrays([lines, pa.array(list(ragged))]), shape.columns, why, control
    )
