"""The bulk road of a mapping: Arrow in, Arrow out, by the very same table that maps single records.

Files repeat themselves: a year of receipts has a few thousand different amounts. So each *distinct* cell (or
combination of cells that a `Derived` reads) goes through the field's own converter and the model's own check, once;
what comes out is spread over the rows again. No rule is written twice, and a million lines cost about as many calls
as there are values.
"""

import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from functools import cache
from types import NoneType, UnionType
from typing import Annotated, Any, Literal, Union, get_args, get_origin

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray
from pydantic import AwareDatetime, TypeAdapter, ValidationError
from pydantic.fields import FieldInfo

from mappings.tables.fields import EMPTY, Constant, Derived, Field, FieldMap, _set_aside
from mappings.tables.result import Quarantined

Codes = NDArray[np.int64]
UNREADABLE = (ValueError, KeyError, TypeError, AttributeError, ArithmeticError)
ARROW: dict[Any, pa.DataType] = {
    str: pa.string(), Literal: pa.string(), bool: pa.bool_(), int: pa.int64(),
    datetime: pa.timestamp("us", "UTC"), AwareDatetime: pa.timestamp("us", "UTC"), date: pa.date32(),
    tuple: pa.list_(pa.string()), dict: pa.string(), Decimal: pa.decimal128(18, 2),
}  # fmt: skip


@dataclass(frozen=True)
class Framed:
    """`rows`: one per source row, a column per field of the model, then `rule` and `reason`, null in a good row.

    A row that is set aside keeps the cells that could be read. `unread`: field → cells that held something which the
    converter chose to read as nothing (a phone that is none): no reason to set the row aside, but counted.
    """

    rows: pa.Table
    unread: Mapping[str, int]


Problems = dict[int, Quarantined]


@dataclass(frozen=True)
class _Column:
    """One field over the distinct cells it reads. `codes`: which of them each row has; `problems`: by place, few."""

    name: str
    codes: Codes
    values: list[Any]
    problems: Problems
    unread: int = 0


def map_frame(field_map: FieldMap, table: pa.Table, settings: Any = None) -> Framed:
    """Maps text columns, named by the paths the mapping reads, to one canonical row per source row.

    Raises TypeError for a mapping that only makes sense record by record: `each`, `when` or rules across fields.
    """
    if field_map.each or field_map.when or field_map.model.__pydantic_decorators__.model_validators:
        raise TypeError(f"the mapping to {field_map.model.__name__} works record by record only")
    read = list(_columns(field_map, table, settings))
    by_name = {column.name: column for column in read}
    everywhere = np.zeros(table.num_rows, dtype=np.int64)
    checked = [
        _checked(info, by_name.get(name) or _Column(name, everywhere, [None], {}))
        for name, info in field_map.model.model_fields.items()
    ]
    rule, reason = _first_problems([*read, *checked], table.num_rows)
    arrays = {
        column.name: _spread(column, _arrow_type(field_map.model.model_fields[column.name])) for column in checked
    }
    unread = {column.name: column.unread for column in read if column.unread}
    return Framed(pa.table({**arrays, "rule": rule, "reason": reason}), unread)


def with_problems(framed: Framed, problems: Mapping[int, Quarantined]) -> Framed:
    """The same with these rows set aside, whatever was said of them before."""
    if not problems:
        return framed
    rule, reason = framed.rows["rule"].to_pylist(), framed.rows["reason"].to_pylist()
    for row, problem in problems.items():
        rule[row], reason[row] = problem.rule, problem.reason
    rows = framed.rows.drop_columns(["rule", "reason"])
    rows = rows.append_column("rule", pa.array(rule, pa.string())).append_column(
        "reason", pa.array(reason, pa.string())
    )
    return Framed(rows, framed.unread)


def repeated(framed: Framed, keys: Sequence[str], cells: pa.Table) -> dict[int, Quarantined]:
    """Good rows whose key another row has. Of rows quite alike the first stands; else nobody knows which is right."""
    good = pc.is_null(framed.rows["rule"]).to_numpy(zero_copy_only=False)
    same = cells.to_pandas()[good].duplicated()
    key = framed.rows.select(list(keys)).to_pandas()[good]
    clash = key[~same].duplicated(keep=False)
    problems = {int(row): Quarantined("repeated_line", "an earlier line says the same") for row in same.index[same]}
    said = Quarantined("duplicate_key", f"other lines say otherwise of the same {', '.join(keys)}")
    return problems | {int(row): said for row in clash.index[clash]}


def _columns(field_map: FieldMap, table: pa.Table, settings: Any) -> Iterator[_Column]:
    known: dict[tuple[bool, tuple[str, ...]], tuple[list[Any], Codes]] = {}
    for name, field in field_map.fields.items():
        single = isinstance(field, Field)
        if (single, field.reads) not in known:
            known[single, field.reads] = _cells(table, field.reads[0]) if single else _payloads(table, field.reads)
        found, codes = known[single, field.reads]
        values, problems = _converted(name, field, found, settings)
        yield _Column(name, codes, values, problems, _unread(field, found, codes, values, problems))


def _converted(
    name: str, field: Field | Derived | Constant, found: list[Any], settings: Any
) -> tuple[list[Any], Problems]:
    """All at once where every cell is fine, which is nearly always; else each by itself."""
    value = _reader(field, settings)
    with suppress(*UNREADABLE):
        return [None if cell is None else value(cell) for cell in found], {}
    values, problems = [], {}
    for place, cell in enumerate(found):
        try:
            values.append(None if cell is None else value(cell))
        except UNREADABLE as error:
            values.append(None)
            problems[place] = _set_aside(name, error)
    return values, problems


def _reader(field: Field | Derived | Constant, settings: Any) -> Callable[[Any], Any]:
    return field.convert if isinstance(field, Field) else lambda payload: field.value(payload, settings)


