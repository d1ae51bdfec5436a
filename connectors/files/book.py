"""Workbooks (XLSX, XLS, ODS) → cells.

Typed cells are rendered as the settings say that texts are written, so that one rule reads numbers, dates and the texts
that look like them.
"""

import zipfile
from collections.abc import Sequence
from datetime import date, datetime, time, timedelta
from typing import Any

from python_calamine import CalamineError, CalamineWorkbook, load_workbook

from connectors.files.cells import Cells, from_rows
from connectors.files.columns import DEEPEST_HEADER, Columns, find_header
from connectors.files.config import FilesConfig
from connectors.files.layouts import LAYOUTS
from connectors.files.text import Misread
from connectors.files.whole import broken
from connectors.sdk.errors import ConfigError
from connectors.sdk.files import FoundFile
from mappings.tables.notation import excel_serial, rendered

SERIALS = range(1, 80_000)
"""Days since 1899-12-30 that a cell without a date format may hold; to the year 2119."""


def read(config: FilesConfig, found: FoundFile) -> Cells:
    """Raises Misread where the settings do not fit, RejectedError where the workbook is not whole."""
    book = _opened(found)
    if config.sheet is not None and config.sheet not in book.sheet_names:
        raise ConfigError(
            f"{found.name} has no sheet {config.sheet!r} (it has {', '.join(book.sheet_names)}): mend `sheet`."
        )
    closest = Columns((), {}, problems=("it has no sheet with column names",))
    for name in [config.sheet] if config.sheet else book.sheet_names:
        rows: list[list[Any]] = book.get_sheet_by_name(name).to_python(skip_empty_area=False)
        top = rows[: (config.header_row or 0) + DEEPEST_HEADER]
        at, columns = find_header(config, [[_text(config, cell) for cell in row] for row in top])
        if not columns.problems:
            return from_rows(config, found, columns, _filled(config, columns, rows, at + 1))
        closest = columns if len(columns.places) > len(closest.places) else closest
    raise Misread(*closest.problems)


def _opened(found: FoundFile) -> CalamineWorkbook:
    try:
        if found.path.suffix.lower() != ".xls" and (torn := zipfile.ZipFile(found.bytes_at).testzip()):
            raise broken(found, 1, f"its part {torn} is damaged")
        return load_workbook(str(found.bytes_at))
    except (zipfile.BadZipFile, CalamineError, OSError, EOFError):
        raise broken(found, 1, "it is not a whole workbook") from None


def _filled(
    config: FilesConfig, columns: Columns, rows: Sequence[Sequence[Any]], begin: int
) -> list[tuple[int, list[str]]]:
    moments = {place for target in LAYOUTS[config.layout].moments for place in columns.places.get(target, ())}
    return [
        (line, [_text(config, cell, place in moments) for place, cell in enumerate(row)])
        for line, row in enumerate(rows[begin:], begin + 1)
        if any(str(cell).strip() for cell in row)
    ]


def _text(config: FilesConfig, cell: Any, moment: bool = False) -> str:
    if isinstance(cell, datetime):
        return rendered(cell, config.date_format)
    if isinstance(cell, date):
        midnight = datetime(cell.year, cell.month, cell.day)  # noqa: DTZ001 as the cell has it, its zone is a setting
        return rendered(midnight, config.date_format).removesuffix(" 00:00:00")
    if isinstance(cell, time):
        return f"{cell:%H:%M:%S}"
    if isinstance(cell, timedelta):
        return str(cell)
    if isinstance(cell, float) and moment and (0 <= cell < 1 or int(cell) in SERIALS):
        at = excel_serial(cell)
        return f"{at:%H:%M:%S}" if cell < 1 else rendered(at, config.date_format)
    if isinstance(cell, float):
        return str(int(cell)) if cell.is_integer() else repr(cell).replace(".", config.decimal)
    return str(cell)
