"""Settings that would fit a file better than those it has: what the error names, all at once. It never applies them."""

import csv
import io
import re
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from typing import Any

import pyarrow as pa

from connectors.files import text
from connectors.files.columns import find_header, joined
from connectors.files.config import FilesConfig
from connectors.files.layouts import LAYOUTS
from connectors.sdk.errors import ConfigError
from connectors.sdk.files import FoundFile
from mappings.tables import Unusable
from mappings.tables.notation import Moments, Numbers

ENCODINGS = ("utf-8", "utf-16", "utf-16-le", "windows-1251", "cp866", "koi8-r")
DELIMITERS = (",", ";", "\t", "|")
THOUSANDS = (None, " ", ",", ".", "'")
DATE_FORMATS = (
    None, "dd.MM.yyyy", "dd/MM/yyyy", "MM/dd/yyyy", "yyyy/MM/dd", "yyyy.MM.dd", "dd-MM-yyyy", "yyyyMMdd", "dd.MM.yy",
    "dd/MM/yy",
    "MM/dd/yy", "yyyyMMddHHmmss", "yyyyMMddTHHmmss",
)  # fmt: skip
SHORT_DATES = ("d.M.yyyy", "d/M/yyyy", "M/d/yyyy")
FRACTION = re.compile(r"\s*\d+[.,]0\s*")
SAMPLE = 2000
Texts = Mapping[str, int]
"""Different texts of a column and how often each stands there."""


def misread(config: FilesConfig, found: FoundFile, problems: Iterable[str]) -> ConfigError:
    """The file's shape is not what the settings say. Tries every other encoding, delimiter and line of column names."""
    return _error(config, found, problems, _shape(config, found) if _is_text(found) else {})


def misfit(config: FilesConfig, found: FoundFile, table: pa.Table) -> ConfigError | None:
    """The error that names another notation of numbers or moments, where one reads more cells than the stated one."""
    layout = LAYOUTS[config.layout]
    better = {**_notation(config, _texts(table, layout.numbers)), **_dates(config, table)}
    return _error(config, found, ["its numbers or dates are written otherwise"], better) if better else None


def fractions(config: FilesConfig, found: FoundFile, table: pa.Table) -> str | None:
    """Names the columns whose ids a table program wrote as 7.0: they are other ids than 7, and join nothing."""
    layout = LAYOUTS[config.layout]
    texts = {name: _texts(table, [name]) for name in table.column_names if name not in layout.numbers | layout.moments}
    odd = [name for name, written in texts.items() if written and all(map(FRACTION.fullmatch, written))]
    if not odd:
        return None
    return (
        f"{found.name} writes the ids of {', '.join(odd)} as fractions, like 7.0, which is another id than 7: "
        'export these columns as text (in pandas: astype("Int64"))'
    )


def _error(config: FilesConfig, found: FoundFile, problems: Iterable[str], better: Mapping[str, Any]) -> ConfigError:
    said = f"{found.name} of {config.connection} cannot be read as its settings say: {'; '.join(problems)}."
    if not better:
        return ConfigError(f"{said} Mend the settings of {config.connection}, or take the file out of the folder.")
    settings = ", ".join(f"{name}: {_shown(value)}" for name, value in better.items())
    return ConfigError(f"{said} In the settings of {config.connection} set {settings}.")


def _shown(value: Any) -> str:
    if isinstance(value, tuple):
        return " or ".join(_shown(one) for one in value)
    return (
        "(leave it out)"
        if value is None
        else f'"{value}"'.replace("\t", "\\t")
        if isinstance(value, str)
        else str(value)
    )


def _is_text(found: FoundFile) -> bool:
    return found.path.suffix.lower() not in {".xlsx", ".xls", ".ods", ".json", ".jsonl", ".ndjson"}


def _shape(config: FilesConfig, found: FoundFile) -> dict[str, Any]:
    """Encoding, delimiter and header row under which the columns are found, and the notation of the rows then."""
    stated = (config.encoding or "utf-8", config.delimiter or ",", config.header_row)
    for encoding in sorted(ENCODINGS, key=lambda name: name != stated[0]):
        for delimiter in sorted(DELIMITERS, key=lambda sign: sign != stated[1]):
            for header_row in dict.fromkeys((config.header_row, None)):
                tried = config.model_copy(
                    update={"encoding": encoding, "delimiter": delimiter, "header_row": header_row}
                )
                if fitting := _fits(tried, found):
                    line, table = fitting
                    fits = {"encoding": encoding, "delimiter": delimiter, "header_row": line + 1}
                    now = {"encoding": stated[0], "delimiter": stated[1], "header_row": config.header_row or line + 1}
                    layout = LAYOUTS[config.layout]
                    notation = {
                        **_notation(tried, _texts(table, layout.numbers)),
                        **_dates(tried, table),
                    }
                    return {name: value for name, value in fits.items() if now[name] != value} | notation
    return {}


