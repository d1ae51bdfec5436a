"""Forgetting in texts of any size: they are read and written piece by piece."""

import codecs
import csv
import io
import json
from collections import defaultdict
from collections.abc import Iterator, Mapping, Set
from contextlib import suppress
from pathlib import Path

from mappings.privacy.forget import Traces

PIECE = 4 * 2**20
"""Characters read at once."""
AS_JSON = 64 * 2**20
"""A JSON file up to so many bytes is rewritten as a value, so that a number that goes leaves a null; a larger one as
text."""
DELIMITERS = ",;\t|"
BOUNDS = ("\n", '"', ">", ";", "\t")
"""Where a piece may end, the best first: no trace runs across any of them."""


def encoding_of(path: Path) -> str | None:
    """None of what is no text."""
    with path.open("rb") as file:
        marked = file.read(2) in (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)
    for encoding in ("utf-16",) if marked else ("utf-8", "cp1251"):
        try:
            for _ in pieces(path, encoding):
                pass
        except UnicodeError:
            continue
        return encoding
    return None


def pieces(path: Path, encoding: str) -> Iterator[str]:
    """The text in parts that no trace runs across: each ends with a line, or within one longer than a part at a sign
    that stands in no trace."""
    rest = ""
    with path.open(encoding=encoding, newline="") as file:
        while block := file.read(PIECE):
            rest += block
            cut = next((at + 1 for sign in BOUNDS if (at := rest.rfind(sign)) >= 0), 0)
            if cut:
                yield rest[:cut]
            rest = rest[cut:]
    if rest:
        yield rest


def write_without(path: Path, draft: Path, encoding: str, traces: Traces) -> None:
    if path.suffix == ".json" and path.stat().st_size <= AS_JSON:
        try:
            value = json.loads(path.read_text(encoding))
        except ValueError:
            pass
        else:
            draft.write_text(json.dumps(traces.out_of_value(value), ensure_ascii=False, indent=2), encoding)
            return
    with draft.open("w", encoding=encoding, newline="") as clean:
        for piece in pieces(path, encoding):
            clean.write(traces.out_of(piece))


def lines_of(path: Path, encoding: str, ids: Set[str], known: Set[str]) -> dict[int, str] | None:
    """Lines (from 1) that say more than the id in them, of one of `ids`; None where no column is one of ids.

    Whatever the columns are called, of ids is the one in which the most different `known` ones stand: an age or a
    quantity that reads like an id has other company.
    """
    company: dict[tuple[str, int], set[str]] = defaultdict(set)
    mine: dict[tuple[str, int], dict[int, str]] = defaultdict(dict)
    number = 0
    with path.open(encoding=encoding, newline="") as file:
        for number, line in enumerate(file, 1):
            for place, cell, alone in _cells(line):
                if cell in known:
                    company[place].add(cell)
                if cell in ids and not alone:
                    mine[place][number] = cell
    most = max(company, key=lambda place: len(company[place]), default=None)
    return mine[most] if most and len(company[most]) * 2 >= number else None


def _cells(line: str) -> Iterator[tuple[tuple[str, int], str, bool]]:
    """Delimiter and place, text, and whether no other cell has any, of what may be a cell."""
    for sign, cells in _rows(line):
        alone = sum(map(bool, cells)) == 1
        yield from (((sign, at), cell, alone) for at, cell in enumerate(cells))


def _rows(line: str) -> Iterator[tuple[str, list[str]]]:
    """Each delimiter that may part the line, and the cells it would have then."""
    for sign in (one for one in DELIMITERS if one in line):
        with suppress(csv.Error):  # a line too long to be one of cells
            yield sign, [cell.strip() for cell in next(csv.reader([line], delimiter=sign))]


def write_blanked(path: Path, draft: Path, encoding: str, numbers: Mapping[int, str]) -> None:
    """Without the cells of these lines (from 1), but the id that is given for each; delimiters stay. A line in which
    no cell is that id is not the one that is meant, and stays too."""
    with path.open(encoding=encoding, newline="") as file, draft.open("w", encoding=encoding, newline="") as clean:
        for number, line in enumerate(file, 1):
            known = numbers.get(number)
            clean.write(line if known is None else _blanked(line, known))


def _blanked(line: str, known: str) -> str:
    """`7;Анна;"Абая 10; кв 5"` → `7;;`. A cell that runs on into the next line cannot be told from here, and stays."""
    rows = [row for row in _rows(line) if known in row[1]]
    if not rows or line.count('"') % 2:
        return line
    sign, cells = max(rows, key=lambda row: len(row[1]))
    clean, ending = io.StringIO(), line[len(line.rstrip("\r\n")) :]
    csv.writer(clean, delimiter=sign, lineterminator=ending).writerow(cell if cell == known else "" for cell in cells)
    return clean.getvalue()
