"""A file as text: what every reader gives and every layout maps."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

import pyarrow as pa

from connectors.files.columns import Columns, joined
from connectors.files.config import FilesConfig
from connectors.files.layouts import LAYOUTS
from connectors.files.whole import Control, broken, is_total
from connectors.sdk.files import FoundFile

Row = tuple[int, Sequence[str]]
"""Line, and its cells; a cell that holds nothing is empty."""


@dataclass(frozen=True)
class Cells:
    """`table`: a text column per target. `lines`: the source line of each row.

    `broken`: row → why its line has no such shape as the others. `control`: the total row, if there is one.
    """

    table: pa.Table
    lines: pa.Array
    columns: Columns
    broken: Mapping[int, str] = field(default_factory=dict)
    control: Control | None = None


def from_rows(
    config: FilesConfig, found: FoundFile, columns: Columns, rows: Sequence[Row], control: Control | None = None
) -> Cells:
    """Cells of a file that is at hand row by row. Total rows at its end become its `control`."""
    totals = totals_at_end(config, (cells for _, cells in reversed(rows)))
    if config.footer is not None and not totals:
        raise broken(found, rows[-1][0] if rows else 1, "the total row, which `footer` asks for, is missing")
    if totals:
        control = control_of(config, columns, *rows[-1])
    told = [dict(joined(columns, cells)) for _, cells in rows[: len(rows) - totals]]
    table = pa.table({name: pa.array([row.get(name) for row in told], pa.string()) for name in columns.targets})
    return Cells(table, pa.array([line for line, _ in rows[: len(told)]], pa.int64()), columns, control=control)


def totals_at_end(config: FilesConfig, backwards: Iterator[Sequence[str]]) -> int:
    """How many of the last rows are total rows."""
    if isinstance(config.footer, int):
        return sum(1 for _, _ in zip(range(config.footer), backwards, strict=False))
    count = 0
    for cells in backwards:
        if not is_total(config, cells):
            break
        count += 1
    return count


def control_of(config: FilesConfig, columns: Columns, line: int, cells: Sequence[str]) -> Control:
    """The numbers of a total row that has the columns of the others."""
    sums = LAYOUTS[config.layout].sums
    width = len(columns.header)
    aligned = len(cells) >= width and not any(cells[width:])
    stated = {target: text for target, text in joined(columns, cells) if text and target in sums} if aligned else {}
    return Control(line, stated)