def _fits(config: FilesConfig, found: FoundFile) -> tuple[int, pa.Table] | None:
    try:
        with found.bytes_at.open("rb") as file:
            encoding = text.encoding_of(config, file.read(4096))
        rows = list(csv.reader(io.StringIO(text.head(found, encoding), newline=""), delimiter=config.delimiter or ","))[
            :SAMPLE
        ]
    except (text.Misread, UnicodeDecodeError, csv.Error):
        return None
    at, columns = find_header(config, rows)
    if columns.problems:
        return None
    told = [dict(joined(columns, cells)) for cells in rows[at + 1 :]]
    return at, pa.table({name: pa.array([row.get(name) for row in told], pa.string()) for name in columns.targets})


def _texts(table: pa.Table, targets: Iterable[str]) -> Texts:
    """A sample from the whole range: the first days of a month tell nothing of the order of day and month."""
    counted: Counter[str] = Counter()
    for target in sorted(set(targets) & set(table.column_names)):
        for found in table[target].value_counts().to_pylist():
            if found["values"] and found["values"].strip():
                counted[found["values"]] += found["counts"]
    written = sorted(counted)
    return {one: counted[one] for one in written[:: len(written) // SAMPLE + 1]}


def _notation(config: FilesConfig, texts: Texts) -> dict[str, Any]:
    """Decimal sign, thousands and currency that read more numbers than the stated ones."""
    now = {"decimal": config.decimal, "thousands": config.thousands}
    tried = [{"decimal": d, "thousands": t} for d in (".", ",") for t in THOUSANDS if d != t]
    found = _better(tried, now, texts, lambda one: Numbers(one["decimal"], one["thousands"], config.currency))
    if found or config.currency is None:
        return found
    currencies = [{"currency": code} for code in ("KZT", "RUB", "USD", "EUR", "UAH", "UZS")]
    return _better(
        currencies,
        {"currency": config.currency},
        texts,
        lambda one: Numbers(config.decimal, config.thousands, one["currency"]),
    )


def _dates(config: FilesConfig, table: pa.Table) -> dict[str, Any]:
    """Date format, and whether a time zone is needed. Birthdays are read in any order and ask for neither."""
    layout = LAYOUTS[config.layout]
    texts = _texts(table, layout.moments - layout.days)
    zone = config.timezone or "UTC"
    tried = [{"date_format": shape} for shape in (*DATE_FORMATS, *SHORT_DATES)]
    found = _better(tried, {"date_format": config.date_format}, texts, lambda one: Moments(one["date_format"], zone))
    shapes = found.get("date_format", config.date_format)
    if isinstance(shapes, tuple):  # d.M.yyyy reads all that dd.MM.yyyy does
        shapes = tuple(shape for shape in shapes if shape not in SHORT_DATES) or shapes
        found = {"date_format": shapes[0] if len(shapes) == 1 else shapes}
    one = shapes[0] if isinstance(shapes, tuple) else shapes
    naive = config.timezone is None and any(_naive(Moments(one), written) for written in texts)
    return found | ({"timezone": "the shop's, e.g. Asia/Almaty"} if naive else {})


def _naive(moments: Moments, written: str) -> bool:
    try:
        return moments.written(written).tzinfo is None
    except ValueError:
        return False


def _better(
    tried: Iterable[dict[str, Any]],
    now: dict[str, Any],
    texts: Texts,
    reader: Callable[[dict[str, Any]], Callable[[str], object]],
) -> dict[str, Any]:
    """What reads most texts, if it reads more than `now` does; every choice is named where several read as much."""
    counts = [(one, _readable(reader(one), texts)) for one in tried]
    most = max(count for _, count in counts)
    if most <= _readable(reader(now), texts):
        return {}
    changes = {id(one): sum(one[name] != now[name] for name in now) for one, _ in counts}
    fewest = min(changes[id(one)] for one, count in counts if count == most)
    best = [one for one, count in counts if count == most and changes[id(one)] == fewest]
    differing = {name: tuple(dict.fromkeys(one[name] for one in best if one[name] != now[name])) for name in now}
    return {name: values[0] if len(values) == 1 else values for name, values in differing.items() if values}


def _readable(read: Callable[[str], object], texts: Texts) -> int:
    return sum(count for written, count in texts.items() if _reads(read, written))


def _reads(read: Callable[[str], object], written: str) -> bool:
    try:
        read(written)
    except Unusable:
        return False
    return True
