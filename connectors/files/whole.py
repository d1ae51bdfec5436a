"""What proves a file whole. Half a file is refused whole: half of yesterday's receipts must not replace all of them.

A text file does not say how long it is, so a cut at the end of a line cannot be seen without a total row (`footer`) or
a marker beside the file. A cut anywhere else is seen: the last line does not end. Tills that never end their last line
need `whole: fields`, and accept that a cut inside the last cell passes. A workbook and a document prove themselves: the
directory of the one and the last bracket of the other stand at the end.
"""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal

import pyarrow as pa
import pyarrow.compute as pc

from connectors.files.columns import normal
from connectors.files.config import FilesConfig
from connectors.files.layouts import LAYOUTS
from connectors.sdk.errors import RejectedError
from connectors.sdk.files import FoundFile
from mappings.tables import Unusable
from mappings.tables.notation import Numbers

MARKERS = (".done", ".md5", ".sha256")
UNFINISHED = (".part", ".partial", ".tmp", ".filepart", ".crdownload", ".download", "~")
TOTALS = ("итого", "всего", "итог", "total", "grand total", "барлығы", "жиыны", "қорытынды")
TOTALS_OF = ("итого ", "всего ", "барлығы ")
"""These begin a total row even with words after them («Итого по магазину»); a product may be called Total 5W-40."""


@dataclass(frozen=True)
class Control:
    """Totals that a file states of itself at `line`: target → text; `lines` and `receipts` are counts."""

    line: int
    stated: Mapping[str, str]


def broken(found: FoundFile, line: int, why: str) -> RejectedError:
    """The file is not whole, or contradicts itself: nothing of it is taken."""
    said = f"{found.name} breaks at line {line}: {why}. Nothing of it was taken; have the whole file sent again."
    return RejectedError(said, "broken_file")


def marked(found: FoundFile) -> bool:
    """Whether a marker beside the file says that it is whole. Raises RejectedError where a checksum differs."""
    for algorithm in ("md5", "sha256"):
        marker = found.path.with_name(f"{found.name}.{algorithm}")
        if marker.exists():
            stated = marker.read_text("utf-8", "replace").split()
            with found.bytes_at.open("rb") as file:
                if stated[:1] != [hashlib.file_digest(file, algorithm).hexdigest()]:
                    raise broken(found, 1, f"its checksum is not the one in {marker.name}")
            return True
    return found.path.with_name(f"{found.name}.done").exists()


def is_total(config: FilesConfig, cells: Sequence[str]) -> bool:
    """Whether a row is the file's total row: it begins with the word that `footer` states, or with a known one."""
    first = normal(next((cell for cell in cells if cell.strip()), ""))
    if isinstance(config.footer, str):
        return first.startswith(normal(config.footer))
    return first in TOTALS or first.startswith(TOTALS_OF)


def check_control(config: FilesConfig, found: FoundFile, control: Control, rows: pa.Table) -> None:
    """Compares stated totals with the rows. Raises RejectedError where they differ.

    Returns may be written with or without a minus, so both sums are right. What cannot be read proves nothing.
    """
    numbers = Numbers(config.decimal, config.thousands, config.currency)
    for target, text in control.stated.items():
        try:
            stated = numbers(text)
        except Unusable:
            continue
        sums = _sums(target, rows) if target in LAYOUTS[config.layout].sums | {"lines", "receipts"} else None
        if sums and stated not in sums:
            raise broken(found, control.line, f"it states {target} {stated.normalize():f}, its lines give {sums[0]}")


def _sums(target: str, rows: pa.Table) -> list[Decimal] | None:
    if target in {"lines", "receipts"}:
        return [Decimal(rows.num_rows if target == "lines" else len(rows["external_id"].unique()))]
    column = rows[target]
    if column.null_count:
        return None
    plain = pc.sum(column).as_py() or Decimal(0)
    if "returned" not in rows.column_names:
        return [plain]
    magnitude, back = pc.abs(column), pc.fill_null(rows["returned"], False)
    returned = pc.sum(magnitude.filter(back)).as_py() or Decimal(0)
    return [plain, (pc.sum(magnitude).as_py() or Decimal(0)) - 2 * returned]