def _cells(table: pa.Table, path: str) -> tuple[list[str | None], Codes]:
    """The different cells of a column, and per row which one it has. A column the table lacks holds nothing."""
    return (
        _dictionary(table[path]) if path in table.column_names else ([None], np.zeros(table.num_rows, dtype=np.int64))
    )


def _payloads(table: pa.Table, reads: Sequence[str]) -> tuple[list[dict[str, str | None]], Codes]:
    """The different combinations of the cells of several columns, and per row which one it has."""
    codes: Codes = np.zeros(table.num_rows, dtype=np.int64)
    payloads: list[dict[str, str | None]] = [{}]
    for path in reads:
        texts, own = _cells(table, path)
        codes, seen = pd.factorize(codes * len(texts) + own)
        payloads = [{**payloads[both // len(texts)], path: texts[both % len(texts)]} for both in seen.tolist()]
    return payloads, codes


def _dictionary(column: pa.ChunkedArray) -> tuple[list[str | None], Codes]:
    """Texts that stand for nothing are None, as `at` has it."""
    encoded = column if pa.types.is_dictionary(column.type) else pc.dictionary_encode(column)
    whole = pa.table([encoded], ["it"]).unify_dictionaries()["it"].combine_chunks()
    whole = whole if isinstance(whole, pa.DictionaryArray) else whole.chunk(0)
    empty = pc.is_in(pc.utf8_trim_whitespace(whole.dictionary), pa.array(sorted(EMPTY)))
    texts = pc.if_else(empty, None, whole.dictionary).to_pylist()
    return [*texts, None], pc.fill_null(whole.indices, len(texts)).to_numpy(zero_copy_only=False).astype(np.int64)


def _unread(
    field: Field | Derived | Constant, found: list[Any], codes: Codes, values: list[Any], problems: Problems
) -> int:
    """Rows whose (first) cell holds something and whose value is nothing, though nobody objected."""
    if not field.reads:
        return 0
    first = field.reads[0]
    places = [
        place for place, value in enumerate(values)
        if value is None and place not in problems and (found[place] if isinstance(field,
        Field) else found[place][first]) is not None
    ]  # fmt: skip
    return int(np.isin(codes, places).sum()) if places else 0


def _checked(info: FieldInfo, column: _Column) -> _Column:
    """The model's own check of every distinct value. What is absent gets the default, or is missing."""
    missing, problems, values = (
        Quarantined("missing_field", f"{column.name}: Field required"),
        Problems(),
        column.values,
    )
    one, many = _adapters(info)
    try:
        found = iter(many.validate_python([value for value in values if value is not None]))
        values = [None if value is None else next(found) for value in values]
    except ValidationError:
        values = [
            None if value is None else _valid(one, column.name, place, value, problems)
            for place, value in enumerate(values)
        ]
    default = None if info.is_required() else info.get_default(call_default_factory=True)
    for place, value in enumerate(values):
        if value is None and place not in problems and place not in column.problems:
            values[place] = default
            if info.is_required():
                problems[place] = missing
    return _Column(column.name, column.codes, values, problems)


def _valid(adapter: TypeAdapter[Any], name: str, place: int, value: Any, problems: Problems) -> Any:
    try:
        return adapter.validate_python(value)
    except ValidationError as error:
        problems[place] = _invalid(name, error)
        return None


@cache
def _adapters(info: FieldInfo) -> tuple[TypeAdapter[Any], TypeAdapter[Any]]:
    one: Any = Annotated[info.annotation, *info.metadata] if info.metadata else info.annotation
    return TypeAdapter(one), TypeAdapter(list[one])


def _invalid(name: str, error: ValidationError) -> Quarantined:
    first = error.errors(include_input=False, include_url=False)[0]
    return Quarantined("invalid_field", f"{'.'.join(str(step) for step in (name, *first['loc']))}: {first['msg']}")


def _first_problems(columns: Iterable[_Column], rows: int) -> tuple[pa.Array, pa.Array]:
    """Rule and reason of each row: of several problems the first, in the order in which a single record meets them."""
    known: list[Quarantined] = []
    first = np.full(rows, -1, dtype=np.int64)
    for column in columns:
        if column.problems:
            ids = np.full(len(column.values), -1, dtype=np.int64)
            ids[list(column.problems)] = len(known) + np.arange(len(column.problems))
            known.extend(column.problems.values())
            first = np.where(first < 0, ids[column.codes], first)
    codes = pa.array(first, mask=first < 0)
    return (
        pa.array([problem.rule for problem in known], pa.string()).take(codes),
        pa.array([problem.reason for problem in known], pa.string()).take(codes),
    )


def _spread(column: _Column, kind: pa.DataType) -> pa.Array:
    if all(value is None for value in column.values):
        return pa.nulls(len(column.codes), kind)
    if pa.types.is_string(kind):
        texts = [json.dumps(v, ensure_ascii=False, default=str) if isinstance(v, dict) else v for v in column.values]
        encoded = pa.array(texts, pa.string()).dictionary_encode()
        return pa.DictionaryArray.from_arrays(encoded.indices.take(pa.array(column.codes)), encoded.dictionary)
    if pa.types.is_decimal(kind):
        return pa.array(column.values).take(pa.array(column.codes))  # precision and scale as the values have them
    values = [list(value) if isinstance(value, tuple) else value for value in column.values]
    return pa.array(values, kind).take(pa.array(column.codes))


def _arrow_type(info: FieldInfo) -> pa.DataType:
    kind: Any = info.annotation
    while get_origin(kind) in {Annotated, Union, UnionType}:
        kind = next(part for part in get_args(kind) if part is not NoneType)
    return ARROW[get_origin(kind) or kind]
