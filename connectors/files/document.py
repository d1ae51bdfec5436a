"""JSON and JSON lines → cells. A record may hold lines: a receipt with its positions becomes a row per position.

Columns are named by their paths: `sku` of a line, `receipts.id` of the record around it, `store_code` of the whole.
Numbers are texts all the way, so that no amount passes through a binary float.
"""

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from connectors.files import text
from connectors.files.cells import Cells, from_rows
from connectors.files.columns import columns_of, normal
from connectors.files.config import FilesConfig
from connectors.files.layouts import LAYOUTS
from connectors.files.text import Misread
from connectors.files.whole import Control, broken
from connectors.sdk.files import FoundFile

Record = dict[str, Any]
CONTROLS = ("control", "totals")


def read(config: FilesConfig, found: FoundFile) -> Cells:
    """Raises Misread where the settings do not fit, RejectedError where the document is cut."""
    with found.bytes_at.open("rb") as file:
        encoding = text.encoding_of(config, file.read(4096))
    text.survey(found, encoding)
    content = found.bytes_at.read_text(encoding).removeprefix("\ufeff")
    if found.path.suffix.lower() == ".json":
        return _document(config, found, _parsed(config, found, content, 1))
    lines = [(line, part) for line, part in enumerate(content.split("\n"), 1) if part.strip()]
    return _table(config, found, [(line, {}, _record(config, found, part, line)) for line, part in lines], "", None)


def _parsed(config: FilesConfig, found: FoundFile, content: str, line: int) -> Any:
    def number(digits: str) -> str:
        return digits.replace(".", config.decimal)

    try:
        return json.loads(content, parse_float=number, parse_int=str, parse_constant=str)
    except json.JSONDecodeError as error:
        raise broken(found, line + error.lineno - 1, f"{error.msg.lower()} (column {error.colno})") from None


def _record(config: FilesConfig, found: FoundFile, content: str, line: int) -> Record:
    record = _parsed(config, found, content, line)
    if not isinstance(record, dict):
        raise broken(found, line, "it is not an object")
    return record


def _document(config: FilesConfig, found: FoundFile, document: Any) -> Cells:
    """Records are the list itself, or the only list of objects in an object; what stands beside it holds for all."""
    if isinstance(document, dict):
        lists = {name: value for name, value in document.items() if _objects(value)}
        if len(lists) != 1:
            raise Misread(
                f"it has {'more than one' if lists else 'no'} list of records ({', '.join(lists or document)})"
            )
        name, records = next(iter(lists.items()))
        around = {key: value for key, value in document.items() if key != name}
    else:
        name, records, around = "", document, {}
    if not isinstance(records, list) or not all(isinstance(record, dict) for record in records):
        raise Misread("it is neither a list of objects nor an object that holds one")
    control = next((around.pop(key) for key in CONTROLS if isinstance(around.get(key), dict)), None)
    shared = dict(_leaves(around))
    stated = Control(1, {key: str(value) for key, value in control.items()}) if control else None
    return _table(config, found, [(at, shared, record) for at, record in enumerate(records, 1)], name, stated)


def _table(
    config: FilesConfig,
    found: FoundFile,
    records: Sequence[tuple[int, Mapping[str, str], Record]],
    name: str,
    control: Control | None,
) -> Cells:
    nested = next((key for _, _, record in records if (key := _lines_in(config, record))), None)
    told = [(at, {**shared, **row}) for at, shared, record in records for row in _rows(record, name, nested)]
    header = list(dict.fromkeys(column for _, row in told for column in row))
    columns = columns_of(config, header)
    if columns.problems:
        raise Misread(*columns.problems)
    return from_rows(
        config, found, columns, [(at, [row.get(column, "") for column in header]) for at, row in told], control
    )


def _rows(record: Record, name: str, nested: str | None) -> Iterator[dict[str, str]]:
    """A record's own leaves under the name of its list, with each of its lines; one without lines is a row too."""
    own = _leaves({key: value for key, value in record.items() if key != nested})
    if nested is None:
        yield dict(own)
        return
    around = {f"{name or 'receipts'}.{path}": value for path, value in own}
    for line in record.get(nested) or [{}]:
        yield {**around, **dict(_leaves(line))}


def _lines_in(config: FilesConfig, record: Record) -> str | None:
    """The list of objects that tells most of what the layout's lines tell."""
    layout = LAYOUTS[config.layout]
    known = {name for target in layout.lines for name in layout.targets[target]}
    stated = [
        name
        for target, names in config.columns.items()
        if target in layout.lines
        for name in ([names] if isinstance(names, str) else names)
    ]
    known |= {normal(name) for name in stated}

    def fits(value: Any) -> int:
        return len(known & {normal(key) for item in value for key in item}) if _objects(value) else 0

    best = max(record, key=lambda key: fits(record[key]), default=None)
    return best if best is not None and fits(record[best]) else None


def _objects(value: Any) -> bool:
    return isinstance(value, list) and bool(value) and all(isinstance(item, dict) for item in value)


def _leaves(value: Any, path: str = "") -> Iterator[tuple[str, str]]:
    """Path and text. What a list of objects says of one thing is joined: two payments are `cash+mobile`."""
    if isinstance(value, dict):
        for name, part in value.items():
            yield from _leaves(part, f"{path}.{name}" if path else name)
    elif _objects(value):
        said: dict[str, list[str]] = {}
        for item in value:
            for where, text_ in _leaves(item, path):
                said.setdefault(where, []).append(text_)
        yield from ((where, "+".join(dict.fromkeys(texts))) for where, texts in said.items())
    elif isinstance(value, list):
        yield path, ",".join(str(item) for item in value)
    else:
        yield path, "" if value is None else str(value).lower() if isinstance(value, bool) else str(value)
